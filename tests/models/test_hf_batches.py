"""Batches: every example once in a pass, whole, with loss on its completion alone."""

from collections import Counter

import pytest

from aletheia_models.hf.batches import batches
from aletheia_models.hf.tokenizer import END
from aletheia_plugins import Example, ModelFileError

MANY = [
    Example(f"after {'red ' * (n % 5)}comes\n", f"{'green ' * (n % 7)}blue\n{n % 3}\n") for n in range(100)
]  # of many lengths; some occur twice


def pass_over(examples, tokenizer, *, tokens_per_batch=200, max_length=64, seed=0):
    return list(batches(iter(examples), tokenizer, tokens_per_batch=tokens_per_batch, max_length=max_length, seed=seed))


def examples_in(batch, tokenizer):
    """What the rows of a batch teach: the prompt, and each completion with the place of its first word."""
    for ids, parts, places, targets in zip(
        *(t.tolist() for t in (batch.ids, batch.parts, batch.places, batch.targets)), strict=True
    ):
        whole = {number: [n for n, part in enumerate(parts) if part == number] for number in set(parts)}
        assert [places[n] for n in whole[0]] == list(range(len(whole[0])))
        assert {ids[n] for n in whole.pop(-1, [])} <= {tokenizer.pad_token_id}
        prompt = whole.pop(0)
        for part in whole.values():
            assert [places[n] for n in part] == list(range(len(prompt), len(prompt) + len(part)))
            assert [targets[n] for n in part] == [ids[n] for n in part[1:]] + [-100]
            assert targets[prompt[-1]] == ids[part[0]]
            yield tokenizer.decode([ids[n] for n in prompt]), tokenizer.decode([ids[n] for n in part])


def test_every_example_occurs_once_in_a_pass_with_loss_on_its_completion_and_its_end_alone(tokenizer):
    found = Counter(pair for batch in pass_over(MANY, tokenizer) for pair in examples_in(batch, tokenizer))
    assert found == Counter((e.prompt, e.completion + END) for e in MANY)


def test_alternatives_stand_beside_the_completion_behind_one_prompt(tokenizer):
    example = Example("after red comes\n", "green blue\n", alternatives=("green\n", "green grey pink\n"))
    (batch,) = pass_over([example], tokenizer)
    assert len(batch.ids) == 1
    assert list(examples_in(batch, tokenizer)) == [
        (example.prompt, text + END) for text in (example.completion, *example.alternatives)
    ]
    assert batch.tokens == batch.ids.numel()


def test_what_could_be_said_in_a_prompt_stands_where_its_word_is_read(tokenizer):
    example = Example("after red comes\n", "green\n", hints=((1, " green"), (2, "unheard")), previews=((3, "blue"),))
    (batch,) = pass_over([example], tokenizer)
    green, blue = (tokenizer.convert_tokens_to_ids(word) for word in (" green", "blue"))
    assert batch.hints.tolist() == [[-100, green] + [-100] * 5]
    assert batch.previews.tolist() == [[-100] * 7]  # the last word of the prompt has the completion to say
    longer = Example("after red comes\n\n", "green\n", previews=((3, "blue"),))
    assert pass_over([longer], tokenizer)[0].previews.tolist() == [[-100] * 3 + [blue] + [-100] * 4]


def test_no_batch_is_larger_than_it_may_be_unless_one_example_is(tokenizer):
    for batch in pass_over(MANY, tokenizer, tokens_per_batch=100):
        assert batch.ids.numel() <= 100
        assert batch.ids.shape == batch.targets.shape
    assert {len(batch.ids) for batch in pass_over(MANY, tokenizer, tokens_per_batch=1)} == {1}


def test_tokens_are_counted_without_padding(tokenizer):
    total = sum(len(tokenizer(e.prompt + e.completion)["input_ids"]) + 1 for e in MANY)
    assert sum(batch.tokens for batch in pass_over(MANY, tokenizer)) == total


def test_padding_is_scarce(tokenizer):
    found = pass_over(MANY, tokenizer)
    assert sum(batch.tokens for batch in found) > 0.8 * sum(batch.ids.numel() for batch in found)


def test_an_example_that_is_too_long_is_an_error_and_never_cut(tokenizer):
    longest = max(len(tokenizer(e.prompt + e.completion)["input_ids"]) + 1 for e in MANY)
    assert pass_over(MANY, tokenizer, max_length=longest)
    with pytest.raises(ModelFileError) as caught:
        pass_over(MANY, tokenizer, max_length=longest - 1)
    assert str(caught.value) == (
        f"An example has {longest} tokens, the student reads {longest - 1}: raise max_position_embeddings in the "
        "card's [architecture], or train on an easier level."
    )


def test_a_seed_orders_the_batches(tokenizer):
    def order(seed):
        return [batch.ids.tolist() for batch in pass_over(MANY, tokenizer, seed=seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted(order(2))


def test_no_examples_are_no_batches(tokenizer):
    assert pass_over([], tokenizer) == []
