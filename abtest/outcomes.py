"""Paired outcomes: both sides' predictions and the truth on the same rows, tallied.

For hard labels of independent rows one sparse table of counts, ``N[y, champion, challenger]``, is a sufficient
statistic for everything this package computes: both confusion matrices, McNemar's table, every metric, and the paired
bootstrap of any of them. Tables merge by addition, exactly; so a pass over the data may be cut into batches, processes
or days.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import Label, LabelType, label_order, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping

Side: TypeAlias = Literal["champion", "challenger"]
SIDES: tuple[Side, Side] = ("champion", "challenger")
Counts: TypeAlias = npt.NDArray[np.int64]

_COLUMN: dict[Side, int] = {"champion": 1, "challenger": 2}
_DENSE_CELLS = 1 << 20  # up to here counting into a dense block beats sorting
_ROWS_TO_REFUSE_DISJOINT = 10  # fewer rows may all be wrong by chance; more, and the labels are spelled differently


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """Two-by-two counts of correctness on the same rows.

    Example:
        >>> table = Contingency(both=20, champion_only=12, challenger_only=2, neither=16)
        >>> table.n, table.discordant, table.effect
        (50, 14, -0.2)
    """

    both: int
    champion_only: int
    challenger_only: int
    neither: int

    @property
    def n(self) -> int:
        """Rows."""
        return self.both + self.champion_only + self.challenger_only + self.neither

    @property
    def discordant(self) -> int:
        """Rows on which exactly one side is right."""
        return self.champion_only + self.challenger_only

    @property
    def effect(self) -> float:
        """Challenger's accuracy minus the champion's; 0 where there are no rows."""
        return (self.challenger_only - self.champion_only) / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedOutcomes:
    """The sparse table ``N[y, champion, challenger]``.

    Attributes:
        labels: Every label that occurs as truth or prediction, of one type, sorted.
        cells: Shape (cells, 4): indexes into ``labels`` of truth, champion's and challenger's prediction, and a count
            of at least 1. Rows are unique and sorted, so equal tables are equal arrays.

    Example:
        >>> a = PairedOutcomes.from_predictions(["x", "y"], ["x", "x"], ["x", "y"])
        >>> a.contingency()
        Contingency(both=1, champion_only=0, challenger_only=1, neither=0)
        >>> (a + a).n
        4
    """

    labels: tuple[Label, ...]
    cells: Counts

    @classmethod
    def from_counts(cls, counts: Mapping[tuple[Label, Label, Label], int]) -> PairedOutcomes:
        """Build the table from counts keyed by (truth, champion, challenger), all labels of one type."""
        kept = {key: count for key, count in counts.items() if count}
        labels = tuple(sorted({label for key in kept for label in key}, key=label_order))
        index = {label: i for i, label in enumerate(labels)}
        rows = sorted((index[y], index[a], index[b], count) for (y, a, b), count in kept.items())
        cells = np.array(rows, dtype=np.int64).reshape(-1, 4)
        cells.flags.writeable = False
        return cls(labels=labels, cells=cells)

    @classmethod
    def from_predictions(
        cls, y_true: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike
    ) -> PairedOutcomes:
        """Tally three columns of equal length, reconciling their label types."""
        tally = Tally()
        tally.add(np.asarray(y_true), np.asarray(champion), np.asarray(challenger))
        return tally.outcomes()[0]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PairedOutcomes:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: The labels are no labels of one type, or the counts or indexes make no table.
        """
        try:
            labels, cells = tuple(data["labels"]), tuple(data["cells"])
        except (KeyError, TypeError):
            raise InvalidInputError("outcomes must hold the lists labels and cells.") from None
        kinds = {type(label) for label in labels}
        if len(kinds) > 1 or not kinds <= {bool, int, float, str}:
            raise InvalidInputError("outcomes.labels must be of one type: int, float, str or bool.")
        counts: Counter[tuple[Label, Label, Label]] = Counter()
        for cell in cells:
            if not _is_cell(cell, len(labels)):
                raise InvalidInputError(f"outcomes.cells holds {cell!r}, which points at no label or counts no row.")
            y, a, b, count = cell
            counts[labels[y], labels[a], labels[b]] += count
        return cls.from_counts(counts)

    def to_dict(self) -> dict[str, Any]:
        """Spell the table as plain data: ``labels`` and ``cells``."""
        return {"labels": list(self.labels), "cells": self.cells.tolist()}

    def to_counts(self) -> dict[tuple[Label, Label, Label], int]:
        """Spell the table as counts keyed by (truth, champion, challenger)."""
        label = self.labels
        return {(label[y], label[a], label[b]): count for y, a, b, count in self.cells.tolist()}

    def __add__(self, other: PairedOutcomes) -> PairedOutcomes:
        for ours, theirs in zip(self.labels[:1], other.labels[:1], strict=False):
            if type(ours) is not type(theirs):  # else 1 and True would merge, and 1 and '1' stay apart, and nobody hear
                raise LabelMismatchError(
                    f"Outcomes of {type(ours).__name__} and {type(theirs).__name__} labels do not add up "
                    f"({ours!r} vs {theirs!r}).",
                    hint="tally both with the same --label-type.",
                )
        return PairedOutcomes.from_counts(Counter(self.to_counts()) + Counter(other.to_counts()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PairedOutcomes):
            return NotImplemented
        # 1 == True == 1.0 in Python, but as labels they are three.
        same_labels = [(type(x), x) for x in self.labels] == [(type(x), x) for x in other.labels]
        return same_labels and np.array_equal(self.cells, other.cells)

    def __hash__(self) -> int:
        return hash((self.labels, self.cells.tobytes()))

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.cells[:, 3].sum())

    @property
    def counts(self) -> Counts:
        """The cells' counts, shape (cells,)."""
        return self.cells[:, 3]

    @property
    def truth_support(self) -> Counts:
        """Rows of each label in the truth, shape (labels,); 0 for a label that is only ever predicted."""
        return np.bincount(self.cells[:, 0], weights=self.counts, minlength=len(self.labels)).astype(np.int64)

    @property
    def classes(self) -> tuple[Label, ...]:
        """The classes of the truth, over which averages run."""
        return tuple(label for label, support in zip(self.labels, self.truth_support, strict=True) if support)

    def swapped(self) -> PairedOutcomes:
        """Let the sides change places."""
        return PairedOutcomes.from_counts({(y, b, a): count for (y, a, b), count in self.to_counts().items()})

    def predicted_by(self, side: Side) -> Counts:
        """The side's predictions by cell, as indexes into ``labels``, shape (cells,)."""
        return self.cells[:, _COLUMN[side]]

    def contingency(self, label: Label | None = None) -> Contingency:
        """Tally correctness over all rows, or over the rows whose truth is ``label``."""
        y, count = self.cells[:, 0], self.counts
        if label is not None:
            count = np.where(y == self.labels.index(label), count, 0)
        champion, challenger = self.predicted_by("champion") == y, self.predicted_by("challenger") == y
        return Contingency(
            both=int(count[champion & challenger].sum()),
            champion_only=int(count[champion & ~challenger].sum()),
            challenger_only=int(count[~champion & challenger].sum()),
            neither=int(count[~champion & ~challenger].sum()),
        )

    def confusion(self, side: Side) -> Counts:
        """One side's confusion matrix over ``labels``: truth by row, prediction by column, shape (labels, labels)."""
        k = len(self.labels)
        matrix = np.zeros((k, k), dtype=np.int64)
        np.add.at(matrix, (self.cells[:, 0], self.predicted_by(side)), self.counts)
        return matrix

    def with_majority_champion(self) -> tuple[PairedOutcomes, Label]:
        """Replace the champion by the majority-class predictor of this truth (the lowest class wins a tie)."""
        majority = self.labels[int(np.argmax(self.truth_support))]
        counts: Counter[tuple[Label, Label, Label]] = Counter()
        for (y, _, b), count in self.to_counts().items():
            counts[y, majority, b] += count
        return PairedOutcomes.from_counts(counts), majority


