"""What the constraints of a CSP mean, by trying: whether values are left that let them hold, and how many solutions.

Knows bounds and propagators, and neither the task's `falsified` nor the search.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aletheia_bench.network import bounded, propagated
from aletheia_plugins import CSP, Assignment, AtMost, Domains, Propagator

__all__ = ["Meaning", "Outline", "TooMany", "alike", "meanings", "outline"]

MOST = 3_000
"""Assignments that are tried for one constraint."""
WHOLE = 4_000
"""And for a whole problem."""

Pair = tuple[str, str]
Outline = tuple[int, int, int | None]
"""Variables, different bounds and other constraints, and solutions, None if there is too much to try."""


class TooMany(Exception):
    """There is more to try than is worth it."""


class Tally:
    """How many pairs of each bound hold, while an assignment grows and shrinks."""

    def __init__(self, bounds: Sequence[AtMost], most: int) -> None:
        self.left = [bound.limit for bound in bounds]
        self.touched: Mapping[Pair, list[int]] = defaultdict(list)
        for number, bound in enumerate(bounds):
            for pair in bound.pairs:
                self.touched[pair].append(number)
        self.exceeded = sum(limit < 0 for limit in self.left)
        self.most = most

    def add(self, pair: Pair) -> None:
        for number in self.touched.get(pair, ()):
            self.left[number] -= 1
            self.exceeded += self.left[number] == -1

    def remove(self, pair: Pair) -> None:
        for number in self.touched.get(pair, ()):
            self.exceeded -= self.left[number] == -1
            self.left[number] += 1

    def completions(self, open_: Sequence[str], domains: Domains) -> Iterator[tuple[Pair, ...]]:
        """All ways to give the open variables values that exceed no bound. Raises TooMany."""
        if self.exceeded:
            return
        if not open_:
            yield ()
            return
        for value in domains[open_[0]]:
            self.most -= 1
            if self.most < 0:
                raise TooMany
            pair = (open_[0], value)
            self.add(pair)
            try:
                for rest in self.completions(open_[1:], domains):
                    yield (pair, *rest)
            finally:
                self.remove(pair)


@dataclass(frozen=True, slots=True)
class Meaning:
    """A constraint, as the bounds of the CSP have it."""

    name: str
    bounds: tuple[AtMost, ...]
    scope: tuple[str, ...]
    propagate: Propagator | None = None
    """What it says instead of bounds."""

    def exceeded(self, assignment: Assignment) -> bool:
        if self.propagate:
            return self.propagate(self._held(assignment)) is None
        return any(sum(assignment.get(v) == x for v, x in bound.pairs) > bound.limit for bound in self.bounds)

    def _held(self, assignment: Assignment) -> dict[str, str]:
        return {variable: assignment[variable] for variable in self.scope if variable in assignment}

    def completion(self, assignment: Assignment, domains: Domains) -> dict[str, str] | None:
        """Values with which it holds, of all its variables, or None. Raises TooMany."""
        held = self._held(assignment)
        if self.propagate:
            for variable in self.scope:
                left = self.propagate(held)
                if left is None:
                    return None
                held.setdefault(variable, next(iter(left[variable]), ""))
            return held if self.propagate(held) is not None else None
        tally = Tally(self.bounds, MOST)
        for pair in held.items():
            tally.add(pair)
        found = next(tally.completions([v for v in self.scope if v not in held], domains), None)
        return None if found is None else held | dict(found)


def meanings(csp: CSP) -> list[Meaning]:
    found = []
    for constraint in bounded(csp):
        bounds = tuple(constraint.bounds(csp.domains))
        scope = tuple(dict.fromkeys(variable for bound in bounds for variable, _ in bound.pairs))
        found.append(Meaning(constraint.name, bounds, scope))
    for other in propagated(csp):
        found.append(Meaning(other.name, (), other.variables, other.propagator(csp.domains)))  # noqa: PERF401
    return found


def outline(csp: CSP) -> Outline:
    """What disguises have in common."""
    bounds = [bound for constraint in bounded(csp) for bound in constraint.bounds(csp.domains)]
    different = {(bound.limit, frozenset(bound.pairs)) for bound in bounds if bound.limit < len(bound.pairs)}
    others = [meaning for meaning in meanings(csp) if meaning.propagate]
    count = len(different) + len(others)
    try:
        every = Tally(bounds, WHOLE).completions(list(csp.domains), csp.domains)
        solutions = sum(not any(other.exceeded(dict(found)) for other in others) for found in every)
    except TooMany:
        return len(csp.domains), count, None
    return len(csp.domains), count, solutions


def alike(one: Outline, other: Outline) -> bool:
    """Whether they are equal, as far as is known."""
    return one[:2] == other[:2] and (None in (one[2], other[2]) or one[2] == other[2])
