"""Paired outcomes in, evaluation out: every metric, effect, interval and test of a comparison."""

from __future__ import annotations

import math
import os
from dataclasses import fields
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.evaluator.bayes import posterior_of_classes
from abtest.evaluator.decisive import decisive_pvalue
from abtest.evaluator.power import PowerReading, power_reading
from abtest.evaluator.regression import evaluate_errors
from abtest.evaluator.rows import (
    FEW_ROWS,
    NOT_ESTIMABLE,
    BothSides,
    ClassRow,
    Confirmation,
    Evaluation,
    Growth,
    MetricRow,
    SegmentRow,
    Skipped,
    both_sides,
)
from abtest.evaluator.scored import score_rows
from abtest.evaluator.segments import contrasts, few_rows, segment_rows
from abtest.evaluator.table import (
    MOST_CLASSES_RESAMPLED,
    Draws,
    Plan,
    about_classes,
    class_columns,
    overall_rows,
    resample,
    resampled_by_class,
    tested,
)
from abtest.metrics.catalogue import resolve
from abtest.metrics.classification import AVERAGES, Average, positive_index, same_as_accuracy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from abtest.labels import Label
    from abtest.outcomes import PairedOutcomes
    from abtest.policy import Policy
    from abtest.scores import PairedScores
    from abtest.stats.clusters import Units, UnitTables

__all__ = [
    "FEW_ROWS",
    "NOT_ESTIMABLE",
    "RESAMPLES",
    "BothSides",
    "ClassRow",
    "Confirmation",
    "Evaluation",
    "Growth",
    "MetricRow",
    "PowerReading",
    "SegmentRow",
    "Skipped",
    "both_sides",
    "check_options",
    "decisive_pvalue",
    "evaluate",
    "evaluate_errors",
]

RESAMPLES = 10_000
_FEWEST_RESAMPLES = 100
_FEW_UNITS = 30  # for their sum to be normal


def evaluate(
    outcomes: PairedOutcomes,
    policy: Policy,
    *,
    average: Average = "macro",
    pos_label: Label | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    units: UnitTables | None = None,
    scores: PairedScores | None = None,
    unscored: tuple[str, ...] = (),
    progress: Callable[[int], None] = lambda _drawn: None,
) -> Evaluation:
    """Compute every metric, effect, interval and test.

    Args:
        outcomes: The table; it must count at least one row.
        policy: Names the metrics, the confidence of intervals, and McNemar's form.
        average: How precision, recall and F1 are averaged over classes.
        pos_label: The positive label for ``average="binary"``; the greater of the two by default.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws; the same seed and table give the same numbers, whichever side is called champion.
        units: Where rows come in units, how many of each unit are in each cell; units are then resampled and tested,
            and not rows.
        scores: Both sides' probabilities, for the metrics that take them.
        unscored: Why there are none.
        progress: Called with the number of draws done, now and then; a table and each of its segments is drawn once.

    Raises:
        InvalidInputError: No rows, an option outside its range, or costs that do not fit the labels.

    Example:
        >>> from abtest.outcomes import PairedOutcomes
        >>> from abtest.policy import Policy
        >>> table = PairedOutcomes.from_predictions([0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1])
        >>> evaluate(table, Policy()).metric("accuracy").effect
        0.25
    """
    if not outcomes.n:
        raise InvalidInputError("The data hold no labelled row to compare on.")
    check_options(average=average, pos_label=pos_label, resamples=resamples, seed=seed)
    plan = Plan(
        policy=policy,
        metrics=resolve(policy.metrics, policy.costs),
        average=average,
        positive=positive_index(outcomes, average, pos_label),
        labels=outcomes.labels,
        resamples=resamples,
        seed=seed,
    )
    whole = units.whole if units else None
    draws = resample(outcomes, plan, whole, by_class=True, threads=os.cpu_count() or 1, progress=progress)
    scored = score_rows(scores, plan, unscored, in_units=units is not None)
    metrics = tuple(plan.in_order((*overall_rows(outcomes, plan, draws, whole), *scored.metrics)))
    segments = segment_rows(
        outcomes,
        plan,
        units.segments if units else {},
        scored.segments,
        lambda drawn: progress(resamples + drawn),
    )
    contingency = outcomes.contingency()
    same = same_as_accuracy(outcomes, average) if "recall" in policy.metrics else None
    return Evaluation(
        metrics=metrics,
        per_class=_class_rows(outcomes, plan, draws, whole, scored.classes),
        segments=segments,
        contingency=contingency,
        mcnemar=tested(contingency, whole, policy),
        power=power_reading(
            next((row for row in metrics if row.metric == policy.decisive), None), contingency, policy, whole
        ),
        bayes=None if units else posterior_of_classes(outcomes, plan),
        counted=tuple(name for name in policy.metrics if not (same and name == "recall")),
        skipped=(*_skipped(outcomes, plan), *scored.skipped),
        scores=scored.reading,
        notices=(
            *_about_units(whole),
            *contrasts(metrics, segments, policy.alpha),
            *_notices(outcomes, plan, metrics, same),
            *few_rows(outcomes),
            *_too_few_resamples(outcomes, plan, draws),
        ),
    )


