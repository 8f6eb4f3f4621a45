"""A detour begins with a decision at random, and every step behind it is right."""

from copy import deepcopy

import pytest

from aletheia_bench.checker import Checker
from aletheia_bench.contexts import examples
from aletheia_bench.corpus import Plan, make
from aletheia_bench.detours import detours
from aletheia_plugins import generator, load_plugins

TASKS = load_plugins([]).tasks


def material(name, level, count=12):
    """(problem, prompt, CSP, turns) of a few traces."""
    task = TASKS[name]
    for index in range(count):
        record = make(Plan(task, level, 1), index)
        problem = task.loads(record["problem"])[0]
        turns = list(examples("folded", record["prompt"], record["completion"]))
        yield problem, record["prompt"], task.csp(problem), turns


def state(example, prompt):
    """Of the words of a turn's state line, those behind "state:"."""
    line, found, _ = example.prompt.partition(prompt)
    assert found
    return line.split()[1:]


def replayed(task, problem, prompt, turns):
    """The checker before each turn, by the words of the state that the turn begins with."""
    checker, found = Checker(task, problem), {}
    for turn in turns:
        found[" ".join(state(turn, prompt))] = deepcopy(checker)
        for line in turn.completion.splitlines():
            assert checker.read(line).fault is None
    return found


@pytest.mark.parametrize("level", ["tiny", "small"])
@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_detour_is_a_decision_and_steps_that_the_checker_accepts(name, level):
    at_once, returns = 0, 0
    for number, (problem, prompt, csp, turns) in enumerate(material(name, level)):
        there = replayed(TASKS[name], problem, prompt, turns)
        found = list(detours(turns, prompt, csp, 1, generator(number)))
        if not found:  # it left where everything had a value
            continue
        *before, bar, wrong = state(found[0], prompt)
        assert bar == "|"
        checker = there[" ".join(before) or "-"]
        assert checker.read(f"decide {wrong}").fault is None
        first = found[0].completion.split()[0]
        at_once += first == "conflict"
        for turn in found:
            for line in turn.completion.splitlines():
                assert checker.read(line).fault is None, line
            returns += "backtrack" in turn.completion
    assert returns
    assert at_once


def test_any_value_is_decided_in_a_detour():
    decided = {
        word
        for number, (_, prompt, csp, turns) in enumerate(material("sat", "small"))
        for turn in detours(turns, prompt, csp, 2, generator(number))
        for word in [turn.completion.split()[1][-2:]]
        if turn.completion.startswith("decide ")
    }
    assert decided == {"=0", "=1"}


def test_the_same_detours_are_made_again_and_as_many_as_are_asked_for():
    _, prompt, csp, turns = next(material("coloring", "small", 1))
    assert list(detours(turns, prompt, csp, 0, generator(1))) == []
    one, two, three = (list(detours(turns, prompt, csp, n, generator(1))) for n in (1, 2, 2))
    assert two == three
    assert two[: len(one)] == one != two
