"""Decisions on errors: the share rule once more as oracle, and guardrails on MAE and bias by hand. Less is better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from abtest.decision import Decision, Verdict, decide
from abtest.engines.predicted import tally_columns
from abtest.evaluator import Evaluation, MetricRow, evaluate_errors
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from tests.decision import FAVOUR, rails
from tests.known import known

if TYPE_CHECKING:
    from abtest.guardrail import Mode

METRICS = ("rmse", "mae", "r2", "bias", "shop:late", "shop:early")
COUNTED = ("rmse", "mae", "shop:late", "shop:early")
ROWS = 60


def row(metric: str, champion: float, challenger: float, **values: Any) -> MetricRow:
    """A row of an error; its interval is a tenth to either side unless told otherwise."""
    effect = challenger - champion
    given = {"ci_lower": effect - 0.1, "ci_upper": effect + 0.1, "pvalue": None, **values}
    improvement = abs(champion) - abs(challenger) if metric == "bias" else effect if metric == "r2" else -effect
    return MetricRow(
        metric=metric,
        champion=champion,
        challenger=challenger,
        effect=effect,
        rel_effect=None,
        improvement=improvement,
        greater_is_better=metric == "r2",
        ci_method="made",
        test="paired t of squared errors" if metric == "rmse" else "paired t",
        statistic=None,
        pvalue_adjusted=None,
        n=ROWS,
        **given,
    )


def evaluation(*rows: MetricRow) -> Evaluation:
    """An evaluation of these, of which R² and the bias do not count."""
    return Evaluation(metrics=rows, per_class=(), counted=tuple(one.metric for one in rows if one.metric in COUNTED))


@given(
    after=st.lists(st.sampled_from([0.5, 1.0, 1.0 + 1e-15, 1.5]), min_size=6, max_size=6),
    pvalue=st.sampled_from([None, 0.0, 0.049, 0.05, 0.051, 1.0]),
    shares=st.sampled_from([(0.75, 0.5), (1.0, 0.25), (0.6, 0.6)]),
)
def test_the_share_rule_is_its_definition(
    after: list[float], pvalue: float | None, shares: tuple[float, float]
) -> None:
    """Significant squared errors, RMSE down, and the share of the errors counted that fell: nothing else decides."""
    rows = [row(name, 1.0, value) for name, value in zip(METRICS, after, strict=True)]
    rows[0] = replace(rows[0], pvalue=pvalue)
    policy = Policy(metrics=METRICS, promote_share=shares[0], conditional_share=shares[1])
    decision = decide(evaluation(*rows), policy)
    fell = [value < 1 for name, value in zip(METRICS, after, strict=True) if name in COUNTED]
    if pvalue is None or pvalue >= 0.05:
        expected = Verdict.INSUFFICIENT_EVIDENCE
    elif 4 * shares[0] <= sum(fell) and fell[0]:
        expected = Verdict.PROMOTE
    else:
        expected = Verdict.CONDITIONAL if 4 * shares[1] <= sum(fell) else Verdict.KEEP_CHAMPION
    assert decision.verdict is expected
    assert [reason.rule for reason in decision.reasons] == [
        "significance", "error", "promote_share", "conditional_share",
    ]  # fmt: skip
    assert decision.reason("error").held is fell[0]
    assert not any(word in reason.text for reason in decision.reasons for word in ("ccuracy", "nan", "None"))


@hypothesis_settings(max_examples=12)
@given(st.integers(0, 2**32))
def test_larger_errors_are_never_promoted(seed: int) -> None:
    """Where every error grew no rule promotes; where every error fell none keeps the champion."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(3, 2, ROWS)
    errors = rng.normal(0, 1, ROWS)
    shrink = float(rng.uniform(0.05, 0.95))
    for champion, challenger, never in ((shrink, 1.0, Verdict.PROMOTE), (1.0, shrink, Verdict.KEEP_CHAMPION)):
        scored = tally_columns(y, y + champion * errors, y + challenger * errors, task="regression")
        rules: list[dict[str, Any]] = [{}, {"rule": "primary"}, {"rule": "primary", "primary": "mae"}]
        for rule in rules:
            policy = Policy(metrics=("rmse", "mae", "r2"), **rule)
            found = decide(evaluate_errors(known(scored.errors), policy, resamples=100, seed=0), policy)
            assert found.verdict is not never


def guarded(rail: Guardrail, *rows: MetricRow) -> Decision:
    """Decide under this one guardrail, where the rule alone promotes."""
    rmse = row("rmse", 2.0, 1.0, pvalue=0.001)
    policy = Policy(metrics=("rmse", "mae", "bias"), rule="primary", guardrails=(rail,))
    decision = decide(evaluation(rmse, *rows), policy)
    assert decision.by_rule is Verdict.PROMOTE
    return decision


