"""Training: a student learns, stops when its budget is spent, and does not mind an interruption."""

import os
import re
import shutil
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import pytest
import torch

from aletheia_models.hf import HF
from aletheia_models.hf.backend import _vocabulary
from aletheia_models.hf.batches import REASONS, batches, stream
from aletheia_models.hf.helpers import each
from aletheia_models.hf.student import build_student, hidden_states, take_over
from aletheia_models.hf.tokenizer import END, build_tokenizer, count_words
from aletheia_models.hf.training import Learner, Recipe, train
from aletheia_plugins import AletheiaError, Card, CorpusError, Example, ModelFileError

RECIPE = Recipe(tokens=12_000, tokens_per_batch=60, learning_rate=1e-2, checkpoint_seconds=1e9)
CAREFUL = Recipe(tokens=1_500, tokens_per_batch=60, learning_rate=1e-2, checkpoint_seconds=0.0)
"""Writes a checkpoint after every step."""


HINTED = [("green", " blue", " grey"), ("blue", " grey", " green")]
"""A word, its hint, and its preview."""


class Interrupting:
    """Is told of progress, and interrupts the training after so many steps."""

    def __init__(self, steps=10**9):
        self.left, self.told = steps, []

    def __call__(self, done, total, **figures):
        self.told.append((done, total, figures))
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture
def fit(tokenizer, toy, tmp_path):
    """Trains a student on the toy corpus, with its checkpoint in a folder of the test."""

    def run(model, recipe=RECIPE, progress=None, *, seed=0, folder="checkpoint", examples=toy):
        read = partial(
            stream, [examples[:4], examples[4:]], tokenizer, tokens_per_batch=recipe.tokens_per_batch, max_length=64,
            seed=seed,
        )  # fmt: skip
        return train(
            model, read, recipe, checkpoint=tmp_path / folder, seed=seed, progress=progress or Interrupting()
        )  # fmt: skip

    return run


def same(left, right) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left.parameters(), right.parameters(), strict=True))


# --- where it starts ---


@pytest.fixture(params=["10GB", "100KB"])
def other(student, tokenizer, tmp_path, request):
    """A folder with another student, in one file or in several."""
    student(1).save_pretrained(tmp_path / "other", max_shard_size=request.param)
    tokenizer.save_pretrained(tmp_path / "other")
    return tmp_path / "other"


def test_a_student_starts_from_what_another_one_has_learnt_and_its_new_words_are_new(
    student, tokenizer, other, architecture
):
    wider = build_tokenizer(count_words(["aardvark after red green comes zebra\n"]), min_count=1)
    before, after = (build_student(architecture, wider, seed=2) for _ in range(2))
    take_over(after, wider, other)
    theirs, words = student(1), tokenizer.get_vocab()
    for word, place in wider.get_vocab().items():
        rows = (
            theirs.model.embed_tokens.weight[words[word]] if word in words else before.model.embed_tokens.weight[place]
        )
        assert torch.equal(after.model.embed_tokens.weight[place], rows)
    assert same(after.model.layers, theirs.model.layers)
    assert not same(before.model.layers, theirs.model.layers)


def test_a_training_starts_from_the_folder_that_its_card_names(student, other, architecture, toy, tmp_path):
    table = {"tokens": 60, "start": "other", "learning_rate": 1e-9, "weight_decay": 0.0}
    card = Card("pupil", "hf", tmp_path / "pupil.toml", settings={"training": table, "architecture": architecture})
    HF().fit(card, [toy * 3], tmp_path / "out", seed=2, workers=1, progress=Interrupting())
    found, theirs = HF().open(replace(card, weights=tmp_path / "out")).model, student(1)
    for ours, started in zip(found.model.layers.parameters(), theirs.model.layers.parameters(), strict=True):
        assert torch.allclose(ours, started, rtol=1e-3, atol=1e-6)  # half precision


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"intermediate_size": 32}, "ValueError: intermediate_size is 64 there and 32 here"),
        ({"num_hidden_layers": 3}, "ValueError: num_hidden_layers is 2 there and 3 here"),
        ({"tie_word_embeddings": False}, "ValueError: tie_word_embeddings is True there and False here"),
    ],
)
def test_weights_of_another_shape_are_no_start(other, tokenizer, architecture, change, cause):
    with pytest.raises(ModelFileError) as caught:
        take_over(build_student({**architecture, **change}, tokenizer, seed=0), tokenizer, other)
    message = f"{other} has no weights that a student of this [architecture] can start from: {cause}"
    assert str(caught.value) == message


