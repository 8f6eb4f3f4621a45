"""States in which a conflict is there to claim, and as many in which none is, each reached in several ways.

A search is run over one test problem in many orders. What holds after one of its steps is a state: dead if a conflict
is to be claimed there, alive if not. Search and checker must agree on that. Each dead state has an alive one of the
same problem beside it, of as many literals where there is one, so that their number alone says as little as can be.

Knows tasks, the search and the checker, no model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from random import Random
from typing import Any

from aletheia_bench.checker import Checker
from aletheia_bench.contexts import context
from aletheia_bench.search import Heuristic, given, search
from aletheia_bench.text import render_step
from aletheia_plugins import (
    CSP,
    Conflict,
    ContextKind,
    CorpusError,
    Decide,
    Imply,
    Literal,
    State,
    Step,
    Task,
    generator,
)

__all__ = ["Probe", "probes"]

SEARCHES = 12
"""Over each problem, beside the reference search."""
MAX_STEPS = 100
"""Of one of them: a long search has its first conflicts long before."""
EARLY = 2
"""Decisions, at most, that are taken before anything is implied: where all follows from what is given, nothing else
ends in a conflict."""
PAIRS = 2
"""Dead states, and alive ones, that one problem gives, at most."""
HISTORIES = 4
"""Ways to a state, at most."""
TRIES = 12
"""Searches that make for one state."""
CANDIDATES = 6
"""Alive states that are tried beside a dead one."""
PATIENCE = 200
"""Problems in a row without a dead state after which there are none."""

Held = frozenset[Literal]


@dataclass(frozen=True, slots=True)
class Probe:
    """A state of a test problem, and what was written on the ways to it."""

    id: str
    item: str
    """The problem's name: the same as in a run with this seed."""
    native: str
    """The problem in its field's own format."""
    state: tuple[str, ...]
    """The literals that hold, sorted."""
    dead: bool
    traces: tuple[str, ...]
    """At least two, each a beginning of a trace that ends in this state."""
    prompts: tuple[str, ...]
    """What a model reads after each of them."""


def probes(task: Task[Any], level: str, *, kind: ContextKind, seed: int, limit: int) -> Iterator[Probe]:
    """Pairs of a dead and an alive state, `limit` states or one less; fewer if the level has hardly any dead ones.

    Depends on the arguments alone. The states of one problem do not depend on the context kind either: their state
    lines differ, and so whatever a model reads does.
    """
    left, idle, seen = limit // 2, 0, set()
    for index in count():
        problem = task.generate(level, split="test", seed=seed, index=index)
        native = task.dumps(problem)
        rng = generator("probes", task.name, task.version, level, seed, index)
        found = [] if native in seen else _pairs(_Ways(task, problem, rng), min(left, PAIRS))
        seen.add(native)
        item = f"{task.name}-{level}-test-{seed}-{index}"
        for number, (state, dead, texts) in enumerate(found):
            prompts = tuple(_prompt(kind, task.render(problem), text) for text in texts)
            literals = tuple(sorted(map(str, state)))
            yield Probe(f"{item}/{number}", item, native, literals, dead, texts, prompts)
        left, idle = left - len(found) // 2, 0 if found else idle + 1
        if not left or idle >= PATIENCE:
            return


def _prompt(kind: ContextKind, problem: str, text: str) -> str:
    current = context(kind, problem)
    for line in text.splitlines(keepends=True):
        current.extend(line)
    return current.prompt


def _pairs(ways: "_Ways", most: int) -> list[tuple[Held, bool, tuple[str, ...]]]:
    """(state, dead, texts): dead and alive in turn."""
    found: list[tuple[Held, bool, tuple[str, ...]]] = []
    alive = ways.states(claimed=False)
    for dead in ways.states(claimed=True):
        if len(found) >= 2 * most:
            break
        texts = ways.to(dead)
        if len(texts) < 2 or not ways.dead(dead):
            continue
        for other in sorted(alive, key=lambda state: abs(len(state) - len(dead)))[:CANDIDATES]:
            alive.remove(other)
            beside = ways.to(other)
            if len(beside) >= 2 and ways.dead(other) is False:
                found += [(dead, True, texts), (other, False, beside)]
                break
    return found


