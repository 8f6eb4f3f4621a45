"""What a student is shown of a verified trace. Every arm is derived from the same traces of the same problems.

backtracking    the trace: the method
linearized      without dead branches: the paper's control
answer          the answer alone
swapped         the trace of another problem, with this one's answer: does the content matter?
filler          as many words as the trace, without content: is it the time to think?
masked          the trace; nothing is learnt from the decisions and implications of branches that are given up
"""

from collections.abc import Callable, Iterator, Mapping

from aletheia_bench.text import parse, render
from aletheia_plugins import Backtrack, Decide, Imply, Literal, State, Step, Trace, UnknownNameError, Verdict

__all__ = ["ARMS", "Another", "answer", "arm", "foreign", "linearized", "unlearnt"]

Another = Callable[[], Trace]
"""Finds the trace of another problem."""
Arm = Callable[[Trace, Another], str]
DOT = "."


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


def swapped(trace: Trace, another: Trace) -> Trace:
    """The steps of the other trace, and the answer of this one (after Valmeekam et al., arXiv 2505.13775)."""
    return Trace((*another.steps[:-1], trace.steps[-1]))


def filler(trace: Trace) -> str:
    """A dot for each word of the trace, and the answer (after Pfau et al., arXiv 2404.15758)."""
    *lines, last = render(trace).splitlines(keepends=True)
    return "".join([" ".join(DOT * len(line.split(" "))) + "\n" for line in lines]) + last


def unlearnt(name: str, text: str) -> frozenset[int]:
    """Numbers of the lines that this arm shows, but does not teach.

    Noticing a conflict, going back and restating the state are right wherever they stand, and are taught.
    """
    if name != "masked":
        return frozenset()
    gone: list[int] = []
    branches: list[list[int]] = [[]]
    for number, step in enumerate(parse(text).steps):
        if isinstance(step, Decide):
            branches.append([number])
        elif isinstance(step, Imply):
            branches[-1].append(number)
        elif isinstance(step, Backtrack):
            gone += branches.pop()
    return frozenset(gone)


def foreign(name: str) -> bool:
    """Whether the states that this arm shows are another problem's."""
    return name == "swapped"


ARMS: Mapping[str, Arm] = {
    "backtracking": lambda trace, _: render(trace),
    "linearized": lambda trace, _: render(linearized(trace)),
    "answer": lambda trace, _: render(answer(trace)),
    "swapped": lambda trace, another: render(swapped(trace, another())),
    "filler": lambda trace, _: filler(trace),
    "masked": lambda trace, _: render(trace),
}


def arm(name: str) -> Arm:
    """The arm of that name, from a trace to the text that is shown. Raises UnknownNameError."""
    if name not in ARMS:
        raise UnknownNameError("arm", name, ARMS)
    return ARMS[name]