def check_options(*, average: Average, pos_label: Label | None, resamples: int, seed: int) -> None:
    """Refuse options that no table could make good, before there is one.

    Raises:
        InvalidInputError: An option is outside its range.
    """
    if average not in AVERAGES:
        raise InvalidInputError(f"average must be one of {', '.join(AVERAGES)}, got {average!r}.")
    if pos_label is not None and average != "binary":
        raise InvalidInputError(f"pos_label means nothing with average {average}.", hint="--average binary")
    if resamples < _FEWEST_RESAMPLES:
        raise InvalidInputError(
            f"resamples must be at least {_FEWEST_RESAMPLES}, got {resamples}.", hint=f"the default is {RESAMPLES:,}."
        )
    if seed < 0:
        raise InvalidInputError(f"seed must be at least 0, got {seed}.")


def _class_rows(
    outcomes: PairedOutcomes,
    plan: Plan,
    draws: Draws,
    units: Units | None,
    scored: Mapping[Label, Sequence[MetricRow]],
) -> tuple[ClassRow, ...]:
    """Rows by class, then metric; within each metric p-values are adjusted over the classes (Holm)."""
    return tuple(
        ClassRow(class_=label, **{field.name: getattr(row, field.name) for field in fields(MetricRow)})
        for label, *rows in zip(outcomes.labels, *class_columns(outcomes, plan, draws, units), strict=True)
        for row in plan.in_order((*rows, *scored.get(label, ())))
    )


def _about_units(units: Units | None) -> Iterator[str]:
    if units is None:
        return
    yield (
        f"The {wording.whole(units.outcomes.n)} rows come in {wording.plural(units.n_units, 'unit')}: units, not rows, "
        "are taken to be independent, and are what is tested and resampled."
    )
    if units.n_units < _FEW_UNITS:
        yield f"Fewer than {_FEW_UNITS} units are too few to trust their test and intervals."


def _skipped(outcomes: PairedOutcomes, plan: Plan) -> Iterator[Skipped]:
    if len(outcomes.labels) > MOST_CLASSES_RESAMPLED and resampled_by_class(plan):
        yield Skipped(
            what="intervals of precision and F1 by class",
            why=f"{len(outcomes.labels):,} classes are more than {MOST_CLASSES_RESAMPLED}.",
        )


def _notices(outcomes: PairedOutcomes, plan: Plan, metrics: Sequence[MetricRow], same: str | None) -> Iterator[str]:
    yield from about_classes(outcomes, plan, same)
    accuracy = next(row for row in metrics if row.metric == "accuracy")
    if _excludes_zero(accuracy) != ((accuracy.pvalue or 0.0) < plan.policy.alpha):
        yield (
            "McNemar's test and the interval of accuracy disagree about zero, which happens at the edge of "
            "significance: the test decides."
        )


def _too_few_resamples(outcomes: PairedOutcomes, plan: Plan, draws: Draws) -> Iterator[str]:
    """A bootstrap p-value is at least 2/(resamples + 1), and Holm multiplies the least by the number of tests."""
    tests, which = 1, "overall"
    if draws.by_class:
        tests, which = len(outcomes.classes), f"by class, of which there are {len(outcomes.classes):,}"
    if len(outcomes.segments) > tests:
        tests, which = len(outcomes.segments), f"by segment, of which there are {len(outcomes.segments):,}"
    needed = math.ceil(2 * tests / plan.policy.alpha)
    if draws.overall and plan.resamples < needed:
        yield (
            f"{plan.resamples:,} resamples are too few to find a significant difference in a resampled metric {which}: "
            f"that takes {needed:,}."
        )


def _excludes_zero(row: MetricRow) -> bool:
    return row.ci_lower is not None and row.ci_upper is not None and (row.ci_lower > 0 or row.ci_upper < 0)
