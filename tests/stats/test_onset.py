"""Bets on a rise: against integration, another library, and every path there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from ville import BernoulliTest

from abtest.errors import InvalidInputError
from abtest.stats import onset as module
from abtest.stats.onset import WIDTH, log_rise, onset, upper_limit

NULLS = st.sampled_from([0.02, 0.1, 0.35, 0.8])


def prior(null: float) -> tuple[float, float]:
    """The mixture of the docstring: a beta about the null, as wide as said."""
    worth = max(null * (1 - null) / WIDTH**2, 1.0)
    return worth * null, worth * (1 - null)


@given(null=NULLS, rows=st.integers(0, 60), share=st.floats(0, 1))
def test_evidence_is_the_integral(null: float, rows: int, share: float) -> None:
    """E is the likelihoods' ratio, averaged over the part of the beta above the null by numerical integration."""
    wrong, (a, b) = round(rows * share), prior(null)

    def ratio(p: float) -> float:
        return float((p / null) ** wrong * ((1 - p) / (1 - null)) ** (rows - wrong) * stats.beta.pdf(p, a, b))

    # Without the last sliver, where a density may have no bound though it holds next to nothing.
    whole = integrate.quad(ratio, null, 1 - 1e-12, limit=400, points=[min(null + 0.05, 0.99), 0.99])[0]
    assert float(np.exp(log_rise(wrong, rows, null))) == pytest.approx(whole / stats.beta.sf(null, a, b), rel=1e-3)


@given(null=NULLS, rows=st.lists(st.booleans(), min_size=1, max_size=50))
def test_evidence_of_both_sides_is_that_of_another_library(null: float, rows: list[bool]) -> None:
    """A rise's E and a fall's, each by its part of the mixture, add up to the two-sided E of ville."""
    a, b = prior(null)
    k, n = np.cumsum(rows), np.arange(1, len(rows) + 1)
    up, down = math.log(stats.beta.sf(null, a, b)), math.log(stats.beta.cdf(null, a, b))
    both = np.logaddexp(up + log_rise(k, n, null), down + log_rise(n - k, n, 1 - null))
    theirs = BernoulliTest(null, prior=(a, b)).fit(np.array(rows, dtype=float)).log_e_values_
    assert both == pytest.approx(np.asarray(theirs), abs=1e-7)


@pytest.mark.parametrize("null", [0.1, 0.3])
@pytest.mark.parametrize("true", [0.0, 0.5, 1.0])
def test_a_row_is_a_fair_bet_at_most(null: float, true: float) -> None:
    """After any rows, E is expected to be no greater one row later, whatever the chance up to the null."""
    p = true * null
    for n in range(40):
        k = np.arange(n + 1)
        now, right, wrong = (np.exp(log_rise(*at, null)) for at in ((k, n), (k, n + 1), (k + 1, n + 1)))
        assert (p * wrong + (1 - p) * right <= now * (1 + 1e-9)).all()
        if true == 1.0:
            assert p * wrong + (1 - p) * right == pytest.approx(now)


def brute_force(wrong: list[int], days: list[int], null: float) -> float:
    """The greatest log E of single rows, each day's bet and what is kept added up look by look."""
    best = -math.inf
    for t in range(1, len(wrong) + 1):
        kept, total = 1.0, 0.0
        for day in range(days[t - 1] + 1):
            stake = 1 / ((day + 1) * (day + 2))
            rows = [w for w, d in zip(wrong[:t], days[:t], strict=True) if d >= day]
            total += stake * math.exp(float(log_rise(sum(rows), len(rows), null)))
            kept -= stake
        best = max(best, math.log(total + kept))
    return max(best, 0.0)


@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=25),
    null=st.sampled_from([0.1, 0.4]),
)
def test_bets_are_added_up_day_by_day(rows: list[tuple[int, int]], null: float) -> None:
    """Mixed over the days of a begin, days without a row among them, E is what a plain loop makes of it."""
    wrong, days = [w for w, _ in rows], np.cumsum([step for _, step in rows]).tolist()
    found = onset(wrong, [1] * len(rows), days, null)
    assert found.log_evidence == pytest.approx(brute_force(wrong, days, null), abs=1e-9)
    assert (found.start is None) == (found.log_evidence == 0)


def test_false_alarms_are_as_rare_as_said() -> None:
    """Of rows at the null, looked at one by one on three days, E reaches 1/α on paths of probability α at most."""
    null, per_day, level = 0.3, 7, 0.1
    alarm = 0.0
    for path in np.ndindex(*[per_day + 1] * 3):  # wrong rows by day, looked at each day's end
        chance = float(np.prod(stats.binom.pmf(path, per_day, null)))
        alarm += chance * (onset(path, [per_day] * 3, [0, 1, 2], null).log_evidence >= -math.log(level))
    assert 0 < alarm <= level


def test_start_is_where_it_began() -> None:
    """A rise on the sixth day is found, and dated within a day."""
    rng = np.random.default_rng(0)
    wrong = rng.binomial(200, np.repeat([0.1, 0.25], 5))
    found = onset(wrong, [200] * 10, range(10), 0.12)
    assert found.log_evidence > math.log(1000)
    assert found.start in (4, 5, 6)


def test_design_makes_rows_count_for_less() -> None:
    """Rows that share their luck are as many rows fewer: twice of them with a design effect of 2 are the same."""
    wrong, rows = np.array([5, 9, 14]), np.array([40, 40, 40])
    plain, shared = onset(wrong, rows, [0, 1, 2], 0.1), onset(2 * wrong, 2 * rows, [0, 1, 2], 0.1, design=2.0)
    assert shared == plain
    assert onset(wrong, rows, [0, 1, 2], 0.1, design=3.0).log_evidence < plain.log_evidence


def test_fewer_looks_find_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many looks only the last of each day counts, which never adds evidence, nor loses that of now."""
    rng = np.random.default_rng(3)
    wrong, day = rng.binomial(20, 0.14, 240), np.repeat(np.arange(10), 24)
    all_looks = onset(wrong, [20] * 240, day, 0.1)
    monkeypatch.setattr(module, "_MOST", 1)
    by_day = onset(wrong, [20] * 240, day, 0.1)
    assert 0 < by_day.log_evidence <= all_looks.log_evidence
    assert by_day == onset(wrong.reshape(10, 24).sum(axis=1), [480] * 10, range(10), 0.1)


def test_nothing() -> None:
    """No rows, or none wrong, are no evidence, however many: nothing under- or overflows."""
    assert onset([], [], [], 0.1) == onset([0] * 9, [10**7] * 9, range(9), 0.1)
    assert onset([0], [1], [0], 0.5).start is None
    assert math.isfinite(onset([10**7], [10**7], [0], 0.5).log_evidence)
    with pytest.raises(InvalidInputError, match=r"null must be in \(0, 1\), got 1"):
        log_rise([1], [2], 1.0)


@given(n=st.integers(1, 400), share=st.floats(0, 1), level=st.sampled_from([0.001, 0.025, 0.3]))
def test_upper_limit(n: int, share: float, level: float) -> None:
    """The limit is the chance of which so few wrong rows have probability ``level``."""
    wrong = min(round(share * n), n - 1)
    assert stats.binom.cdf(wrong, n, upper_limit(wrong, n, level)) == pytest.approx(level)
