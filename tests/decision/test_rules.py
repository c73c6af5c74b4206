"""Rules on one metric: their definition on the interval, Tango's test as oracle, and how often they are wrong."""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import binom

from abtest.decision import Decision, Reason, Verdict, decide
from abtest.evaluator import Evaluation, evaluate
from abtest.metrics.catalogue import in_text, title
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.policy import Policy
from abtest.stats.mcnemar import mcnemar
from abtest.stats.proportions import normal_quantile, tango_interval, tango_statistic
from tests.decision import CONFIDENCES, COSTS, QUALITY, SEEDS, evaluated, likely, metric_row, table_of
from tests.stats.worked import BENTUR, NEWCOMBE, TANGO
from tests.strategies import contingencies, swapped

if TYPE_CHECKING:
    from abtest.evaluator import MetricRow
    from abtest.policy import Rule

ONE_METRIC: tuple[Rule, ...] = ("non-inferior", "primary")
_EVALUATION = evaluate(table_of(NEWCOMBE), Policy(metrics=("accuracy",)))


def decided(table: Contingency | PairedOutcomes, rule: Rule, **policy: Any) -> Decision:
    """Decide by one rule on a table; for counts of correctness, on accuracy's test and interval alone: that is fast."""
    held_to = Policy(rule=rule, **{"metrics": ("accuracy",), **policy})
    if isinstance(table, PairedOutcomes):
        return decide(evaluate(table, held_to, resamples=100), held_to)
    test = mcnemar(table, method=held_to.method)
    interval = tango_interval(table, confidence_level=held_to.confidence)
    row = metric_row(
        "accuracy", table.effect, ci_lower=interval.lower, ci_upper=interval.upper, pvalue=test.pvalue, n=table.n
    )
    return decide(replace(_EVALUATION, metrics=(row,), mcnemar=test, contingency=table), held_to)


@given(table=contingencies(most=40), rule=st.sampled_from(ONE_METRIC))
@hypothesis_settings(max_examples=15)
def test_the_row_alone_decides(table: Contingency, rule: Rule) -> None:
    """What is decided on accuracy's test and interval is decided on the whole evaluation."""
    for margin in {0.1, None if rule == "primary" else 0.02}:
        assert decided(table, rule, margin=margin) == decided(table_of(table), rule, margin=margin)


def only(decision: Decision) -> Reason:
    """The one reason of such a rule."""
    (reason,) = decision.reasons
    return reason


def restated(row: MetricRow, policy: Policy) -> Verdict:
    """Both rules once more, on the improvement's interval or the p-value."""
    gain = row.champion - row.challenger if row.metric == "cost" else row.challenger - row.champion
    if policy.rule == "primary" and policy.margin is None:
        if row.pvalue is None or row.pvalue >= policy.alpha:
            return Verdict.INSUFFICIENT_EVIDENCE
        return Verdict.PROMOTE if gain > 1e-12 else Verdict.KEEP_CHAMPION
    between, bound = likely(row), policy.margin or 0.0
    if policy.rule == "non-inferior":
        bound = -bound
    if between is None or between[0] <= bound <= between[1]:
        return Verdict.INSUFFICIENT_EVIDENCE
    return Verdict.PROMOTE if between[0] > bound else Verdict.KEEP_CHAMPION


@given(
    seed=SEEDS,
    rule=st.sampled_from(ONE_METRIC),
    primary=st.sampled_from(QUALITY),
    margin=st.sampled_from([None, 0.001, 0.01, 0.05, 0.2]),
    confidence=st.sampled_from(CONFIDENCES),
)
@hypothesis_settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_each_rule_is_its_definition(
    seed: int, rule: Rule, primary: str, margin: float | None, confidence: float
) -> None:
    """On any table and metric the verdict is the definition's, whichever way the metric is better."""
    given_margin = 0.02 if margin is None and rule == "non-inferior" else margin
    policy = Policy(rule=rule, primary=primary, margin=given_margin, confidence=confidence, costs=COSTS)
    evaluation = evaluated(seed, confidence)
    decision = decide(evaluation, policy)
    assert decision.verdict is restated(evaluation.metric(primary), policy)
    reason = only(decision)
    assert (reason.rule, reason.metric) == (rule, primary)
    compared = {"<": operator.lt, ">": operator.gt}[reason.operator]
    assert reason.held == (reason.value is not None and compared(reason.value, reason.bound))
    name, text = in_text(primary), reason.text
    assert name in text or title(primary) in text
    assert text.endswith(".")
    assert not any(word in text for word in ("nan", "None", "inf "))


