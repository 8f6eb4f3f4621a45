"""Judges every step of a trace on its own, from the text and the native problem alone.

Standard library and the contract only: neither the search nor a solver. The single semantic primitive is the task's
`falsified`. A step with a fault is judged, then believed, so that what follows is judged in the state that its writer
claims to be in. Conflict faults are told apart as hallucinated (no such constraint), stale (cites what the state does
not hold) and satisfied (the constraint is not falsified by what is cited).
"""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aletheia_bench.text import bare_lines, step_in
from aletheia_plugins import (
    Answer,
    Assignment,
    Backtrack,
    Conflict,
    Decide,
    Domains,
    Imply,
    Literal,
    State,
    Step,
    Task,
    Verdict,
)

__all__ = ["Checker", "Fault", "Judgement", "Review", "review"]


class Fault(enum.StrEnum):
    """What can be wrong with a step."""

    GRAMMAR = "not a step"
    PLACE = "a step that may not stand here"
    UNKNOWN = "no such variable or value"
    ASSIGNED = "assigns a variable that has a value"
    EXCLUDED = "decides a value that is excluded"
    HALLUCINATED = "names a constraint that the problem does not have"
    STALE = "cites what the state does not hold"
    SATISFIED = "claims a conflict that is none"
    REASON = "its reason does not force the value"
    TARGET = "backtracks to another than the latest decision"
    STATE = "restates a state that is not the current one"
    SOLUTION = "answers with what is no solution, or not what the state holds"
    TREE = "answers UNSAT with branches unexplored"
    INCOMPLETE = "ends without an answer"


class Judgement(NamedTuple):
    """One line, the step in it (None if there is none), and its fault, if any."""

    line: str
    step: Step | None
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Review:
    """The judgements of a whole text, in order."""

    judgements: tuple[Judgement, ...]

    @property
    def first_fault(self) -> int | None:
        """Index of the first faulty line."""
        return next((i for i, judgement in enumerate(self.judgements) if judgement.fault), None)

    @property
    def valid(self) -> bool:
        """Every step is right and the last one is an answer: the verdict is proved."""
        return self.first_fault is None

    @property
    def answer(self) -> Answer | None:
        """The answer on the last line, right or wrong."""
        step = self.judgements[-1].step if self.judgements else None
        return step if isinstance(step, Answer) else None


def review(task: Task[Any], problem: Any, text: str) -> Review:
    """Judge every line of `text`. A text that ends without an answer ends in a judgement that says so."""
    checker = Checker(task, problem)
    judgements = [checker.read(line) for line in bare_lines(text)]
    if not judgements or not isinstance(judgements[-1].step, Answer):
        judgements.append(Judgement("", None, Fault.INCOMPLETE))
    return Review(tuple(judgements))


