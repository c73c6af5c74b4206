"""From tracked predictions to a report: windows added up, held against a baseline, and judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.decision import health
from abtest.errors import InvalidInputError, NotFoundError, near
from abtest.evaluator import degradation
from abtest.evaluator.drift import drift
from abtest.evaluator.monitored import Monitored
from abtest.evaluator.rows import Skipped
from abtest.monitoring import livelog
from abtest.monitoring.against import Past, hour, of_version, part_of
from abtest.monitoring.how import Watch
from abtest.monitoring.reigns import reigns_of
from abtest.provenance import provenance
from abtest.record.monitored import MonitoringRecord, MonitoringSettings
from abtest.windows import DAY, HOUR

if TYPE_CHECKING:
    from abtest.evaluator.monitored import Change, Drift, Reign, SchemaChange, SegmentSeries, Sequential
    from abtest.live.store import Store
    from abtest.monitoring.against import Base
    from abtest.registry import RegistryClient
    from abtest.windows import Window

_HOURLY, _DAILY = 3.0, 92.0  # so many days are shown hour by hour, or day by day; more by the week


def watch(
    store: Store,
    model_name: str,
    how: Watch | None = None,
    *,
    registry: RegistryClient | None = None,
    command: str | None = None,
) -> MonitoringRecord:
    """Say how a model does, from what was tracked of it and from what servers logged.

    Args:
        store: Where its predictions are; its tallies are brought up to date first.
        model_name: The registered model.
        how: How it is watched.
        registry: Where it is registered: for its promotions and rollbacks. They are left out where None.
        command: The command line this came from, for the record.

    Raises:
        NotFoundError: Nothing was tracked of the model.
        InvalidInputError: Nothing was predicted in the report's days, an option does not fit, or a baseline is none.
        BackendError: The database, or the registry, does not answer.
    """
    how = how or Watch()
    now = datetime.now(UTC)
    livelog.take_in(store, model_name, now=now)
    past = Past(store=store, model_name=model_name, how=how, registry=registry)
    monitored, metrics = _monitored(past, hour(how.until or now, up=True))
    return MonitoringRecord(
        created_at=now.replace(microsecond=0),
        model_name=model_name,
        store=str(store),
        settings=MonitoringSettings(
            metrics=metrics,
            average=how.average,
            confidence=how.confidence,
            threshold=how.threshold,
            drift_floor=how.drift_floor,
            horizon=how.horizon,
            sequential=how.sequential,
        ),
        monitored=monitored,
        health=health.judge(monitored),
        provenance=provenance(
            registry=registry.tracking_uri if registry else None, policy_digest=how.digest, command=command
        ),
    )


def _monitored(past: Past, end: datetime) -> tuple[Monitored, tuple[str, ...]]:
    how = past.how
    recent_end = hour(end - timedelta(seconds=how.horizon), up=True)
    recent_start = hour(recent_end - timedelta(days=how.recent))
    start = min(hour(end - timedelta(days=how.days)), recent_start)
    report = past.window(start, end)
    if not report.buckets:
        raise _empty(past, start, end)
    recent, whole = part_of(report, recent_start, recent_end), report.whole()
    lately, metrics = recent.whole(), how.metrics_of(whole.task)
    if how.sequential and whole.task == "regression":
        raise InvalidInputError(
            "sequential must be of a classification: errors without bound have no test that holds at every look here.",
            hint=f"without it, check once in {wording.span(how.recent * DAY)}: as often as the recent window is new.",
        )
    period = HOUR if how.days <= _HOURLY else DAY if how.days <= _DAILY else 7 * DAY
    options: dict[str, Any] = {"average": how.average, "pos_label": how.pos_label, "confidence": how.confidence}
    testing: dict[str, Any] = {**options, "threshold": how.threshold}
    points = degradation.points(report, metrics, period, **options)
    reigns, notices = reigns_of(report, past.model_name, past.registry)
    version = reigns[-1].version
    found = past.baseline(recent_start, version)
    base = None if isinstance(found, str) else found
    skipped = [Skipped(what="baseline", why=found)] if isinstance(found, str) else []
    changes: tuple[Change, ...] = ()
    if base is not None and metrics:
        # A promotion's comparison is of one version, and says nothing of what others did.
        judged = of_version(recent, version) if base.told.kind == "promotion" else recent
        changes, untested = degradation.changes(base.window, judged, metrics, **testing)
        skipped += untested
    segments: tuple[SegmentSeries, ...] = ()
    if metrics:
        segments, unfollowed = degradation.segment_series(report, recent, metrics[0], period, **testing)
        skipped += unfollowed
    previous = past.previous(reigns)
    drifted, schema = _drift(base, recent, how)
    evidence, unasked = _sequential(past, base, version, recent_end) if how.sequential else ((), ())
    return (
        Monitored(
            task=whole.task,
            start=start,
            end=end,
            recent_start=recent_start,
            recent_end=recent_end,
            period=period,
            confidence=how.confidence,
            points=points,
            summaries=degradation.summaries(points, whole, metrics, **options),
            baseline=base.told if base else None,
            changes=changes,
            segments=segments,
            previous=previous.told if previous else None,
            previous_changes=()
            if previous is None
            else _at_the_change(past, previous, reigns[-1], recent_end, testing),
            looked_often=how.sequential,
            sequential=evidence,
            drift=drifted,
            schema=schema,
            reigns=reigns,
            n=whole.n,
            failed=whole.failed,
            labelled=whole.labelled,
            corrected=whole.corrected,
            lag=whole.lag.mean if whole.lag is not None and whole.lag.n else None,
            coverage_recent=lately.labelled / lately.n if lately.n else None,
            skipped=(*skipped, *unasked),
            notices=notices,
        ),
        metrics,
    )


def _empty(past: Past, start: datetime, end: datetime) -> NotFoundError | InvalidInputError:
    """Say that there is nothing to report, and where there is something."""
    last = past.store.last_tracked(past.model_name)
    if last is None:
        known = past.store.models_tracked()
        return NotFoundError(
            f"Nothing was tracked of '{past.model_name}' in {past.store}.",
            hint=near(past.model_name, known)
            or "'abtest monitor track' tracks predictions, and 'abtest serve' logs them.",
        )
    after = last.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return InvalidInputError(
        f"No prediction of '{past.model_name}' lies between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC.",
        hint=f"the last is of {last:%Y-%m-%d %H:%M} UTC: --until {after:%Y-%m-%dT%H:%MZ}.",
    )


def _drift(base: Base | None, recent: Window, how: Watch) -> tuple[tuple[Drift, ...], tuple[SchemaChange, ...]]:
    if base is None:
        return (), ()
    before = base.window
    if base.told.kind in ("first", "before"):  # a day that both windows have a part of tells nothing of a change
        days = {it.day for it in recent.sketches}
        before = replace(before, sketches=tuple(it for it in before.sketches if it.day not in days))
    return drift(
        before.features(),
        recent.features(),
        predictions=(base.window.whole().predictions, recent.whole().predictions),
        alpha=1 - how.confidence,
        floor=how.drift_floor,
    )


def _at_the_change(
    past: Past, previous: Base, reign: Reign, end: datetime, testing: dict[str, Any]
) -> tuple[Change, ...]:
    """Hold the first days of the version that serves now against the last ones of the version before.

    Later days would differ for what has become of the world since, and bring back a version that is no better in it.
    """
    until = min(end, hour(reign.start + timedelta(days=past.how.recent), up=True))
    first = of_version(past.window(hour(reign.start), until), reign.version)
    metrics = past.how.metrics_of(first.whole().task)
    found, _ = degradation.changes(previous.window, first, metrics, **testing)
    return tuple(change for change in found if change.segment is None)


def _sequential(
    past: Past, base: Base | None, version: int | None, end: datetime
) -> tuple[tuple[Sequential, ...], tuple[Skipped, ...]]:
    """Look at the errors of the version that serves now since the baseline, as one may who looks every hour.

    What other versions did is no evidence about it: a fall that was mended by another model would be one for ever.
    """
    if base is None:
        return (), (Skipped(what="the sequential check", why="there is no baseline."),)
    start = base.told.end or past.store.first_tracked(past.model_name) or end
    since = of_version(past.window(start, end), version)
    since = replace(since, start=min((it.start for it in since.buckets if it.start), default=start))
    return degradation.sequential(base.window, since, threshold=past.how.threshold, confidence=past.how.confidence)
