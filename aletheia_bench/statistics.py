"""Estimates with 95 % intervals, and paired tests. Knows numbers, not what they count.

Sources: Wilson (1927) and Clopper and Pearson (1934) intervals, exact McNemar (1947) and Fisher tests, all from scipy.
A rate over claims (conflicts, backtracks) is no rate over independent draws: its interval comes from a bootstrap that
draws items, not claims.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Estimate", "fisher", "mcnemar", "mean", "rate", "share"]

RESAMPLES = 2_000


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
