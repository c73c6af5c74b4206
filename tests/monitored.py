"""Records of monitoring, as watching might have made them: drawn from seeded random numbers, judged by the judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from abtest.decision.health import judge
from abtest.evaluator.monitored import (
    Baseline,
    Change,
    Drift,
    MetricPoint,
    MetricSummary,
    Monitored,
    Point,
    Reign,
    SchemaChange,
    SegmentSeries,
    Sequential,
)
from abtest.evaluator.rows import Skipped
from abtest.record import Provenance
from abtest.record.monitored import MonitoringRecord, MonitoringSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR = 86_400, 3_600
ERRORS = ("rmse", "mae", "log_loss")  # which grow as a model gets worse
METRICS = ("accuracy", "f1")
HOSTILE = '<script>alert("1")</script> | `y` $x$ \u202e {{ 7 * 7 }}'
PROVENANCE = Provenance(
    abtest_version="1.2.3",
    python_version="3.12.1",
    libraries={"numpy": "2.0.0", "scipy": "1.14.0"},
    registry="sqlite:///mlflow.db",
    git_commit="0123456789abcdef",
    command="abtest monitor report --model-name churn --days 30",
    policy_digest="",
)


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a model goes: what is drawn.

    Attributes:
        periods: How many.
        period: Seconds of each.
        level: Its share of right predictions, or its error.
        fall: How much worse it is in the recent window.
        recent: Periods of the recent window.
        rows: Predictions a period, about.
        metrics: Which.
        empty: Periods without a prediction.
        unlabelled: How many of the last periods have no label yet.
        versions: From which period on which version serves, and how that came.
        tolerated: As a share of the baseline's value where it is an error.
    """

    periods: int = 30
    period: int = DAY
    level: float = 0.92
    fall: float = 0.0
    recent: int = 7
    rows: int = 400
    metrics: tuple[str, ...] = METRICS
    empty: tuple[int, ...] = ()
    unlabelled: int = 0
    versions: tuple[tuple[int, int | None, str | None], ...] = ((0, 3, None),)
    tolerated: float = 0.05
    seed: int = 7

    def version(self, i: int) -> int | None:
        """Who serves in a period."""
        return next(version for start, version, _ in reversed(self.versions) if start <= i)

    def at(self, i: int) -> datetime:
        """The begin of a period."""
        return START + timedelta(seconds=self.period * i)

    @property
    def is_regression(self) -> bool:
        """Whether these are errors."""
        return self.metrics[0] in ERRORS


def points(course: Course) -> tuple[Point, ...]:
    """Draw each period."""
    rng = np.random.default_rng(course.seed)
    found = []
    for i in range(course.periods):
        n = 0 if i in course.empty else int(rng.poisson(course.rows * (0.6 if i % 7 > 4 else 1)))
        labelled = 0 if i >= course.periods - course.unlabelled else int(n * 0.9)
        worse = course.fall if i >= course.periods - course.recent else 0.0
        found.append(
            Point(
                start=course.at(i),
                end=course.at(i + 1),
                versions=(course.version(i),) if n else (),
                n=n,
                failed=n // 200,
                labelled=labelled,
                metrics=tuple(_metric(rng, course, k, worse, labelled) for k in range(len(course.metrics)) if labelled),
            )
        )
    return tuple(found)


def _metric(rng: np.random.Generator, course: Course, k: int, worse: float, n: int) -> MetricPoint:
    name = course.metrics[k]
    if name in ERRORS:
        mean = course.level * (1 + worse) * (1 - 0.3 * k) if course.is_regression else 0.3 + worse
        value, half = mean * (1 + rng.normal() / np.sqrt(2 * n)), 1.96 * mean / np.sqrt(2 * n)
    else:
        mean = course.level - worse - 0.03 * k
        value = float(rng.binomial(n, mean)) / n
        half = 1.96 * float(np.sqrt(mean * (1 - mean) / n))
    estimable = n > 5
    lower, upper = float(value - half), float(value + half)
    if name not in ERRORS:
        upper = min(1.0, upper)
    return MetricPoint(
        metric=name,
        value=float(value),
        ci_lower=lower if estimable else None,
        ci_upper=upper if estimable else None,
    )


