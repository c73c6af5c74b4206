"""Metrics over time and their changes, as they are written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision.health import told
from abtest.evaluator import FEW_ROWS, NOT_ESTIMABLE
from abtest.evaluator.monitored import Trend
from abtest.metrics import classification
from abtest.metrics.catalogue import in_text, title, unit
from abtest.metrics.regression import LOWER_IS_BETTER
from abtest.reporter.live import moment
from abtest.reporter.summary import Tone, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from abtest.evaluator.monitored import Change, MetricSummary, Monitored, SegmentSeries

TREND_MARKS: dict[Trend, str] = {"fallen": "▼", "held": "✓", "unclear": "?"}
_BLOCKS = "▁▂▃▄▅▆▇█"
_SPARKS = 20  # letters
_LOSSES = ("log_loss", "brier")
_MOST_NAMED = 5
_LONG = 60  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenMetric:
    """A metric over the periods, as it is printed."""

    name: str
    value: str
    mean: str
    std: str
    least: str
    most: str
    slope: str
    slope_interval: str
    periods: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenChange:
    """A metric in the recent window against the baseline, as it is printed."""

    name: str
    baseline: str
    recent: str
    effect: str
    interval: str
    pvalue: str
    tolerated: str
    trend: Trend
    word: str
    n: str
    rows_needed: str
    tone: Tone

    @property
    def mark(self) -> str:
        """The trend as a sign."""
        return TREND_MARKS[self.trend]

    @property
    def sure(self) -> bool:
        """Whether it surely got worse."""
        return self.trend == "fallen"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenGroup:
    """A segment as it is printed: its name, its rows, and a row a metric."""

    label: str
    n: str
    few: bool
    rows: tuple[WrittenChange, ...]


def between(start: datetime, end: datetime) -> str:
    """Write a period: of whole days, by the days; else to the minute."""
    if start.time() == end.time() == start.time().min:
        return f"{start:%Y-%m-%d} to {end:%Y-%m-%d} UTC"
    return f"{start:%Y-%m-%d %H:%M} to {moment(end)}"


def age(seconds: float) -> str:
    """Write about how long something took.

    Example:
        >>> age(129_600), age(21 * 86_400), age(5_000), age(3)
        ('1.5 days', '21.0 days', '1.4 hours', '3 seconds')
    """
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = f"{seconds / size:.1f}"
            return f"1 {name}" if number == "1.0" else f"{number} {name}s"
    return wording.span(round(seconds))


def volume(seen: Monitored) -> Iterator[tuple[str, str]]:
    """What was seen: predictions, labels, and how long those took."""
    yield "Predictions", wording.whole(seen.n)
    yield "Failed", _of(seen.failed, seen.n)
    yield "Labelled", _of(seen.labelled, seen.n)
    recent = f"{wording.percent(seen.coverage_recent)}"
    yield "Labelled, in the recent window", recent
    yield "From prediction to label", wording.MISSING if seen.lag is None else f"{age(seen.lag)} on average"
    if seen.corrected:
        yield "Corrected later", f"{wording.plural(seen.corrected, 'label')}; the first counts"


def _of(count: int, n: int) -> str:
    return wording.whole(count) + (f" ({wording.percent(count / n)})" if n else "")


def windows(seen: Monitored) -> str:
    """Say what was compared with what."""
    recent = f"The recent window is {between(seen.recent_start, seen.recent_end)}"
    baseline = seen.baseline
    if baseline is None:
        return f"{recent}. There is no baseline to hold it against."
    when = f", {between(baseline.start, baseline.end)}" if baseline.start and baseline.end else ""
    rows = f"{wording.plural(baseline.n, 'prediction')}, {wording.whole(baseline.labelled)} of them labelled"
    by = f"; predicted by {versions(baseline.versions)}" if baseline.versions else ""
    return f"{recent}. The baseline is {baseline.name}{when} ({rows}{by})."


def versions(found: Sequence[int | None]) -> str:
    """Name versions."""
    return " and ".join("no registered version" if it is None else f"v{it}" for it in found)


def slope_days(seen: Monitored) -> int:
    """Over how many days a trend is told: over a long report, a day's is too small to see."""
    return 30 if (seen.end - seen.start).days > _LONG else 1


def metrics(seen: Monitored) -> Iterator[WrittenMetric]:
    """Write each metric over the periods."""
    days = slope_days(seen)
    for it in seen.summaries:
        kind = unit(it.metric)
        spread = None if it.std is None else wording.effect(it.std, kind, spell_unit=False).lstrip("+")
        yield WrittenMetric(
            name=shown(title(it.metric)),
            value=wording.value(it.value, kind),
            mean=wording.value(it.mean, kind),
            std=wording.MISSING if spread is None else spread,
            least=wording.value(it.least, kind),
            most=wording.value(it.most, kind),
            slope=wording.MISSING if it.slope is None else wording.effect(days * it.slope, kind, spell_unit=False),
            slope_interval=_slope_interval(it, days),
            periods=wording.whole(it.periods),
            line=sparks(values(seen, it.metric)),
        )


def _slope_interval(it: MetricSummary, days: int) -> str:
    if it.slope_lower is None or it.slope_upper is None:
        return wording.MISSING
    return wording.interval(days * it.slope_lower, days * it.slope_upper, unit(it.metric), spell_unit=False)


