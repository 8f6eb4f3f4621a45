"""Spoilt traces: the checker and a naive one, written apart, agree on each."""

import random
from collections import Counter

import pytest

from aletheia_bench.checker import review
from aletheia_bench.search import search
from aletheia_bench.text import render
from aletheia_tasks import aletheia_tasks

from .mutants import OPERATORS, mutant
from .naive import objection

TASKS = {task.name: task() for task in aletheia_tasks()}
SHORT = 600
"""Longer traces are left out: they take their time and show nothing new."""


def traced(level, count, seed):
    """That many problems of each task with the text of a trace."""
    for task in TASKS.values():
        found = index = 0
        while found < count:
            problem = task.generate(level, split="train", seed=seed, index=index)
            trace = search(task.csp(problem))
            index += 1
            if len(trace.steps) <= SHORT:
                found += 1
                yield task, problem, render(trace)


def compare(level, *, problems, mutants, seed):
    """How many mutants of each operator there were, and how many of them both checkers accept."""
    made, right = Counter(), Counter()
    for task, problem, text in traced(level, problems, seed):
        csp = task.csp(problem)
        rng = random.Random(f"{task.name} {text}")
        assert objection(csp, text) is None
        for _ in range(mutants):
            name, changed = mutant(rng, text, csp)
            if rng.random() < 0.2 and changed.count("\n") > 2:
                changed = mutant(rng, changed, csp)[1]
            wrong, found = objection(csp, changed), review(task, problem, changed)
            made[name] += 1
            right[name] += wrong is None
            assert found.valid == (wrong is None), explain(task, problem, changed, wrong, found)
    return made, right


def explain(task, problem, text, wrong, found):
    first = found.first_fault
    judgement = None if first is None else found.judgements[first]
    return f"naive: {wrong}; checker: line {first}: {judgement}\n{task.dumps(problem)}\n{text}"


@pytest.mark.parametrize(
    ("level", "problems", "mutants"), [("tiny", 20, 10), ("small", 12, 12), ("medium", 5, 26), ("hard", 2, 16)]
)
def test_a_naive_checker_agrees_on_every_mutant(level, problems, mutants):
    made, right = compare(level, problems=problems, mutants=mutants, seed=41)
    assert made.total() == 3 * problems * mutants
    assert right.total() < made.total() / 4


def test_every_operator_applies_and_most_spoil_every_trace():
    made, right = compare("small", problems=10, mutants=40, seed=43)
    assert made.keys() == OPERATORS.keys()
    harmless = {name for name, count in right.items() if count}
    assert not harmless & {"early_unsat", "flipped_verdict", "other_answer", "flipped_in_state", "other_target"}


@pytest.mark.heavy
def test_a_naive_checker_agrees_on_twenty_thousand_mutants():
    made, right = Counter(), Counter()
    for level, problems, mutants in [("tiny", 100, 20), ("small", 100, 20), ("medium", 60, 30), ("hard", 44, 21)]:
        one, other = compare(level, problems=problems, mutants=mutants, seed=47)
        made += one
        right += other
    table = [f"{name:22} {made[name]:5} mutants, {right[name]:4} of them right" for name in OPERATORS]
    print("", *table, f"{made.total()} mutants, {right.total()} of them right", sep="\n")  # noqa: T201 - shown by -s
    assert made.total() >= 20_000
