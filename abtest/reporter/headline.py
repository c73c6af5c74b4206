"""The verdict of a comparison in a sentence, what to do about it, and what to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision import Verdict
from abtest.metrics.catalogue import in_text, unit
from abtest.reporter import live

if TYPE_CHECKING:
    from abtest.evaluator import MetricRow
    from abtest.record import ComparisonRecord

_HELD_BACK = {
    Verdict.CONDITIONAL: "The rule says promote, and a guardrail warns",
    Verdict.INSUFFICIENT_EVIDENCE: "There is not enough evidence that every guardrail holds",
    Verdict.KEEP_CHAMPION: "A guardrail keeps the champion",
}
_BESIDE_THE_RULE = {
    "guardrail": "A guardrail does not hold",
    "rollback": "The champion stays, as the challenger was rolled back",
    "growth": "There is not enough evidence on rows that were looked at before they grew",
    "confirmation": "There is not enough evidence, as the locked test set does not confirm it",
}
_FEW_DISCORDANT = 10


def told(record: ComparisonRecord) -> str:
    """Say the verdict in a sentence, with both sides' numbers; of an experiment in doubt, that there is none."""
    failed = live.broken(record.live) if record.live is not None else None
    return live.doubt(failed) if failed is not None else _told(record)


def _told(record: ComparisonRecord) -> str:
    decision, policy = record.decision, record.settings.policy
    found = record.evaluation.find(policy.decisive)
    row = found or record.evaluation.tested
    rates, verdict = _rates(record, row), decision.verdict
    if found is None:
        return f"There is not enough evidence, as {in_text(policy.decisive)} could not be computed: {rates}."
    if verdict is not decision.by_rule:
        return f"{_held_back(record)}: {rates}."
    if verdict is Verdict.INSUFFICIENT_EVIDENCE:
        tested = policy.rule == "share" or (policy.rule == "primary" and policy.margin is None)
        open_ = "chance alone could do that" if tested else "whether that is within the margin is open"
        if tested and record.live is not None and row.pvalue is None:
            open_ = "nothing can be tested so far"
        return f"There is not enough evidence to replace the champion: {rates}, and {open_}."
    if verdict is not Verdict.CONDITIONAL:
        may = "may" if policy.rule == "non-inferior" else "should"
        promoted = verdict is Verdict.PROMOTE
        return (
            f"The challenger {may} replace the champion: {rates}."
            if promoted
            else f"The champion should stay: {rates}."
        )
    if row.improvement < 0:
        name = in_text(row.metric)
        return f"The challenger is significantly worse on {name}, though other metrics improved: {rates}."
    return f"The challenger is better on some metrics and not on others: {rates}."


def _held_back(record: ComparisonRecord) -> str:
    """Say what made the verdict less favourable than the rule's."""
    failed = [reason.rule for reason in record.decision.reasons if not reason.held and reason.rule in _BESIDE_THE_RULE]
    if "guardrail" in failed:
        return _HELD_BACK[record.decision.verdict]
    return _BESIDE_THE_RULE[failed[0]] if failed else _HELD_BACK[record.decision.verdict]


def _rates(record: ComparisonRecord, row: MetricRow) -> str:
    if record.live is not None:
        return live.rates(row, record.live)
    rows = wording.plural(record.data.n, "row")
    champion, challenger = (wording.value(value, unit(row.metric)) for value in (row.champion, row.challenger))
    if row.metric == "accuracy":
        return f"on the same {rows} the challenger is right {challenger} of the time, the champion {champion}"
    return f"on the same {rows} the challenger's {in_text(row.metric)} is {challenger}, the champion's {champion}"


def belief(record: ComparisonRecord) -> str:
    """Say what to believe of the metric that the verdict hangs on, where that is known."""
    read, metric = record.bayes, record.settings.policy.decisive
    if read is None:
        return ""
    kind, name = unit(metric), in_text(metric)
    better = "is more accurate" if metric == "accuracy" else f"is better on {name}"
    by_more = (
        f"by more than {wording.size(read.margin, kind)} with probability {wording.percent(read.better_by_margin)}"
    )
    said = (
        f"Given these rows, the challenger {better} with probability {wording.percent(read.better)}"
        f"{f', and {by_more}' if read.margin else ''}. Should it be promoted, the {name} to be lost is "
        f"{wording.size(read.expected_loss, kind)} on average."
    )
    if record.contingency is not None and record.contingency.discordant < _FEW_DISCORDANT:
        said += (
            f" With fewer than {_FEW_DISCORDANT} rows to tell the two apart, that is mostly what was assumed before."
        )
    return said


def enough(record: ComparisonRecord) -> str:
    """Say what these rows could have shown, and how many would settle the question."""
    found, n = record.power, record.data.n
    if found is None:
        return ""
    kind, proves = unit(found.metric), record.settings.policy.rule == "non-inferior"
    rows, often = wording.plural(n, "row"), f"{100 * found.power:g} % of the time"
    margin = wording.size(found.margin, kind)
    if found.detectable is None:
        said = f"However large the difference, so few rows find it less than {often}."
    else:
        size = wording.size(found.detectable, kind)
        said = (
            f"Of two models equally good, these {rows} prove {often} that one is not worse by {size}."
            if proves
            else f"These {rows} find a difference of {size} or more {often}."
        )
    if found.rows_needed is None:
        return f"{said} The two sides differ on too few rows for {margin} to be possible at all."
    if found.rows_needed <= n:
        return f"{said} That is enough for {margin}; smaller differences take more rows."
    more = wording.whole(found.rows_needed - n)
    return (
        f"{said} For {margin} it takes {wording.whole(found.rows_needed)}: {more} more. Label them all before "
        "looking again, as looking at every step finds differences that are not there."
    )


def advice(record: ComparisonRecord) -> str:
    """Say what to do."""
    verdict, guarded = record.decision.verdict, record.decision.verdict is not record.decision.by_rule
    if record.live is not None and (live.broken(record.live) or verdict is not Verdict.CONDITIONAL):
        return live.advice(record, record.live)
    if verdict is Verdict.CONDITIONAL:
        if record.evaluation.tested.improvement < 0:
            return "It is never promoted automatically; somebody has to decide that this trade is wanted."
        what = "what the guardrail warns of can be lived with" if guarded else "what improved is worth what did not"
        return f"Somebody has to decide whether {what}."
    if verdict is Verdict.INSUFFICIENT_EVIDENCE:
        why = "The reasons that do not hold say what is not settled." if guarded else enough(record)
        return f"Keep the champion for now. {why}".strip()
    if verdict is Verdict.PROMOTE:
        return "Promote it."
    return "Keep the champion, and look below where the challenger is worse."
