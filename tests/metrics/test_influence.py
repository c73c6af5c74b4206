"""What a row adds to a metric: against derivatives, resampled rows, and the catalogue's own values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.metrics.classification import AVERAGES, CATALOGUE, Average, Metric, class_values, overall
from abtest.metrics.influence import linear, smoothed
from abtest.metrics.totals import Floats, Totals, totals
from abtest.outcomes import PairedOutcomes
from tests.decision import SEEDS, random_table

TABLES = SEEDS.map(lambda seed: replace(random_table(seed), segments=()))
METRICS = st.sampled_from([*CATALOGUE.values()])


def of(table: PairedOutcomes) -> Totals:
    """The challenger's totals, as numbers that may be moved a little."""
    found = totals(table, "challenger")
    return replace(found, weights=np.asarray(found.weights, dtype=np.float64))


@given(table=TABLES, metric=METRICS, average=st.sampled_from(AVERAGES))
def test_values_are_the_catalogues(table: PairedOutcomes, metric: Metric, average: Average) -> None:
    """The value over all classes of the truth is `overall`'s, and influences add up to 0 over the rows."""
    one = of(table)
    found = linear(metric, one, average=average, positive=0, among=one.is_class)
    assert float(found.values) == pytest.approx(float(overall(metric, one, average=average, positive=0)))
    assert float(one.weights @ found.influence) == pytest.approx(0, abs=1e-8)


@given(table=TABLES, metric=METRICS, average=st.sampled_from(AVERAGES))
def test_influences_are_derivatives(table: PairedOutcomes, metric: Metric, average: Average) -> None:
    """The influence of a cell's row is the metric's derivative in that cell's rows, times all rows."""
    one, step = of(table), 1e-5
    found = linear(metric, one, average=average, positive=0, among=one.is_class)
    n = one.weights.sum()
    for cell in range(one.weights.size):
        moved = step * np.eye(one.weights.size)[cell]
        more, less = (
            float(overall(metric, replace(one, weights=one.weights + sign * moved), average=average, positive=0))
            for sign in (1, -1)
        )
        assert found.influence[cell] == pytest.approx(n * (more - less) / (2 * step), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1"])
@pytest.mark.parametrize("average", AVERAGES)
def test_variances_are_those_of_resampled_rows(name: str, average: Average) -> None:
    """The variance of many rows is that of rows drawn with replacement, within a tenth; smoothed, nearly the same."""
    counts = {(0, 0): 400, (0, 1): 60, (0, 2): 20, (1, 1): 250, (1, 0): 50, (2, 2): 150, (2, 0): 40, (2, 1): 30}
    table = PairedOutcomes.from_counts({(y, a, a): n for (y, a), n in counts.items()})
    one, metric = of(table), CATALOGUE[name]
    draws = np.random.default_rng(0).multinomial(1000, one.weights / 1000, 4000)
    drawn = overall(metric, replace(one, weights=draws), average=average, positive=1)
    found = linear(metric, one, average=average, positive=1, among=one.is_class)
    assert float(found.variance(one.weights)) == pytest.approx(np.var(drawn), rel=0.1)
    smooth = smoothed(one, one.is_class)
    near = linear(metric, smooth, average=average, positive=1, among=np.append(one.is_class, [False]))
    assert float(near.variance(smooth.weights)) == pytest.approx(np.var(drawn), rel=0.15)


@given(table=TABLES)
def test_smoothing_keeps_the_classes(table: PairedOutcomes) -> None:
    """Smoothed, each class has as many rows as before, one of three or more of them right and one not."""
    one = of(table)
    found = smoothed(one, one.is_class)
    assert found.support[:-1] == pytest.approx(one.support)
    assert (found.hits[:-1][one.is_class] > 0).all()
    assert (found.hits[:-1][one.is_class] < found.support[:-1][one.is_class]).all()
    assert (found.predicted[:-1][one.is_class] > found.hits[:-1][one.is_class]).all()


@given(table=TABLES)
def test_any_function_of_the_table(table: PairedOutcomes) -> None:
    """A function of one's own moves as the catalogue's does: within what half a row is, of one table or of many."""

    def own(which: Totals) -> Floats:
        return np.asarray(class_values(CATALOGUE["recall"], which)[..., which.is_class].mean(axis=-1))

    one = of(table)
    many = replace(one, weights=100 * np.stack([one.weights, 2 * one.weights]))
    among = np.stack([one.is_class] * 2)
    found, exact = (
        linear(metric, many, average="macro", positive=None, among=among)
        for metric in (Metric(name="shop:recall", whole=own), CATALOGUE["recall"])
    )
    assert found.values == pytest.approx(exact.values)
    assert found.influence == pytest.approx(exact.influence, rel=0.01, abs=0.01)
