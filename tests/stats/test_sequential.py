"""The e-process against print, against integrating its mixture, against whole numbers, and under peeking."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats
from ville import BernoulliTest

from abtest.errors import InvalidInputError
from abtest.outcomes import Contingency
from abtest.stats.mcnemar import mcnemar
from abtest.stats.sequential import (
    ALTERNATIVES,
    Alternative,
    anytime_pvalue,
    log_evidence,
    log_evidence_by_look,
    mixture_width,
    tuned,
)

COUNTS = st.one_of(st.integers(0, 60), st.integers(0, 10**8))
PRIORS = st.sampled_from([0.5, 1.0, 5.0, 5.80028])


@pytest.mark.parametrize(
    ("challenger_only", "champion_only", "a", "log_e"),
    [
        (15, 5, 1.0, 1.1695678393),
        (30, 20, 1.0, -0.7583807469),
        (15, 5, 5.0, 1.1933361307),
        (30, 20, 5.0, -0.0651930738),
    ],
)
def test_worked_values(challenger_only: int, champion_only: int, a: float, log_e: float) -> None:
    """The worked values come out to every digit; `ville.BernoulliTest`, an independent package, prints the same."""
    assert log_evidence(champion_only, challenger_only, a=a) == pytest.approx(log_e, abs=6e-11)


@pytest.mark.parametrize(
    ("challenger_only", "champion_only", "a", "e"),
    [(15, 5, 1.0, 3.221), (30, 20, 1.0, 0.4684), (15, 5, 5.0, 3.298), (30, 20, 5.0, 0.9369)],
)
def test_agrees_with_ville(challenger_only: int, champion_only: int, a: float, e: float) -> None:
    """E is what ville 0.1.0 prints for the same rows, to its four digits."""
    assert math.exp(log_evidence(champion_only, challenger_only, a=a)) == pytest.approx(e, rel=2e-4)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=200), PRIORS)
def test_every_look_agrees_with_ville(rows: list[int], a: float) -> None:
    """Row by row, the evidence of all looks is ville's running Bernoulli test, to twelve digits."""
    challenger_only = np.cumsum(rows)
    ours = log_evidence_by_look(np.arange(1, len(rows) + 1) - challenger_only, challenger_only, a=a)
    assert ours == pytest.approx(BernoulliTest(0.5, prior=(a, a)).fit(rows).log_e_values_, rel=1e-12, abs=1e-12)


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=6), PRIORS, st.sampled_from(ALTERNATIVES))
def test_looks_are_single_looks(looks: list[tuple[int, int]], a: float, alternative: Alternative) -> None:
    """Many looks at once are each look alone, to the last bit, minus infinity too."""
    champion_only, challenger_only = [b for b, _ in looks], [c for _, c in looks]
    found = log_evidence_by_look(champion_only, challenger_only, a=a, alternative=alternative)
    assert found.tolist() == [log_evidence(b, c, a=a, alternative=alternative) for b, c in looks]


@pytest.mark.parametrize("a", [0.7, 1.0, 5.0, 12.0])
@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 0), (0, 7), (5, 15), (30, 20), (40, 90)])
def test_integrates_the_mixture(b: int, c: int, a: float) -> None:
    """E is the average, over the Beta(a, a), or the half of it that an alternative names, of the odds against 1/2."""

    def odds(p: float) -> float:
        return float((2 * p) ** c * (2 * (1 - p)) ** b * stats.beta.pdf(p, a, a))

    lower, upper = (integrate.quad(odds, low, low + 0.5, epsabs=0, epsrel=1e-11)[0] for low in (0.0, 0.5))
    assert math.exp(log_evidence(b, c, a=a)) == pytest.approx(lower + upper, rel=1e-7)
    assert math.exp(log_evidence(b, c, a=a, alternative="greater")) == pytest.approx(2 * upper, rel=1e-7)
    assert math.exp(log_evidence(b, c, a=a, alternative="less")) == pytest.approx(2 * lower, rel=1e-7)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 15), (500, 500), (5000, 6000), (0, 2000)])
