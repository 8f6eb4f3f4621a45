"""The kinds of constraints that a task can declare. Knows domains and assignments, not search.

Clause, AllDifferent and NotEqual are bounds, and the fastest. Linear, Table and Predicate bring a propagator, which is
exact: a value that it leaves is part of some choice of values that satisfies the constraint.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod
from typing import Literal as OneOf

from aletheia_plugins.values import Assignment, AtMost, Domains, Propagator

__all__ = ["AllDifferent", "Clause", "Linear", "NotEqual", "Predicate", "Table"]

CHOICES = 200_000
"""Choices of values that a predicate is asked about, at most."""
SPAN = 1 << 24
"""Different sums that a linear equation looks at, at most: a bit each."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Not all of `falsifiers` hold: each is the pair that makes one literal of the clause false."""

    name: str
    falsifiers: tuple[tuple[str, str], ...]

    def bounds(self, domains: Domains) -> Iterator[AtMost]:
        yield AtMost(len(self.falsifiers) - 1, self.falsifiers)


@dataclass(frozen=True, slots=True)
class AllDifferent:
    """No two of `variables` take the same value."""

    name: str
    variables: tuple[str, ...]

    def bounds(self, domains: Domains) -> Iterator[AtMost]:
        for value in sorted({value for variable in self.variables for value in domains[variable]}):
            yield AtMost(1, tuple((v, value) for v in self.variables if value in domains[v]))


@dataclass(frozen=True, slots=True)
class NotEqual:
    """`left` and `right` take different values."""

    name: str
    left: str
    right: str

    def bounds(self, domains: Domains) -> Iterator[AtMost]:
        return AllDifferent(self.name, (self.left, self.right)).bounds(domains)


@dataclass(frozen=True, slots=True)
class Linear:
    """The sum of each factor times the value of its variable is at most, exactly, or at least `total`.

    Values are whole numbers. An equation also excludes values that leave no way to hit the total exactly.
    """

    name: str
    terms: tuple[tuple[int, str], ...]
    relation: OneOf["<=", "=", ">="]
    total: int

    def __post_init__(self) -> None:
        _check_names(self.name, self.variables)
        if self.relation not in ("<=", "=", ">="):
            raise ValueError(f"{self.name}: the relation is <=, = or >=, not {self.relation!r}")

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple([variable for _, variable in self.terms])

    def propagator(self, domains: Domains) -> Propagator:
        sign = -1 if self.relation == ">=" else 1
        parts: dict[str, dict[str, int]] = {}
        """What each value adds to the sum, over the least that its variable can add; `spare` is the total over that."""
        spare = sign * self.total
        for factor, variable in self.terms:
            added = {value: sign * factor * self._number(variable, value) for value in domains[variable]}
            least = min(added.values(), default=0)
            spare -= least
            parts[variable] = {value: much - least for value, much in added.items()}
        return self._exactly(parts, spare) if self.relation == "=" else _at_most(parts, spare)

    def _number(self, variable: str, value: str) -> int:
        try:
            return int(value)
        except ValueError as error:
            message = f"{self.name}: a sum needs whole numbers as values, and {variable} can be {value!r}"
            raise ValueError(message) from error

    def _exactly(self, parts: Mapping[str, Mapping[str, int]], spare: int) -> Propagator:
        """Sums as bits of a number: which the variables before one can reach, and which those behind it can add to."""
        if spare > sum(max(added.values(), default=0) for added in parts.values()):
            spare = -1  # out of reach
        if spare >= SPAN:
            raise ValueError(f"{self.name}: a sum may span {SPAN:,} numbers, not {spare:,}; use smaller factors")
        within = (1 << max(spare + 1, 0)) - 1

        def propagate(held: Assignment) -> dict[str, list[str]] | None:
            left = {variable: _left(added, held.get(variable)) for variable, added in parts.items()}
            choices = list(left.values())
            before = list(accumulate(choices, lambda sums, added: _shifted(sums, added.values()) & within, initial=1))
            if spare < 0 or not before[-1] >> spare & 1:
                return None
            behind = list(accumulate(reversed(choices), _wanted, initial=1 << spare))[-2::-1]
            return {
                variable: [value for value, much in added.items() if reached << much & wanted]
                for (variable, added), reached, wanted in zip(left.items(), before, behind, strict=False)
            }

        return propagate