def evaluation_of(**values: Any) -> Evaluation:
    """An evaluation of one made row, of accuracy."""
    return replace(_EVALUATION, metrics=(metric_row("accuracy", **values),))


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("non-inferior", -0.0499, 0.2, Verdict.PROMOTE),
        ("non-inferior", -0.05, 0.2, Verdict.INSUFFICIENT_EVIDENCE),
        ("non-inferior", -0.2, -0.05, Verdict.INSUFFICIENT_EVIDENCE),
        ("non-inferior", -0.2, -0.0501, Verdict.KEEP_CHAMPION),
        ("non-inferior", -0.04, -0.03, Verdict.PROMOTE),  # worse for sure, and not by more than the margin
        ("primary", 0.0501, 0.2, Verdict.PROMOTE),
        ("primary", 0.05, 0.2, Verdict.INSUFFICIENT_EVIDENCE),
        ("primary", -0.2, 0.05, Verdict.INSUFFICIENT_EVIDENCE),
        ("primary", 0.01, 0.0499, Verdict.KEEP_CHAMPION),  # better for sure, and not by as much as asked
        ("primary", -0.2, -0.1, Verdict.KEEP_CHAMPION),
        ("non-inferior", None, None, Verdict.INSUFFICIENT_EVIDENCE),
        ("primary", None, None, Verdict.INSUFFICIENT_EVIDENCE),
    ],
)
def test_the_interval_must_lie_beyond_the_bound(
    rule: Rule, low: float | None, high: float | None, verdict: Verdict
) -> None:
    """A limit on the bound decides nothing, and neither does an interval that is not known."""
    policy = Policy(rule=rule, margin=0.05, metrics=("accuracy",))
    row = {"effect": 0.0, "ci_lower": low, "ci_upper": high, "ci_method": "not estimable", "pvalue": 0.001}
    decision = decide(evaluation_of(**row), policy)
    assert decision.verdict is verdict
    if low is None:
        text = "Accuracy could not be held against its margin: its interval is not estimable."
        assert only(decision).text == text


@pytest.mark.parametrize(
    ("pvalue", "effect", "verdict"),
    [
        (0.04, 0.02, Verdict.PROMOTE),
        (0.04, -0.02, Verdict.KEEP_CHAMPION),
        (0.05, 0.02, Verdict.INSUFFICIENT_EVIDENCE),
        (1.0, 0.0, Verdict.INSUFFICIENT_EVIDENCE),
        (None, 0.3, Verdict.INSUFFICIENT_EVIDENCE),
    ],
)
def test_primary_without_a_margin_is_the_test(pvalue: float | None, effect: float, verdict: Verdict) -> None:
    """Below α the sign decides; at it, above it, or without a test, nothing does."""
    policy = Policy(rule="primary", metrics=("accuracy", "f1"), primary="f1")
    row = metric_row("f1", effect, pvalue=pvalue, ci_method="not estimable")
    assert decide(replace(_EVALUATION, metrics=(row,)), policy).verdict is verdict


# Tango's intervals as published, mirrored: challenger minus champion

