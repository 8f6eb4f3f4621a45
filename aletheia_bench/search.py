"""Complete chronological backtracking over any CSP, written down step by step.

Knows bounds and bits, not tasks or text. A set of literals is an int, one bit a (variable, value) pair, so that a
look at a constraint is one `&` and one `bit_count`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aletheia_plugins import (
    CSP,
    Answer,
    Backtrack,
    Conflict,
    Constraint,
    Decide,
    Domains,
    Imply,
    Literal,
    State,
    Step,
    Trace,
    Verdict,
)

__all__ = ["Heuristic", "input_order", "search", "smallest_domain"]

Heuristic = Callable[[Mapping[str, Sequence[str]]], tuple[str, str]]
"""From the open variables with their remaining values, the decision to take."""


def smallest_domain(choices: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """The first variable with fewest values left, at the first of them (the rule of Haralick and Elliott, 1980)."""
    variable = min(choices, key=lambda v: len(choices[v]))
    return variable, choices[variable][0]


def input_order(choices: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """The first open variable at its first value."""
    variable = next(iter(choices))
    return variable, choices[variable][0]


def search(
    csp: CSP, *, start: State | None = None, heuristic: Heuristic = smallest_domain, max_steps: int = 100_000
) -> Trace:
    """The trace of the whole search from `start` (default: what is given), cut off after `max_steps`."""
    steps: list[Step] = []
    for step in _Search(csp, heuristic).run(start):
        steps.append(step)
        if len(steps) >= max_steps:
            break
    return Trace(tuple(steps))


@dataclass(frozen=True, slots=True)
class _Row:
    """At most `limit` of the literals in `mask` may hold; `order` has their bits as the constraint lists them."""

    mask: int
    limit: int
    name: str
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Network:
    """A CSP in bits."""

    literals: tuple[Literal, ...]
    excluded: tuple[Literal, ...]
    bit: Mapping[tuple[str, str], int]
    rows: tuple[_Row, ...]
    blocks: tuple[int, ...]
    """For each literal, the literals that cannot hold beside it: the rows of limit 1, when checking forward."""


@lru_cache(maxsize=64)
def _pairs(variables: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[Literal, ...], tuple[Literal, ...]]:
    pairs = [(variable, value) for variable, values in variables for value in values]
    return tuple(Literal(*pair) for pair in pairs), tuple(Literal(*pair, equal=False) for pair in pairs)


def _network(domains: Domains, constraints: Sequence[Constraint], *, forward: bool) -> _Network:
    literals, excluded = _pairs(tuple(domains.items()))
    bit = {(lit.variable, lit.value): 1 << index for index, lit in enumerate(literals)}
    blocks = [0] * len(literals)
    rows = []
    for constraint in constraints:
        for bound in constraint.bounds(domains):
            order = tuple([bit[pair] for pair in bound.pairs])
            mask = sum(order)
            if forward and bound.limit == 1:
                for one in order:
                    blocks[one.bit_length() - 1] |= mask ^ one
            else:
                rows.append(_Row(mask, bound.limit, constraint.name, order))
    return _Network(literals, excluded, bit, tuple(rows), tuple(blocks))


class _Search:
    """The state of one search, as sets of literals.

    `held`: true; `refuted`: excluded by a backtrack; `blocked`: excluded by what is held; `open`: of unassigned
    variables; `left`: of those, the ones that propagation allows.
    """

    def __init__(self, csp: CSP, heuristic: Heuristic) -> None:
        self.csp, self.heuristic = csp, heuristic
        forward = csp.propagation == "forward"
        self.net = _network(csp.domains, csp.constraints, forward=forward)
        self.look = self._forward if forward else self._unit
        self.domain = {v: sum([self.net.bit[v, value] for value in values]) for v, values in csp.domains.items()}
        if not forward and any(len(values) > 2 for values in csp.domains.values()):
            raise ValueError("unit propagation needs variables of at most two values; use propagation='forward'")
        self.levels: list[list[Literal]] = [[]]
        self.held = self.refuted = self.blocked = 0
        self.open = self.left = (1 << len(self.net.literals)) - 1
        self.saved: list[tuple[int, int, int, int]] = []

    def run(self, start: State | None) -> Iterator[Step]:
        self._adopt(start or given(self.csp.domains))
        yield self._state()
        while True:
            step = self.look()
            if step is None:
                step = self._choose() if self.open else self._answer()
            yield step
            match step:
                case Decide(literal):
                    self._decide(literal)
                case Imply(literal=literal):
                    self._assign(literal)
                case Answer():
                    return
                case _:
                    yield from self._retreat()
                    if len(self.levels) == len(self.saved) == 0:
                        return

    # --- looking for what follows ---

    def _unit(self) -> Step | None:
        """The first falsified row, else the first that leaves one literal no choice."""
        held, open_, unit = self.held, self.open, None
        self.left = open_
        for row in self.net.rows:
            mask = row.mask
            count = (mask & held).bit_count()
            if count >= row.limit:
                if count > row.limit:
                    return Conflict(row.name, self._cited(row))
                if unit is None and mask & open_:
                    unit = row
        if unit is None:
            return None
        barred = self.net.literals[(unit.mask & open_).bit_length() - 1]
        value = next((v for v in self.csp.domains[barred.variable] if v != barred.value), None)
        if value is None:
            return Conflict(barred.variable, self._cited(unit))
        return Imply(unit.name, self._cited(unit), self._literal(barred.variable, value))

    def _forward(self) -> Step | None:
        """The first row or variable that cannot be satisfied, else the first variable with one value left."""
        gone, single = self._gone(), None
        if isinstance(gone, Conflict):
            return gone
        self.left = self.open & ~gone
        for variable, domain in self.domain.items():
            if domain & self.open:
                values = self.left & domain
                if not values:
                    return Conflict(variable, self._reasons(variable, 0))
                if single is None and not values & (values - 1):
                    single = variable, values
        if single is None:
            return None
        variable, values = single
        return Imply(variable, self._reasons(variable, values), self.net.literals[values.bit_length() - 1])

    def _gone(self) -> int | Conflict:
        """The literals that can no longer hold, or the constraint that what is held already falsifies."""
        gone = self.blocked | self.refuted
        if gone & self.held:
            return self._clash(gone & self.held)
        for row in self.net.rows:
            count = (row.mask & self.held).bit_count()
            if count > row.limit:
                return Conflict(row.name, self._cited(row))
            if count == row.limit:
                gone |= row.mask & ~self.held
        return gone

    def _clash(self, wrong: int) -> Conflict:
        """Only a start state that no search reaches has two held literals that exclude each other."""
        lit = self.net.literals[_lowest(wrong)]
        if self.net.blocks[_lowest(wrong)] & self.held == 0:
            return Conflict(lit.variable, self._reasons(lit.variable, 0))
        for constraint in self.csp.constraints:
            for bound in constraint.bounds(self.csp.domains):
                both = [pair for pair in bound.pairs if self.net.bit[pair] & self.held]
                if len(both) > bound.limit and (lit.variable, lit.value) in both:
                    return Conflict(constraint.name, tuple(self._literal(*pair) for pair in both))
        raise AssertionError("a blocked literal has a constraint that blocks it")

    def _reasons(self, variable: str, keep: int) -> tuple[Literal, ...]:
        """What excludes each value of the variable but the one in `keep`."""
        reasons: dict[Literal, None] = {}
        for value in self.csp.domains[variable]:
            bit = self.net.bit[variable, value]
            if bit != keep:
                reasons.update(dict.fromkeys(self._why(bit)))
        return tuple(reasons)

    def _why(self, bit: int) -> tuple[Literal, ...]:
        index = bit.bit_length() - 1
        if self.refuted & bit:
            return (self.net.excluded[index],)
        if blocker := self.net.blocks[index] & self.held:
            return (self.net.literals[_lowest(blocker)],)
        row = next(r for r in self.net.rows if r.mask & bit and (r.mask & self.held).bit_count() >= r.limit)
        return self._cited(row)

    def _cited(self, row: _Row) -> tuple[Literal, ...]:
        return tuple([self.net.literals[bit.bit_length() - 1] for bit in row.order if bit & self.held])

    # --- moving ---

    def _choose(self) -> Decide:
        choices = {}
        for variable, values in self.csp.domains.items():
            if self.domain[variable] & self.left:
                choices[variable] = [value for value in values if self.net.bit[variable, value] & self.left]
        return Decide(self._literal(*self.heuristic(choices)))

    def _decide(self, literal: Literal) -> None:
        self.saved.append((self.held, self.refuted, self.blocked, self.open))
        self.levels.append([])
        self._assign(literal)

    def _assign(self, literal: Literal) -> None:
        bit = self.net.bit[literal.variable, literal.value]
        self.levels[-1].append(literal)
        self.held |= bit
        self.blocked |= self.net.blocks[bit.bit_length() - 1]
        self.open &= ~self.domain[literal.variable]

    def _retreat(self) -> Iterator[Step]:
        """Undo the latest decision and exclude its value; the problem is refuted if there is none."""
        if len(self.levels) == 1:
            yield Answer(Verdict.UNSAT)
            self.levels = []
            return
        decision = self.levels.pop()[0]
        self.held, self.refuted, self.blocked, self.open = self.saved.pop()
        yield Backtrack(decision.variable)
        self._refute(decision)
        yield self._state()

    def _refute(self, decision: Literal) -> None:
        """Exclude the value, or, if that leaves one value only, take that."""
        bit = self.net.bit[decision.variable, decision.value]
        self.refuted |= bit
        left = self.domain[decision.variable] & ~self.refuted
        if left and not left & (left - 1):
            self._assign(self.net.literals[left.bit_length() - 1])
        else:
            self.levels[-1].append(self.net.excluded[bit.bit_length() - 1])

    def _adopt(self, state: State) -> None:
        for depth, level in enumerate(state.levels):
            if depth:
                self.saved.append((self.held, self.refuted, self.blocked, self.open))
                self.levels.append([])
            for lit in level:
                if lit.equal:
                    self._assign(lit)
                else:
                    self.refuted |= self.net.bit[lit.variable, lit.value]
                    self.levels[-1].append(lit)

    def _state(self) -> State:
        return State(tuple(map(tuple, self.levels)))

    def _answer(self) -> Answer:
        values = {lit.variable: lit for level in self.levels for lit in level if lit.equal}
        return Answer(Verdict.SAT, tuple(values[variable] for variable in self.csp.domains))

    def _literal(self, variable: str, value: str) -> Literal:
        return self.net.literals[self.net.bit[variable, value].bit_length() - 1]


def given(domains: Domains) -> State:
    """The state before the first step: the variables that have one value only."""
    return State((tuple(Literal(variable, values[0]) for variable, values in domains.items() if len(values) == 1),))


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
