"""What mistakes cost: the business's own metric, as expected cost per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abtest.errors import InvalidInputError, near
from abtest.labels import Label, cast_label, kind_of
from abtest.metrics.classification import Floats, Metric, Totals, ratio

if TYPE_CHECKING:
    from abtest.labels import LabelType

COST = "cost"


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
        return ratio(of.weights @ self.matrix(of.labels, of.is_class)[of.truth, of.said], of.n)

    def per_row_of_class(self, of: Totals) -> Floats:
        """Mean cost over the rows of each label, shape (..., labels)."""
        return ratio((of.confusion * self.matrix(of.labels, of.is_class)).sum(axis=-1), of.support)

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
        rows = {self._label(truth, kind): own for truth, own in self.costs.items()}
        matrix = np.zeros((len(labels), len(labels)))
        for i, truth in enumerate(labels):
            if not is_class[i]:
                continue
            if truth not in rows:
                raise self._misfit(f"names no cost for the class {truth!r}", str(truth), self.costs)
            known = {self._label(predicted, kind): cost for predicted, cost in rows[truth].items()}
            for j, predicted in enumerate(labels):
                if predicted in known:
                    matrix[i, j] = known[predicted]
                elif i != j:
                    what = f"names no cost for {truth!r} taken for {predicted!r}"
                    raise self._misfit(what, str(predicted), rows[truth])
        return matrix

    def _label(self, text: str, kind: LabelType) -> Label:
        try:
            return cast_label(text, kind)
        except ValueError:
            raise InvalidInputError(
                f"costs names the class {text!r}, but the labels are {kind}.", hint="name the classes as the data do."
            ) from None

    @staticmethod
    def _misfit(what: str, name: str, known: Mapping[str, object]) -> InvalidInputError:
        hint = near(name, list(known)) or "list every mistake in [policy.costs]."
        return InvalidInputError(f"costs {what}.", hint=hint)