def _is_cell(cell: object, labels: int) -> bool:
    if not (isinstance(cell, list | tuple) and len(cell) == 4 and all(type(x) is int for x in cell)):
        return False
    return all(0 <= x < labels for x in cell[:3]) and bool(cell[3] >= 1)


class _Vocabulary:
    """Distinct raw values of one column, each with a code; 1, 1.0 and True stay apart."""

    def __init__(self) -> None:
        self._codes: dict[tuple[type, Label], int] = {}

    def encode(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        if values.dtype.kind in "OUT":
            python = values.tolist()
            codes = self._codes
            return np.fromiter((codes.setdefault((type(x), x), len(codes)) for x in python), np.int64, len(python))
        distinct, inverse = np.unique(values, return_inverse=True)
        known = [self._codes.setdefault((type(x), x), len(self._codes)) for x in distinct.tolist()]
        return np.asarray(known, dtype=np.int64)[inverse]

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def values(self) -> list[Label]:
        # Object columns may hold NumPy's own scalars: np.str_('cat') is 'cat'.
        return [value.item() if isinstance(value, np.generic) else value for _, value in self._codes]


class Tally:
    """Counts rows batch by batch, as they come; types are reconciled once at the end.

    Example:
        >>> tally = Tally()
        >>> tally.add(np.array(["0", "1"]), np.array([0, 0]), np.array([0, 1]))
        >>> outcomes, notices = tally.outcomes()
        >>> outcomes.labels, outcomes.n
        ((0, 1), 2)
    """

    def __init__(self) -> None:
        self._columns = (_Vocabulary(), _Vocabulary(), _Vocabulary())
        self._counts: Counter[tuple[int, int, int]] = Counter()

    def add(self, y_true: npt.NDArray[Any], champion: npt.NDArray[Any] | None, challenger: npt.NDArray[Any]) -> None:
        """Count one batch: three arrays of shape (rows,).

        Args:
            y_true: The truth.
            champion: The champion's predictions; None where there is no champion, in every batch: it is then taken to
                be right, until ``with_majority_champion`` says what it predicts.
            challenger: The challenger's predictions.

        Raises:
            InvalidInputError: They have other shapes; broadcasting would invent rows.
        """
        if champion is None:
            self._columns = (self._columns[0], self._columns[0], self._columns[2])
            champion = y_true
        shapes = [values.shape for values in (y_true, champion, challenger)]
        if len(shapes[0]) != 1 or len(set(shapes)) != 1:
            raise InvalidInputError(
                f"Truth, champion and challenger must be columns of equal length, got shapes {shapes[0]}, {shapes[1]} "
                f"and {shapes[2]}."
            )
        y, a, b = (
            column.encode(values) for column, values in zip(self._columns, (y_true, champion, challenger), strict=True)
        )
        sizes = tuple(len(column) for column in self._columns)
        fused = (y * sizes[1] + a) * sizes[2] + b
        if sizes[0] * sizes[1] * sizes[2] <= _DENSE_CELLS:
            dense = np.bincount(fused, minlength=1)
            cell = np.flatnonzero(dense)
            count = dense[cell]
        else:
            cell, count = np.unique(fused, return_counts=True)
        rest, code_b = np.divmod(cell, sizes[2])
        code_y, code_a = np.divmod(rest, sizes[1])
        keys = zip(code_y.tolist(), code_a.tolist(), code_b.tolist(), strict=True)
        self._counts.update(dict(zip(keys, count.tolist(), strict=True)))

    @property
    def n(self) -> int:
        """Rows counted so far."""
        return self._counts.total()

    @property
    def distinct_truths(self) -> int:
        """Distinct labels of the truth so far."""
        return len(self._columns[0])

    def outcomes(
        self, *, label_type: LabelType | None = None, truth_is_text: bool = False, all_text: bool = False
    ) -> tuple[PairedOutcomes, tuple[str, ...]]:
        """Reconcile the label types and return the table, with what there is to say about them.

        Raises:
            LabelMismatchError: Truth and predictions share no type, or no class at all.
            InvalidInputError: The truth is continuous, or predictions look like probabilities.
        """
        truth, champion, challenger = (column.values for column in self._columns)
        absent = self._columns[1] is self._columns[0]
        agreed = reconcile(
            truth, [] if absent else champion, challenger,
            label_type=label_type, truth_is_text=truth_is_text, all_text=all_text,
        )  # fmt: skip
        if absent:
            agreed = replace(agreed, champion=agreed.truth)
        counts: Counter[tuple[Label, Label, Label]] = Counter()
        for (y, a, b), count in self._counts.items():
            counts[agreed.truth[y], agreed.champion[a], agreed.challenger[b]] += count
        table = PairedOutcomes.from_counts(counts)
        return table, agreed.notices + _strangers(
            agreed.truth, {"champion": agreed.champion, "challenger": agreed.challenger}, table.n
        )


def _strangers(truth: tuple[Label, ...], predicted: dict[Side, tuple[Label, ...]], n: int) -> tuple[str, ...]:
    """Name predictions that are no class of the truth; refuse a side that never predicts one."""
    notices = []
    for side in SIDES:
        unseen = sorted(set(predicted[side]) - set(truth), key=label_order)
        if unseen and len(unseen) == len(set(predicted[side])) and n >= _ROWS_TO_REFUSE_DISJOINT:
            raise LabelMismatchError(
                f"The {side} never predicts a class of the truth ({unseen[0]!r} vs {min(truth, key=label_order)!r}).",
                hint="log the model with its class names, or map the labels.",
            )
        if unseen:
            more = f" and {len(unseen) - 1} more" if len(unseen) > 1 else ""
            notices.append(f"The {side} predicts {unseen[0]!r}{more}, never seen in the truth: counted as wrong.")
    return tuple(notices)
