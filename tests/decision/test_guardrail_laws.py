"""Guardrails: laws over random evaluations, and a second statement of every kind as oracle."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from abtest.decision import Verdict, decide
from tests.decision import FAVOUR, SEEDS, evaluated, footprints, guardrails, likely, policies, rails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.evaluator import Evaluation, MetricRow
    from abtest.guardrail import Guardrail
    from abtest.labels import Label
    from abtest.policy import Policy


@st.composite
def situations(draw: st.DrawFn) -> tuple[Evaluation, Policy]:
    """A random table evaluated, its latency and size known or not, and a policy with up to five guardrails."""
    policy = replace(draw(policies()), guardrails=tuple(draw(st.lists(guardrails(), min_size=1, max_size=5))))
    evaluation = evaluated(draw(SEEDS), policy.confidence)
    return replace(evaluation, latency=draw(footprints), size=draw(footprints)), policy


# The first example of a table evaluates it.
LAWS = hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@given(situation=situations())
@LAWS
def test_one_guardrail_more_is_never_more_favourable(situation: tuple[Evaluation, Policy]) -> None:
    """With each guardrail more the verdict stays or gets less favourable, and the reasons before it stay."""
    evaluation, policy = situation
    before = decide(evaluation, replace(policy, guardrails=()))
    assert before.verdict is before.by_rule
    for many in range(1, len(policy.guardrails) + 1):
        after = decide(evaluation, replace(policy, guardrails=policy.guardrails[:many]))
        assert FAVOUR.index(after.verdict) <= FAVOUR.index(before.verdict)
        assert after.by_rule is before.by_rule
        assert after.reasons[: len(before.reasons)] == before.reasons
        assert len(after.reasons) > len(before.reasons)
        before = after


@given(situation=situations(), data=st.data())
@LAWS
def test_the_order_of_guardrails_is_irrelevant(situation: tuple[Evaluation, Policy], data: st.DataObject) -> None:
    """In any order they give the same verdict and the same reasons."""
    evaluation, policy = situation
    shuffled = tuple(data.draw(st.permutations(policy.guardrails)))
    one, other = decide(evaluation, policy), decide(evaluation, replace(policy, guardrails=shuffled))
    assert one.verdict is other.verdict
    assert sorted(map(repr, one.reasons)) == sorted(map(repr, other.reasons))


@given(situation=situations())
@LAWS
def test_a_warning_lowers_promote_and_nothing_else(situation: tuple[Evaluation, Policy]) -> None:
    """If all only warn, PROMOTE with one that does not hold is CONDITIONAL; every other verdict stays."""
    evaluation, policy = situation
    warning = tuple(replace(guardrail, severity="warn") for guardrail in policy.guardrails)
    decision = decide(evaluation, replace(policy, guardrails=warning))
    if decision.by_rule is Verdict.PROMOTE and not all(reason.held for reason in rails(decision)):
        assert decision.verdict is Verdict.CONDITIONAL
    else:
        assert decision.verdict is decision.by_rule


@given(situation=situations())
@LAWS
def test_all_hold_or_the_verdict_is_lowered(situation: tuple[Evaluation, Policy]) -> None:
    """Where all hold the rule's verdict stands; where one that blocks does not, it is no better than insufficient."""
    evaluation, policy = situation
    decision = decide(evaluation, policy)
    failed = [reason for reason in rails(decision) if not reason.held]
    if not failed:
        assert decision.verdict is decision.by_rule
    if any(reason.severity == "block" for reason in failed):
        assert decision.verdict in (Verdict.INSUFFICIENT_EVIDENCE, Verdict.KEEP_CHAMPION)


@given(situation=situations())
@LAWS
def test_reasons_hold_as_their_numbers_say(situation: tuple[Evaluation, Policy]) -> None:
    """Each reason holds exactly if its value is on the right side of its bound; without a value it does not hold."""
    for reason in rails(decide(*situation)):
        value, bound = reason.value, reason.bound
        if value is None:
            assert not reason.held
        elif reason.operator == ">":
            assert reason.held == (value > bound)
        else:
            assert reason.held == (value <= bound + 1e-12 if reason.operator == "<=" else value >= bound - 1e-12)
        assert str(reason.bound) != "-0.0"
        assert reason.text.startswith("Guardrail: ")
        assert reason.text.endswith(".")
        assert not re.search(r"\bnan\b|\binf\b|None|\.\.", reason.text), reason.text


