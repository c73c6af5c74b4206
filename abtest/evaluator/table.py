"""One table of counts in, rows out: every metric with effect, interval and test.

Accuracy, and the recall of a class, are proportions of paired rows: McNemar tests them and Tango's interval bounds
them. The other metrics are resampled: rows drawn with replacement are, exactly, a multinomial draw over the cells.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abtest import wording
from abtest.evaluator.rows import FEW_ROWS, NOT_ESTIMABLE, MetricRow
from abtest.labels import Label
from abtest.metrics.classification import Average, Metric, class_values, overall
from abtest.metrics.totals import Floats, Totals, both_totals, totals
from abtest.policy import Policy
from abtest.stats.clusters import cluster_test, unit_blocks
from abtest.stats.mcnemar import McNemar, mcnemar
from abtest.stats.multiplicity import holm
from abtest.stats.proportions import Interval, tango_interval
from abtest.stats.resampling import NOISE, bootstrap_pvalue, multinomial_blocks, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from abtest.outcomes import Contingency, PairedOutcomes
    from abtest.stats.clusters import Units
    from abtest.stats.resampling import Block

    Row = TypeVar("Row", bound=MetricRow)

MOST_CLASSES_RESAMPLED = 500  # ten thousand draws of as many classes fill 40 MB a metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How every table of a comparison is evaluated.

    Attributes:
        policy: Names the confidence of intervals, and McNemar's form.
        metrics: What is computed.
        average: How classes are averaged.
        labels: Every label that occurs.
        positive: Index of the positive label, where the average is of one.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
    """

    policy: Policy
    metrics: tuple[Metric, ...]
    average: Average
    positive: int | None
    labels: tuple[Label, ...]
    resamples: int
    seed: int

    def in_order(self, rows: Sequence[Row]) -> list[Row]:
        """Sort rows as the policy names their metrics."""
        return sorted(rows, key=lambda row: self.policy.metrics.index(row.metric))

    @property
    def resampled(self) -> tuple[Metric, ...]:
        """The metrics that are no proportion of paired rows."""
        return tuple(metric for metric in self.metrics if not metric.is_accuracy)

    def value(self, metric: Metric, of: Totals) -> Floats:
        """One number a table, shape (...)."""
        return overall(metric, of, average=self.average, positive=self.positive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Resampled effects by metric: shape (draws,), and by class (draws, labels) for metrics that have classes."""

    overall: dict[str, Floats]
    by_class: dict[str, Floats]


def resample(
    outcomes: PairedOutcomes,
    plan: Plan,
    units: Units | None,
    *,
    by_class: bool = False,
    threads: int = 1,
    progress: Callable[[int], None] = lambda _drawn: None,
) -> Draws:
    """Draw effects for every metric that is not a proportion of paired rows.

    The draws are made on whichever orientation of the table sorts first, so that swapping the sides draws the same rows
    and negates every effect to the last bit. Each block of them has randomness of its own, so threads change no number.
    """
    swapped = outcomes.swapped()
    turned = swapped.cells.tobytes() < outcomes.cells.tobytes()
    table, sign = (swapped, -1.0) if turned else (outcomes, 1.0)
    classed = resampled_by_class(plan) if by_class and len(outcomes.labels) <= MOST_CLASSES_RESAMPLED else ()
    if not plan.resampled:
        return Draws(overall={}, by_class={})
    summed = both_totals(table)

    def effects(block: Block) -> tuple[list[Floats], list[Floats]]:
        champion, challenger = summed(block())
        whole = [sign * (plan.value(m, challenger) - plan.value(m, champion)) for m in plan.resampled]
        return whole, [sign * (class_values(m, challenger) - class_values(m, champion)) for m in classed]

    blocks = _blocks(table, plan, units.swapped() if units and turned else units)
    found: list[tuple[list[Floats], list[Floats]]] = []
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        for block in pool.map(effects, blocks):
            found.append(block)
            progress(plan.resamples * len(found) // len(blocks))
    finally:
        pool.shutdown(cancel_futures=True)  # who stops waiting need not wait for the rest
    whole, classes = zip(*found, strict=True)
    return Draws(overall=_by_metric(plan.resampled, whole), by_class=_by_metric(classed, classes))


def _by_metric(metrics: Sequence[Metric], blocks: Sequence[Sequence[Floats]]) -> dict[str, Floats]:
    """Join blocks of one array a metric."""
    return {metric.name: np.concatenate(parts) for metric, *parts in zip(metrics, *blocks, strict=True)}


def _blocks(table: PairedOutcomes, plan: Plan, units: Units | None) -> Sequence[Block]:
    """Resample what is independent: units where rows come in them, else rows."""
    rng = np.random.default_rng(plan.seed)
    if units is not None:
        return unit_blocks(units, resamples=plan.resamples, rng=rng)
    return multinomial_blocks(table.counts, resamples=plan.resamples, rng=rng)


def tested(table: Contingency, units: Units | None, policy: Policy) -> McNemar:
    """Test equal accuracy, on units where rows come in them."""
    if units is None:
        return mcnemar(table, method=policy.method)
    test = cluster_test(units, confidence_level=policy.confidence)
    return McNemar(method="by unit", statistic=test.statistic**2, pvalue=test.pvalue)


def resampled_by_class(plan: Plan) -> tuple[Metric, ...]:
    """The metrics that are resampled class by class; the recall of a class is a proportion of paired rows."""
    return tuple(metric for metric in plan.metrics if metric.by_class and metric.name != "recall")


def overall_rows(outcomes: PairedOutcomes, plan: Plan, draws: Draws, units: Units | None) -> tuple[MetricRow, ...]:
    """One row a metric, over all rows of the table."""
    champion, challenger = totals(outcomes, "champion"), totals(outcomes, "challenger")
    rows = []
    for metric in plan.metrics:
        values = float(plan.value(metric, champion)), float(plan.value(metric, challenger))
        if metric.is_accuracy:
            rows.append(_proportion(metric, values, outcomes.contingency(), units, plan.policy))
        else:
            rows.append(_resampled(metric, values, outcomes.n, draws.overall[metric.name], plan.policy))
    return tuple(rows)


def class_columns(outcomes: PairedOutcomes, plan: Plan, draws: Draws, units: Units | None) -> list[list[MetricRow]]:
    """For each metric that has classes, a row a label; p-values are adjusted over the classes."""
    return [adjusted(_class_column(metric, outcomes, plan, draws, units)) for metric in plan.metrics if metric.by_class]


def about_classes(outcomes: PairedOutcomes, plan: Plan, same: str | None) -> Iterator[str]:
    """Say which label is the positive one, whether recall is accuracy by another name, and which classes are rare."""
    if plan.positive is not None:
        yield f"Precision, recall and F1 are those of the positive label, {outcomes.labels[plan.positive]!r}."
    if same:
        yield f"Recall is counted once with accuracy: {same}."
    few = [label for label, n in zip(outcomes.labels, outcomes.truth_support, strict=True) if 0 < n < FEW_ROWS]
    if few:
        first = f"{few[0]!r}" + (f" and {len(few) - 1} more" if len(few) > 1 else "")
        many = wording.plural(len(few), "class has", "classes have")
        yield f"{many} fewer than {FEW_ROWS} rows ({first}): read their numbers with care."


def adjusted(rows: Sequence[Row]) -> list[Row]:
    """Adjust the p-values of one metric for being many (Holm)."""
    found = iter(holm([row.pvalue for row in rows if row.pvalue is not None]).tolist())
    return [row if row.pvalue is None else replace(row, pvalue_adjusted=next(found)) for row in rows]


def _class_column(
    metric: Metric, outcomes: PairedOutcomes, plan: Plan, draws: Draws, units: Units | None
) -> list[MetricRow]:
    """One metric of every label. Recall is McNemar on the label's rows; the others are resampled."""
    champion = class_values(metric, totals(outcomes, "champion"))
    challenger = class_values(metric, totals(outcomes, "challenger"))
    rows, tables = [], outcomes.contingencies()
    for i, support in enumerate(outcomes.truth_support.tolist()):
        values = float(champion[i]), float(challenger[i])
        if support and metric.name == "recall":
            own = units.of_truth(i) if units else None
            rows.append(_proportion(metric, values, tables[i], own, plan.policy))
        elif support and metric.name in draws.by_class:
            rows.append(_resampled(metric, values, support, draws.by_class[metric.name][:, i], plan.policy))
        else:
            rows.append(bare_row(metric, values, support))
    return rows


def _proportion(
    metric: Metric, values: tuple[float, float], table: Contingency, units: Units | None, policy: Policy
) -> MetricRow:
    """A proportion of paired rows: McNemar's test and Tango's interval, or those of units."""
    test = tested(table, units, policy)
    if units is None:
        interval: Interval | None = tango_interval(table, confidence_level=policy.confidence)
        row = bare_row(metric, values, table.n, interval=interval, by="tango")
        return replace(row, test=f"mcnemar {test.method}", statistic=test.statistic, pvalue=test.pvalue)
    interval = cluster_test(units, confidence_level=policy.confidence).interval
    row = bare_row(metric, values, table.n, interval=interval, by="by unit")
    return replace(row, test="by unit", statistic=test.statistic, pvalue=test.pvalue)


def _resampled(metric: Metric, values: tuple[float, float], n: int, effects: Floats, policy: Policy) -> MetricRow:
    """Any other metric: the paired bootstrap."""
    interval = percentile_interval(effects, confidence_level=policy.confidence)
    row = bare_row(metric, values, n, interval=interval, by="bootstrap percentile")
    if interval is None and abs(row.effect) > NOISE:
        return row  # an effect that no resample changes cannot be told from chance by resampling
    return replace(row, test="paired bootstrap", pvalue=bootstrap_pvalue(effects))


def bare_row(
    metric: Metric,
    values: tuple[float, float],
    n: int,
    *,
    interval: Interval | None = None,
    by: str = NOT_ESTIMABLE,
    unknown: str = NOT_ESTIMABLE,
) -> MetricRow:
    """One metric with its effect, and its interval where there is one, else why it is unknown; nothing is tested."""
    champion, challenger = values
    effect = challenger - champion
    return MetricRow(
        metric=metric.name,
        champion=champion,
        challenger=challenger,
        effect=effect,
        rel_effect=effect / champion if champion else None,
        improvement=effect if metric.greater_is_better else 0.0 - effect,  # not -0.0
        greater_is_better=metric.greater_is_better,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=by if interval else unknown,
        test="none",
        statistic=None,
        pvalue=None,
        pvalue_adjusted=None,
        n=n,
    )
