"""Batches: every example once in a pass, whole, with loss on its completion alone."""

import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from aletheia_models.hf.batches import REASONS, batches, stream
from aletheia_models.hf.tokenizer import END
from aletheia_plugins import Example, ModelFileError

MANY = [
    Example(f"after {'red ' * (n % 5)}comes\n", f"{'green ' * (n % 7)}blue\n{n % 3}\n") for n in range(100)
]  # of many lengths; some occur twice


def pass_over(examples, tokenizer, *, tokens_per_batch=200, max_length=64, seed=0):
    return batches(iter(examples), tokenizer, tokens_per_batch=tokens_per_batch, max_length=max_length, seed=seed)


def spelt(said, batch):
    """What is said where: (row, column) → token ids."""
    places = (divmod(place, batch.ids.shape[1]) for place in said.at.tolist())
    return dict(zip(places, said.words.tolist(), strict=True))


def examples_in(batch, tokenizer):
    """What the rows of a batch teach: the prompt and each completion."""
    targets = spelt(batch.targets, batch)
    for row, (ids, parts, places) in enumerate(
        zip(*(t.tolist() for t in (batch.ids, batch.parts, batch.places)), strict=True)
    ):
        whole = {number: [n for n, part in enumerate(parts) if part == number] for number in set(parts)}
        assert [places[n] for n in whole[0]] == list(range(len(whole[0])))
        assert {ids[n] for n in whole.pop(-1, [])} <= {tokenizer.pad_token_id}
        prompt = whole.pop(0)
        for part in whole.values():
            assert [places[n] for n in part] == list(range(len(prompt), len(prompt) + len(part)))
            assert [targets.pop((row, n), None) for n in part] == [[ids[n]] for n in part[1:]] + [None]
            yield tokenizer.decode([ids[n] for n in prompt]), tokenizer.decode([ids[n] for n in part])
        assert targets.pop((row, prompt[-1])) == [ids[prompt[-1] + 1]]
    assert not targets


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
    assert batch.tokens == (batch.parts >= 0).sum()


def test_nothing_is_learnt_from_lines_that_are_only_read(tokenizer):
    example = Example("after red comes\n", "green blue\ngrey\npink red\n", unlearnt=frozenset({0, 2}))
    (batch,) = pass_over([example], tokenizer)
    whole = Example(example.prompt, example.completion)
    (learnt,) = pass_over([whole], tokenizer)
    assert batch.ids.tolist() == learnt.ids.tolist()
    words = [tokenizer.decode(found) for found in spelt(batch.targets, batch).values()]
    assert words == ["grey", "\n", END]


def test_exercises_stand_beside_the_completion_with_loss_behind_what_is_given(tokenizer):
    example = Example(
        "after red comes\n",
        "green\n",
        alternatives=("grey\n",),
        exercises=((2, "red green blue\n"), (1, "pink grey\n")),
    )
    (batch,) = pass_over([example], tokenizer)
    asked = Example(example.prompt, example.completion, alternatives=example.alternatives)
    (without,) = pass_over([asked], tokenizer)
    assert sorted(spelt(batch.targets, batch)) == sorted(spelt(without.targets, without))
    ids = batch.ids[0].tolist()
    parts = [[n for n, number in enumerate(batch.parts[0]) if number == part] for part in (3, 4)]
    assert [tokenizer.decode([ids[n] for n in part]) for part in parts] == [lines for _, lines in example.exercises]
    assert spelt(batch.exercises, batch) == {
        (0, n): [ids[n + 1]]
        for part, (given, _) in zip(parts, example.exercises, strict=True)
        for n in part[given - 1 : -1]
    }
    assert batch.places[0, parts[1][0]] == len(tokenizer(example.prompt)["input_ids"])


def test_what_could_be_said_in_a_prompt_stands_where_its_word_is_read(tokenizer):
    hints = ((1, (" green",)), (2, ("unheard", " grey", "unheard", " green")), (3, (" grey",)))
    example = Example("after red comes\n\n", "green\n", hints=hints, previews=((3, "blue"), (4, "blue")))
    (batch,) = pass_over([example], tokenizer)
    green, grey, blue = (tokenizer.convert_tokens_to_ids(word) for word in (" green", " grey", "blue"))
    assert spelt(batch.hints, batch) == {(0, 1): [green], (0, 3): [grey]}
    assert spelt(batch.reasons, batch) == {(0, 2): [grey, -100, green] + [-100] * (REASONS - 3)}
    assert spelt(batch.previews, batch) == {(0, 3): [blue]}  # the last word of the prompt has the completion to say


