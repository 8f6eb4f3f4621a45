"""Complete chronological backtracking over any CSP, written down step by step.

Knows bits, not tasks or text: a look at a bound is one `&` and one `bit_count`, at another constraint one look-up.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import TypeVar

from aletheia_bench.network import NEVER, Row, Rule, lowest, network
from aletheia_plugins import (
    CSP,
    Answer,
    Backtrack,
    Conflict,
    Decide,
    Domains,
    Imply,
    Literal,
    State,
    Step,
    Trace,
    Verdict,
)

__all__ = ["Heuristic", "given", "input_order", "outlook", "retreat", "search", "smallest_domain"]

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
    csp: CSP,
    *,
    start: State | None = None,
    heuristic: Heuristic = smallest_domain,
    rng: Random | None = None,
    max_steps: int = 100_000,
) -> Trace:
    """The trace of the whole search from `start` (default: what is given), cut off after `max_steps`.

    What a level of `start` holds behind its decision is believed to follow from that.
    Where several conflicts, implications or reasons are equally good, the first is taken; with `rng`, any of them.
    Decisions are the heuristic's.
    """
    steps: list[Step] = []
    for step in _Search(csp, heuristic, rng).run(start):
        steps.append(step)
        if len(steps) >= max_steps:
            break
    return Trace(tuple(steps))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a state makes of a variable or a constraint, in words with a space before each literal.

    `kind`: of the step that would name it: "conflict", "imply", or "decide" where there is nothing to say. A variable
    with a value says its literal instead, unless that excludes another value that holds: then both are in conflict. A
    bound that can no longer be exceeded says a literal that sees to that; when checking forward, bounds of one literal
    are left to their variables.
    `reasons`: of a variable, for each value what excludes it, or the literal itself if nothing does; of a bound, for
    each of its variables the literal that holds, or the one that would keep the bound.
    `step`: what would follow the name in the step.
    """

    kind: str
    reasons: tuple[str, ...] = ()
    step: tuple[str, ...] = ()


def outlook(csp: CSP, state: State, rng: Random | None = None) -> dict[str, Outlook]:
    """What a state makes of each variable and constraint; with `rng`, any of several reasons."""
    return _Search(csp, smallest_domain, rng).outlook(state)


def retreat(csp: CSP, state: State) -> tuple[Step, ...]:
    """A backtrack from a state, and the state after it; nothing where there is no decision to undo."""
    found = _Search(csp, smallest_domain)
    found.adopt(state)
    return tuple(found.retreat()) if len(state.levels) > 1 else ()


