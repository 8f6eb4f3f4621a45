"""Random formulas in pairs: one satisfiable, one not, equal but for the sign of one literal.

Up to `TABLE` variables satisfiability is read off truth tables, held as integers with one bit per assignment: a few
operations on them tell for every clause what the other clauses still admit.
"""

import random
from collections.abc import Iterator
from functools import lru_cache, reduce
from itertools import accumulate, combinations, islice, product
from operator import and_, or_
from typing import Any

from aletheia_plugins import Split, belongs, generator
from aletheia_tasks._common import Levels
from aletheia_tasks.sat.canonical import canonical
from aletheia_tasks.sat.problem import Problem

__all__ = ["LEVELS", "problem"]

LEVELS = Levels("aletheia_tasks.sat")
TABLE = 15
TRIES = 4
"""How many flips of a formula are tried before another formula is drawn."""

Clauses = list[tuple[int, ...]]
Flip = tuple[int, tuple[int, ...]]
"""The place of a clause, and that clause with one literal complemented."""


def problem(level: str, split: Split, seed: int, index: int) -> Problem:
    return _pair(level, split, seed, index // 2)[index % 2]


@lru_cache(maxsize=64)
def _pair(level: str, split: Split, seed: int, number: int) -> tuple[Problem, Problem]:
    """Two neighbours that are both in `split`, in random order."""
    parameters = LEVELS.parameters(level)
    rng = generator("sat", LEVELS.version, level, split, seed, number)
    draw = _grown if "widths" in parameters else _threshold
    while True:
        variables = rng.randint(*parameters["variables"])
        clauses, flips = draw(rng, variables, parameters)
        pair = _first_in_split(Problem(variables, tuple(clauses)), flips, split)
        if pair:
            return pair if rng.random() < 0.5 else (pair[1], pair[0])


def _first_in_split(formula: Problem, flips: Iterator[Flip], split: Split) -> tuple[Problem, Problem] | None:
    first = next(flips, None)
    if first is None or not belongs(canonical(formula), split):
        return None
    for place, clause in (first, *islice(flips, TRIES - 1)):
        clauses = (*formula.clauses[:place], clause, *formula.clauses[place + 1 :])
        other = Problem(formula.variables, clauses)
        if belongs(canonical(other), split):
            return formula, other
    return None


def _grown(rng: random.Random, variables: int, parameters: dict[str, Any]) -> tuple[Clauses, Iterator[Flip]]:
    """Distinct clauses in random order, up to the one that makes them unsatisfiable."""
    most = int(parameters["ratio"] * variables + parameters["spare"])
    clauses = rng.sample(_all_clauses(variables, tuple(parameters["widths"])), most)
    truth = _truth(variables)
    tables = [reduce(or_, [truth[literal] for literal in clause]) for clause in clauses]
    prefixes = list(accumulate(tables, and_))
    if prefixes[-1]:
        return clauses, iter(())
    enough = prefixes.index(0) + 1
    order = rng.sample(range(enough), enough)
    clauses = [clauses[place] for place in order]
    return clauses, _flips(rng, variables, clauses, [tables[place] for place in order])


def _threshold(rng: random.Random, variables: int, parameters: dict[str, Any]) -> tuple[Clauses, Iterator[Flip]]:
    """Distinct clauses of three literals."""
    count = round(rng.uniform(*parameters["ratio"]) * variables)
    if variables > TABLE:
        clauses = _distinct_triples(rng, variables, count)
        return clauses, _critical_flips(rng, clauses)
    every = _all_clauses(variables, (3,))
    chosen: dict[int, None] = {}
    while len(chosen) < count:
        chosen[int(rng.random() * len(every))] = None
    clauses = [every[number] for number in chosen]
    truth = _truth(variables)
    return clauses, _flips(rng, variables, clauses, [truth[a] | truth[b] | truth[c] for a, b, c in clauses])


def _distinct_triples(rng: random.Random, variables: int, count: int) -> Clauses:
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < count:
        triple = sorted(rng.sample(range(1, variables + 1), 3))
        chosen[tuple(rng.choice((-variable, variable)) for variable in triple)] = None
    return list(chosen)


def _flips(rng: random.Random, variables: int, clauses: Clauses, tables: list[int]) -> Iterator[Flip]:
    """A few random ones of the flips that change satisfiability."""
    everything = (1 << (1 << variables)) - 1
    before = list(accumulate(tables, and_, initial=everything))
    after = list(accumulate(reversed(tables), and_, initial=everything))
    others = [one & other for one, other in zip(before, after[-2::-1], strict=False)]
    if before[-1]:
        found = _ruinous(variables, clauses, others, before[-1])
    else:
        # The models of the others falsify this clause, hence make true whatever literal of it is complemented.
        found = [flip for place, clause in enumerate(clauses) if others[place] for flip in _complements(place, clause)]
    known = set(clauses)
    found = [flip for flip in found if flip[1] not in known]
    return iter(rng.sample(found, min(len(found), TRIES)))


def _ruinous(variables: int, clauses: Clauses, others: list[int], models: int) -> list[Flip]:
    """The flips after which a formula that has `models` has none."""
    truth = _truth(variables)
    dead = {literal for literal in range(-variables, variables + 1) if not models & truth[literal]}
    return [
        (place, flipped)
        for place, clause in enumerate(clauses)
        if len(dead.intersection(clause)) == len(clause) - 1
        for place, flipped in _complements(place, clause)
        if dead.issuperset(flipped) and not any(others[place] & truth[literal] for literal in flipped)
    ]


def _critical_flips(rng: random.Random, clauses: Clauses) -> Iterator[Flip]:
    """Flips that make an unsatisfiable formula satisfiable; none if it is satisfiable.

    Which come, and in what order, depends on verdicts only and not on the solver's choices: a clause outside some
    unsatisfiable core is not critical, so that skipping it changes nothing.
    """
    from pysat.solvers import Glucose4

    known = set(clauses)
    selectors = range(len(clauses) + 51, 2 * len(clauses) + 51)
    with Glucose4(bootstrap_with=[[*c, -s] for c, s in zip(clauses, selectors, strict=True)]) as solver:
        if solver.solve(assumptions=list(selectors)):
            return
        core = set(solver.get_core() or ())
        for place in rng.sample(range(len(clauses)), len(clauses)):
            if selectors[place] not in core:
                continue
            if not solver.solve(assumptions=[s for s in selectors if s != selectors[place]]):
                core &= set(solver.get_core() or ())
                continue
            found = _complements(place, clauses[place])
            rng.shuffle(found)
            yield from (flip for flip in found if flip[1] not in known)


def _complements(place: int, clause: tuple[int, ...]) -> list[Flip]:
    return [(place, (*clause[:i], -literal, *clause[i + 1 :])) for i, literal in enumerate(clause)]


@lru_cache(maxsize=TABLE)
def _truth(variables: int) -> list[int]:
    """Literal → the assignments that make it true, one bit each. The place of -v is found from the end."""
    everything = (1 << (1 << variables)) - 1
    true = []
    for variable in range(variables):
        half = 1 << variable
        true.append(everything // ((1 << 2 * half) - 1) * (((1 << half) - 1) << half))
    return [0, *true, *(everything ^ table for table in reversed(true))]


@lru_cache(maxsize=TABLE)
def _all_clauses(variables: int, widths: tuple[int, ...]) -> Clauses:
    """All clauses of so many different variables."""
    return [
        tuple(sign * variable for sign, variable in zip(signs, chosen, strict=True))
        for width in widths
        for chosen in combinations(range(1, variables + 1), width)
        for signs in product((-1, 1), repeat=width)
    ]
