"""What so many rows could have shown: never from the effect, and by nothing but exact power or an interval's width."""

from __future__ import annotations

import dataclasses
import io
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from abtest import wording
from abtest.evaluator import MetricRow, PowerReading, evaluate
from abtest.evaluator.power import power_reading
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.policy import Policy
from abtest.reporter import terminal
from abtest.reporter.headline import enough
from abtest.reporter.summary import summarise
from abtest.stats import power as exact
from abtest.stats.mcnemar import METHODS
from abtest.stats.proportions import tango_interval
from tests import examples
from tests.strategies import contingencies

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.policy import Rule
    from abtest.record import ComparisonRecord
    from abtest.stats.mcnemar import McNemarMethod

ACCURACY = ("accuracy",)
TABLES = {
    "few discordant": Contingency(both=180, champion_only=8, challenger_only=12, neither=0),
    "many discordant": Contingency(both=30, champion_only=30, challenger_only=20, neither=20),
    "none discordant": Contingency(both=90, champion_only=0, challenger_only=0, neither=10),
}


def table_of(table: Contingency) -> PairedOutcomes:
    """Paired outcomes of one class with these counts of correctness."""
    correct = {(1, 1): table.both, (1, 0): table.champion_only, (0, 1): table.challenger_only, (0, 0): table.neither}
    return PairedOutcomes.from_counts({(1, a, b): count for (a, b), count in correct.items()})


def row_of(table: Contingency) -> MetricRow:
    """The row of accuracy."""
    return evaluate(table_of(table), Policy(metrics=ACCURACY), resamples=100).metric("accuracy")


def read(table: Contingency, policy: Policy) -> PowerReading | None:
    """The reading of an evaluation of accuracy."""
    return evaluate(table_of(table), policy, resamples=100).power


def chance(n: int, discordance: float, effect: float, rejects: Callable[[int, int, int], bool]) -> float:
    """The probability that a test of so many rows rejects: every table enumerated, the discordant ones by SciPy."""
    share = (discordance + effect) / 2 / discordance
    m = np.arange(n + 1)
    weight = stats.binom.pmf(m, n, discordance)
    found = 0.0
    for k in m[weight > 1e-12].tolist():
        c = np.arange(k + 1)
        kept = [rejects(n, k - i, i) for i in c.tolist()]
        found += weight[k] * float(stats.binom.pmf(c, k, share)[kept].sum())
    return found


@cache
def significant(n: int, b: int, c: int, method: McNemarMethod) -> bool:
    """Whether McNemar's two-sided test rejects at 5 %, written anew."""
    del n
    m, low = b + c, min(b, c)
    if m == 0:
        return False
    if method == "chi2":
        return bool(stats.chi2.sf(max(abs(b - c) - 1, 0) ** 2 / m, 1) < 0.05)
    exactly = min(1.0, 2 * stats.binom.cdf(low, m, 0.5))
    if method == "exact":
        return bool(exactly < 0.05)
    return bool((exactly if b != c else 1.0) - stats.binom.pmf(low, m, 0.5) * (1 if b != c else 0.5) < 0.05)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("table", [TABLES["few discordant"], TABLES["many discordant"]], ids=["few", "many"])
def test_detectable_is_what_enumeration_finds_four_times_in_five(table: Contingency, method: McNemarMethod) -> None:
    """The detectable effect is found with 80 % by enumerating every table, and a slightly smaller one with less."""
    reading = read(table, Policy(metrics=ACCURACY, method=method))
    assert reading is not None
    assert reading.detectable is not None
    assert reading.discordance == table.discordant / table.n

    def power(effect: float) -> float:
        return chance(table.n, table.discordant / table.n, effect, lambda n, b, c: significant(n, b, c, method))

    assert power(reading.detectable + 1e-6) >= 0.8
    assert power(reading.detectable - 1e-4) < 0.8


def test_rows_needed_are_what_enumeration_needs() -> None:
    """So many rows find the margin with 80 % by enumerating every table, and one row less does not."""
    table = TABLES["many discordant"]
    reading = read(table, Policy(metrics=ACCURACY, margin=0.2))
    assert reading is not None
    assert reading.rows_needed is not None
    found = [
        chance(n, 0.5, 0.2, lambda n, b, c: significant(n, b, c, "mid-p"))
        for n in (reading.rows_needed - 1, reading.rows_needed)
    ]
    assert found[0] < 0.8 <= found[1]