def test_whole_numbers(b: int, c: int) -> None:
    """With a = 1, E is 2^m / ((m + 1)·(m choose b)), in whole numbers of thousands of digits."""
    m = b + c
    exactly = Fraction(2**m, (m + 1) * math.comb(m, b))
    assert log_evidence(b, c) == pytest.approx(
        math.log(exactly.numerator) - math.log(exactly.denominator), rel=1e-10, abs=1e-10
    )


@given(COUNTS, COUNTS, PRIORS)
def test_laws(b: int, c: int, a: float) -> None:
    """Swapping sides keeps two-sided evidence and swaps the others; the two halves average to the whole; no NaN."""
    both, greater, less = (log_evidence(b, c, a=a, alternative=alternative) for alternative in ALTERNATIVES)
    assert both == log_evidence(c, b, a=a)
    assert greater == log_evidence(c, b, a=a, alternative="less")
    assert not any(math.isnan(log_e) for log_e in (both, greater, less))
    assert np.logaddexp(greater, less) - math.log(2) == pytest.approx(both, rel=1e-9, abs=1e-6)


@given(st.integers(0, 400), st.integers(0, 400), PRIORS)
def test_is_fair(b: int, c: int, a: float) -> None:
    """Under the null the next pair leaves E what it is, on average: a martingale."""
    for alternative in ALTERNATIVES:
        now = log_evidence(b, c, a=a, alternative=alternative)
        worse = log_evidence(b + 1, c, a=a, alternative=alternative)
        better = log_evidence(b, c + 1, a=a, alternative=alternative)
        assert np.logaddexp(worse, better) - math.log(2) == pytest.approx(now, abs=1e-8)


def test_starts_at_nothing_and_needs_eight_in_a_row() -> None:
    """No rows are no evidence; with a = 1, seven challenger-only rows in a row are p = 1/16, and eight are 9/256."""
    for alternative in ALTERNATIVES:
        assert log_evidence(0, 0, alternative=alternative) == pytest.approx(0, abs=1e-12)
    assert anytime_pvalue([]) == 1.0
    assert anytime_pvalue([log_evidence(0, 7)]) == pytest.approx(1 / 16, rel=1e-12)
    assert anytime_pvalue([log_evidence(0, 8)]) == pytest.approx(9 / 256, rel=1e-12)


def test_evidence_that_underflows_is_none() -> None:
    """One-sided evidence below the smallest double is minus infinity, an E of 0, and p stays a number."""
    assert log_evidence(100_000, 10, alternative="greater") == -math.inf
    assert anytime_pvalue([-math.inf]) == 1.0
    assert log_evidence(100_000, 10, alternative="less") > 60_000
    assert anytime_pvalue([log_evidence(100_000, 10)]) == 0.0


@given(st.lists(st.floats(-50, 50), max_size=8), st.floats(-50, 50))
def test_pvalue_is_of_the_best_look(logs: list[float], more: float) -> None:
    """The p-value is 1 / max E, at most 1, whatever the order of looks, and never larger after another."""
    p = anytime_pvalue(logs)
    assert p == pytest.approx(min([1.0, *(math.exp(-log_e) for log_e in logs)]), rel=1e-12)
    assert p == anytime_pvalue(sorted(logs))
    assert anytime_pvalue([*logs, more]) <= p


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": 0.0}, "a must be a positive number, got 0.0."),
        ({"a": math.nan}, "a must be a positive number, got nan."),
        ({"champion_only": -1}, "champion_only must be at least 0, got -1."),
        ({"challenger_only": -2}, "challenger_only must be at least 0, got -2."),
        ({"alternative": "better"}, "alternative must be one of two-sided, greater, less, got 'better'."),
    ],
)
def test_no_evidence(arguments: dict[str, object], message: str) -> None:
    """What cannot be is refused by name."""
    with pytest.raises(InvalidInputError) as refused:
        log_evidence(**{"champion_only": 1, "challenger_only": 1, **arguments})  # type: ignore[arg-type] # mistakes under test
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("planned", "alpha", "one_sided", "a"),
    [(100, 0.05, False, 5.80028), (100, 0.05, True, 7.40032), (1, 0.05, False, 0.5)],
)
def test_tuned(*, planned: int, alpha: float, one_sided: bool, a: float) -> None:
    """The worked values come out to every digit; few planned rows have the flattest mixture there is."""
    assert tuned(planned, alpha, one_sided=one_sided) == pytest.approx(a, abs=5e-6)


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.3])
def test_the_width_is_where_the_boundary_is_sharpest(alpha: float) -> None:
    """At that information in units of the mixture's, Robbins' boundary is within 1 % of the best mixture's."""

    def boundary(log_x: float) -> float:  # of information 1, by the logarithm of its ratio to the mixture's
        x = math.exp(log_x)
        return math.sqrt((1 + 1 / x) * math.log((x + 1) / alpha**2))

    best = optimize.minimize_scalar(boundary, bounds=(-5, 10), method="bounded")
    assert boundary(math.log(mixture_width(alpha))) <= 1.01 * best.fun
    assert mixture_width(alpha / 2, one_sided=True) == mixture_width(alpha)


