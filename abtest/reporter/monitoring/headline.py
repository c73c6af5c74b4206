"""How a model does, in a sentence a manager understands, and what to do about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision.health import Action, Status
from abtest.metrics.catalogue import in_text, unit
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from abtest.evaluator.monitored import Change
    from abtest.record.monitored import MonitoringRecord
    from abtest.reporter.summary import Tone

STATUS_TITLES = {
    Status.STABLE: "Stable",
    Status.SUSPECT: "Suspect",
    Status.DEGRADED: "Degraded",
    Status.INSUFFICIENT_DATA: "Insufficient data",
}
STATUS_MARKS = {Status.STABLE: "✓", Status.SUSPECT: "◆", Status.DEGRADED: "▼", Status.INSUFFICIENT_DATA: "○"}
STATUS_TONES: dict[Status, Tone] = {
    Status.STABLE: "better",
    Status.SUSPECT: "same",
    Status.DEGRADED: "worse",
    Status.INSUFFICIENT_DATA: "same",
}
ACTION_TITLES = {
    Action.NOTHING: "Nothing to do",
    Action.LOOK: "Have a look",
    Action.RETRAIN: "Retrain",
    Action.ROLL_BACK: "Roll back",
}


def headline(record: MonitoringRecord) -> str:
    """Say how the model does."""
    seen, name = record.monitored, shown(record.model_name)
    whole = [change for change in seen.changes if change.segment is None]
    if record.health.status is Status.STABLE:
        return f"{name} does as well as it did{_values(whole)}."
    if record.health.status is Status.DEGRADED:
        return _degraded(record, whole)
    if record.health.status is Status.SUSPECT:
        return f"What {name} is fed, or what it predicts, has changed; nothing is known to have fallen."
    return f"Nobody can say yet how well {name} does."


def _degraded(record: MonitoringRecord, whole: list[Change]) -> str:
    name, fallen = shown(record.model_name), [change for change in whole if change.trend == "fallen"]
    if fallen:
        return f"{name} predicts worse than it did{_values(fallen)}."
    if any(sign.rule == "sequential" and sign.held is False for sign in record.health.signs):
        return f"{name} predicts worse than it did."
    return f"{name} predicts worse than it did for some of its rows; over all rows nothing is known to have fallen."


def _values(changes: list[Change]) -> str:
    """The first of these metrics, now and then."""
    if not changes:
        return ""
    change, kind = changes[0], unit(changes[0].metric)
    now, before = wording.value(change.recent, kind), wording.value(change.baseline, kind)
    return f": {in_text(change.metric)} is {now} now, and was {before}"


def advice(record: MonitoringRecord) -> str:
    """Say what to do, and why."""
    health = record.health
    missing = f" {health.missing}" if health.missing else ""
    yet = " yet" if health.status is Status.INSUFFICIENT_DATA else ""
    return f"{ACTION_TITLES[health.action]}{yet}. {health.why}{missing}"


def following(record: MonitoringRecord) -> str:
    """Say what to type next; nothing where all is well."""
    action = record.health.action
    if action is Action.ROLL_BACK:
        return f"To see what would move: {wording.command('models', 'rollback', '--dry-run', record.model_name)}"
    if action is Action.RETRAIN:
        return f"Once it is retrained: {_of_model(record, 'compare')} --test-data RECENT"
    if record.health.status is Status.INSUFFICIENT_DATA:
        return _missing(record)
    return f"To look at it: {_of_model(record, 'monitor', 'plot')}" if action is Action.LOOK else ""


def _missing(record: MonitoringRecord) -> str:
    """What to type where nobody can say: a baseline or labels, whichever is missing; more rows come by themselves."""
    seen = record.monitored
    if seen.baseline is None and seen.labelled:
        made = _of_model(record, "monitor", "baseline")
        return f"To have a baseline at once: {made} --input FILE --target COLUMN --output baseline.json"
    if seen.labelled < seen.n:
        return f"When labels come: {_of_model(record, 'monitor', 'track')} --labels FILE --id COLUMN"
    return ""


def _of_model(record: MonitoringRecord, *words: str) -> str:
    return f"{wording.command(*words)} --model-name={shlex.quote(record.model_name)}"
