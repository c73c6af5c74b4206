"""Regression metrics against scikit-learn, SciPy's t test, and rows resampled."""

from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.metrics.regression import LOWER_IS_BETTER, METRICS, RegressionMetric, RegressionOutcomes, compare

Floats = npt.NDArray[np.float64]
Rows = tuple[Floats, Floats, Floats]
LOSSES = {"mae": np.abs, "rmse": np.square, "r2": np.square, "bias": np.positive}
EVERY = pytest.mark.parametrize("metric", METRICS)


def rows(n: int, seed: int = 0, *, shift: float = 0.3) -> Rows:
    """Draw a truth and two predictions of it; the challenger's errors are smaller and biased."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(2, 2, n)
    shared = rng.normal(0, 1, n)
    return y, y + shared + rng.normal(0, 0.8, n), y + shared + rng.normal(shift, 0.5, n)


def by_scikit_learn(metric: RegressionMetric, y: Floats, predicted: Floats) -> float:
    """The metric, by scikit-learn; bias by hand."""
    if metric == "bias":
        return float((predicted - y).mean())
    if metric == "rmse":
        return float(sklearn_metrics.root_mean_squared_error(y, predicted))
    score = sklearn_metrics.mean_absolute_error if metric == "mae" else sklearn_metrics.r2_score
    return float(score(y, predicted))


@EVERY
@given(n=st.integers(2, 60), seed=st.integers(0, 2**32), offset=st.sampled_from([0.0, -1e4, 1e7]))
def test_values_are_scikit_learns(metric: RegressionMetric, n: int, seed: int, offset: float) -> None:
    """Values of both sides are scikit-learn's, near zero and far from it."""
    y, champion, challenger = (column + offset for column in rows(n, seed))
    ours = compare(RegressionOutcomes.of(y, champion, challenger), metric)
    assert ours.champion == pytest.approx(by_scikit_learn(metric, y, champion), rel=1e-9, abs=1e-9)
    assert ours.challenger == pytest.approx(by_scikit_learn(metric, y, challenger), rel=1e-9, abs=1e-9)
    assert ours.effect == pytest.approx(ours.challenger - ours.champion, rel=1e-9, abs=1e-12)


def test_worked_by_hand() -> None:
    """Four rows, worked by hand."""
    outcomes = RegressionOutcomes.of([1, 2, 3, 6], [2, 2, 5, 5], [1, 3, 3, 5])
    values = {metric: (outcomes.value(metric, "champion"), outcomes.value(metric, "challenger")) for metric in METRICS}
    assert values["mae"] == pytest.approx((1.0, 0.5))
    assert values["rmse"] == pytest.approx((math.sqrt(1.5), math.sqrt(0.5)))
    assert values["bias"] == pytest.approx((0.5, 0.0))
    assert values["r2"] == pytest.approx((1 - 6 / 14, 1 - 2 / 14))
    better = {metric: compare(outcomes, metric).improvement for metric in METRICS}
    assert better == pytest.approx({"mae": 0.5, "rmse": math.sqrt(1.5) - math.sqrt(0.5), "r2": 4 / 14, "bias": 0.5})


@EVERY
def test_tests_are_scipys(metric: RegressionMetric) -> None:
    """The test is SciPy's paired t on absolute errors, squared errors, or errors."""
    y, champion, challenger = rows(80)
    ours = compare(RegressionOutcomes.of(y, champion, challenger), metric, confidence_level=0.9)
    losses = [LOSSES[metric](predicted - y) for predicted in (champion, challenger)]
    theirs = stats.ttest_rel(losses[1], losses[0])
    sign = -1 if metric == "r2" else 1
    assert ours.statistic == pytest.approx(sign * theirs.statistic, rel=1e-9)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.interval is None) == (metric == "r2")
    limits = theirs.confidence_interval(0.9)
    if ours.interval and metric != "rmse":
        assert (ours.interval.lower, ours.interval.upper) == pytest.approx((limits.low, limits.high), rel=1e-9)