class _Search:
    """The state of one search, as sets of literals.

    `held`: true; `refuted`: excluded by a backtrack; `blocked`: excluded by what is held; `open`: of unassigned
    variables; `left`: of those, the ones that propagation allows.
    """

    def __init__(self, csp: CSP, heuristic: Heuristic, rng: Random | None = None) -> None:
        self.csp, self.heuristic, self.rng = csp, heuristic, rng
        forward = csp.propagation == "forward"
        self.net = network(csp)
        self.look = self._forward if forward else self._unit
        self.rows = shuffled(self.net.rows, rng)
        """In the order in which they are looked at, as are the rules, and the variables in `domain`."""
        self.rules = shuffled(self.net.rules, rng) if self.net.rules else ()
        self.domain = {v: sum([self.net.bit[v, value] for value in csp.domains[v]]) for v in shuffled(csp.domains, rng)}
        if not forward and any(len(values) > 2 for values in csp.domains.values()):
            raise ValueError("unit propagation needs variables of at most two values; use propagation='forward'")
        self.levels: list[list[Literal]] = [[]]
        self.held = self.refuted = self.blocked = 0
        self.open = self.left = sum(self.domain.values())
        self.saved: list[tuple[int, int, int, int]] = []

    def run(self, start: State | None) -> Iterator[Step]:
        self.adopt(start or given(self.csp.domains))
        yield self._state()
        while True:
            step = self.look()
            if step is None:
                step = self._choose() if self.open else self._answer()
            yield step
            if isinstance(step, Imply):
                self._assign(step.literal)
            elif isinstance(step, Decide):
                self._decide(step.literal)
            elif isinstance(step, Conflict) and len(self.levels) > 1:
                yield from self.retreat()
            else:
                break
        if isinstance(step, Conflict):
            yield Answer(Verdict.UNSAT)

    def outlook(self, state: State) -> dict[str, Outlook]:
        self.adopt(state)
        said: dict[str, Outlook] = {}
        for mask, limit, row in self.net.rows:
            found = self._of_row(mask, limit, row)
            said[row.name] = min(said.get(row.name, found), found, key=_urgency)
        said.update({rule.name: self._of_rule(rule) for rule in self.net.rules})
        if self.csp.propagation == "forward":
            gone = self._gone()
            left = self.open & ~(self.blocked | self.refuted if isinstance(gone, Conflict) else gone)
            said.update({v: self._of_variable(v, left & mask) for v, mask in self.domain.items() if mask & self.open})
        else:
            said.update(dict.fromkeys(self.domain, Outlook("decide")))
        for lit in (lit for level in self.levels for lit in level if lit.equal):
            clashes = self.net.bit[lit.variable, lit.value] & self.blocked
            said[lit.variable] = self._of_variable(lit.variable, 0) if clashes else Outlook(f" {lit}")
        return said

    def _of_variable(self, variable: str, left: int) -> Outlook:
        bits = [self.net.bit[variable, value] for value in self.csp.domains[variable]]
        why = [(self.net.literals[bit.bit_length() - 1],) if bit & left else self._why(bit) for bit in bits]
        reasons = tuple([f" {next(iter(w), self.net.excluded[lowest(bit)])}" for w, bit in zip(why, bits, strict=True)])
        if left & (left - 1):
            return Outlook("decide", reasons)
        cites = dict.fromkeys(chain.from_iterable(w for w, bit in zip(why, bits, strict=True) if bit != left))
        return self._outlook(reasons, tuple(cites), left)

    def _of_row(self, mask: int, limit: int, row: Row) -> Outlook:
        """The bound is exceeded, it leaves its last literal no choice, it cannot be exceeded, or none of these."""
        reasons = tuple([f" {self._holds(bit)}" for bit in row.order])
        count = (mask & self.held).bit_count()
        gone = mask & ~self.held & ~self.open
        if count > limit:
            return self._outlook(reasons, self._cited(row), 0)
        if gone and (mask ^ gone).bit_count() <= limit:
            return Outlook(f" {self._holds(gone & -gone)}", reasons)
        last = mask & self.open if count == limit and self.csp.propagation == "unit" else 0
        return self._outlook(reasons, self._cited(row), self._others(last)) if last else Outlook("decide", reasons)

    def _of_rule(self, rule: Rule) -> Outlook:
        """The rule cannot hold, it excludes a value of two, or neither; of the last it says no more."""
        gone, cites = rule.excluded(self.held), self._cited(rule)
        reasons = tuple([f" {lit}" for lit in cites])
        if gone == NEVER:
            return self._outlook(reasons, cites, 0)
        last = gone & self.open if self.csp.propagation == "unit" else 0
        return self._outlook(reasons, cites, self._others(last & -last)) if last else Outlook("decide")

    def _outlook(self, reasons: tuple[str, ...], cites: Sequence[Literal], implied: int) -> Outlook:
        """An implication, or, of nothing, a conflict."""
        follows = [self.net.literals[lowest(implied)]] if implied else []
        return Outlook("imply" if implied else "conflict", reasons, tuple([f" {lit}" for lit in (*cites, *follows)]))

    def _holds(self, bit: int) -> Literal:
        """What the variable of this literal is, or, if it has no value, what it would have to be for it not to hold."""
        place = bit.bit_length() - 1
        known = self.domain[self.net.literals[place].variable] & self.held or self._others(bit)
        return self.net.excluded[place] if not known or known & (known - 1) else self.net.literals[lowest(known)]

    def _others(self, bit: int) -> int:
        """The other literals of its variable."""
        return self.domain[self.net.literals[lowest(bit)].variable] & ~bit

    def _unit(self) -> Step | None:
        """The first falsified row, else the first that leaves one literal no choice."""
        held, open_ = self.held, self.open
        unit: tuple[Row | Rule, int] | None = None
        self.left = open_ & ~self.refuted
        for mask, limit, row in self.rows:
            count = (mask & held).bit_count()
            if count >= limit:
                if count > limit:
                    return Conflict(row.name, self._cited(row))
                if unit is None and mask & open_:
                    unit = row, mask & open_
        for rule in self.rules:
            gone = rule.excluded(held)
            if gone == NEVER:
                return Conflict(rule.name, self._cited(rule))
            if unit is None and gone & open_:
                unit = rule, gone & open_
        if unit is None:
            return self._exhausted()
        found, last = unit
        barred = self.net.literals[last.bit_length() - 1]
        other = self.domain[barred.variable] & ~last & ~self.refuted
        if not other:
            return Conflict(barred.variable, self._reasons(barred.variable, 0))
        return Imply(found.name, self._cited(found), self.net.literals[other.bit_length() - 1])

    def _exhausted(self) -> Conflict | None:
        """A variable without values: the CSP gives it none, or the start excludes them."""
        for variable, domain in self.domain.items():
            if not domain or (domain & self.open and not domain & self.left):
                return Conflict(variable, self._reasons(variable, 0))
        return None

    def _forward(self) -> Step | None:
        """The first row or variable that cannot be satisfied, else the first variable with one value left."""
        gone, single = self._gone(), None
        if isinstance(gone, Conflict):
            return gone
        self.left = self.open & ~gone
        for variable, domain in self.domain.items():
            if domain & self.open or not domain:
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
        """The literals that can no longer hold, or a conflict in what is held already.

        Of two values that exclude each other, the one that was not given: what is given may have no name in a problem.
        """
        gone = self.blocked | self.refuted
        if wrong := gone & self.held:
            clues = sum([values for values in self.domain.values() if not values & (values - 1)])
            variable = self.net.literals[self._any(wrong & ~clues or wrong)].variable
            return Conflict(variable, self._reasons(variable, 0))
        for mask, limit, row in self.rows:
            count = (mask & self.held).bit_count()
            if count > limit:
                return Conflict(row.name, self._cited(row))
            if count == limit:
                gone |= mask & ~self.held
        for rule in self.rules:
            excluded = rule.excluded(self.held)
            if excluded == NEVER:
                return Conflict(rule.name, self._cited(rule))
            gone |= excluded
        return gone

    def _reasons(self, variable: str, keep: int) -> tuple[Literal, ...]:
        """What excludes each value of the variable but the one in `keep`."""
        reasons: dict[Literal, None] = {}
        for value in self.csp.domains[variable]:
            bit = self.net.bit[variable, value]
            if bit != keep:
                reasons.update(dict.fromkeys(self._why(bit)))
        return tuple(reasons)

    def _why(self, bit: int) -> tuple[Literal, ...]:
        """What excludes a literal: the value that its variable has, a backtrack, or a constraint."""
        index = bit.bit_length() - 1
        if value := self._others(bit) & self.held:
            return (self.net.literals[lowest(value)],)
        if self.refuted & bit:
            return (self.net.excluded[index],)
        if blocker := self.net.blocks[index] & self.held:
            return (self.net.literals[self._any(blocker)],)
        rows = ((mask & self.held).bit_count() >= limit and row for mask, limit, row in self.rows if mask & bit)
        return self._cited(next((row for row in rows if row), None) or self._rule(bit))

    def _rule(self, bit: int) -> Rule:
        """One that excludes a literal."""
        return next(rule for rule in self.rules if rule.mask & bit and rule.excluded(self.held) & bit)

    def _cited(self, row: Row | Rule) -> tuple[Literal, ...]:
        return tuple([self.net.literals[bit.bit_length() - 1] for bit in row.order if bit & self.held])

    def _any(self, bits: int) -> int:
        """The place of one of the bits: the lowest, or with `rng` any."""
        if self.rng is None or not bits & (bits - 1):
            return lowest(bits)
        return self.rng.choice([place for place in range(bits.bit_length()) if bits >> place & 1])

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

    def retreat(self) -> Iterator[Step]:
        """Undo the latest decision and exclude its value."""
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
        if left & self.open and not left & (left - 1):
            self._assign(self.net.literals[left.bit_length() - 1])
        else:
            self.levels[-1].append(self.net.excluded[bit.bit_length() - 1])

    def adopt(self, state: State) -> None:
        possible = self.open
        for depth, level in enumerate(state.levels):
            if depth:
                if not level or not level[0].equal:
                    raise ValueError("the start has a level without a decision")
                self.saved.append((self.held, self.refuted, self.blocked, self.open))
                self.levels.append([])
            for lit in level:
                bit = self.net.bit.get((lit.variable, lit.value), 0)
                if not bit & possible:
                    raise ValueError(f"the start has {lit}, which its variable cannot have")
                if not lit.equal:
                    self.refuted |= bit
                    self.levels[-1].append(lit)
                elif bit & self.open:
                    self._assign(lit)
                else:
                    raise ValueError(f"the start has {lit}, whose variable has a value already")
        if both := self.held & self.refuted:
            raise ValueError(f"the start both has and excludes {self.net.literals[lowest(both)]}")

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


T = TypeVar("T")


def shuffled(things: Iterable[T], rng: Random | None) -> list[T]:
    """In another order if there is an `rng`."""
    found = list(things)
    if rng:
        rng.shuffle(found)
    return found


def _urgency(found: Outlook) -> int:
    return ("conflict", "imply", "decide", found.kind).index(found.kind)