def summaries(found: Sequence[Point], metrics: Sequence[str]) -> tuple[MetricSummary, ...]:
    """Sum up each metric."""
    told = []
    for name in metrics:
        known = [(p.start, m.value, p.labelled) for p in found for m in p.metrics if m.metric == name]
        if not known:
            continue
        values = np.array([value for _, value, _ in known])
        days = np.array([(at - START).total_seconds() / DAY for at, _, _ in known])
        slope = float(np.polyfit(days, values, 1)[0]) if len(known) >= 3 else None
        half = float(1.96 * values.std() / max(1e-9, days.std() * np.sqrt(len(known))))
        told.append(
            MetricSummary(
                metric=name,
                value=float(np.average(values, weights=[n for _, _, n in known])),
                mean=float(values.mean()),
                std=float(values.std(ddof=1)) if len(known) > 1 else None,
                least=float(values.min()),
                most=float(values.max()),
                slope=slope,
                slope_lower=None if slope is None else slope - half,
                slope_upper=None if slope is None else slope + half,
                periods=len(known),
            )
        )
    return tuple(told)


def change(
    metric: str,
    baseline: float,
    recent: float,
    *,
    se: float = 0.008,
    segment: tuple[str, str] | None = None,
    tolerated: float = 0.05,
    n: int = 2400,
) -> Change:
    """Hold two values against each other, by a normal approximation."""
    effect, is_error = recent - baseline, metric in ERRORS
    fall = effect if is_error else -effect
    most = tolerated * baseline if is_error else tolerated
    z = fall / se
    pvalue = float(0.5 * (1 - np.tanh(0.8 * z)))
    trend = "fallen" if pvalue < 0.01 and fall >= most else "held" if fall + 1.64 * se < most else "unclear"
    return Change(
        metric=metric,
        segment=segment[0] if segment else None,
        value=segment[1] if segment else None,
        baseline=baseline,
        recent=recent,
        effect=effect,
        fall=fall,
        fall_lower=fall - 1.64 * se,
        fall_upper=fall + 1.64 * se,
        ci_lower=effect - 1.96 * se,
        ci_upper=effect + 1.96 * se,
        ci_method="Newcombe, days as clusters",
        test="z, days as clusters",
        statistic=z,
        pvalue=pvalue,
        pvalue_adjusted=min(1.0, 2 * pvalue),
        tolerated=most,
        trend=trend,  # type: ignore[arg-type] # one of the three
        n_baseline=2 * n,
        n_recent=n,
        clusters=21,
        rows_needed=9_000 if trend == "unclear" else None,
    )


def drift(
    feature: str,
    distance: float,
    *,
    direction: str = "higher: median from 31.20 to 44.75",
    kind: str = "number",
    n: int = 2400,
) -> Drift:
    """A feature that lies so far from what it was."""
    return Drift(
        feature=feature,
        kind=kind,  # type: ignore[arg-type] # one of the three
        n_baseline=2 * n,
        n_recent=n,
        missing_baseline=0.01,
        missing_recent=0.02,
        test="Kolmogorov-Smirnov" if kind == "number" else "chi-squared",
        statistic=distance if kind == "number" else 400 * distance,
        pvalue=1e-9 if distance > 0.05 else 0.4,
        pvalue_adjusted=1e-8 if distance > 0.05 else 0.6,
        distance=distance,
        error_bound=0.002 if kind == "number" else 0.0,
        psi=2 * distance**2,
        js=distance / 1.5,
        drifted=distance >= 0.1,
        direction=direction if distance >= 0.1 else "",
    )


def features(count: int, farthest: float = 0.08) -> tuple[Drift, ...]:
    """Many features, the farthest apart first, after the predictions."""
    names = ["tenure", "monthly_charges", "contract", "region", "payment_method", "support_calls"]
    rows = [
        drift(
            names[i] if i < len(names) else f"feature_{i:02}", farthest * 0.85**i, kind="text" if i == 2 else "number"
        )
        for i in range(count)
    ]
    return (drift("prediction", 0.03, kind="prediction"), *rows)


def segments(course: Course, values: Sequence[str], worst: float, name: str = "region") -> tuple[Change, ...]:
    """Each metric of each segment, of which the first fell so much."""
    rows = []
    for i, value in enumerate(values):
        fall = worst if i == 0 else 0.004 * (i % 5 - 2)
        for k, metric in enumerate(course.metrics):
            level = 0.3 if metric in ERRORS else course.level - 0.03 * k
            recent = level + fall if metric in ERRORS else level - fall
            rows.append(change(metric, level, recent, se=0.02, segment=(name, value), n=300))
    return tuple(rows)


