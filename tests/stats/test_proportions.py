"""Intervals against print, against maximising the likelihood, against enumeration, against SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.outcomes import Contingency
from abtest.stats.mcnemar import mcnemar
from abtest.stats.proportions import (
    Interval,
    newcombe_interval,
    normal_quantile,
    tango_interval,
    tango_statistic,
    wilson_interval,
)
from tests.stats.worked import BENTUR, NEWCOMBE, TANGO
from tests.strategies import contingencies, swapped

Method = Callable[[Contingency], Interval]
PAIRED = pytest.mark.parametrize("interval", [tango_interval, newcombe_interval])
LEVELS = st.sampled_from([0.5, 0.8, 0.95, 0.999])


def table(n: int, b: int, c: int) -> Contingency:
    """Spell a table of n rows by its discordant ones."""
    return Contingency(both=n - b - c, champion_only=b, challenger_only=c, neither=0)


@pytest.mark.parametrize(
    ("printed", "interval", "theta"),
    [
        (BENTUR, newcombe_interval, (-0.50692023, -0.02555912)),
        (BENTUR, tango_interval, (-0.51723228, -0.02600303)),
        (NEWCOMBE, newcombe_interval, (0.05615642, 0.32920700)),
        (NEWCOMBE, tango_interval, (0.06111241, 0.34470875)),
        (TANGO, newcombe_interval, (-0.02734808, 0.38067158)),
        (TANGO, tango_interval, (-0.02709046, 0.38969749)),
    ],
)
def test_published_intervals(printed: Contingency, interval: Method, theta: tuple[float, float]) -> None:
    """The 95 % intervals in print come out, mirrored, as print has champion minus challenger."""
    ours = interval(printed)
    assert (-ours.upper, -ours.lower) == pytest.approx(theta, abs=6e-9)


@pytest.mark.parametrize(("printed", "pvalue"), [(BENTUR, 0.033894854), (NEWCOMBE, 0.007526315)])
def test_published_uncorrected_pvalues(printed: Contingency, pvalue: float) -> None:
    """T(0)² is McNemar's uncorrected chi-square, whose p-values are in print."""
    assert stats.chi2.sf(tango_statistic(printed, 0.0) ** 2, 1) == pytest.approx(pvalue, abs=6e-10)


def test_disagreement_at_the_edge() -> None:
    """Tango can exclude zero where mid-p does not reject: n = 100, none against four."""
    edge = table(100, 0, 4)
    assert mcnemar(edge).pvalue == 0.0625
    ours = tango_interval(edge)
    assert (ours.lower, ours.upper) == pytest.approx((0.0015, 0.098), abs=5e-4)


def score_by_optimiser(drawn: Contingency, delta: float) -> float:
    """Maximise the trinomial likelihood under δ by search, and standardise the observed effect with it."""
    n, b, c = drawn.n, drawn.champion_only, drawn.challenger_only

    def loss(q: float) -> float:
        terms = ((b, q), (c, q + delta), (n - b - c, 1 - 2 * q - delta))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in terms if count)

    lowest, highest = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(loss, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-12}).x
    return (c - b - n * delta) / math.sqrt(n * (2 * q + delta - delta * delta))


