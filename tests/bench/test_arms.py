"""What each arm shows of a verified trace."""

import pytest

from aletheia_bench.arms import ARMS, answer, arm, filler, linearized, swapped, unlearnt
from aletheia_bench.checker import Fault, review
from aletheia_bench.search import search
from aletheia_bench.text import parse, render
from aletheia_plugins import WORD, Backtrack, Conflict, Decide, Imply, State, Trace, UnknownNameError, Verdict
from aletheia_tasks import aletheia_tasks

TASKS = {task.name: task() for task in aletheia_tasks()}
COUNTS = {"tiny": 60, "small": 40, "medium": 16, "hard": 2}

every_level = pytest.mark.parametrize("level", COUNTS)
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)

TEXT = """\
state: -
imply x5 : -> x5=1
decide x1=1
imply ~x1 x2 : x1=1 -> x2=1
decide x3=1
conflict ~x3 ~x2 : x3=1 x2=1
backtrack x3
state: x5=1 | x1=1 x2=1 x3=0
imply x3 x4 : x3=0 -> x4=1
answer: SAT x1=1 x2=1 x3=0 x4=1 x5=1
"""


def traces(task, level, verdict):
    for index in range(COUNTS[level]):
        problem = task.generate(level, split="train", seed=21, index=index)
        trace = search(task.csp(problem))
        if trace.verdict is verdict:
            yield problem, trace


def test_the_backtracking_arm_is_the_trace():
    trace = parse(TEXT)
    assert arm("backtracking")(trace, None) == TEXT


def test_the_answer_arm_is_one_line():
    assert render(answer(parse(TEXT))) == "answer: SAT x1=1 x2=1 x3=0 x4=1 x5=1\n"


def test_the_linearized_arm_cuts_dead_branches_and_decides_what_they_taught():
    assert render(linearized(parse(TEXT))).splitlines() == [
        "state: -",
        "imply x5 : -> x5=1",
        "decide x1=1",
        "imply ~x1 x2 : x1=1 -> x2=1",
        "decide x3=0",
        "imply x3 x4 : x3=0 -> x4=1",
        "answer: SAT x1=1 x2=1 x3=0 x4=1 x5=1",
    ]


def test_a_reason_that_cites_an_exclusion_is_shown_as_a_decision():
    """A linear trace has refuted nothing."""
    text = (
        "state: -\ndecide a=1\nconflict b : a=1\nbacktrack a\nstate: a!=1\n"
        "imply a : a!=1 b=2 -> a=3\nanswer: SAT a=3 b=2\n"
    )
    assert "decide a=3" in render(linearized(parse(text)))


@every_task
@every_level
def test_linearized_traces_of_satisfiable_problems_are_right_and_never_backtrack(task, level):
    shown = 0
    for problem, trace in traces(task, level, Verdict.SAT):
        linear = linearized(trace)
        assert review(task, problem, render(linear)).valid
        assert not any(isinstance(step, Conflict | Backtrack) for step in linear.steps)
        assert [isinstance(step, State) for step in linear.steps].count(True) == 1
        assert linear.steps[-1] == trace.steps[-1]
        assert len(linear.steps) <= len(trace.steps)
        shown += 1
    assert shown


@every_task
def test_a_trace_without_a_backtrack_is_its_own_linearization(task):
    for level in ("tiny", "small"):
        for _, trace in traces(task, level, Verdict.SAT):
            if not any(isinstance(step, Backtrack) for step in trace.steps):
                assert linearized(trace) == trace


@pytest.mark.parametrize("level", COUNTS)
@pytest.mark.parametrize("task", [TASKS["sat"], TASKS["coloring"]], ids=lambda task: task.name)
def test_linearized_traces_of_unsatisfiable_problems_keep_what_is_implied_before_the_first_decision(task, level):
    shown = 0
    for problem, trace in traces(task, level, Verdict.UNSAT):
        linear = linearized(trace)
        first = next((i for i, step in enumerate(trace.steps) if isinstance(step, Decide | Conflict)), None)
        assert linear == Trace((*trace.steps[:first], trace.steps[-1]))
        assert all(isinstance(step, Imply) for step in linear.steps[1:-1])
        *steps, last = review(task, problem, render(linear)).judgements
        assert {judgement.fault for judgement in steps} == {None}
        assert last.fault is Fault.TREE
        shown += 1
    assert shown


