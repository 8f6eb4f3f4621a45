"""Figures for probabilities of labels, against brute force and figures worked out by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st

from aletheia_bench.classification import auprc, auroc, brier, ece

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 20).map(lambda k: k / 20)), min_size=1, max_size=25)
FIGURES = (auroc, auprc, brier, ece)


@given(CASES)
def test_auroc_is_the_share_of_pairs_in_the_right_order(cases):
    true = [p for label, p in cases if label]
    false = [p for label, p in cases if not label]
    wins = [(t > f) + (t == f) / 2 for t, f in product(true, false)]
    assert auroc(*zip(*cases, strict=True)) == (pytest.approx(np.mean(wins)) if wins else None)


@given(CASES)
def test_auprc_sums_precision_over_gains_in_recall(cases):
    labels, given_ = zip(*cases, strict=True)
    if len(set(labels)) == 1:
        assert auprc(labels, given_) is None
        return
    area, recalled = 0.0, 0.0
    for threshold in sorted(set(given_), reverse=True):
        chosen = [label for label, p in cases if p >= threshold]
        recall = sum(chosen) / sum(labels)
        area += (recall - recalled) * sum(chosen) / len(chosen)
        recalled = recall
    assert auprc(labels, given_) == pytest.approx(area)


def test_auprc_is_the_figure_in_scikit_learns_documentation():
    assert auprc([False, False, True, True], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.8333, abs=5e-5)
    assert auroc([False, False, True, True], [0.1, 0.4, 0.35, 0.8]) == 0.75


@given(CASES)
def test_ece_is_the_mean_gap_of_ten_bins(cases):
    gap = 0.0
    for k in range(10):
        members = [(label, p) for label, p in cases if k / 10 < p <= (k + 1) / 10 or (k == 0 and p == 0)]
        if members:
            gap += abs(sum(label for label, _ in members) - sum(p for _, p in members)) / len(cases)
    assert ece(*zip(*cases, strict=True)) == pytest.approx(gap)


@given(CASES)
def test_briers_figure_is_the_mean_square(cases):
    assert brier(*zip(*cases, strict=True)) == pytest.approx(sum((p - label) ** 2 for label, p in cases) / len(cases))


def test_a_perfect_forecast_and_one_that_knows_nothing():
    labels = [True, False] * 5
    assert [figure(labels, [float(label) for label in labels]) for figure in FIGURES] == [1, 1, 0, 0]
    assert [figure(labels, [0.5] * 10) for figure in FIGURES] == [0.5, 0.5, 0.25, 0]


@pytest.mark.parametrize("label", [True, False])
def test_one_class_alone_has_no_ranking(label):
    assert auroc([label] * 3, [0.1, 0.2, 0.3]) is auprc([label] * 3, [0.1, 0.2, 0.3]) is None
    assert brier([label], [0.5]) == 0.25
    assert ece([label], [0.5]) == 0.5


def test_nothing_has_no_figure():
    assert [figure([], []) for figure in FIGURES] == [None] * 4


@pytest.mark.parametrize("figure", FIGURES)
def test_what_is_no_probability_is_an_error(figure):
    with pytest.raises(ValueError) as caught:
        figure([True], [0.1, 0.2])
    assert str(caught.value) == "Each label needs a score: 1 labels, 2 scores"
    for wrong in (-0.1, 1.1, float("nan")) if figure in (brier, ece) else ():
        with pytest.raises(ValueError) as caught:
            figure([True], [wrong])
        assert str(caught.value) == "A probability is from 0 to 1"
