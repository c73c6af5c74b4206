"""Live traffic in, evaluation out: the values of any comparison, and of inference only what looking leaves valid.

Accuracy, and the recall of a class, are shares of rows: their test and interval stay valid at every look. Of the other
metrics nothing is known that does; they keep their values and effects.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeAlias

from abtest.errors import InvalidInputError
from abtest.evaluator.looks import NOT_YET, SEQUENCE, Path, Tuning
from abtest.evaluator.rows import ClassRow, Evaluation, MetricRow, Skipped
from abtest.evaluator.table import Plan, about_classes, adjusted, bare_row
from abtest.metrics.catalogue import SCORES, resolve
from abtest.metrics.classification import Average, class_values, positive_index, same_as_accuracy
from abtest.metrics.totals import Totals, totals
from abtest.outcomes import Counts, PairedOutcomes
from abtest.stats.two_arms import two_proportions

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.labels import Label
    from abtest.policy import Policy

    Telling: TypeAlias = Callable[[MetricRow, int | None], MetricRow]

NOT_WHILE_LOOKING = "not known while one may look at any time"
NOT_OF_ARMS = "not known of two arms"
Z_TEST = "two-proportion z test"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arms:
    """Rows that one side predicted, of two arms.

    Attributes:
        champion: The champion's rows, in a table where both sides are the champion.
        challenger: The challenger's, likewise, over the same labels.
        by_look: Of the champion and of the challenger, how many rows of each label of the truth were right by each
            look, and how many there were: shape (looks, labels, 2).
    """

    champion: PairedOutcomes
    challenger: PairedOutcomes
    by_look: tuple[Counts, Counts]

    @property
    def n(self) -> int:
        """Rows of both."""
        return self.champion.n + self.challenger.n


def evaluate_pairs(
    outcomes: PairedOutcomes,
    by_look: Counts,
    policy: Policy,
    *,
    tuning: Tuning,
    average: Average = "macro",
    pos_label: Label | None = None,
) -> tuple[Evaluation, Path]:
    """Evaluate rows that both sides predicted, while one may look at any time.

    Args:
        outcomes: The table; it must count at least one row.
        by_look: Counts as in ``Contingency`` by each look and label of the truth, shape (looks, labels, 4).
        policy: Names the metrics and the confidence.
        tuning: What was fixed before the first look.
        average: How precision, recall and F1 are averaged over classes.
        pos_label: The positive label for ``average="binary"``.

    Returns:
        The evaluation, and the evidence on accuracy.

    Raises:
        InvalidInputError: No rows, or costs or an average that do not fit the labels.
    """
    whole = Path.of_pairs(by_look.sum(axis=1), tuning.a)

    def tell(row: MetricRow, label: int | None) -> MetricRow:
        path = whole if label is None else Path.of_pairs(by_look[:, label], tuning.a, drawn=False)
        return _at_any_look(row, path, tuning)

    sides = totals(outcomes, "champion"), totals(outcomes, "challenger")
    found = _evaluation(outcomes, sides, _plan(outcomes, policy, average, pos_label), tell, NOT_WHILE_LOOKING)
    same = same_as_accuracy(outcomes, average)
    return _counted(replace(found, contingency=outcomes.contingency()), policy, same), whole


def evaluate_arms(
    arms: Arms,
    policy: Policy,
    *,
    tuning: Tuning | None,
    average: Average = "macro",
    pos_label: Label | None = None,
) -> tuple[Evaluation, Path | None]:
    """Evaluate rows of two arms: each side's values are those of its own rows.

    Args:
        arms: The rows; at least one in each arm.
        policy: Names the metrics and the confidence.
        tuning: What was fixed before the first look; None where one looks once.
        average: How precision, recall and F1 are averaged over classes.
        pos_label: The positive label for ``average="binary"``.

    Returns:
        The evaluation, and the evidence on accuracy; None of one look.

    Raises:
        InvalidInputError: An arm has no rows, or costs or an average do not fit the labels.
    """
    champion, challenger = arms.by_look
    whole = Path.of_rates(champion.sum(axis=1), challenger.sum(axis=1))

    def tell(row: MetricRow, label: int | None) -> MetricRow:
        if tuning is None:
            first, second = (side[-1].sum(axis=0) if label is None else side[-1, label] for side in arms.by_look)
            return _once(row, first, second, policy)
        path = whole if label is None else Path.of_rates(champion[-1:, label], challenger[-1:, label])
        return _at_any_look(row, path, tuning)

    sides = totals(arms.champion, "champion"), totals(arms.challenger, "challenger")
    both = arms.champion + arms.challenger
    unknown = NOT_OF_ARMS if tuning is None else NOT_WHILE_LOOKING
    found = _evaluation(both, sides, _plan(both, policy, average, pos_label), tell, unknown)
    same = [same_as_accuracy(table, average) for table in (arms.champion, arms.challenger)]
    return _counted(found, policy, same[0] if all(same) else None), whole if tuning else None


def _plan(outcomes: PairedOutcomes, policy: Policy, average: Average, pos_label: Label | None) -> Plan:
    return Plan(
        policy=policy,
        metrics=resolve(policy.metrics, policy.costs),
        average=average,
        positive=positive_index(outcomes, average, pos_label),
        labels=outcomes.labels,
        resamples=0,
        seed=0,
    )


def _evaluation(
    outcomes: PairedOutcomes, sides: tuple[Totals, Totals], plan: Plan, tell: Telling, unknown: str
) -> Evaluation:
    """Compute every value; ``tell`` adds test and interval to accuracy and to the recall of a class."""
    if not all(side.weights.sum() for side in sides):
        raise InvalidInputError("The traffic holds no labelled row to compare on.")
    metrics = []
    for metric in plan.metrics:
        champion, challenger = (float(plan.value(metric, side)) for side in sides)
        row = bare_row(metric, (champion, challenger), outcomes.n, unknown=unknown)
        metrics.append(tell(row, None) if metric.is_accuracy else row)
    return Evaluation(
        metrics=tuple(metrics),
        per_class=_class_rows(outcomes, sides, plan, tell, unknown),
        counted=plan.policy.metrics,
        skipped=tuple(
            Skipped(what=name, why="Live traffic is logged by its labels, without scores.")
            for name in plan.policy.metrics
            if name in SCORES
        ),
        notices=tuple(about_classes(outcomes, plan, None)),
    )


def _class_rows(
    outcomes: PairedOutcomes, sides: tuple[Totals, Totals], plan: Plan, tell: Telling, unknown: str
) -> tuple[ClassRow, ...]:
    """Rows by class, then metric; the p-values of recall are adjusted over the classes (Holm)."""
    columns, support = [], outcomes.truth_support.tolist()
    for metric in plan.metrics:
        if metric.by_class is None:
            continue
        champion, challenger = (class_values(metric, side).tolist() for side in sides)
        rows = [
            bare_row(metric, (one, other), n, unknown=unknown)
            for one, other, n in zip(champion, challenger, support, strict=True)
        ]
        if metric.name == "recall":
            rows = adjusted([tell(row, i) if row.n else row for i, row in enumerate(rows)])
        columns.append(rows)
    return tuple(
        ClassRow(class_=label, **{field.name: getattr(row, field.name) for field in fields(MetricRow)})
        for label, *rows in zip(outcomes.labels, *columns, strict=True)
        for row in rows
    )


def _counted(found: Evaluation, policy: Policy, same: str | None) -> Evaluation:
    """Count recall once with accuracy where it is that by another name."""
    if same is None or "recall" not in policy.metrics:
        return found
    return replace(
        found,
        counted=tuple(name for name in policy.metrics if name != "recall"),
        notices=(*found.notices, f"Recall is counted once with accuracy: {same}."),
    )


def _at_any_look(row: MetricRow, path: Path, tuning: Tuning) -> MetricRow:
    """Add what is valid at every look."""
    interval, pvalue = path.interval(tuning), path.pvalue(tuning)
    return replace(
        row,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=SEQUENCE if interval else NOT_YET,
        test="none" if pvalue is None else path.test,
        pvalue=pvalue,
    )


def _once(row: MetricRow, champion: Counts, challenger: Counts, policy: Policy) -> MetricRow:
    """Add the test of two arms that are looked at once."""
    (a, n), (b, m) = champion.tolist(), challenger.tolist()
    if not (n and m):
        return row
    found = two_proportions((a, n), (b, m), confidence_level=policy.confidence)
    return replace(
        row,
        ci_lower=found.interval.lower,
        ci_upper=found.interval.upper,
        ci_method="newcombe",
        test=Z_TEST,
        statistic=found.statistic,
        pvalue=found.pvalue,
    )
