"""What the test set does to a verdict: valid evidence, or a locked set, may lower one and never raises it."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from abtest.decision import Decision, Verdict, decide
from abtest.decision.honesty import honest
from abtest.evaluator import Confirmation, Evaluation, Growth, evaluate
from abtest.honesty import growth as judged
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.reuse import Look
from abtest.stats.mcnemar import METHODS
from abtest.stats.sequential import log_evidence
from tests.known import known

FAVOUR = [Verdict.KEEP_CHAMPION, Verdict.INSUFFICIENT_EVIDENCE, Verdict.CONDITIONAL, Verdict.PROMOTE]
LOOK = Look(run_id="r", rows=100, rows_digest="d", data_digest="e", champion="1", challenger="2")

POLICIES = {
    "share": Policy(),
    "primary": Policy(rule="primary"),
    "primary with a margin": Policy(rule="primary", margin=0.01),
    "primary f1": Policy(rule="primary", primary="f1"),
    "non-inferior": Policy(rule="non-inferior", margin=0.05),
    "non-inferior f1": Policy(rule="non-inferior", primary="f1", margin=0.05),
}
OF_ACCURACY = ("share", "primary")  # the rules that hang on the test of equal accuracy alone
counts = st.integers(0, 60)


@cache
def evaluated(champion_only: int, challenger_only: int, policy: Policy) -> Evaluation:
    """An evaluation of 300 rows of two classes, of which so many favour either side."""
    rest = 300 - champion_only - challenger_only
    table = PairedOutcomes.from_counts(
        {
            ("a", "a", "b"): champion_only // 2,
            ("b", "b", "a"): champion_only - champion_only // 2,
            ("a", "b", "a"): challenger_only // 2,
            ("b", "a", "b"): challenger_only - challenger_only // 2,
            ("a", "a", "a"): rest // 2,
            ("b", "b", "b"): rest - rest // 2,
        }
    )
    return evaluate(table, policy, resamples=100)


def grown(evaluation: Evaluation) -> Evaluation:
    """The same on rows of which a hundred were looked at before."""
    table = evaluation.contingency
    found, _ = judged(
        (LOOK,),
        known(table).n,
        {"champion": "1", "challenger": "2"},
        (known(table).champion_only, known(table).challenger_only),
    )
    assert found is not None
    return dataclasses.replace(evaluation, growth=found)


def opened(evaluation: Evaluation, *, held: bool) -> Evaluation:
    """The same after a locked test set was opened."""
    return dataclasses.replace(
        evaluation, confirmation=Confirmation(path="locked.csv", digest="f" * 32, use=1, held=held)
    )


def rules_of(decision: Decision) -> list[str]:
    """Which rules gave reasons."""
    return [reason.rule for reason in decision.reasons]


@given(champion_only=counts, challenger_only=counts, name=st.sampled_from([*POLICIES]), method=st.sampled_from(METHODS))
@hypothesis_settings(max_examples=60)  # an example is an evaluation
def test_honesty_never_raises_a_verdict(champion_only: int, challenger_only: int, name: str, method: Any) -> None:
    """A test set that grew, or a locked one that was opened, brings no verdict nearer to a promotion.

    Evidence that stays valid may leave a loss unproved too: KEEP_CHAMPION may become INSUFFICIENT_EVIDENCE.
    """
    policy = dataclasses.replace(POLICIES[name], method=method)
    plain = evaluated(champion_only, challenger_only, policy)
    verdict = decide(plain, policy).verdict
    for held in (True, False):
        found = decide(opened(plain, held=held), policy).verdict
        assert found == (verdict if held else min(verdict, Verdict.INSUFFICIENT_EVIDENCE, key=FAVOUR.index))
    found = decide(grown(plain), policy).verdict
    if verdict is Verdict.KEEP_CHAMPION:
        assert found in (Verdict.KEEP_CHAMPION, Verdict.INSUFFICIENT_EVIDENCE)
    else:
        assert FAVOUR.index(found) <= FAVOUR.index(verdict)


@given(
    champion_only=st.integers(0, 3000), challenger_only=st.integers(0, 3000), method=st.sampled_from(["mid-p", "exact"])
)
@hypothesis_settings(max_examples=300)
def test_valid_at_every_look_is_never_sharper_than_at_one(
    champion_only: int, challenger_only: int, method: str
) -> None:
    """1/E is (m + 1) times the binomial probability of the split, and at least McNemar's p by mid-p or exactly."""
    m, low = champion_only + challenger_only, min(champion_only, challenger_only)
    log_e = log_evidence(champion_only, challenger_only)
    assert -log_e == pytest.approx(math.log(m + 1) + float(stats.binom.logpmf(low, m, 0.5)), abs=1e-8 * (1 + m))
    exactly = min(1.0, 2 * float(stats.binom.cdf(low, m, 0.5)))
    tie = champion_only == challenger_only
    once = exactly if method == "exact" else (1.0 if tie else exactly) - float(stats.binom.pmf(low, m, 0.5)) / (1 + tie)
    assert min(1.0, math.exp(min(-log_e, 0.0))) >= once * (1 - 1e-6)