def values(seen: Monitored, metric: str) -> list[float | None]:
    """Give a metric's value in each period; None where there is none."""
    return [next((it.value for it in point.metrics if it.metric == metric), None) for point in seen.points]


def sparks(found: Sequence[float | None]) -> str:
    """Draw a row of values with letters, the least at the bottom; periods without one are dots.

    Many periods share a letter, which shows their mean.

    Example:
        >>> sparks([0.0, 0.5, None, 1.0])
        '▁▅·█'
    """
    size = -(-len(found) // _SPARKS) or 1
    parts = [[it for it in found[i : i + size] if it is not None] for i in range(0, len(found), size)]
    means = [sum(part) / len(part) if part else None for part in parts]
    known = [it for it in means if it is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    return "".join("·" if it is None else _BLOCKS[int((it - low) / step + 0.5)] for it in means)


def greater_is_better(metric: str, changes: Sequence[Change]) -> bool:
    """Whether more of a metric is better: a change that is worse shows it, also of a metric of the user's own."""
    shown_by = next((it for it in changes if it.metric == metric and it.fall * it.effect), None)
    if metric != "bias" and shown_by is not None:
        return shown_by.fall * shown_by.effect < 0
    if metric in classification.CATALOGUE:
        return classification.CATALOGUE[metric].greater_is_better
    return metric not in _LOSSES and not LOWER_IS_BETTER.get(metric, False)  # type: ignore[call-overload] # any name


def write_change(it: Change) -> WrittenChange:
    """Write a change."""
    kind = unit(it.metric)
    known = it.ci_lower is not None and it.ci_upper is not None
    grown = it.trend == "fallen" and it.effect > 0  # an error
    return WrittenChange(
        name=shown(title(it.metric)),
        baseline=wording.value(it.baseline, kind),
        recent=wording.value(it.recent, kind),
        effect=wording.effect(it.effect, kind, spell_unit=False),
        interval=wording.interval(it.ci_lower, it.ci_upper, kind, spell_unit=False) if known else NOT_ESTIMABLE,  # type: ignore[arg-type] # known
        pvalue=wording.pvalue(it.pvalue_adjusted).removeprefix("p = ").removeprefix("p "),
        tolerated=wording.effect(it.tolerated, kind, spell_unit=False).lstrip("+"),
        trend=it.trend,
        word="grown" if grown else it.trend,
        n=wording.whole(it.n_recent),
        rows_needed=wording.MISSING if it.rows_needed is None else wording.whole(it.rows_needed),
        tone="worse" if it.trend == "fallen" else "same",
    )


def by_segment(seen: Monitored) -> list[list[Change]]:
    """Each segment's changes, the worst first: what has fallen before all others, then by the fall as tolerated."""

    def rank(rows: Sequence[Change]) -> tuple[bool, bool, float]:
        worst = max(rows, key=_severity)
        return worst.trend != "fallen", rows[0].n_recent < FEW_ROWS, -_severity(worst)[1]

    found = [it for it in seen.changes if it.segment is not None]
    found.sort(key=lambda it: (str(it.segment), str(it.value)))
    grouped = [list(rows) for _, rows in groupby(found, key=lambda it: (it.segment, it.value))]
    return sorted(grouped, key=rank)


def _severity(it: Change) -> tuple[bool, float]:
    """How bad a change is: a fall that is sure first, then in multiples of what is tolerated."""
    return it.trend == "fallen", it.fall / it.tolerated if it.tolerated else it.fall


def label(it: Change) -> str:
    """Name the rows that a change is about."""
    return "all rows" if it.segment is None else f"{shown(it.segment)} = {shown(it.value or '')}"


def groups(seen: Monitored) -> tuple[WrittenGroup, ...]:
    """Write each segment, the worst first."""
    return tuple(
        WrittenGroup(
            label=label(rows[0]),
            n=wording.whole(rows[0].n_recent),
            few=rows[0].n_recent < FEW_ROWS,
            rows=tuple(write_change(it) for it in rows),
        )
        for rows in by_segment(seen)
    )


def fallen(seen: Monitored) -> list[str]:
    """Name the segments that surely got worse, each by its worst metric."""
    worst = [max(rows, key=_severity) for rows in by_segment(seen)]
    return [told(it) for it in worst if it.trend == "fallen"]


def weakest(seen: Monitored) -> list[str]:
    """Name the segments that surely do worse than the rest of the rows, by what matters, the worst first."""
    found = []
    for it in by_lag(seen)[:_MOST_NAMED]:
        row = it.against_rest
        if row is None or not it.lags:
            continue
        kind = unit(row.metric)
        found.append(
            f"{wording.capitalised(in_text(row.metric))} of {label(row)} is {wording.value(row.recent, kind)} now, of "
            f"all other rows {wording.value(row.baseline, kind)}: it lags by {wording.size(row.fall, kind)} "
            f"({wording.pvalue(row.pvalue_adjusted)} adjusted)."
        )
    return found


def by_lag(seen: Monitored) -> list[SegmentSeries]:
    """Segments over time: those that lag first, then by how far they are behind; those that cannot be held last."""

    def rank(it: SegmentSeries) -> tuple[bool, bool, float]:
        return not it.lags, it.against_rest is None, 0.0 if it.against_rest is None else -it.against_rest.fall

    return sorted(seen.segments, key=rank)
