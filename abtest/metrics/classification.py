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

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.labels import NO_PREDICTION, Label, cast_label, kind_of
from abtest.metrics.totals import Floats, Totals

if TYPE_CHECKING:
    from abtest.outcomes import PairedOutcomes

Average: TypeAlias = Literal["macro", "weighted", "binary"]
AVERAGES: tuple[Average, ...] = ("macro", "weighted", "binary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """An entry of the catalogue.

    Attributes:
        name: As in reports and JSON.
        by_class: Totals to one value a label, shape (..., labels); None for a metric that has no classes.
        whole: Totals to one value, shape (...); None for a metric that is an average over classes.
        greater_is_better: Whether more of it is better.
        is_accuracy: Whether it is a proportion of paired rows, which McNemar tests.
    """

    name: str
    by_class: Callable[[Totals], Floats] | None = None
    whole: Callable[[Totals], Floats] | None = None
    greater_is_better: bool = True
    is_accuracy: bool = False


def accuracy(of: Totals) -> Floats:
    """Share of the rows predicted right."""
    return ratio(of.hits.sum(axis=-1), of.support.sum(axis=-1))


def precision(of: Totals) -> Floats:
    """Share of the rows predicted as the label that are of it."""
    return ratio(of.hits, of.predicted)


def recall(of: Totals) -> Floats:
    """Share of the label's rows that are predicted as it."""
    return ratio(of.hits, of.support)


def f1(of: Totals) -> Floats:
    """Harmonic mean of precision and recall."""
    return ratio(2 * of.hits, of.predicted + of.support)


CATALOGUE: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", whole=accuracy, is_accuracy=True),
        Metric(name="precision", by_class=precision),
        Metric(name="recall", by_class=recall),
        Metric(name="f1", by_class=f1),
    )
}


def overall(metric: Metric, of: Totals, *, average: Average, positive: int | None = None) -> Floats:
    """Compute the metric over all rows, shape (...).

    Args:
        metric: Which.
        of: One side's totals.
        average: How classes are averaged; "binary" takes the positive label's value.
        positive: Index of the positive label, for "binary".
    """
    if metric.whole is not None:
        return metric.whole(of)
    values = class_values(metric, of)
    if average == "binary":
        return values[..., positive]
    if average == "weighted":
        return ratio((values * of.support).sum(axis=-1), of.support.sum(axis=-1))
    return np.asarray((values if of.is_class.all() else values[..., of.is_class]).mean(axis=-1))


def class_values(metric: Metric, of: Totals) -> Floats:
    """Compute a metric of every label, shape (..., labels).

    Raises:
        NotApplicableError: The metric has no classes.
    """
    if metric.by_class is None:
        raise NotApplicableError(f"{metric.name} has no value by class.")
    return metric.by_class(of)


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
    named = [label for label in outcomes.labels if label != NO_PREDICTION]
    if len(named) > 2:
        raise InvalidInputError(
            f"average must be macro or weighted for more than two classes, got binary with {len(named)}.",
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


def ratio(numerator: npt.NDArray[np.number], denominator: npt.NDArray[np.number]) -> Floats:
    """Divide what is 0 wherever it is divided by 0; that is 0."""
    bottom = np.asarray(denominator, dtype=np.float64)
    return np.asarray(numerator / (bottom + (bottom == 0)))