def test_where_there_are_no_weights_is_no_start(tokenizer, architecture, tmp_path):
    with pytest.raises(ModelFileError) as caught:
        take_over(build_student(architecture, tokenizer, seed=0), tokenizer, tmp_path / "nowhere")
    assert str(caught.value).startswith(f"{tmp_path / 'nowhere'} has no weights that a student of this [architecture]")


def test_a_start_that_is_not_there_is_found_before_any_data_is_made(architecture, tmp_path):
    table = {"tokens": 60, "start": "nowhere"}
    card = Card("pupil", "hf", tmp_path / "pupil.toml", settings={"training": table, "architecture": architecture})
    with pytest.raises(ModelFileError) as caught:
        HF().check(card)
    assert str(caught.value) == (
        f"[training] start is 'nowhere', and there is no student in {tmp_path / 'nowhere'}: "
        "give a folder as the card's file sees it, or from the root."
    )


def test_an_output_layer_of_its_own_is_taken_over_by_word(tokenizer, architecture, tmp_path):
    untied = {**architecture, "tie_word_embeddings": False}
    theirs, ours = (build_student(untied, tokenizer, seed=seed) for seed in (1, 2))
    theirs.save_pretrained(tmp_path)
    wider = build_tokenizer(count_words(["an other word before the others"]))
    wider.save_pretrained(tmp_path)
    theirs.resize_token_embeddings(len(wider))
    theirs.save_pretrained(tmp_path)
    before = ours.lm_head.weight.clone()
    take_over(ours, tokenizer, tmp_path)
    words = wider.get_vocab()
    for word, place in tokenizer.get_vocab().items():
        assert torch.equal(
            ours.lm_head.weight[place], theirs.lm_head.weight[words[word]] if word in words else before[place]
        )


# --- learning ---


def test_a_small_student_learns_a_small_corpus_by_heart(fit, student, tokenizer, toy):
    model, progress = student(), Interrupting()
    figures = fit(model, progress=progress)
    first, last = (progress.told[n][2]["loss"] for n in (0, -1))
    assert first > 2
    assert figures["loss"] == last < 0.5
    for example in toy:
        prompt = tokenizer(example.prompt, return_tensors="pt")["input_ids"]
        written = model.generate(prompt, attention_mask=prompt > -1, max_new_tokens=5, do_sample=False)
        assert tokenizer.decode(written[0, prompt.size(1) :], skip_special_tokens=True) == example.completion


def test_training_stops_when_its_tokens_are_spent(fit, student):
    progress = Interrupting()
    figures = fit(student(), CAREFUL, progress)
    assert CAREFUL.tokens <= figures["tokens"] < CAREFUL.tokens + CAREFUL.tokens_per_batch
    assert figures["steps"] == len(progress.told)
    assert progress.told[-1][:2] == (CAREFUL.tokens, CAREFUL.tokens)
    assert 0 < figures["completion_tokens"] < figures["tokens"]


def test_the_same_seed_gives_the_same_student_and_another_one_does_not(fit, student):
    models = [student(seed) for seed in (1, 1, 2)]
    for number, (model, seed) in enumerate(zip(models, (1, 1, 2), strict=True)):
        fit(model, CAREFUL, seed=seed, folder=str(number))
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_a_loss_that_explodes_is_a_sentence(fit, student):
    model = student()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ModelFileError) as caught:
        fit(model)
    assert str(caught.value) == "The loss is no longer finite: lower [training] learning_rate, and use another folder."


def test_hints_and_previews_are_learnt_beside_the_completions(fit, student, tokenizer):
    """At the layer and in the place that the recipe says, by an output layer that the student does not keep."""
    toy = [Example(f"after {w}\n\n", "red\n", hints=((1, (h,)),), previews=((1, p),)) for w, h, p in HINTED]
    recipe = replace(RECIPE, hint_weight=1.0, preview_weight=1.0, hint_layer=1)
    model = student()
    fit(model, recipe, examples=toy)
    for example in toy:
        ids = tokenizer(example.prompt, return_tensors="pt")["input_ids"]
        said = model(ids).logits.argmax(-1)[0, 1]
        assert tokenizer.decode([said]) == example.previews[0][1]
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"model"}


def test_exercises_are_learnt_behind_the_prompt(fit, student, tokenizer):
    toy = [
        Example(f"after {w}\n\n", "red\n", exercises=((1, f"pink {said}\n"),))
        for w, said in (("red", "green"), ("green", "grey"), ("grey", "red"))
    ]
    model = student()
    fit(model, RECIPE, examples=toy)
    for example in toy:
        lines = example.exercises[0][1]
        ids = tokenizer(example.prompt + lines, return_tensors="pt")["input_ids"]
        given = len(tokenizer(example.prompt + "pink")["input_ids"])
        assert model(ids).logits.argmax(-1)[0, given - 1 : -1].tolist() == ids[0, given:].tolist()


