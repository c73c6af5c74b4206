"""The rules a policy can name; each turns an evaluation into a verdict and the reasons for it.

To add a rule, write a function and enter it in ``RULES``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision.reasons import Reason, Verdict
from abtest.evaluator.looks import NOT_YET
from abtest.metrics.catalogue import in_text, title, unit
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.decision.reasons import Operator
    from abtest.evaluator import Evaluation, MetricRow
    from abtest.policy import Policy, Rule

    Ruling = tuple[Verdict, tuple[Reason, ...]]


def share(evaluation: Evaluation, policy: Policy) -> Ruling:
    """Not significant is INSUFFICIENT_EVIDENCE; else the share of metrics improved decides.

    Accuracy up (of a regression, RMSE down) and at least ``promote_share`` is PROMOTE, at least ``conditional_share``
    CONDITIONAL, less KEEP_CHAMPION.
    """
    significance = _significance(evaluation, policy)
    tested = evaluation.tested
    change = _accuracy(tested) if tested.metric == "accuracy" else _error(tested)
    promote = _share(evaluation, "promote_share", policy.promote_share)
    conditional = _share(evaluation, "conditional_share", policy.conditional_share)
    if not significance.held:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
    elif promote.held and change.held:
        verdict = Verdict.PROMOTE
    elif conditional.held:
        verdict = Verdict.CONDITIONAL
    else:
        verdict = Verdict.KEEP_CHAMPION
    return verdict, (significance, change, promote, conditional)


def non_inferior(evaluation: Evaluation, policy: Policy) -> Ruling:
    """The interval above −margin is PROMOTE, below it KEEP_CHAMPION, across it INSUFFICIENT_EVIDENCE."""
    row = evaluation.find(policy.primary)
    if row is None:
        return _not_computed(evaluation, policy, "non-inferior")
    return _against(row, -(policy.margin or 0.0), policy, "non-inferior")


def primary(evaluation: Evaluation, policy: Policy) -> Ruling:
    """The interval above the margin is PROMOTE, below it KEEP_CHAMPION, across it INSUFFICIENT_EVIDENCE.

    Without a margin the test of no effect decides, which at the edge is not quite the interval.
    """
    row = evaluation.find(policy.primary)
    if row is None:
        return _not_computed(evaluation, policy, "primary")
    if policy.margin is not None:
        return _against(row, policy.margin, policy, "primary")
    name, change = title(row.metric), _change(row)
    pvalue = _tested(evaluation)[0] if row.metric == evaluation.always else row.pvalue
    if pvalue is None:
        reason = _reason("primary", row, None, "<", policy.alpha, text=f"{name} could not be tested: {row.ci_method}.")
        return Verdict.INSUFFICIENT_EVIDENCE, (reason,)
    held = pvalue < policy.alpha
    found = f"{wording.pvalue(pvalue)}, {_just(pvalue, policy.alpha)}"
    if not held:
        text = f"No difference in {in_text(row.metric)} is shown: {found}not below {policy.alpha:.3g}."
        return Verdict.INSUFFICIENT_EVIDENCE, (_reason("primary", row, pvalue, "<", policy.alpha, text=text),)
    how = "better" if row.improved else "worse"
    text = (
        f"The challenger is significantly {how} on {in_text(row.metric)} ({change}): {found}below {policy.alpha:.3g}."
    )
    reason = _reason("primary", row, pvalue, "<", policy.alpha, held=True, text=text)
    return (Verdict.PROMOTE if row.improved else Verdict.KEEP_CHAMPION), (reason,)


RULES: dict[Rule, Callable[[Evaluation, Policy], Ruling]] = {
    "share": share,
    "non-inferior": non_inferior,
    "primary": primary,
}


def _not_computed(evaluation: Evaluation, policy: Policy, rule: Rule) -> Ruling:
    name = title(policy.primary)
    text = f"{name} could not be computed: {evaluation.why_not(policy.primary)}."
    reason = Reason(
        rule=rule, metric=policy.primary, value=None, operator=">", bound=policy.margin or 0.0, held=False, text=text
    )
    return Verdict.INSUFFICIENT_EVIDENCE, (reason,)


def _against(row: MetricRow, bound: float, policy: Policy, rule: Rule) -> Ruling:
    """Hold the interval of an improvement against a bound that may be negative."""
    name, kind, likely = title(row.metric), unit(row.metric), row.likely_improvement
    if likely is None:
        text = f"{name} could not be held against its margin: its interval is {row.ci_method}."
        return Verdict.INSUFFICIENT_EVIDENCE, (_reason(rule, row, None, ">", bound, text=text),)
    asked = f"{'worse' if bound < 0 else 'better'} by more than {wording.size(bound, kind)}"
    above, below = ("not ", "") if bound < 0 else ("", "not ")
    where = (
        f"improvement {wording.effect(row.improvement, kind)}, "
        f"{wording.confidence(policy.confidence)} interval {wording.interval(likely.lower, likely.upper, kind)}"
    )
    if likely.lower > bound:
        text = f"{name} is {above}{asked}: {where}."
        return Verdict.PROMOTE, (_reason(rule, row, likely.lower, ">", bound, held=True, text=text),)
    if likely.upper < bound:
        text = f"{name} is {below}{asked}: {where}."
        return Verdict.KEEP_CHAMPION, (_reason(rule, row, likely.lower, ">", bound, text=text),)
    text = f"Whether {in_text(row.metric)} is {asked} is not shown: {where}."
    return Verdict.INSUFFICIENT_EVIDENCE, (_reason(rule, row, likely.lower, ">", bound, text=text),)


def _significance(evaluation: Evaluation, policy: Policy) -> Reason:
    row = evaluation.tested
    name, (pvalue, test) = in_text(row.metric), _tested(evaluation)
    held = pvalue is not None and pvalue < policy.alpha
    if pvalue is None:
        text = f"No difference in {name} can be shown: it is {row.ci_method}."
    else:
        found = f"{test} gives {wording.pvalue(pvalue)}, {_just(pvalue, policy.alpha)}"
        if held:
            how = "better" if row.improved else "worse"
            text = f"The challenger is significantly {how} on {name}: {found}below {policy.alpha:.3g}."
        else:
            text = f"No difference in {name} is shown: {found}not below {policy.alpha:.3g}. {_ruled_out(row, policy)}"
    return _reason("significance", row, pvalue, "<", policy.alpha, held=held, text=text)


def _tested(evaluation: Evaluation) -> tuple[float | None, str]:
    """The p-value of no difference, and its test: on rows that were looked at before, one valid at any look."""
    if evaluation.live is not None and evaluation.live.looking == "anytime":
        return evaluation.tested.pvalue, "the evidence that may be looked at any time"
    if evaluation.growth is not None and evaluation.mcnemar is not None:
        return evaluation.growth.pvalue, "the test that stays valid while a test set grows"
    if evaluation.mcnemar is not None:
        return evaluation.mcnemar.pvalue, evaluation.mcnemar.name
    row = evaluation.tested
    by_unit = row.test == "by unit"
    return row.pvalue, "the test of units" if by_unit else f"the {row.test.replace('paired t', 'paired t test')}"


def _just(pvalue: float, alpha: float) -> str:
    """0.0497 reads as 0.050, which is not below 0.05: say then that it just is."""
    return "just " if (round(pvalue, 3) < alpha) != (pvalue < alpha) else ""


def _ruled_out(row: MetricRow, policy: Policy) -> str:
    """Say what an interval that holds zero still tells; nothing where there is none."""
    kind, likely = unit(row.metric), row.likely_improvement
    if likely is None and row.ci_method == NOT_YET:
        return "There are too few labels for an interval so far."
    if likely is None:
        return "Nothing tells the two sides apart, so there is no interval either."
    gain = f"a gain of more than {wording.size(likely.upper, kind)}" if likely.upper > 0 else "any gain"
    loss = f"a loss of more than {wording.size(likely.lower, kind)}" if likely.lower < 0 else "any loss"
    return f"With {wording.confidence(policy.confidence)} confidence the data rule out {gain} and {loss}."


def _accuracy(row: MetricRow) -> Reason:
    change, now = wording.size(row.effect, "share"), wording.percent(row.challenger)
    if row.improved:
        text = f"Accuracy rose by {change}, to {now}."
    elif row.worsened:
        text = f"Accuracy fell by {change}, to {now}."
    else:
        text = f"Accuracy is the same on both sides, {now}."
    return _reason("accuracy", row, row.effect, ">", 0.0, held=row.improved, text=text)


def _error(row: MetricRow) -> Reason:
    """The same of an error, which is better when less."""
    name, change, now = title(row.metric), wording.size(row.effect, "number"), wording.value(row.challenger, "number")
    if row.improved:
        text = f"{name} fell by {change}, to {now}."
    elif row.worsened:
        text = f"{name} rose by {change}, to {now}."
    else:
        text = f"{name} is the same on both sides, {now}."
    return _reason("error", row, row.effect, "<", 0.0, held=row.improved, text=text)


def _share(evaluation: Evaluation, rule: str, bound: float) -> Reason:
    improved = [row.metric for row in evaluation.metrics if row.metric in evaluation.counted and row.improved]
    counted = len(evaluation.counted)  # one that could not be computed did not improve
    found = len(improved) / counted
    held = found >= bound - NOISE  # 3/4 >= 0.75 whatever floating division makes of it
    which = f" ({', '.join(improved)})" if improved else ""
    verb = "at least" if held else "short of"
    text = (
        f"{len(improved)} of {wording.plural(counted, 'metric')} improved{which}: {100 * found:.4g} %, "
        f"{verb} the {100 * bound:g} % asked for {'PROMOTE' if rule == 'promote_share' else 'CONDITIONAL'}."
    )
    return Reason(rule=rule, value=found, operator=">=", bound=bound, held=held, text=text)


def _reason(
    rule: str, row: MetricRow, value: float | None, operator: Operator, bound: float, *, text: str, held: bool = False
) -> Reason:
    return Reason(rule=rule, metric=row.metric, value=value, operator=operator, bound=bound, held=held, text=text)


def _change(row: MetricRow) -> str:
    return wording.effect(row.effect, unit(row.metric))
