"""Estimates with 95 % intervals, paired tests and what they need. Knows numbers, not what they count.

Sources are named at each function; what scipy has comes from scipy. A rate over claims (conflicts, backtracks) is no
rate over independent draws: the residuals of items, not of claims, say how far it may be off. The cover of every
interval is computed or simulated in tests/bench/test_statistics.py. Nothing here is drawn at random but the signs of
`sign_flip`, and those from a fixed seed.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import optimize, stats

__all__ = [
    "Estimate",
    "difference",
    "fisher",
    "holm",
    "items_for_power",
    "mcnemar",
    "mean",
    "pass_at_k",
    "rate",
    "share",
    "sign_flip",
    "tried",
]

TAIL = 0.025
"""Outside each end of a 95 % interval."""
ROUNDING = 1e-11
"""More than a root is found off: an interval has its ends, and one may be a round number, such as 1/2."""
RESAMPLES = 9_999
MANY = 1_000_000
"""Items from which on a formula is as good as the exact sum, which would take seconds."""

Value: TypeAlias = float | Sequence[float]
"""What an item is worth: a number, or one for each of its epochs."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with a 95 % interval over `n` items or claims; None, never 0, where n is 0; no interval from one."""

    value: float | None
    low: float | None
    high: float | None
    n: int


# --- one figure ---


def rate(hits: int, n: int) -> Estimate:
    """A share of independent items: Blaker's interval (2000), Clopper and Pearson's (1934) where it is 0 or 1.

    Wilson's is a little shorter, and covers 93.6 % at n = 100 and p = 0.1, 92.1 % at p = 0.01; Blaker's never less
    than 95 %, at any rate.
    """
    if n == 0:
        return Estimate(None, None, None, 0)
    if hits in (0, n):
        exact = stats.binomtest(hits, n).proportion_ci(method="exact")
        return Estimate(hits / n, float(exact.low), float(exact.high), n)
    return Estimate(hits / n, _blaker(hits, n), 1 - _blaker(n - hits, n), n)


def _blaker(hits: int, n: int) -> float:
    """The lower limit for 0 < hits < n: the least p that is acceptable (Blaker 2000, Canadian J. Statistics 28, 783).

    p is, if P(X >= hits) and the largest other tail that is no larger sum to 5 %. Below Clopper and Pearson's limit
    none is. From there to where the next larger tail joins, the sum falls and then rises, so it reaches 5 % once or,
    at the latest, where that tail joins.
    """

    def above(p: float) -> float:
        return float(stats.binom.sf(hits - 1, n, p))

    start = float(stats.beta.ppf(TAIL, hits, n - hits + 1))
    tail = int(stats.binom.ppf(TAIL, n, start)) - 1
    joins = optimize.brentq(lambda p: float(stats.binom.cdf(tail + 1, n, p)) - above(p), start, 1)

    def excess(p: float) -> float:
        return above(p) + float(stats.binom.cdf(tail, n, p)) - 2 * TAIL

    limit = float(optimize.brentq(excess, start, joins) if excess(joins) > 0 else joins)
    return max(limit - ROUNDING, start)


def share(parts: Sequence[tuple[int, int]]) -> Estimate:
    """A share of claims, from each item's (hits, claims): Wilson's interval (1927) on the effective number of claims.

    That number is p (1 - p) over the linearised variance of the ratio, as of Korn and Graubard (1998, Survey
    Methodology 24, 193), and no more than the claims; Student's t stands for the normal quantile. Where all or no
    claims are hits, Clopper-Pearson on the number of items, as if each had made one claim.
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
    p, error, t = _ratio(*np.array(claims, dtype=float).T)
    effective = min(n, p * (1 - p) / error**2) if error else n
    square = t**2 / effective
    centre, half = p + square / 2, t * math.sqrt(p * (1 - p) / effective + square / effective / 4)
    return Estimate(hits / n, (centre - half) / (1 + square), (centre + half) / (1 + square), n)


def tried(parts: Sequence[tuple[int, int]]) -> Estimate:
    """A share of tries, from each item's (hits, tries): a rate if each was tried once, else items are drawn whole."""
    if all(n == 1 for _, n in parts):
        return rate(sum(hits for hits, _ in parts), len(parts))
    return share(parts)