def test_rmse_interval_is_the_delta_method() -> None:
    """The interval of RMSE is gradient · covariance of the squared errors' means · gradient, by NumPy."""
    y, champion, challenger = rows(120, 4)
    ours = compare(RegressionOutcomes.of(y, champion, challenger), "rmse")
    squares = np.square(np.array([champion, challenger]) - y)
    slope = np.array([-1, 1]) / (2 * np.sqrt(squares.mean(axis=1)))
    half = stats.t.isf(0.025, 119) * math.sqrt(slope @ np.cov(squares) @ slope / 120)
    assert ours.interval is not None
    assert (ours.interval.lower, ours.interval.upper) == pytest.approx(
        (ours.effect - half, ours.effect + half), rel=1e-9
    )


@EVERY
@given(n=st.integers(2, 40), seed=st.integers(0, 2**32))
def test_swapping_negates(metric: RegressionMetric, n: int, seed: int) -> None:
    """Swapping sides negates effect, improvement, statistic and interval, and keeps p; the flag says which way."""
    y, champion, challenger = rows(n, seed)
    outcomes = RegressionOutcomes.of(y, champion, challenger)
    assert outcomes.swapped() == RegressionOutcomes.of(y, challenger, champion)
    ours, theirs = compare(outcomes, metric), compare(outcomes.swapped(), metric)
    assert (theirs.effect, theirs.improvement, theirs.pvalue) == (-ours.effect, -ours.improvement, ours.pvalue)
    assert ours.statistic is not None
    assert theirs.statistic == -ours.statistic
    assert ours.pvalue is not None
    assert 0 <= ours.pvalue <= 1
    assert (ours.interval is None) == (theirs.interval is None) == (metric == "r2")
    if ours.interval and theirs.interval:
        assert theirs.interval.lower == pytest.approx(-ours.interval.upper, rel=1e-12)
    if metric != "bias":
        assert ours.improvement == (-ours.effect if LOWER_IS_BETTER[metric] else ours.effect)
    else:
        assert ours.improvement == abs(ours.champion) - abs(ours.challenger)


@EVERY
@given(n=st.integers(2, 40), seed=st.integers(0, 2**32))
def test_identical_sides(metric: RegressionMetric, n: int, seed: int) -> None:
    """Sides that are alike have effect 0, p = 1 and no interval."""
    y, champion, _ = rows(n, seed)
    ours = compare(RegressionOutcomes.of(y, champion, champion), metric)
    assert (ours.effect, ours.improvement, ours.statistic, ours.pvalue) == (0, 0, 0, 1)
    assert ours.interval is None


@given(n=st.integers(0, 40), cut=st.integers(0, 40), seed=st.integers(0, 2**32))
def test_merging_is_concatenation(n: int, cut: int, seed: int) -> None:
    """Two batches' sums add up to the whole's, to 1e-12; written and read again they are the same."""
    columns = rows(n, seed)
    whole = RegressionOutcomes.of(*columns)
    merged = RegressionOutcomes.of(*(c[:cut] for c in columns)) + RegressionOutcomes.of(*(c[cut:] for c in columns))
    assert merged.n == whole.n == n
    assert RegressionOutcomes.from_dict(json.loads(json.dumps(merged.to_dict()))) == merged
    if n > 1:
        for metric in METRICS:
            for side in ("champion", "challenger"):
                assert merged.value(metric, side) == pytest.approx(whole.value(metric, side), rel=1e-12, abs=1e-12)
            ours, theirs = compare(merged, metric), compare(whole, metric)
            assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-9)


def test_constant_truth_and_constant_difference() -> None:
    """R² of one value is not applicable; errors that differ by a constant have values, and no test nor interval."""
    flat = RegressionOutcomes.of([0.1] * 10, np.arange(10.0), np.arange(10.0) ** 1.1)
    with pytest.raises(NotApplicableError, match="r2 needs a truth that varies"):
        compare(flat, "r2")
    with pytest.raises(NotApplicableError, match="r2 needs a truth that varies"):
        compare(RegressionOutcomes.of([1.0], [2.0], [3.0]), "r2")
    y = np.linspace(0.1, 3.3, 7)
    ours = compare(RegressionOutcomes.of(y, y + 1, y + 1.5), "mae")
    assert ours.effect == pytest.approx(0.5)
    assert (ours.interval, ours.statistic, ours.pvalue) == (None, None, None)


