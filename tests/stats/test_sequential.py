"""The e-process against print, against integrating its mixture, against whole numbers, and under peeking."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from abtest.errors import InvalidInputError
from abtest.outcomes import Contingency
from abtest.stats.mcnemar import mcnemar
from abtest.stats.sequential import ALTERNATIVES, Alternative, anytime_pvalue, log_evidence

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


def ever_rejected(alternative: Alternative, *, alpha: float, pairs: int) -> float:
    """Add up every path of coin tosses that crosses 1/alpha by then: the exact chance, looking after each pair."""
    alive, crossed = np.array([1.0]), 0.0
    for m in range(1, pairs + 1):
        alive = (np.append(alive, 0) + np.append(0, alive)) / 2  # by the challenger's share of m
        for c in range(m + 1):  # from the outside in, until the evidence is too weak
            if alive[c] and log_evidence(m - c, c, alternative=alternative) >= -math.log(alpha):
                crossed, alive[c] = crossed + alive[c], 0.0
    return float(crossed)


@pytest.mark.parametrize(("alternative", "at_least"), [("two-sided", 0.02), ("greater", 0.02)])
def test_level_with_a_look_after_every_pair(alternative: Alternative, at_least: float) -> None:
    """Looking after each of 200 pairs, equal models are rejected in at most 5 % of all paths, counted exactly."""
    assert at_least <= ever_rejected(alternative, alpha=0.05, pairs=200) <= 0.05


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
