"""The checker accepts every trace that the search makes, and both agree with an established solver."""

import os
import random
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import pytest

from aletheia_bench.checker import Checker, review
from aletheia_bench.search import input_order, search, smallest_domain
from aletheia_bench.text import parse, render
from aletheia_plugins import Literal, State, Trace, Verdict
from aletheia_tasks import aletheia_tasks

ROOT = Path(__file__).parents[2]
TASKS = {task.name: task() for task in aletheia_tasks()}
LEVELS = ("tiny", "small", "medium", "hard")
COUNTS = {"tiny": 260, "small": 230, "medium": 150, "hard": 28}
"""Per task, where a test may take seconds only: together 2,004."""
MANY = 100_000
CHUNK = 50

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def some(task, level, count, seed=0):
    return [task.generate(level, split="test", seed=seed, index=index) for index in range(count)]


def check(task, problem, trace):
    """The trace, through its text and the problem's file, is a proof of its verdict."""
    text = render(trace)
    found = review(task, task.loads(task.dumps(problem))[0], text)
    assert found.valid, (task.dumps(problem), found.judgements[found.first_fault])
    assert found.answer.verdict is trace.verdict
    assert parse(text) == trace


def shuffled(rng):
    """A heuristic that takes any open variable and any value that is left."""

    def heuristic(choices):
        variable = rng.choice(list(choices))
        return variable, rng.choice(choices[variable])

    return heuristic


# --- the search and the checker ---


@every_task
@pytest.mark.parametrize("level", LEVELS)
def test_every_trace_of_the_search_is_accepted(task, level):
    verdicts = Counter()
    for number, problem in enumerate(some(task, level, COUNTS[level])):
        trace = search(task.csp(problem), rng=random.Random(number) if number % 2 else None)
        check(task, problem, trace)
        verdicts[trace.verdict] += 1
    assert verdicts.keys() == ({Verdict.SAT} if task.name == "sudoku" else {Verdict.SAT, Verdict.UNSAT})


def traced(job):
    """Verdicts and numbers of steps of the traces of a chunk, all of which the checker accepted."""
    name, level, split, first, count = job
    task, found = TASKS[name], Counter()
    for index in range(first, first + count):
        problem = task.generate(level, split=split, seed=11, index=index)
        trace = search(task.csp(problem), rng=random.Random(index) if index % 2 else None)
        check(task, problem, trace)
        found[name, level, str(trace.verdict)] += 1
        found["steps"] += len(trace.steps)
    return found