def test_provable_margin_is_what_enumeration_proves_four_times_in_five() -> None:
    """Between equals, the interval excludes the provable margin with 80 %; rows needed, with one row less, do not."""
    table, policy = TABLES["many discordant"], Policy(metrics=ACCURACY, rule="non-inferior", margin=0.25)
    reading = read(table, policy)
    assert reading is not None
    assert reading.detectable is not None
    assert reading.rows_needed is not None

    def power(n: int, margin: float) -> float:
        def proves(n: int, b: int, c: int) -> bool:
            rest = Contingency(both=n - b - c, champion_only=b, challenger_only=c, neither=0)
            return tango_interval(rest).lower > -margin

        return chance(n, 0.5, 0.0, proves)

    assert power(table.n, reading.detectable + 1e-6) >= 0.8
    assert power(table.n, reading.detectable - 1e-3) < 0.8
    assert power(reading.rows_needed - 1, 0.25) < 0.8 <= power(reading.rows_needed, 0.25)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("confidence", [0.95, 0.975, 1 - 0.05 / 56])
@pytest.mark.parametrize("rule", ["share", "primary", "non-inferior"])
def test_is_what_power_says_at_the_policys_level(table: Contingency, confidence: float, rule: Rule) -> None:
    """Rule, method, margin and what is left of the level are passed on as they are; without a margin it is a point."""
    policy = Policy(metrics=ACCURACY, rule=rule, confidence=confidence, margin=0.02, method="exact")
    reading = read(table, policy)
    assert reading is not None
    share = table.discordant / table.n
    if not table.discordant:
        alpha = 1 - confidence
        share = proportion_confint(0, table.n, alpha=alpha, method="wilson")[1]
        assert reading.discordance == pytest.approx(share, rel=1e-9)
    assert reading.discordance is not None
    common = {"power": 0.8, "confidence_level": confidence}
    if rule == "non-inferior":
        assert reading.detectable == exact.provable_margin(table.n, reading.discordance, **common)
        assert reading.rows_needed == exact.noninferiority_rows(reading.discordance, 0.02, **common)
    else:
        options = {**common, "method": "exact"}
        assert reading.detectable == exact.detectable_effect(table.n, reading.discordance, **options)  # type: ignore[arg-type] # the method among floats
        assert reading.rows_needed == exact.rows_needed(reading.discordance, 0.02, **options)  # type: ignore[arg-type] # as above
    assert (reading.metric, reading.margin, reading.power) == ("accuracy", 0.02, 0.8)
    if rule != "non-inferior":
        plain = read(table, dataclasses.replace(policy, margin=None))
        assert plain is not None
        assert plain.margin == 0.01


@given(table=contingencies(most=30), moved=st.integers(0, 60), rule=st.sampled_from(["share", "non-inferior"]))
@hypothesis_settings(max_examples=25)  # power is searched for
def test_the_observed_effect_plays_no_part(table: Contingency, moved: int, rule: Rule) -> None:
    """Tables of the same rows and discordance have one reading, whichever side their discordant rows favour."""
    policy = Policy(metrics=ACCURACY, rule=rule, margin=0.05)
    c = min(moved, table.discordant)
    other = Contingency(both=table.neither, champion_only=table.discordant - c, challenger_only=c, neither=table.both)
    reading = power_reading(row_of(table), table, policy)
    assert reading == power_reading(row_of(other), other, policy)
    assert reading is not None
    numbers = [x for x in dataclasses.asdict(reading).values() if isinstance(x, float | int)]
    assert all(math.isfinite(number) and number > 0 for number in numbers)
    assert reading.detectable is None or reading.detectable <= 1


@pytest.mark.parametrize("margin", [0.01, 0.2, 0.21])
def test_no_number_of_rows_finds_more_than_the_discordance(margin: float) -> None:
    """A margin that even one-sided discordant rows would not reach needs no number of rows: there is none."""
    table = Contingency(both=80, champion_only=10, challenger_only=10, neither=0)
    reading = read(table, Policy(metrics=ACCURACY, margin=margin))
    assert reading is not None
    assert (reading.rows_needed is None) == (margin > 0.2)