def followed(course: Course, rows: Sequence[Change]) -> tuple[SegmentSeries, ...]:
    """The segments of these changes over time, by the first metric, each beside the rest of its rows."""
    found: list[SegmentSeries] = []
    for it in rows:
        if it.metric == course.metrics[0]:
            own = replace(course, level=it.recent, fall=0.0, seed=len(found), rows=60, metrics=(it.metric,))
            rest = change(it.metric, it.baseline, it.recent, se=0.02, segment=(str(it.segment), str(it.value)), n=300)
            found.append(
                SegmentSeries(segment=str(it.segment), value=str(it.value), points=points(own), against_rest=rest)
            )
    return tuple(found)


def monitored(course: Course, *, more: Sequence[Change] = (), confidence: float = 0.95, **others: object) -> Monitored:
    """Everything that watching such a course shows."""
    found = points(course)
    end, recent_start = course.at(course.periods), course.at(course.periods - course.recent)
    summed = summaries(found, course.metrics)
    early = summaries(found[: -course.recent], course.metrics)
    late = {it.metric: it for it in summaries(found[-course.recent :], course.metrics)}
    whole = [
        change(it.metric, it.value, late[it.metric].value, se=0.008 * (it.value if course.is_regression else 1))
        for it in early
        if it.metric in late
    ]
    recent = found[-course.recent :]
    n = sum(p.n for p in recent)
    first = next((p.start for p in found if p.n), course.at(0))
    baseline = Baseline(
        kind="first",
        name="the first 7 days",
        start=first,
        end=first + timedelta(days=7),
        n=sum(p.n for p in found[:7]),
        labelled=sum(p.labelled for p in found[:7]),
        versions=(course.version(0),),
    )
    values: dict[str, object] = {
        "task": "regression" if course.is_regression else "classification",
        "start": course.at(0),
        "end": end,
        "recent_start": recent_start,
        "recent_end": end,
        "period": course.period,
        "confidence": confidence,
        "points": found,
        "summaries": summed,
        "baseline": baseline,
        "changes": (*whole, *more),
        "segments": followed(course, more),
        "reigns": reigns(course),
        "n": sum(p.n for p in found),
        "failed": sum(p.failed for p in found),
        "labelled": sum(p.labelled for p in found),
        "corrected": 3,
        "lag": 1.5 * DAY,
        "coverage_recent": sum(p.labelled for p in recent) / n if n else None,
    }
    return Monitored(**{**values, **others})  # type: ignore[arg-type] # each is of its field's type


def reigns(course: Course) -> tuple[Reign, ...]:
    """Who serves when."""
    starts = [start for start, _, _ in course.versions]
    return tuple(
        Reign(
            version=version,
            start=course.at(start),
            end=course.at(after) if after is not None else None,
            how=how,
            by="ada" if how else None,
        )
        for (start, version, how), after in zip(course.versions, [*starts[1:], None], strict=True)
    )


def record_of(seen: Monitored, course: Course, *, model_name: str = "churn") -> MonitoringRecord:
    """The record of it, judged."""
    return MonitoringRecord(
        created_at=seen.end + timedelta(hours=1),
        model_name=model_name,
        store="sqlite:///live.db",
        settings=MonitoringSettings(
            metrics=course.metrics,
            average="macro",
            confidence=seen.confidence,
            threshold=course.tolerated,
            drift_floor=0.1,
            horizon=2 * DAY,
            sequential=bool(seen.sequential),
        ),
        monitored=seen,
        health=judge(seen),
        provenance=PROVENANCE,
    )


def healthy() -> MonitoringRecord:
    """A month of one version that does as it did."""
    course = Course()
    return record_of(
        monitored(course, drift=features(6), more=segments(course, ["north", "south", "west"], 0.002)), course
    )


def degraded() -> MonitoringRecord:
    """Two versions, of which the second was bad and was rolled back; and the world changed then."""
    course = Course(
        fall=0.09, empty=(9, 10), versions=((0, 3, None), (13, 4, "promoted"), (19, 3, "rolled back")), unlabelled=1
    )
    worse = segments(course, ["north", "south", "west", "east"], 0.16)
    schema = (
        SchemaChange(feature="contract", what="new values", text="'contract' has 2 new values, in 3.1 % of the rows."),
    )
    skipped = (Skipped(what="roc_auc", why="No scores were tracked."),)
    seen = monitored(
        course,
        more=worse,
        drift=features(8, 0.31),
        schema=schema,
        skipped=skipped,
        notices=("12 labels came twice; the first counts.",),
    )
    return record_of(seen, course)


