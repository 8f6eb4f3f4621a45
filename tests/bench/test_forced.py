"""Errors put into a completion: always at a place where all was right, always refutable, and judged by what follows."""

import pytest

from aletheia_bench.checker import review
from aletheia_bench.contexts import examples
from aletheia_bench.evaluate import Limits, evaluate
from aletheia_bench.forced import KINDS, inject, injections, judge, measure
from aletheia_bench.items import generated
from aletheia_bench.search import search
from aletheia_bench.testing import Playback
from aletheia_bench.text import parse_line, render
from aletheia_plugins import Decide, Imply, State, Verdict
from aletheia_tasks import Sat, aletheia_tasks

from .test_measures import CLEAN, PROBLEM, sample

TASKS = {task.name: task() for task in aletheia_tasks()}
LIMITS = Limits(100_000)
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def pupil(task, level="tiny", count=40):
    items = list(generated(task, level, seed=6, limit=count))
    return items, {item.id: render(search(task.csp(item.problem))) for item in items}


WITHOUT = {("sat", "value"), ("coloring", "root"), ("sudoku", "decision"), ("sudoku", "value")}
"""Where the reference search of tiny problems has hardly a place for one, or none."""


@every_task
@every_kind
def test_an_error_stands_where_all_was_right_and_is_the_only_one(task, kind):
    items, texts = pupil(task)
    found = [(item, error) for item in items if (error := inject(task, item, texts[item.id], kind))]
    assert len(found) > 5 or (task.name, kind) in WITHOUT
    for item, error in found:
        *before, wrong = error.text.splitlines()
        assert texts[item.id].startswith("".join(line + "\n" for line in before))
        judged = review(task, item.problem, error.text).judgements
        assert not any(j.fault for j in judged[: error.place])
        step = parse_line(wrong)
        assert step.literal == error.wrong
        levels = _levels(before)
        assert isinstance(step, Decide if kind == "decision" else Imply)
        assert kind == "decision" or (len(levels) > 1) == (kind == "value")
        held = [lit for level in levels for lit in level]
        csp = task.csp(item.problem)
        assert search(csp, start=State((tuple(held),))).verdict is Verdict.SAT
        assert search(csp, start=State(((*held, error.wrong),))).verdict is Verdict.UNSAT
        if kind != "decision":
            assert judged[error.place].fault is not None


def _levels(lines):
    levels = [[]]
    for step in map(parse_line, lines):
        if isinstance(step, State):
            levels = [list(level) for level in step.levels]
        elif isinstance(step, Decide):
            levels.append([step.literal])
        elif isinstance(step, Imply):
            levels[-1].append(step.literal)
    return levels


@every_task
def test_the_same_completion_gets_the_same_errors_and_no_more_than_asked_for(task):
    items, texts = pupil(task)
    once, again = (dict(injections(task, items, texts, 7)) for _ in range(2))
    assert {name: error for name, (_, error) in once.items()} == {name: error for name, (_, error) in again.items()}
    assert all(sum(name.endswith(f"/{kind}") for name in once) <= 7 for kind in KINDS)


@pytest.mark.parametrize("context", ["folded", "cumulative"])
@every_kind
@pytest.mark.parametrize("name", TASKS)
def test_the_search_itself_notices_names_and_leaves_every_error(name, kind, context):
    """What the reference would write from the wrong state on. Where the decision was wrong it solves the item, too."""
    task = TASKS[name]
    items, texts = pupil(task)
    results = []
    for item in items:
        error = inject(task, item, texts[item.id], kind)
        if error is None:
            continue
        start = State(tuple(map(tuple, _levels(error.text.splitlines()))))
        on = render(search(task.csp(item.problem), start=start)).partition("\n")[2]
        known = Playback(examples(context, item.prompt, error.text + on))
        tried = evaluate(known, [(item, 0)], context, LIMITS, begun={item.id: error.text})
        if context == "cumulative":  # a turn is a whole trace there, and Playback knows no beginning of one
            tried = [sample(error.text + on, problem=item.native)]
        (found,) = tried
        assert found["completion"] == error.text + on
        results.append(judge(task, {**found, "forced": error.facts()}))
    figures = measure(results)
    assert len(results) > 5 or (name, kind) in WITHOUT
    for figure in ("detection", "localisation", "correction") if results else ():
        assert figures[figure].value == (None if (kind, figure) == ("root", "correction") else 1.0)
    if results and kind == "decision":
        assert figures["success"].value == 1.0


def test_an_item_that_several_students_were_given_is_one_draw():
    one, other = (
        judge(Sat(), {**sample(text, name=str(n)), "forced": WRONG}) for n, text in enumerate((CLEAN, "hm\n"))
    )
    narrow, wide = measure([one, other] * 20), measure([one, other])
    assert narrow["detection"].value == wide["detection"].value == 0.5
    assert narrow["detection"].high - narrow["detection"].low > 0.9
    assert narrow["detection"].n == 40


WRONG = {"kind": "decision", "wrong": "x1=1", "place": 1}


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (CLEAN, (2, True, True, True)),  # imply, then the conflict
        (CLEAN.replace("conflict c3 : x1=1 x3=1", "conflict c1 : x1=1 x3=1"), (2, False, True, True)),
        (CLEAN.replace("state: x1=0", "state: x1=1"), (2, True, False, True)),
        (CLEAN.replace("x3=0\n", "x3=2\n"), (2, True, True, False)),
        ("state: -\ndecide x1=1\nconflict c1 : x1=1\nbacktrack x1\nstate: x1=0\n", (1, False, True, False)),
        ("state: -\ndecide x1=1\ndecide x2=0\nanswer: UNSAT\n", (None, False, False, False)),
        ("state: -\ndecide x1=1\nbacktrack x1\nstate: x1=0\n", (None, False, True, False)),  # left without a word
        ("state: -\ndecide x1=1\nhm\n", (None, False, False, False)),
    ],
)
def test_what_is_made_of_an_error_by_hand(completion, expected):
    found = judge(Sat(), {**sample(completion, problem=PROBLEM), "forced": WRONG})
    assert (found.steps, found.localised, found.corrected, found.solved) == expected


def test_no_error_fits_where_nothing_is_decided():
    (item,) = list(generated(Sat(), "tiny", seed=0, limit=1))
    assert inject(Sat(), item, "", "decision") is None
    assert inject(Sat(), item, "hm\n", "value") is None


def test_items_that_end_in_an_error_of_the_back_end_count_in_no_rate():
    failed = judge(Sat(), {**sample(CLEAN, finish="error"), "forced": WRONG})
    assert failed.failed
    assert measure([failed])["detection"].n == 0
