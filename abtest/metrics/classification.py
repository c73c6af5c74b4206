"""Accuracy, precision, recall and F1 as functions of counts by class.

Everything is written over a last axis of labels (or cells) and any leading axes, so that one table and ten thousand
resamples of it go through the same lines. A ratio 0/0 is 0. Averages run over the classes of the truth, which stay the
same set over all resamples and both sides; a label that is only ever predicted has a row of its own and no share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, NotApplicableError, near
from abtest.labels import cast_label, kind_of
from abtest.outcomes import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abtest.labels import Label
    from abtest.outcomes import PairedOutcomes, Side

Floats: TypeAlias = npt.NDArray[np.float64]
Average: TypeAlias = Literal["macro", "weighted", "binary"]
AVERAGES: tuple[Average, ...] = ("macro", "weighted", "binary")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Totals:
    """One side's counts by label: all that these metrics depend on.

    Attributes:
        hits: Rows of the label predicted as it, shape (..., labels).
        predicted: Rows predicted as the label, shape (..., labels).
        support: Rows whose truth is the label, shape (..., labels).
        is_class: Whether the label occurs in the truth of the table resampled, shape (labels,).
    """

    hits: Counts
    predicted: Counts
    support: Counts
    is_class: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """An entry of the catalogue.

    Attributes:
        name: As in reports and JSON.
        by_class: Totals to one value a label, shape (..., labels); None for a metric that has no classes.
    """

    name: str
    by_class: Callable[[Totals], Floats] | None


def totals(outcomes: PairedOutcomes, side: Side, counts: Counts | None = None) -> Totals:
    """Sum a side's cells by label.

    Args:
        outcomes: The table.
        side: Whose predictions.
        counts: Counts of the same cells to use instead, shape (..., cells): resamples, for example.
    """
    weights = outcomes.counts if counts is None else counts
    y, predicted = outcomes.cells[:, 0], outcomes.predicted_by(side)
    hit = y == predicted
    k = len(outcomes.labels)
    return Totals(
        hits=_sum_by(y[hit], weights[..., hit], k),
        predicted=_sum_by(predicted, weights, k),
        support=_sum_by(y, weights, k),
        is_class=outcomes.truth_support > 0,
    )


def precision(of: Totals) -> Floats:
    """Share of the rows predicted as the label that are of it."""
    return _ratio(of.hits, of.predicted)


def recall(of: Totals) -> Floats:
    """Share of the label's rows that are predicted as it."""
    return _ratio(of.hits, of.support)


def f1(of: Totals) -> Floats:
    """Harmonic mean of precision and recall."""
    return _ratio(2 * of.hits, of.predicted + of.support)


CATALOGUE: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", by_class=None),
        Metric(name="precision", by_class=precision),
        Metric(name="recall", by_class=recall),
        Metric(name="f1", by_class=f1),
    )
}
ALIASES = {"f1_score": "f1"}


def metric_names(names: Iterable[str]) -> tuple[str, ...]:
    """Spell metric names as the catalogue does, without repeats.

    Raises:
        InvalidInputError: A name is in no catalogue.

    Example:
        >>> metric_names(["accuracy", "f1_score"])
        ('accuracy', 'f1')
    """
    spelled = tuple(dict.fromkeys(ALIASES.get(name, name) for name in names))
    for name in spelled:
        if name not in CATALOGUE:
            raise InvalidInputError(
                f"metrics must be among {', '.join(CATALOGUE)}, got {name!r}.", hint=near(name, CATALOGUE)
            )
    return spelled


def overall(metric: Metric, of: Totals, *, average: Average, positive: int | None = None) -> Floats:
    """Compute the metric over all rows, shape (...).

    Args:
        metric: Which.
        of: One side's totals.
        average: How classes are averaged; "binary" takes the positive label's value.
        positive: Index of the positive label, for "binary".
    """
    if metric.by_class is None:
        return _ratio(of.hits.sum(axis=-1), of.support.sum(axis=-1))
    values = metric.by_class(of)
    if average == "binary":
        return values[..., positive]
    if average == "weighted":
        return _ratio((values * of.support).sum(axis=-1), of.support.sum(axis=-1))
    return np.asarray(values[..., of.is_class].mean(axis=-1))


def class_values(name: str, of: Totals) -> Floats:
    """Compute a metric of every label, shape (..., labels).

    Raises:
        NotApplicableError: The metric has no classes.
    """
    by_class = CATALOGUE[name].by_class
    if by_class is None:
        raise NotApplicableError(f"{name} has no value by class.")
    return by_class(of)


def same_as_accuracy(outcomes: PairedOutcomes, average: Average) -> str | None:
    """Say why recall is accuracy itself on this table, or return None.

    Weighted recall always is; macro recall is when every class has as many rows.
    """
    if average == "weighted":
        return "weighted recall is accuracy"
    support = outcomes.truth_support
    if average == "macro" and len(set(support[support > 0].tolist())) == 1:
        return "on exactly balanced classes macro recall is accuracy"
    return None


def positive_index(outcomes: PairedOutcomes, average: Average, pos_label: Label | None) -> int | None:
    """Find the positive label's index for ``average="binary"``; None for other averages.

    Raises:
        InvalidInputError: More than two classes, or the positive label is not among the labels.
    """
    if average != "binary":
        return None
    if len(outcomes.labels) > 2:
        raise InvalidInputError(
            f"average must be macro or weighted for more than two classes, got binary with {len(outcomes.labels)}.",
            hint="--average macro",
        )
    # As in scikit-learn, the greater of two labels is the positive one unless another is named.
    if pos_label is None:
        return len(outcomes.labels) - 1
    try:
        # On a command line every label is text, and 1 may stand for 1.0 or True.
        return outcomes.labels.index(cast_label(pos_label, kind_of(outcomes.labels)))
    except ValueError:  # no label of that type, or not one of these
        known = ", ".join(map(repr, outcomes.labels))
        raise InvalidInputError(f"pos_label must be one of {known}, got {pos_label!r}.") from None


def _ratio(numerator: npt.NDArray[np.number], denominator: npt.NDArray[np.number]) -> Floats:
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)


def _sum_by(group: Counts, weights: Counts, size: int) -> Counts:
    """Sum weights, shape (..., cells), over the cells of each group, to shape (..., size)."""
    sums = np.zeros((*weights.shape[:-1], size), dtype=np.int64)
    if not len(group):
        return sums
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sums[..., ordered[starts]] = np.add.reduceat(weights[..., order], starts, axis=-1)
    return sums
