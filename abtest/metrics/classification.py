"""Accuracy, precision, recall and F1 as functions of counts by class.

Everything is written over a last axis of labels (or cells) and any leading axes, so that one table and ten thousand
resamples of it go through the same lines. A ratio 0/0 is 0. Averages run over the classes of the truth, which stay the
same set over all resamples and both sides; a label that is only ever predicted has a row of its own and no share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.labels import Label, cast_label, kind_of
from abtest.outcomes import Counts

if TYPE_CHECKING:
    from abtest.labels import Side
    from abtest.outcomes import PairedOutcomes

Floats: TypeAlias = npt.NDArray[np.float64]
Sums: TypeAlias = npt.NDArray[Any]  # whole numbers, as integers or as doubles
Average: TypeAlias = Literal["macro", "weighted", "binary"]
AVERAGES: tuple[Average, ...] = ("macro", "weighted", "binary")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """The pairs of truth and prediction that occur: far fewer than all pairs of labels, where there are many.

    Attributes:
        truth: Index of the truth by pair, ascending, shape (pairs,).
        said: Index of the prediction by pair, shape (pairs,).
        sums: Adds up cells by pair.
    """

    truth: Counts
    said: Counts
    sums: sparse.csr_array


@dataclass(frozen=True, kw_only=True, eq=False)
class SideCells:
    """One side's cells, and how they add up by label: sparse matrices of ones, shape (labels, cells), made when needed.

    Attributes:
        labels: What the indexes below mean.
        truth: Index of the truth by cell, shape (cells,).
        said: Index of the side's prediction by cell, shape (cells,).
        is_class: Whether the label occurs in the truth, shape (labels,).
    """

    labels: tuple[Label, ...]
    truth: Counts
    said: Counts
    is_class: npt.NDArray[np.bool_]

    @cached_property
    def hits(self) -> sparse.csr_array:
        """Adds up a label's cells that are predicted as it."""
        hit = np.flatnonzero(self.truth == self.said)
        return _ones(self.truth[hit], hit, (len(self.labels), len(self.truth)))

    @cached_property
    def predicted(self) -> sparse.csr_array:
        """Adds up cells by prediction."""
        return _adding(self.said, len(self.labels))

    @cached_property
    def support(self) -> sparse.csr_array:
        """Adds up cells by truth."""
        return _adding(self.truth, len(self.labels))

    @cached_property
    def pairs(self) -> Pairs:
        """The distinct pairs of truth and prediction, and what adds up their cells."""
        k = len(self.labels)
        fused, pair = np.unique(self.truth * k + self.said, return_inverse=True)
        return Pairs(truth=fused // k, said=fused % k, sums=_adding(pair, len(fused)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """One side's counts, and their sums by label: all that these metrics depend on; each sum is made when asked for.

    Attributes:
        cells: The side's cells.
        weights: Rows by cell, shape (..., cells); or shares of them.
        other: The other side's totals of the same weights, where there are any: it has summed the same truth.
    """

    cells: SideCells
    weights: Sums
    other: Totals | None = None

    @property
    def labels(self) -> tuple[Label, ...]:
        """What the indexes of truth and prediction mean."""
        return self.cells.labels

    @property
    def truth(self) -> Counts:
        """Index of the truth by cell, shape (cells,)."""
        return self.cells.truth

    @property
    def said(self) -> Counts:
        """Index of the side's prediction by cell, shape (cells,)."""
        return self.cells.said

    @property
    def is_class(self) -> npt.NDArray[np.bool_]:
        """Whether the label occurs in the truth of the table resampled, shape (labels,)."""
        return self.cells.is_class

    @cached_property
    def hits(self) -> Floats:
        """Rows of the label predicted as it, shape (..., labels)."""
        return _added(self.cells.hits, self.weights)

    @cached_property
    def predicted(self) -> Floats:
        """Rows predicted as the label, shape (..., labels)."""
        return _added(self.cells.predicted, self.weights)

    @cached_property
    def support(self) -> Floats:
        """Rows whose truth is the label, shape (..., labels)."""
        return self.other.support if self.other else _added(self.cells.support, self.weights)

    @cached_property
    def by_pair(self) -> Floats:
        """Rows by pair of truth and prediction, shape (..., pairs)."""
        return _added(self.cells.pairs.sums, self.weights)

    @cached_property
    def confusion(self) -> Sums:
        """Rows by truth and prediction, shape (..., labels, labels)."""
        k, pairs = len(self.labels), self.cells.pairs
        kind = np.int64 if self.weights.dtype.kind == "i" else np.float64
        matrices = np.zeros((*self.weights.shape[:-1], k, k), dtype=kind)
        matrices[..., pairs.truth, pairs.said] = self.by_pair
        return matrices


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


def totals(outcomes: PairedOutcomes, side: Side, counts: Sums | None = None) -> Totals:
    """Sum a side's cells by label.

    Args:
        outcomes: The table.
        side: Whose predictions.
        counts: Counts of the same cells to use instead, shape (..., cells): resamples, for example.
    """
    cells = SideCells(
        labels=outcomes.labels,
        truth=outcomes.cells[:, 0],
        said=outcomes.predicted_by(side),
        is_class=outcomes.truth_support > 0,
    )
    return Totals(cells=cells, weights=outcomes.counts if counts is None else counts)


def both_totals(outcomes: PairedOutcomes) -> Callable[[Sums], tuple[Totals, Totals]]:
    """Prepare to sum many counts of a table's cells, shape (..., cells): champion's and challenger's totals."""
    cells, others = totals(outcomes, "champion").cells, totals(outcomes, "challenger").cells

    def of(weights: Sums) -> tuple[Totals, Totals]:
        champion = Totals(cells=cells, weights=weights)
        return champion, Totals(cells=others, weights=weights, other=champion)

    return of


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


def ratio(numerator: npt.NDArray[np.number], denominator: npt.NDArray[np.number]) -> Floats:
    """Divide what is 0 wherever it is divided by 0; that is 0."""
    bottom = np.asarray(denominator, dtype=np.float64)
    return np.asarray(numerator / (bottom + (bottom == 0)))


def _adding(group: Counts, groups: int) -> sparse.csr_array:
    """A matrix that adds up cells by group, shape (groups, cells)."""
    return _ones(group, np.arange(len(group)), (groups, len(group)))


def _ones(rows: Counts, columns: Counts, shape: tuple[int, int]) -> sparse.csr_array:
    # Of 32 bits, which a product with wider weights widens, and a product with narrow ones need not.
    return sparse.csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)


def _added(matrix: sparse.csr_array, weights: Sums) -> Floats:
    """Sum weights, shape (..., cells), to shape (..., groups): whole numbers exactly, as doubles below 2^53 are."""
    flat = weights.reshape(-1, weights.shape[-1])  # draws may lie cell by cell in memory; then nothing is copied
    return (matrix @ flat.T).astype(np.float64).T.reshape(*weights.shape[:-1], matrix.shape[0])
