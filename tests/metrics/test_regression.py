"""Regression metrics against scikit-learn, SciPy's t test, statsmodels' clusters, and simulation."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.metrics.regression import (
    LOWER_IS_BETTER,
    METRICS,
    RegressionMetric,
    RegressionOutcomes,
    UnitSums,
    compare,
    unit_t,
)
from abtest.stats.moments import PairedMoments, paired_t

if TYPE_CHECKING:
    from collections.abc import Callable

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
@pytest.mark.parametrize("shift", [0.3, -0.4, 0.0])
def test_tests_are_scipys(metric: RegressionMetric, shift: float) -> None:
    """The test is SciPy's paired t on absolute or squared errors; of bias, the less sure of two, on errors."""
    y, champion, challenger = rows(80, shift=shift)
    ours = compare(RegressionOutcomes.of(y, champion, challenger), metric, confidence_level=0.9)
    first, second = (LOSSES[metric](predicted - y) for predicted in (champion, challenger))
    theirs = stats.ttest_rel(second, first)
    statistic, pvalue = theirs.statistic, theirs.pvalue
    if metric == "bias":
        mirrored = stats.ttest_rel(second, -first)
        pvalue = max(pvalue, mirrored.pvalue)
        statistic = math.copysign(min(abs(statistic), abs(mirrored.statistic)), statistic)
    assert ours.statistic == pytest.approx(-statistic if metric == "r2" else statistic, rel=1e-9)
    assert ours.pvalue == pytest.approx(pvalue, rel=1e-9)
    assert (ours.interval is None) == (metric in {"rmse", "r2"})
    limits = theirs.confidence_interval(0.9)
    if ours.interval:
        assert (ours.interval.lower, ours.interval.upper) == pytest.approx((limits.low, limits.high), rel=1e-9)


@EVERY
@given(n=st.integers(2, 40), seed=st.integers(0, 2**32))
def test_swapping_negates(metric: RegressionMetric, n: int, seed: int) -> None:
    """Swapping sides negates effect, improvement, statistic and interval, and keeps p; the flag says which way."""
    y, champion, challenger = rows(n, seed)
    outcomes = RegressionOutcomes.of(y, champion, challenger)
    assert outcomes.swapped() == RegressionOutcomes.of(y, challenger, champion)
    assert outcomes.alone("challenger") == RegressionOutcomes.of(y, challenger, challenger)
    ours, theirs = compare(outcomes, metric), compare(outcomes.swapped(), metric)
    assert (theirs.effect, theirs.improvement, theirs.pvalue) == (-ours.effect, -ours.improvement, ours.pvalue)
    assert ours.statistic is not None
    assert theirs.statistic == -ours.statistic
    assert ours.pvalue is not None
    assert 0 <= ours.pvalue <= 1
    assert (ours.interval is None) == (theirs.interval is None) == (metric in {"rmse", "r2"})
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
    y, a, b = columns
    merged = RegressionOutcomes.of(y[:cut], a[:cut], b[:cut]) + RegressionOutcomes.of(y[cut:], a[cut:], b[cut:])
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
    """A side without error has RMSE 0 and a test."""
    y, champion, _ = rows(30)
    ours = compare(RegressionOutcomes.of(y, champion, y), "rmse")
    assert ours.challenger == 0
    assert ours.pvalue is not None
    assert ours.pvalue < 0.05


def test_refusals() -> None:
    """What cannot be compared is refused by name."""
    with pytest.raises(NotApplicableError, match="no rows"):
        compare(RegressionOutcomes.of([], [], []), "mae")
    with pytest.raises(InvalidInputError, match=r"metric must be one of mae, rmse, r2, bias, got 'rmsee'\. Hint: did"):
        compare(RegressionOutcomes.of([1.0], [1.0], [1.0]), "rmsee")
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
    with pytest.raises(
        InvalidInputError, match="RegressionOutcomes must hold truth, errors, absolute, squared, losses"
    ):
        RegressionOutcomes.from_dict({"truth": {}})