@pytest.mark.parametrize("margin", [1e-7, 1e-300])
@pytest.mark.parametrize("rule", ["share", "primary", "non-inferior"])
def test_a_margin_too_small_to_plan_for_has_no_reading(rule: Rule, margin: float) -> None:
    """A margin that would take more rows than there are is no error: there is a verdict, and nothing on rows."""
    evaluation = evaluate(table_of(TABLES["few discordant"]), Policy(rule=rule, margin=margin), resamples=100)
    assert evaluation.power is None
    assert evaluation.metric("accuracy").pvalue is not None


def columns(rows: int = 600) -> tuple[npt.NDArray[np.int64], ...]:
    """Truth and two sides of which each errs in its own way, one class rarer than the other."""
    rng = np.random.default_rng(8)
    y = (rng.random(rows) < 0.3).astype(np.int64)
    return y, *(np.where(rng.random(rows) < share, y, 1 - y) for share in (0.82, 0.86))


@pytest.mark.parametrize("rule", ["primary", "non-inferior"])
def test_a_resampled_metric_is_read_by_its_intervals_width(rule: Rule) -> None:
    """An interval of width 2z standard errors finds the detectable effect with 80 %, and at rows needed the margin."""
    policy = Policy(rule=rule, primary="f1", margin=0.015, confidence=0.9)
    evaluation = evaluate(PairedOutcomes.from_predictions(*columns()), policy, resamples=400)
    reading, row = evaluation.power, evaluation.metric("f1")
    assert reading is not None
    assert row.ci_lower is not None
    assert row.ci_upper is not None
    z = stats.norm.ppf(0.95)
    error = (row.ci_upper - row.ci_lower) / (2 * z)
    assert reading.detectable is not None
    assert stats.norm.cdf(reading.detectable / error - z) == pytest.approx(0.8, rel=1e-9)
    assert reading.rows_needed is not None
    needed = reading.rows_needed
    power = [stats.norm.cdf(0.015 / (error * math.sqrt(600 / n)) - z) for n in (needed - 1, needed)]
    assert power[0] < 0.8 <= power[1] + 1e-12
    assert (reading.metric, reading.discordance, reading.margin) == ("f1", None, 0.015)


def test_a_metric_without_margin_or_interval_has_no_reading() -> None:
    """A cost has no margin unless the policy gives one; an effect without an interval has no width to read."""
    costs = {"0": {"1": 2.0}, "1": {"0": 5.0}}
    table = PairedOutcomes.from_predictions(*columns())
    assert evaluate(table, Policy(rule="primary", primary="cost", costs=costs), resamples=100).power is None
    priced = evaluate(table, Policy(rule="primary", primary="cost", costs=costs, margin=0.5), resamples=100).power
    assert priced is not None
    assert (priced.metric, priced.margin) == ("cost", 0.5)
    bare = dataclasses.replace(row_of(TABLES["few discordant"]), metric="f1", ci_lower=None, ci_upper=None)
    assert power_reading(bare, TABLES["few discordant"], Policy(rule="primary", primary="f1")) is None


def printed(record: ComparisonRecord) -> str:
    """What the terminal shows, its lines joined."""
    file = io.StringIO()
    Console(file=file, width=120, highlight=False).print(terminal.render(summarise(record)))
    return " ".join(file.getvalue().split())


ENOUGH: dict[str, tuple[ComparisonRecord, bool]] = {
    "1 row": (examples.one_row(), False),
    "60 rows": (examples.identical(), False),
    "600 rows": (examples.ten(), True),
}


@pytest.mark.parametrize(("record", "shows"), ENOUGH.values(), ids=ENOUGH)
def test_the_terminal_says_what_it_would_take(record: ComparisonRecord, shows: bool) -> None:  # noqa: FBT001 - a parameter
    """Where the evidence is not enough, the terminal says what the rows can show, if anything, and how many more."""
    text, reading = printed(record), record.power
    assert text.startswith("INSUFFICIENT_EVIDENCE")
    assert reading is not None
    assert reading.rows_needed is not None
    more = reading.rows_needed - record.data.n
    assert f"For 1.0 point it takes {wording.whole(reading.rows_needed)}: {wording.whole(more)} more." in text
    assert "Label them all before looking again" in text
    assert (reading.detectable is not None) is shows
    sentence = enough(record)
    assert sentence in text
    if shows:
        size = wording.size(reading.detectable or 0.0, "share")
        assert f"These {record.data.n} rows find a difference of {size} or more 80 % of the time." in sentence
    else:
        assert "find a difference" not in sentence
    assert "1 rows" not in text
    assert "None" not in text
