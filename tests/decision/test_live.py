"""What live traffic does to a verdict: nothing where all is well, and never anything good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.decision import Verdict, decide
from abtest.evaluator.live import ArmReading, Check, LiveReading
from abtest.evaluator.looks import NOT_YET
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from tests.decision import CONFIDENCES, FAVOUR, SEEDS, evaluated, policies, rails

if TYPE_CHECKING:
    from abtest.evaluator import Evaluation
    from abtest.labels import Side

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NAMES = ("sample ratio", "label coverage", "shadow drops")


def arm(side: Side, *, failed: int = 0, predictions: int = 100) -> ArmReading:
    """An arm of which nothing matters but its failures."""
    return ArmReading(
        arm=side, version=1, exposed=100, predictions=predictions, failed=failed, dropped=0, mature=100, labelled=100,
        corrected=0, analysed=100, value=0.9, seconds=0.1,
    )  # fmt: skip


def reading(**values: Any) -> LiveReading:
    """A reading in which all is well, unless told otherwise."""
    given_: dict[str, Any] = {
        "experiment": "spring", "mode": "split", "looking": "anytime", "epoch": 1, "state": "running", "inclusion": 1.0,
        "challenger_share": 0.5, "planned_n": 200, "planned_discordant": None, "horizon": 0.0, "started_at": NOW,
        "until": NOW, "arms": (arm("champion"), arm("challenger")), "looks": (), "log_better": None, "log_worse": None,
        "pvalue": None, "pvalue_worse": None, "rollback_alpha": 0.05, "test": "made", "checks": (),
    }  # fmt: skip
    return LiveReading(**(given_ | values))


def live(evaluation: Evaluation, **values: Any) -> Evaluation:
    """The same evaluation, of live traffic."""
    return replace(evaluation, live=reading(**values), mcnemar=None)


def check(name: Any, *, held: bool) -> Check:
    """A check that holds or does not."""
    return Check(name=name, held=held, log_evidence=None, pvalue=1.0 if held else 0.0, text=f"The {name}.")


@given(SEEDS, st.sampled_from(CONFIDENCES), policies(), st.lists(st.tuples(st.sampled_from(NAMES), st.booleans())))
def test_a_check_never_makes_a_verdict_more_favourable(
    seed: int, confidence: float, policy: Policy, checks: list[tuple[str, bool]]
) -> None:
    """Checks that hold change nothing; one that fails leaves INSUFFICIENT_EVIDENCE at best, each with its reason."""
    evaluation = evaluated(seed, confidence)
    policy = replace(policy, confidence=confidence)
    without = decide(live(evaluation), policy)
    found = decide(live(evaluation, checks=tuple(check(name, held=held) for name, held in checks)), policy)
    best = Verdict.PROMOTE if all(held for _, held in checks) else Verdict.INSUFFICIENT_EVIDENCE
    assert found.verdict is min(without.verdict, best, key=FAVOUR.index)
    assert [reason.rule for reason in found.reasons[len(without.reasons) :]] == [
        name.replace(" ", "-") for name, _ in checks
    ]
    for reason in found.reasons:
        if reason.value is not None and reason.rule in {"sample-ratio", "label-coverage", "shadow-drops"}:
            assert reason.held == (reason.value >= reason.bound)


@given(SEEDS, policies())
def test_what_was_rolled_back_is_kept_out(seed: int, policy: Policy) -> None:
    """A rolled-back challenger is KEEP_CHAMPION, whatever else is found."""
    found = decide(live(evaluated(seed, 0.95), state="rolled back", inclusion=0.0, epoch=3), policy)
    assert found.verdict is Verdict.KEEP_CHAMPION
    assert not found.reason("rollback").held


@pytest.mark.parametrize("state", ["running", "paused", "stopped"])
def test_other_states_change_nothing(state: str) -> None:
    """An experiment that was paused or stopped may promote."""
    evaluation, policy = evaluated(0, 0.95), Policy()
    assert decide(live(evaluation, state=state), policy) == decide(live(evaluation), policy)


@given(SEEDS, st.integers(0, 100), st.integers(0, 100), st.sampled_from([0.0, 0.02, 0.1]))
def test_error_rate_is_a_difference_of_shares(seed: int, ours: int, theirs: int, margin: float) -> None:
    """It holds while the challenger's share of failures is at most the margin above the champion's."""
    policy = Policy(guardrails=(Guardrail(metric="error_rate", margin=margin),))
    arms = (arm("champion", failed=ours), arm("challenger", failed=theirs))
    (reason,) = rails(decide(live(evaluated(seed, 0.95), arms=arms), policy))
    assert reason.held == (theirs - ours <= round(100 * margin))
    assert reason.value == pytest.approx((theirs - ours) / 100)


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_error_rate_does_not_hold(known: bool) -> None:  # noqa: FBT001 - a parameter
    """Offline, or where an arm predicted nothing, the guardrail fails closed."""
    policy = Policy(guardrails=(Guardrail(metric="error_rate", margin=0.5),))
    evaluation = evaluated(0, 0.95)
    if known:
        evaluation = live(evaluation, arms=(arm("champion"), arm("challenger", predictions=0)))
    decision = decide(evaluation, policy)
    (reason,) = rails(decision)
    assert (reason.held, reason.value) == (False, None)
    assert decision.verdict in {Verdict.INSUFFICIENT_EVIDENCE, Verdict.KEEP_CHAMPION}


def test_the_test_that_is_named_is_the_one_that_was_made() -> None:
    """While one may look at any time the reason says so; at one look it names the test."""
    evaluation, policy = evaluated(0, 0.95), Policy()
    assert "the evidence that may be looked at any time" in decide(live(evaluation), policy).reasons[0].text
    row = replace(evaluation.tested, test="two-proportion z test")
    once = replace(live(evaluation, looking="fixed"), metrics=(row, *evaluation.metrics[1:]))
    assert "the two-proportion z test gives" in decide(once, policy).reasons[0].text


def test_a_margin_waits_for_an_interval() -> None:
    """Before its interval is there, a loss beyond a margin is not called proved: that guardrail is not evaluated."""
    policy = Policy(guardrails=(Guardrail(metric="accuracy", margin=0.001, mode="not-proved-worse"),))
    evaluation = evaluated(0, 0.95)
    row = replace(
        evaluation.tested, improvement=-0.2, ci_lower=None, ci_upper=None, improvement_lower=None,
        improvement_upper=None, ci_method=NOT_YET, pvalue=1.0,
    )  # fmt: skip
    decision = decide(live(replace(evaluation, metrics=(row, *evaluation.metrics[1:]))), policy)
    (reason,) = rails(decision)
    assert (reason.held, reason.value) == (False, None)
    assert "could not be evaluated: its interval is not estimable yet" in reason.text