def test_worked_evidence() -> None:
    """Six rows to none are p = 1/64 at one look and 7/64 at every one; nine to none are significant at every look."""
    policy = POLICIES["share"]
    once, always = evaluated(0, 6, policy), grown(evaluated(0, 6, policy))
    assert decide(once, policy).reason("significance").value == pytest.approx(1 / 64)
    assert decide(once, policy).verdict is Verdict.PROMOTE
    decision = decide(always, policy)
    assert decision.reason("significance").value == pytest.approx(7 / 64)
    assert decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "the test that stays valid while a test set grows gives p = 0.109" in decision.reason("significance").text
    assert decide(grown(evaluated(0, 9, policy)), policy).verdict is Verdict.PROMOTE
    assert decide(grown(evaluated(9, 0, policy)), policy).verdict is Verdict.KEEP_CHAMPION


@pytest.mark.parametrize("name", POLICIES)
def test_a_rule_without_valid_evidence_is_blocked(name: str) -> None:
    """Rules that hang on accuracy's test alone go by the evidence; every other one is blocked on rows that grew."""
    policy = POLICIES[name]
    plain = evaluated(0, 60, policy)  # so much better that every rule says PROMOTE
    assert decide(plain, policy).verdict is Verdict.PROMOTE
    decision = decide(grown(plain), policy)
    if name in OF_ACCURACY:
        assert decision.verdict is Verdict.PROMOTE
        assert "growth" not in rules_of(decision)
    else:
        assert (decision.verdict, decision.by_rule) == (Verdict.INSUFFICIENT_EVIDENCE, Verdict.PROMOTE)
        reason = decision.reason("growth")
        assert (reason.value, reason.operator, reason.bound, reason.held) == (100.0, "<=", 0.0, False)
        assert reason.severity == "block"
        assert reason.text.startswith("These rows extend 100 on which the same two models were compared before")
        assert reason.text.endswith("compare on fresh rows.")


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_worse_stays_worse(name: str) -> None:
    """A champion that should stay stays, whatever became of the test set."""
    policy = POLICIES[name]
    plain = evaluated(60, 0, policy)
    for evaluation in (plain, grown(plain), opened(plain, held=True), opened(plain, held=False)):
        assert decide(evaluation, policy).verdict is Verdict.KEEP_CHAMPION


@pytest.mark.parametrize("held", [True, False])
def test_a_locked_set_tells_whether_and_nothing_else(held: bool) -> None:  # noqa: FBT001 - a parameter
    """The reason for the locked set says whether it confirms the verdict, in the last place and without a number."""
    policy = POLICIES["share"]
    decision = decide(opened(evaluated(0, 20, policy), held=held), policy)
    assert decision.by_rule is Verdict.PROMOTE
    assert decision.verdict is (Verdict.PROMOTE if held else Verdict.INSUFFICIENT_EVIDENCE)
    reason = decision.reasons[-1]
    assert (reason.rule, reason.held, reason.severity) == ("confirmation", held, "block")
    assert reason.text == f"The locked test set {'confirms' if held else 'does not confirm'} the verdict."
    assert (reason.value, reason.operator, reason.bound) == (float(held), ">=", 1.0)


@given(
    growth=st.none() | st.builds(Growth, rows=st.integers(1, 299), run_id=st.just("r"), log_evidence=st.floats(-5, 50),
                                 pvalue=st.floats(0, 1)),
    held=st.none() | st.booleans(),
    name=st.sampled_from([*POLICIES]),
)  # fmt: skip
@hypothesis_settings(max_examples=60)  # an example is an evaluation at most
def test_a_fresh_test_set_gives_no_reason(growth: Growth | None, held: bool | None, name: str) -> None:  # noqa: FBT001 - drawn
    """Each finding has its cause: none without growth or a locked set, and each reason holds as its numbers say."""
    policy = POLICIES[name]
    plain = dataclasses.replace(evaluated(10, 20, policy), growth=growth)
    evaluation = plain if held is None else opened(plain, held=held)
    findings = [*honest(evaluation, policy)]
    expected = (["growth"] if growth and name not in OF_ACCURACY else []) + ([] if held is None else ["confirmation"])
    assert [finding.reason.rule for finding in findings] == expected
    for finding in findings:
        reason = finding.reason
        assert reason.value is not None
        assert (
            reason.value <= reason.bound if reason.operator == "<=" else reason.value >= reason.bound
        ) is reason.held
        assert finding.at_best is (Verdict.PROMOTE if reason.held else Verdict.INSUFFICIENT_EVIDENCE)


@given(k=st.integers(1, 50), challenger_only=st.integers(5, 30))
@hypothesis_settings(max_examples=30)  # an example is an evaluation
def test_a_smaller_level_needs_a_smaller_p(k: int, challenger_only: int) -> None:
    """At what is left of the level, a verdict holds exactly where the same p-value is below it."""
    level = 0.05 / (k * (k + 1))
    policy = Policy(confidence=1 - level, reuse="spend")
    pvalue = stats.binom.pmf(0, challenger_only, 0.5)  # mid-p of so many to none: 2f - f
    assume(abs(pvalue - level) > 1e-9)
    decision = decide(evaluated(0, challenger_only, policy), policy)
    assert decision.reason("significance").value == pytest.approx(pvalue, rel=1e-9)
    assert decision.verdict is (Verdict.PROMOTE if pvalue < level else Verdict.INSUFFICIENT_EVIDENCE)
