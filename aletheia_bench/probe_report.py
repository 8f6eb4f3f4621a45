"""The measures of answers to a bank of states, as a table and results.json. Knows answers, neither models nor tasks.

Every figure is over prompts, and its interval over problems: what a model says of one problem's states, and of one
state reached in several ways, is not independent.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from scipy import special, stats
from tabulate import tabulate

from aletheia_bench.classification import auprc, auroc, brier, ece
from aletheia_bench.probing import Answered
from aletheia_bench.runs import Run
from aletheia_bench.statistics import Estimate, mean, share
from aletheia_bench.tables import number, percent
from aletheia_plugins import CorpusError

__all__ = ["Results", "measure", "table", "write"]

Figure = Callable[[Sequence[bool], Sequence[float]], float | None]

COLUMNS: Mapping[str, str] = {
    "false_backtrack_rate": "false backtracks α",
    "missed_backtrack_rate": "missed backtracks β",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "ece": "ECE",
    "brier": "Brier",
    "same_state_agreement": "same state, same word",
    "same_state_spread": "spread",
}
PERCENT = ("false_backtrack_rate", "missed_backtrack_rate", "same_state_agreement")


@dataclass(frozen=True, slots=True)
class _Said:
    """What a model says of a state: after each prompt, whether a conflict is the likeliest word, and its share."""

    dead: bool
    size: int
    """Literals."""
    claims: tuple[bool, ...]
    p: tuple[float, ...]


def measure(answers: Iterable[Answered]) -> dict[str, Estimate]:
    """All measures; prompts that left no room for an answer are left out of each."""
    items: dict[str, list[_Said]] = {}
    for each in answers:
        rows = [row for row in each["log_likelihoods"] if row is not None]
        p = [value for value in each["p"] if value is not None]
        claims = tuple(first > max(others) for first, *others in rows)
        items.setdefault(each["item"], []).append(_Said(each["dead"], len(each["state"]), claims, tuple(p)))
    groups = list(items.values())
    several = [[s for s in group if len(s.claims) > 1] for group in groups]
    spreads = [[max(s.p) - min(s.p) for s in group] for group in several if group]
    return {
        "false_backtrack_rate": share([_claims(group, dead=False) for group in groups]),
        "missed_backtrack_rate": share([(n - hits, n) for hits, n in (_claims(g, dead=True) for g in groups)]),
        **{figure.__name__: _pooled(groups, figure) for figure in (auroc, auprc)},
        "brier": _brier(groups),
        "ece": replace(_pooled(groups, ece), low=None, high=None),  # too large, the more so the fewer are in a bin
        "same_state_agreement": share([(sum(len(set(s.claims)) == 1 for s in g), len(g)) for g in several]),
        "same_state_spread": mean([float(np.mean(values)) for values in spreads]),
        "size_auroc": _pooled([[_Said(s.dead, s.size, (), (s.size,)) for s in group] for group in groups], auroc),
    }


def _claims(group: Sequence[_Said], *, dead: bool) -> tuple[int, int]:
    """Claimed conflicts in the states of one problem that are dead, or alive, and how many could be."""
    said = [claim for each in group if each.dead is dead for claim in each.claims]
    return sum(said), len(said)


def _pooled(groups: Sequence[Sequence[_Said]], figure: Figure) -> Estimate:
    """A figure of all prompts together; its interval from what it is without each of the problems.

    Tukey's jackknife on log odds, which keeps it between 0 and 1, with Student's t; for AUROC, see Obuchowski (1997) on
    clustered data. There is none without spread, for a figure of 0 or 1, or where one problem has all of a class.
    """
    pairs = [[(s.dead, p) for s in group for p in s.p] for group in groups]

    def value(some: Iterable[Sequence[tuple[bool, float]]]) -> float | None:
        together = list(chain.from_iterable(some))
        return figure([dead for dead, _ in together], [p for _, p in together])

    found, n, size = value(pairs), sum(map(len, pairs)), len(pairs)
    without = [value(pairs[:i] + pairs[i + 1 :]) for i in range(size)]
    inside = [each for each in without if each is not None and 0 < each < 1]
    if found is None or size < 2 or len(inside) < size or max(inside) == min(inside):
        return Estimate(found, None, None, n)
    error = math.sqrt((size - 1) * np.var(special.logit(inside)))
    reach = stats.t.ppf(0.975, size - 1) * error
    low, high = special.expit(special.logit(found) + np.array([-reach, reach]))
    return Estimate(found, float(low), float(high), n)


def _brier(groups: Sequence[Sequence[_Said]]) -> Estimate:
    """Of all prompts together; its interval is that of a mean over problems, each with what it adds to the ratio."""
    pairs = [[(s.dead, p) for s in group for p in s.p] for group in groups]
    found = brier([dead for pair in pairs for dead, _ in pair], [p for pair in pairs for _, p in pair])
    n = sum(map(len, pairs))
    if found is None:
        return Estimate(None, None, None, 0)
    sums = [sum((p - dead) ** 2 - found for dead, p in pair) for pair in pairs]
    return replace(mean([found + each * len(pairs) / n for each in sums]), value=found, n=n)


@dataclass(frozen=True, slots=True)
class Results:
    """A directory of answers, measured."""

    name: str
    """Task and level."""
    model: str
    config: Mapping[str, Any]
    states: int
    unread: int
    """Prompts that left no room for an answer."""
    estimates: Mapping[str, Estimate]

    @classmethod
    def of(cls, run: Run) -> "Results":
        """Everything recomputed from the answers."""
        config = run.config("probes")
        options = config["probes"]
        answers: list[Any] = list(run.lines())
        try:
            unread = sum(row is None for each in answers for row in each["log_likelihoods"])
            estimates = measure(answers)
        except (KeyError, TypeError, ValueError) as error:
            raise CorpusError(
                f"{run.path / run.name} has lines that are no answers ({error!r}): use --fresh."
            ) from error
        name = f"{options['task']}-{options['level']}"
        return cls(name, config["card"]["name"], config, len(answers), unread, estimates)


def table(results: Iterable[Results]) -> str:
    """One row for each model and level: each measure with its 95 % interval."""
    rows = [[r.name, r.model, r.states, *(_cell(name, r.estimates[name]) for name in COLUMNS)] for r in results]
    return tabulate(rows, headers=["task", "model", "states", *COLUMNS.values()], disable_numparse=True)


def _cell(name: str, estimate: Estimate) -> str:
    return percent(estimate) if name in PERCENT else number(estimate, ".3f")


def write(results: Results, run: Run) -> None:
    """results.json beside the answers, shaped as that of a run."""
    metrics: dict[str, Any] = {"alias": results.name}
    for name, estimate in results.estimates.items():
        metrics[f"{name},none"] = estimate.value
        metrics[f"{name}_ci95,none"] = [estimate.low, estimate.high]
        metrics[f"{name}_n,none"] = estimate.n
    content = {
        "results": {results.name: metrics},
        "versions": {results.name: results.config["versions"]["task"]},
        "n-samples": {results.name: {"original": results.states, "effective": results.states}},
        "unread": {results.name: results.unread},
        "config": results.config,
        "hashes": results.config["hashes"],
    }
    run.write("results.json", json.dumps(content, indent=2) + "\n")