def mean(values: Sequence[float]) -> Estimate:
    """A mean over items: the interval of Hall (1992, J. R. Statist. Soc. B 54, 221), and Student's where it is wider.

    Hall's allows for skewness. Without any spread there is no interval, except that where all are 0 the upper limit is
    the exact one for a geometric count (larger than a Poisson count's). Not below 0 where no value is.
    """
    if not values:
        return Estimate(None, None, None, 0)
    n, least = len(values), min(values)
    if least == max(values):
        never = n > 1 and least == 0
        return Estimate(float(least), 0.0 if never else None, TAIL ** (-1 / n) - 1 if never else None, n)
    low, high = _skewed(np.array(values, dtype=float), np.ones(n))
    return Estimate(float(np.mean(values)), max(low, 0.0) if least >= 0 else low, high, n)


def _ratio(sums: np.ndarray, sizes: np.ndarray) -> tuple[float, float, float]:
    """The ratio of two totals over clusters, its standard error by linearisation, and the quantile of t for it.

    Its degrees of freedom are those of the chi square that varies as the sum of squared residuals does (Satterthwaite
    1946): 2 m / (kurtosis - 1), at most m - 1. Three hits among 300 items tell no more of a spread than a few items.
    """
    m = len(sums)
    ratio = sums.sum() / sizes.sum()
    squares = (sums - ratio * sizes) ** 2
    error = math.sqrt(m / (m - 1) * squares.sum()) / sizes.sum()
    spread = squares.sum() ** 2  # 0 also where a square is too small for a float
    kurtosis = m * (squares**2).sum() / spread if spread else 1.0
    freedom = 2 * m / max(kurtosis - 1, 2 * m / (m - 1))
    return float(ratio), float(error), float(stats.t.ppf(1 - TAIL, freedom))


