"""Batches with room, and their replay on a GPU: the same losses and gradients as without."""

import pytest
import torch

from aletheia_models.hf.batches import Batch, batches
from aletheia_models.hf.replay import COLUMNS, FEWEST, ROOM, Replay, roomy
from aletheia_models.hf.training import Learner, Recipe
from aletheia_plugins import Example

RECIPE = Recipe(tokens=1, hint_weight=0.5, reason_weight=0.5, preview_weight=0.5, hint_layer=1, reason_layer=2)
EXAMPLES = [
    Example(
        f"after {'red ' * (n % 5)}comes\n\n",
        f"{'green ' * (n % 7)}blue\n",
        hints=((0, ("blue", " green")), (1, (" green", "blue", " red"))),
        previews=((1, " red"),) if n < 25 else (),
        alternatives=(" red\n",) if n % 3 == 0 else (),
        exercises=((1, " red green blue\n"),) if n % 2 else (),
    )
    for n in range(50)
]


@pytest.fixture
def learner(student):
    model = student()
    with torch.no_grad():
        for parameter in model.parameters():  # layers add nothing at first
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) / 5)
    return Learner(model, RECIPE, seed=0)


@pytest.fixture
def made(tokenizer):
    halves = (EXAMPLES[:25], EXAMPLES[25:])
    return [batch for half in halves for batch in batches(half, tokenizer, tokens_per_batch=300, max_length=64, seed=0)]


def gradients(learner, tables):
    """The losses, and the gradients of all parameters as one vector."""
    learner.zero_grad()
    losses = learner.losses([torch.from_numpy(table).long() for table in tables])
    losses[0].backward()
    return [loss.item() for loss in losses], torch.cat([p.grad.flatten() for p in learner.parameters()])


def test_some_batches_have_nothing_to_preview(made):
    assert {len(batch.previews.at) > 0 for batch in made} == {True, False}


def test_room_changes_neither_losses_nor_gradients(learner, made):
    for batch in made:
        (expected, slope), (found, other) = gradients(learner, batch.tables()), gradients(learner, roomy(batch))
        assert found == pytest.approx(expected, rel=1e-5)
        assert torch.allclose(slope, other, rtol=1e-4, atol=1e-6)


def test_few_shapes_do(tokenizer):
    examples = [Example("after red\n", "green " * n + "\n") for n in range(40) for _ in range(n)]
    found = batches(examples, tokenizer, tokens_per_batch=900, max_length=64, seed=0)
    shapes = ({tuple(table.shape for table in tables) for tables in map(make, found)} for make in (Batch.tables, roomy))
    before, after = map(len, shapes)
    assert after < before / 2


def test_room_is_made_in_steps(made):
    for batch in made:
        ids, *_, previews, words = roomy(batch)
        assert ids.shape[1] % COLUMNS == 0
        assert ids.size <= (len(batch.ids) * ids.shape[1]) + ROOM
        assert len(previews) == len(words) == (FEWEST if len(batch.previews.at) else 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_replay_gives_the_losses_and_gradients_of_the_batch(learner, made):
    expected = [gradients(learner, batch.tables()) for batch in made]
    learner.zero_grad()
    replay = Replay(learner.cuda())
    for batch, (losses, slope) in list(zip(made, expected, strict=True)) * 2:
        found = [loss.item() for loss in replay(batch)]
        assert found == pytest.approx(losses, rel=0.02)  # bfloat16
        other = torch.cat([p.grad.flatten() for p in learner.parameters()]).cpu()
        assert torch.nn.functional.cosine_similarity(slope, other, dim=0) > 0.99
    assert len(replay.recordings) <= len(made)
