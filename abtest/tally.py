"""Rows counted batch by batch, as they come; label types are reconciled once, over the distinct values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.coded import Array, Coded, narrowed
from abtest.counting import Counts, CountTable, merged
from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import SIDES, Label, Side, label_order, reconcile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import LabelType

Codes: TypeAlias = npt.NDArray[np.integer[Any]]

MOST_LABELS = 1 << 16  # of a column: with those of the other two, 18 bits hold them
_MOST_CODES = 1 << 18  # of a column: batches bring codes of labels that do not occur, too
_BLOCK = 1 << 16  # rows: their codes stay in a core's cache
_ROWS_TO_REFUSE_DISJOINT = 10  # fewer rows may all be wrong by chance; more, and the labels are spelled differently


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Rows by truth, champion and challenger, in all and by segment, and what was said about their labels.

    Attributes:
        labels: Every label that occurs, of one type, sorted.
        cells: Shape (cells, 4): indexes into ``labels`` of truth, champion and challenger, and how many rows; sorted.
        segments: The same of each segment that has rows, by (name, value).
        notices: What was cast, and what is no class of the truth.
    """

    labels: tuple[Label, ...]
    cells: Counts
    segments: Mapping[tuple[str, str], Counts]
    notices: tuple[str, ...]


class Tally:
    """Counts rows batch by batch.

    Args:
        segments: The values of each segmentation by its name, in the order of their codes.

    Example:
        >>> tally = Tally({"region": ("EU", "US")})
        >>> tally.add(np.array(["0", "1"]), np.array([0, 0]), np.array([0, 1]), {"region": np.array([0, 0])})
        >>> counted = tally.counted()
        >>> counted.labels, counted.cells.tolist(), list(counted.segments)
        ((0, 1), [[0, 0, 0, 1], [1, 0, 1, 1]], [('region', 'EU')])
    """

    def __init__(self, segments: Mapping[str, Sequence[str]] | None = None) -> None:
        self._columns = (Vocabulary("target"), Vocabulary("champion"), Vocabulary("challenger"))
        self._values = dict(segments or {})
        self._whole = CountTable()
        self._by_segment = {name: CountTable() for name in self._values}
        self._n = 0

    def add(
        self,
        y_true: Array | Coded,
        champion: Array | Coded | None,
        challenger: Array | Coded,
        segments: Mapping[str, Codes] | None = None,
        *,
        counts: Counts | None = None,
    ) -> None:
        """Count one batch: three columns of shape (rows,).

        Args:
            y_true: The truth.
            champion: The champion's predictions; None where there is no champion, in every batch: it is then taken to
                be right, until ``with_majority_champion`` says what it predicts.
            challenger: The challenger's predictions.
            segments: By the name of each segmentation, the index of each row's value; shape (rows,).
            counts: How many rows each stands for, shape (rows,), where others have counted before; 1 by default.

        Raises:
            InvalidInputError: They have other shapes, as broadcasting would invent rows; or there are too many labels.
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
        for name in self._values:
            if (segments or {})[name].shape != shapes[0]:
                raise InvalidInputError(f"segments: '{name}' must have the shape of the truth, {shapes[0]}.")
        for start in range(0, shapes[0][0], _BLOCK):
            part = slice(start, start + _BLOCK)
            codes = [
                column.encode(Coded.of(values[part]))
                for column, values in zip(self._columns, (y_true, champion, challenger), strict=True)
            ]
            own = None if counts is None else counts[part]
            sizes = [len(column) for column in self._columns]
            self._whole.add(codes, sizes, own)
            for name, values in self._values.items():
                self._by_segment[name].add([(segments or {})[name][part], *codes], [len(values), *sizes], own)
        self._n += shapes[0][0] if counts is None else int(counts.sum())
        for at, column in enumerate(self._columns):
            if len(column) > MOST_LABELS and len(_occurring(self._whole.cells(3)[:, at])) > MOST_LABELS:
                raise column.too_many()

    @property
    def n(self) -> int:
        """Rows counted so far."""
        return self._n

    @property
    def distinct_truths(self) -> int:
        """Distinct labels of the truth so far."""
        return len(_occurring(self._whole.cells(3)[:, 0]))

    def has_more_truths(self, most: float) -> bool:
        """Whether the truth has more than so many distinct labels so far; cheap where it has far fewer."""
        return len(self._columns[0]) > most and self.distinct_truths > most

    def counted(
        self, *, label_type: LabelType | None = None, truth_is_text: bool = False, all_text: bool = False
    ) -> Counted:
        """Reconcile the label types and return the counts, with what there is to say about them.

        Raises:
            LabelMismatchError: Truth and predictions share no type, or no class at all.
            InvalidInputError: The truth is continuous, or predictions look like probabilities.
        """
        cells = self._whole.cells(3)
        occurring = [_occurring(cells[:, at]) for at in range(3)]
        found = [
            [column.values[i] for i in codes.tolist()]
            for column, codes in zip(self._columns, occurring, strict=True)
        ]  # fmt: skip
        absent = self._columns[1] is self._columns[0]
        agreed = reconcile(
            found[0], [] if absent else found[1], found[2],
            label_type=label_type, truth_is_text=truth_is_text, all_text=all_text,
        )  # fmt: skip
        if absent:
            agreed = replace(agreed, champion=agreed.truth)
        spelled = (agreed.truth, agreed.champion, agreed.challenger)
        labels = tuple(sorted({label for column in spelled for label in column}))  # of one type
        index = {label: i for i, label in enumerate(labels)}
        lookups = []
        for column, codes, own in zip(self._columns, occurring, spelled, strict=True):
            lookup = np.zeros(len(column), dtype=np.int64)
            lookup[codes] = [index[label] for label in own]
            lookups.append(lookup)
        segments: dict[tuple[str, str], Counts] = {}
        for name, table in self._by_segment.items():
            own_cells = _spelled(table.cells(4), lookups)
            starts = np.searchsorted(own_cells[:, 0], np.arange(len(self._values[name]) + 1))
            for value, start, end in zip(self._values[name], starts[:-1], starts[1:], strict=True):
                if end > start:
                    segments[name, value] = own_cells[start:end, 1:]
        strangers = _strangers(agreed.truth, {"champion": agreed.champion, "challenger": agreed.challenger}, self.n)
        return Counted(
            labels=labels, cells=_spelled(cells, lookups), segments=segments, notices=agreed.notices + strangers
        )


class Vocabulary:
    """Distinct raw labels of one column, each with a code; 1, 1.0 and True stay apart."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._codes: dict[tuple[type, Label], int] = {}
        self.values: list[Label] = []
        self._last: tuple[Sequence[Label], Codes] = (), np.zeros(0, dtype=np.uint8)
        self._same = True

    def encode(self, column: Coded) -> Codes:
        """Give our codes of the rows; ``values`` has their labels."""
        values, start, last = column.values, 0, self._last[0]
        if isinstance(values, range) and isinstance(last, range):
            wide = _widened(last, values)
            values, start = wide, values.start - wide.start
        if not _same(values, self._last[0]):
            self._last = values, self._lookup(values)
            self._same = np.array_equal(self._last[1], np.arange(len(values)))
        return column.codes if self._same and not start else self._last[1][start:][column.codes]

    def __len__(self) -> int:
        return len(self.values)

    def too_many(self) -> InvalidInputError:
        """What to say of more labels than there can be."""
        what = "The target has" if self._name == "target" else f"The {self._name} predicts"
        return InvalidInputError(
            f"{what} more than {MOST_LABELS:,} distinct values, too many for classes.",
            hint="--task regression compares predicted numbers.",
        )

    def _lookup(self, values: Sequence[Label]) -> Codes:
        """Our code by another's."""
        codes = [self._codes.setdefault((type(x), x), len(self._codes)) for x in values]
        self.values.extend(label for _, label in itertools.islice(self._codes, len(self.values), None))
        if len(self.values) > _MOST_CODES:
            raise self.too_many()
        return narrowed(np.array(codes, dtype=np.int64), len(self.values))


def _widened(known: range, other: range) -> range:
    """Both ranges in one, if it is about as long as both: from batch to batch the extremes vary."""
    if not (known and other):
        return other
    least, most = min(known[0], other[0]), max(known[-1], other[-1])
    # Python's len() takes no range of more than 63 bits.
    return range(least, most + 1) if most - least < len(known) + len(other) else other


def _occurring(codes: Counts) -> Counts:
    return np.flatnonzero(np.bincount(codes))


def _same(one: Sequence[Label], other: Sequence[Label]) -> bool:
    """Whether two sequences hold the same labels of the same types."""
    if isinstance(one, range) or isinstance(other, range):
        return one == other
    return one == other and [*map(type, one)] == [*map(type, other)]


def _spelled(cells: Counts, lookups: Sequence[npt.NDArray[np.int64]]) -> Counts:
    """Put labels' indexes in the place of raw codes, in the last three columns before the count; equal cells merge."""
    last = cells.shape[1] - 1
    columns = [cells[:, at] for at in range(last - 3)]
    columns += [lookup[cells[:, last - 3 + i]] for i, lookup in enumerate(lookups)]
    return merged(np.column_stack([*columns, cells[:, last]]))


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
