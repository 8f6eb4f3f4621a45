"""Measures of a run, computed by replaying its completions with the checker. Knows samples and statistics, no model.

Sources: Wilson (1927) and Clopper and Pearson (1934) intervals, exact McNemar (1947) and Fisher tests, all from scipy.
A rate over claims (conflicts, backtracks) is no rate over independent draws: its interval comes from a bootstrap that
draws items, not claims.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from aletheia_bench.checker import Checker, Judgement, Review, review
from aletheia_bench.evaluate import Sample
from aletheia_plugins import Answer, Backtrack, Conflict, Imply, State, Task, Verdict

__all__ = [
    "MEASURES",
    "Estimate",
    "Outcome",
    "Score",
    "by_conflicts",
    "by_size",
    "fisher",
    "line_errors",
    "mcnemar",
    "measure",
    "score",
]

RESAMPLES = 2_000


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


# --- estimates ---


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with a 95 % interval over `n` items or claims; None, never 0, where n is 0; no interval from one."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def rate(hits: int, n: int) -> Estimate:
    """A share of independent items: Wilson's interval, Clopper-Pearson's where it is 0 or 1."""
    if n == 0:
        return Estimate(None, None, None, 0)
    interval = stats.binomtest(hits, n).proportion_ci(method="exact" if hits in (0, n) else "wilson")
    return Estimate(hits / n, float(interval.low), float(interval.high), n)


def share(parts: Sequence[tuple[int, int]]) -> Estimate:
    """A share of claims, from each item's (hits, claims): a bootstrap over items with claims.

    Where all or no claims are hits, Clopper-Pearson on the number of items, as if each had made one claim.
    """
    claims = [(hits, n) for hits, n in parts if n]
    hits, n = (sum(column) for column in zip(*claims, strict=True)) if claims else (0, 0)
    if n == 0:
        return Estimate(None, None, None, 0)
    if hits in (0, n):
        bounds = rate(len(claims) if hits else 0, len(claims))
        return Estimate(hits / n, bounds.low, bounds.high, n)
    if len(claims) == 1:
        return Estimate(hits / n, None, None, n)
    draws = _resample(np.array(claims, dtype=float)).sum(axis=1)
    low, high = np.quantile(draws[:, 0] / draws[:, 1], [0.025, 0.975])
    return Estimate(hits / n, float(low), float(high), n)


def mean(values: Sequence[float]) -> Estimate:
    """A mean over items, with a bootstrap interval."""
    if not values:
        return Estimate(None, None, None, 0)
    if len(values) == 1:
        return Estimate(values[0], None, None, 1)
    low, high = np.quantile(_resample(np.array(values, dtype=float)).mean(axis=1), [0.025, 0.975])
    return Estimate(float(np.mean(values)), float(low), float(high), len(values))


def _resample(rows: np.ndarray) -> np.ndarray:
    """`RESAMPLES` draws with replacement of as many rows; the same draws for the same number of rows."""
    picks = np.random.default_rng(len(rows)).integers(0, len(rows), (RESAMPLES, len(rows)))
    return rows[picks]


def _rate(scores: Sequence[Score], hit: Callable[[Score], bool]) -> Estimate:
    """The share of completions that are hits; an item that was tried several times is drawn as a whole."""
    tries = _sums(scores, lambda s: (int(hit(s)), 1))
    if all(n == 1 for _, n in tries):
        return rate(sum(hits for hits, _ in tries), len(tries))
    return share(tries)


def _sums(scores: Sequence[Score], pair: Callable[[Score], tuple[int, int]]) -> list[tuple[int, int]]:
    """For each item, the sums of the pairs of its epochs."""
    sums: dict[str, tuple[int, int]] = {}
    for each in scores:
        (a, b), (c, d) = sums.get(each.item, (0, 0)), pair(each)
        sums[each.item] = a + c, b + d
    return list(sums.values())


def _mean(scores: Sequence[Score], value: Callable[[Score], float]) -> Estimate:
    """The mean over items of their mean over epochs."""
    values: dict[str, list[float]] = {}
    for each in scores:
        values.setdefault(each.item, []).append(value(each))
    return mean([float(np.mean(tries)) for tries in values.values()])


MEASURES: Mapping[str, Callable[[Sequence[Score]], Estimate]] = {
    "solve_accuracy": lambda s: _rate(s, lambda x: x.outcome is Outcome.SOLVED),
    "certified_accuracy": lambda s: _rate(s, lambda x: x.certified),
    "backtrack_event_rate": lambda s: _rate(s, lambda x: x.backtracks > 0),
    "backtracks_per_item": lambda s: _mean(s, lambda x: x.backtracks),
    "conflict_precision": lambda s: share(_sums(s, lambda x: (x.real_conflicts, x.conflicts))),
    "conflict_recall": lambda s: share(_sums(s, lambda x: (x.noticed, x.dead_ends))),
    "backtrack_validity": lambda s: share(_sums(s, lambda x: (x.valid_backtracks, x.backtracks))),
    "tokens": lambda s: _mean(s, lambda x: x.tokens),
    "seconds": lambda s: _mean(s, lambda x: x.seconds),
}


CONFLICTS: Mapping[str, range] = {"0": range(1), "1-2": range(1, 3), "3-5": range(3, 6), "6+": range(6, 1 << 31)}


def by_conflicts(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Items by the number of conflicts that their reference search has."""
    return {name: [s for s in scores if s.needed in numbers] for name, numbers in CONFLICTS.items()}


def by_size(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Items by the number of variables that they leave open."""
    return {str(size): [s for s in scores if s.size == size] for size in sorted({s.size for s in scores})}


def measure(scores: Iterable[Score]) -> dict[str, Estimate]:
    """All measures; items that ended in an error are left out of each, and counted among the outcomes."""
    counted = [s for s in scores if s.outcome is not Outcome.ERROR]
    return {name: estimate(counted) for name, estimate in MEASURES.items()}


def line_errors(scores: Iterable[Score]) -> dict[str, Estimate]:
    """By the first word of a line: the share of lines that are faulty, of those up to the first fault of their item."""
    counted = [s for s in scores if s.outcome is not Outcome.ERROR]

    def wrong(found: Score, word: str) -> tuple[int, int]:
        return int(found.first_fault is not None and found.lines[-1] == word), found.lines.count(word)

    words = sorted({word for s in counted for word in s.lines})
    return {word: share(_sums(counted, partial(wrong, word=word))) for word in words}


def mcnemar(ours: Mapping[str, bool], theirs: Mapping[str, bool]) -> tuple[int, int, float]:
    """Items that only one of two solves, (ours, theirs), and the exact two-sided p; both judged the same items."""
    if ours.keys() != theirs.keys():
        raise ValueError("McNemar's test needs the same items on both sides")
    only_ours = sum(ours[item] and not theirs[item] for item in ours)
    only_theirs = sum(theirs[item] and not ours[item] for item in ours)
    n = only_ours + only_theirs
    return only_ours, only_theirs, float(stats.binomtest(only_ours, n).pvalue) if n else 1.0


def fisher(ours: tuple[int, int], theirs: tuple[int, int]) -> float:
    """Fisher's exact two-sided p for two (events, items)."""
    table = np.array([[events, n - events] for events, n in (ours, theirs)])
    return float(stats.fisher_exact(table).pvalue)
