"""What live traffic shows, in words: the experiment, its arms, its checks, the evidence, and what to do about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision import Verdict
from abtest.evaluator.traffic import NOT_WHILE_LOOKING
from abtest.labels import Side
from abtest.metrics.catalogue import in_text, unit
from abtest.reporter.axis import ten_to
from abtest.stats.sequences import LEAST_DISCORDANT, LEAST_N, LEAST_RIGHT, LEAST_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from abtest.evaluator import MetricRow
    from abtest.evaluator.live import ArmReading, Check, CheckName, LiveReading
    from abtest.record import ComparisonRecord

_BROKEN: dict[CheckName, str] = {
    "sample ratio": "units are not split as planned",
    "label coverage": "labels do not come in equally often in both arms",
    "shadow drops": "the requests that the shadow dropped are not like the others",
}
CHECKS = tuple(name.replace(" ", "-") for name in _BROKEN)  # as reasons spell them
_OVER = {"stopped": "the experiment was stopped", "rolled back": "the challenger was rolled back"}
_UNMET = " The reasons that do not hold say what is not settled."
_LONG_ODDS = 6  # powers of ten from which E is one
_LEAST_ODDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenArm:
    """An arm as it is printed."""

    arm: Side
    name: str
    exposed: str
    predictions: str
    failed: str
    dropped: str
    mature: str
    labelled: str
    corrected: str
    value: str
    seconds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCheck:
    """A check as it is printed, with a sign and a word."""

    name: str
    held: bool
    text: str

    @property
    def mark(self) -> str:
        """Whether it holds, as a sign."""
        return "✓" if self.held else "✗"

    @property
    def word(self) -> str:
        """The same as a word."""
        return "in order" if self.held else "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSummary:
    """An experiment in words.

    Attributes:
        about: Which, how, and since when.
        evidence: How it stands.
        looks: What the part on the evidence is called.
        shadow: Whether both sides predicted the same rows.
        counted: What is counted of the arms.
        value: What they are measured by.
        arms: The champion and the challenger.
        checks: Whether it can be trusted.
        notes: What a reader has to know beside that.
    """

    about: str
    evidence: str
    looks: str
    shadow: bool
    counted: str
    value: str
    arms: tuple[WrittenArm, ...]
    checks: tuple[WrittenCheck, ...]
    notes: tuple[str, ...]

    @property
    def in_order(self) -> str:
        """Which checks hold, in a sentence; nothing where none does."""
        held = [check.name for check in self.checks if check.held]
        return f"Checked, and nothing found wrong: {' and '.join(held)}." if held else ""

    @property
    def alarms(self) -> tuple[WrittenCheck, ...]:
        """The checks that fail: what has to be seen before anything else."""
        return tuple(check for check in self.checks if not check.held)


def summarise(record: ComparisonRecord) -> LiveSummary | None:
    """Put an experiment into words; None where the rows are not from live traffic."""
    reading = record.live
    if reading is None:
        return None
    return LiveSummary(
        about=_about(reading),
        evidence=_evidence(record, reading),
        looks="Over time" if reading.looking == "anytime" else "The one look",
        shadow=reading.mode == "shadow",
        counted=_counted(reading),
        value="accuracy" if record.task == "classification" else "mean squared error",
        arms=tuple(_arm(arm, record) for arm in reading.arms),
        checks=tuple(WrittenCheck(name=it.name, held=it.held, text=it.text) for it in reading.checks),
        notes=tuple(_notes(record, reading)),
    )


def broken(reading: LiveReading) -> Check | None:
    """The first check that fails."""
    return next((check for check in reading.checks if not check.held), None)


def doubt(check: Check) -> str:
    """Say that nothing can be concluded, as a check fails."""
    return f"Nothing can be concluded from this experiment, as {_BROKEN[check.name]}."


def rates(row: MetricRow, reading: LiveReading) -> str:
    """Say what both sides reached, and on what."""
    kind, name = unit(row.metric), in_text(row.metric)
    champion, challenger = (wording.value(value, kind) for value in (row.champion, row.challenger))
    counts = [arm.analysed for arm in reading.arms]
    if reading.mode == "shadow":
        same = f"on the same {wording.plural(counts[0], 'request')} the challenger"
        if row.metric == "accuracy":
            return f"{same} is right {challenger} of the time, the champion {champion}"
        return f"{same}'s {name} is {challenger}, the champion's {champion}"
    units = f"of {wording.plural(counts[1], 'unit')} that the challenger served", f"of {wording.whole(counts[0])} that"
    if row.metric == "accuracy":
        return f"{units[0]} it is right {challenger} of the time, {units[1]} the champion served {champion}"
    return f"{units[0]} its {name} is {challenger}, {units[1]} the champion served {champion}"


def advice(record: ComparisonRecord, reading: LiveReading) -> str:
    """Say what to do about an experiment."""
    check, verdict = broken(reading), record.decision.verdict
    if check is not None:
        return f"Find out why {_BROKEN[check.name]} before believing anything below."
    if verdict is Verdict.PROMOTE:
        return f"Promote it: {wording.command('experiment', 'analyze', reading.experiment)} --auto-promote"
    if reading.state in _OVER:
        return f"Keep the champion; {_OVER[reading.state]}."
    if verdict is Verdict.KEEP_CHAMPION or reading.harmed:
        why = "" if verdict is Verdict.KEEP_CHAMPION else ", as the challenger is worse at the level of a rollback"
        return f"Keep the champion, and stop it{why}: {wording.command('experiment', 'stop', reading.experiment)}"
    return _go_on(record, reading)


def _go_on(record: ComparisonRecord, reading: LiveReading) -> str:
    if reading.looking == "fixed":
        return "Keep the champion. The one look that was planned is over; what comes later cannot be added to it."
    if reading.state == "paused":
        return f"Keep the champion for now. It is paused: {wording.command('experiment', 'resume', reading.experiment)}"
    unmet = record.decision.verdict is not record.decision.by_rule
    return f"Keep it running{_more(record, reading)}.{_UNMET if unmet else ''}"


def _more(record: ComparisonRecord, reading: LiveReading) -> str:
    """Say about how much longer: until what was planned is there."""
    n = sum(arm.analysed for arm in reading.arms) if reading.mode == "split" else reading.arms[0].analysed
    noun = "labelled unit" if reading.mode == "split" else "labelled pair"
    if reading.planned_n is not None:
        left = reading.planned_n - n
        return (
            f": about {wording.plural(left, f'more {noun}')}" if left > 0 else ", or stop it: it has what was planned"
        )
    if reading.planned_discordant is not None and record.contingency is not None:
        left = reading.planned_discordant - record.contingency.discordant
        told = "more pair that tells the two apart", "more pairs that tell the two apart"
        return f": about {wording.plural(left, *told)}" if left > 0 else ", or stop it: it has what was planned"
    return ""


def moment(at: datetime) -> str:
    """Write a moment, with its zone.

    Example:
        >>> from datetime import UTC, datetime
        >>> moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        '2026-01-02 03:04 UTC'
    """
    return f"{at:%Y-%m-%d %H:%M} UTC"


def odds(log: float) -> str:
    """Write evidence, given its natural logarithm, with two digits; a long one as a power of ten.

    Example:
        >>> [odds(log) for log in (0.0, 3.68, 6.7, 40.0, -2.0, -900.0)]
        ['1', '40', '810', '10¹⁷', '0.14', 'below 0.01']
    """
    if log >= _LONG_ODDS * math.log(10):
        return ten_to(math.floor(log / math.log(10)))
    found = math.exp(log)
    if found < _LEAST_ODDS:
        return f"below {_LEAST_ODDS:g}"
    rounded = float(f"{found:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _about(reading: LiveReading) -> str:
    if reading.mode == "shadow":
        how = "The champion answers, and the challenger predicts the same requests behind it"
    else:
        how = f"Of the units that take part, {wording.percent(reading.challenger_share)} go to the challenger"
    part = f"{wording.percent(reading.inclusion)} of all units take" if reading.inclusion else "No unit takes"
    return (
        f"Experiment {reading.experiment}, {reading.mode} mode, epoch {reading.epoch} ({reading.state}), from "
        f"{moment(reading.started_at)} to {moment(reading.until)}. {how}. "
        f"{part} part now."
    )


def _counted(reading: LiveReading) -> str:
    if reading.horizon:
        aged = f"Mature are those older than {wording.span(reading.horizon)}, when labels are taken to be complete"
    else:
        aged = "All are mature at once, as labels are not waited for"
    return f"Units count once, by their first request. {aged}; labelled is a share of those."


def _evidence(record: ComparisonRecord, reading: LiveReading) -> str:
    """Say how the evidence stands, each way, and how valid its p-value is."""
    missing = _missing(record, reading)
    if reading.pvalue is None:
        return missing or "There is no test, as nothing varies."
    valid = "valid at every look" if reading.looking == "anytime" else "valid at this one look"
    kind = "" if reading.looking == "anytime" else " test"
    name = record.mcnemar.name if record.mcnemar is not None else f"the {reading.test}{kind}"
    tested = f"{wording.capitalised(name)} gives {wording.pvalue(reading.pvalue)}, {valid}."
    if reading.log_better is None or reading.log_worse is None:
        return tested
    line = odds(math.log(2 / record.settings.policy.alpha))
    return (
        f"E, the evidence, is {odds(reading.log_better)} that the challenger is better, and "
        f"{odds(reading.log_worse)} that it is worse; it convinces at {line}. {tested}{missing and f' {missing}'}"
    )


def _missing(record: ComparisonRecord, reading: LiveReading) -> str:
    """Say what an interval that holds at every look still waits for; nothing where it is there."""
    row, classes = record.evaluation.tested, record.task == "classification"
    if reading.looking == "fixed" or (reading.looks and reading.looks[-1].ci_lower is not None):
        return ""
    if _is_enough(record, reading):  # and yet nothing varies
        return ""
    if reading.mode == "shadow":
        differ = f", {LEAST_DISCORDANT} of which tell the two apart" if classes else ""
        apart = f", {wording.whole(record.contingency.discordant)} of which do" if record.contingency else ""
        what = "interval" if classes else "test or interval"
        return f"There is no {what} before {LEAST_N} labelled pairs{differ}; there are {wording.whole(row.n)}{apart}."
    right = f" with {LEAST_RIGHT} right and {LEAST_RIGHT} wrong answers" if classes else ""
    have = " and ".join(f"{wording.whole(arm.analysed)}{_right(arm) if classes else ''}" for arm in reading.arms)
    return (
        f"There is no test or interval before each arm has {LEAST_UNITS} labelled units{right}; champion and "
        f"challenger have {have}."
    )


def _is_enough(record: ComparisonRecord, reading: LiveReading) -> bool:
    if reading.mode == "shadow":
        apart = record.contingency.discordant if record.contingency else LEAST_DISCORDANT
        return record.evaluation.tested.n >= LEAST_N and apart >= LEAST_DISCORDANT
    is_regression = record.task == "regression"
    return all(
        arm.analysed >= LEAST_UNITS and (is_regression or min(_right_and_wrong(arm)) >= LEAST_RIGHT)
        for arm in reading.arms
    )


def _right_and_wrong(arm: ArmReading) -> tuple[int, int]:
    right = round((arm.value or 0.0) * arm.analysed)
    return right, arm.analysed - right


def _right(arm: ArmReading) -> str:
    right, wrong = map(wording.whole, _right_and_wrong(arm))
    return f" ({right} right, {wrong} wrong)"


def _arm(arm: ArmReading, record: ComparisonRecord) -> WrittenArm:
    version = "" if arm.version is None else f" v{arm.version}"
    coverage = f" ({wording.percent(arm.labelled / arm.mature)})" if arm.mature else ""
    return WrittenArm(
        arm=arm.arm,
        name=f"{arm.arm}{version}",
        exposed=wording.whole(arm.exposed),
        predictions=wording.whole(arm.predictions),
        failed=wording.whole(arm.failed),
        dropped=wording.whole(arm.dropped),
        mature=wording.whole(arm.mature),
        labelled=f"{wording.whole(arm.labelled)}{coverage}",
        corrected=wording.whole(arm.corrected),
        value=wording.value(arm.value, "share" if record.task == "classification" else "number"),
        seconds=wording.MISSING if arm.seconds is None else wording.duration(arm.seconds),
    )


def _notes(record: ComparisonRecord, reading: LiveReading) -> Iterator[str]:
    if any(row.ci_method == NOT_WHILE_LOOKING for row in (*record.metrics, *record.per_class)):
        yield "Where there is no interval, none is known that would hold at every look."
    if reading.waiting:
        yield f"{wording.plural(reading.waiting, 'label')} of predictions that are not known are kept aside."
