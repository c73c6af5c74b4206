"""Paired scores in, rows out: areas by DeLong's test, average precision resampled, losses by the paired t test."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.evaluator.rows import NOT_ESTIMABLE, MetricRow, Skipped
from abtest.evaluator.table import adjusted
from abtest.labels import SIDES, Label
from abtest.metrics.classification import Metric
from abtest.metrics.probability import average_precision
from abtest.scores import Curve, Floats, ReliabilityBin, ScoreReading, SideReading
from abtest.stats.calibration import calibration
from abtest.stats.delong import DeLong, delong
from abtest.stats.histograms import BinnedDeLong, binned_delong
from abtest.stats.moments import paired_t
from abtest.stats.precision import precision_pulls, pulled
from abtest.stats.ranks import Ranking, macro_areas, precision_recall_points, roc_points, thinned
from abtest.stats.resampling import bootstrap_pvalue, multinomial_draws, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from abtest.evaluator.table import Plan
    from abtest.labels import Side
    from abtest.scores import PairedScores
    from abtest.stats.placements import Flags
    from abtest.stats.proportions import Interval

SCORE_METRICS: tuple[Metric, ...] = (
    Metric(name="roc_auc"),
    Metric(name="average_precision"),
    Metric(name="log_loss", greater_is_better=False),
    Metric(name="brier", greater_is_better=False),
)
NAMES = tuple(metric.name for metric in SCORE_METRICS)
EVERY_CLASS = "every class against the rest"
BINNED, PULLED = "delong in bins", "infinitesimal jackknife"  # tests of areas and of average precision of many rows

_BY_NAME = {metric.name: metric for metric in SCORE_METRICS}
_MOST_RANKED = 20_000_000  # scores gone through by resamples: about a second
_FEWEST_RESAMPLES, _FEW_RESAMPLES = 200, 2_000
_FEWEST_POSITIVES = 100  # of a class, for its average precision to be about normal
_GRID = np.linspace(0, 1, 101)
_NOT_KEPT = "The rows' scores do not fit in memory."


def whole_rows(
    scores: PairedScores, plan: Plan, names: Collection[str]
) -> tuple[tuple[MetricRow, ...], tuple[Skipped, ...]]:
    """One row for each metric named, over all rows; and what could not be computed, or not as asked.

    With two classes areas are those of the positive one: the plan's, else the last column. With more they are averages
    of each class of the truth against the rest.

    Args:
        scores: Of both sides.
        plan: Names the confidence, the resamples and their seed, and the positive label.
        names: What is asked for, in this order; those that are not in ``NAMES`` are nothing to this function.
    """
    rows: list[MetricRow] = []
    skipped: list[Skipped] = []
    for name in names:
        try:
            if name == "roc_auc":
                rows.append(_area_row(scores, plan, skipped))
            elif name == "average_precision":
                rows.append(_precision_row(scores, plan, skipped))
            elif name in _BY_NAME:
                rows.append(_loss_row(_BY_NAME[name], scores, plan))
        except NotApplicableError as error:
            skipped.append(Skipped(what=name, why=error.message))
    return tuple(rows), tuple(skipped)


def class_rows(scores: PairedScores, plan: Plan, names: Collection[str]) -> dict[str, dict[Label, MetricRow]]:
    """By metric, a row for each class of the truth against the rest; p-values are adjusted over the classes (Holm).

    ``n`` counts the rows of the class. Losses have no classes; a class whose area cannot be asked has no row.
    """
    present = _present(scores)
    found: dict[str, dict[Label, MetricRow]] = {}
    if "roc_auc" in names:
        areas = {scores.classes[k]: row for k, n in present.items() if (row := _class_area(scores, plan, k, n))}
        found["roc_auc"] = dict(zip(areas, adjusted(list(areas.values())), strict=True))
    if "average_precision" in names and scores.are_kept and len(present) > 1:
        rows, _ = _precision_rows(scores, plan, [[k] for k in present], [*present.values()])
        found["average_precision"] = dict(zip((scores.classes[k] for k in present), adjusted(rows), strict=True))
    return found


def segment_rows(
    scores: PairedScores, plan: Plan, names: Collection[str]
) -> dict[tuple[str, str], tuple[MetricRow, ...]]:
    """By segment, the rows of its rows alone: without what cannot be asked there, and not adjusted for being many."""
    return {key: whole_rows(segment, plan, names)[0] for key, segment in scores.segments.items()}


def reading(scores: PairedScores, positive_label: Label | None = None) -> ScoreReading | None:
    """Trace both sides' curves; None where rows were not kept, or are of one class.

    Args:
        scores: Of both sides.
        positive_label: With two classes, which one the curves are of; the last column by default.

    Raises:
        InvalidInputError: The positive label is not one of the two classes.
    """
    present = _present(scores)
    if not scores.are_kept or len(present) < 2:
        return None
    if len(scores.classes) > 2:
        columns, about = list(present), EVERY_CLASS
    else:
        k = _positive(scores, positive_label)
        columns, about = [k], str(scores.classes[k])
    return ScoreReading(
        kind=scores.kind,
        about=about,
        n=scores.n,
        base_rate=sum(present[k] for k in columns) / len(columns) / scores.n,
        champion=_side_reading(scores, "champion", columns),
        challenger=_side_reading(scores, "challenger", columns),
    )


def _present(scores: PairedScores) -> dict[int, int]:
    """The classes of the truth by their columns, with their rows."""
    if scores.are_kept:
        counts = np.bincount(scores.truth, minlength=len(scores.classes)).tolist()
    else:
        counts = [int(histogram.positives.sum()) for histogram in scores.histograms]
    return {k: n for k, n in enumerate(counts) if n}


def _columns(scores: PairedScores, plan: Plan) -> list[int]:
    """The columns that areas are of."""
    if len(scores.classes) != 2:
        return list(_present(scores))
    return [_positive(scores, None if plan.positive is None else plan.labels[plan.positive])]


def _positive(scores: PairedScores, label: Label | None) -> int:
    """The column of the positive one of two classes; the last unless it is named."""
    if label is None:
        return 1
    if label not in scores.classes:
        raise InvalidInputError(f"pos_label must be one of {', '.join(map(repr, scores.classes))}, got {label!r}.")
    return scores.classes.index(label)


def _area_row(scores: PairedScores, plan: Plan, skipped: list[Skipped]) -> MetricRow:
    columns = _columns(scores, plan)
    if not scores.are_kept:
        test = _binned(scores, columns, plan)
        why = f"{_NOT_KEPT} Areas are counted in bins: the effect is within {test.error_bound:.2g} of the exact one."
        skipped.append(Skipped(what="exact roc_auc", why=f"{why} Its test and interval allow for that."))
        return _tested_area(test, scores.n, by=BINNED)
    if len(columns) == 1:
        return _tested_area(_delong(scores, columns[0], plan), scores.n)
    sides, level = (scores.side("champion"), scores.side("challenger")), plan.policy.confidence
    return _tested_area(macro_areas(scores.truth, *sides, scores.classes, confidence_level=level), scores.n)


def _class_area(scores: PairedScores, plan: Plan, k: int, n: int) -> MetricRow | None:
    try:
        if not scores.are_kept:
            return _tested_area(_binned(scores, [k], plan), n, by=BINNED)
        return _tested_area(_delong(scores, k, plan), n)
    except NotApplicableError:
        return None


def _delong(scores: PairedScores, k: int, plan: Plan) -> DeLong:
    sides = (scores.column(side, k) for side in SIDES)
    return delong(scores.truth == k, *sides, confidence_level=plan.policy.confidence)


def _binned(scores: PairedScores, columns: Sequence[int], plan: Plan) -> BinnedDeLong:
    if not scores.histograms:
        raise NotApplicableError(_NOT_KEPT)
    return binned_delong([scores.histograms[k] for k in columns], confidence_level=plan.policy.confidence)


def _tested_area(test: DeLong | BinnedDeLong, n: int, *, by: str = "delong") -> MetricRow:
    values = test.champion, test.challenger
    found = test.statistic, test.pvalue
    return _row(_BY_NAME["roc_auc"], values, test.effect, n, interval=test.interval, by=by, tested=found)


def _precision_row(scores: PairedScores, plan: Plan, skipped: list[Skipped]) -> MetricRow:
    if not scores.are_kept:
        raise NotApplicableError(_NOT_KEPT)
    if len(present := _present(scores)) < 2:
        raise NotApplicableError(f"Average precision needs rows of 2 classes, got {len(present)}.")
    (row,), drawn = _precision_rows(scores, plan, [_columns(scores, plan)], [scores.n])
    if drawn < plan.resamples:
        why = f"{drawn:,} were drawn: {wording.plural(scores.n, 'row')} take long to rank again."
        skipped.append(Skipped(what=f"{plan.resamples:,} resamples of average_precision", why=why))
    return row


def _precision_rows(
    scores: PairedScores, plan: Plan, groups: Sequence[Sequence[int]], counts: Sequence[int]
) -> tuple[list[MetricRow], int]:
    """A row for each group of classes, of their average precisions' mean; and how often rows were resampled.

    Where there is time for few resamples only, the spread comes from the rows' pulls instead.
    """
    many = _resamples(scores, plan, scores.n) < min(plan.resamples, _FEW_RESAMPLES)
    if many and min(_present(scores).values()) >= _FEWEST_POSITIVES:
        return [_pulled_row(scores, plan, group, n) for group, n in zip(groups, counts, strict=True)], plan.resamples
    columns = sorted({k for group in groups for k in group})
    values = [[average_precision(scores.truth == k, scores.column(side, k)) for k in columns] for side in SIDES]
    effects = _precision_effects(scores, plan, columns)
    rows = []
    for group, n in zip(groups, counts, strict=True):
        at = [columns.index(k) for k in group]
        first, second = (sum(side[i] for i in at) / len(at) for side in values)
        rows.append(_resampled((first, second), n, effects[:, at].mean(axis=1), plan))
    return rows, len(effects)


def _pulled_row(scores: PairedScores, plan: Plan, group: Sequence[int], n: int) -> MetricRow:
    found = [[precision_pulls(scores.truth == k, scores.column(side, k)) for side in SIDES] for k in group]
    first, second = (sum(sides[i][0] for sides in found) / len(found) for i in (0, 1))
    apart = np.mean([challenger - champion for (_, champion), (_, challenger) in found], axis=0)
    test = pulled(second - first, apart, confidence_level=plan.policy.confidence)
    metric, by = _BY_NAME["average_precision"], PULLED
    told = test.statistic, test.pvalue
    return _row(metric, (first, second), second - first, n, interval=test.interval, by=by, tested=told)


def _resamples(scores: PairedScores, plan: Plan, rows: int) -> int:
    """How often there is time to rank so many rows anew."""
    return min(plan.resamples, max(_FEWEST_RESAMPLES, _MOST_RANKED // max(rows * len(_present(scores)), 1)))


def _precision_effects(scores: PairedScores, plan: Plan, columns: Sequence[int]) -> Floats:
    """Resampled effects of the average precisions of some classes, shape (draws, columns)."""
    table, sign = _sorted_table(scores)
    truth, counts = table[:, 0], table[:, -1].astype(np.int64)
    sides = np.split(table[:, 1:-1], 2, axis=1)
    rankings = [[Ranking.of(truth == k, side[:, k]) for k in columns] for side in sides]
    resamples = _resamples(scores, plan, len(table))
    chunks = [
        np.column_stack(
            [
                challenger.average_precision(weights) - champion.average_precision(weights)
                for champion, challenger in zip(*rankings, strict=True)
            ]
        )
        for weights in multinomial_draws(counts, resamples=resamples, rng=np.random.default_rng(plan.seed))
    ]
    return sign * np.concatenate(chunks) + 0.0  # not -0.0


def _sorted_table(scores: PairedScores) -> tuple[Floats, float]:
    """Count rows that are alike, and sort them: truth, both sides' scores and the count, shape (distinct rows, …).

    Of the two orientations the one that sorts first is taken, with the sign of its effect: so neither the order of the
    rows nor which side is called champion changes what is drawn.
    """
    one, other = (_counted(scores.truth, *sides) for sides in permutations(scores.side(side) for side in SIDES))
    differing = np.flatnonzero(one.ravel() != other.ravel())
    turned = differing.size > 0 and other.ravel()[differing[0]] < one.ravel()[differing[0]]
    return (other, -1.0) if turned else (one, 1.0)


def _counted(truth: npt.NDArray[np.integer[Any]], first: Floats, second: Floats) -> Floats:
    rows = np.column_stack([truth, first, second])
    rows = rows[np.lexsort(rows.T[::-1])]
    starts = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
    return np.column_stack([rows[starts], np.diff(np.r_[starts, len(rows)])])


def _resampled(values: tuple[float, float], n: int, effects: Floats, plan: Plan) -> MetricRow:
    interval = percentile_interval(effects, confidence_level=plan.policy.confidence)
    metric, effect = _BY_NAME["average_precision"], values[1] - values[0]
    found = None, bootstrap_pvalue(effects)
    return _row(metric, values, effect, n, interval=interval, by="bootstrap percentile", tested=found)


def _loss_row(metric: Metric, scores: PairedScores, plan: Plan) -> MetricRow:
    if scores.kind == "score" or metric.name not in scores.losses:
        raise NotApplicableError("a side ranks the rows and gives no probabilities.")
    moments = scores.losses[metric.name]
    values = moments.champion.mean, moments.challenger.mean
    try:
        test = paired_t(moments, confidence_level=plan.policy.confidence)
    except NotApplicableError:
        if not moments.n:
            raise
        return _row(metric, values, moments.effect, moments.n)  # the same in every row: nothing to judge it by
    found = test.statistic, test.pvalue
    return _row(metric, values, test.effect, moments.n, interval=test.interval, by="paired t", tested=found)


_TESTS = {"bootstrap percentile": "paired bootstrap"}  # others are named as their intervals


def _row(
    metric: Metric,
    values: tuple[float, float],
    effect: float,
    n: int,
    *,
    interval: Interval | None = None,
    by: str = NOT_ESTIMABLE,
    tested: tuple[float | None, float] | None = None,
) -> MetricRow:
    return MetricRow(
        metric=metric.name,
        champion=values[0],
        challenger=values[1],
        effect=effect,
        rel_effect=effect / values[0] if values[0] else None,
        improvement=effect if metric.greater_is_better else 0.0 - effect,  # not -0.0
        greater_is_better=metric.greater_is_better,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=by if interval else NOT_ESTIMABLE,
        test=_TESTS.get(by, by) if tested else "none",
        statistic=tested[0] if tested else None,
        pvalue=tested[1] if tested else None,
        pvalue_adjusted=None,
        n=n,
    )


def _side_reading(scores: PairedScores, side: Side, columns: Sequence[int]) -> SideReading:
    found = [(scores.truth == k, scores.column(side, k)) for k in columns]
    rocs, precisions = [roc_points(*one) for one in found], [precision_recall_points(*one) for one in found]
    if len(columns) > 1:  # vertical averages; the way up at 0 is kept
        rate = np.mean([np.interp(_GRID, *points) for points in rocs], axis=0)
        roc = np.r_[0.0, _GRID], np.r_[0.0, rate]
        precision = _GRID, np.mean([y[np.searchsorted(x, _GRID)] for x, y in precisions], axis=0)
    else:
        roc, precision = thinned(*rocs[0]), thinned(*precisions[0])
    reliability: tuple[ReliabilityBin, ...] = ()
    ece = None
    if scores.kind == "probability":
        measured = calibration(*(found[0] if len(columns) == 1 else _most_probable(scores, side)))
        bins = zip(measured.predicted.tolist(), measured.observed.tolist(), measured.counts.tolist(), strict=True)
        reliability = tuple(ReliabilityBin(predicted=p, observed=o, n=n) for p, o, n in bins)
        ece = measured.ece
    return SideReading(roc=_curve(*roc), precision_recall=_curve(*precision), reliability=reliability, ece=ece)


def _most_probable(scores: PairedScores, side: Side) -> tuple[Flags, Floats]:
    """Whether the most probable class was the truth, and its probability."""
    matrix = scores.side(side)
    return matrix.argmax(axis=1) == scores.truth, matrix.max(axis=1)


def _curve(x: Floats, y: Floats) -> Curve:
    return Curve(x=tuple(x.tolist()), y=tuple(y.tolist()))
