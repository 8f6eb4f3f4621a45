"""How well probabilities foretell labels. Knows numbers, not who foretells what."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

__all__ = ["auprc", "auroc", "brier", "ece"]

BINS = 10


def auroc(labels: Sequence[bool], scores: Sequence[float]) -> float | None:
    """The chance that a true case is ranked above a false one, ties count half (Mann and Whitney 1947).

    Any scores will do. None where all labels are the same.
    """
    true, given = _arrays(labels, scores)
    positives, negatives = int(true.sum()), int((~true).sum())
    if not positives or not negatives:
        return None
    ranks = stats.rankdata(given)[true].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def auprc(labels: Sequence[bool], scores: Sequence[float]) -> float | None:
    """Average precision as scikit-learn defines it: over falling thresholds, precision times the gain in recall.

    Any scores will do. None where all labels are the same.
    """
    true, given = _arrays(labels, scores)
    if not true.any() or true.all():
        return None
    thresholds, group = np.unique(-given, return_inverse=True)
    found = np.bincount(group, weights=true, minlength=len(thresholds))
    precision = found.cumsum() / np.bincount(group).cumsum()
    return float((precision * found).sum() / true.sum())


def brier(labels: Sequence[bool], probabilities: Sequence[float]) -> float | None:
    """The mean squared distance of probability and label (Brier 1950). None over nothing."""
    true, given = _checked(labels, probabilities)
    return float(((given - true) ** 2).mean()) if len(true) else None


def ece(labels: Sequence[bool], probabilities: Sequence[float]) -> float | None:
    """Expected calibration error (Guo et al. 2017, 1706.04599) over `BINS` equal bins, each with its upper edge.

    Theirs bins the probability of the class that was chosen; this bins that of "true", against the share that is true.
    None over nothing.
    """
    true, given = _checked(labels, probabilities)
    if not len(true):
        return None
    edges = np.arange(1, BINS) / BINS
    gaps = np.bincount(np.searchsorted(edges, given, side="left"), weights=given - true, minlength=BINS)
    return float(np.abs(gaps).sum() / len(true))


def _checked(labels: Sequence[bool], probabilities: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    true, given = _arrays(labels, probabilities)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("A probability is from 0 to 1")
    return true, given


def _arrays(labels: Sequence[bool], scores: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    if len(labels) != len(scores):
        raise ValueError(f"Each label needs a score: {len(labels)} labels, {len(scores)} scores")
    return np.array(labels, dtype=bool), np.array(scores, dtype=float)
