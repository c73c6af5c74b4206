"""Two arms looked at once: against statsmodels, a published table, and every table there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
from statsmodels.stats.weightstats import ztest

from abtest.errors import NotApplicableError
from abtest.stats.moments import Moments
from abtest.stats.two_arms import two_means, two_proportions

arms = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_newcombe_published() -> None:
    """Newcombe (1998), Statistics in Medicine 17:873, table II, method 10: 56/70 against 48/80 is .0524 to .3339."""
    found = two_proportions((48, 80), (56, 70))
    assert found.effect == pytest.approx(0.2)
    assert found.interval.lower == pytest.approx(0.0524, abs=5e-5)
    assert found.interval.upper == pytest.approx(0.3339, abs=5e-5)


@given(champion=arms, challenger=arms)
def test_proportions_against_statsmodels(champion: tuple[int, int], challenger: tuple[int, int]) -> None:
    """Statistic, p-value (of rare outcomes SciPy's of Fisher where greater) and interval are those of statsmodels."""
    found = two_proportions(champion, challenger)
    (x, n), (y, m) = champion, challenger
    lower, upper = confint_proportions_2indep(y, m, x, n, method="newcomb")
    assert found.interval.lower == pytest.approx(lower, abs=1e-9)
    assert found.interval.upper == pytest.approx(upper, abs=1e-9)
    if 0 < x + y < n + m:
        z, pvalue = proportions_ztest([y, x], [m, n])
        assert found.statistic == pytest.approx(z, abs=1e-9)
        rare = min(n, m) * min(x + y, n + m - x - y) / (n + m) < 10
        exact = stats.fisher_exact(np.array([[x, n - x], [y, m - y]])).pvalue if rare else 0.0
        assert found.pvalue == pytest.approx(max(pvalue, exact), abs=1e-9)
    else:
        assert (found.statistic, found.pvalue) == (0.0, 1.0)


@given(champion=arms, challenger=arms)
def test_sides_may_change_places(champion: tuple[int, int], challenger: tuple[int, int]) -> None:
    """Swapped, effect and limits change sign and the p-value stays."""
    one, other = two_proportions(champion, challenger), two_proportions(challenger, champion)
    assert one.pvalue == other.pvalue
    assert one.effect == -other.effect
    assert one.interval.lower == -other.interval.upper


def test_the_level_by_enumeration() -> None:
    """Over all tables of 60 and 40 units with one share of .4, the test rejects about one time in twenty."""
    n, m, share = 60, 40, 0.4
    first, second = (np.asarray(stats.binom.pmf(np.arange(size + 1), size, share)) for size in (n, m))
    rejected = sum(
        first[x] * second[y]
        for x, y in itertools.product(range(n + 1), range(m + 1))
        if two_proportions((x, n), (y, m)).pvalue < 0.05
    )
    assert rejected == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.5, 0.95])
@pytest.mark.parametrize("m", [3, 10, 50])
def test_the_level_of_a_tiny_arm(share: float, m: int) -> None:
    """Beside 990 units, a tiny arm that fails as often is told apart no more often than the level says."""
    n = 990
    first, second = (np.asarray(stats.binom.pmf(np.arange(size + 1), size, share)) for size in (n, m))
    likely = [x for x in range(n + 1) if first[x] > 1e-7]
    rejected = sum(
        first[x] * second[y]
        for x, y in itertools.product(likely, range(m + 1))
        if two_proportions((x, n), (y, m)).pvalue < 0.05
    )
    assert rejected < (0.05 if m < 50 or share in {0.02, 0.05, 0.95} else 0.06)


def test_means_against_statsmodels() -> None:
    """The two-sample z test with variances of their own is that of statsmodels."""
    rng = np.random.default_rng(0)
    one, other = rng.exponential(1, 300), rng.exponential(1.3, 200)
    found = two_means(Moments.of(one), Moments.of(other))
    z, pvalue = ztest(other, one, usevar="unequal")
    assert found.statistic == pytest.approx(z)
    assert found.pvalue == pytest.approx(pvalue)
    assert float(found.interval.lower) > 0 or found.pvalue >= 0.05


def test_nothing_is_told_of_an_empty_arm() -> None:
    """Without units in an arm, or without any spread, there is no test."""
    with pytest.raises(NotApplicableError, match="no units in an arm"):
        two_proportions((0, 0), (1, 2))
    with pytest.raises(NotApplicableError, match="losses that vary"):
        two_means(Moments.of([1.0, 1.0]), Moments.of([2.0, 2.0]))
