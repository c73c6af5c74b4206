"""Power against print, against every table there is, against SciPy and statsmodels, and against simulation."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.outcomes import Contingency
from abtest.stats import exact_power
from abtest.stats.mcnemar import METHODS, McNemarMethod, mcnemar
from abtest.stats.power import (
    connor_rows,
    detectable_effect,
    discordance_limit,
    mcnemar_power,
    noninferiority_power,
    noninferiority_rows,
    provable_margin,
    rows_needed,
)
from abtest.stats.proportions import tango_interval

every_method = pytest.mark.parametrize("method", METHODS)


def table(n: int, b: int, c: int) -> Contingency:
    """Spell a table of so many rows."""
    return Contingency(both=n - b - c, champion_only=b, challenger_only=c, neither=0)


def chance(n: int, discordance: float, effect: float, b: int, c: int) -> float:
    """The trinomial probability of a table, from its definition."""
    p01, p10 = (discordance + effect) / 2, (discordance - effect) / 2
    ways = math.comb(n, b) * math.comb(n - b, c)
    return float(ways * p10**b * p01**c * (1 - discordance) ** (n - b - c))


@cache
def rejected(n: int, method: McNemarMethod, confidence: float) -> list[tuple[int, int]]:
    """Every table of so many rows that the test rejects, as discordant counts."""
    splits = ((b, c) for b in range(n + 1) for c in range(n + 1 - b))
    return [(b, c) for b, c in splits if mcnemar(table(n, b, c), method=method).pvalue < round(1 - confidence, 12)]


@pytest.mark.parametrize(
    ("p01", "p10", "rows"),
    [(0.45, 0.05, 23), (0.10, 0.05, 469), (0.15, 0.05, 155)],
)
def test_connors_worked_values(p01: float, p10: float, rows: int) -> None:
    """Connor's formula gives the rows in print, whichever side is the better one."""
    assert connor_rows(p01 + p10, p01 - p10) == connor_rows(p01 + p10, p10 - p01) == rows


@pytest.mark.parametrize(("method", "worked"), [("mid-p", 0.807), ("exact", 0.776)])
def test_worked_power(method: McNemarMethod, worked: float) -> None:
    """At Connor's 469 rows mid-p has the power asked for and the exact test falls short, by the worked amounts."""
    assert mcnemar_power(469, 0.15, 0.05, method=method) == pytest.approx(worked, abs=5e-4)


@every_method
@pytest.mark.parametrize("confidence", [0.1, 0.8, 0.9375, 0.95, 0.999])
def test_every_table_is_enumerated(method: McNemarMethod, confidence: float) -> None:
    """Power is the summed probability of every table that ``mcnemar`` rejects, to the last digits."""
    for n, (discordance, effect) in itertools.product(
        (1, 2, 7, 24, 41), [(0.3, 0.1), (0.6, -0.25), (0.2, 0.2), (1.0, 0.4), (1.0, 1.0), (0.05, 0.0), (0.9, 0.0)]
    ):
        expected = math.fsum(chance(n, discordance, effect, b, c) for b, c in rejected(n, method, confidence))
        power = mcnemar_power(n, discordance, effect, method=method, confidence_level=confidence)
        assert power == pytest.approx(expected, abs=1e-11), (n, discordance, effect)


def test_scipys_binomials_agree() -> None:
    """With SciPy's distributions in place of ours, and its own binomial test, the power at 5,000 rows is the same."""
    n, discordance, effect = 5_000, 0.08, 0.01
    m = np.arange(250, 551)
    heavy = (1 + effect / discordance) / 2
    power = stats.binom.cdf(249, n, discordance) + stats.binom.sf(550, n, discordance)
    assert power < 1e-12, "what is left out below"
    for pairs, weight in zip(m.tolist(), stats.binom.pmf(m, n, discordance).tolist(), strict=True):
        k = int(stats.binom.ppf(0.025, pairs, 0.5))
        while stats.binomtest(k, pairs).pvalue >= 0.05:
            k -= 1
        power += weight * (stats.binom.cdf(k, pairs, heavy) + stats.binom.cdf(k, pairs, 1 - heavy))
    assert mcnemar_power(n, discordance, effect, method="exact") == pytest.approx(power, abs=1e-9)