def worse_version() -> MonitoringRecord:
    """A promotion that was a mistake: the version before was better, and nothing else changed."""
    course = Course(fall=0.09, recent=6, versions=((0, 3, None), (22, 4, "promoted")))
    previous = Baseline(
        kind="previous",
        name="the last 7 days of version 3",
        start=course.at(15),
        end=course.at(22),
        n=2_600,
        labelled=2_400,
        versions=(3,),
    )
    better = (change("accuracy", 0.921, 0.842), change("f1", 0.89, 0.81))
    seen = monitored(course, drift=features(4), previous=previous, previous_changes=better)
    return record_of(seen, course)


def drifted() -> MonitoringRecord:
    """Nothing fell, but half of the forty features moved."""
    course = Course()
    return record_of(monitored(course, drift=features(40, 0.42)), course)


def insufficient() -> MonitoringRecord:
    """Predictions of a new model whose labels are not there yet."""
    course = Course(periods=7, recent=3, unlabelled=7)
    return record_of(
        monitored(course, task=None, baseline=None, drift=(), coverage_recent=0.0, lag=None, corrected=0), course
    )


def regression() -> MonitoringRecord:
    """Errors in minutes that grew by a fifth."""
    course = Course(metrics=("rmse", "mae"), level=24.0, fall=0.22)
    return record_of(monitored(course, drift=features(4)), course, model_name="delays")


def hourly() -> MonitoringRecord:
    """A month by the hour, looked at every hour, with a night's gap."""
    course = Course(
        periods=24 * 30,
        period=HOUR,
        recent=48,
        rows=60,
        fall=0.08,
        empty=tuple(range(300, 312)),
        versions=((0, 3, None), (400, 4, "promoted")),
    )
    evidence = Sequential(
        segment=None,
        value=None,
        baseline=0.92,
        tolerated=0.05,
        null=0.095,
        log_evidence=14.2,
        pvalue=0.0004,
        pvalue_adjusted=0.0004,
        since=course.at(672),
        recent=0.84,
        n=38_000,
    )
    return record_of(monitored(course, looked_often=True, sequential=(evidence,), drift=features(5)), course)


def six() -> MonitoringRecord:
    """Six metrics, twelve segments."""
    metrics = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss")
    course = Course(metrics=metrics, fall=0.04, level=0.95)
    names = ["a segment with a really long name, as codes of departments are", *(f"shop {i:02}" for i in range(1, 12))]
    return record_of(monitored(course, more=segments(course, names, 0.12)), course, model_name="a-long-name" * 5)


def year() -> MonitoringRecord:
    """A year by the day, with five versions."""
    versions = ((0, 1, None), (80, 2, "promoted"), (84, 1, "rolled back"), (190, 3, "promoted"), (300, 12, "promoted"))
    course = Course(periods=365, versions=versions, empty=tuple(range(140, 160)), fall=0.06)
    return record_of(monitored(course, drift=features(12, 0.2)), course)


def lone() -> MonitoringRecord:
    """One day alone."""
    course = Course(periods=1, recent=1)
    return record_of(monitored(course, changes=(), baseline=None), course)


def hostile() -> MonitoringRecord:
    """Names that would be markup."""
    course = Course(periods=7, recent=3, fall=0.1)
    seen = monitored(
        course,
        more=segments(course, [HOSTILE, "$x$ | `y`"], 0.2, name=HOSTILE),
        drift=(features(2)[0], drift(HOSTILE, 0.4, direction=HOSTILE, kind="text"), *features(2)[1:]),
        schema=(SchemaChange(feature=HOSTILE, what="type", text=f"{HOSTILE} held numbers and now holds text."),),
        notices=(HOSTILE,),
        skipped=(Skipped(what=HOSTILE, why=HOSTILE),),
    )
    seen = replace(
        seen,
        reigns=tuple(replace(it, how=HOSTILE, by=HOSTILE) for it in seen.reigns),
        baseline=replace(seen.baseline, name=HOSTILE) if seen.baseline else None,
    )
    return record_of(seen, course, model_name=HOSTILE)


SITUATIONS: dict[str, Callable[[], MonitoringRecord]] = {
    it.__name__: it
    for it in (healthy, degraded, worse_version, drifted, insufficient, regression, hourly, six, year, lone, hostile)
}
