"""Pulls on the average precision against small changes of weight, scikit-learn, and the bootstrap they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.precision import descending, precision_pulls, pulled
from abtest.stats.ranks import average_precision_draws

ROWS = st.lists(st.tuples(st.booleans(), st.one_of(st.integers(-2, 2).map(float), st.floats(-1, 1))), max_size=30)


@given(ROWS.map(lambda rows: [*rows, (True, 0.5)]))
def test_pulls_are_derivatives(rows: list[tuple[bool, float]]) -> None:
    """The value is scikit-learn's; a pull is what a little more weight on the row does to it; all add up to nothing."""
    truth, scores = np.array([y for y, _ in rows]), np.array([x for _, x in rows])
    value, pulls = precision_pulls(truth, scores)
    assert value == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert pulls.sum() == pytest.approx(0, abs=1e-12)
    step = 1e-6
    for i in range(truth.size):
        weights = np.ones(truth.size)
        weights[i] += step
        more = average_precision_score(truth, scores, sample_weight=weights)
        weights[i] -= 2 * step
        less = average_precision_score(truth, scores, sample_weight=weights)
        assert pulls[i] == pytest.approx((more - less) / (2 * step), abs=1e-6)


def test_spread_is_the_bootstraps() -> None:
    """On five thousand rows the standard error of an effect is that of resampling the rows, to 5 %."""
    rng = np.random.default_rng(0)
    truth = rng.random(5000) < 0.2
    shared = truth + rng.normal(0, 0.7, truth.size)
    sides = [shared + rng.normal(0, 0.7, truth.size) for _ in range(2)]
    (one, first), (other, second) = (precision_pulls(truth, side) for side in sides)
    ours = pulled(other - one, second - first)
    weights = rng.multinomial(truth.size, np.full(truth.size, 1 / truth.size), 1000)
    draws = [average_precision_draws(truth, side, weights) for side in sides]
    assert ours.standard_error == pytest.approx(np.std(draws[1] - draws[0]), rel=0.05)


@given(st.floats(-0.5, 0.5), st.lists(st.floats(-0.1, 0.1).filter(lambda x: not 0 < abs(x) < 1e-9), min_size=1))
def test_test(effect: float, pulls: list[float]) -> None:
    """Z and p are SciPy's normal ones; a swap of the sides negates z and the interval and keeps p."""
    column = np.array(pulls)
    if not column.any():
        if effect:
            with pytest.raises(NotApplicableError, match="no row pulls"):
                pulled(effect, column)
        assert (pulled(0.0, column).pvalue, pulled(0.0, column).interval) == (1, None)
        return
    ours, theirs = pulled(effect, column, confidence_level=0.9), pulled(-effect, -column, confidence_level=0.9)
    z = effect / math.sqrt(math.fsum(x * x for x in pulls))
    assert ours.statistic == pytest.approx(z, rel=1e-12)
    assert ours.pvalue == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9, abs=1e-300)
    assert (theirs.statistic, theirs.pvalue) == (-ours.statistic, ours.pvalue)
    assert ours.interval is not None
    assert theirs.interval is not None
    assert (theirs.interval.lower, theirs.interval.upper) == (-ours.interval.upper, -ours.interval.lower)


def test_refusals() -> None:
    """No positive row has no average precision; scores must be finite."""
    for truth in ([0, 0], []):
        with pytest.raises(NotApplicableError, match="needs a positive row"):
            precision_pulls(truth, np.arange(len(truth)))
    with pytest.raises(InvalidInputError, match="scores must be finite"):
        precision_pulls([0, 1], [0.0, np.inf])


@given(st.lists(st.one_of(st.integers(-2, 2).map(float), st.floats(-1, 1)), min_size=1, max_size=40))
def test_descending(scores: list[float]) -> None:
    """Rows come from the greatest score down, and each score ends where the next is less."""
    column = np.array(scores)
    order, ends = descending(column)
    down = column[order]
    assert sorted(order.tolist()) == [*range(column.size)]
    assert (np.diff(down) <= 0).all()
    assert ends.tolist() == [i for i in range(column.size) if i + 1 == column.size or down[i + 1] < down[i]]


@pytest.mark.slow
def test_level() -> None:
    """With equal average precisions the test rejects in 5 %, to four sigmas of 1,000 simulations."""
    rng = np.random.default_rng(3)
    rejected = []
    for _ in range(1000):
        truth = rng.random(6000) < 0.1
        shared = truth + rng.normal(0, 0.7, truth.size)
        (one, first), (other, second) = (
            precision_pulls(truth, shared + rng.normal(0, 0.7, truth.size)) for _ in range(2)
        )
        rejected.append(pulled(other - one, second - first).pvalue <= 0.05)
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 1000))
