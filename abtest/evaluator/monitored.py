"""What watching a model shows: how it does over time, what changed since the baseline, and whether its inputs drift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from abtest.evaluator.rows import Skipped
from abtest.labels import Task

Trend: TypeAlias = Literal["fallen", "held", "unclear"]
BaselineKind: TypeAlias = Literal["first", "before", "file", "promotion", "previous"]
DriftKind: TypeAlias = Literal["number", "text", "prediction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPoint:
    """One metric in one period.

    Attributes:
        metric: Its name in the catalogue.
        value: Its value.
        ci_lower: Of its interval; None where it is not estimable.
        ci_upper: Likewise.
    """

    metric: str
    value: float
    ci_lower: float | None
    ci_upper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One period.

    Attributes:
        start: In UTC.
        end: The moment after it.
        versions: Which versions predicted in it; empty where none did.
        n: Predictions.
        failed: Of them, those that failed.
        labelled: Of them, those with a label.
        metrics: Of the labelled ones; empty where there are none.
    """

    start: datetime
    end: datetime
    versions: tuple[int | None, ...]
    n: int
    failed: int
    labelled: int
    metrics: tuple[MetricPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """One metric over the periods of a report.

    Attributes:
        metric: Its name.
        value: Over all rows together.
        mean: Of the periods' values, each the same weight.
        std: Their standard deviation; None of one period.
        least: The least of them.
        most: The greatest.
        slope: Its trend, a day: weighted least squares on the periods' values; None of fewer than three periods.
        slope_lower: Of the slope's interval.
        slope_upper: Likewise.
        periods: How many periods have a value.
    """

    metric: str
    value: float
    mean: float
    std: float | None
    least: float
    most: float
    slope: float | None
    slope_lower: float | None
    slope_upper: float | None
    periods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric in the recent window against the baseline.

    Attributes:
        metric: Its name.
        segment: What the rows are told apart by; None of all rows.
        value: Which of its values these rows have; None of all rows.
        baseline: Its value in the baseline.
        recent: Its value in the recent window.
        effect: Recent minus baseline, in the metric's own unit.
        fall: How much worse it is: positive is worse.
        fall_lower: Lower limit of the fall, one-sided, at the level of its own test, unadjusted.
        fall_upper: Upper limit, likewise.
        ci_lower: Of the two-sided interval of the effect.
        ci_upper: Likewise.
        ci_method: How it was found.
        test: Which test the p-value comes from.
        statistic: Its statistic, if it has one.
        pvalue: One-sided, of no fall.
        pvalue_adjusted: For the many metrics and segments, by Holm's method.
        tolerated: The fall that matters: the threshold, in the metric's own unit.
        trend: "fallen" where the adjusted p-value is significant and the fall at least what is tolerated; "held" where
            the fall is surely smaller than that; else "unclear".
        n_baseline: Labelled rows in the baseline.
        n_recent: Labelled rows in the recent window.
        clusters: Days or hours that were taken as independent in both windows together; None where rows were.
        rows_needed: About how many labelled rows in the recent window would settle what is unclear; None where nothing
            is, or where no number would: the baseline alone leaves too much open.
    """

    metric: str
    segment: str | None
    value: str | None
    baseline: float
    recent: float
    effect: float
    fall: float
    fall_lower: float | None
    fall_upper: float | None
    ci_lower: float | None
    ci_upper: float | None
    ci_method: str
    test: str
    statistic: float | None
    pvalue: float | None
    pvalue_adjusted: float | None
    tolerated: float
    trend: Trend
    n_baseline: int
    n_recent: int
    clusters: int | None
    rows_needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSeries:
    """One segment over time, and beside the rows that are not in it.

    Attributes:
        segment: What the rows are told apart by.
        value: Which of its values these rows have.
        points: Every period, of the first metric alone; ``n`` counts labelled rows.
        against_rest: That metric in the recent window, of this segment ("recent") against all other values of it
            ("baseline"): "fallen" where the segment surely does worse, by at least what is tolerated. None where either
            has no labelled row then.
    """

    segment: str
    value: str
    points: tuple[Point, ...]
    against_rest: Change | None

    @property
    def lags(self) -> bool:
        """Whether it surely does worse than the rest, by what matters."""
        return self.against_rest is not None and self.against_rest.trend == "fallen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential:
    """Evidence, valid however often one looks, that a share of right predictions has fallen at some moment.

    Attributes:
        segment: As of ``Change``.
        value: Likewise.
        baseline: The share of right predictions in the baseline.
        tolerated: The fall that matters.
        null: The share of wrong predictions that the baseline can have at most, at half the level; of several
            segments at a part of that half.
        log_evidence: The greatest log E so far that it is greater now.
        pvalue: Valid at every look: 1/E, and the part of the level that the baseline took.
        pvalue_adjusted: For the many segments, by Holm's method.
        since: The day from which the evidence was strongest; None where there is none.
        recent: The share of right predictions since then.
        n: Labelled rows looked at.
    """

    segment: str | None
    value: str | None
    baseline: float
    tolerated: float
    null: float
    log_evidence: float
    pvalue: float
    pvalue_adjusted: float
    since: datetime | None
    recent: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One feature, or the predictions, in the recent window against the baseline.

    Attributes:
        feature: Its name; "prediction" of the predictions.
        kind: Whether it holds numbers or text.
        n_baseline: Rows with a value, in the baseline.
        n_recent: Likewise, in the recent window.
        missing_baseline: Share of rows without one.
        missing_recent: Likewise.
        test: "Kolmogorov-Smirnov", or "chi-squared".
        statistic: D, or χ².
        pvalue: Of the same distribution; None where it cannot be asked.
        pvalue_adjusted: Over all features, by Benjamini and Hochberg.
        distance: How far apart they are, from 0 to 1: the greatest difference of the distribution functions (D), or
            the share of rows that have other values (total variation).
        error_bound: How much larger or smaller D may be, as numbers were counted in bins.
        psi: Population stability index over the baseline's deciles, or over the values.
        js: Jensen-Shannon distance (base 2) over the same bins.
        drifted: Whether the adjusted p-value is significant and the distance at least the floor.
        direction: What changed, in words: "higher", "lower", "wider", or the value that gained or lost most.
    """

    feature: str
    kind: DriftKind
    n_baseline: int
    n_recent: int
    missing_baseline: float
    missing_recent: float
    test: str
    statistic: float | None
    pvalue: float | None
    pvalue_adjusted: float | None
    distance: float | None
    error_bound: float
    psi: float | None
    js: float | None
    drifted: bool
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """A way in which the recent rows are shaped otherwise than the baseline's.

    Attributes:
        feature: Which.
        what: "gone", "new", "type", "all missing", "missing", "new values", "gone values", "range".
        text: In a sentence, with its numbers.
    """

    feature: str
    what: str
    text: str

    @property
    def told(self) -> str:
        """The sentence with the feature's name."""
        return f"'{self.feature}': {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """A period in which one version served, or predicted most.

    Attributes:
        version: Which.
        start: In UTC, within the report.
        end: Likewise; None where it still serves.
        how: "promoted", "rolled back" where a move began it; None where that is not known.
        by: Who moved it, where that is known.
    """

    version: int | None
    start: datetime
    end: datetime | None
    how: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the recent window is held against.

    Attributes:
        kind: "first" window, the days "before" the recent one, a "file", the comparison of a "promotion", or the last
            days of the "previous" version.
        name: In words, with where it comes from.
        start: In UTC; None where there is no time.
        end: Likewise.
        n: Predictions.
        labelled: Labelled rows.
        versions: Which versions predicted.
    """

    kind: BaselineKind
    name: str
    start: datetime | None
    end: datetime | None
    n: int
    labelled: int
    versions: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """Everything that watching a model showed.

    Attributes:
        task: What the model predicts; None where no row has a label.
        start: Of the report, in UTC.
        end: The moment after it.
        recent_start: Of the recent window, in UTC; it ends with the report, or a horizon before it.
        recent_end: The moment after it.
        period: Seconds of a point.
        confidence: Of intervals and tests.
        points: Every period, those without a prediction too.
        summaries: Of each metric over the periods.
        baseline: What was compared with; None where there is none.
        changes: Each metric over all rows, then by segment.
        segments: Segments over time, those of most labelled rows.
        previous: The last days of the version before, where the one that serves now began within the report; else None.
        previous_changes: Each metric over all rows in the first days of the one that serves now, against those days of
            the version before: whether that was better.
        looked_often: Whether one looks every hour, so that only evidence that allows for that is of a fall.
        sequential: That evidence; empty where it was not asked for, or where there is none.
        drift: Predictions, then features, the farthest apart first.
        schema: Ways in which rows are shaped otherwise.
        reigns: Who served when.
        n: Predictions in the report.
        failed: Of them, those that failed.
        labelled: Of them, those with a label.
        corrected: Labels that were corrected later.
        lag: Mean seconds from a prediction to its label; None where that is not known.
        coverage_recent: Share of the recent window's predictions with a label; None of an empty one.
        skipped: What was not asked, and why.
        notices: What else is to be said.
    """

    task: Task | None
    start: datetime
    end: datetime
    recent_start: datetime
    recent_end: datetime
    period: int
    confidence: float
    points: tuple[Point, ...]
    summaries: tuple[MetricSummary, ...]
    baseline: Baseline | None
    changes: tuple[Change, ...]
    segments: tuple[SegmentSeries, ...] = ()
    previous: Baseline | None = None
    previous_changes: tuple[Change, ...] = ()
    looked_often: bool = False
    sequential: tuple[Sequential, ...] = ()
    drift: tuple[Drift, ...] = ()
    schema: tuple[SchemaChange, ...] = ()
    reigns: tuple[Reign, ...] = ()
    n: int
    failed: int
    labelled: int
    corrected: int
    lag: float | None
    coverage_recent: float | None
    skipped: tuple[Skipped, ...] = ()
    notices: tuple[str, ...] = ()