@pytest.mark.parametrize("drawn", [BENTUR, NEWCOMBE, TANGO, table(9, 0, 3), table(9, 4, 5), table(40, 1, 0)])
@pytest.mark.parametrize("delta", [-0.9, -0.4, -0.05, 0.0, 0.02, 0.3, 0.8])
def test_statistic_maximises_the_likelihood(drawn: Contingency, delta: float) -> None:
    """Tango's closed form is the score at the likelihood's maximum, found by search."""
    assert tango_statistic(drawn, delta) == pytest.approx(score_by_optimiser(drawn, delta), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_interval_is_the_accepted_hypotheses(n: int) -> None:
    """On a grid of hypotheses, those inside the interval are those that the score test accepts, for every table."""
    z, grid = normal_quantile(0.9), np.linspace(-1, 1, 81)
    for b in range(0, n + 1, max(1, n // 7)):
        for c in range(0, n + 1 - b, max(1, n // 7)):
            ours = tango_interval(table(n, b, c), confidence_level=0.9)
            for delta in grid:
                score = abs(tango_statistic(table(n, b, c), delta))
                if abs(score - z) > 1e-9:
                    assert (ours.lower <= delta <= ours.upper) == (score <= z), (n, b, c, delta)


@given(contingencies(most=30), LEVELS)
def test_limits_are_roots(drawn: Contingency, level: float) -> None:
    """At a limit short of ±1 the score is z."""
    z, ours = normal_quantile(level), tango_interval(drawn, confidence_level=level)
    assume(drawn.n < 10**4)  # beyond, the distance between two doubles is worth more than the tolerance
    if ours.lower > -1:
        assert tango_statistic(drawn, ours.lower) == pytest.approx(z, abs=1e-6)
    if ours.upper < 1:
        assert tango_statistic(drawn, ours.upper) == pytest.approx(-z, abs=1e-6)


@given(contingencies(), st.floats(-1, 1))
def test_swapping_negates_the_statistic(drawn: Contingency, delta: float) -> None:
    """Swapping the sides and the hypothesis negates T, to the last bit."""
    assert tango_statistic(swapped(drawn), -delta) == -tango_statistic(drawn, delta)


@given(contingencies(), st.floats(-1, 1), st.floats(-1, 1))
def test_statistic_falls_with_the_hypothesis(drawn: Contingency, one: float, other: float) -> None:
    """The higher the hypothesised effect, the lower the score, and it is never NaN."""
    low, high = tango_statistic(drawn, min(one, other)), tango_statistic(drawn, max(one, other))
    assert low >= high - 1e-6 * max(1.0, abs(high)) or math.isinf(low)
    assert not math.isnan(low)
    assert not math.isnan(high)


@PAIRED
@given(drawn=contingencies())
def test_swapping_mirrors_intervals(interval: Method, drawn: Contingency) -> None:
    """Swapping the sides mirrors the interval."""
    ours, theirs = interval(drawn), interval(swapped(drawn))
    assert (ours.lower, ours.upper) == pytest.approx((-theirs.upper, -theirs.lower), abs=1e-12)


@PAIRED
@given(drawn=contingencies())
def test_intervals_hold_the_effect(interval: Method, drawn: Contingency) -> None:
    """The observed effect lies inside, and the limits within [-1, 1]."""
    ours = interval(drawn)
    assert -1 <= ours.lower <= drawn.effect <= ours.upper <= 1


@PAIRED
@given(drawn=contingencies(most=1000))
def test_more_confidence_is_wider(interval: Callable[..., Interval], drawn: Contingency) -> None:
    """A higher confidence level never gives a narrower interval."""
    narrow, wide = interval(drawn, confidence_level=0.8), interval(drawn, confidence_level=0.99)
    assert wide.lower <= narrow.lower
    assert wide.upper >= narrow.upper


@given(st.integers(1, 10**8), LEVELS)
def test_identical_sides_have_a_width(n: int, level: float) -> None:
    """Without a discordant pair Tango's limits are exactly ±z²/(n + z²)."""
    z2 = float(stats.norm.ppf((1 + level) / 2)) ** 2
    ours = tango_interval(table(n, 0, 0), confidence_level=level)
    assert ours.lower == -ours.upper
    assert ours.upper == pytest.approx(z2 / (n + z2), rel=1e-12)


@pytest.mark.parametrize("n", [1, 5, 10**8])
def test_one_side_always_right_alone(n: int) -> None:
    """Where every row is the challenger's, the interval ends at 1 and starts at (n - z²)/(n + z²)."""
    z2 = normal_quantile(0.95) ** 2
    ours = tango_interval(table(n, 0, n))
    assert ours.upper == 1
    assert ours.lower == pytest.approx((n - z2) / (n + z2), rel=1e-12)
    assert tango_interval(table(n, n, 0)) == Interval(lower=-1.0, upper=-ours.lower)


def test_statistic_at_certainty() -> None:
    """A hypothesis of ±1 is met exactly or refuted infinitely."""
    assert tango_statistic(table(5, 0, 5), 1.0) == 0
    assert tango_statistic(table(5, 1, 4), 1.0) == -math.inf
    assert tango_statistic(table(5, 5, 0), -1.0) == 0
    assert tango_statistic(table(5, 0, 0), -1.0) == math.inf
    assert tango_statistic(table(5, 0, 0), 0.0) == 0


@given(st.integers(100, 10**7), st.floats(0.1, 0.5), st.floats(0.1, 0.5))
def test_newcombe_cross_checks_tango(n: int, champion_only: float, challenger_only: float) -> None:
    """From a hundred rows on, Newcombe's limits and Tango's differ by under a tenth of the interval."""
    b, c = round(n * champion_only / 2), round(n * challenger_only / 2)
    drawn = Contingency(both=(n - b - c) // 2, champion_only=b, challenger_only=c, neither=(n - b - c + 1) // 2)
    tango, newcombe = tango_interval(drawn), newcombe_interval(drawn)
    width = tango.upper - tango.lower
    assert (newcombe.lower, newcombe.upper) == pytest.approx((tango.lower, tango.upper), abs=width / 10)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), LEVELS)
def test_wilson_agrees_with_scipy_and_statsmodels(drawn: tuple[int, int], level: float) -> None:
    """Wilson's limits are SciPy's and statsmodels'."""
    successes, n = drawn
    ours = wilson_interval(successes, n, confidence_level=level)
    scipy = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert (ours.lower, ours.upper) == pytest.approx((scipy.low, scipy.high), abs=1e-12)
    assert (ours.lower, ours.upper) == pytest.approx(
        proportion_confint(successes, n, 1 - level, method="wilson"), abs=1e-12
    )


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), LEVELS)
def test_wilson_limits(drawn: tuple[int, int], level: float) -> None:
    """Wilson's limits hold the proportion, lie in [0, 1], and mirror when successes and failures change places."""
    successes, n = drawn
    ours, mirrored = (wilson_interval(k, n, confidence_level=level) for k in (successes, n - successes))
    assert 0 <= ours.lower <= successes / n <= ours.upper <= 1
    assert (ours.lower, ours.upper) == pytest.approx((1 - mirrored.upper, 1 - mirrored.lower), abs=1e-14)


def test_wilson_keeps_digits_of_rare_events() -> None:
    """At 5 successes in 1e12 the lower limit still solves its equation, n(p̂ - p)² = z²p(1 - p), to every digit."""
    n, z = 10**12, normal_quantile(0.95)
    lower = wilson_interval(5, n).lower
    assert n * (5 / n - lower) ** 2 == pytest.approx(z * z * lower * (1 - lower), rel=1e-12)
    assert wilson_interval(0, n).lower == 0
    assert wilson_interval(n, n).upper == 1


@pytest.mark.parametrize("interval", [tango_interval, newcombe_interval])
@pytest.mark.parametrize("level", [1.5, 0.0, 1.0, -0.1, math.nan])
def test_no_confidence_level(interval: Callable[..., Interval], level: float) -> None:
    """A level outside (0, 1) is refused by name, NaN with it."""
    with pytest.raises(InvalidInputError, match=rf"^confidence must be in \(0, 1\), got {level}\.$"):
        interval(TANGO, confidence_level=level)
    with pytest.raises(InvalidInputError, match="confidence must be"):
        wilson_interval(1, 2, confidence_level=level)


def test_nothing_to_estimate() -> None:
    """No rows: not applicable. A hypothesis or a count that cannot be: refused."""
    for ask in (tango_interval, newcombe_interval, lambda empty: tango_statistic(empty, 0.0)):
        with pytest.raises(NotApplicableError, match="no rows"):
            ask(table(0, 0, 0))
    with pytest.raises(NotApplicableError, match="no rows"):
        wilson_interval(0, 0)
    with pytest.raises(InvalidInputError, match=r"delta must be in \[-1, 1\], got 1\.2\."):
        tango_statistic(TANGO, 1.2)
    with pytest.raises(InvalidInputError, match=r"successes must be in \[0, 2\], got 3\."):
        wilson_interval(3, 2)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999, 1 - 1e-12])
