"""Turns that begin with a wrong turning: a decision that the search would not take, and what it makes of that.

Knows contexts, states and the search, no models. The search decides the first value that is allowed, of the first
variable with fewest, so that its traces have few of the states there are: a student that errs is in one that it has
never read. A detour is a decision at random in a state of the trace, whether propagation allows it or not, and the
steps of the search from there, which now decides any value that is allowed of that variable.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from aletheia_bench.contexts import examples
from aletheia_bench.search import Heuristic, search, smallest_domain
from aletheia_bench.text import parse_line, render
from aletheia_plugins import CSP, Example, Literal, State

__all__ = ["detours"]

STEPS = 10
"""Steps that are followed behind each wrong turning."""


def detours(turns: Sequence[Example], problem: str, csp: CSP, count: int, rng: Random) -> Iterator[Example]:
    """The turns of so many detours, which leave a trace at any of its `turns` but in a conflict or at the end.

    For folded contexts: the first line of such a turn is its state.
    """
    places = [turn.prompt for turn in turns if turn.completion.startswith(("decide ", "imply "))]
    for _ in range(count if places else 0):
        start = parse_line(rng.choice(places).partition("\n")[0])
        if isinstance(start, State) and (wrong := _decision(csp, start, rng)):
            start = State((*start.levels, (wrong,)))
            trace = search(csp, start=start, heuristic=_any_value(rng), rng=rng, max_steps=STEPS)
            yield from list(examples("folded", problem, render(trace)))[1:]  # the first one says where it begins


def _decision(csp: CSP, state: State, rng: Random) -> Literal | None:
    """Any decision that the state does not rule out in so many words."""
    said = [lit for level in state.levels for lit in level]
    held, excluded = {lit.variable for lit in said if lit.equal}, {(lit.variable, lit.value) for lit in said}
    choices = [
        Literal(variable, value)
        for variable, values in csp.domains.items()
        for value in values
        if variable not in held and (variable, value) not in excluded
    ]
    return rng.choice(choices) if choices else None


def _any_value(rng: Random) -> Heuristic:
    """The first variable with fewest values left, at any of them."""

    def heuristic(choices: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        variable, _ = smallest_domain(choices)
        return variable, rng.choice(choices[variable])

    return heuristic