# A second statement of what guardrails do: for each place, whether it holds and the best verdict it allows.

Judged = tuple["Label | None", "str | None", bool, Verdict]


def places(rail: Guardrail, evaluation: Evaluation) -> Iterator[tuple[Label | None, str | None, MetricRow | None]]:
    """Class, segment and row of every place that a guardrail is about."""
    metric = "accuracy" if rail.metric == "rows" else rail.metric
    if rail.class_ is not None:
        metric = "recall" if rail.metric == "rows" else rail.metric
        rows = {row.class_: row for row in evaluation.per_class if row.metric == metric and row.n > 0}
        for label in rows if rail.class_ == "*" else [rail.class_]:
            yield label, None, rows.get(label)
    elif rail.segment is not None:
        name, _, value = (part.strip() for part in rail.segment.partition("="))
        own = {row.value: row for row in evaluation.segments if row.metric == metric and row.segment == name}
        for one in [value] if value else list(own) or [""]:
            yield None, f"{name}={one}" if one else name, own.get(one)
    else:
        yield None, None, evaluation.metric(metric)


def quality(rail: Guardrail, row: MetricRow, alpha: float) -> tuple[bool, Verdict]:
    """Whether a metric's guardrail holds, and the verdict if not."""
    keep, unsure, margin = Verdict.KEEP_CHAMPION, Verdict.INSUFFICIENT_EVIDENCE, rail.margin or 0.0
    between = likely(row)
    gain = row.champion - row.challenger if row.metric == "cost" else row.challenger - row.champion
    if rail.mode == "improved":
        return gain >= margin - 1e-12, keep if between and between[1] < margin else unsure
    if between is None and row.pvalue is None:
        return False, unsure
    if rail.mode == "proved-not-worse":
        return between is not None and between[0] > -margin, keep if between and between[1] < -margin else unsure
    if margin == 0 and row.pvalue is not None:
        return not (row.pvalue < alpha and gain < 0), keep
    return not (between is not None and between[1] < -margin), keep


def judged(rail: Guardrail, evaluation: Evaluation, alpha: float) -> Iterator[Judged]:
    """What a guardrail finds, place by place."""
    severity = rail.severity or ("warn" if rail.metric == "latency" else "block")
    found: list[Judged] = []
    if rail.metric in ("latency", "size"):
        pair = evaluation.latency if rail.metric == "latency" else evaluation.size
        held = bool(pair and pair.champion and pair.challenger / pair.champion <= 1 + (rail.margin or 0) + 1e-12)
        worst = Verdict.KEEP_CHAMPION if pair and pair.champion else Verdict.INSUFFICIENT_EVIDENCE
        found.append((None, None, held, worst))
    elif rail.metric == "error_rate":  # of live traffic only
        found.append((None, None, False, Verdict.INSUFFICIENT_EVIDENCE))
    else:
        for class_, segment, row in places(rail, evaluation):
            held, worst = False, Verdict.INSUFFICIENT_EVIDENCE
            if rail.metric == "rows":
                held = row is not None and row.n >= (rail.minimum or 0)
            elif row is not None:
                held, worst = quality(rail, row, alpha)
            found.append((class_, segment, held, worst))
    for class_, segment, held, worst in found:
        yield class_, segment, held, Verdict.PROMOTE if held else Verdict.CONDITIONAL if severity == "warn" else worst


@given(situation=situations())
@LAWS
def test_guardrails_do_what_they_say(situation: tuple[Evaluation, Policy]) -> None:
    """Places, whether each holds, and the verdict are those of guardrails stated a second time."""
    evaluation, policy = situation
    decision = decide(evaluation, policy)
    expected = [entry for rail in policy.guardrails for entry in judged(rail, evaluation, policy.alpha)]
    told = [(reason.class_, reason.segment, reason.held) for reason in rails(decision)]
    assert told == [entry[:3] for entry in expected]
    allowed = [decision.by_rule, *(entry[3] for entry in expected)]
    assert decision.verdict is min(allowed, key=FAVOUR.index)
