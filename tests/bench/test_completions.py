"""The acceptance test of the measures: completions that were graded by reading, from the definitions in docs/.

A grade in completions/*.toml was given before the scorer had seen the completion. Where the two differ, the definitions
decide who errs; a grade is never copied from the scorer.
"""

import tomllib
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import pytest

from aletheia_bench.checker import Fault
from aletheia_bench.evaluate import Sample
from aletheia_bench.scoring import Score, score
from aletheia_tasks import Coloring, Sat, Sudoku

FOLDER = Path(__file__).parent / "completions"
TASKS = {task.name: task for task in (Sat(), Coloring(), Sudoku())}
BANK: dict[str, dict[str, Any]] = {
    name: tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")) for name in TASKS
}
ENTRIES = [(task, entry) for task, bank in BANK.items() for entry in bank["completion"]]
OF_CONFLICTS = {"hallucinated", "stale", "satisfied", "place", "unknown"}
SOURCES = {"student", "control", "smollm2", "adversarial"}
GRADES: dict[str, Any] = {
    "certified": False,
    "backtracks": 0,
    "valid_backtracks": 0,
    "conflicts": 0,
    "real_conflicts": 0,
    "dead_ends": 0,
    "noticed": 0,
    "mimicked": 0,
    "decisive": False,
    "decisions": 0,
}
"""What a grade is where an entry does not give it."""
OTHERS = {"name", "source", "problem", "finish", "lenient", "completion", "noise", "disputed"}
ALL = GRADES.keys() | OTHERS | {"outcome", "false_conflicts", "fault"}


def completion(entry: dict[str, Any]) -> str:
    """What is written in the entry, or noise from its seed."""
    if "noise" not in entry:
        return str(entry["completion"])
    noise = entry["noise"]
    return "".join(Random(noise["seed"]).choices(noise["alphabet"], k=noise["length"]))


def sample(task: str, entry: dict[str, Any]) -> Sample:
    problem = BANK[task]["problems"][entry["problem"]]
    return {
        "id": entry["problem"],
        "epoch": 3,
        "problem": problem["text"],
        "verdict": problem["verdict"],
        "reference": problem["reference"],
        "completion": completion(entry),
        "finish": entry.get("finish", "answered"),
        "turns": 1,
        "prompt_tokens": 5,
        "tokens": 7,
        "seconds": 11.0,
        "error": "",
    }


def expected(task: str, entry: dict[str, Any]) -> dict[str, Any]:
    """All that a score of this entry must say."""
    problem = BANK[task]["problems"][entry["problem"]]
    step, word, fault = entry.get("fault", (None, None, None))
    return {
        **{grade: entry.get(grade, default) for grade, default in GRADES.items()},
        "outcome": entry["outcome"],
        "false_conflicts": tuple(str(Fault[name.upper()]) for name in entry.get("false_conflicts", [])),
        "first_error_step": step,
        "first_fault": (word, fault) if fault else None,
        "needed": problem["reference"]["conflicts"],
        "needed_decisions": problem["reference"]["decisions"],
        "size": problem["size"],
        "item": entry["problem"],
        "problem": problem["text"],
        "epoch": 3,
        "prompt_tokens": 5,
        "tokens": 7,
        "seconds": 11.0,
    }


def differences(task: str, entry: dict[str, Any]) -> list[str]:
    """A line for each field that the scorer does not see as the hand did."""
    found = score(TASKS[task], sample(task, entry), lenient=entry.get("lenient", False))
    return [
        f"{task}, {entry['name']!r}: {field} is {hand!r} by hand, {getattr(found, field)!r} by score()"
        for field, hand in expected(task, entry).items()
        if getattr(found, field) != hand
    ]


@pytest.mark.parametrize(("task", "entry"), [pytest.param(t, e, id=f"{t}: {e['name']}") for t, e in ENTRIES])
def test_a_completion_is_scored_as_it_was_graded_by_hand(task, entry):
    if "disputed" in entry:
        pytest.skip(entry["disputed"])
    wrong = differences(task, entry)
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_sixty_completions_and_all_their_problems_can_be_read(task):
    bank = BANK[task]
    assert len(bank["completion"]) >= 60
    assert len({entry["name"] for entry in bank["completion"]}) == len(bank["completion"])
    assert {entry["problem"] for entry in bank["completion"]} == set(bank["problems"])
    for problem in bank["problems"].values():
        [read] = TASKS[task].loads(problem["text"])
        assert str(TASKS[task].solve(read).verdict) == problem["verdict"]


def test_no_grade_is_disputed():
    """A grade and the scorer differ, and the definitions are on the side of the grade, or silent."""
    disputed = [f"{task}, {entry['name']!r}: {entry['disputed']}" for task, entry in ENTRIES if "disputed" in entry]
    assert not disputed, "\n".join(["", *disputed])


def test_no_entry_has_a_key_that_nobody_reads():
    assert {(e["name"], *unread) for _, e in ENTRIES if (unread := e.keys() - ALL)} == set()
    assert {e.get("source", "adversarial") for _, e in ENTRIES} == SOURCES
    assert {name for _, e in ENTRIES for name in e.get("false_conflicts", [])} == OF_CONFLICTS
    assert {e["fault"][2] for _, e in ENTRIES if "fault" in e} == set(map(str, Fault))


def test_every_field_of_a_score_is_graded():
    """`faults` and `lines` but for the first fault, which ends `lines`."""
    [task, entry], *_ = ENTRIES
    assert {field.name for field in fields(Score)} - expected(task, entry).keys() == {"faults", "lines"}
