"""Judges one completion by replaying it with the checker. Knows samples and tasks, neither statistics nor models."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aletheia_bench.checker import Checker, Judgement, Review, review
from aletheia_bench.evaluate import Sample
from aletheia_plugins import Answer, Backtrack, Conflict, Imply, State, Task, Verdict

__all__ = ["Outcome", "Score", "score", "solves"]


class Outcome(enum.StrEnum):
    """What became of an item: exactly one of these."""

    SOLVED = "solved"
    WRONG = "wrong"
    UNPARSED = "unparsed"
    TRUNCATED = "truncated"
    TIMEOUT = "timeout"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Score:
    """One completion, judged. Counts are of lines in it."""

    item: str
    problem: str
    """The problem's text: the same item has the same."""
    epoch: int
    outcome: Outcome
    certified: bool
    backtracks: int
    valid_backtracks: int
    conflicts: int
    real_conflicts: int
    dead_ends: int
    """States with a conflict to claim that were left."""
    noticed: int
    """Those of them in which one was claimed."""
    needed: int
    """Conflicts of the reference search."""
    size: int
    """Variables that the problem leaves open."""
    first_fault: tuple[str, str] | None
    """First word of the first faulty line, and the fault."""
    faults: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    """First words of the lines up to the first faulty one, which is the last of them."""
    tokens: int
    seconds: float


def score(task: Task[Any], sample: Sample) -> Score:
    """Replay a completion."""
    problem = task.loads(sample["problem"])[0]
    found = review(task, problem, sample["completion"])
    judged = found.judgements
    outcome = _outcome(task, problem, sample, found)
    conflicts = [j for j in judged if isinstance(j.step, Conflict)]
    claims = list(_dead_ends(Checker(task, problem), judged))
    faults = tuple((_word(j), str(j.fault)) for j in judged if j.fault)
    return Score(
        item=sample["id"],
        problem=sample["problem"],
        epoch=sample["epoch"],
        outcome=outcome,
        certified=outcome is Outcome.SOLVED and found.valid,
        backtracks=sum(isinstance(j.step, Backtrack) for j in judged),
        valid_backtracks=_valid_backtracks(judged),
        conflicts=len(conflicts),
        real_conflicts=sum(j.fault is None for j in conflicts),
        dead_ends=len(claims),
        noticed=sum(claims),
        needed=int(sample["reference"].get("conflicts", 0)),
        size=sum(len(values) > 1 for values in task.domains(problem).values()),
        first_fault=faults[0] if faults else None,
        faults=faults,
        lines=tuple(_sound(judged)),
        tokens=sample["tokens"],
        seconds=sample["seconds"],
    )


def _word(judgement: Judgement) -> str:
    return judgement.line.partition(" ")[0].rstrip(":") if judgement.step else ("line" if judgement.line else "end")


def _sound(judged: Sequence[Judgement]) -> Iterator[str]:
    """First words of the lines up to a fault: those after it were written in a state that may be wrong."""
    for judgement in judged:
        yield _word(judgement)
        if judgement.fault:
            return


def _dead_ends(checker: Checker, judged: Iterable[Judgement]) -> Iterator[bool]:
    """For each state in which a conflict is there to claim, whether one is.

    A falsified constraint must be claimed at once; a variable without a value left before the next decision or answer,
    since a search may first imply what follows for others.
    """
    for line, step, fault in judged:
        if step is not None and checker.expected is None and not (checker.conflict or checker.ended):
            claimed = isinstance(step, Conflict)
            if (claimed and not fault) or checker.falsified or (not isinstance(step, Imply) and checker.stuck):
                yield claimed
        checker.read(line)


def _outcome(task: Task[Any], problem: Any, sample: Sample, found: Review) -> Outcome:
    """Where no solver knew the verdict, UNSAT is right if the trace proves it."""
    answer = found.answer
    if sample["finish"] in ("error", "timeout", "truncated"):
        return Outcome(sample["finish"])
    if answer is None:
        return Outcome.UNPARSED
    unknown = sample["verdict"] == Verdict.UNKNOWN
    right = found.valid if unknown else str(answer.verdict) == sample["verdict"]
    if answer.verdict is Verdict.SAT:
        right = solves(task, problem, answer)
    return Outcome.SOLVED if right else Outcome.WRONG


def solves(task: Task[Any], problem: Any, answer: Answer) -> bool:
    """Whether the answer's assignment is complete, inside the domains, and falsifies nothing."""
    domains = task.domains(problem)
    found = {lit.variable: lit.value for lit in answer.assignment}
    complete = len(answer.assignment) == len(found) == len(domains)
    inside = all(value in domains.get(variable, ()) for variable, value in found.items())
    return complete and inside and task.falsified(problem, found) is None


def _valid_backtracks(judged: Sequence[Judgement]) -> int:
    """Backtracks after a real conflict, to the right decision, with the right state restated after them."""
    triples = zip(judged, judged[1:], judged[2:], strict=False)
    kinds = (Conflict, Backtrack, State)
    return sum(
        all(isinstance(j.step, kind) and j.fault is None for j, kind in zip(triple, kinds, strict=True))
        for triple in triples
    )
