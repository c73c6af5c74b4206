"""Counts of a table's cells, summed by label: one table, or ten thousand resamples of it at once.

Sums are products with sparse matrices of ones, which are made once a table. Nothing is laid out by label and label
unless a metric asks for it: ten thousand labels make a hundred million pairs, of which few occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.labels import Label
from abtest.outcomes import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_array  # noqa: TC004 - only named in records; whoever reads a policy need not load it

    from abtest.labels import Side
    from abtest.outcomes import PairedOutcomes

Floats: TypeAlias = npt.NDArray[np.float64]
Sums: TypeAlias = npt.NDArray[Any]  # whole numbers of any width, or shares


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
    sums: csr_array


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
    def hits(self) -> csr_array:
        """Adds up a label's cells that are predicted as it."""
        hit = np.flatnonzero(self.truth == self.said)
        return _ones(self.truth[hit], hit, (len(self.labels), len(self.truth)))

    @cached_property
    def predicted(self) -> csr_array:
        """Adds up cells by prediction."""
        return _adding(self.said, len(self.labels))

    @cached_property
    def support(self) -> csr_array:
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


def _adding(group: Counts, groups: int) -> csr_array:
    """A matrix that adds up cells by group, shape (groups, cells)."""
    return _ones(group, np.arange(len(group)), (groups, len(group)))


def _ones(rows: Counts, columns: Counts, shape: tuple[int, int]) -> csr_array:
    from scipy import sparse  # noqa: PLC0415 - this module is imported to read a policy, which sums nothing

    # Of 32 bits, which a product with wider weights widens, and a product with narrow ones need not.
    return sparse.csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)


def _added(matrix: csr_array, weights: Sums) -> Floats:
    """Sum weights, shape (..., cells), to shape (..., groups): whole numbers exactly, as doubles below 2^53 are."""
    flat = weights.reshape(-1, weights.shape[-1])  # draws may lie cell by cell in memory; then nothing is copied
    return (matrix @ flat.T).astype(np.float64).T.reshape(*weights.shape[:-1], matrix.shape[0])