def test_a_perfect_side() -> None:
    """A side without error has RMSE 0 and a test, and the delta method no interval."""
    y, champion, _ = rows(30)
    ours = compare(RegressionOutcomes.of(y, champion, y), "rmse")
    assert ours.challenger == 0
    assert ours.interval is None
    assert ours.pvalue is not None
    assert ours.pvalue < 0.05


def test_refusals() -> None:
    """What cannot be compared is refused by name."""
    with pytest.raises(NotApplicableError, match="no rows"):
        compare(RegressionOutcomes.of([], [], []), "mae")
    with pytest.raises(InvalidInputError, match=r"metric must be one of mae, rmse, r2, bias, got 'rmsee'\. Hint: did"):
        compare(RegressionOutcomes.of([1.0], [1.0], [1.0]), "rmsee")  # type: ignore[arg-type] # the mistake under test
    with pytest.raises(InvalidInputError, match=r"confidence must be in \(0, 1\)"):
        compare(RegressionOutcomes.of([1.0], [1.0], [1.0]), "mae", confidence_level=0)
    with pytest.raises(InvalidInputError, match=r"champion predictions must be finite .*got nan \(first: row 2; 1 row"):
        RegressionOutcomes.of([1.0, 2.0], [1.0, math.nan], [1.0, 2.0])
    with pytest.raises(InvalidInputError, match=r"challenger predictions must be one number for each of 2 rows"):
        RegressionOutcomes.of([1.0, 2.0], [1.0, 2.0], [1.0])
    with pytest.raises(InvalidInputError, match=r"challenger errors must be finite and at most 1e\+70 in size"):
        RegressionOutcomes.of([1.0, 2.0], [1.0, 2.0], [1.0, 1e80])
    one, two = (RegressionOutcomes.of([1.0] * n, [1.0] * n, [1.0] * n).to_dict() for n in (1, 2))
    with pytest.raises(InvalidInputError, match="must count the same rows in every part"):
        RegressionOutcomes.from_dict({**one, "squared": two["squared"]})
    with pytest.raises(InvalidInputError, match="RegressionOutcomes must hold truth, errors, absolute, squared"):
        RegressionOutcomes.from_dict({"truth": {}})


def bootstrap(y: Floats, champion: Floats, challenger: Floats, seed: int) -> Floats:
    """Resample rows: the effects on RMSE of 2,000 resamples."""
    drawn = np.random.default_rng(seed).integers(0, y.size, (2000, y.size))
    first, second = (np.sqrt(np.square(predicted - y)[drawn].mean(axis=1)) for predicted in (champion, challenger))
    return np.asarray(second - first)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.6, 2.0])
def test_coverage_against_row_bootstrap(shift: float) -> None:
    """At 200 rows the interval of RMSE covers in 93 to 97 %, and within 2 points of resampling the rows."""
    # Errors are normal: the champion's of variance 1 + .8², the challenger's of 1 + .5² about the shift.
    truth = math.sqrt(1.25 + shift * shift) - math.sqrt(1.64)
    ours, theirs = [], []
    for seed in range(1500):
        columns = rows(200, 1000 + seed, shift=shift)
        interval = compare(RegressionOutcomes.of(*columns), "rmse").interval
        assert interval is not None
        ours.append(interval.lower <= truth <= interval.upper)
        lower, upper = np.quantile(bootstrap(*columns, seed), [0.025, 0.975])
        theirs.append(lower <= truth <= upper)
    assert 0.93 <= np.mean(ours) <= 0.97
    assert abs(np.mean(ours) - np.mean(theirs)) <= 0.02