@pytest.mark.parametrize("planned", [40, 100, 1000])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_tuned_needs_the_least(planned: int, alternative: Alternative) -> None:
    """At the planned number of rows, the fewest that reject are within one of the fewest of any mixture."""

    def fewest(a: float) -> int:
        c = np.arange(planned // 2, planned + 1)
        log_e = log_evidence_by_look(planned - c, c, a=a, alternative=alternative)
        return min(c[log_e >= math.log(20)].tolist(), default=planned + 1)

    ours = fewest(tuned(planned, one_sided=alternative != "two-sided"))
    assert ours <= min(fewest(a) for a in np.geomspace(0.5, 4 * planned, 60)) + 1


@given(st.integers(1, 10**9), st.floats(0.0005, 0.499))
def test_tuned_laws(planned: int, alpha: float) -> None:
    """More planned rows never make the mixture wider; a one-sided test is the two-sided one at twice its level."""
    assert 0.5 <= tuned(planned, alpha) <= tuned(planned + 1, alpha)
    assert tuned(planned, alpha, one_sided=True) == tuned(planned, 2 * alpha)


@pytest.mark.parametrize(
    ("planned", "alpha", "one_sided", "message"),
    [
        (0, 0.05, False, "planned_discordant must be at least 1, got 0."),
        (10, 1.0, False, "alpha must be in (0, 1), got 1.0. Hint: try 0.05."),
        (10, 0.5, True, "alpha must be in (0, 0.5), got 0.5. Hint: try 0.05."),
        (10, math.nan, False, "alpha must be in (0, 1), got nan. Hint: try 0.05."),
    ],
)
def test_not_tuned(*, planned: int, alpha: float, one_sided: bool, message: str) -> None:
    """A plan of no rows, or a level that is none, is refused by name."""
    with pytest.raises(InvalidInputError) as refused:
        tuned(planned, alpha, one_sided=one_sided)
    assert str(refused.value) == message


def ever_rejected(alternative: Alternative, *, alpha: float, pairs: int, a: float = 1.0, p: float = 0.5) -> float:
    """Add up every path of coin tosses that crosses 1/alpha by then: the exact chance, looking after each pair."""
    alive, crossed = np.array([1.0]), 0.0
    for m in range(1, pairs + 1):
        alive = np.append(alive * (1 - p), 0) + np.append(0, alive * p)  # by how many of m are the challenger's
        c = np.arange(m + 1)
        rejects = log_evidence_by_look(m - c, c, a=a, alternative=alternative) >= -math.log(alpha)
        crossed, alive = crossed + alive[rejects].sum(), np.where(rejects, 0.0, alive)
    return float(crossed)


@pytest.mark.parametrize("alpha", [0.025, 0.05])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("planned", [None, 100])
def test_level_with_a_look_after_every_pair(alternative: Alternative, alpha: float, planned: int | None) -> None:
    """Looking after each of 1,000 pairs, equal models are rejected in at most α of all paths, counted exactly.

    It is far from never either: more than a quarter of α.
    """
    a = 1.0 if planned is None else tuned(planned, alpha, one_sided=alternative != "two-sided")
    assert alpha / 4 <= ever_rejected(alternative, alpha=alpha, pairs=1000, a=a) <= alpha


def test_a_worse_challenger_is_hardly_ever_called_better() -> None:
    """One-sided evidence keeps its level under the whole null: the worse the challenger, the rarer."""
    rates = [ever_rejected("greater", alpha=0.05, pairs=600, a=5.0, p=p) for p in (0.5, 0.48, 0.45, 0.4)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] <= 0.05


def test_power_against_the_fixed_test() -> None:
    """Where 65 % of discordant pairs are the challenger's, looking all the time shows it in nearly as many cases.

    The fixed exact test at 100 pairs has power .83; looked at all the time, the tuned evidence has more than .6 by
    then, and overtakes the fixed test by twice the pairs.
    """
    critical = stats.binom.isf(0.025, 100, 0.5) + 1
    fixed = stats.binom.sf(critical - 1, 100, 0.65)
    a = tuned(100)
    by_then, by_twice = (ever_rejected("two-sided", alpha=0.05, pairs=pairs, a=a, p=0.65) for pairs in (100, 200))
    assert 0.6 < by_then < fixed < by_twice


@pytest.mark.slow
def test_level_in_simulation() -> None:
    """Over 20,000 series of 5,000 discordant pairs of equal models, looked at after every pair, at most 5 % reject."""
    rng = np.random.default_rng(0)
    pairs = np.arange(1, 5001)
    # By the fewest and the most challenger-only pairs that reject, found by bisection with the function under test.
    fewest = np.array([_fewest_champion_only(int(m)) for m in pairs])
    rejected = 0
    for _ in range(20):
        challenger = np.cumsum(rng.integers(0, 2, (1000, pairs.size), dtype=np.int16), axis=1)
        rejected += int(((np.minimum(challenger, pairs - challenger) <= fewest).any(axis=1)).sum())
    assert 0.02 <= rejected / 20_000 <= 0.05


def _fewest_champion_only(m: int) -> int:
    """The most rows that the weaker side may have for m pairs to reject at 5 %; -1 where none can."""
    low, high = -1, m // 2
    while high > low:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if log_evidence(middle, m - middle) >= math.log(20) else (low, middle - 1)
    return low


@pytest.mark.slow
def test_a_fixed_test_does_not_bear_looking() -> None:
    """McNemar's test looked at 20 times as the test set grows rejects equal models in about a quarter of series."""
    rng = np.random.default_rng(1)
    looks = 50 * np.arange(1, 21)  # discordant pairs
    challenger = np.cumsum(rng.binomial(50, 0.5, (4000, looks.size)), axis=1)
    test = np.vectorize(
        lambda c, m: mcnemar(Contingency(both=0, champion_only=m - c, challenger_only=c, neither=0)).pvalue < 0.05,
        otypes=[bool],
    )
    peeked = test(challenger, looks[None, :])
    assert peeked.any(axis=1).mean() == pytest.approx(0.25, abs=0.02)
    assert peeked[:, -1].mean() == pytest.approx(0.05, abs=0.012)
    evidence = np.vectorize(lambda c, m: log_evidence(m - c, c) >= math.log(20), otypes=[bool])
    assert evidence(challenger, looks[None, :]).any(axis=1).mean() <= 0.05


def test_a_hundred_million_rows() -> None:
    """At 1e8 pairs the logarithm keeps six decimals, by the asymptotic series of the central binomial coefficient."""
    half = 5 * 10**7
    m = 2 * half
    log_choose = m * math.log(2) - 0.5 * math.log(math.pi * half) - 1 / (8 * half)
    expected = m * math.log(2) - math.log(m + 1) - log_choose
    assert log_evidence(half, half) == pytest.approx(expected, abs=1e-6)