def test_quantile_is_scipys(level: float) -> None:
    """The normal quantile is SciPy's."""
    assert normal_quantile(level) == pytest.approx(stats.norm.isf((1 - level) / 2), rel=1e-12)


def test_extreme_levels_stay_finite() -> None:
    """The largest level below 1 has a finite quantile, and the smallest above 0 still an interval."""
    assert math.isfinite(normal_quantile(math.nextafter(1, 0)))
    for ask in (tango_interval, newcombe_interval):
        ours = ask(table(10, 0, 0), confidence_level=5e-324)
        assert ours.lower == ours.upper == 0


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 50])
def test_tango_covers(n: int) -> None:
    """Summed over every table of n rows, Tango's 95 % interval covers the truth in 93 to 100 %, 96 % on average."""
    tables = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
    intervals = [tango_interval(table(n, b, c)) for b, c in tables]
    lower, upper = np.array([[i.lower, i.upper] for i in intervals]).T
    counts = np.array([(b, c, n - b - c) for b, c in tables])
    coverages = []
    for discordance in (0.05, 0.1, 0.2, 0.4, 0.8):
        for effect in (0.0, 0.3 * discordance, 0.6 * discordance):
            cells = [(discordance - effect) / 2, (discordance + effect) / 2, 1 - discordance]
            chance = stats.multinomial.pmf(counts, n, cells)
            coverages.append(float(chance[(lower <= effect) & (effect <= upper)].sum()))
    assert min(coverages) >= 0.93
    assert np.mean(coverages) == pytest.approx(0.96, abs=0.015)
