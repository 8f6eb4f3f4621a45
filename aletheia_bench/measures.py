"""The measures of a run, and its items in groups. Knows scores and estimates, neither samples nor models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from aletheia_bench.checker import Fault
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.statistics import Estimate, mean, pass_at_k, share, tried

__all__ = ["MEASURES", "by_conflicts", "by_size", "line_errors", "measure", "passes"]


def _rate(scores: Sequence[Score], hit: Callable[[Score], bool]) -> Estimate:
    """The share of completions that are hits; an item that was tried several times is drawn as a whole."""
    return tried(_sums(scores, lambda s: (int(hit(s)), 1)))


def _sums(scores: Sequence[Score], pair: Callable[[Score], tuple[int, int]]) -> list[tuple[int, int]]:
    """For each item, the sums of the pairs of its epochs."""
    sums: dict[str, tuple[int, int]] = {}
    for each in scores:
        (a, b), (c, d) = sums.get(each.item, (0, 0)), pair(each)
        sums[each.item] = a + c, b + d
    return list(sums.values())


def _false(scores: Sequence[Score], fault: Fault) -> Estimate:
    """The share of claimed conflicts that have this fault."""
    return share(_sums(scores, lambda s: (s.false_conflicts.count(str(fault)), s.conflicts)))


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
    "hallucinated_conflicts": lambda s: _false(s, Fault.HALLUCINATED),
    "stale_conflicts": lambda s: _false(s, Fault.STALE),
    "satisfied_conflicts": lambda s: _false(s, Fault.SATISFIED),
    "conflict_recall": lambda s: share(_sums(s, lambda x: (x.noticed, x.dead_ends))),
    "backtrack_validity": lambda s: share(_sums(s, lambda x: (x.valid_backtracks, x.backtracks))),
    "decisive_backtrack_rate": lambda s: _rate([x for x in s if x.outcome is Outcome.SOLVED], lambda x: x.decisive),
    "repair_rate": lambda s: _rate([x for x in s if x.valid_backtracks], lambda x: x.outcome is Outcome.SOLVED),
    "first_error_step": lambda s: _mean([x for x in s if x.first_fault], lambda x: x.first_error_step or 0),
    "search_efficiency": lambda s: _mean(
        [x for x in s if x.outcome is Outcome.SOLVED and x.needed_decisions], lambda x: x.decisions / x.needed_decisions
    ),
    "tokens": lambda s: _mean(s, lambda x: x.tokens),
    "seconds": lambda s: _mean(s, lambda x: x.seconds),
    "tokens_per_second": lambda s: _mean([x for x in s if x.seconds > 0], lambda x: x.tokens / x.seconds),
}


class _Needing(Protocol):
    """What belongs to an item."""

    @property
    def needed(self) -> int: ...


N = TypeVar("N", bound=_Needing)

CONFLICTS: Mapping[str, range] = {"0": range(1), "1-2": range(1, 3), "3-5": range(3, 6), "6+": range(6, 1 << 31)}


def by_conflicts(scores: Sequence[N]) -> dict[str, list[N]]:
    """Items by the number of conflicts that their reference search has."""
    return {name: [s for s in scores if s.needed in numbers] for name, numbers in CONFLICTS.items()}


def by_size(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Items by the number of variables that they leave open."""
    return {str(size): [s for s in scores if s.size == size] for size in sorted({s.size for s in scores})}


def measure(scores: Iterable[Score]) -> dict[str, Estimate]:
    """All measures; items that ended in an error are left out of each, and counted among the outcomes."""
    counted = [s for s in scores if s.outcome is not Outcome.ERROR]
    return {name: estimate(counted) for name, estimate in MEASURES.items()}


def passes(scores: Iterable[Score]) -> dict[int, Estimate]:
    """pass@k for the powers of two, and all, of so many tries as items had: the mean over items, unbiased.

    Items with an error in any try are left out.
    """
    found = list(scores)
    failed = {s.item for s in found if s.outcome is Outcome.ERROR}
    tries: dict[str, list[bool]] = {}
    for each in found:
        if each.item not in failed:
            tries.setdefault(each.item, []).append(each.outcome is Outcome.SOLVED)
    most = min(map(len, tries.values()), default=0)
    sizes = sorted({1 << n for n in range(most.bit_length())} | {most}) if most > 1 else []
    return {k: mean([pass_at_k(len(each), sum(each), k) for each in tries.values()]) for k in sizes}


def line_errors(scores: Iterable[Score]) -> dict[str, Estimate]:
    """By the first word of a line: the share of lines that are faulty, of those up to the first fault of their item."""
    counted = [s for s in scores if s.outcome is not Outcome.ERROR]

    def wrong(found: Score, word: str) -> tuple[int, int]:
        return int(found.first_fault is not None and found.lines[-1] == word), found.lines.count(word)

    words = sorted({word for s in counted for word in s.lines})
    return {word: share(_sums(counted, partial(wrong, word=word))) for word in words}
