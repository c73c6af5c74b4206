"""A column of labels by code: each distinct label once, and which one each row has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.labels import Label

Array: TypeAlias = npt.NDArray[Any]
Codes: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]

_FEW = 32  # so many codes may stand for labels that do not occur: tables of them are small all the same
_BYTE, _WORD = 1 << 8, 1 << 16
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coded:
    """Labels of the rows of a batch.

    Attributes:
        codes: Of the narrowest type that holds them, shape (rows,).
        values: What they mean, by code, as they came; some may not occur.

    Example:
        >>> column = Coded.of(np.array([50, 70, 50]))
        >>> column.codes, column.values, column.decoded()
        (array([ 0, 20,  0], dtype=uint8), range(50, 71), array([50, 70, 50]))
    """

    codes: Codes
    values: Sequence[Label]

    @classmethod
    def of(cls, labels: Array | Coded) -> Coded:
        """Code an array of labels, shape (rows,); one that is coded already stays as it is."""
        if isinstance(labels, Coded):
            return labels
        kind = labels.dtype.kind
        if kind in "OUT":
            return cls.by_value(labels.tolist())
        if kind == "b":
            return cls(codes=labels.astype(np.uint8), values=(False, True))
        return _by_bits(labels) or _by_range(labels) or _sorted(labels)

    @classmethod
    def by_value(cls, labels: Sequence[Label]) -> Coded:
        """Code labels of any types, in the order in which they first occur; 1, 1.0 and True stay apart."""
        known: dict[tuple[type, Label], int] = {}
        codes = np.fromiter((known.setdefault((type(x), x), len(known)) for x in labels), np.int64, len(labels))
        # Object columns may hold NumPy's own scalars: np.str_('cat') is 'cat'.
        values = tuple(value.item() if isinstance(value, np.generic) else value for _, value in known)
        return cls(codes=narrowed(codes, len(known)), values=values)

    @classmethod
    def compact(cls, codes: npt.NDArray[np.integer[Any]], values: Sequence[Label]) -> Coded:
        """Leave out labels that do not occur, where they are many and most of all."""
        if len(values) <= _FEW:
            return cls(codes=narrowed(codes, len(values)), values=values)
        occurs = np.bincount(codes, minlength=len(values)) > 0
        if 2 * np.count_nonzero(occurs) >= len(values):
            return cls(codes=narrowed(codes, len(values)), values=values)
        kept = np.flatnonzero(occurs).tolist()
        renumbered = narrowed(np.cumsum(occurs) - 1, len(kept))  # of those that do not occur, nobody asks
        return cls(codes=renumbered[codes], values=tuple(values[i] for i in kept))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def shape(self) -> tuple[int, ...]:
        """As an array's."""
        return self.codes.shape

    def __getitem__(self, rows: npt.NDArray[np.bool_] | slice) -> Coded:
        return Coded(codes=self.codes[rows], values=self.values)

    def decoded(self) -> Array:
        """The labels as an array, text as objects; shape (rows,)."""
        kinds = set(map(type, self.values))
        plain = len(kinds) == 1 and str not in kinds
        if kinds == {int}:  # of small and of huge ones NumPy would make doubles
            plain = all(_LEAST <= value <= _MOST for value in self.values)  # type: ignore[operator] # they are integers
        return np.array([*self.values], dtype=None if plain else object)[self.codes]


def narrowed(codes: npt.NDArray[np.number[Any]], distinct: int) -> Codes:
    """Store codes in the narrowest type that holds so many."""
    kind = np.uint8 if distinct <= _BYTE else np.uint16 if distinct <= _WORD else np.uint32
    return codes.astype(kind, copy=False)


def _by_bits(numbers: Array) -> Coded | None:
    """Take small whole numbers for their own codes: one look at their bits where least and most would take two."""
    if numbers.dtype.kind == "f" or not numbers.size:
        return None
    bits = int(np.bitwise_or.reduce(numbers))
    return Coded(codes=numbers.astype(np.uint8), values=range(bits + 1)) if 0 <= bits < _FEW else None


def _by_range(numbers: Array) -> Coded | None:
    """Code numbers that lie close together by their distance from the least: no sorting. None where they do not."""
    if not numbers.size:
        return Coded(codes=np.zeros(0, dtype=np.uint8), values=())
    is_float = numbers.dtype.kind == "f"
    least, most = numbers.min(), numbers.max()
    if is_float and not (np.isfinite(least) and np.isfinite(most) and least == np.floor(least)):
        return None
    distinct = int(most) - int(least) + 1
    if distinct > min(_WORD, max(_BYTE, numbers.size)):
        return None
    # Where a difference overflows its type it wraps around, to the same narrow code.
    codes = narrowed(numbers - least if least else numbers, distinct)
    if not is_float:
        return Coded.compact(codes, range(int(least), int(most) + 1))
    if not np.array_equal(codes + least, numbers):
        return None
    return Coded.compact(codes, tuple(float(int(least) + i) for i in range(distinct)))


def _sorted(numbers: Array) -> Coded:
    distinct, inverse = np.unique(numbers, return_inverse=True)
    return Coded(codes=narrowed(inverse, distinct.size), values=tuple(distinct.tolist()))
