"""What figures and tables lay out, counted beforehand: neither of them computes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.errors import NotApplicableError
from abtest.evaluator import FEW_ROWS, NOT_ESTIMABLE
from abtest.metrics.catalogue import title, unit
from abtest.reporter.summary import Tone, Toned, segments_of, shown, tone_of, write_row
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator import MetricRow
    from abtest.labels import Label
    from abtest.metrics.residuals import ErrorBand
    from abtest.outcomes import Contingency, PairedOutcomes
    from abtest.record import ComparisonRecord
    from abtest.stats.mcnemar import McNemar

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

MOST_MISTAKES = 20
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrices:
    """Both confusion matrices over ``labels``, truth by row, and what tells them apart.

    Attributes:
        labels: As they are shown.
        champion: Rows in each cell.
        challenger: Likewise.
        champion_shares: The same as shares of all rows of that truth.
        challenger_shares: Likewise.
        paired: Whether both sides were asked about the same rows; of two arms, only shares can be compared.
        difference: Challenger − champion, in rows; of two arms, of the shares, in points.
        depth: Its size in each cell, as a share of the largest.
        gains: Cells where the difference is for the better: more on the diagonal, fewer off it.
        losses: Cells where it is for the worse.
    """

    labels: tuple[str, ...]
    champion: Ints
    challenger: Ints
    champion_shares: Floats
    challenger_shares: Floats
    paired: bool
    difference: Floats
    depth: Floats
    gains: Bools
    losses: Bools


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Rows of one class taken for another, by each side.

    Attributes:
        truth: The class, as it is shown.
        predicted: What it was taken for.
        champion: How many rows, by the champion.
        challenger: By the challenger.
        n: Rows of that truth; of two arms, of the champion's.
        n_challenger: Of the challenger's; None where both were asked about the same rows.
    """

    truth: str
    predicted: str
    champion: int
    challenger: int
    n: int
    n_challenger: int | None = None

    @property
    def rates(self) -> tuple[float, float]:
        """The same as shares of the rows of that truth."""
        rows = self.n if self.n_challenger is None else self.n_challenger
        return self.champion / max(1, self.n), self.challenger / max(1, rows)

    @property
    def texts(self) -> tuple[str, str]:
        """How many, by either side, as it is written: of two arms with their shares, which alone can be compared."""
        counts = self.champion, self.challenger
        if self.n_challenger is None:
            return wording.whole(counts[0]), wording.whole(counts[1])
        written = [f"{wording.whole(n)} ({wording.percent(rate)})" for n, rate in zip(counts, self.rates, strict=True)]
        return written[0], written[1]

    @property
    def change(self) -> str:
        """Challenger − champion, as it is written: in rows, or of two arms in points."""
        if self.n_challenger is None:
            return wording.signed(self.challenger - self.champion, 0)
        return wording.points(self.rates[1] - self.rates[0])

    @property
    def of(self) -> str:
        """Rows of that truth, as they are written."""
        of_challenger = "" if self.n_challenger is None else f" and {wording.whole(self.n_challenger)}"
        return wording.whole(self.n) + of_challenger

    @property
    def tone(self) -> Tone:
        """Fewer mistakes are better."""
        champion, challenger = self.rates
        if champion == challenger:
            return "same"
        return "better" if challenger < champion else "worse"


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


def matrices(record: ComparisonRecord) -> Matrices:
    """Lay out both confusion matrices; with hundreds of classes they are large.

    Raises:
        NotApplicableError: It is a regression, or there are too many classes.
    """
    labels, champion, challenger = _tables(record)
    paired, shares = record.outcomes is not None, (_shares(champion), _shares(challenger))
    difference = (challenger - champion).astype(np.float64) if paired else 100 * (shares[1] - shares[0])
    signed = np.where(np.eye(len(champion), dtype=np.bool_), difference, -difference)
    return Matrices(
        labels=tuple(shown(label) for label in labels),
        champion=champion,
        challenger=challenger,
        champion_shares=shares[0],
        challenger_shares=shares[1],
        paired=paired,
        difference=difference,
        depth=np.abs(difference) / max(1.0, float(np.abs(difference).max())),
        gains=signed > 0,
        losses=signed < 0,
    )


def mistakes(record: ComparisonRecord) -> list[Mistake]:
    """List every pair of truth and wrong prediction, the most frequent first; none of a regression."""
    if record.outcomes is None and record.confusion is None:
        return []
    counted = _paired_mistakes(record.outcomes) if record.outcomes is not None else _mistakes_of_arms(record)
    return sorted(counted, key=lambda it: (-max(it.champion, it.challenger), -abs(it.champion - it.challenger)))


def _paired_mistakes(outcomes: PairedOutcomes) -> list[Mistake]:
    by_champion: Counter[tuple[int, int]] = Counter()
    by_challenger: Counter[tuple[int, int]] = Counter()
    for truth, champion, challenger, count in outcomes.cells.tolist():
        by_champion[truth, champion] += count
        by_challenger[truth, challenger] += count
    labels, support = outcomes.labels, outcomes.truth_support.tolist()
    return [
        Mistake(
            truth=shown(labels[pair[0]]),
            predicted=shown(labels[pair[1]]),
            champion=by_champion[pair],
            challenger=by_challenger[pair],
            n=support[pair[0]],
        )
        for pair in sorted({*by_champion, *by_challenger})
        if pair[0] != pair[1]
    ]


def _mistakes_of_arms(record: ComparisonRecord) -> list[Mistake]:
    labels, champion, challenger = _tables(record)
    names, rows = [shown(label) for label in labels], [champion.sum(axis=1).tolist(), challenger.sum(axis=1).tolist()]
    return [
        Mistake(
            truth=names[i],
            predicted=names[j],
            champion=int(champion[i, j]),
            challenger=int(challenger[i, j]),
            n=rows[0][i],
            n_challenger=rows[1][i],
        )
        for i, j in np.argwhere(champion + challenger).tolist()
        if i != j
    ]


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


def _tables(record: ComparisonRecord) -> tuple[Sequence[Label], Ints, Ints]:
    """Labels, and both confusion matrices: of the same rows, or of two arms."""
    outcomes, confusion = record.outcomes, record.confusion
    if outcomes is not None:
        return outcomes.labels, outcomes.confusion("champion"), outcomes.confusion("challenger")
    if confusion is None:
        raise NotApplicableError("There are no confusion matrices of a regression, nor of very many classes.")
    champion, challenger = np.array(confusion.champion, dtype=np.int64), np.array(confusion.challenger, dtype=np.int64)
    return confusion.labels, champion, challenger


def _shares(counts: Ints) -> Floats:
    """Counts as shares of all rows of that truth."""
    shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


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
