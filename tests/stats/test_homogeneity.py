"""The same categories in two samples: published values, brute force, SciPy; and distances that are distances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.homogeneity import (
    EXPECTED,
    chi_squared,
    jensen_shannon,
    stability_index,
    total_variation,
    two_shares,
)

COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8)


def columns(counts: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Cut counts into two samples, neither without rows."""
    baseline, recent = [one for one, _ in counts], [other for _, other in counts]
    assume(sum(baseline) and sum(recent))
    return baseline, recent


@given(COUNTS)
def test_chi_squared_is_scipys(counts: list[tuple[int, int]]) -> None:
    """χ² and its p-value are SciPy's, of the categories that have rows."""
    from scipy import stats

    baseline, recent = columns(counts)
    ours = chi_squared(baseline, recent)
    table = np.array([pair for pair in counts if any(pair)]).T
    theirs = stats.chi2_contingency(table, correction=False)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-9)
    assert ours.degrees_of_freedom == theirs.dof
    assert ours.pvalue == pytest.approx(theirs.pvalue, abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3000), st.integers(0, 60))
def test_two_shares_are_fishers_or_chi_squared(k: int, rest: int, many: int, m: int) -> None:
    """Of few rows the p-value is Fisher's, as twice the smaller tail; of many it is χ²."""
    from scipy import stats

    assume(k + rest and many + m)
    n1, n2 = k + rest, many + m
    such, n = k + m, n1 + n2
    ours = two_shares(k, n1, m, n2)
    assert two_shares(m, n2, k, n1) == pytest.approx(ours, rel=1e-9)
    if min(n1, n2) * min(such, n - such) >= EXPECTED * n:
        assert ours == chi_squared([k, rest], [m, many]).pvalue
    else:
        chance = stats.hypergeom(n, such, n1)
        assert ours == pytest.approx(min(1.0, 2 * min(chance.cdf(k), chance.sf(k - 1))), rel=1e-7)


def test_two_shares_of_a_rare_event_in_millions() -> None:
    """However many rows there are, an exact tail costs and loses nothing: by hand, all k of them in the recent rows."""
    n, m = 10_000_000, 1_000
    by_hand = math.prod((m - i) / (n + m - i) for i in range(3))
    assert two_shares(0, n, 3, m) == pytest.approx(2 * by_hand, rel=1e-6)
    assert two_shares(n, n, m - 3, m) == pytest.approx(2 * by_hand, rel=1e-6)
    assert two_shares(0, n, 0, m) == 1.0


@given(COUNTS)
def test_distances_are_scipys_and_by_hand(counts: list[tuple[int, int]]) -> None:
    """The Jensen-Shannon distance is SciPy's; total variation and PSI are their sums, term by term."""
    from scipy.spatial import distance

    baseline, recent = columns(counts)
    n, m = sum(baseline), sum(recent)
    theirs = distance.jensenshannon(baseline, recent, base=2)
    assert jensen_shannon(baseline, recent) ** 2 == pytest.approx(0 if math.isnan(theirs) else theirs**2, abs=1e-12)
    assert total_variation(baseline, recent) == pytest.approx(sum(max(0, p / n - q / m) for p, q in counts), abs=1e-12)
    groups = [pair for pair in counts if any(pair)]
    shares = [((p + 0.5) / (n + len(groups) / 2), (q + 0.5) / (m + len(groups) / 2)) for p, q in groups]
    assert stability_index(baseline, recent) == pytest.approx(sum((p - q) * math.log(p / q) for p, q in shares))


def test_the_index_of_a_worked_example() -> None:
    """Shares of 40, 30, 30 % against 35, 25, 40 % have an index of 0.0446: each term to be checked by hand."""
    many = 10**9
    terms = (0.40 - 0.35) * math.log(0.40 / 0.35), (0.30 - 0.25) * math.log(0.30 / 0.25), 0.10 * math.log(0.40 / 0.30)
    assert [round(term, 4) for term in terms] == [0.0067, 0.0091, 0.0288]
    assert stability_index(
        [0.4 * many, 0.3 * many, 0.3 * many], [0.35 * many, 0.25 * many, 0.4 * many]
    ) == pytest.approx(0.04456, abs=5e-6)


@given(COUNTS, st.lists(st.integers(0, 50), min_size=8, max_size=8))
def test_jensen_shannon_is_a_metric(counts: list[tuple[int, int]], third: list[int]) -> None:
    """No detour is shorter (Endres & Schindelin 2003), and the divergence is at most the total variation (Lin 1991)."""
    baseline, recent = columns(counts)
    other = third[: len(counts)]
    assume(sum(other))
    direct = jensen_shannon(baseline, recent)
    assert direct <= jensen_shannon(baseline, other) + jensen_shannon(other, recent) + 1e-9
    assert direct**2 <= total_variation(baseline, recent) + 1e-9


@given(COUNTS)
def test_distances_are_symmetric_and_finite(counts: list[tuple[int, int]]) -> None:
    """Distances stay when samples are swapped, are 0 of a sample and itself, and are never infinite."""
    baseline, recent = columns(counts)
    for distance in (stability_index, jensen_shannon, total_variation):
        assert distance(baseline, recent) == pytest.approx(distance(recent, baseline), abs=1e-12)
        assert distance(baseline, baseline) == 0
        assert 0 <= distance(baseline, recent) < math.inf


def test_samples_without_rows_have_no_answer() -> None:
    """Where a sample has no row nothing is asked, and what is no count is refused."""
    for asked in (chi_squared, stability_index, jensen_shannon, total_variation):
        with pytest.raises(NotApplicableError):
            asked([0, 0], [1, 2])
    with pytest.raises(NotApplicableError):
        two_shares(0, 0, 1, 2)
    with pytest.raises(InvalidInputError, match="from 0"):
        stability_index([-1, 2], [1, 2])