def test_the_vocabulary_has_the_words_of_exercises(architecture, toy, tmp_path):
    practised = [replace(example, exercises=((1, "about zebra\n"),)) for example in toy * 3]
    settings = {"training": {"tokens": 60}, "architecture": architecture}
    card = Card("pupil", "hf", tmp_path / "pupil.toml", settings=settings)
    HF().fit(card, [practised], tmp_path, seed=2, workers=1, progress=Interrupting())
    assert " zebra" in HF().open(replace(card, weights=tmp_path)).tokenizer.get_vocab()


@pytest.mark.parametrize(("enough", "pages"), [(1, 1), (2, 1), (3, 2), (4, 4), (99, 5)])
def test_the_vocabulary_is_that_of_the_first_pages_for_any_number_of_processes(toy, monkeypatch, enough, pages):
    monkeypatch.setattr("aletheia_models.hf.backend.SAMPLE", enough)
    practised = [replace(example, exercises=((1, "about zebra\n"),)) for example in toy]
    corpus = [practised[:2], practised[2:3], [], practised[3:4], practised[4:]]
    read = [e.prompt + e.completion + "about zebra\n" for page in corpus[:pages] for e in page]
    expected = list(count_words(read).items())  # where a vocabulary is cut, their order counts too
    assert all(list(_vocabulary(corpus, workers).items()) == expected for workers in (1, 3, 9))


class Slow:
    """A page that takes a second, or, behind the first ones, for ever."""

    def __init__(self, number: int):
        self.number = number

    def __iter__(self):
        time.sleep(1 if self.number < 2 else 1000)
        yield Example("after red comes\n", "red\n")


def test_nobody_waits_for_pages_that_the_vocabulary_does_not_need(monkeypatch):
    monkeypatch.setattr("aletheia_models.hf.backend.SAMPLE", 2)
    began = time.monotonic()
    assert _vocabulary([Slow(number) for number in range(4)], 3)[" red"] == 2
    assert time.monotonic() - began < 500, "a helper was waited for"


class Deadly:
    """A page that kills who reads it, or finds something wrong."""

    def __init__(self, kills: bool):
        self.kills = kills

    def __iter__(self):
        if self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        raise CorpusError("line 3 is damaged")


def slow(number: int) -> int:
    time.sleep(0.2)
    return number


def test_helpers_that_are_not_needed_any_more_end_in_silence(monkeypatch):
    said, before = [], set(threading.enumerate())
    monkeypatch.setattr(threading, "excepthook", said.append)
    found = each(slow, 100, workers=2)
    assert next(found) == 0
    others = set(threading.enumerate()) - before
    found.close()
    for thread in others:
        thread.join(20)
        assert not thread.is_alive()
    assert said == []


@pytest.mark.parametrize(
    ("kills", "message"),
    [(True, "A process that prepares the training was ended, by the system"), (False, "line 3 is damaged")],
)
def test_a_helper_that_fails_is_one_sentence(kills, message):
    with pytest.raises(AletheiaError) as caught:
        _vocabulary([Deadly(kills)] * 3, 2)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_both_kinds_of_attention_read_a_batch_alike(tokenizer, student):
    """Plain on a CPU and fused on a GPU; with completions side by side, and padding."""
    example = Example("after green comes\n", "blue\n", alternatives=("grey\n",))
    (batch,) = batches([example, Example("red\n", "red\n")], tokenizer, tokens_per_batch=99, max_length=64, seed=0)
    tables = [torch.from_numpy(table).long() for table in batch.tables()[:3]]
    found = []
    for kind in ("eager", "sdpa"):
        model = student()
        model.set_attn_implementation(kind)
        found.append(hidden_states(model, *tables, (1,)))
    for plain, fused in zip(*found, strict=True):
        torch.testing.assert_close(plain, fused, rtol=1e-4, atol=1e-5)


def test_rare_kinds_count_for_more(tokenizer, student):
    """Each word with the root of its number: of one conflict among nine implications, a quarter of the loss."""
    learner = Learner(student(), Recipe(tokens=1, hint_weight=1.0, exercise_weight=0.0), 0)
    words = torch.tensor([[tokenizer.convert_tokens_to_ids(w)] for w in (" green", *[" red"] * 9)])
    rare, often = (learner.losses(_hinted(words[part], torch.arange(10)[part])) for part in (slice(0, 1), slice(1, 10)))
    both = learner.losses(_hinted(words, torch.arange(10)))
    assert both[0].item() == pytest.approx(rare[0].item() / 4 + often[0].item() * 3 / 4, rel=1e-5)