@pytest.mark.parametrize(
    ("low", "high", "mode", "margin", "held", "at_best"),
    [
        # MAE rose by 0.2 to 0.4: a loss
        (0.2, 0.4, "proved-not-worse", 0.41, True, Verdict.PROMOTE),
        (0.2, 0.4, "proved-not-worse", 0.4, False, Verdict.INSUFFICIENT_EVIDENCE),
        (0.2, 0.4, "proved-not-worse", 0.2, False, Verdict.INSUFFICIENT_EVIDENCE),
        (0.2, 0.4, "proved-not-worse", 0.19, False, Verdict.KEEP_CHAMPION),
        (0.2, 0.4, "not-proved-worse", 0.2, True, Verdict.PROMOTE),
        (0.2, 0.4, "not-proved-worse", 0.19, False, Verdict.KEEP_CHAMPION),
        # it fell by 0.2 to 0.4: a gain
        (-0.4, -0.2, "proved-not-worse", 0.001, True, Verdict.PROMOTE),
        (-0.4, -0.2, "improved", 0.3, True, Verdict.PROMOTE),
        (-0.4, -0.2, "improved", 0.31, False, Verdict.INSUFFICIENT_EVIDENCE),
        (-0.4, -0.2, "improved", 0.41, False, Verdict.KEEP_CHAMPION),
        # margins are in the unit of the target
        (200.0, 400.0, "proved-not-worse", 500.0, True, Verdict.PROMOTE),
        (200.0, 400.0, "proved-not-worse", 100.0, False, Verdict.KEEP_CHAMPION),
    ],
)
def test_mae_is_turned_round(  # noqa: PLR0917 - a row of a table
    low: float, high: float, mode: Mode, margin: float, held: bool, at_best: Verdict  # noqa: FBT001 - see above
) -> None:  # fmt: skip
    """On both sides of the interval's limits each mode holds or fails as it says, with losses above zero."""
    middle = round((low + high) / 2, 9)
    mae = row("mae", 1000.0, 1000.0 + middle, ci_lower=low, ci_upper=high)
    decision = guarded(Guardrail(metric="mae", mode=mode, margin=margin), mae)
    (reason,) = rails(decision)
    assert (reason.held, decision.verdict) == (held, at_best)
    assert "MAE" in reason.text
    assert "points" not in reason.text


@pytest.mark.parametrize(
    ("champion", "challenger", "likely", "margin", "verdict"),
    [
        (2.0, -2.0, (-0.5, 0.5), 0.6, Verdict.PROMOTE),  # an effect of −4, and just as far from 0
        (2.0, -2.0, (-0.5, 0.5), 0.4, Verdict.INSUFFICIENT_EVIDENCE),
        (0.5, -3.0, (-3.0, -2.0), 1.0, Verdict.KEEP_CHAMPION),  # lower, and farther from 0
        (-3.0, 0.5, (2.0, 3.0), 0.1, Verdict.PROMOTE),  # higher, and nearer
        (2.0, -2.0, None, 9.0, Verdict.INSUFFICIENT_EVIDENCE),
    ],
)
def test_a_bias_is_held_by_its_distance_from_zero(
    champion: float, challenger: float, likely: tuple[float, float] | None, margin: float, verdict: Verdict
) -> None:
    """Not the effect but how much nearer to 0 the bias came is held against the margin; without that nothing holds."""
    low, high = likely or (None, None)
    bias = row("bias", champion, challenger, improvement_lower=low, improvement_upper=high)
    assert guarded(Guardrail(metric="bias", margin=margin), bias).verdict is verdict


@hypothesis_settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32), margin=st.sampled_from([0.01, 0.1, 0.3]), severity=st.sampled_from(["block", "warn"])
)
def test_one_guardrail_more_is_never_more_favourable(seed: int, margin: float, severity: Any) -> None:
    """Whatever the errors, a guardrail on MAE or bias lowers a verdict or leaves it; SciPy says whether MAE's holds."""
    rng = np.random.default_rng(seed)
    y = rng.normal(5, 2, ROWS)
    one, other = y + rng.normal(0.2, 1, ROWS), y + rng.normal(rng.uniform(-0.5, 0.5), rng.uniform(0.3, 1.2), ROWS)
    plain = Policy(metrics=("rmse", "mae", "bias"))
    errors = known(tally_columns(y, one, other, task="regression").errors)
    found = evaluate_errors(errors, plain, resamples=100, seed=0)
    free = decide(found, plain)
    for metric in ("mae", "bias"):
        rail = Guardrail(metric=metric, margin=margin, severity=severity)
        held = decide(found, replace(plain, guardrails=(rail,)))
        assert FAVOUR.index(held.verdict) <= FAVOUR.index(free.verdict)
        if metric == "mae":
            losses = [np.abs(side - y) for side in (one, other)]
            assert rails(held)[0].held is bool(
                stats.ttest_rel(losses[0], losses[1]).confidence_interval(0.95).low > -margin
            )
        if rails(held)[0].held:
            assert held.verdict is free.verdict


def test_guardrails_where_there_is_nothing_to_look_at() -> None:
    """A class of a regression, and a metric that could not be computed, fail closed with the reason."""
    rail = Guardrail(metric="mae", margin=0.1, class_="dear")
    (reason,) = rails(guarded(rail, row("mae", 1.0, 1.0)))
    assert (reason.held, reason.value) == (False, None)
    assert "nothing is computed by class" in reason.text
    y = np.full(20, 3.0)
    policy = Policy(metrics=("rmse", "r2"), guardrails=(Guardrail(metric="r2", margin=0.1),))
    errors = known(tally_columns(y, y + 1, y + np.linspace(0, 1, 20), task="regression").errors)
    (reason,) = rails(decide(evaluate_errors(errors, policy, resamples=100, seed=0), policy))
    assert (reason.held, reason.value) == (False, None)
    assert "r2 needs a truth that varies, got one value" in reason.text
