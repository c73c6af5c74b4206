"""Falls from one window to another: against Newcombe's table, statsmodels, SciPy, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from abtest.stats.falls import Estimate, Shift, fisher_fall, is_rare, student, tail

arms = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def share(successes: int, rows: int) -> Estimate:
    """A share of independent rows."""
    value = (successes + 1) / (rows + 2)
    return Estimate(value=successes / rows, variance=value * (1 - value) / rows, is_share=True, rows=rows)


def test_newcombe_published() -> None:
    """Newcombe (1998), Statistics in Medicine 17:873, table II, method 10: 56/70 against 48/80 is .0524 to .3339."""
    found = Shift(baseline=share(48, 80), recent=share(56, 70)).interval(0.95)
    assert found.lower == pytest.approx(0.0524, abs=5e-5)
    assert found.upper == pytest.approx(0.3339, abs=5e-5)


@given(baseline=arms, recent=arms)
def test_intervals_are_those_of_statsmodels(baseline: tuple[int, int], recent: tuple[int, int]) -> None:
    """Of independent rows, a share's interval is Wilson's, and that of a difference Newcombe's."""
    one, other = share(*baseline), share(*recent)
    assert (one.interval(0.9).lower, one.interval(0.9).upper) == pytest.approx(
        proportion_confint(*baseline, alpha=0.1, method="wilson"), abs=1e-9
    )
    found = Shift(baseline=one, recent=other).interval(0.95)
    assert (found.lower, found.upper) == pytest.approx(
        confint_proportions_2indep(*recent, *baseline, method="newcomb"), abs=1e-9
    )


@given(
    baseline=arms,
    recent=arms,
    degrees=st.sampled_from([1.0, 4.5, 30.0, math.inf]),
    level=st.sampled_from([0.01, 0.05, 0.2]),
)
def test_tests_agree_with_limits(
    baseline: tuple[int, int], recent: tuple[int, int], degrees: float, level: float
) -> None:
    """A one-sided p-value is below the level just where the one-sided limit is beyond 0; both sides add up to 1."""
    one, other = share(*baseline), share(*recent)
    one = Estimate(value=one.value, variance=one.variance, degrees=degrees, is_share=True, rows=one.rows)
    shift = Shift(baseline=one, recent=other)
    less, greater = (shift.pvalue(worse=way) for way in ("less", "greater"))
    assert less + greater == pytest.approx(1, abs=1e-9)
    assert 0 <= less <= 1
    bounds = shift.bounds(1 - level)
    if abs(less - level) > 1e-9:
        assert (less < level) == (bounds.upper < 0)
    if abs(greater - level) > 1e-9:
        assert (greater < level) == (bounds.lower > 0)


@given(baseline=arms, recent=arms)
def test_changing_places_negates(baseline: tuple[int, int], recent: tuple[int, int]) -> None:
    """With the windows in each other's place the effect, its limits and its statistic change their signs alone."""
    there = Shift(baseline=share(*baseline), recent=share(*recent))
    back = Shift(baseline=share(*recent), recent=share(*baseline))
    assert back.effect == -there.effect
    assert back.statistic() == pytest.approx(-there.statistic())
    assert back.interval(0.95).lower == pytest.approx(-there.interval(0.95).upper)


@given(
    values=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    variances=st.tuples(st.floats(1e-4, 3), st.floats(1e-4, 3)),
    degrees=st.integers(1, 40),
)
def test_numbers_are_student(values: tuple[float, float], variances: tuple[float, float], degrees: int) -> None:
    """Of numbers, limits and p-values are those of Student's t with the fewer degrees of both."""
    shift = Shift(
        baseline=Estimate(value=values[0], variance=variances[0], degrees=degrees),
        recent=Estimate(value=values[1], variance=variances[1], degrees=100),
    )
    error = math.sqrt(sum(variances))
    found = shift.interval(0.9)
    assert (found.lower, found.upper) == pytest.approx(stats.t(degrees, shift.effect, error).interval(0.9))
    assert shift.pvalue(worse="greater") == pytest.approx(stats.t(degrees).sf(shift.effect / error), abs=1e-9)


@given(baseline=arms, recent=arms)
def test_fisher_is_scipys(baseline: tuple[int, int], recent: tuple[int, int]) -> None:
    """Fisher's one-sided p-value is SciPy's."""
    (x, n), (y, m) = baseline, recent
    theirs = stats.fisher_exact(np.array([[y, m - y], [x, n - x]]), alternative="less").pvalue
    assert fisher_fall(baseline, recent) == pytest.approx(theirs, rel=1e-7, abs=1e-12)


def test_rare() -> None:
    """Rows are few where fewer than ten right or wrong ones are expected in a window."""
    assert is_rare((990, 1000), (1, 1))
    assert is_rare((0, 1000), (9, 1000))
    assert not is_rare((10, 1000), (10, 1000))


@pytest.mark.parametrize("degrees", [1.0, 3.7, 200.0, math.inf])
def test_student(degrees: float) -> None:
    """Quantiles and tails are SciPy's, and each other's inverse."""
    of = stats.norm if math.isinf(degrees) else stats.t(degrees)
    assert student(degrees, 0.03) == pytest.approx(of.isf(0.03))
    assert tail(degrees, student(degrees, 0.03)) == pytest.approx(0.03)
