"""Rows counted batch by batch, as they come; label types are reconciled once, over the distinct values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import SIDES, Label, Reconciled, Side, label_order, reconcile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import LabelType

LabelCounts: TypeAlias = Mapping[tuple[Label, Label, Label], int]
Codes: TypeAlias = npt.NDArray[np.int64]

_DENSE_CELLS = 1 << 20  # up to here counting into a dense block beats sorting
_ROWS_TO_REFUSE_DISJOINT = 10  # fewer rows may all be wrong by chance; more, and the labels are spelled differently


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Rows by (truth, champion, challenger), in all and by segment, and what was said about their labels."""

    rows: LabelCounts
    segments: Mapping[tuple[str, str], LabelCounts]
    notices: tuple[str, ...]


class Tally:
    """Counts rows batch by batch.

    Args:
        segments: The values of each segmentation by its name, in the order of their codes.

    Example:
        >>> tally = Tally({"region": ("EU", "US")})
        >>> tally.add(np.array(["0", "1"]), np.array([0, 0]), np.array([0, 1]), {"region": np.array([0, 0])})
        >>> counted = tally.counted()
        >>> counted.rows, counted.segments["region", "US"]
        (Counter({(0, 0, 0): 1, (1, 0, 1): 1}), Counter())
    """

    def __init__(self, segments: Mapping[str, Sequence[str]] | None = None) -> None:
        self._columns = (_Vocabulary(), _Vocabulary(), _Vocabulary())
        self._counts: Counter[tuple[int, ...]] = Counter()
        self._values = dict(segments or {})
        self._by_segment: dict[str, Counter[tuple[int, ...]]] = {name: Counter() for name in self._values}

    def add(
        self,
        y_true: npt.NDArray[Any],
        champion: npt.NDArray[Any] | None,
        challenger: npt.NDArray[Any],
        segments: Mapping[str, Codes] | None = None,
    ) -> None:
        """Count one batch: three arrays of shape (rows,).

        Args:
            y_true: The truth.
            champion: The champion's predictions; None where there is no champion, in every batch: it is then taken to
                be right, until ``with_majority_champion`` says what it predicts.
            challenger: The challenger's predictions.
            segments: By the name of each segmentation, the index of each row's value; shape (rows,).

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
        for name in self._values:
            if (segments or {})[name].shape != shapes[0]:
                raise InvalidInputError(f"segments: '{name}' must have the shape of the truth, {shapes[0]}.")
        codes = [
            column.encode(values) for column, values in zip(self._columns, (y_true, champion, challenger), strict=True)
        ]
        sizes = [len(column) for column in self._columns]
        fused = (codes[0] * sizes[1] + codes[1]) * sizes[2] + codes[2]
        self._counts.update(_counted(fused, sizes))
        for name, values in self._values.items():
            own = (segments or {})[name] * (sizes[0] * sizes[1] * sizes[2]) + fused
            self._by_segment[name].update(_counted(own, [len(values), *sizes]))

    @property
    def n(self) -> int:
        """Rows counted so far."""
        return self._counts.total()

    @property
    def distinct_truths(self) -> int:
        """Distinct labels of the truth so far."""
        return len(self._columns[0])

    def counted(
        self, *, label_type: LabelType | None = None, truth_is_text: bool = False, all_text: bool = False
    ) -> Counted:
        """Reconcile the label types and return the counts, with what there is to say about them.

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
        segments: dict[tuple[str, str], Counter[tuple[Label, Label, Label]]] = {
            (name, value): Counter() for name, values in self._values.items() for value in values
        }
        for name, counts in self._by_segment.items():
            for (code, *cell), count in counts.items():
                segments[name, self._values[name][code]][_key(agreed, cell)] += count
        rows: Counter[tuple[Label, Label, Label]] = Counter()
        for whole, count in self._counts.items():
            rows[_key(agreed, whole)] += count
        strangers = _strangers(agreed.truth, {"champion": agreed.champion, "challenger": agreed.challenger}, self.n)
        return Counted(rows=rows, segments=segments, notices=agreed.notices + strangers)


class _Vocabulary:
    """Distinct raw values of one column, each with a code; 1, 1.0 and True stay apart."""

    def __init__(self) -> None:
        self._codes: dict[tuple[type, Label], int] = {}

    def encode(self, values: npt.NDArray[Any]) -> Codes:
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


def _counted(fused: Codes, sizes: Sequence[int]) -> dict[tuple[int, ...], int]:
    """Count the rows of each fused code, and take the codes apart again."""
    if np.prod(sizes, dtype=np.float64) <= _DENSE_CELLS:
        dense = np.bincount(fused, minlength=1)
        cell = np.flatnonzero(dense)
        count = dense[cell]
    else:
        cell, count = np.unique(fused, return_counts=True)
    parts = np.unravel_index(cell, sizes)
    return dict(zip(zip(*(part.tolist() for part in parts), strict=True), count.tolist(), strict=True))


def _key(agreed: Reconciled, cell: Sequence[int]) -> tuple[Label, Label, Label]:
    y, a, b = cell
    return agreed.truth[y], agreed.champion[a], agreed.challenger[b]


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
