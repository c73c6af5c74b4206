"""McNemar's test against print, against counting, against other libraries."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlxtend.evaluate import mcnemar as mlxtend_mcnemar
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from abtest.errors import InvalidInputError
from abtest.outcomes import Contingency
from abtest.stats.mcnemar import METHODS, McNemarMethod, mcnemar
from tests.stats.worked import BENTUR, NEWCOMBE
from tests.strategies import contingencies, swapped


def table(b: int, c: int) -> Contingency:
    """Spell a table of which only the discordant pairs matter."""
    return Contingency(both=3, champion_only=b, challenger_only=c, neither=2)


def counted(b: int, c: int, method: McNemarMethod) -> Fraction:
    """Count coin tosses: the p-value as an exact fraction, from its definition in Fagerland 2013."""
    k, m = min(b, c), b + c
    if m == 0:
        return Fraction(1)
    ways, ways_upto = 1, 1
    for i in range(k):
        ways = ways * (m - i) // (i + 1)
        ways_upto += ways
    at, upto = Fraction(ways, 2**m), Fraction(ways_upto, 2**m)
    if method == "exact":
        return min(Fraction(1), 2 * upto)
    return 1 - at / 2 if b == c else 2 * upto - at


@pytest.mark.parametrize(
    ("printed", "method", "pvalue"),
    [
        (BENTUR, "chi2", 0.077099872),
        (BENTUR, "exact", 0.0703125),
        (BENTUR, "mid-p", 0.0390625),
        (NEWCOMBE, "chi2", 0.016156931),
        (NEWCOMBE, "exact", 0.012939453),
        (NEWCOMBE, "mid-p", 0.007385254),
    ],
)
def test_published_values(printed: Contingency, method: McNemarMethod, pvalue: float) -> None:
    """The p-values in print come out, to every digit printed."""
    assert mcnemar(printed, method=method).pvalue == pytest.approx(pvalue, abs=6e-10)


@pytest.mark.parametrize("method", ["mid-p", "exact"])
def test_counting_coin_tosses(method: McNemarMethod) -> None:
    """The binomial p-values are what enumerating every outcome gives, for all tables of up to 24 discordant pairs."""
    for m in range(25):
        for b in range(m + 1):
            expected = float(counted(b, m - b, method))
            assert mcnemar(table(b, m - b), method=method).pvalue == pytest.approx(expected, rel=1e-13), (b, m - b)


@pytest.mark.parametrize("method", ["mid-p", "exact"])
@pytest.mark.parametrize(("b", "c"), [(9_800, 10_200), (9_000, 11_000), (300, 1_700), (10_000, 10_000), (0, 1_000)])
def test_far_tails_keep_their_digits(b: int, c: int, method: McNemarMethod) -> None:
    """In whole-number arithmetic too big for doubles, and down to 1e-301, the p-value is the same."""
    assert mcnemar(table(b, c), method=method).pvalue == pytest.approx(float(counted(b, c, method)), rel=1e-11)


@pytest.mark.parametrize("z", [0.5, 2.0, 5.0, 20.0])
def test_a_hundred_million_rows(z: float) -> None:
    """At 1e8 discordant pairs mid-p is the uncorrected normal p-value, as the central limit theorem has it."""
    m = 10**8
    gap = round(z * math.sqrt(m) / 2) * 2
    b, c = (m - gap) // 2, (m + gap) // 2
    assert mcnemar(table(b, c)).pvalue == pytest.approx(math.erfc(gap / math.sqrt(2 * m)), rel=1e-3)
    assert mcnemar(table(b, c), method="exact").pvalue == pytest.approx(stats.binomtest(b, m).pvalue, rel=1e-9)


@given(st.integers(0, 300), st.integers(0, 300))
def test_exact_agrees_with_scipy_and_statsmodels(b: int, c: int) -> None:
    """The exact p-value is SciPy's binomial test and statsmodels' exact McNemar."""
    ours = mcnemar(table(b, c), method="exact").pvalue
    theirs = statsmodels_mcnemar([[3, b], [c, 2]], exact=True).pvalue
    assert ours == pytest.approx(theirs, rel=1e-9)
    if b + c:
        assert ours == pytest.approx(stats.binomtest(b, b + c).pvalue, rel=1e-9)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_chi2_agrees_with_statsmodels_and_mlxtend(b: int, c: int) -> None:
    """The corrected chi-square is statsmodels' and mlxtend's, except at a tie, where only ours has p = 1."""
    ours = mcnemar(table(b, c), method="chi2")
    if b == c:
        assert (ours.statistic, ours.pvalue) == (0.0, 1.0)
        return
    statsmodels = statsmodels_mcnemar([[3, b], [c, 2]], exact=False, correction=True)
    statistic, pvalue = mlxtend_mcnemar(np.array([[3, b], [c, 2]]), corrected=True)
    assert ours.statistic == pytest.approx(statsmodels.statistic, rel=1e-12) == pytest.approx(statistic, rel=1e-12)
    assert ours.pvalue == pytest.approx(statsmodels.pvalue, rel=1e-9) == pytest.approx(pvalue, rel=1e-9)


@given(contingencies(min_n=0), st.sampled_from(METHODS))
def test_sides_may_change_places(drawn: Contingency, method: McNemarMethod) -> None:
    """Swapping the sides changes neither statistic nor p-value, which is in [0, 1] and no NaN."""
    test = mcnemar(drawn, method=method)
    assert test == mcnemar(swapped(drawn), method=method)
    assert 0 <= test.pvalue <= 1
    assert test.statistic >= 0
    assert test.method == method


@given(contingencies(min_n=0), st.sampled_from(METHODS))
def test_only_discordant_pairs_count(drawn: Contingency, method: McNemarMethod) -> None:
    """Rows on which the sides are right or wrong together carry nothing."""
    alone = Contingency(both=0, champion_only=drawn.champion_only, challenger_only=drawn.challenger_only, neither=0)
    assert mcnemar(drawn, method=method) == mcnemar(alone, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_identical_sides(method: McNemarMethod) -> None:
    """Sides that never differ have statistic 0 and p = 1, with rows or without."""
    for both in (0, 7, 10**8):
        test = mcnemar(Contingency(both=both, champion_only=0, challenger_only=0, neither=0), method=method)
        assert (test.statistic, test.pvalue) == (0.0, 1.0)


@given(st.integers(0, 200), st.integers(1, 200), st.sampled_from(METHODS))
def test_more_lopsided_is_no_less_significant(b: int, c: int, method: McNemarMethod) -> None:
    """Of equally many discordant pairs, moving one to the heavier side never raises the p-value."""
    if b < c and b:
        assert mcnemar(table(b - 1, c + 1), method=method).pvalue <= mcnemar(table(b, c), method=method).pvalue


@given(contingencies(min_n=0))
def test_mid_p_lies_below_exact(drawn: Contingency) -> None:
    """Mid-p is never above the exact p-value, and more than half of it."""
    mid, exact = mcnemar(drawn).pvalue, mcnemar(drawn, method="exact").pvalue
    assert exact / 2 <= mid <= exact


def test_unknown_method() -> None:
    """A method that is not there is refused by name."""
    with pytest.raises(InvalidInputError, match=r"^method must be one of mid-p, exact, chi2, got 'x'\.$"):
        mcnemar(BENTUR, method="x")  # type: ignore[arg-type]  # the mistake under test


def worst_level(method: McNemarMethod, sizes: list[int], most_discordant: float) -> float:
    """Add up every table that the test rejects at 5 % under the null; the worst over row counts and discordances."""
    rejected = np.zeros(max(sizes) + 1)
    for m in range(1, max(sizes) + 1):
        kept = (b for b in range(m // 2 + 1) if mcnemar(table(b, m - b), method=method).pvalue > 0.05)
        rejected[m] = 2 * stats.binom.cdf(next(kept) - 1, m, 0.5)
    pairs, discordance = np.arange(rejected.size), np.linspace(0.01, most_discordant, 100)[:, None]
    return max(float((stats.binom.pmf(pairs, n, discordance) @ rejected).max()) for n in sizes)


def test_level_is_kept() -> None:
    """With up to 60 % of rows discordant mid-p's level is below 5 %, at any number of rows up to 60."""
    assert worst_level("mid-p", [*range(2, 61)], 0.6) <= 0.05


@pytest.mark.parametrize(("method", "most"), [("mid-p", 0.08), ("exact", 0.05), ("chi2", 0.05)])
def test_level_when_nearly_every_row_is_discordant(method: McNemarMethod, most: float) -> None:
    """At any discordance exact and corrected chi-square keep 5 %; mid-p, made for the rest, stays below 8 %."""
    assert worst_level(method, [*range(2, 61)], 1.0) <= most


@pytest.mark.slow
def test_level_is_kept_up_to_a_thousand_rows() -> None:
    """With up to 60 % of rows discordant mid-p's level is below 5 % at up to a thousand rows."""
    assert worst_level("mid-p", [80, 120, 200, 400, 700, 1000], 0.6) <= 0.05