def test_statsmodels_agrees_on_many_rows() -> None:
    """On a hundred million rows, power is that of statsmodels' normal test of the mean of the paired differences."""
    from statsmodels.stats.power import NormalIndPower

    for effect in (0.00002, 0.00009, 0.00013):
        size = effect / math.sqrt(0.1 - effect**2)
        expected = NormalIndPower(ddof=0).power(size, nobs1=10**8, alpha=0.05, ratio=0)
        assert mcnemar_power(10**8, 0.1, effect) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("discordance", "off"), [(0.001, 1e-4), (0.1, 1e-4), (0.5, 1e-4), (0.8, 1e-4), (1.0, 2e-3)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_normal_formula_takes_over_smoothly(
    monkeypatch: pytest.MonkeyPatch, discordance: float, off: float, confidence: float
) -> None:
    """Where power stops being exact, the normal formula is off by no more than is stated."""
    n = int(exact_power.MOST_PAIRS / discordance)
    for z in (0.5, 2.0, 2.8, 4.0):
        effect = z * math.sqrt(discordance / n)
        both: list[tuple[float, ...]] = []
        for most in (10**9, 1):
            monkeypatch.setattr(exact_power, "MOST_PAIRS", most)
            tests = [mcnemar_power(n, discordance, effect, confidence_level=confidence, method=m) for m in METHODS]
            proof = noninferiority_power(n, discordance, effect, confidence_level=confidence)
            both.append((*tests, proof))
        assert both[0] == pytest.approx(both[1], abs=off)
        assert both[0] != both[1]


@every_method
def test_level_at_no_effect(method: McNemarMethod) -> None:
    """Where there is no effect, power is the true level: below 5 %, and near it on many rows."""
    assert 0.02 < mcnemar_power(400, 0.1, 0.0, method=method) < 0.05
    assert 0.047 < mcnemar_power(100_000, 0.1, 0.0, method=method) < 0.0505


SHARES = st.floats(0.001, 1.0)
ROWS = st.one_of(st.integers(1, 3000), st.sampled_from([10**6, 10**8, 10**12]))


@given(ROWS, SHARES, st.floats(0, 1), st.floats(0.5, 0.999), st.sampled_from(METHODS))
@settings(max_examples=60, deadline=None)
def test_laws_of_power(n: int, discordance: float, ratio: float, confidence: float, method: McNemarMethod) -> None:
    """Power is a probability, the same for either side, and no smaller for a larger effect or a lower confidence."""
    effect = ratio * discordance
    if effect < 1e-6:
        effect = 0.0

    def power(size: float, level: float = confidence) -> float:
        return mcnemar_power(n, discordance, size, confidence_level=level, method=method)

    assert 0 <= power(effect) <= 1
    assert power(effect) == power(-effect)
    assert power((effect + discordance) / 2) >= power(effect) - 1e-12
    assert power(effect, confidence / 2) >= power(effect) - 1e-12


def lasting(powers: list[float], power: float) -> int:
    """One more than the last number of rows that falls short; ``powers`` begins at no rows."""
    return 1 + max(n for n, reached in enumerate(powers) if reached < power)


CASES = [(0.15, 0.05), (0.3, 0.2), (0.5, 0.15), (0.9, 0.3), (1.0, 0.25), (1.0, 1.0), (0.2, 0.2)]


@every_method
@pytest.mark.parametrize(("discordance", "effect"), CASES)
@pytest.mark.parametrize(("power", "confidence"), [(0.8, 0.95), (0.95, 0.9)])
def test_rows_are_the_fewest_from_which_power_lasts(
    method: McNemarMethod, discordance: float, effect: float, power: float, confidence: float
) -> None:
    """A row fewer than needed falls short, and no larger number does, up to three times as many."""
    rows = rows_needed(discordance, effect, power=power, confidence_level=confidence, method=method)
    powers = [0.0] + [
        mcnemar_power(n, discordance, effect, confidence_level=confidence, method=method)
        for n in range(1, 3 * rows + 40)
    ]
    assert rows == lasting(powers, power)


def test_power_is_saw_toothed() -> None:
    """Where every row is discordant, numbers of rows below the one given reach the power, and larger ones lose it."""
    rows = rows_needed(1.0, 0.25)
    early = [n for n in range(20, rows) if mcnemar_power(n, 1.0, 0.25) >= 0.8]
    assert early
    assert any(mcnemar_power(n, 1.0, 0.25) < 0.8 for n in range(early[0], rows))


@pytest.mark.parametrize(("discordance", "effect"), [(0.1, 0.01), (0.01, 0.002), (0.4, 0.05)])
def test_connor_is_close_on_many_rows(discordance: float, effect: float) -> None:
    """The search ends near Connor's number, which is made for many rows."""
    assert rows_needed(discordance, effect) == pytest.approx(connor_rows(discordance, effect), rel=0.03)


def test_more_is_asked_more_is_needed() -> None:
    """A smaller effect, more power, more confidence or more discordance takes more rows; the exact test most."""
    usual = rows_needed(0.1, 0.02)
    assert rows_needed(0.1, 0.01) > 3.5 * usual
    assert rows_needed(0.1, 0.02, power=0.9) > usual
    assert rows_needed(0.1, 0.02, confidence_level=0.99) > usual
    assert rows_needed(0.2, 0.02) > 1.9 * usual
    assert rows_needed(0.1, 0.02, method="chi2") >= rows_needed(0.1, 0.02, method="exact") > usual


@given(st.integers(30, 20_000), st.floats(0.01, 0.7), st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=30, deadline=None)
def test_what_rows_detect_takes_those_rows(n: int, discordance: float, power: float) -> None:
    """The smallest effect that rows find is found with just that power; a little smaller, and it is not."""
    effect = detectable_effect(n, discordance, power=power)
    if effect is None:
        assert mcnemar_power(n, discordance, discordance) < power
        return
    assert mcnemar_power(n, discordance, effect) >= power
    assert mcnemar_power(n, discordance, effect * (1 - 1e-6)) < power
    assert rows_needed(discordance, effect, power=power) <= n + 40


@every_method
def test_too_few_rows_detect_nothing(method: McNemarMethod) -> None:
    """Five rows reject nothing at 1 %, and ten of few discordant ones hardly ever, however large the effect."""
    assert detectable_effect(5, 1.0, confidence_level=0.99, method=method) is None
    assert detectable_effect(10, 0.1, method=method) is None


@pytest.mark.parametrize("n", [1, 9, 40, 130])
def test_every_interval_is_enumerated(n: int) -> None:
    """Non-inferiority's power is the summed probability of every table whose interval lies above minus the margin."""
    for discordance, margin, confidence in [(0.1, 0.05, 0.95), (0.5, 0.2, 0.9), (1.0, 0.3, 0.95), (0.02, 0.6, 0.95)]:
        most = min(n, 40)
        splits = [(b, c) for b in range(most + 1) for c in range(most + 1) if b + c <= n]
        if n > most and discordance > 0.1:
            continue  # forty would not be nearly all
        proved = math.fsum(
            chance(n, discordance, 0.0, b, c)
            for b, c in splits
            if tango_interval(table(n, b, c), confidence_level=confidence).lower > -margin
        )
        power = noninferiority_power(n, discordance, margin, confidence_level=confidence)
        assert power == pytest.approx(proved, abs=1e-10), (discordance, margin)


@pytest.mark.parametrize(("n", "worked"), [(50, 0.12), (1500, 0.79)])
def test_worked_noninferiority(n: int, worked: float) -> None:
    """A margin of 2 points at 10 % discordance is proved as often as worked out, one-sided at 5 %."""
    assert noninferiority_power(n, 0.1, 0.02, confidence_level=0.9) == pytest.approx(worked, abs=0.006)


@pytest.mark.parametrize(
    ("discordance", "margin"), [(0.1, 0.05), (0.3, 0.2), (0.9, 0.3), (1.0, 0.25), (0.02, 0.03), (0.05, 0.5)]
)
def test_rows_that_prove_noninferiority(discordance: float, margin: float) -> None:
    """A row fewer than needed falls short, and no larger number does, up to three times as many."""
    rows = noninferiority_rows(discordance, margin)
    powers = [0.0] + [noninferiority_power(n, discordance, margin) for n in range(1, 3 * rows + 40)]
    assert rows == lasting(powers, 0.8)
    assert noninferiority_rows(discordance, margin, power=0.9) > rows


@given(st.integers(1, 5000), st.floats(0.01, 1.0))
@settings(max_examples=30, deadline=None)
def test_the_smallest_margin(n: int, discordance: float) -> None:
    """The smallest margin that rows prove is proved with just that power; a little smaller, and it is not."""
    margin = provable_margin(n, discordance)
    if margin is None:
        assert n < 10
        return
    assert noninferiority_power(n, discordance, margin) >= 0.8
    assert noninferiority_power(n, discordance, margin * (1 - 1e-6)) < 0.8


@pytest.mark.parametrize("n", [1, 30, 1000, 10**8])
def test_limit_of_discordance(n: int) -> None:
    """Where no row was discordant the limit is z²/(n + z²), as far as Tango's interval reaches; else statsmodels'."""
    from statsmodels.stats.proportion import proportion_confint

    assert discordance_limit(n, 0) == pytest.approx(tango_interval(table(n, 0, 0)).upper, rel=1e-12)
    exact = -math.expm1(math.log(0.025) / n)  # Clopper and Pearson's
    assert 0.79 < discordance_limit(n, 0) / exact < 1.06
    for discordant in {0, 1, n // 3, n}:
        upper = proportion_confint(discordant, n, method="wilson")[1]
        assert discordance_limit(n, discordant) == pytest.approx(upper, rel=1e-9)


REFUSED = {
    "no effect": ((0.1, 0.0), r"effect must be at least 0\.000001 in size, got 0\. Hint: .*0\.01 means 1 point\."),
    "points for a share": ((0.1, 2), r"effect must be .*0\.1, got 2\. Hint: 0\.02 means 2 points\."),
    "beyond the discordance": ((0.1, -0.2), r"effect must be .*0\.1, got -0\.2\. Hint: .* at most 10 points\."),
    "no number": ((0.1, math.nan), r"effect must be .*, got nan\."),
    "percent for a share": ((10, 0.01), r"discordance must be in \(0, 1\], got 10\. Hint: 0\.1 means 10 %\."),
    "no discordance": ((0, 0.01), r"discordance must be in \(0, 1\], got 0\. Hint: .* plan with 4/n\."),
    "negative discordance": ((-0.1, 0.01), r"discordance must be in \(0, 1\], got -0\.1\."),
}


@pytest.mark.parametrize(("given", "told"), REFUSED.values(), ids=REFUSED)
def test_shares_out_of_range(given: tuple[float, float], told: str) -> None:
    """A share out of its range is refused by name and value, and a percentage is told what it should be."""
    with pytest.raises(InvalidInputError, match=f"^{told}"):
        connor_rows(*given)
    with pytest.raises(InvalidInputError, match=f"^{told}"):
        rows_needed(*given)


@pytest.mark.parametrize(
    ("margin", "told"),
    [
        (-0.02, r"got -0\.02\. Hint: 0\.02 tolerates a loss of 2 points\."),
        (0.0, r"got 0\."),
        (2, r"got 2\. Hint: 0\.02 means 2 points\."),
        (math.nan, r"got nan\."),
    ],
)
def test_margins_out_of_range(margin: float, told: str) -> None:
    """A margin has no sign and is a share."""
    with pytest.raises(InvalidInputError, match=rf"^margin must be in \[0\.000001, 1\), {told}"):
        noninferiority_rows(0.1, margin)
    with pytest.raises(InvalidInputError, match=r"^margin must be"):
        noninferiority_power(100, 0.1, margin)


def test_levels_and_rows_out_of_range() -> None:
    """Power, confidence, rows and method are refused by name."""
    with pytest.raises(InvalidInputError, match=r"^power must be in \[0\.5, 1\), got 80\. Hint: 0\.8 means 80 %\."):
        rows_needed(0.1, 0.01, power=80)
    for wrong in (0.0, 0.49, 1.0, math.nan):
        with pytest.raises(InvalidInputError, match=r"^power must be in"):
            detectable_effect(100, 0.1, power=wrong)
    with pytest.raises(InvalidInputError, match=r"^confidence must be in \(0, 1\), got 95\. Hint: 0\.95 means 95 %\."):
        mcnemar_power(100, 0.1, 0.01, confidence_level=95)
    for wrong in (0.0, 1.0, 1 - 1e-15, math.nan):
        with pytest.raises(InvalidInputError, match=r"^confidence must be in"):
            noninferiority_power(100, 0.1, 0.01, confidence_level=wrong)
    with pytest.raises(InvalidInputError, match=r"^n must be at least 1 row, got 0\.$"):
        mcnemar_power(0, 0.1, 0.01)
    with pytest.raises(InvalidInputError, match=r"^method must be one of mid-p, exact, chi2, got 'x'\.$"):
        rows_needed(0.1, 0.01, method="x")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(NotApplicableError):
        discordance_limit(0, 0)


@every_method
@pytest.mark.parametrize(("n", "discordance", "effect"), [(469, 0.15, 0.05), (60, 0.4, 0.2), (7839, 0.1, 0.01)])
def test_simulated_power(method: McNemarMethod, n: int, discordance: float, effect: float) -> None:
    """Of twenty thousand simulated test sets the test rejects the share that is foretold, to four standard errors."""
    rng = np.random.default_rng(20)
    shares = [(discordance - effect) / 2, (discordance + effect) / 2, 1 - discordance]
    drawn = rng.multinomial(n, shares, size=20_000).tolist()
    share = np.mean([mcnemar(table(n, b, c), method=method).pvalue < 0.05 for b, c, _ in drawn])
    power = mcnemar_power(n, discordance, effect, method=method)
    assert share == pytest.approx(power, abs=4 * math.sqrt(power * (1 - power) / 20_000))


def test_simulated_noninferiority() -> None:
    """Of five thousand simulated test sets of the rows given, four in five prove it, to four standard errors."""
    rng = np.random.default_rng(21)
    rows = noninferiority_rows(0.1, 0.02)
    drawn = rng.multinomial(rows, [0.05, 0.05, 0.9], size=5_000).tolist()
    proved = np.mean([tango_interval(table(rows, b, c)).lower > -0.02 for b, c, _ in drawn])
    assert proved == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 5_000))


@pytest.mark.slow
@every_method
def test_no_dips_are_overlooked(method: McNemarMethod) -> None:
    """Over discordances from rare to certain, power stays reached up to twice the rows given, row by row."""
    for discordance, ratio in itertools.product((0.02, 0.1, 0.3, 0.6, 0.8, 0.95, 1.0), (0.1, 0.3, 0.8)):
        effect = ratio * discordance
        rows = rows_needed(discordance, effect, method=method)
        assert all(
            mcnemar_power(n, discordance, effect, method=method) >= 0.8 for n in range(rows, min(2 * rows, rows + 1500))
        )