def test_what_an_unsatisfiable_problem_implies_before_a_decision_is_kept_and_later_roots_are_not():
    text = (
        "state: -\nimply x2 : -> x2=1\ndecide x1=0\nconflict x1 ~x2 : x1=0 x2=1\nbacktrack x1\nstate: x2=1 x1=1\n"
        "imply ~x1 x3 : x1=1 -> x3=1\nconflict ~x2 ~x3 : x2=1 x3=1\nanswer: UNSAT\n"
    )
    assert render(linearized(parse(text))) == "state: -\nimply x2 : -> x2=1\nanswer: UNSAT\n"


@every_task
@pytest.mark.parametrize("name", ARMS)
def test_every_arm_ends_in_the_answer_of_the_trace(task, name):
    for verdict in (Verdict.SAT, Verdict.UNSAT):
        for _, trace in traces(task, "small", verdict):
            shown = arm(name)(trace, lambda: parse(TEXT))
            assert shown.splitlines()[-1] == render(trace).splitlines()[-1]
            if name != "filler":
                assert render(parse(shown)) == shown


def test_the_swapped_arm_has_the_steps_of_another_problem_and_the_answer_of_this_one():
    other = parse("state: -\ndecide x9=1\nanswer: SAT x9=1\n")
    assert render(swapped(parse(TEXT), other)) == "state: -\ndecide x9=1\n" + render(answer(parse(TEXT)))


def test_the_filler_arm_has_as_many_words_as_the_trace_and_no_content():
    shown = filler(parse(TEXT))
    assert len(WORD.findall(shown)) == len(WORD.findall(TEXT))
    *lines, last = shown.splitlines()
    assert set("".join(lines)) == {".", " "}
    assert last == TEXT.splitlines()[-1]


def test_the_masked_arm_shows_all_and_teaches_what_is_kept_and_the_return():
    lines = TEXT.splitlines()
    assert arm("masked")(parse(TEXT), None) == TEXT
    assert [lines[number] for number in unlearnt("masked", TEXT)] == ["decide x3=1"]
    assert not unlearnt("backtracking", TEXT)


def test_of_a_refuted_problem_nothing_decided_is_taught():
    text = (
        "state: -\nimply c1 : -> x9=1\ndecide x1=0\ndecide x2=0\nimply c : x2=0 -> x3=1\n"
        "conflict c : x3=1\nbacktrack x2\n"
        "state: x9=1 | x1=0 x2=1\nimply c : x2=1 -> x3=0\nconflict c : x3=0\nbacktrack x1\nstate: x9=1 x1=1\n"
        "imply c : x1=1 -> x3=1\nconflict c : x3=1\nanswer: UNSAT\n"
    )
    lines = text.splitlines()
    assert [lines[number] for number in sorted(unlearnt("masked", text))] == [
        "decide x1=0", "decide x2=0", "imply c : x2=0 -> x3=1", "imply c : x2=1 -> x3=0",
    ]  # fmt: skip


@every_task
def test_only_branches_that_are_given_up_are_not_taught(task):
    """A step is taught if what it set holds in all states to come."""
    for verdict in (Verdict.SAT, Verdict.UNSAT):
        for _, trace in traces(task, "small", verdict):
            text = render(trace)
            quiet = unlearnt("masked", text)
            for number, step in enumerate(trace.steps):
                if isinstance(step, Decide | Imply):
                    later = [s for s in trace.steps[number + 1 :] if isinstance(s, State)]
                    kept = all(step.literal in {lit for level in s.levels for lit in level} for s in later)
                    assert (number not in quiet) == kept
                else:
                    assert number not in quiet


def test_an_arm_that_does_not_exist_names_those_that_do():
    with pytest.raises(UnknownNameError) as caught:
        arm("linear")
    assert str(caught.value).startswith("There is no arm 'linear'. Did you mean linearized or filler?")
    assert caught.value.known == sorted(ARMS)
