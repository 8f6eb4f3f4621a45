"""Judges one completion by replaying it with the checker. Knows samples and tasks, neither statistics nor models.

A line that is no step ends the trace: what stands after it is no longer counted, but for the answer.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aletheia_bench.answers import find_answer
from aletheia_bench.checker import Checker, Fault, Judgement, Review, review
from aletheia_bench.evaluate import Sample
from aletheia_bench.instructions import instruction
from aletheia_bench.search import search
from aletheia_bench.text import KEYWORDS
from aletheia_plugins import Answer, Backtrack, Conflict, Decide, Imply, Literal, State, Step, Task, Verdict

__all__ = ["Outcome", "Score", "score", "solves"]

MAX_STEPS = 20_000
"""Of a search that looks for a solution of a state; if it does not end, the state counts as one that has some."""


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
    false_conflicts: tuple[str, ...]
    """What is wrong with each claimed conflict that is not real."""
    mimicked: int
    """Backtracks without a real conflict before them, or that leave the state as it was."""
    decisive: bool
    """Solved, and a backtrack left a state that no solution has."""
    decisions: int
    needed_decisions: int
    """Those of the reference search."""
    prompt_tokens: int
    """Of all turns together."""
    tokens: int
    seconds: float

    @property
    def first_error_step(self) -> int | None:
        """Number of the first faulty line, from 1."""
        return len(self.lines) if self.first_fault else None


def score(task: Task[Any], sample: Sample, *, lenient: bool = False) -> Score:
    """Replay a completion; `lenient`: the answer may stand anywhere in it, in any form that can be understood."""
    problem = task.loads(sample["problem"])[0]
    found = review(task, problem, _whole(sample))
    judged = list(_trace(found.judgements))
    outcome = _outcome(task, problem, sample, found, lenient=lenient)
    conflicts = [j for j in judged if isinstance(j.step, Conflict)]
    claims = list(_dead_ends(Checker(task, problem), judged))
    faults = tuple((_word(j), str(j.fault)) for j in judged if j.fault)
    solved = outcome is Outcome.SOLVED
    return Score(
        item=sample["id"],
        problem=sample["problem"],
        epoch=sample["epoch"],
        outcome=outcome,
        certified=solved and found.valid,
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
        false_conflicts=tuple(str(j.fault) for j in conflicts if j.fault),
        mimicked=sum(_mimicked(task, problem, judged)),
        decisive=solved and any(_hopeless(task, problem, judged)),
        decisions=sum(isinstance(j.step, Decide) for j in judged),
        needed_decisions=int(sample["reference"].get("decisions", 0)),
        prompt_tokens=sample["prompt_tokens"],
        tokens=sample["tokens"],
        seconds=sample["seconds"],
    )


def _whole(sample: Sample) -> str:
    """The completion, without a last line that it had no time to end."""
    text = sample["completion"]
    return text[: text.rfind("\n") + 1] if sample["finish"] in ("truncated", "timeout") else text


def _trace(judged: Iterable[Judgement]) -> Iterator[Judgement]:
    """The judgements up to the first line that is no step."""
    for judgement in judged:
        yield judgement
        if judgement.fault is Fault.GRAMMAR:
            return


def _word(judgement: Judgement) -> str:
    """The kind of a line: its first word, if a step can begin with it."""
    word = judgement.line.partition(" ")[0]
    return word.rstrip(":") if word in KEYWORDS else "end" if judgement.fault is Fault.INCOMPLETE else "line"


def _sound(judged: Sequence[Judgement]) -> Iterator[str]:
    """First words of the lines up to a fault: those after it were written in a state that may be wrong."""
    for judgement in judged:
        yield _word(judgement)
        if judgement.fault:
            return


def _dead_ends(checker: Checker, judged: Iterable[Judgement]) -> Iterator[bool]:
    """For each state in which a conflict is there to claim, whether one is.

    A falsified constraint must be claimed at once; a variable without a value left before the next decision or answer,
    since a search may first imply what follows for others. Lines that leave the state as it was do not leave it.
    """
    claimed: bool | None = None
    for line, step, fault in judged:
        ended = step is None and fault is not Fault.GRAMMAR
        if not ended and checker.expected is None and not (checker.conflict or checker.ended):
            said = isinstance(step, Conflict)
            stuck = step is not None and not isinstance(step, Imply) and checker.stuck
            if (said and not fault) or checker.falsified or stuck:
                claimed = said or bool(claimed)
        if claimed is not None and _leaves(checker, step, fault):
            yield claimed
            claimed = None
        checker.read(line)
    if claimed is not None:
        yield claimed


def _leaves(checker: Checker, step: Step | None, fault: Fault | None) -> bool:
    """Whether a step leads to another state."""
    if fault is Fault.UNKNOWN:
        return False
    if isinstance(step, Decide | Imply):
        return checker.values.get(step.literal.variable) != step.literal.value
    return isinstance(step, State | Backtrack | Answer)


def _hopeless(task: Task[Any], problem: Any, judged: Iterable[Judgement]) -> Iterator[bool]:
    """For each backtrack, whether no solution has the state that it leaves."""
    checker = Checker(task, problem)
    for line, step, _ in judged:
        if isinstance(step, Backtrack):
            held = [Literal(variable, value) for variable, value in checker.values.items()]
            clash = any(checker.values.get(lit.variable) == lit.value for lit in checker.excluded)
            start = State(((*held, *checker.excluded),))
            yield (
                clash
                or checker.falsified
                or search(task.csp(problem), start=start, max_steps=MAX_STEPS).verdict is Verdict.UNSAT
            )
        checker.read(line)


def _mimicked(task: Task[Any], problem: Any, judged: Sequence[Judgement]) -> Iterator[bool]:
    """For each backtrack, whether it is one in name only."""
    checker = Checker(task, problem)
    for place, ((line, step, _), real) in enumerate(zip(judged, _real(judged), strict=True)):
        if isinstance(step, Backtrack):
            after = judged[place + 1].step if place + 1 < len(judged) else None
            held = {Literal(*pair) for pair in checker.values.items()} | checker.excluded
            same = isinstance(after, State) and {lit for level in after.levels for lit in level} == held
            yield same or not real
        checker.read(line)


def _outcome(task: Task[Any], problem: Any, sample: Sample, found: Review, *, lenient: bool) -> Outcome:
    """Where no solver knew the verdict, UNSAT is right if the trace proves it."""
    answer = found.answer
    cut = sample["finish"] == "truncated"
    if lenient and sample["finish"] not in ("error", "timeout"):
        given = f"{instruction(task)}\n{task.render(problem)}".splitlines()
        answer = find_answer(sample["completion"], task.domains(problem), given=given, marked=cut)
    elif cut or sample["finish"] in ("error", "timeout"):
        return Outcome(sample["finish"])
    if answer is None:
        return Outcome.TRUNCATED if cut else Outcome.UNPARSED
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
    return sum(
        real and not here.fault and isinstance(after.step, State) and not after.fault
        for (here, after), real in zip(pairwise(judged), _real(judged), strict=False)
        if isinstance(here.step, Backtrack)
    )


def _real(judged: Iterable[Judgement]) -> Iterator[bool]:
    """For each line, whether a real conflict was claimed before it, since the last state line or backtrack."""
    real = False
    for _, step, fault in judged:
        yield real
        real = not isinstance(step, State | Backtrack) and (real or (isinstance(step, Conflict) and not fault))