def _skewed(sums: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The hull of Student's interval for a ratio and of Hall's, whose cubic has an inverse in closed form."""
    m = len(sums)
    ratio, error, t = _ratio(sums, sizes)
    residuals = sums - ratio * sizes
    skew, spread = 0.0, (residuals**2).mean() ** 1.5
    if m > 2 and spread:
        skew = (residuals**3).mean() / spread * math.sqrt(m * (m - 1)) / (m - 2)
    offset, root = error * t, math.sqrt(m)
    if abs(skew) < 1e-6:
        return ratio - offset, ratio + offset
    low, high = (
        ratio - error * root * 3 / skew * (np.cbrt(1 + skew * (q / root - skew / (6 * m))) - 1) for q in (t, -t)
    )
    return float(min(low, ratio - offset)), float(max(high, ratio + offset))


# --- two on the same items ---


def difference(
    ours: Sequence[Value], theirs: Sequence[Value], *, clusters: Sequence[Hashable] | None = None
) -> Estimate:
    """The mean over items of ours - theirs; items with one key in `clusters` are one draw, as are an item's epochs.

    Where all values are from 0 to 1, one item that only we solve and one that only they solve are added before the
    interval is made (Bonett and Price 2012, J. Educ. Behav. Statist. 37, 479), so that it has a width even where all
    items are ties. Other amounts have the interval of `mean`, and none without a spread. None from one cluster.
    """
    gaps, shares = _gaps(ours, theirs)
    if not len(gaps):
        return Estimate(None, None, None, 0)
    value, n = float(gaps.mean()), len(gaps)
    sums, sizes = _clustered(gaps, clusters)
    if len(sums) == 1 or not (shares or np.ptp(gaps)):
        return Estimate(value, None, None, n)
    if not shares:
        return Estimate(value, *_skewed(sums, sizes), n)
    centre, error, t = _ratio(np.append(sums, [1, -1]), np.append(sizes, [1, 1]))
    return Estimate(value, max(centre - t * error, -1.0), min(centre + t * error, 1.0), n)


def sign_flip(ours: Sequence[Value], theirs: Sequence[Value], *, clusters: Sequence[Hashable] | None = None) -> float:
    """Two-sided p of Fisher's randomisation test (1935) for paired means: within each cluster the sides may be swapped.

    Exact up to 13 clusters that differ; beyond, from `RESAMPLES` draws, the data counted among them.
    """
    sums, _ = _clustered(_gaps(ours, theirs)[0], clusters)
    differing = sums[sums != 0]
    if len(differing) < 2:
        return 1.0
    found = stats.permutation_test(
        (differing,), np.sum, permutation_type="samples", n_resamples=RESAMPLES, batch=1_000, random_state=0
    )
    return float(found.pvalue)


def _gaps(ours: Sequence[Value], theirs: Sequence[Value]) -> tuple[np.ndarray, bool]:
    """Ours - theirs for each item, and whether both are shares of 1."""
    if len(ours) != len(theirs):
        raise ValueError(f"A paired comparison needs the same items on both sides, not {len(ours)} and {len(theirs)}")
    means = np.array([[_worth(value) for value in side] for side in (ours, theirs)])
    return means[0] - means[1], bool(((means >= 0) & (means <= 1)).all())


def _worth(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else float(np.mean(value))


def _clustered(gaps: np.ndarray, clusters: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray]:
    """Each cluster's sum and number of items, in the order of first items; without keys each item is a cluster."""
    if clusters is None:
        return gaps, np.ones(len(gaps))
    if len(clusters) != len(gaps):
        raise ValueError(f"Each of {len(gaps)} items needs the key of its cluster, not {len(clusters)} keys")
    sums: dict[Hashable, list[float]] = {}
    for key, gap in zip(clusters, gaps, strict=True):
        sums.setdefault(key, []).append(float(gap))
    return np.array([sum(part) for part in sums.values()]), np.array([float(len(part)) for part in sums.values()])


def mcnemar(ours: Mapping[str, bool], theirs: Mapping[str, bool]) -> tuple[int, int, float]:
    """Items that only one of two solves, (ours, theirs), and the exact two-sided p; both judged the same items."""
    if ours.keys() != theirs.keys():
        raise ValueError("McNemar's test needs the same items on both sides")
    only_ours = sum(ours[item] and not theirs[item] for item in ours)
    only_theirs = sum(theirs[item] and not ours[item] for item in ours)
    n = only_ours + only_theirs
    return only_ours, only_theirs, float(stats.binomtest(only_ours, n).pvalue) if n else 1.0


def items_for_power(only_ours: int, only_theirs: int, n: int, *, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Paired items with which the exact McNemar test has that power, if what was seen on n items is the truth.

    One item fewer has less. The search begins at the normal formula of Connor (1987, Biometrics 43, 207), which stands
    alone beyond `MANY` items. None where no difference was seen. What was seen is no more than an estimate: items
    enough for it may be far too few for the truth.
    """
    if n == 0 or only_ours == only_theirs:
        return None
    gap, discordant = abs(only_ours - only_theirs) / n, (only_ours + only_theirs) / n
    ours = only_ours / (only_ours + only_theirs)
    alike, apart = float(stats.norm.ppf(1 - alpha / 2)), float(stats.norm.ppf(power))
    connor = (alike * math.sqrt(discordant) + apart * math.sqrt(discordant - gap**2)) ** 2 / gap**2
    short, enough = 0, math.ceil(connor)
    if enough > MANY:
        return enough
    while _mcnemar_power(enough, discordant, ours, alpha=alpha) < power:
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        if _mcnemar_power(middle, discordant, ours, alpha=alpha) < power:
            short = middle
        else:
            enough = middle
    return enough


def _mcnemar_power(n: int, discordant: float, ours: float, *, alpha: float) -> float:
    """That of the exact two-sided test on n items: a share of them is discordant, and of those a share is ours."""
    m = np.arange(stats.binom.ppf(1e-9, n, discordant), stats.binom.ppf(1 - 1e-9, n, discordant) + 1)
    edge = stats.binom.ppf(alpha / 2, m, 0.5)
    rejected = edge - (stats.binom.cdf(edge, m, 0.5) > alpha / 2)
    found = stats.binom.cdf(rejected, m, ours) + stats.binom.sf(m - rejected - 1, m, ours)
    return float((stats.binom.pmf(m, n, discordant) * found).sum())


# --- others ---


def fisher(ours: tuple[int, int], theirs: tuple[int, int]) -> float:
    """Fisher's exact two-sided p for two (events, items)."""
    table = np.array([[events, n - events] for events, n in (ours, theirs)])
    return float(stats.fisher_exact(table).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p adjusted for their number, in the given order (Holm 1979, Scand. J. Statist. 6, 65)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.array(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(p) for p in adjusted]


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that one of k tries is right, without bias, from n tries with c right (Chen et al. 2021).

    arXiv 2107.03374, equation 1; in whole numbers, so that nothing is lost where they are large.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs k from 1 to the number of tries, {n}")
    if not 0 <= c <= n:
        raise ValueError(f"{c} right tries of {n}")
    every = math.comb(n, k)
    return (every - math.comb(n - c, k)) / every
