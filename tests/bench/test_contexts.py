"""Contexts: what a model reads at each turn, and that a trace can be written turn by turn without losing a byte."""

import pytest
from hypothesis import given, settings, strategies as st

from aletheia_bench.arms import ARMS, arm
from aletheia_bench.contexts import context, examples
from aletheia_bench.evaluate import Limits, evaluate
from aletheia_bench.items import Item
from aletheia_bench.search import search
from aletheia_bench.testing import Playback
from aletheia_bench.text import parse_line, render_step, segments
from aletheia_plugins import Decide, Imply, Literal, State, Verdict
from aletheia_tasks import aletheia_tasks

TASKS = [task() for task in aletheia_tasks()]
KINDS = ("folded", "cumulative")

PROBLEM = "sat\n x1 x2\n ~x1 x2\n ~x2 x1\n"
TEXT = """state: -
decide x1=0
imply x1 x2 : x1=0 -> x2=1
conflict ~x2 x1 : x1=0 x2=1
backtrack x1
state: x1=1
imply ~x1 x2 : x1=1 -> x2=1
answer: SAT x1=1 x2=1
"""
LINES = TEXT.splitlines(keepends=True)


def a_trace(task, level: str, index: int, name: str) -> tuple[str, str]:
    """A problem's prompt and what the arm shows of its trace."""
    problem = task.generate(level, split="train", seed=5, index=index)
    return task.render(problem), arm(name)(search(task.csp(problem)), lambda: search(task.csp(problem)))


def played_back(kind, problem: str, text: str):
    """The sample of a model that knows the turns of this text alone."""
    item = Item("item", None, "", problem, Verdict.UNKNOWN, {})
    (sample,) = evaluate(Playback(examples(kind, problem, text)), [(item, 0)], kind, Limits(10**9))
    return sample


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_turn_reads_the_problem_alone(kind):
    assert context(kind, PROBLEM).prompt == PROBLEM


def test_a_folded_prompt_is_the_state_then_the_problem_then_the_turn_in_progress():
    current = context("folded", PROBLEM)
    prompts = []
    for line in LINES:
        current.extend(line)
        prompts.append(current.prompt)
    assert prompts == [
        "state: -\n" + PROBLEM,
        "state: | x1=0\n" + PROBLEM,
        "state: | x1=0 x2=1\n" + PROBLEM,
        "state: | x1=0 x2=1\n" + PROBLEM + "conflict ~x2 x1 : x1=0 x2=1\n",
        "state: | x1=0 x2=1\n" + PROBLEM + "conflict ~x2 x1 : x1=0 x2=1\nbacktrack x1\n",
        "state: x1=1\n" + PROBLEM,
        "state: x1=1 x2=1\n" + PROBLEM,
        "state: x1=1 x2=1\n" + PROBLEM + "answer: SAT x1=1 x2=1\n",
    ]


@given(st.sampled_from(TASKS), st.sampled_from(["tiny", "small"]), st.integers(0, 5000))
@settings(max_examples=20)
def test_a_folded_prompt_begins_with_the_state_that_the_search_is_in(task, level, index):
    problem, text = a_trace(task, level, index, "backtracking")
    current = context("folded", problem)
    levels: list[list[Literal]] = []
    for line in text.splitlines(keepends=True):
        current.extend(line)
        match parse_line(line.rstrip()):
            case State(found):
                levels = [list(level) for level in found]
            case Decide(literal):
                levels.append([literal])
            case Imply(literal=literal):
                levels[-1].append(literal)
            case _:
                pass
        state = State(tuple(map(tuple, levels)))
        assert current.prompt.startswith(render_step(state) + "\n" + problem)


@pytest.mark.parametrize("line", ["decide\n", "imply\n", "state:\n", "decide x1\n", "\n", "|", "imply x1 : ->\n"])
def test_any_line_at_all_leaves_a_prompt_with_the_whole_problem(line):
    current = context("folded", PROBLEM)
    current.extend(line)
    current.extend(line)
    assert PROBLEM in current.prompt


def test_a_folded_turn_ends_where_the_assignment_changes_and_at_the_answer():
    current = context("folded", PROBLEM)
    assert [current.extend(line) for line in LINES] == [True, True, True, False, False, True, True, True]


def test_a_cumulative_turn_ends_at_the_answer_alone():
    current = context("cumulative", PROBLEM)
    assert [current.extend(line) for line in LINES] == [False] * 7 + [True]


def test_a_folded_prompt_does_not_tell_how_its_state_was_reached():
    straight, detour = context("folded", PROBLEM), context("folded", PROBLEM)
    for line in LINES[:6]:
        detour.extend(line)
    straight.extend(LINES[5])
    assert detour.prompt == straight.prompt


def test_a_cumulative_prompt_grows_by_each_line():
    current = context("cumulative", PROBLEM)
    for number, line in enumerate(LINES):
        current.extend(line)
        assert current.prompt == PROBLEM + "".join(LINES[: number + 1])


def test_examples_are_the_turns():
    found = list(examples("folded", PROBLEM, TEXT))
    assert [example.completion for example in found] == [*LINES[:3], "".join(LINES[3:6]), *LINES[6:]]
    assert found[3].prompt == "state: | x1=0 x2=1\n" + PROBLEM
    (whole,) = examples("cumulative", PROBLEM, TEXT)
    assert (whole.prompt, whole.completion) == (PROBLEM, TEXT)


def test_lines_after_the_last_whole_turn_are_no_example():
    cut = "".join(LINES[:4])  # a conflict without its backtrack
    assert [example.completion for example in examples("folded", PROBLEM, cut)] == LINES[:3]


@given(st.sampled_from(TASKS), st.sampled_from(["tiny", "small"]), st.integers(0, 5000), st.sampled_from([*ARMS]))
@settings(max_examples=40)
def test_every_trace_of_every_arm_played_back_turn_by_turn_gives_its_text(task, level, index, name):
    problem, text = a_trace(task, level, index, name)
    for kind in KINDS:
        sample = played_back(kind, problem, text)
        assert sample["completion"] == text
        assert sample["finish"] == "answered"
        assert sample["turns"] == len(list(examples(kind, problem, text)))


@given(st.sampled_from(TASKS), st.integers(0, 5000))
@settings(max_examples=20)
def test_a_folded_prompt_is_never_longer_than_the_problem_and_a_segment(task, index):
    problem, text = a_trace(task, "small", index, "backtracking")
    longest = max(map(len, segments(text)))
    assert all(len(example.prompt) <= len(problem) + longest for example in examples("folded", problem, text))
