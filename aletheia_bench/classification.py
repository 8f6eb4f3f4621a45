"""How well probabilities tell two classes apart. Knows labels and numbers, not what they are of."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

__all__ = ["auprc", "auroc", "brier", "ece"]

BINS = 10


def auroc(labels: Sequence[bool], probabilities: Sequence[float]) -> float | None:
    """Area under the ROC curve: how often one of the class has more than one that is not; a tie is half a hit."""
    true = np.asarray(labels, dtype=bool)
    inside = int(true.sum())
    outside = len(true) - inside
    if not inside or not outside:
        return None
    ranks = stats.rankdata(probabilities)[true].sum()
    return float((ranks - inside * (inside + 1) / 2) / (inside * outside))


def auprc(labels: Sequence[bool], probabilities: Sequence[float]) -> float | None:
    """Average precision: the precision at each threshold, weighted with the recall that it adds."""
    true, found = np.asarray(labels, dtype=bool), np.asarray(probabilities, dtype=float)
    if not true.any():
        return None
    order = np.argsort(-found, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(found[order])), len(found) - 1)  # equal ones pass a threshold together
    hits = np.cumsum(true[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / true.sum())


def ece(labels: Sequence[bool], probabilities: Sequence[float], bins: int = BINS) -> float | None:
    """Expected calibration error: the mean distance of probability and frequency, over bins of equal width."""
    true, found = np.asarray(labels, dtype=float), np.asarray(probabilities, dtype=float)
    if not len(true):
        return None
    places = np.minimum((found * bins).astype(int), bins - 1)
    gaps = np.bincount(places, weights=found - true, minlength=bins)
    return float(np.abs(gaps).sum() / len(true))


def brier(labels: Sequence[bool], probabilities: Sequence[float]) -> float | None:
    """The mean squared distance of probability and truth (Brier, 1950)."""
    if not len(labels):
        return None
    return float(np.mean((np.asarray(labels, dtype=float) - np.asarray(probabilities, dtype=float)) ** 2))
