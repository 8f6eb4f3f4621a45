"""Runs of the same items side by side, item by item. Knows results and paired statistics, no model.

Two runs are compared by the difference of the shares that they solve (with its interval, items that are the same
problem drawn together), by McNemar's exact test, and by whose completions backtrack (Fisher's exact test); several
comparisons share an error of 5 % (Holm). Items that ended in an error on either side are left out, and counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from tabulate import tabulate

from aletheia_bench.results import Results
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.statistics import Estimate, difference, fisher, holm, items_for_power, mcnemar
from aletheia_bench.tables import percent
from aletheia_plugins import UsageError

__all__ = ["Comparison", "compare", "pairs", "sentence", "table"]

SHOWN = 3
"""Items that a message names."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs; pairs are (ours, theirs). Of several epochs, tests see the first one, differences all of them."""

    name: str
    """Task and level."""
    ours: str
    theirs: str
    items: int
    solved: Estimate
    """Difference of solve accuracies, from -1 to 1."""
    certified: Estimate
    alone: tuple[int, int]
    """Items that only one of the two solves."""
    p: float
    """McNemar's."""
    adjusted: float
    """The same after Holm, over all comparisons that were made together."""
    needed: int | None
    """Items for a power of 80 % at 5 %, were the difference the one seen; None where none was seen."""
    events: tuple[int, int]
    """Items with a backtrack."""
    events_p: float
    """Fisher's."""
    events_paired_p: float
    """McNemar's, of whose completions backtrack."""
    hard: tuple[str, str]
    """Items with a backtrack, of those whose reference search has a conflict."""
    hard_p: float
    """Fisher's, of these."""
    easy: tuple[str, str]
    """Solved items, of those whose reference search has none."""
    failed: int
    """Items with an error, left out."""


def compare(results: Sequence[Results]) -> list[Comparison]:
    """All pairs of runs of one task and level. Raises UsageError if there is none, or if the items of one differ."""
    for each in results:
        if not each.scores:
            raise UsageError(f"{each.model} on {each.name} has no samples yet: finish that run first.")
    found = [(a, b) for a, b in combinations(results, 2) if a.name == b.name]
    if not found:
        names = ", ".join(sorted({r.name for r in results}))
        raise UsageError(f"There are no two runs of one task and level to compare, only {names}.")
    return pairs(found)


def pairs(chosen: Iterable[tuple[Results, Results]]) -> list[Comparison]:
    """These pairs, with one correction for all of them. Raises UsageError if the items of one differ."""
    found = [_pair(a, b) for a, b in chosen]
    return [replace(c, adjusted=p) for c, p in zip(found, holm([c.p for c in found]), strict=True)]


def _pair(ours: Results, theirs: Results) -> Comparison:
    _same(ours, theirs)
    both = ours.scores, theirs.scores
    failed = {s.item for scores in both for s in scores if s.outcome is Outcome.ERROR}
    kept = [[s for s in scores if s.item not in failed] for scores in both]
    first = [_first(scores) for scores in kept]
    *alone, p = mcnemar(*({s.item: s.outcome is Outcome.SOLVED for s in scores} for scores in first))
    events = [(sum(s.backtracks > 0 for s in scores), len(scores)) for scores in first]
    hard = [_of(scores, lambda s: s.needed > 0, lambda s: s.backtracks > 0) for scores in first]
    easy = [_of(scores, lambda s: not s.needed, lambda s: s.outcome is Outcome.SOLVED) for scores in first]
    *_, paired = mcnemar(*({s.item: s.backtracks > 0 for s in scores} for scores in first))
    return Comparison(
        name=ours.name,
        ours=ours.model,
        theirs=theirs.model,
        items=len(first[0]),
        solved=_difference(kept, lambda s: s.outcome is Outcome.SOLVED),
        certified=_difference(kept, lambda s: s.certified),
        alone=(alone[0], alone[1]),
        p=p,
        adjusted=p,
        needed=items_for_power(alone[0], alone[1], len(first[0])) if first[0] else None,
        events=(events[0][0], events[1][0]),
        events_p=fisher(*events),
        events_paired_p=paired,
        hard=(_part(hard[0]), _part(hard[1])),
        hard_p=fisher(*hard),
        easy=(_part(easy[0]), _part(easy[1])),
        failed=len(failed),
    )


