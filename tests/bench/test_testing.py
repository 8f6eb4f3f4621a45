"""The model that ships for tests is itself a model: it keeps what the contract promises of one."""

import pytest
from hypothesis import given, strategies as st

from aletheia_bench.testing import Playback
from aletheia_bench.testing.playback import BATCH
from aletheia_plugins import Example, Model, Request

TEXTS = st.text("ab \n", max_size=12)


def ask(model: Model, prompt: str, stop: tuple[str, ...] = (), max_tokens: int = 99, name: str = "r"):
    model.submit(Request(name, prompt, stop, max_tokens))
    (completion,) = model.poll()
    return completion


def test_a_prompt_that_it_knows_is_continued_as_its_example_says():
    done = ask(Playback([Example("one ", "two three"), Example("four ", "five")]), "one ")
    assert (done.id, done.text, done.finish, done.prompt_tokens, len(done.tokens)) == ("r", "two three", "stop", 1, 2)


def test_any_other_prompt_gets_an_empty_text():
    done = ask(Playback([Example("one", "two")]), "One")
    assert (done.text, done.tokens, done.finish) == ("", (), "stop")


@pytest.mark.parametrize(
    ("stop", "max_tokens", "text", "finish"),
    [
        (("c ",), 9, "a b c ", "stop"),
        (("d", "b"), 9, "a b", "stop"),
        (("x",), 9, "a b c d", "stop"),
        (("d",), 4, "a b c d", "stop"),
        (("d",), 3, "a b c ", "length"),
        ((), 1, "a ", "length"),
    ],
)
def test_a_completion_is_cut_after_the_first_stop_text_or_after_so_many_words(stop, max_tokens, text, finish):
    done = ask(Playback([Example("", "a b c d")]), "", stop, max_tokens)
    assert (done.text, done.finish) == (text, finish)


@given(st.dictionaries(TEXTS, TEXTS), st.lists(TEXTS), st.integers(1, 5))
def test_a_completion_depends_on_its_request_alone(known, prompts, max_tokens):
    model = Playback([Example(*pair) for pair in known.items()])
    for number, prompt in enumerate(prompts):
        model.submit(Request(str(number), prompt, (), max_tokens))
    together = []
    while batch := model.poll():
        together += batch
    alone = [ask(model, prompt, (), max_tokens, str(number)) for number, prompt in enumerate(prompts)]
    assert together == alone


def test_a_poll_ends_a_few_requests_oldest_first_and_is_empty_only_if_nothing_is_queued():
    model = Playback([])
    for number in range(BATCH + 1):
        model.submit(Request(str(number), "", (), 1))
    assert [done.id for done in model.poll()] == [str(number) for number in range(BATCH)]
    assert len(model.poll()) == 1
    assert model.poll() == []


def test_a_closed_model_has_forgotten_its_queue():
    model = Playback([])
    model.submit(Request("r", "", (), 1))
    model.close()
    assert model.poll() == []


def test_facts_are_plain_values():
    assert Playback([Example("one", "two")]).facts() == {"examples": 1, "batch_size": BATCH}


def test_two_continuations_of_one_prompt_are_refused():
    assert Playback([Example("one", "two")] * 2).facts()["examples"] == 1
    with pytest.raises(ValueError) as caught:
        Playback([Example("one", "two"), Example("one", "three")])
    assert str(caught.value) == "two completions for one prompt: 'one'"