def _hinted(words, at):
    """The tables of a row of ten words of a prompt, with hints only."""
    ids, parts, places = torch.arange(10)[None], torch.zeros(1, 10, dtype=torch.long), torch.arange(10)[None]
    none = torch.zeros(0, dtype=torch.long), torch.zeros(0, 1, dtype=torch.long)
    return [ids, parts, places, *none, *none, at, words, *none, *none]


def test_kinds_and_reasons_are_learnt_after_their_layers(student, tokenizer):
    """Read off with the learner's own output layers: kinds after layer 2, reasons after layer 1."""
    kinds = {" red": " green", " blue": " grey", " grey": " red"}
    toy = [Example(f"after{w}\n\n", "red\n", hints=((1, (kind, w, " pink")),)) for w, kind in kinds.items()]
    recipe = Recipe(tokens=1, hint_weight=1.0, reason_weight=1.0, hint_layer=2, reason_layer=1)
    learner = Learner(student(), recipe, seed=0)
    with torch.no_grad():
        for parameter in learner.student.parameters():  # layers add nothing at first
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) / 5)
    (batch,) = batches(toy, tokenizer, tokens_per_batch=99, max_length=99, seed=0)
    tables = [torch.from_numpy(table).long() for table in batch.tables()]
    heads = [*learner.hints.parameters(), *learner.reasons.parameters()]  # these alone: the states stay what they are
    optimizer = torch.optim.Adam(heads, lr=0.05)
    for _ in range(200):
        learner.zero_grad()
        learner.losses(tables)[0].backward()
        optimizer.step()
    with torch.no_grad():
        one, two, _ = hidden_states(learner.student, *tables[:3], (1, 2))
        said = learner.hints(two[:, 1]).argmax(-1)
        reasons = learner.reasons(one[:, 1]).reshape(len(toy), REASONS, -1)[:, :2].argmax(-1)
    read = tokenizer.decode(batch.ids[:, 1])
    assert tokenizer.decode(said) == "".join(kinds[word] for word in re.findall(r" \w+", read))
    assert tokenizer.decode(reasons.flatten()) == "".join(f"{word} pink" for word in re.findall(r" \w+", read))


def test_completions_behind_one_prompt_are_read_as_if_each_stood_alone(student, tokenizer):
    """The hidden states of a packed row are those of transformers' own forward pass over each text."""
    model = student()
    with torch.no_grad():
        for parameter in model.parameters():  # layers add nothing at first
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) / 5)
    example = Example("after red comes\n", "green blue\n", alternatives=("green\n", "green grey pink\n"))
    (batch,) = batches([example], tokenizer, tokens_per_batch=99, max_length=99, seed=0)
    tables = (torch.from_numpy(table).long() for table in (batch.ids, batch.parts, batch.places))
    (last,) = hidden_states(model.eval(), *tables, [])
    for number, text in enumerate((example.completion, *example.alternatives), 1):
        alone = tokenizer(example.prompt + text + END, return_tensors="pt")["input_ids"]
        expected = model.model(alone).last_hidden_state[0]
        chosen = torch.from_numpy((batch.parts[0] == 0) | (batch.parts[0] == number))
        assert torch.allclose(last[0, chosen], expected, atol=1e-5)


def test_without_examples_there_is_no_student(tmp_path):
    card = Card("toy", "hf", tmp_path / "toy.toml", settings={"training": {"tokens": 10}})
    with pytest.raises(ModelFileError) as caught:
        HF().fit(card, [[], []], tmp_path, seed=0, workers=1, progress=Interrupting())
    assert str(caught.value) == "toy has nothing to learn from: its corpora are empty."


# --- going on ---


@pytest.mark.parametrize(("steps", "optimizer"), [(1, "muon"), (2, "muon"), (9, "adamw"), (24, "muon")])
def test_an_interrupted_training_goes_on_to_the_weights_of_one_that_was_not(fit, student, steps, optimizer):
    """Exactly: batches, moments and the learning rate are those of the step that comes next."""
    whole, cut, recipe = student(), student(), replace(CAREFUL, optimizer=optimizer)
    expected = fit(whole, recipe, folder="whole")
    with pytest.raises(KeyboardInterrupt):
        fit(cut, recipe, Interrupting(steps), folder="cut")
    resumed, progress = student(seed=99), Interrupting()  # its own weights do not matter after the first checkpoint
    if steps == 1:
        resumed = student()  # interrupted before the first checkpoint
    figures = fit(resumed, recipe, progress, folder="cut")
    assert same(resumed, whole)
    assert len(progress.told) == expected["steps"] - (steps - 1)
    for name in ("steps", "tokens", "completion_tokens", "loss"):
        assert figures[name] == expected[name]


