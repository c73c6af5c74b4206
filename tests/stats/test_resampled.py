"""The corrected resampled t: a published example, its definition, the uncorrected test of SciPy, and its level."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.multiplicity import holm
from abtest.stats.resampled import corrected_t

DIFFERENCES = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=12).filter(
    lambda d: statistics.pstdev(d) > 1e-6
)
RATIOS = st.floats(0.01, 1)


def test_published_example() -> None:
    """The statistics are those of scikit-learn's example "Statistical comparison of models using grid search"."""
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear, cubic = (
        cross_val_score(SVC(**kernel), x, y, scoring="roc_auc", cv=folds)
        for kernel in ({"kernel": "rbf"}, {"kernel": "linear"}, {"kernel": "poly", "degree": 3})
    )
    test = corrected_t(rbf - linear, test_over_train=10 / 90)
    assert round(test.statistic, 3) == 0.750
    assert round(test.pvalue / 2, 3) == 0.227  # theirs is one-sided
    test = corrected_t(rbf - cubic, test_over_train=10 / 90)
    assert round(test.statistic, 3) == 1.657
    assert round(6 * test.pvalue / 2, 3) == 0.302  # and multiplied by the number of pairs


@given(DIFFERENCES, RATIOS, st.floats(0.5, 0.99))
def test_definition(differences: list[float], ratio: float, level: float) -> None:
    """It is d̄ / √((1/k + n₂/n₁)·s²), its p what Student's density leaves beyond, its interval what is not rejected."""
    k = len(differences)
    error = math.sqrt((1 / k + ratio) * statistics.variance(differences))
    test = corrected_t(differences, test_over_train=ratio, confidence_level=level)
    assert test.statistic == pytest.approx(statistics.fmean(differences) / error, rel=1e-9, abs=1e-9)
    within, _ = integrate.quad(stats.t(k - 1).pdf, 0, min(abs(test.statistic), 1e3))
    assert test.pvalue == pytest.approx(1 - 2 * within, abs=1e-6)
    assert test.interval is not None
    for end in (test.interval.lower, test.interval.upper):
        at_its_edge = corrected_t([d - end for d in differences], test_over_train=ratio)
        assert at_its_edge.pvalue == pytest.approx(1 - level, rel=1e-4)


@given(DIFFERENCES)
def test_without_correction_it_is_the_paired_t_test(differences: list[float]) -> None:
    """As folds come to test on nothing beside what they train on, it comes to SciPy's paired t test."""
    theirs = stats.ttest_1samp(differences, 0)
    ours = corrected_t(differences, test_over_train=1e-13)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)


@given(DIFFERENCES, RATIOS)
def test_swapping_sides(differences: list[float], ratio: float) -> None:
    """Swapping the two learners negates the effect and its interval, and keeps the p-value."""
    test = corrected_t(differences, test_over_train=ratio)
    turned = corrected_t([-d for d in differences], test_over_train=ratio)
    assert (turned.effect, turned.statistic, turned.pvalue) == (-test.effect, -test.statistic, test.pvalue)
    assert test.interval is not None
    assert turned.interval is not None
    assert (turned.interval.lower, turned.interval.upper) == (-test.interval.upper, -test.interval.lower)


def test_no_spread() -> None:
    """No difference in any fold is none; the same difference in every fold has nothing to be judged by."""
    assert corrected_t([0.0, 0.0, 0.0], test_over_train=0.5).pvalue == 1
    with pytest.raises(NotApplicableError, match=r"got 0\.1 in every fold"):
        corrected_t([0.1, 0.1, 0.1], test_over_train=0.5)


@pytest.mark.parametrize(
    ("differences", "ratio", "told"),
    [([0.1], 0.5, "two folds"), ([0.1, math.nan], 0.5, "finite"), ([0.1, 0.2], 0.0, "above 0")],
)
def test_refusals(differences: list[float], ratio: float, told: str) -> None:
    """One fold, a number that is none, and no test rows are refused."""
    with pytest.raises(InvalidInputError, match=told):
        corrected_t(differences, test_over_train=ratio)


@pytest.mark.slow
def test_level() -> None:
    """Of equal learners one is found better in at most 5 % of cross-validations; without the correction, more often."""
    rng = np.random.default_rng(20)
    rounds, learners, folds = 400, 4, 10
    found = {1 / (folds - 1): 0, 1e-13: 0}
    for _ in range(rounds):
        scores = cross_validated(rng, learners, folds)
        pairs = [first - second for first, second in itertools.combinations(scores, 2)]
        for ratio in found:
            pvalues = [corrected_t(pair, test_over_train=ratio).pvalue for pair in pairs if pair.std() > 0]
            found[ratio] += bool(holm(pvalues).min() < 0.05)
    corrected, uncorrected = found.values()
    assert corrected / rounds <= 0.05
    assert uncorrected > corrected


def cross_validated(rng: np.random.Generator, learners: int, folds: int) -> npt.NDArray[np.float64]:
    """Accuracy of nearest-centroid learners on shared folds, each with equally good features of its own."""
    rows = 100
    y = np.arange(rows) % 2
    x = rng.normal(size=(learners, rows, 3)) + 0.25 * (2 * y - 1)[None, :, None]
    fold = rng.permutation(rows) % folds
    found = np.empty((learners, folds))
    for j in range(folds):
        train = fold != j
        ones, zeros = (x[:, train & (y == label)].mean(axis=1) for label in (1, 0))
        towards = ones - zeros
        cut = ((ones + zeros) / 2 * towards).sum(axis=-1)
        said = np.einsum("knp,kp->kn", x[:, ~train], towards) > cut[:, None]
        found[:, j] = (said == y[~train]).mean(axis=1)
    return found
