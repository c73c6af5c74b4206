"""Calibration against its definitions row by row, scikit-learn's Brier score and curve, and chance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.calibration import Calibration, calibration

Floats = npt.NDArray[np.float64]
PROBABILITY = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.floats(0, 1))
ROWS = st.lists(st.tuples(st.booleans(), PROBABILITY), min_size=1, max_size=80)
BINS = st.sampled_from([1, 2, 7, 15, 100])


def columns(rows: list[tuple[bool, float]]) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Spell rows as columns."""
    return np.array([y for y, _ in rows]), np.array([p for _, p in rows])


def recomposed(ours: Calibration) -> float:
    """Add up the parts."""
    return ours.reliability - ours.resolution + ours.uncertainty + ours.within_variance - ours.within_covariance


def test_worked_by_hand() -> None:
    """Six rows in two bins of three, worked by hand from the definitions."""
    y, p = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8]
    ours = calibration(y, p, bins=2)
    assert ours.counts.tolist() == [3, 3]
    assert ours.predicted == pytest.approx([0.2, 0.7])
    assert ours.observed == pytest.approx([1 / 3, 2 / 3])
    assert ours.ece == pytest.approx((2 / 15 + 1 / 30) / 2)
    assert ours.reliability == pytest.approx(((2 / 15) ** 2 + (1 / 30) ** 2) / 2)
    assert ours.resolution == pytest.approx((1 / 6) ** 2)
    assert ours.uncertainty == pytest.approx(1 / 4)
    assert ours.within_variance == pytest.approx(0.02 / 3)
    assert ours.within_covariance == pytest.approx(2 * (0.1 + 0.1) / 6)
    assert ours.brier == pytest.approx((0.01 + 0.04 + 0.49 + 0.36 + 0.09 + 0.04) / 6)


@given(ROWS, BINS)
def test_the_parts_add_up(rows: list[tuple[bool, float]], bins: int) -> None:
    """Reliability − resolution + uncertainty + the terms within bins is the Brier score, to 1e-12; scikit-learn's."""
    y, p = columns(rows)
    ours = calibration(y, p, bins=bins)
    assert recomposed(ours) == pytest.approx(ours.brier, abs=1e-12)
    assert ours.brier == pytest.approx(brier_score_loss(y, p, labels=[False, True]), abs=1e-12)
    assert min(ours.reliability, ours.resolution, ours.uncertainty, ours.within_variance, ours.ece) >= 0
    assert ours.ece <= 1


@given(ROWS, BINS)
def test_bin_by_bin(rows: list[tuple[bool, float]], bins: int) -> None:
    """Bins follow each other in the order of probability, hold every row once, and are what their rows average to."""
    ours = calibration(*columns(rows), bins=bins)
    ordered = sorted(rows, key=lambda row: row[1])
    assert ours.n == sum(ours.counts) == len(rows)
    assert 1 <= len(ours.counts) <= bins
    assert min(ours.counts) >= 1
    ends = np.cumsum(ours.counts).tolist()
    ece = reliability = resolution = variance = covariance = 0.0
    rate = sum(y for y, _ in rows) / len(rows)
    for k, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        inside = ordered[start:end]
        if end < len(rows):
            assert ordered[end - 1][1] < ordered[end][1], "a tie was split"
        mean, share = sum(p for _, p in inside) / len(inside), sum(y for y, _ in inside) / len(inside)
        assert (ours.predicted[k], ours.observed[k]) == pytest.approx((mean, share), abs=1e-12)
        ece += len(inside) / len(rows) * abs(mean - share)
        reliability += len(inside) / len(rows) * (mean - share) ** 2
        resolution += len(inside) / len(rows) * (share - rate) ** 2
        variance += sum((p - mean) ** 2 for _, p in inside) / len(rows)
        covariance += 2 * sum((p - mean) * (y - share) for y, p in inside) / len(rows)
    assert ours.ece == pytest.approx(ece, abs=1e-12)
    assert ours.reliability == pytest.approx(reliability, abs=1e-12)
    assert ours.resolution == pytest.approx(resolution, abs=1e-12)
    assert ours.within_variance == pytest.approx(variance, abs=1e-12)
    assert ours.within_covariance == pytest.approx(covariance, abs=1e-12)


@given(st.integers(1, 300), BINS, st.integers(0, 2**32))
def test_equal_mass_without_ties(n: int, bins: int, seed: int) -> None:
    """Without ties no two bins differ by more than one row."""
    rng = np.random.default_rng(seed)
    counts = calibration(rng.random(n) < 0.5, rng.permutation(n) / n, bins=bins).counts
    assert counts.size == min(n, bins)
    assert np.ptp(counts) <= 1