@dataclass(frozen=True, slots=True)
class Table:
    """`variables` take, in their order, one of the `allowed` tuples of values."""

    name: str
    variables: tuple[str, ...]
    allowed: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        _check_names(self.name, self.variables)
        for row in self.allowed:
            if len(row) != len(self.variables):
                raise ValueError(f"{self.name}: {len(self.variables)} variables cannot take the values {row!r}")

    def propagator(self, domains: Domains) -> Propagator:
        return _tabled([(variable, domains[variable]) for variable in self.variables], self.allowed)


@dataclass(frozen=True, slots=True)
class Predicate:
    """`test` is true of the values of `variables`: a function of so many strings, called once for each choice of them.

    For a few variables: all choices of their values are tried. Two predicates are equal if their functions are the
    same one, so give functions of a module and keep those that you make.
    """

    name: str
    variables: tuple[str, ...]
    test: Callable[..., bool]

    def __post_init__(self) -> None:
        _check_names(self.name, self.variables)

    def propagator(self, domains: Domains) -> Propagator:
        choices = [(variable, domains[variable]) for variable in self.variables]
        count = prod(len(values) for _, values in choices)
        if count > CHOICES:
            raise ValueError(
                f"{self.name}: a predicate is tried on every choice of values, and {count:,} are more than "
                f"{CHOICES:,}; split it, or give it fewer variables"
            )
        every = product(*(values for _, values in choices))
        return _tabled(choices, [values for values in every if self.test(*values)])


def _check_names(name: str, variables: Sequence[str]) -> None:
    for variable in variables:
        if variables.count(variable) > 1:
            raise ValueError(f"{name}: the variable {variable} is named twice; name it once")


def _at_most(parts: Mapping[str, Mapping[str, int]], spare: int) -> Propagator:
    """Each part is 0 at least: what the held ones leave to spare is for any one of the others."""

    def propagate(held: Assignment) -> dict[str, list[str]] | None:
        left = {variable: _left(added, held.get(variable)) for variable, added in parts.items()}
        if not all(left.values()):
            return None
        rest = spare - sum(min(added.values()) for added in left.values())
        if rest < 0:
            return None
        return {
            variable: [value for value, much in added.items() if much - min(added.values()) <= rest]
            for variable, added in left.items()
        }

    return propagate


def _left(added: Mapping[str, int], value: str | None) -> Mapping[str, int]:
    """The values that are possible, with what they add: one if it is known, and none if that is not in the domain."""
    if value is None:
        return added
    return {value: added[value]} if value in added else {}


def _shifted(sums: int, added: Iterable[int]) -> int:
    """The sums that are reached with one more variable."""
    found = 0
    for much in added:
        found |= sums << much
    return found


def _wanted(sums: int, added: Mapping[str, int]) -> int:
    """The sums from which one more variable reaches these."""
    found = 0
    for much in added.values():
        found |= sums >> much
    return found


def _tabled(choices: Sequence[tuple[str, Sequence[str]]], allowed: Iterable[tuple[str, ...]]) -> Propagator:
    """A bit for each tuple, as in compact tables (Demeulenaere et al., CP 2016), for variables with these values."""
    having: list[dict[str, int]] = [dict.fromkeys(values, 0) for _, values in choices]
    every = 0
    for row in dict.fromkeys(allowed):
        if all(value in masks for value, masks in zip(row, having, strict=True)):
            bit = every + 1
            every |= bit
            for value, masks in zip(row, having, strict=True):
                masks[value] |= bit

    def propagate(held: Assignment) -> dict[str, list[str]] | None:
        live = every
        for (variable, _), masks in zip(choices, having, strict=True):
            if variable in held:
                live &= masks.get(held[variable], 0)
        if not live:
            return None
        return {
            variable: [value for value, mask in masks.items() if mask & live]
            for (variable, _), masks in zip(choices, having, strict=True)
        }

    return propagate