def _first(scores: Iterable[Score]) -> list[Score]:
    """Of each item the first try that there is, in the order of the items."""
    found: dict[str, Score] = {}
    for each in sorted(scores, key=lambda s: s.epoch):
        found.setdefault(each.item, each)
    return [found[item] for item in sorted(found)]


def _same(ours: Results, theirs: Results) -> None:
    """Raises UsageError if two runs did not see the same problems of the same version of the task."""
    versions = [r.config["versions"]["task"] for r in (ours, theirs)]
    if versions[0] != versions[1]:
        raise UsageError(
            f"{ours.model} and {theirs.model} were run on versions {versions[0]} and {versions[1]} of {ours.name}: "
            "run one of them again."
        )
    seen = [{s.item: s.problem for s in r.scores} for r in (ours, theirs)]
    if seen[0] == seen[1]:
        return
    told = [
        f"{len(only)} only in {name} ({_some(only)})"
        for name, only in (
            (ours.model, seen[0].keys() - seen[1].keys()),
            (theirs.model, seen[1].keys() - seen[0].keys()),
        )
        if only
    ]
    other = [item for item in seen[0].keys() & seen[1].keys() if seen[0][item] != seen[1][item]]
    if other:
        told.append(f"{len(other)} are other problems under the same name ({_some(other)})")
    raise UsageError(
        f"{ours.model} and {theirs.model} did not see the same items of {ours.name}: {', '.join(told)}. "
        "Run both with the same options."
    )


def _some(items: Iterable[str]) -> str:
    named = sorted(items)
    return ", ".join(named[:SHOWN]) + (", ..." if len(named) > SHOWN else "")


def _difference(kept: Sequence[Sequence[Score]], hit: Callable[[Score], bool]) -> Estimate:
    """Between the shares of hits, paired on items; items that are the same problem are one cluster."""
    tries: list[dict[str, list[float]]] = [{}, {}]
    for found, scores in zip(tries, kept, strict=True):
        for each in scores:
            found.setdefault(each.item, []).append(float(hit(each)))
    problems: Mapping[str, str] = {s.item: s.problem for s in kept[0]}
    items = list(problems)
    ours, theirs = ([sum(found[item]) / len(found[item]) for item in items] for found in tries)
    return difference(ours, theirs, clusters=[problems[item] for item in items])


def _of(scores: Iterable[Score], kept: Callable[[Score], bool], hit: Callable[[Score], bool]) -> tuple[int, int]:
    """Hits of those that are kept, and how many are."""
    found = [hit(s) for s in scores if kept(s)]
    return sum(found), len(found)


def _part(counts: tuple[int, int]) -> str:
    return f"{counts[0]}/{counts[1]}"


def sentence(c: Comparison) -> str:
    """A comparison in words."""
    return (
        f"{c.name}: solved {percent(c.solved)} more by {c.ours} than by {c.theirs}; by {c.ours} alone {c.alone[0]}, by "
        f"{c.theirs} alone {c.alone[1]} (exact McNemar p = {c.p:.2g}); completions with a backtrack "
        f"{c.events[0]}/{c.items} against {c.events[1]}/{c.items} (Fisher p = {c.events_p:.2g}), where the reference "
        f"has a conflict {c.hard[0]} against {c.hard[1]}; solved where it has none {c.easy[0]} against {c.easy[1]}"
        f"{f'; items with an error, left out: {c.failed}' if c.failed else ''}"
    )


def table(comparisons: Sequence[Comparison], *, style: str = "simple") -> str:
    """One row a pair of runs."""
    rows = [
        [
            c.name, c.ours, c.theirs, c.items, percent(c.solved), percent(c.certified), f"{c.alone[0]}, {c.alone[1]}",
            f"{c.p:.2g}", f"{c.adjusted:.2g}", "n/a" if c.needed is None else c.needed,
            f"{c.events[0]}, {c.events[1]}", f"{c.events_p:.2g}", ", ".join(c.hard), ", ".join(c.easy), c.failed,
        ]
        for c in comparisons
    ]  # fmt: skip
    headers = [
        "task", "A", "B", "items", "solved, A - B", "certified, A - B", "A, B alone", "McNemar p", "Holm p",
        "items for 80 % power", "with backtracks", "Fisher p", "... of those that need one",
        "solved of those that need none", "errors",
    ]  # fmt: skip
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)
