"""Periods and their summaries: values of their rows, intervals of statsmodels, none where there are no labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from statsmodels.stats.proportion import proportion_confint

from abtest.evaluator.degradation import metric_points, points, summaries
from abtest.metrics.classification import AVERAGES, CATALOGUE, Average, overall
from abtest.metrics.totals import totals
from abtest.stats.trends import slope
from abtest.windows import Tallied, Window
from tests.decision import SEEDS, random_table
from tests.evaluator.degradation import HOUR, START, days, of_errors, tallied, window
from tests.known import known

SHARES = ("accuracy", "precision", "recall", "f1")


@given(seed=SEEDS, average=st.sampled_from(AVERAGES))
def test_values_are_the_catalogues(seed: int, average: Average) -> None:
    """Each period has the values that the catalogue computes of its own rows, within its limits."""
    tables = [replace(random_table(seed + i), segments=()) for i in range(3)]
    tables = [replace(table, cells=table.cells[:, [0, 2, 2, 3]]) for table in tables]
    if average == "binary":
        tables = [table for table in tables if len(table.labels) == 2]
    if not tables:
        return
    found = points(window([Tallied(n=t.n, outcomes=t) for t in tables]), SHARES, 86400, average=average)
    for point, table in zip(found, tables, strict=True):
        assert (point.n, point.labelled) == (table.n, table.n)
        positive = len(table.labels) - 1 if average == "binary" else None
        assert len(point.metrics) == (1 if average == "binary" and not table.truth_support[-1] else 4)
        for own in point.metrics:
            value = overall(CATALOGUE[own.metric], totals(table, "challenger"), average=average, positive=positive)
            assert own.value == pytest.approx(float(value))
            assert 0 <= known(own.ci_lower) <= own.value + 1e-12
            assert own.value - 1e-12 <= known(own.ci_upper) <= 1
        n, right = table.n, table.contingency().both
        assert (point.metrics[0].ci_lower, point.metrics[0].ci_upper) == pytest.approx(
            proportion_confint(right, n, method="wilson"), abs=1e-9
        )


def test_a_period_without_labels_has_no_metrics() -> None:
    """Hours in the middle without a label, or without a prediction, are there, and have none."""
    part = tallied({(0, 0): 3, (0, 1): 1})
    of = window([part, Tallied(n=7, failed=2), part], every=HOUR)
    found = points(replace(of, end=START + 5 * HOUR), SHARES, 3600)
    assert [point.n for point in found] == [4, 7, 4, 0, 0]
    assert [point.failed for point in found] == [0, 2, 0, 0, 0]
    assert [len(point.metrics) for point in found] == [4, 0, 4, 0, 0]
    assert [point.versions for point in found] == [(1,), (1,), (1,), (), ()]


def test_a_positive_label_may_not_occur() -> None:
    """Where no row is positive there is no precision, recall or F1: not in that period, nor in such a window."""
    of = window([tallied({(0, 0): 9}), tallied({(0, 0): 5, (1, 1): 3, (1, 0): 1})])
    found = points(of, SHARES, 86400, average="binary", pos_label="1")
    assert [len(point.metrics) for point in found] == [1, 4]
    assert found[1].metrics[2].value == 0.75
    assert len(metric_points(tallied({(0, 0): 9}), SHARES, average="binary", pos_label="1")) == 1


def test_failed_predictions_alone() -> None:
    """Labelled rows whose predictions all failed are all wrong; of a regression they have no error, and no metric."""
    [accuracy] = metric_points(Tallied(n=3, failed=3, unpredicted={0: 1, 1: 2}), ["accuracy"])
    assert (accuracy.value, accuracy.ci_lower) == (0, 0)
    assert metric_points(Tallied(n=3, failed=3, unpredicted={0.5: 1, 1.25: 2}), ["rmse", "r2"]) == ()


def test_periods_add_hours_up() -> None:
    """A day's metrics are those of its hours' rows together."""
    hours = days(np.random.default_rng(0), 48, right=0.8, rows=20, classes=3)
    found = points(window(hours, every=HOUR), SHARES, 86400)
    assert [point.metrics for point in found] == [
        metric_points(Tallied.sum(part), SHARES) for part in (hours[:24], hours[24:])
    ]


def test_many_cells_are_taken_a_few_periods_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few periods are laid out at once, each has the same numbers."""
    of = window(days(np.random.default_rng(0), 9, right=0.7, classes=4))
    whole = points(of, SHARES, 86400)
    monkeypatch.setattr("abtest.evaluator.degradation.periods._AT_ONCE", 40)
    assert points(of, SHARES, 86400) == whole