PUBLISHED = {
    "Bentur": (BENTUR, 0.02600303, 0.51723228),
    "Newcombe": (NEWCOMBE, -0.34470875, -0.06111241),
    "Tango": (TANGO, -0.38969749, 0.02709046),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_against_published_intervals(name: str) -> None:
    """A hundred-millionth within or beyond each published limit, both rules turn from one verdict to the next."""
    table, lower, upper = PUBLISHED[name]
    step = 2e-8  # beyond the digits that are published
    for sign, one in ((1, table), (-1, swapped(table))):
        low, high = (lower, upper) if sign > 0 else (-upper, -lower)
        for limit, inside, outside in (
            (low, (step, Verdict.INSUFFICIENT_EVIDENCE), (-step, Verdict.PROMOTE)),
            (high, (-step, Verdict.INSUFFICIENT_EVIDENCE), (step, Verdict.KEEP_CHAMPION)),
        ):
            for off, verdict in (inside, outside):
                bound = limit + off
                rule: Rule = "non-inferior" if bound < 0 else "primary"
                assert decided(one, rule, margin=abs(bound)).verdict is verdict


@given(table=contingencies(most=60), margin=st.floats(0.001, 0.9), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_non_inferior_is_tangos_test(table: Contingency, margin: float, confidence: float) -> None:
    """PROMOTE is T(−margin) > z and KEEP_CHAMPION is T(−margin) < −z, but where T is z to ten digits."""
    statistic, z = tango_statistic(table, -margin), normal_quantile(confidence)
    if abs(abs(statistic) - z) < 1e-9 * max(1.0, math.sqrt(table.n)):
        return
    verdict = decided(table, "non-inferior", margin=margin, confidence=confidence).verdict
    assert (verdict is Verdict.PROMOTE) == (statistic > z)
    assert (verdict is Verdict.KEEP_CHAMPION) == (statistic < -z)


@pytest.mark.parametrize("primary", QUALITY)
@pytest.mark.parametrize("seed", range(12))
def test_swapped_sides_turn_the_verdict(seed: int, primary: str) -> None:
    """Without a margin, what promotes one way keeps the champion the other way."""
    policy = Policy(rule="primary", primary=primary, costs=COSTS, confidence=0.8)
    one, other = (decide(evaluated(seed, 0.8, swapped=side), policy).verdict for side in (False, True))
    turned = {Verdict.PROMOTE: Verdict.KEEP_CHAMPION, Verdict.KEEP_CHAMPION: Verdict.PROMOTE}
    assert other is turned.get(one, one)


@pytest.mark.parametrize("n", [1, 10, 100, 5000])
def test_the_same_model_twice(n: int) -> None:
    """Identical sides are never better, and are non-inferior from z²/(n + z²) on."""
    table = Contingency(both=n, champion_only=0, challenger_only=0, neither=0)
    edge = normal_quantile(0.95) ** 2 / (n + normal_quantile(0.95) ** 2)
    assert decided(table, "primary").verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert only(decided(table, "primary")).value == 1.0
    assert decided(table, "non-inferior", margin=edge * (1 + 1e-9)).verdict is Verdict.PROMOTE
    assert decided(table, "non-inferior", margin=edge * (1 - 1e-9)).verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_more_tolerance_is_never_less_favourable() -> None:
    """A wider margin of non-inferiority promotes what a narrower one does; a greater gain asked for never does more."""
    order = [Verdict.KEEP_CHAMPION, Verdict.INSUFFICIENT_EVIDENCE, Verdict.PROMOTE]
    for table in (*(entry[0] for entry in PUBLISHED.values()), swapped(NEWCOMBE)):
        for rule in ONE_METRIC:
            found = [order.index(decided(table, rule, margin=m / 100).verdict) for m in range(1, 99, 3)]
            assert found == sorted(found, reverse=rule == "primary")


def test_reasons_read_as_sentences() -> None:
    """The words of each rule, in each direction, as a reader meets them."""
    told = [only(decided(NEWCOMBE, "non-inferior", margin=margin)).text for margin in (0.35, 0.1, 0.05)]
    where = "improvement −20.0 points, 95 % interval −34.5 to −6.1 points."
    assert told == [
        f"Accuracy is not worse by more than 35.0 points: {where}",
        f"Whether accuracy is worse by more than 10.0 points is not shown: {where}",
        f"Accuracy is worse by more than 5.0 points: {where}",
    ]
    told = [only(decided(swapped(NEWCOMBE), "primary", margin=margin)).text for margin in (0.05, 0.1, 0.35)]
    where = "improvement +20.0 points, 95 % interval +6.1 to +34.5 points."
    assert told == [
        f"Accuracy is better by more than 5.0 points: {where}",
        f"Whether accuracy is better by more than 10.0 points is not shown: {where}",
        f"Accuracy is not better by more than 35.0 points: {where}",
    ]
    assert [only(decided(table, "primary")).text for table in (NEWCOMBE, swapped(NEWCOMBE), TANGO)] == [
        "The challenger is significantly worse on accuracy (−20.0 points): p = 0.007, below 0.05.",
        "The challenger is significantly better on accuracy (+20.0 points): p = 0.007, below 0.05.",
        "No difference in accuracy is shown: p = 0.092, not below 0.05.",
    ]


# In the long run


def exactly(n: int, discordance: float, effect: float, rule: Rule, **policy: Any) -> dict[Verdict, float]:
    """Probability of each verdict on n rows, by adding up all tables: m discordant rows, c of them the challenger's.

    Tables that together have a probability below 1e-9 are left out.
    """
    share = (1 + effect / discordance) / 2
    found = dict.fromkeys(Verdict, 0.0)
    for m in range(int(binom.ppf(5e-10, n, discordance)), int(binom.isf(5e-10, n, discordance)) + 1):
        for c in range(m + 1):
            table = Contingency(both=n - m, champion_only=m - c, challenger_only=c, neither=0)
            chance = binom.pmf(m, n, discordance) * binom.pmf(c, m, share)
            if chance > 1e-14:
                found[decided(table, rule, **policy).verdict] += float(chance)
    return found


def simulated(n: int, discordance: float, effect: float, runs: int, rule: Rule, **policy: Any) -> dict[Verdict, float]:
    """Share of each verdict among runs of n rows."""
    lost, gained = (discordance - effect) / 2, (discordance + effect) / 2
    draws = np.random.default_rng(7).multinomial(n, [1 - discordance, lost, gained], size=runs)
    found = dict.fromkeys(Verdict, 0.0)
    for (agreed, b, c), times in zip(*np.unique(draws, axis=0, return_counts=True), strict=True):
        table = Contingency(both=int(agreed), champion_only=int(b), challenger_only=int(c), neither=0)
        found[decided(table, rule, **policy).verdict] += float(times) / runs
    return found


RUNS = 100_000


def error(share: float) -> float:
    """Four standard errors of a share found in so many runs."""
    return 4 * math.sqrt(share * (1 - share) / RUNS)


@pytest.mark.parametrize(("n", "margin"), [(500, 0.02), (2000, 0.01)])
def test_a_challenger_worse_by_the_margin_is_rarely_promoted(n: int, margin: float) -> None:
    """A true loss of exactly the margin passes as non-inferior in α/2 of runs, and as surely worse in α/2."""
    found = simulated(n, 0.1, -margin, RUNS, "non-inferior", margin=margin)
    assert found[Verdict.PROMOTE] <= 0.025 + error(0.025)
    assert found[Verdict.PROMOTE] >= 0.02 - error(0.02)
    assert found[Verdict.KEEP_CHAMPION] <= 0.025 + error(0.025)


@pytest.mark.parametrize("n", [500, 2000])
def test_an_equal_challenger_is_rarely_primary(n: int) -> None:
    """Without a margin, at most α/2 of equal challengers are promoted, and as many turned down."""
    found = simulated(n, 0.1, 0.0, RUNS, "primary")
    for verdict in (Verdict.PROMOTE, Verdict.KEEP_CHAMPION):
        assert 0.02 - error(0.02) <= found[verdict] <= 0.025 + error(0.025)


def test_a_gain_of_exactly_what_is_asked_is_rarely_enough() -> None:
    """A true gain of exactly the margin is promoted in α/2 of runs."""
    found = simulated(1000, 0.1, 0.03, RUNS, "primary", margin=0.03)
    assert 0.02 - error(0.02) <= found[Verdict.PROMOTE] <= 0.025 + error(0.025)


def test_power_is_what_is_published() -> None:
    """Ten rows in a hundred gained and five lost, Connor's 469 rows: mid-p finds a difference in .807 of runs, exactly.

    The figure is rounded to a thousandth.
    """
    found = exactly(469, 0.15, 0.05, "primary")
    assert found[Verdict.PROMOTE] + found[Verdict.KEEP_CHAMPION] == pytest.approx(0.807, abs=0.0005)
    assert found[Verdict.KEEP_CHAMPION] < 1e-6


def test_simulated_power_is_exact_power() -> None:
    """Of equal challengers as many are proved non-inferior as the sum over all tables says, within the error."""
    exact = exactly(500, 0.1, 0.0, "non-inferior", margin=0.04)
    found = simulated(500, 0.1, 0.0, RUNS, "non-inferior", margin=0.04)
    assert sum(exact.values()) == pytest.approx(1, abs=1e-8)
    assert 0.5 < exact[Verdict.PROMOTE] < 0.95
    for verdict in Verdict:
        assert abs(found[verdict] - exact[verdict]) <= error(exact[verdict]) + 1e-9
