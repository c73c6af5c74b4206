"""What mistakes cost: the business's own metric, as expected cost per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from abtest.errors import InvalidInputError, near
from abtest.labels import Label, cast_label, kind_of
from abtest.metrics.classification import Floats, Metric, Totals, ratio

if TYPE_CHECKING:
    from abtest.labels import LabelType
    from abtest.outcomes import Counts

COST = "cost"
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMatrix:
    """The cost of predicting j when the truth is i.

    Attributes:
        costs: By truth, then prediction. What is right costs nothing unless it is listed.
    """

    costs: Mapping[str, Mapping[str, float]]

    def metric(self) -> Metric:
        """Cost per row, of all rows or of a class's; less is better."""
        return Metric(name=COST, whole=self.per_row, by_class=self.per_row_of_class, greater_is_better=False)

    def per_row(self, of: Totals) -> Floats:
        """Mean cost over all rows, shape (...)."""
        spent, _ = self._spent(of)
        return ratio(spent.sum(axis=-1), of.n)

    def per_row_of_class(self, of: Totals) -> Floats:
        """Mean cost over the rows of each label, shape (..., labels)."""
        return ratio(sums_by_truth(*self._spent(of), len(of.labels)), of.support)

    def _spent(self, of: Totals) -> tuple[Floats, Counts]:
        return spread(of, self.matrix(of.labels, of.is_class)[of.truth, of.said])

    def matrix(self, labels: tuple[Label, ...], is_class: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
        """Lay the costs out over labels: truth by row, prediction by column, shape (labels, labels).

        Args:
            labels: Every label that occurs.
            is_class: Which of them occur in the truth; only their mistakes cost anything.

        Raises:
            InvalidInputError: The costs do not fit the labels.

        Example:
            >>> CostMatrix(costs={"0": {"1": 1}, "1": {"0": 5}}).matrix((0, 1), np.array([True, True]))
            array([[0., 1.],
                   [5., 0.]])
        """
        kind = kind_of(labels)
        rows = self._by_label(self.costs, kind, "costs")
        matrix = np.zeros((len(labels), len(labels)))
        for i, truth in enumerate(labels):
            if not is_class[i]:
                continue
            if truth not in rows:
                raise self._misfit(f"costs has no row for the class {truth!r}", str(truth), self.costs)
            known = self._by_label(rows[truth], kind, f"costs.{truth}")
            for j, predicted in enumerate(labels):
                if predicted in known:
                    matrix[i, j] = known[predicted]
                elif i != j:
                    what = f"costs does not say what {truth!r} taken for {predicted!r} costs"
                    raise self._misfit(what, str(predicted), rows[truth])
        return matrix

    @staticmethod
    def _by_label(table: Mapping[str, Value], kind: LabelType, where: str) -> dict[Label, Value]:
        """Read a table's keys as labels."""
        read: dict[Label, Value] = {}
        for text, value in table.items():
            try:
                label = cast_label(text, kind)
            except ValueError:
                raise InvalidInputError(
                    f"{where} names the class {text!r}, but the labels are {kind}.",
                    hint="name the classes as the data do.",
                ) from None
            if label in read:  # as "1" and "1.0" do
                raise InvalidInputError(f"{where} names the class {label!r} twice.", hint=f"remove {text!r}.")
            read[label] = value
        return read

    @staticmethod
    def _misfit(what: str, name: str, known: Mapping[str, object]) -> InvalidInputError:
        hint = near(name, list(known)) or "list every mistake in [policy.costs]."
        return InvalidInputError(f"{what}.", hint=hint)


def spread(of: Totals, losses: Floats) -> tuple[Floats, Counts]:
    """Lay what each cell's rows lose out over the cells: sums of shape (..., cells), and the cells' truth.

    Cells are put in the order of truth and prediction: then rounding is the same whichever side is called champion.
    Nothing is laid out by label and label for each resample, which at hundreds of labels would fill gigabytes.

    Args:
        of: One side's totals.
        losses: Of one row of each cell, shape (cells,).
    """
    order = np.lexsort((of.said, of.truth))
    return of.weights[..., order] * losses[order], of.truth[order]


def sums_by_truth(spent: Floats, truth: Counts, labels: int) -> Floats:
    """Add up by label of the truth, shape (..., labels); what ``spread`` gives comes in its order."""
    sums = np.zeros((*spent.shape[:-1], labels))
    starts = np.flatnonzero(np.diff(truth, prepend=-1))
    sums[..., truth[starts]] = np.add.reduceat(spent, starts, axis=-1)
    return sums
