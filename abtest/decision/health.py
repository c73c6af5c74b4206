"""How a model does, and what to do about it: read off what watching showed, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from abtest import wording
from abtest.metrics.catalogue import in_text, unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.evaluator.monitored import Change, Drift, Monitored, Sequential

_BROKEN = ("gone", "type", "all missing")  # inputs that no model can make up for
_LITTLE = 0.5  # of the baseline's share of labelled rows: fewer, and the labels are late, or lost


class Status(StrEnum):
    """How a model does, from best to worst; ``INSUFFICIENT_DATA`` is an answer."""

    STABLE = "STABLE"
    SUSPECT = "SUSPECT"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    DEGRADED = "DEGRADED"

    @property
    def exit_code(self) -> int:
        """What ``abtest monitor check`` ends with."""
        return {"STABLE": 0, "SUSPECT": 3, "DEGRADED": 4, "INSUFFICIENT_DATA": 5}[self.value]


class Action(StrEnum):
    """What is recommended."""

    NOTHING = "nothing"
    LOOK = "look"
    RETRAIN = "retrain"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that was looked at.

    Attributes:
        rule: "metric", "segment", "sequential", "drift", "prediction-drift", "schema", or "labels".
        name: The metric or the feature; of a segment both.
        held: Whether all is well with it; None where nobody can say.
        text: In a sentence, with its numbers.
    """

    rule: str
    name: str
    held: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the model does.

    Attributes:
        status: In a word.
        action: What is recommended.
        why: Why that action, in a sentence.
        missing: What an answer lacks, in a sentence; None where it lacks nothing.
        signs: All that was looked at: what is not well first, then what is not known.
    """

    status: Status
    action: Action
    why: str
    missing: str | None
    signs: tuple[Sign, ...]


def judge(monitored: Monitored) -> Health:
    """Say how the model does.

    It is DEGRADED where a metric has fallen, over all rows or in a segment; else SUSPECT where its inputs or its
    predictions drifted; else STABLE where every metric over all rows has surely held and labels came as usual; else
    nobody can say. Where one looks every hour, only evidence that allows for that counts as a fall.
    """
    signs = sorted(_signs(monitored), key=lambda sign: {False: 0, None: 1, True: 2}[sign.held])
    fallen = [sign for sign in signs if sign.held is False and sign.rule in ("metric", "segment", "sequential")]
    drifted = [sign for sign in signs if sign.held is False and sign not in fallen]
    whole = [sign for sign in signs if sign.rule == "metric"]
    late = [sign for sign in signs if sign.rule == "labels"]
    held = bool(whole) and all(sign.held for sign in whole) and not late
    if fallen:
        status = Status.DEGRADED
        action, why = _remedy(monitored, fallen)
    elif drifted:
        status, action = Status.SUSPECT, Action.LOOK
        so_far = "Its metrics have held so far." if held else "Whether it predicts worse for it, labels will tell."
        why = f"{drifted[0].text} {so_far}"
    elif held:
        status, action, why = Status.STABLE, Action.NOTHING, "Nothing has fallen, and nothing drifted."
    else:
        status, action = Status.INSUFFICIENT_DATA, Action.NOTHING
        why = "Nothing is known to have fallen, and nothing drifted."
    missing = None if held or fallen else _missing(monitored)
    return Health(status=status, action=action, why=why, missing=missing, signs=tuple(signs))


def _signs(monitored: Monitored) -> Iterator[Sign]:
    for change in monitored.changes:
        # One who looks every hour sees a fall by chance some day: then the sequence decides, and this only tells.
        fallen = None if monitored.looked_often else False
        held = {"fallen": fallen, "held": True, "unclear": None}[change.trend]
        rule = "metric" if change.segment is None else "segment"
        yield Sign(rule=rule, name=_name(change), held=held, text=told(change))
    for it in monitored.sequential:
        yield _sequential(monitored, it)
    for row in monitored.drift:
        if row.distance is None:
            continue
        is_prediction = row.kind == "prediction"
        what = "The predictions" if is_prediction else f"'{row.feature}'"
        verb = ("drifted" if row.drifted else "did not drift") + f": {row.direction}" * bool(row.direction)
        yield Sign(
            rule="prediction-drift" if is_prediction else "drift",
            name=row.feature,
            held=not row.drifted,
            text=f"{what} {verb} (distance {row.distance:.2f}, {wording.pvalue(row.pvalue_adjusted)} adjusted).",
        )
    for schema in monitored.schema:
        held = False if schema.what in _BROKEN else None
        yield Sign(rule="schema", name=schema.feature, held=held, text=schema.told)
    labels = _labels(monitored)
    if labels is not None:
        yield labels


def _name(change: Change) -> str:
    return change.metric if change.segment is None else f"{change.metric} of {change.segment} = {change.value}"


def told(change: Change) -> str:
    """Say what became of a metric.

    Example:
        >>> from abtest.evaluator.monitored import Change
        >>> told(Change(
        ...     metric="accuracy", segment=None, value=None, baseline=0.9, recent=0.8, effect=-0.1, fall=0.1,
        ...     fall_lower=0.06, fall_upper=0.14, ci_lower=-0.15, ci_upper=-0.05, ci_method="", test="", statistic=None,
        ...     pvalue=0.0001, pvalue_adjusted=0.0002, tolerated=0.05, trend="fallen", n_baseline=900, n_recent=300,
        ...     clusters=None, rows_needed=None,
        ... ))
        'Accuracy fell from 90.0 % to 80.0 %, by 10.0 points (p < 0.001 adjusted).'
    """
    kind = unit(change.metric)
    where = "" if change.segment is None else f" of {change.segment} = {change.value}"
    what = wording.capitalised(in_text(change.metric)) + where
    values = f"from {wording.value(change.baseline, kind)} to {wording.value(change.recent, kind)}"
    sure = f" ({wording.pvalue(change.pvalue_adjusted)} adjusted)" if change.pvalue_adjusted is not None else ""
    size = wording.size(change.fall, kind)
    if change.trend == "fallen":
        if change.effect > 0:  # an error grows
            return f"{what} got worse {values}, by {size}{sure}."
        return f"{what} fell {values}, by {size}{sure}."
    if change.trend == "held":
        most = wording.size(change.tolerated, kind)
        return f"{what} went {values}: surely less than {most} worse."
    needed = (
        f"; about {wording.whole(change.rows_needed)} recent labelled rows would tell" if change.rows_needed else ""
    )
    return f"{what} went {values}, which may be chance{sure}{needed}."


def _sequential(monitored: Monitored, it: Sequential) -> Sign:
    of = "" if it.segment is None else f" of {it.segment} = {it.value}"
    significant = it.pvalue_adjusted < 1 - monitored.confidence
    fell = it.recent is not None and it.baseline - it.recent >= it.tolerated
    since = f" since {it.since:%Y-%m-%d %H:%M} UTC" if it.since else ""
    held = False if significant and fell else None
    text = (
        f"Accuracy{of} is {wording.percent(it.recent)}{since}, and that it has fallen is "
        f"{'sure' if significant else 'not sure'} at every look ({wording.pvalue(it.pvalue_adjusted)} adjusted)."
    )
    return Sign(rule="sequential", name=f"accuracy{of}", held=held, text=text)


def _labels(monitored: Monitored) -> Sign | None:
    """Say whether too few of the recent rows have a label: which have one already may not be chance."""
    baseline, recent = monitored.baseline, monitored.coverage_recent
    if baseline is None or not baseline.n or recent is None:
        return None
    usual = baseline.labelled / baseline.n
    if recent >= _LITTLE * usual:
        return None
    return Sign(
        rule="labels",
        name="labels",
        held=None,
        text=f"{wording.percent(recent)} of the recent predictions have a label, against {wording.percent(usual)} of "
        "the baseline's: those that come first may not be like the others.",
    )


def _remedy(monitored: Monitored, fallen: list[Sign]) -> tuple[Action, str]:
    broken = [it for it in monitored.schema if it.what in _BROKEN]
    if broken:
        return Action.LOOK, f"{broken[0].told} Mend what it is fed before the model."
    worse = [change for change in monitored.previous_changes if change.trend == "fallen"]
    if worse and monitored.previous is not None:
        return Action.ROLL_BACK, f"Against {monitored.previous.name}: {told(worse[0])}"
    if all(sign.rule == "segment" or " of " in sign.name for sign in fallen):
        return Action.LOOK, f"{fallen[0].text} Over all rows nothing is known to have fallen."
    drifted = [row for row in monitored.drift if row.drifted and row.kind != "prediction"]
    cause = f" What it is fed changed too ({_listed(drifted)})." if drifted else ""
    return Action.RETRAIN, fallen[0].text + cause


def _listed(rows: list[Drift]) -> str:
    names = [row.feature for row in rows]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _missing(monitored: Monitored) -> str:
    if monitored.baseline is None:
        return "There is no baseline to hold it against."
    if not monitored.baseline.labelled:
        return "The baseline has no labelled row."
    if not monitored.coverage_recent:
        return "No recent prediction has a label."
    if _labels(monitored) is not None:
        return "Labels of the recent predictions are still to come; --horizon leaves out those that are too young."
    needed = [c.rows_needed for c in monitored.changes if c.trend == "unclear" and c.segment is None and c.rows_needed]
    have = max((change.n_recent for change in monitored.changes), default=0)
    if needed:
        return (
            f"About {wording.whole(max(needed))} labelled rows in the recent window would tell, of which there are "
            f"{wording.whole(have)}."
        )
    return "More labelled rows, of more days, would tell."
