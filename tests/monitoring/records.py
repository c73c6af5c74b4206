"""Reports of monitoring, made by hand: of a model that is well, and of one that is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from abtest.decision.health import judge
from abtest.evaluator.monitored import (
    Baseline,
    Change,
    Drift,
    MetricPoint,
    Monitored,
    Point,
    Reign,
    SegmentSeries,
    Sequential,
)
from abtest.provenance import provenance
from abtest.record.monitored import MonitoringRecord, MonitoringSettings

if TYPE_CHECKING:
    from abtest.evaluator.monitored import Trend

END = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BASELINE = Baseline(kind="first", name="the first 7 days", start=None, end=None, n=1000, labelled=900, versions=(1,))
PREVIOUS = replace(BASELINE, kind="previous", name="the last 7 days of version 1")
_SETTINGS = MonitoringSettings(
    metrics=("accuracy",), average="macro", confidence=0.95, threshold=0.05, drift_floor=0.1, horizon=0.0,
    sequential=False,
)  # fmt: skip


def change(trend: Trend, **changed: Any) -> Change:
    """Accuracy over all rows, from 90 % to 80 %."""
    found = Change(
        metric="accuracy", segment=None, value=None, baseline=0.9, recent=0.8, effect=-0.1, fall=0.1, fall_lower=0.06,
        fall_upper=0.14, ci_lower=-0.15, ci_upper=-0.05, ci_method="", test="", statistic=None, pvalue=0.001,
        pvalue_adjusted=0.002, tolerated=0.05, trend=trend, n_baseline=900, n_recent=300, clusters=14, rows_needed=None,
    )  # fmt: skip
    return replace(found, **changed)


def drift(feature: str = "wind", distance: float | None = 0.3, *, drifted: bool = True, **changed: Any) -> Drift:
    """A feature, so far from the baseline."""
    found = Drift(
        feature=feature, kind="number", n_baseline=900, n_recent=300, missing_baseline=0.0, missing_recent=0.0,
        test="", statistic=distance, pvalue=0.0, pvalue_adjusted=0.0, distance=distance, error_bound=0.0, psi=0.4,
        js=0.2, drifted=drifted, direction="higher",
    )  # fmt: skip
    return replace(found, **changed)


def sequential(**changed: Any) -> Sequential:
    """Evidence of a fall, at every look."""
    found = Sequential(
        segment=None, value=None, baseline=0.9, tolerated=0.05, null=0.12, log_evidence=9.0, pvalue=0.001,
        pvalue_adjusted=0.001, since=END - DAY, recent=0.8, n=300,
    )  # fmt: skip
    return replace(found, **changed)


def series(trend: Trend, value: str = "EU") -> SegmentSeries:
    """A segment over time, and beside the rest."""
    return SegmentSeries(
        segment="region", value=value, points=points(), against_rest=change(trend, segment="region", value=value)
    )


def points() -> tuple[Point, ...]:
    """Three days: one with labels, one without, and one without a prediction."""
    accuracy = MetricPoint(metric="accuracy", value=0.8, ci_lower=0.7, ci_upper=0.9)
    day = Point(start=END - 3 * DAY, end=END - 2 * DAY, versions=(2,), n=50, failed=1, labelled=40, metrics=(accuracy,))
    young = replace(day, start=END - 2 * DAY, end=END - DAY, labelled=0, metrics=())
    return day, young, replace(young, start=END - DAY, end=END, versions=(), n=0, failed=0)


def record(**changed: Any) -> MonitoringRecord:
    """A model with nothing to be said of it but what is given; its health is judged by that."""
    monitored = Monitored(
        task="classification", start=END - 30 * DAY, end=END, recent_start=END - 7 * DAY, recent_end=END,
        period=86400, confidence=0.95, points=points(), summaries=(), baseline=BASELINE, changes=(), n=1300, failed=2,
        labelled=1200, corrected=0, lag=3600.0, coverage_recent=0.9,
        reigns=(Reign(version=1, start=END - 30 * DAY, end=END - 9 * DAY), Reign(version=2, start=END - 9 * DAY,
                                                                               end=None, how="promoted")),
    )  # fmt: skip
    monitored = replace(monitored, **changed)
    return MonitoringRecord(
        created_at=END, model_name="fruit", store="sqlite:///live.db", settings=_SETTINGS, monitored=monitored,
        health=judge(monitored), provenance=provenance(registry=None, policy_digest=""),
    )  # fmt: skip


def well() -> MonitoringRecord:
    """A model that is stable."""
    return record(changes=(change("held", recent=0.9, effect=0.0, fall=0.0),))


def retrained() -> MonitoringRecord:
    """One that fell, and whose version before is not known to be better."""
    return record(changes=(change("fallen"),))


def worse_than_before() -> MonitoringRecord:
    """One that fell, and whose version before was better: it is to be rolled back."""
    return record(changes=(change("fallen"),), previous=PREVIOUS, previous_changes=(change("fallen"),))
