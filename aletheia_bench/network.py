"""A CSP in bits: sets of literals as ints, one bit a pair. Knows bounds and propagators, not search."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeGuard

from aletheia_plugins import CSP, Bounded, Constraint, Domains, Literal, Propagated, Propagator

__all__ = ["NEVER", "Network", "Row", "Rule", "bounded", "lowest", "network", "propagated"]

NEVER = -1
"""What a rule excludes that cannot hold: everything."""
REMEMBERED = 1 << 16
"""States of its own variables that a rule has an answer for at hand, at most."""


class Row(NamedTuple):
    """A bound's constraint, and the bits of its literals in the order in which the constraint lists them."""

    name: str
    order: Sequence[int]


class Rule:
    """A constraint with a propagator: which literals it excludes."""

    __slots__ = ("_known", "_pairs", "_propagate", "mask", "name", "order")

    def __init__(self, constraint: Propagated, domains: Domains, pairs: Mapping[int, tuple[str, str]]) -> None:
        """`pairs`: all literals of its variables, in its order, by their bits."""
        self.name, self.order = constraint.name, tuple(pairs)
        self._pairs, self.mask = pairs, sum(pairs)
        self._propagate = _propagator(constraint, tuple([domains[variable] for variable in constraint.variables]))
        self._known: dict[int, int] = {}

    def excluded(self, held: int) -> int:
        """The literals of its open variables that cannot hold beside what is held; NEVER if it cannot hold itself."""
        mine = held & self.mask
        found = self._known.get(mine)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[mine] = self._excluded(mine)
        return found

    def _excluded(self, held: int) -> int:
        assignment = dict([pair for bit, pair in self._pairs.items() if bit & held])
        left = self._propagate(assignment)
        if left is None:
            return NEVER
        gone = (bit for bit, (variable, value) in self._pairs.items() if value not in left[variable])
        return sum(gone) & ~held


@lru_cache(maxsize=1 << 10)
def _propagator(constraint: Propagated, domains: tuple[tuple[str, ...], ...]) -> Propagator:
    """Of tasks whose constraints are often the same: a predicate is asked about every choice of values."""
    return constraint.propagator(dict(zip(constraint.variables, domains, strict=True)))


@dataclass(frozen=True, slots=True)
class Network:
    """A CSP in bits."""

    literals: Sequence[Literal]
    excluded: Sequence[Literal]
    bit: Mapping[tuple[str, str], int]
    rows: Sequence[tuple[int, int, Row]]
    """(mask, limit, row): at most `limit` of the literals in `mask` may hold."""
    blocks: Sequence[int]
    """For each literal, the literals that cannot hold beside it: the rows of limit 1, when checking forward."""
    rules: Sequence[Rule] = ()
    """The constraints that are not bounds."""


def bounded(csp: CSP) -> tuple[Bounded, ...]:
    """Its constraints that are bounds."""
    return tuple(filter(_is_bounded, csp.constraints))


def _is_bounded(constraint: Constraint) -> TypeGuard[Bounded]:
    return hasattr(constraint, "bounds")


def propagated(csp: CSP) -> tuple[Propagated, ...]:
    """Its other constraints."""
    return tuple([constraint for constraint in csp.constraints if not hasattr(constraint, "bounds")])


def _network(
    variables: tuple[str, ...], values: tuple[str, ...], constraints: Iterable[Bounded], *, forward: bool
) -> Network:
    """The constraints over variables that could all take any of `values`; their domains are looked at elsewhere."""
    pairs, literals, excluded = _literals(variables, values)
    bit = {pair: 1 << index for index, pair in enumerate(pairs)}
    domains = dict.fromkeys(variables, values)
    blocks = [0] * len(pairs)
    rows = []
    for constraint in constraints:
        for bound in constraint.bounds(domains):
            order = [bit[pair] for pair in bound.pairs]
            mask = sum(order)
            if forward and bound.limit == 1:
                for one in order:
                    blocks[one.bit_length() - 1] |= mask ^ one
            else:
                rows.append((mask, bound.limit, Row(constraint.name, order)))
    return Network(literals, excluded, bit, rows, blocks)


_cached = lru_cache(maxsize=16)(_network)
"""Of tasks whose constraints are the same in each problem, as they are in Sudoku."""


def network(csp: CSP) -> Network:
    """The CSP's constraints in bits, over variables that could all take any of its values."""
    values = tuple(dict.fromkeys(chain.from_iterable(csp.domains.values())))
    forward = csp.propagation == "forward"
    bounds = bounded(csp)
    net = (_cached if forward else _network)(tuple(csp.domains), values, bounds, forward=forward)
    return net if len(bounds) == len(csp.constraints) else replace(net, rules=_rules(csp, values, net.bit))


def _rules(csp: CSP, values: Sequence[str], bit: Mapping[tuple[str, str], int]) -> list[Rule]:
    rules = []
    for constraint in propagated(csp):
        pairs = [(variable, value) for variable in constraint.variables for value in values]
        rules.append(Rule(constraint, csp.domains, {bit[pair]: pair for pair in pairs}))
    return rules


@lru_cache(maxsize=64)
def _literals(
    variables: tuple[str, ...], values: tuple[str, ...]
) -> tuple[list[tuple[str, str]], list[Literal], list[Literal]]:
    pairs = [(variable, value) for variable in variables for value in values]
    return pairs, [Literal(*pair) for pair in pairs], [Literal(*pair, equal=False) for pair in pairs]


def lowest(bits: int) -> int:
    """The place of the lowest bit."""
    return (bits & -bits).bit_length() - 1