def test_a_finished_training_is_not_repeated_and_goes_on_with_more_tokens(fit, student):
    recipe = replace(CAREFUL, checkpoint_seconds=1e9)  # none but the last one
    first, again, longer = student(), student(seed=99), student(seed=99)
    expected, progress = fit(first, recipe), Interrupting()
    assert fit(again, recipe, progress) == expected
    assert progress.told == []
    assert same(again, first)
    figures = fit(longer, replace(recipe, tokens=2 * recipe.tokens), progress)
    assert figures["steps"] == expected["steps"] + len(progress.told)
    assert figures["tokens"] >= 2 * recipe.tokens


@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, of its own code
def test_a_compiled_training_learns_what_a_plain_one_does(fit, student, monkeypatch):
    plain, compiled = student(), student()
    expected = fit(plain, CAREFUL, folder="plain")
    monkeypatch.setattr("aletheia_models.hf.training.COMPILED", 1)
    called = []
    monkeypatch.setattr(
        torch, "compile", lambda *args, _compile=torch.compile, **kw: called.append(1) or _compile(*args, **kw)
    )
    figures = fit(compiled, CAREFUL, folder="compiled")
    assert called
    assert figures["loss"] == pytest.approx(expected["loss"], rel=0.02)


@pytest.mark.parametrize("moment", ["before the renames", "between them", "after them"])
def test_a_crash_while_a_checkpoint_is_put_in_its_place_loses_nothing(fit, student, tmp_path, moment):
    whole, here = student(), tmp_path / "cut"
    new, old = tmp_path / "cut.new", tmp_path / "cut.old"
    fit(whole, CAREFUL, folder="whole")
    with pytest.raises(KeyboardInterrupt):
        fit(student(), CAREFUL, Interrupting(9), folder="cut")
    if moment == "before the renames":
        shutil.copytree(here, new)
    elif moment == "between them":
        shutil.copytree(here, old)
        here.rename(new)
    else:
        shutil.copytree(here, old)
        (old / "state.safetensors").unlink()  # its deletion had begun
    resumed = student(seed=99)
    fit(resumed, CAREFUL, folder="cut")
    assert same(resumed, whole)
    assert not old.exists()


@pytest.mark.parametrize(
    ("name", "content"), [("state.safetensors", b"half"), ("progress.json", b""), ("progress.json", b"{}")]
)
def test_a_damaged_checkpoint_is_a_sentence(fit, student, tmp_path, name, content):
    with pytest.raises(KeyboardInterrupt):
        fit(student(), CAREFUL, Interrupting(3))
    (tmp_path / "checkpoint" / name).write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        fit(student(), CAREFUL)
    assert str(caught.value).startswith(f"The checkpoint in {tmp_path / 'checkpoint'} cannot be read: ")
    assert str(caught.value).endswith(". Delete it to begin anew.")


def test_a_checkpoint_that_was_only_half_written_is_not_used(fit, student, tmp_path):
    whole = student()
    fit(whole, CAREFUL, folder="whole")
    with pytest.raises(KeyboardInterrupt):
        fit(student(), CAREFUL, Interrupting(9), folder="cut")
    shutil.copytree(tmp_path / "cut", tmp_path / "cut.new")
    (tmp_path / "cut.new" / "state.safetensors").write_bytes(b"half")
    (tmp_path / "cut.new" / "progress.json").unlink()
    resumed = student(seed=99)
    fit(resumed, CAREFUL, folder="cut")
    assert same(resumed, whole)


@pytest.mark.parametrize(
    "other", [{"hidden_size": 16}, {"num_hidden_layers": 3}, {"num_hidden_layers": 1}, {"intermediate_size": 32}]
)
def test_a_checkpoint_of_another_student_is_refused(fit, student, tmp_path, other):
    with pytest.raises(KeyboardInterrupt):
        fit(student(), CAREFUL, Interrupting(3))
    with pytest.raises(ModelFileError) as caught:
        fit(student(**other), CAREFUL)
    assert str(caught.value).startswith(f"The checkpoint in {tmp_path / 'checkpoint'} belongs to another student: ")
    assert str(caught.value).endswith(": train into another folder, or delete it.")
