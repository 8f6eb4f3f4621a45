"""The forced-error test: puts a wrong step into a student's own prefix, and sees what it makes of it.

Knows completions, the checker and the search, no model. Three kinds of error, each in a state that has a solution, and
after each of which there is none:

decision    a decision
value       an implication whose reason stands, with another value, below a decision
root        the same before any decision: nothing can be taken back, but it can be noticed, and rightly named

Detection, localisation and correction are told apart as in arXiv 2601.00828 and 2505.16170.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, Literal as OneOf

import numpy as np

from aletheia_bench.checker import Checker, review
from aletheia_bench.evaluate import Sample
from aletheia_bench.items import Item
from aletheia_bench.scoring import Outcome, score
from aletheia_bench.search import search
from aletheia_bench.statistics import Estimate, mean, tried
from aletheia_bench.text import bare_lines, render_step
from aletheia_plugins import CSP, Conflict, Decide, Imply, Literal, State, Task, Verdict, generator, literal

__all__ = ["KINDS", "MEASURES", "Forced", "Injection", "inject", "injections", "judge", "measure"]

Kind = OneOf["decision", "value", "root"]
KINDS: tuple[Kind, ...] = ("decision", "value", "root")
MAX_STEPS = 20_000
"""Of a search for a solution; a state from which it does not end is not used."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A wrong step in a completion: `text` ends in it."""

    kind: Kind
    text: str
    wrong: Literal

    @property
    def place(self) -> int:
        """Number of the wrong line, from 0."""
        return self.text.count("\n") - 1

    def facts(self) -> dict[str, str | int]:
        """What a sample says of it."""
        return {"kind": self.kind, "wrong": str(self.wrong), "place": self.place}


def inject(task: Task[Any], item: Item, completion: str, kind: Kind) -> Injection | None:
    """An error of that kind in the part of the completion that is right, at any of the places where one can be.

    None if there is none. The same for the same item and completion.
    """
    judged = review(task, item.problem, completion).judgements
    lines = [j.line for j in takewhile(lambda j: not j.fault, judged)]
    csp = task.csp(item.problem)
    checker = Checker(task, item.problem)
    found: list[Injection] = []
    for number, line in enumerate(lines):
        step = judged[number].step
        if isinstance(step, Decide | Imply) and _kind(step, checker) == kind:
            for value in task.domains(item.problem)[step.literal.variable]:
                wrong = Literal(step.literal.variable, value)
                if wrong != step.literal and _fits(csp, checker, wrong):
                    other = Decide(wrong) if isinstance(step, Decide) else Imply(step.name, step.cites, wrong)
                    found.append(Injection(kind, "\n".join([*lines[:number], render_step(other), ""]), wrong))
        checker.read(line)
    return generator("forced", item.id, kind).choice(found) if found else None


def _kind(step: Decide | Imply, checker: Checker) -> Kind:
    if isinstance(step, Decide):
        return "decision"
    return "value" if len(checker.levels) > 1 else "root"


def _fits(csp: CSP, checker: Checker, wrong: Literal) -> bool:
    """Whether the checker's state has a solution, and none with the wrong literal."""
    if Literal(wrong.variable, wrong.value, equal=False) in checker.excluded:
        return False
    held = [lit for level in checker.levels for lit in level]
    return _solvable(csp, held) is True and _solvable(csp, [*held, wrong]) is False


def _solvable(csp: CSP, held: Iterable[Literal]) -> bool | None:
    verdict = search(csp, start=State((tuple(held),)), max_steps=MAX_STEPS).verdict
    return None if verdict is Verdict.UNKNOWN else verdict is Verdict.SAT


@dataclass(frozen=True, slots=True)
class Forced:
    """What a student did after an error was put into its prefix."""

    item: str
    kind: str
    needed: int
    """Conflicts of the reference search."""
    steps: int | None
    """Lines until it claimed a conflict in a dead end that has the error, 1 for the very next; None: it never did."""
    localised: bool
    """That claim is real: what it cites falsifies what it names, or leaves it no value."""
    corrected: bool
    """A state was rightly restated without the error."""
    solved: bool
    failed: bool
    """It ended in an error of the back-end."""


def judge(task: Task[Any], sample: Sample) -> Forced:
    """Replay a completion into which an error was put."""
    wrong, place = literal(str(sample["forced"]["wrong"])), int(sample["forced"]["place"])
    problem = task.loads(sample["problem"])[0]
    checker = Checker(task, problem)
    steps, localised, corrected = None, False, False
    for number, line in enumerate(bare_lines(sample["completion"])):
        there = number > place and checker.values.get(wrong.variable) == wrong.value
        dead = there and steps is None and not corrected and (checker.falsified or checker.stuck)
        judged = checker.read(line)
        if dead and isinstance(judged.step, Conflict):
            steps, localised = number - place, judged.fault is None
        if there and isinstance(judged.step, State) and not judged.fault:
            corrected = corrected or checker.values.get(wrong.variable) != wrong.value
    outcome = score(task, sample).outcome
    return Forced(
        sample["id"],
        str(sample["forced"]["kind"]),
        int(sample["reference"].get("conflicts", 0)),
        steps,
        localised,
        corrected,
        outcome is Outcome.SOLVED,
        outcome is Outcome.ERROR,
    )


MEASURES: Mapping[str, str] = {
    "detection": "noticed",
    "localisation": "rightly named",
    "correction": "left",
    "success": "solved",
    "steps": "lines until noticed",
}


def measure(found: Sequence[Forced]) -> dict[str, Estimate]:
    """Rates of all errors that were put in; `steps`, the mean of those that were noticed. Failed items are left out.

    An item that several students were given is drawn as a whole. An error before any decision cannot be left.
    """
    counted = [f for f in found if not f.failed]
    free = [f for f in counted if f.kind != "root"]
    noticed = [f for f in counted if f.steps is not None]
    return {
        "detection": _rate(counted, lambda f: f.steps is not None),
        "localisation": _rate(counted, lambda f: f.localised),
        "correction": _rate(free, lambda f: f.corrected),
        "success": _rate(free, lambda f: f.solved),
        "steps": mean([float(np.mean([f.steps or 0 for f in group])) for group in _by_item(noticed)]),
    }


def _by_item(found: Sequence[Forced]) -> list[list[Forced]]:
    groups: dict[str, list[Forced]] = {}
    for each in found:
        groups.setdefault(each.item, []).append(each)
    return list(groups.values())


def _rate(found: Sequence[Forced], hit: Callable[[Forced], bool]) -> Estimate:
    return tried([(sum(map(hit, group)), len(group)) for group in _by_item(found)])


def injections(
    task: Task[Any], items: Iterable[Item], completions: Mapping[str, str], limit: int
) -> Iterator[tuple[str, tuple[Item, Injection]]]:
    """Of each kind, errors for the first `limit` completed items in which there is a place for one, with names."""
    for kind in KINDS:
        tried = ((item, inject(task, item, completions[item.id], kind)) for item in items if item.id in completions)
        some = ((f"{item.id}/{kind}", (item, found)) for item, found in tried if found)
        yield from islice(some, limit)
