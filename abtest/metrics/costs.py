"""What mistakes cost: the business's own metric, as expected cost per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from abtest.errors import InvalidInputError, near
from abtest.labels import Label, cast_label, kind_of
from abtest.metrics.classification import Metric, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.labels import LabelType
    from abtest.metrics.totals import Floats, SideCells, Totals

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
        means = PairLosses(lambda cells: self.matrix(cells.labels, cells.is_class)[cells.pairs.truth, cells.pairs.said])
        return Metric(name=COST, whole=means.overall, by_class=means.by_class, greater_is_better=False)

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


class PairLosses:
    """Means of a loss that hangs on a row's truth and prediction alone: the table of counts has all that it needs.

    Sums run in the order of pairs: then rounding is the same whichever side is called champion.

    Args:
        of_pairs: The loss of a row of each of a side's pairs, shape (pairs,); asked for once a table.
    """

    def __init__(self, of_pairs: Callable[[SideCells], Floats]) -> None:
        self._of_pairs = of_pairs
        self._known: WeakKeyDictionary[SideCells, Floats] = WeakKeyDictionary()

    def overall(self, of: Totals) -> Floats:
        """Mean loss over all rows, shape (...)."""
        return ratio(self._spent(of).sum(axis=-1), of.by_pair.sum(axis=-1))

    def by_class(self, of: Totals) -> Floats:
        """Mean loss over the rows of each label, shape (..., labels)."""
        truth = of.cells.pairs.truth
        starts = np.flatnonzero(np.diff(truth, prepend=-1))
        sums = np.zeros_like(of.support)
        sums[..., truth[starts]] = np.add.reduceat(self._spent(of), starts, axis=-1)
        return ratio(sums, of.support)

    def _spent(self, of: Totals) -> Floats:
        losses = self._known.get(of.cells)
        if losses is None:
            losses = self._known[of.cells] = self._of_pairs(of.cells)
        return of.by_pair * losses