def test_no_batch_is_larger_than_it_may_be_unless_one_example_is(tokenizer):
    for batch in pass_over(MANY, tokenizer, tokens_per_batch=100):
        assert batch.ids.size <= 100
        assert batch.ids.shape == batch.parts.shape == batch.places.shape
    assert {len(batch.ids) for batch in pass_over(MANY, tokenizer, tokens_per_batch=1)} == {1}


def test_tokens_are_counted_without_padding(tokenizer):
    total = sum(len(tokenizer(e.prompt + e.completion)["input_ids"]) + 1 for e in MANY)
    assert sum(batch.tokens for batch in pass_over(MANY, tokenizer)) == total


def test_padding_is_scarce(tokenizer):
    found = pass_over(MANY, tokenizer)
    assert sum(batch.tokens for batch in found) > 0.7 * sum(batch.ids.size for batch in found)


def test_an_example_that_is_too_long_is_an_error_and_never_cut(tokenizer):
    longest = max(len(tokenizer(e.prompt + e.completion)["input_ids"]) + 1 for e in MANY)
    assert pass_over(MANY, tokenizer, max_length=longest)
    with pytest.raises(ModelFileError) as caught:
        pass_over(MANY, tokenizer, max_length=longest - 1)
    assert str(caught.value) == (
        f"An example has {longest} tokens, the student reads {longest - 1}: raise that "
        "(max_position_embeddings in a card's [architecture]; for lora, length in its [training]), or train on an "
        "easier level."
    )


def test_a_seed_orders_the_batches(tokenizer):
    def order(seed):
        return [batch.ids.tolist() for batch in pass_over(MANY, tokenizer, seed=seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted(order(2))


def test_no_examples_are_no_batches(tokenizer):
    assert pass_over([], tokenizer) == []


# --- page after page ---


PAGES = [MANY[:30], MANY[30:70], MANY[70:]]


def first(count, tokenizer, **options):
    """The first batches of the stream over `PAGES`, as lists, with the places behind them."""
    found = stream(PAGES, tokenizer, tokens_per_batch=100, max_length=64, **{"seed": 0, **options})
    return [(place, batch.ids.tolist()) for place, batch in islice(found, count)]


def test_pass_after_pass_every_page_is_seen_in_another_order(tokenizer):
    once = sum(len(pass_over(page, tokenizer, tokens_per_batch=100)) for page in PAGES)
    found = [ids for _, ids in first(2 * once, tokenizer)]
    assert sorted(found[:once]) == sorted(found[once:])
    assert found[:once] != found[once:]


@pytest.mark.parametrize("start", [1, 5, 40, 80])
def test_a_stream_goes_on_from_any_place(tokenizer, start):
    whole = first(90, tokenizer)
    assert first(10, tokenizer, start=whole[start - 1][0]) == whole[start : start + 10]


def test_other_processes_prepare_the_same_batches(tokenizer):
    assert first(60, tokenizer, workers=2) == first(60, tokenizer)


def test_what_is_wrong_with_an_example_is_one_sentence_from_another_process_too(tokenizer):
    with pytest.raises(ModelFileError) as caught:
        next(stream(PAGES, tokenizer, tokens_per_batch=100, max_length=3, seed=0, workers=2))
    assert str(caught.value).startswith("An example has ")
    assert "\n" not in str(caught.value)


KILLED = """
import os, signal, sys
from multiprocessing import active_children
from aletheia_models.hf.batches import stream
from aletheia_models.hf.tokenizer import build_tokenizer, count_words
from aletheia_plugins import Example

if __name__ == "__main__":
    pages = [[Example("a", "b")]] * 3
    found = stream(pages, build_tokenizer(count_words("ab")), tokens_per_batch=100, max_length=9, seed=0, workers=2)
    next(found)
    print(*(child.pid for child in active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return True
    return state == "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_other_processes_end_with_a_training_that_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    helpers = [int(word) for word in done.stdout.split()]
    assert helpers
    for _ in range(100):
        if all(map(gone, helpers)):
            return
        time.sleep(0.1)
    pytest.fail(f"{helpers} are still there")