@pytest.mark.heavy
def test_a_hundred_thousand_traces_are_accepted(monkeypatch):
    """ALETHEIA_TRACES sets another number."""
    total = int(os.environ.get("ALETHEIA_TRACES", MANY))
    monkeypatch.syspath_prepend(ROOT)  # where the other processes find this module
    share = -(-total // (len(TASKS) * len(LEVELS) * CHUNK)) * CHUNK
    starts = [(first, level, name) for first in range(0, share, CHUNK) for level in LEVELS for name in TASKS]
    jobs = [(name, level, ("train", "test")[first // CHUNK % 2], first, CHUNK) for first, level, name in starts]
    found = Counter()
    with get_context("forkserver").Pool(2) as pool:
        for done, counts in enumerate(pool.imap_unordered(traced, jobs), 1):
            found += counts
            if done % 100 == 0:
                print(f"{found.total() - found['steps']} traces", flush=True)  # noqa: T201 - shown by -s
    steps = found.pop("steps")
    print(*(f"{' '.join(key)}: {count}" for key, count in sorted(found.items())), sep="\n")  # noqa: T201
    print(f"{found.total()} traces of {steps} steps, all accepted")  # noqa: T201
    assert found.total() == share * len(TASKS) * len(LEVELS) >= total


@every_task
@pytest.mark.parametrize("heuristic", [input_order, shuffled(random.Random(1))], ids=["input order", "any order"])
def test_traces_are_accepted_whatever_the_order_of_decisions(task, heuristic):
    for level, count in (("tiny", 60), ("small", 40), ("medium", 8)):
        for problem in some(task, level, count, seed=1):
            trace = search(task.csp(problem), heuristic=heuristic)
            check(task, problem, trace)
            assert trace.verdict is search(task.csp(problem)).verdict


# --- the solver ---


@every_task
def test_the_verdict_is_that_of_the_solver(task):
    for level, count in (("tiny", 60), ("small", 40), ("medium", 10), ("hard", 2)):
        for problem in some(task, level, count, seed=2):
            assert search(task.csp(problem)).verdict is task.solve(problem).verdict


def restricted(task, problem, rng):
    """A few assignments beside what is given, and the states in which they are decided and in which they just hold."""
    domains = task.domains(problem)
    root = tuple(Literal(variable, values[0]) for variable, values in domains.items() if len(values) == 1)
    free = [variable for variable, values in domains.items() if len(values) > 1]
    extra = [Literal(v, rng.choice(domains[v])) for v in rng.sample(free, min(len(free), rng.randint(1, 4)))]
    return extra, State((root, *((literal,) for literal in extra))), State(((*root, *extra),))


@every_task
def test_a_search_from_decisions_finds_the_verdict_of_the_whole_problem(task):
    """It undoes the decisions that it was given, one by one."""
    rng = random.Random(3)
    for level in ("tiny", "small"):
        for problem in some(task, level, 40, seed=3):
            _, decided, _ = restricted(task, problem, rng)
            trace = search(task.csp(problem), start=decided)
            assert trace.steps[0] == decided
            assert trace.verdict is task.solve(problem).verdict


@every_task
def test_a_search_from_assumptions_finds_the_verdict_under_them(task):
    """Asked of a search for a problem in which they are all that is left: the domains are cut down to them."""
    rng = random.Random(4)
    verdicts = set()
    for level in ("tiny", "small"):
        for problem in some(task, level, 40, seed=4):
            extra, _, assumed = restricted(task, problem, rng)
            verdict = search(task.csp(problem), start=assumed).verdict
            solution = task.solve(problem)
            fits = solution.verdict is Verdict.SAT and all(solution.assignment[x.variable] == x.value for x in extra)
            if fits or solution.verdict is Verdict.UNSAT or task.name == "sudoku":  # one solution, or none
                assert verdict is (Verdict.SAT if fits else Verdict.UNSAT)
            verdicts.add(verdict)
    assert verdicts == {Verdict.SAT, Verdict.UNSAT}


@every_task
def test_a_search_that_starts_where_it_would_have_started_is_accepted(task):
    for problem in some(task, "small", 20, seed=5):
        trace = search(task.csp(problem))
        again = search(task.csp(problem), start=trace.steps[0])
        assert again == trace
        check(task, problem, again)


@every_task
def test_a_search_from_any_of_its_own_states_goes_on_as_it_did(task):
    """The state line is all that the search knows: what the folded context builds on."""
    rng = random.Random(6)
    for level, count in (("tiny", 40), ("small", 30), ("medium", 10)):
        for problem in some(task, level, count, seed=6):
            steps = search(task.csp(problem)).steps
            places = [place for place, step in enumerate(steps) if isinstance(step, State)]
            for place in rng.sample(places, min(3, len(places))):
                again = search(task.csp(problem), start=steps[place])
                assert again.steps == steps[place:]
                check(task, problem, Trace(steps[:place] + again.steps))


@every_task
def test_every_step_from_a_foreign_state_is_right_once_that_state_is_believed(task):
    """The first line alone is at fault: no search from the beginning would write it."""
    rng = random.Random(7)
    for level in ("tiny", "small"):
        for problem in some(task, level, 30, seed=7):
            extra, decided, assumed = restricted(task, problem, rng)
            for start in (decided, assumed):
                judgements = review(task, problem, render(search(task.csp(problem), start=start))).judgements
                assert [judgement.fault for judgement in judgements[1:]] == [None] * (len(judgements) - 1), extra


# --- reading line by line ---


@every_task
def test_reading_line_by_line_is_reviewing(task):
    for problem in some(task, "small", 10, seed=8):
        text = render(search(task.csp(problem), heuristic=smallest_domain))
        checker = Checker(task, problem)
        judgements = tuple(checker.read(line) for line in text.splitlines())
        assert judgements == review(task, problem, text).judgements