class _Ways:
    """Ways through one problem: for each state, what was written before it."""

    def __init__(self, task: Task[Any], problem: Any, rng: Random) -> None:
        self.task, self.problem, self.rng = task, problem, rng
        self.csp = task.csp(problem)
        self.given = frozenset(given(self.csp.domains).levels[0])
        self.texts: dict[Held, dict[str, str]] = {}
        """State → its state line → the text that leads to it; one for each line."""
        self.claimed: dict[Held, bool] = {}
        """Whether the search claims a conflict there."""
        self._walk(search(self.csp, max_steps=MAX_STEPS).steps)
        for number in range(SEARCHES):
            opening = self._opening(number % (EARLY + 1), self._any())
            self._walk(_opened(self.csp, opening, _random(self.rng), self.rng, MAX_STEPS))

    def states(self, *, claimed: bool) -> list[Held]:
        """Those in which the search claims a conflict, or claims none, in random order."""
        found = [state for state, said in self.claimed.items() if said is claimed]
        self.rng.shuffle(found)
        return found

    def to(self, state: Held) -> tuple[str, ...]:
        """Texts that lead to a state, whose state lines all differ: those that are known first."""
        known = self.texts[state]
        wanted = sorted((lit.variable, lit.value) for lit in state - self.given if lit.equal)
        reachable = all(lit.equal for lit in state)  # an excluded value needs a conflict before it
        for number in range(TRIES if reachable else 0):
            if len(known) >= HISTORIES:
                break
            order = self.rng.sample(wanted, len(wanted))
            opening = [Literal(*pair) for pair in order[: number % (EARLY + 1)]]
            steps = _opened(self.csp, opening, _among(order), self.rng, len(state) + 1)
            if _assigned(steps[1 : 1 + len(state - self.given)]) <= state:  # if not, it leads elsewhere
                self._walk(steps, only=state)
        return tuple(known.values())[:HISTORIES]

    def dead(self, state: Held) -> bool | None:
        """What the checker says of a state; None if the search disagrees, since something else may come first."""
        checker = Checker(self.task, self.problem)
        for line in next(iter(self.texts[state].values())).splitlines():
            checker.read(line)
        found = checker.falsified or checker.stuck
        return found if found is self.claimed[state] else None

    def _any(self) -> list[Literal]:
        """All literals of open variables, in random order."""
        pairs = [Literal(v, value) for v, values in self.csp.domains.items() if len(values) > 1 for value in values]
        return self.rng.sample(pairs, len(pairs))

    def _opening(self, size: int, among: Iterable[Literal]) -> list[Literal]:
        """Decisions that falsify nothing by themselves."""
        held = {lit.variable: lit.value for lit in self.given}
        found: list[Literal] = []
        for lit in among:
            if len(found) == size:
                break
            now = held | {lit.variable: lit.value}
            if lit.variable not in held and self.task.falsified(self.problem, now) is None:
                held = now
                found.append(lit)
        return found

    def _walk(self, steps: Sequence[Step], only: Held | None = None) -> None:
        """Note each state after which something may be decided, implied, claimed or answered."""
        checker, line, text = Checker(self.task, self.problem), context("folded", ""), ""
        for step, following in pairwise(steps):
            written = render_step(step)
            judged = checker.read(written)
            if judged.fault:
                raise CorpusError(f"The checker rejects {written!r} of a probe: {judged.fault}; a defect of a task.")
            text += f"{written}\n"
            line.extend(f"{written}\n")
            if isinstance(step, State | Decide | Imply):
                state = frozenset(lit for level in checker.levels for lit in level)
                if only is None or state == only:
                    self.texts.setdefault(state, {}).setdefault(line.prompt, text)
                    self.claimed.setdefault(state, isinstance(following, Conflict))


def _assigned(steps: Iterable[Step]) -> set[Literal]:
    return {step.literal for step in steps if isinstance(step, Decide | Imply)}


def _opened(
    csp: CSP, opening: Sequence[Literal], heuristic: Heuristic, rng: Random, max_steps: int
) -> tuple[Step, ...]:
    """The steps of a search that begins with these decisions."""
    root = given(csp.domains)
    start = State((*root.levels, *((lit,) for lit in opening)))
    rest = search(csp, start=start, heuristic=heuristic, rng=rng, max_steps=max_steps).steps[1:]
    return (root, *map(Decide, opening), *rest)


def _random(rng: Random) -> Heuristic:
    def choose(choices: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        variable = rng.choice(list(choices))
        return variable, rng.choice(choices[variable])

    return choose


def _among(order: Sequence[tuple[str, str]]) -> Heuristic:
    """The first of these pairs that can be decided, and anything where none can be."""

    def choose(choices: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        left = [(v, value) for v, value in order if value in choices.get(v, ())]
        return left[0] if left else next((v, values[0]) for v, values in choices.items())

    return choose