@example([(True, 0.0)] * 40 + [(False, 0.2), (True, 0.7)])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.7, 1.0])), min_size=1, max_size=60))
def test_few_scores_are_bins_of_their_own(rows: list[tuple[bool, float]]) -> None:
    """No more distinct probabilities than bins: each is a bin, nothing is left within, and Murphy's three parts do."""
    ours = calibration(*columns(rows))
    assert ours.predicted == pytest.approx(sorted({p for _, p in rows}), abs=1e-15)
    assert ours.within_variance == pytest.approx(0, abs=1e-30)
    assert ours.within_covariance == pytest.approx(0, abs=1e-15)
    assert ours.reliability - ours.resolution + ours.uncertainty == pytest.approx(ours.brier, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=20, max_size=80))
def test_a_tie_goes_where_its_middle_is(rows: list[tuple[bool, int]]) -> None:
    """With more distinct values than bins, a row's bin is that of its midrank, by SciPy, bins passed over left out."""
    y, p = columns([(truth, score / 12) for truth, score in rows])
    twice_midrank = (2 * stats.rankdata(p)).astype(int)
    chosen = 5 * (twice_midrank - 1) // (2 * p.size)
    if np.unique(p).size > 5:
        assert calibration(y, p, bins=5).counts.tolist() == np.unique(chosen, return_counts=True)[1].tolist()


def test_curve_is_scikit_learns() -> None:
    """On rows that fill bins evenly the curve is scikit-learn's quantile curve."""
    rng = np.random.default_rng(0)
    p = rng.permutation(1500) / 1500
    y = rng.random(1500) < p**2
    ours = calibration(y, p)
    observed, predicted = calibration_curve(y, p, n_bins=15, strategy="quantile")
    assert ours.counts.tolist() == [100] * 15
    assert ours.predicted == pytest.approx(predicted, rel=1e-12)
    assert ours.observed == pytest.approx(observed, rel=1e-12)


@given(ROWS, BINS, st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(rows: list[tuple[bool, float]], bins: int, shuffle: object) -> None:
    """Shuffling the rows changes nothing but rounding."""
    ours = calibration(*columns(rows), bins=bins)
    shuffle.shuffle(rows)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    theirs = calibration(*columns(rows), bins=bins)
    assert ours.counts.tolist() == theirs.counts.tolist()
    assert ours.ece == pytest.approx(theirs.ece, abs=1e-12)
    assert ours.brier == pytest.approx(theirs.brier, abs=1e-12)


def test_perfect_and_useless() -> None:
    """Certain and right: all zero but resolution, which is the uncertainty; the base rate: neither is gained."""
    y = np.array([0, 1, 1, 0, 1], dtype=bool)
    certain = calibration(y, y.astype(float))
    assert (certain.brier, certain.ece, certain.reliability) == (0, 0, 0)
    assert certain.resolution == pytest.approx(0.24)
    assert certain.uncertainty == pytest.approx(0.24)
    useless = calibration(y, np.full(5, 0.6))
    assert useless.ece == pytest.approx(0, abs=1e-15)
    assert useless.resolution == 0
    assert useless.brier == pytest.approx(useless.uncertainty)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5])
def test_ece_of_a_calibrated_model_is_chance(p: float) -> None:
    """In bins of 20 rows of one true probability, the mean ECE is a binomial share's mean distance, by summing it."""
    values = p + np.arange(15) * 1e-9  # fifteen bins
    expected = float(np.abs(np.arange(21) / 20 - p) @ stats.binom.pmf(np.arange(21), 20, p))
    rng, column = np.random.default_rng(1), np.repeat(values, 20)
    drawn = [calibration(rng.random(300) < column, column).ece for _ in range(1000)]
    assert np.mean(drawn) == pytest.approx(expected, abs=5 * float(np.std(drawn)) / math.sqrt(1000))


def test_sharper_calibrated_models_have_less_ece() -> None:
    """Of two calibrated models at a thousand rows the sharper has the smaller ECE: a bias, which decides nothing."""
    rng = np.random.default_rng(2)
    means = []
    for shape in (4.0, 0.3):
        p = rng.beta(shape, shape, (200, 1000))
        means.append(float(np.mean([calibration(rng.random(1000) < row, row).ece for row in p])))
    assert means[0] > 0.035
    assert 0.01 < means[1] < 0.03


def test_refusals() -> None:
    """What is no probability, no truth, no row or no bin is refused by name."""
    with pytest.raises(InvalidInputError, match=r"probabilities must be in \[0, 1\], got -0\.1 \(first: row 2; 1 row"):
        calibration([0, 1], [0.5, -0.1])
    with pytest.raises(InvalidInputError, match=r"probabilities must be finite, got nan"):
        calibration([0, 1], [0.5, math.nan])
    with pytest.raises(InvalidInputError, match=r"positive must be booleans, or 0 and 1, got 3 in row 1"):
        calibration([3, 1], [0.5, 0.5])
    with pytest.raises(InvalidInputError, match=r"bins must be at least 1, got 0"):
        calibration([0, 1], [0.5, 0.5], bins=0)
    with pytest.raises(NotApplicableError, match="no rows"):
        calibration(np.array([], dtype=bool), [])
