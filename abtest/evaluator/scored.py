"""What the metrics that take scores add to an evaluation; where there are no scores, why they are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abtest.evaluator import scores as by_scores
from abtest.evaluator.rows import MetricRow, Skipped
from abtest.labels import Label
from abtest.metrics.catalogue import SCORES
from abtest.scores import ScoreReading

if TYPE_CHECKING:
    from abtest.evaluator.table import Plan
    from abtest.scores import PairedScores


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRows:
    """Rows of the metrics that take scores: over all rows, by class and by segment."""

    metrics: Sequence[MetricRow] = ()
    classes: Mapping[Label, Sequence[MetricRow]] = field(default_factory=dict)
    segments: Mapping[tuple[str, str], Sequence[MetricRow]] = field(default_factory=dict)
    skipped: Sequence[Skipped] = ()
    reading: ScoreReading | None = None


def score_rows(
    scores: PairedScores | None, plan: Plan, unscored: tuple[str, ...], *, in_units: bool = False
) -> ScoreRows:
    """Compute what the policy asks of scores; nothing where rows come in units, of which these tests know nothing."""
    names = [name for name in plan.policy.metrics if name in SCORES]
    if not names:
        return ScoreRows()
    if in_units:
        why = "rows come in units, and its test takes them for independent."
        return ScoreRows(skipped=[Skipped(what=name, why=why) for name in names])
    if scores is None:
        why = " ".join(unscored) or "predictions alone have no probabilities."
        return ScoreRows(skipped=[Skipped(what=name, why=why) for name in names])
    metrics, skipped = by_scores.whole_rows(scores, plan, names)
    by_class: dict[Label, list[MetricRow]] = {}
    for rows in by_scores.class_rows(scores, plan, names).values():
        for label, row in rows.items():
            by_class.setdefault(label, []).append(row)
    return ScoreRows(
        metrics=metrics,
        classes=by_class,
        segments=by_scores.segment_rows(scores, plan, names),
        skipped=skipped,
        # Without --pos-label the greater of two labels is the positive one, as for precision and recall.
        reading=by_scores.reading(scores, None if plan.positive is None else plan.labels[plan.positive]),
    )