def test_regression() -> None:
    """Values are scikit-learn's; R² has no interval, and no value where the truth does not vary."""
    rng = np.random.default_rng(0)
    y, e = rng.normal(size=200), rng.normal(size=200)
    found = {point.metric: point for point in metric_points(of_errors(y, e), ("rmse", "mae", "r2", "bias"))}
    assert found["rmse"].value == pytest.approx(root_mean_squared_error(y, y + e))
    assert found["mae"].value == pytest.approx(mean_absolute_error(y, y + e))
    assert found["r2"].value == pytest.approx(r2_score(y, y + e))
    assert found["bias"].value == pytest.approx(e.mean())
    assert found["r2"].ci_lower is None
    half = 1.9719565 * e.std(ddof=1) / np.sqrt(200)  # Student's t with 199 degrees of freedom, in any table
    assert known(found["bias"].ci_upper) == pytest.approx(e.mean() + half, rel=1e-6)
    flat = metric_points(of_errors(np.ones(5), np.zeros(5)), ("rmse", "r2"))
    assert [(point.metric, point.value, point.ci_lower) for point in flat] == [("rmse", 0, None)]


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_intervals_of_few_rows_hold(metric: str) -> None:
    """Of 100 rows in three unequal classes a 95 % interval holds the truth in 95 % of draws, within four errors."""
    shares = {(0, 0): 0.45, (0, 1): 0.05, (1, 1): 0.25, (1, 2): 0.05, (2, 2): 0.15, (2, 0): 0.05}
    [truth] = metric_points(tallied({key: round(1000 * share) for key, share in shares.items()}), [metric])
    rng, held = np.random.default_rng(0), 0
    for row in rng.multinomial(100, [*shares.values()], 1000).tolist():
        [point] = metric_points(tallied(dict(zip(shares, row, strict=True))), [metric])
        held += known(point.ci_lower) <= truth.value <= known(point.ci_upper)
    assert held / 1000 == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 1000))


def test_summaries() -> None:
    """Mean, spread, least and most are of the periods' values; the slope is a day's, by labelled rows; never NaN."""
    rng = np.random.default_rng(0)
    of = window(days(rng, 5, right=0.8))
    found = points(of, SHARES, 86400)
    values = np.array([point.metrics[0].value for point in found])
    one = summaries(found, of.whole(), SHARES)[0]
    assert one.value == pytest.approx(of.whole().table().contingency().both / 1000)
    assert (one.mean, one.std) == pytest.approx((values.mean(), values.std(ddof=1)))
    assert (one.least, one.most, one.periods) == (values.min(), values.max(), 5)
    line = known(slope(range(5), values, [200] * 5))
    assert one.slope == pytest.approx(line.value)
    assert one.slope_upper == pytest.approx(known(line.interval).upper)


def test_summaries_of_few_periods() -> None:
    """One period has no spread, two no slope, and none no summary."""
    parts = days(np.random.default_rng(0), 2, right=0.8)
    for number, periods in ((1, 1), (2, 2)):
        of = window(parts[:number])
        one = summaries(points(of, ["f1"], 86400), of.whole(), ["f1"])[0]
        assert (one.periods, one.std is None, one.slope) == (periods, number == 1, None)
    empty = Window(start=START, end=START + HOUR, buckets=())
    assert summaries(points(empty, SHARES, 3600), empty.whole(), SHARES) == ()