def test_losses_of_ones_own() -> None:
    """A loss of one's own is compared by its mean: SciPy's paired t, signed by which way is better; it merges."""
    y, champion, challenger = rows(50, 3)
    late = [np.maximum(y - side, 0) for side in (champion, challenger)]
    whole = RegressionOutcomes.of(y, champion, challenger, {"shop:late": (late[0], late[1])})
    halves = [
        RegressionOutcomes.of(y[cut], champion[cut], challenger[cut], {"shop:late": (late[0][cut], late[1][cut])})
        for cut in (slice(20), slice(20, None))
    ]
    theirs = stats.ttest_rel(late[1], late[0])
    for outcomes in (whole, halves[0] + halves[1], RegressionOutcomes.of([], [], []) + whole):
        ours = compare(outcomes, "shop:late")
        assert (ours.champion, ours.challenger) == pytest.approx((late[0].mean(), late[1].mean()), rel=1e-12)
        assert (ours.statistic, ours.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
        assert ours.improvement == -ours.effect
        assert compare(outcomes, "shop:late", greater_is_better=True).improvement == ours.effect
        assert compare(outcomes.swapped(), "shop:late").effect == -ours.effect
    assert RegressionOutcomes.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    with pytest.raises(InvalidInputError, match=r"losses must be the same to be added up, got shop:late and none"):
        whole + RegressionOutcomes.of(y, champion, challenger)
    with pytest.raises(InvalidInputError, match=r"metric must be one of .*shop:late, got 'shop:lat'.*did you mean"):
        whole.value("shop:lat", "champion")
    short = RegressionOutcomes.of([1.0], [1.0], [1.0], {"shop:late": ([0.0], [0.0])}).to_dict()["losses"]
    with pytest.raises(InvalidInputError, match="must count the same rows in every part"):
        RegressionOutcomes.from_dict({**whole.to_dict(), "losses": short})


@pytest.mark.parametrize("constant", [0.0, 2.0])
def test_mirrored_biases_are_equally_far_from_zero(constant: float) -> None:
    """Sides whose errors are each other's opposite are equally biased: improvement 0 and p = 1, also without spread."""
    y = np.linspace(0.0, 9.0, 40)
    errors = np.full(40, 1.3) if constant else 1.0 + np.sin(y)
    ours = compare(RegressionOutcomes.of(np.zeros(40), errors, -errors), "bias")
    assert ours.improvement == 0
    assert ours.effect == pytest.approx(-2 * errors.mean())
    assert (ours.statistic, ours.pvalue) == (0, 1)


def test_nearly_mirrored_biases() -> None:
    """Where the sum of both sides' errors hardly varies, no test is made of what rounding leaves of its spread."""
    errors = 1e3 * np.random.default_rng(0).normal(1, 1, 50)
    tilted = compare(RegressionOutcomes.of(np.zeros(50), errors, 0.5 - errors), "bias")
    assert (tilted.statistic, tilted.pvalue) == (None, None)
    assert tilted.interval is not None


@given(n=st.integers(2, 60), seed=st.integers(0, 2**32), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_units_of_a_row_each_are_rows(n: int, seed: int, level: float) -> None:
    """With one row a unit the test by unit is the paired t test."""
    _, first, second = rows(n, seed)
    pairs = PairedMoments.of(first, second)
    ours = unit_t(pairs, np.ones(n), second - first, confidence_level=level)
    theirs = paired_t(pairs, confidence_level=level)
    assert (ours.effect, ours.statistic, ours.pvalue, ours.standard_error) == pytest.approx(
        (theirs.effect, theirs.statistic, theirs.pvalue, theirs.standard_error), rel=1e-9
    )
    assert ours.interval is not None
    assert theirs.interval is not None
    assert (ours.interval.lower, ours.interval.upper) == pytest.approx(
        (theirs.interval.lower, theirs.interval.upper), rel=1e-9, abs=1e-12
    )


def in_units(n: int, n_units: int, seed: int) -> tuple[Rows, npt.NDArray[np.int64], UnitSums]:
    """Draw rows whose units have errors in common, and sum them by unit."""
    rng = np.random.default_rng(seed)
    unit = np.append(np.arange(n_units), rng.integers(0, n_units, n - n_units))
    shared = rng.normal(0, 1, (3, n_units))[:, unit]
    y, first, second = (column + 2 * part for column, part in zip(rows(n, seed), shared, strict=True))

    def summed(column: Floats) -> Floats:
        return np.asarray(np.bincount(unit, weights=column, minlength=n_units), dtype=np.float64)

    errors = [first - y, second - y]
    losses = {"errors": errors, "absolute": list(map(np.abs, errors)), "squared": list(map(np.square, errors))}
    pairs = {name: np.column_stack([summed(side) for side in pair]) for name, pair in losses.items()}
    return (y, first, second), unit, UnitSums(rows=summed(np.ones(n)), losses=pairs)


@EVERY
@pytest.mark.parametrize(("n", "n_units"), [(200, 40), (57, 50), (30, 3)])
def test_units_are_statsmodels_clusters(metric: RegressionMetric, n: int, n_units: int) -> None:
    """By unit, effect, statistic, p-value and interval are those of statsmodels' cluster-robust mean difference."""
    import statsmodels.api as sm

    (y, first, second), unit, units = in_units(n, n_units, seed=n)
    ours = compare(RegressionOutcomes.of(y, first, second), metric, units=units)
    losses = [LOSSES[metric](side - y) for side in (first, second)]

    def fitted(differences: Floats) -> tuple[float, float, list[float]]:
        options = {"cov_type": "cluster", "cov_kwds": {"groups": unit, "df_correction": True}, "use_t": True}
        fit = sm.OLS(differences, np.ones(n)).fit(**options)
        return float(fit.tvalues[0]), float(fit.pvalues[0]), fit.conf_int(0.05)[0].tolist()

    statistic, pvalue, limits = fitted(losses[1] - losses[0])
    if metric == "bias":
        other = fitted(losses[1] + losses[0])
        pvalue, statistic = max(pvalue, other[1]), math.copysign(min(abs(statistic), abs(other[0])), statistic)
    assert ours.statistic == pytest.approx(-statistic if metric == "r2" else statistic, rel=1e-9)
    assert ours.pvalue == pytest.approx(pvalue, rel=1e-9)
    if metric in {"mae", "bias"}:
        assert ours.interval is not None
        assert [ours.interval.lower, ours.interval.upper] == pytest.approx(limits, rel=1e-9)


def test_units_without_spread() -> None:
    """Units that do not differ give p = 1; one unit, or a difference that is the same in all, gives no test."""
    same = unit_t(PairedMoments.of([1.0, 2.0], [2.0, 1.0]), np.array([2.0]), np.array([0.0]))
    assert (same.statistic, same.pvalue, same.interval) == (0, 1, None)
    rose = PairedMoments.of([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    with pytest.raises(NotApplicableError, match="needs differences that vary, got 1 in every unit"):
        unit_t(rose, np.array([2.0, 1.0]), np.array([2.0, 1.0]))
    with pytest.raises(NotApplicableError, match="got 1 in the only unit"):
        unit_t(rose, np.array([3.0]), np.array([3.0]))
    with pytest.raises(NotApplicableError, match="no rows"):
        unit_t(PairedMoments.of([], []), np.zeros(0), np.zeros(0))


def rejected(draw: Callable[[np.random.Generator], tuple[Floats, Floats]], runs: int = 4000) -> float:
    """How often equal biases are told apart at 5 %, of 100 rows."""
    rng = np.random.default_rng(0)
    zero = np.zeros(100)
    found = [compare(RegressionOutcomes.of(zero, *draw(rng)), "bias").pvalue for _ in range(runs)]
    return float(np.mean([p is not None and p < 0.05 for p in found]))


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(0.0, 0.0), (0.1, 0.1), (0.1, -0.1), (1.0, 1.0), (1.0, -1.0)], ids=str)
@pytest.mark.parametrize("tail", ["normal", "lognormal"])
def test_level_of_the_test_of_bias(first: float, second: float, tail: str) -> None:
    """Biases of equal size are told apart in at most 5 %, whether they have one sign, two, or are near 0.

    Far from 0 the level is used up; at 0 both tests must fail at once, and the rate is below 1 %. One thing does not
    hold at 100 rows: where the sides have a lognormal part in common and opposite biases, their sum is as skewed as
    that part, and the rate is 7.6 %, as that of Student's t on such rows.
    """

    def draw(rng: np.random.Generator) -> tuple[Floats, Floats]:
        shared, own = rng.normal(0, 1, 100), rng.normal(0, 1, (2, 100))
        noise = shared + own if tail == "normal" else np.exp(shared) - math.exp(0.5) + own
        return first + noise[0], second + noise[1]

    rate, error = rejected(draw), math.sqrt(0.05 * 0.95 / 4000)
    if tail == "lognormal" and (first, second) == (1.0, -1.0):
        skewed = np.exp(np.random.default_rng(1).normal(0, 1, (4000, 100))) * 2
        skewed += np.random.default_rng(2).normal(0, math.sqrt(2), skewed.shape)
        students = np.mean(stats.ttest_1samp(skewed, 2 * math.exp(0.5), axis=1).pvalue < 0.05)
        assert rate == pytest.approx(students, abs=4.5 * error)  # both are simulated
    else:
        assert rate <= 0.05 + 3 * error
    if first == 0:
        assert rate < 0.01
    if abs(first) == 1 and tail == "normal":
        assert rate >= 0.05 - 3 * error
