"""What figures and tables lay out, counted beforehand: neither of them computes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import NotApplicableError
from abtest.evaluator import FEW_ROWS, NOT_ESTIMABLE
from abtest.metrics.catalogue import title, unit
from abtest.reporter.summary import Tone, Toned, segments_of, shown, tone_of, write_row
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator import MetricRow
    from abtest.metrics.residuals import ErrorBand
    from abtest.outcomes import Contingency
    from abtest.record import ComparisonRecord
    from abtest.stats.mcnemar import McNemar

MOST_CLASSES_DRAWN = 24
_NEAR_ZERO = ("bias", "r2")
_SORTED_BY = ("f1", "recall", "precision")  # of the metrics a class has, the first of these ranks it


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect to draw: in the unit of its axis, with its interval, and as it is written."""

    value: float | None
    lower: float | None
    upper: float | None
    text: str
    tone: Tone
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricView:
    """One metric of both sides in percent, with its effect in points and in percent of the champion's value.

    ``likely`` is the effect's interval laid at the champion's value, cut to what a metric can be.
    """

    name: str
    champion: float
    challenger: float
    likely: tuple[float, float] | None
    champion_text: str
    challenger_text: str
    points: Effect
    percent: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A class or a segment with its effects by metric: of shares, in points."""

    label: str
    n: int
    few: bool
    rank: float
    ranked_by: str
    effects: dict[str, Effect]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandView(Toned):
    """Rows whose truth lies in one range, as they are printed: the mean absolute error of both sides on them."""

    range: str
    n: str
    champion: str
    challenger: str
    effect: str
    interval: str
    pvalue: str
    tone: Tone
    sure: bool


def metric_views(record: ComparisonRecord, *, shares_only: bool = False) -> list[MetricView]:
    """Lay out the metrics, or those that are shares of 1, the largest gain first."""
    kept = [row for row in record.metrics if not shares_only or unit(row.metric) == "share"]
    rows = sorted(kept, key=lambda row: -row.improvement)
    return [_metric_view(row, record.settings.policy.alpha) for row in rows]


def change_views(record: ComparisonRecord) -> list[MetricView]:
    """Lay out the metrics whose change in percent means something, the largest first: a bias or R² may be near 0."""
    rows = [row for row in record.metrics if row.metric not in _NEAR_ZERO]
    found = [_metric_view(row, record.settings.policy.alpha) for row in rows]
    return sorted(found, key=lambda view: -(view.percent.value or 0))


def class_views(record: ComparisonRecord) -> list[GroupView]:
    """Lay out the classes of the truth, the worst first; a label that is only ever predicted has no effect to show."""
    grouped = [list(rows) for _, rows in groupby(record.per_class, key=lambda row: (type(row.class_), row.class_))]
    views = [_group_view(shown(rows[0].class_), rows, _SORTED_BY, record) for rows in grouped if rows[0].n]
    return sorted((view for view in views if view.effects), key=lambda view: view.rank)


def segment_views(record: ComparisonRecord) -> list[GroupView]:
    """Lay out the segments, the worst first; a value says it all where columns are crossed or there is one kind."""
    primary, found = (record.settings.policy.primary,), segments_of(record)
    alone = len({rows[0].segment for rows in found}) == 1
    views = []
    for rows in found:
        name, value = shown(rows[0].segment), shown(rows[0].value)
        label = value if alone or "*" in name else f"{name} = {value}"
        views.append(_group_view(label, rows, primary, record))
    return views


def whole_view(record: ComparisonRecord) -> GroupView:
    """Lay out all rows as one group, to stand above its segments."""
    return _group_view("all rows", record.metrics, (record.settings.policy.primary,), record)


def ends(classes: Sequence[GroupView]) -> tuple[Sequence[GroupView], Sequence[GroupView], int]:
    """Split sorted classes into the worst and the best that fit in a figure, and count those between."""
    if len(classes) <= MOST_CLASSES_DRAWN:
        return classes, (), 0
    half = MOST_CLASSES_DRAWN // 2
    return classes[:half], classes[-half:], len(classes) - 2 * half


def contingency(record: ComparisonRecord) -> Contingency:
    """Who is right where.

    Raises:
        NotApplicableError: It is a regression, or a split.
    """
    if record.contingency is None:
        raise NotApplicableError("There is no contingency of a regression, nor of two arms.")
    return record.contingency


def accuracy_test(record: ComparisonRecord) -> McNemar:
    """McNemar's test of equal accuracy.

    Raises:
        NotApplicableError: It is a regression, or live traffic with a test that is valid at every look.
    """
    if record.mcnemar is None:
        raise NotApplicableError("Accuracy was not tested by McNemar's test.")
    return record.mcnemar


def pair_test(record: ComparisonRecord) -> str:
    """Say what the test of equal accuracy on the same rows found; nothing where there is none."""
    if record.mcnemar is not None:
        return f"{wording.capitalised(record.mcnemar.name)}: {wording.pvalue(record.mcnemar.pvalue)}"
    if record.live is None or record.live.pvalue is None:
        return ""
    return f"The {record.live.test}: {wording.pvalue(record.live.pvalue)}"


def band_views(record: ComparisonRecord) -> list[BandView]:
    """Write the bands of the truth of a regression; none of a classification."""
    if record.errors is None:
        return []
    return [_band_view(band, record.settings.policy.alpha) for band in record.errors.bands]


def _band_view(band: ErrorBand, alpha: float) -> BandView:
    worse = band.effect > 0
    known = band.ci_lower is not None and band.ci_upper is not None
    return BandView(
        range=band_range(band),
        n=wording.whole(band.n),
        champion=wording.value(band.champion, "number"),
        challenger=wording.value(band.challenger, "number"),
        effect=wording.effect(band.effect, "number"),
        interval=wording.interval(band.ci_lower, band.ci_upper, "number") if known else NOT_ESTIMABLE,  # type: ignore[arg-type] # known
        pvalue=wording.pvalue(band.pvalue).removeprefix("p = ").removeprefix("p "),
        tone="same" if abs(band.effect) <= NOISE else "worse" if worse else "better",
        sure=band.pvalue is not None and band.pvalue < alpha,
    )


def band_range(band: ErrorBand) -> str:
    """Write where the truth of a band lies."""
    if band.lower is None and band.upper is None:
        return "every truth"
    if band.lower is None or band.upper is None:
        at = wording.value(band.upper if band.lower is None else band.lower, "number")
        return f"below {at}" if band.lower is None else f"{at} and above"
    return f"{wording.value(band.lower, 'number')} to below {wording.value(band.upper, 'number')}"


def _metric_view(row: MetricRow, alpha: float) -> MetricView:
    written = write_row(row, title(row.metric), alpha)
    change = 100 * row.rel_effect if row.rel_effect is not None else None
    return MetricView(
        name=written.name,
        champion=100 * row.champion,
        challenger=100 * row.challenger,
        likely=_likely(row),
        champion_text=written.champion,
        challenger_text=written.challenger,
        points=_effect(row, alpha),
        percent=Effect(
            value=change,
            lower=None if row.ci_lower is None or change is None else 100 * row.ci_lower / row.champion,
            upper=None if row.ci_upper is None or change is None else 100 * row.ci_upper / row.champion,
            text=written.relative,
            tone=written.tone,
            sure=written.sure,
        ),
    )


def _likely(row: MetricRow) -> tuple[float, float] | None:
    if row.ci_lower is None or row.ci_upper is None:
        return None
    return 100 * max(0.0, row.champion + row.ci_lower), 100 * min(1.0, row.champion + row.ci_upper)


def _group_view(label: str, rows: Sequence[MetricRow], sorted_by: Sequence[str], record: ComparisonRecord) -> GroupView:
    is_drawn = [unit(row.metric) == "share" or record.task == "regression" for row in rows]
    by_metric = {row.metric: row for row, drawn in zip(rows, is_drawn, strict=True) if drawn}
    ranked = next((by_metric[name] for name in sorted_by if name in by_metric), rows[0])
    alpha = record.settings.policy.alpha
    return GroupView(
        label=label,
        n=rows[0].n,
        few=rows[0].n < FEW_ROWS,
        rank=ranked.improvement,
        ranked_by=title(ranked.metric),
        effects={title(row.metric): _effect(row, alpha) for row in by_metric.values()},
    )


def _effect(row: MetricRow, alpha: float) -> Effect:
    kind = unit(row.metric)
    factor = 100 if kind == "share" else 1
    return Effect(
        value=factor * row.effect,
        lower=None if row.ci_lower is None else factor * row.ci_lower,
        upper=None if row.ci_upper is None else factor * row.ci_upper,
        text=wording.effect(row.effect, kind, spell_unit=False),
        tone=tone_of(row),
        sure=row.is_sure(alpha),
    )
