"""What a student is shown of a verified trace. Every arm is derived from the same trace of the same problem."""

from collections.abc import Callable, Iterator, Mapping

from aletheia_plugins import Decide, Imply, Literal, State, Step, Trace, UnknownNameError, Verdict

__all__ = ["ARMS", "arm"]


def backtracking(trace: Trace) -> Trace:
    """The trace as it is: the method."""
    return trace


def answer(trace: Trace) -> Trace:
    """The answer line alone."""
    return Trace(trace.steps[-1:])


def linearized(trace: Trace) -> Trace:
    """The trace without its dead branches: the paper's control.

    Each backtrack cuts back to its decision; what the search learnt by refuting a branch appears as a decision. Of an
    unsatisfiable problem remains what is implied before the first decision: there is no branch left to show.
    """
    start, *steps = trace.steps
    if trace.verdict is Verdict.UNSAT:
        root = [step for step in _until_decision(steps) if isinstance(step, Imply)]
        return Trace((start, *root, trace.steps[-1]))
    return Trace((start, *_path(trace), trace.steps[-1]))


def _until_decision(steps: list[Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Decide):
            return
        yield step


def _path(trace: Trace) -> Iterator[Step]:
    """The decisions and implications that lead straight to the last state."""
    reasons: dict[Literal, Imply] = {}
    order: list[Literal] = []
    first, *steps = trace.steps
    for step in steps:
        match step:
            case State(levels):
                order = [lit for level in levels for lit in level if lit.equal]
            case Decide(literal):
                order.append(literal)
            case Imply(literal=literal):
                order.append(literal)
                reasons[literal] = step
            case _:
                pass
    held = {lit for level in first.levels for lit in level} if isinstance(first, State) else set()
    for literal in order:
        if literal in held:
            continue
        reason = reasons.get(literal)
        yield reason if reason and held.issuperset(reason.cites) else Decide(literal)
        held.add(literal)


ARMS: Mapping[str, Callable[[Trace], Trace]] = {
    "backtracking": backtracking,
    "linearized": linearized,
    "answer": answer,
}


def arm(name: str) -> Callable[[Trace], Trace]:
    """The arm of that name. Raises UnknownNameError."""
    if name not in ARMS:
        raise UnknownNameError("arm", name, ARMS)
    return ARMS[name]