class Checker:
    """Reads a trace line by line and keeps the state that its lines claim."""

    def __init__(self, task: Task[Any], problem: Any) -> None:
        self.task, self.problem = task, problem
        self.domains: Domains = task.domains(problem)
        self.levels: list[list[Literal]] = []
        self.values: dict[str, str] = {}
        self.excluded: set[Literal] = set()
        self.expected: list[list[Literal]] | None = [
            [Literal(variable, values[0]) for variable, values in self.domains.items() if len(values) == 1]
        ]
        """The state that the next line must restate, if it must."""
        self.conflict = self.ended = False

    def read(self, line: str) -> Judgement:
        """Judge one line, without its newline, and believe it."""
        step = step_in(line)
        if step is None:
            return Judgement(line, None, Fault.GRAMMAR)
        kind = type(step)
        if not self._known(MENTIONED[kind](step)):
            return Judgement(line, step, Fault.UNKNOWN)
        fault = Fault.PLACE if self._misplaced(step) else JUDGE[kind](self, step)
        BELIEVE[kind](self, step)
        return Judgement(line, step, fault)

    def _known(self, literals: Iterable[Literal]) -> bool:
        domains = self.domains
        for lit in literals:  # noqa: SIM110 - a generator here is 1 % of the time of a corpus
            if lit.value not in domains.get(lit.variable, ()):
                return False
        return True

    def _misplaced(self, step: Step) -> bool:
        """A restatement is due or not, a conflict is followed by its consequence, and nothing follows an answer."""
        if self.ended or isinstance(step, State) != (self.expected is not None):
            return True
        if isinstance(step, Backtrack):
            return not self.conflict or len(self.levels) < 2
        return self.conflict and step != REFUTED

    @property
    def falsified(self) -> bool:
        """Whether what holds falsifies a constraint."""
        return self.task.falsified(self.problem, self.values) is not None

    @property
    def stuck(self) -> bool:
        """Whether an open variable has no value left: each is excluded, or would falsify a constraint."""
        return any(
            all(self._gone(Literal(variable, value)) for value in values)
            for variable, values in self.domains.items()
            if variable not in self.values
        )

    def _gone(self, choice: Literal) -> bool:
        excluded = Literal(choice.variable, choice.value, equal=False) in self.excluded
        return excluded or self.task.falsified(self.problem, self.values | {choice.variable: choice.value}) is not None

    # --- judging ---

    def _restatement(self, step: State) -> Fault | None:
        return None if [list(level) for level in step.levels] == self.expected else Fault.STATE

    def _decision(self, step: Decide) -> Fault | None:
        chosen = step.literal
        if chosen.variable in self.values:
            return Fault.ASSIGNED
        return Fault.EXCLUDED if Literal(chosen.variable, chosen.value, equal=False) in self.excluded else None

    def _implication(self, step: Imply) -> Fault | None:
        implied = step.literal
        if implied.variable in self.values:
            return Fault.ASSIGNED
        if not self._holds(step.cites):
            return Fault.STALE
        others = [value for value in self.domains[implied.variable] if value != implied.value]
        constraint = None if step.name == implied.variable else step.name
        fault = self._impossible(constraint, step.cites, implied.variable, others, Fault.REASON)
        return Fault.REASON if fault is Fault.HALLUCINATED and step.name in self.domains else fault

    def _falsified(self, step: Conflict) -> Fault | None:
        """A conflict names a constraint or a variable; a constraint may be called like a variable."""
        fault: Fault | None = Fault.HALLUCINATED
        if step.name in self.domains:
            fault = self._impossible(None, step.cites, step.name, self.domains[step.name], Fault.SATISFIED)
        if fault:
            as_constraint = self._named(step.name, _held(step.cites), Fault.SATISFIED)
            fault = fault if as_constraint is Fault.HALLUCINATED else as_constraint
        if fault is Fault.HALLUCINATED:
            return fault
        return fault if self._holds(step.cites) else Fault.STALE

    def _impossible(
        self, name: str | None, cites: Sequence[Literal], variable: str, values: Iterable[str], otherwise: Fault
    ) -> Fault | None:
        """Whether, with `cites`, each of `values` is excluded or falsifies the constraint `name` (any, if None).

        A value that the variable has excludes the others.
        """
        held = _held(cites)
        values = [held[variable]] if variable in held else values
        excluded = [lit.value for lit in cites if not lit.equal and lit.variable == variable]
        left = [value for value in values if value not in excluded]
        for value in left:
            held[variable] = value
            if fault := self._named(name, held, otherwise):
                return fault
        return None if left or name is None else self._named(name, {}, None)

    def _named(self, name: str | None, assignment: Assignment, otherwise: Fault | None) -> Fault | None:
        """None if `assignment` falsifies the constraint `name`, or any if that is None."""
        try:
            return None if self.task.falsified(self.problem, assignment, name) is not None else otherwise
        except KeyError:
            return Fault.HALLUCINATED

    def _holds(self, cites: Iterable[Literal]) -> bool:
        for lit in cites:
            if self.values.get(lit.variable) != lit.value if lit.equal else lit not in self.excluded:
                return False
        return True

    def _target(self, step: Backtrack) -> Fault | None:
        return None if step.variable == self.levels[-1][0].variable else Fault.TARGET

    def _solution(self, step: Answer) -> Fault | None:
        if step.verdict is Verdict.UNSAT:
            return None if self.conflict and len(self.levels) == 1 else Fault.TREE
        found = _held(step.assignment)
        complete = len(step.assignment) == len(found) == len(self.domains)
        if not complete or found != self.values or self.task.falsified(self.problem, found) is not None:
            return Fault.SOLUTION
        return None

    # --- believing ---

    def _restore(self, step: State) -> None:
        self.expected, self.conflict = None, False
        self.levels, self.values, self.excluded = [], {}, set()
        for level in step.levels:
            self.levels.append([])
            for literal in level:
                self._hold(literal)

    def _decide(self, step: Decide) -> None:
        self.levels.append([])
        self._hold(step.literal)

    def _imply(self, step: Imply) -> None:
        if not self.levels:
            self.levels.append([])
        self._hold(step.literal)

    def _clash(self, step: Conflict) -> None:
        self.conflict = True

    def _undo(self, step: Backtrack) -> None:
        self.expected, self.conflict = self._after_backtrack(), False

    def _end(self, step: Answer) -> None:
        self.ended = True

    def _hold(self, literal: Literal) -> None:
        self.levels[-1].append(literal)
        if literal.equal:
            self.values[literal.variable] = literal.value
        else:
            self.excluded.add(literal)

    def _after_backtrack(self) -> list[list[Literal]]:
        """The state without its latest level, in which the decision's value is excluded.

        Where that leaves the variable one value, the state has this value instead of the exclusion.
        """
        levels = [list(level) for level in self.levels]
        if len(levels) < 2:
            return levels
        decision = levels.pop()[0]
        gone = {lit.value for level in levels for lit in level if lit.variable == decision.variable and not lit.equal}
        left = [value for value in self.domains[decision.variable] if value not in gone | {decision.value}]
        rest = Literal(decision.variable, left[0]) if len(left) == 1 else None
        levels[-1].append(rest or Literal(decision.variable, decision.value, equal=False))
        return levels


def _held(literals: Iterable[Literal]) -> dict[str, str]:
    return {lit.variable: lit.value for lit in literals if lit.equal}


REFUTED = Answer(Verdict.UNSAT)

# What each kind of step mentions, how it is judged, and what it changes.
MENTIONED: Mapping[type[Step], Callable[[Any], Iterable[Literal]]] = {
    State: lambda step: [lit for level in step.levels for lit in level],
    Decide: lambda step: (step.literal,),
    Imply: lambda step: (*step.cites, step.literal),
    Conflict: lambda step: step.cites,
    Backtrack: lambda _: (),
    Answer: lambda step: step.assignment,
}
JUDGE: Mapping[type[Step], Callable[[Checker, Any], Fault | None]] = {
    State: Checker._restatement,
    Decide: Checker._decision,
    Imply: Checker._implication,
    Conflict: Checker._falsified,
    Backtrack: Checker._target,
    Answer: Checker._solution,
}
BELIEVE: Mapping[type[Step], Callable[[Checker, Any], None]] = {
    State: Checker._restore,
    Decide: Checker._decide,
    Imply: Checker._imply,
    Conflict: Checker._clash,
    Backtrack: Checker._undo,
    Answer: Checker._end,
}
