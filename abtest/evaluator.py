"""Paired outcomes in, evaluation out: every metric, effect, interval and test of a comparison.

Accuracy, and the recall of a class, are proportions of paired rows: McNemar tests them and Tango's interval bounds
them. The other metrics are resampled: rows drawn with replacement are, exactly, a multinomial draw over the cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.labels import Label
from abtest.metrics.classification import (
    AVERAGES,
    CATALOGUE,
    Average,
    Floats,
    Totals,
    class_values,
    overall,
    positive_index,
    same_as_accuracy,
    totals,
)
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.stats.mcnemar import McNemar, mcnemar
from abtest.stats.multiplicity import holm
from abtest.stats.proportions import Interval, tango_interval
from abtest.stats.resampling import NOISE, bootstrap_pvalue, multinomial_draws, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abtest.policy import Policy

RESAMPLES = 10_000
_FEWEST_RESAMPLES = 100
FEW_ROWS = 20  # F1 intervals cover .86 at 5 expected rows of a class and .95 from 20: below, a class is marked
_MOST_CLASSES_RESAMPLED = 500  # ten thousand draws of as many classes fill 40 MB a metric
NOT_ESTIMABLE = "not estimable"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric on both sides.

    Attributes:
        metric: Its name in the catalogue.
        champion: The champion's value.
        challenger: The challenger's value.
        effect: Challenger minus champion, in the metric's own unit.
        rel_effect: The effect as a share of the champion's value; None where that is 0.
        improvement: The effect, signed so that positive is better.
        ci_lower: Lower limit of the effect; None where it is not estimable.
        ci_upper: Upper limit of the effect.
        ci_method: How the interval was found.
        test: Which test ``pvalue`` comes from.
        statistic: The test's statistic, if it has one.
        pvalue: Two-sided, of no effect.
        pvalue_adjusted: For the many classes tested at once, by Holm's method.
        n: Rows it is about.
    """

    metric: str
    champion: float
    challenger: float
    effect: float
    rel_effect: float | None
    improvement: float
    ci_lower: float | None
    ci_upper: float | None
    ci_method: str
    test: str
    statistic: float | None
    pvalue: float | None
    pvalue_adjusted: float | None
    n: int

    @property
    def improved(self) -> bool:
        """Whether the challenger is better by more than floating noise: a tie is not a win."""
        return self.improvement > NOISE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow(MetricRow):
    """One metric of one class; ``n`` counts the rows of the class in the truth."""

    class_: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was not computed, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything computed from one table of paired outcomes.

    Attributes:
        metrics: One row a metric, over all rows.
        per_class: Rows by class, then metric.
        contingency: Who was right where.
        mcnemar: The test of equal accuracy.
        counted: The metrics that count towards the share improved; one that is accuracy by another name does not.
        skipped: What was not computed.
        notices: What a reader has to know about the numbers.
    """

    metrics: tuple[MetricRow, ...]
    per_class: tuple[ClassRow, ...]
    contingency: Contingency
    mcnemar: McNemar
    counted: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    notices: tuple[str, ...] = ()

    def metric(self, name: str) -> MetricRow:
        """The row of one metric."""
        return next(row for row in self.metrics if row.metric == name)


def evaluate(
    outcomes: PairedOutcomes,
    policy: Policy,
    *,
    average: Average = "macro",
    pos_label: Label | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
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
        progress: Called with the number of draws done, now and then.

    Raises:
        InvalidInputError: No rows, or an option outside its range.

    Example:
        >>> from abtest.policy import Policy
        >>> table = PairedOutcomes.from_predictions([0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1])
        >>> evaluate(table, Policy()).metric("accuracy").effect
        0.25
    """
    if not outcomes.n:
        raise InvalidInputError("The data hold no labelled row to compare on.")
    check_options(average=average, pos_label=pos_label, resamples=resamples, seed=seed)
    positive = positive_index(outcomes, average, pos_label)
    averaged = _Averaged(average=average, positive=positive)
    draws = _resample(outcomes, policy.metrics, averaged, resamples=resamples, seed=seed, progress=progress)
    contingency = outcomes.contingency()
    test = mcnemar(contingency, method=policy.method)
    metrics = _overall_rows(outcomes, policy, averaged, draws, test)
    same = same_as_accuracy(outcomes, average) if "recall" in policy.metrics else None
    return Evaluation(
        metrics=metrics,
        per_class=_class_rows(outcomes, policy, draws),
        contingency=contingency,
        mcnemar=test,
        counted=tuple(name for name in policy.metrics if not (same and name == "recall")),
        skipped=tuple(_skipped(outcomes)),
        notices=(
            *_notices(outcomes, policy, averaged, metrics, same),
            *_too_few_resamples(outcomes, policy, draws, resamples),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Averaged:
    """How classes are averaged."""

    average: Average
    positive: int | None

    def value(self, name: str, of: Totals) -> Floats:
        return overall(CATALOGUE[name], of, average=self.average, positive=self.positive)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draws:
    """Resampled effects: shape (draws,) a metric, and (draws, labels) for metrics that have classes."""

    overall: dict[str, Floats]
    by_class: dict[str, Floats]


def _resample(
    outcomes: PairedOutcomes,
    metrics: Sequence[str],
    averaged: _Averaged,
    *,
    resamples: int,
    seed: int,
    progress: Callable[[int], None],
) -> _Draws:
    """Draw effects for every metric that is not a proportion of paired rows.

    The draws are made on whichever orientation of the table sorts first, so that swapping the sides draws the same rows
    and negates every effect to the last bit.
    """
    swapped = outcomes.swapped()
    turned = swapped.cells.tobytes() < outcomes.cells.tobytes()
    table, sign = (swapped, -1.0) if turned else (outcomes, 1.0)
    names = [name for name in metrics if CATALOGUE[name].by_class]
    class_names = [name for name in names if name != "recall"] if _resamples_classes(outcomes) else []
    whole: dict[str, list[Floats]] = {name: [] for name in names}
    classes: dict[str, list[Floats]] = {name: [] for name in class_names}
    rng, drawn = np.random.default_rng(seed), 0
    for counts in multinomial_draws(table.counts, resamples=resamples, rng=rng) if names else ():
        champion, challenger = totals(table, "champion", counts), totals(table, "challenger", counts)
        for name in names:
            whole[name].append(sign * (averaged.value(name, challenger) - averaged.value(name, champion)))
        for name in class_names:
            classes[name].append(sign * (class_values(name, challenger) - class_values(name, champion)))
        drawn += len(counts)
        progress(drawn)
    return _Draws(
        overall={name: np.concatenate(chunks) for name, chunks in whole.items()},
        by_class={name: np.concatenate(chunks) for name, chunks in classes.items()},
    )


def _resamples_classes(outcomes: PairedOutcomes) -> bool:
    return len(outcomes.labels) <= _MOST_CLASSES_RESAMPLED


def _overall_rows(
    outcomes: PairedOutcomes, policy: Policy, averaged: _Averaged, draws: _Draws, test: McNemar
) -> tuple[MetricRow, ...]:
    champion, challenger = totals(outcomes, "champion"), totals(outcomes, "challenger")
    rows = []
    for name in policy.metrics:
        values = float(averaged.value(name, champion)), float(averaged.value(name, challenger))
        if name in draws.overall:
            rows.append(_resampled(name, values, outcomes.n, draws.overall[name], policy))
        else:
            rows.append(_tested(name, values, outcomes.contingency(), test, policy))
    return tuple(rows)


def _class_rows(outcomes: PairedOutcomes, policy: Policy, draws: _Draws) -> tuple[ClassRow, ...]:
    """Rows by class, then metric; within each metric p-values are adjusted over the classes (Holm)."""
    names = [name for name in policy.metrics if CATALOGUE[name].by_class]
    columns = [_adjusted(_class_column(name, outcomes, policy, draws)) for name in names]
    return tuple(
        ClassRow(class_=label, **{field.name: getattr(row, field.name) for field in fields(MetricRow)})
        for label, *rows in zip(outcomes.labels, *columns, strict=True)
        for row in rows
    )


def _class_column(name: str, outcomes: PairedOutcomes, policy: Policy, draws: _Draws) -> list[MetricRow]:
    """One metric of every label. Recall is McNemar on the label's rows; the others are resampled."""
    champion = class_values(name, totals(outcomes, "champion"))
    challenger = class_values(name, totals(outcomes, "challenger"))
    rows = []
    for i, (label, support) in enumerate(zip(outcomes.labels, outcomes.truth_support.tolist(), strict=True)):
        values = float(champion[i]), float(challenger[i])
        if support and name == "recall":
            table = outcomes.contingency(label)
            rows.append(_tested(name, values, table, mcnemar(table, method=policy.method), policy))
        elif support and name in draws.by_class:
            rows.append(_resampled(name, values, support, draws.by_class[name][:, i], policy))
        else:
            rows.append(_row(name, values, support))
    return rows


def _adjusted(rows: list[MetricRow]) -> list[MetricRow]:
    adjusted = iter(holm([row.pvalue for row in rows if row.pvalue is not None]).tolist())
    return [row if row.pvalue is None else replace(row, pvalue_adjusted=next(adjusted)) for row in rows]


def _tested(name: str, values: tuple[float, float], table: Contingency, test: McNemar, policy: Policy) -> MetricRow:
    """A proportion of paired rows: McNemar's test and Tango's interval."""
    row = _row(name, values, table.n, interval=tango_interval(table, confidence_level=policy.confidence), by="tango")
    return replace(row, test=f"mcnemar {test.method}", statistic=test.statistic, pvalue=test.pvalue)


def _resampled(name: str, values: tuple[float, float], n: int, effects: Floats, policy: Policy) -> MetricRow:
    """Any other metric: the paired bootstrap."""
    interval = percentile_interval(effects, confidence_level=policy.confidence)
    row = _row(name, values, n, interval=interval, by="bootstrap percentile")
    if interval is None and abs(row.effect) > NOISE:
        return row  # an effect that no resample changes cannot be told from chance by resampling
    return replace(row, test="paired bootstrap", pvalue=bootstrap_pvalue(effects))


def _row(
    name: str, values: tuple[float, float], n: int, *, interval: Interval | None = None, by: str = NOT_ESTIMABLE
) -> MetricRow:
    champion, challenger = values
    effect = challenger - champion
    return MetricRow(
        metric=name,
        champion=champion,
        challenger=challenger,
        effect=effect,
        rel_effect=effect / champion if champion else None,
        improvement=effect,  # of every metric here more is better
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=by if interval else NOT_ESTIMABLE,
        test="none",
        statistic=None,
        pvalue=None,
        pvalue_adjusted=None,
        n=n,
    )


def _skipped(outcomes: PairedOutcomes) -> Iterator[Skipped]:
    if not _resamples_classes(outcomes):
        yield Skipped(
            what="intervals of precision and F1 by class",
            why=f"{len(outcomes.labels):,} classes are more than {_MOST_CLASSES_RESAMPLED}.",
        )


def _notices(
    outcomes: PairedOutcomes, policy: Policy, averaged: _Averaged, metrics: Sequence[MetricRow], same: str | None
) -> Iterator[str]:
    accuracy = next(row for row in metrics if row.metric == "accuracy")
    if averaged.positive is not None:
        yield f"Precision, recall and F1 are those of the positive label, {outcomes.labels[averaged.positive]!r}."
    if same:
        yield f"Recall is counted once with accuracy: {same}."
    if _excludes_zero(accuracy) != ((accuracy.pvalue or 0.0) < policy.alpha):
        yield (
            "McNemar's test and the interval of accuracy disagree about zero, which happens at the edge of "
            "significance: the test decides."
        )
    few = [label for label, n in zip(outcomes.labels, outcomes.truth_support, strict=True) if 0 < n < FEW_ROWS]
    if few:
        first = f"{few[0]!r}" + (f" and {len(few) - 1} more" if len(few) > 1 else "")
        many = wording.plural(len(few), "class has", "classes have")
        yield f"{many} fewer than {FEW_ROWS} rows ({first}): read their numbers with care."


def _too_few_resamples(outcomes: PairedOutcomes, policy: Policy, draws: _Draws, resamples: int) -> Iterator[str]:
    """A bootstrap p-value is at least 2/(resamples + 1), and Holm multiplies the least by the number of classes."""
    tests = len(outcomes.classes) if draws.by_class else 1
    needed = math.ceil(2 * tests / policy.alpha)
    if draws.overall and resamples < needed:
        which = f"by class, of which there are {tests:,}" if draws.by_class else "overall"
        yield (
            f"{resamples:,} resamples are too few to find a significant difference in a resampled metric {which}: "
            f"that takes {needed:,}."
        )


def _excludes_zero(row: MetricRow) -> bool:
    return row.ci_lower is not None and row.ci_upper is not None and (row.ci_lower > 0 or row.ci_upper < 0)
