"""How days vary: against a written-out sum, statsmodels' clusters, and draws of days with luck of their own."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.spread import Design, cluster_degrees, cluster_variance, clustered, day_to_day, mean_size


def test_equal_clusters_are_statsmodels() -> None:
    """Of a mean of equal clusters the variance is that of statsmodels' robust regression on a constant."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 5)) + rng.normal(size=(8, 1))
    groups = np.repeat(np.arange(8), 5)
    fit = sm.OLS(values.ravel(), np.ones(40)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}
    )
    influence = (values - values.mean()).sum(axis=1) / values.size
    assert cluster_variance(influence, np.full(8, 5.0)) == pytest.approx(float(fit.cov_params()[0, 0]))


def test_unequal_clusters_of_independent_rows() -> None:
    """Of independent rows in unequal clusters the mean of many variances is the rows' own, within four errors."""
    rng, sizes = np.random.default_rng(1), np.array([400, 30, 30, 100, 7])
    hits = rng.binomial(sizes, 0.3, (20_000, 5))
    share = hits.sum(axis=1, keepdims=True) / sizes.sum()
    found = [cluster_variance(row, sizes) for row in (hits - share * sizes) / sizes.sum()]
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(0.3 * 0.7 / sizes.sum(), abs=4 * error)


def test_design_effect_of_lucky_days() -> None:
    """Days whose rows correlate by r have a design effect of 1 + (rows − 1)·r, within four errors."""
    rng, rho, rows = np.random.default_rng(2), 0.02, 200
    worth = (1 - rho) / rho
    found = []
    for _ in range(300):
        hits = rng.binomial(rows, rng.beta(0.8 * worth, 0.2 * worth, 60))
        share = hits.mean() / rows
        design = clustered(
            (hits - share * rows) / (60 * rows), np.full(60, float(rows)), share * (1 - share) / 60 / rows
        )
        assert design.degrees == pytest.approx(59)
        found.append(design.effect)
    assert np.mean(found) == pytest.approx(1 + (rows - 1) * rho, abs=4 * np.std(found) / np.sqrt(300) + 0.1)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=40))
def test_degrees(sizes: list[int]) -> None:
    """Unequal clusters are worth no more than as many equal ones, and at least one degree of freedom."""
    assert 1 <= cluster_degrees(np.array(sizes, dtype=float)) <= max(1.0, len(sizes) - 1 + 1e-9)


def test_lent() -> None:
    """What is lent keeps the likeness of a cluster's rows: the effect less one goes with the rows beside a row."""
    design = Design(effect=3.0, degrees=6, size=101)
    assert design.lent(51).effect == pytest.approx(2.0)
    assert design.lent(1).effect == 1
    assert design.lent().effect == 3
    assert design.lent(51).degrees == 6
    assert Design().lent(500).effect == 1


def test_mean_size() -> None:
    """A row's cluster has as many rows as its own, averaged over rows."""
    assert mean_size(np.array([1.0, 3.0])) == pytest.approx((1 * 1 + 3 * 3) / 4)


@pytest.mark.parametrize("alike", [0.005, 0.05])
def test_days_differ_from_the_next_as_rows_are_alike(alike: float) -> None:
    """Of days of beta luck it is 1 and the correlation to each other row, on average; a change for good adds little."""
    rng, n, days = np.random.default_rng(0), 400, 40
    worth, rows = (1 - alike) / alike, np.full(days, float(n))
    found: dict[float, list[float]] = {0.0: [], 0.2: []}
    for fall, effects in found.items():
        right = np.where(np.arange(days) < days // 2, 0.8, 0.8 - fall)
        for _ in range(300):
            hits = rng.binomial(n, rng.beta(right * worth, (1 - right) * worth)).astype(float)
            effects.append(day_to_day(hits, rows).effect)
    expected = 1 + alike * (n - 1)
    assert np.mean(found[0.0]) == pytest.approx(expected, rel=0.06)
    assert np.mean(found[0.2]) < expected + 0.2**2 * n / (0.7 * 0.3) / (days - 1)


def test_of_fewer_than_two_days_nothing_is_told() -> None:
    """One day, or no wrong row, is as independent rows are, and hardly known."""
    assert day_to_day(np.array([3.0]), np.array([10.0])).effect == 1
    assert day_to_day(np.zeros(4), np.full(4, 10.0)).effect == 1
    assert day_to_day(np.array([3.0]), np.array([10.0])).degrees == 1
