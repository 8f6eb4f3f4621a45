"""A CSP in bits: sets of literals as ints, one bit a (variable, value) pair. Knows bounds, not search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from aletheia_plugins import CSP, Constraint, Literal

__all__ = ["Network", "Row", "lowest", "network"]


class Row(NamedTuple):
    """A bound's constraint, and the bits of its literals in the order in which the constraint lists them."""

    name: str
    order: Sequence[int]


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


def _network(
    variables: tuple[str, ...], values: tuple[str, ...], constraints: tuple[Constraint, ...], *, forward: bool
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
    return (_cached if forward else _network)(tuple(csp.domains), values, csp.constraints, forward=forward)


@lru_cache(maxsize=64)
def _literals(
    variables: tuple[str, ...], values: tuple[str, ...]
) -> tuple[list[tuple[str, str]], list[Literal], list[Literal]]:
    pairs = [(variable, value) for variable in variables for value in values]
    return pairs, [Literal(*pair) for pair in pairs], [Literal(*pair, equal=False) for pair in pairs]


def lowest(bits: int) -> int:
    """The place of the lowest bit."""
    return (bits & -bits).bit_length() - 1
