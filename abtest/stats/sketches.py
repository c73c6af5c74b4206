"""What a column held, in a few thousand counts that add up: numbers by how they are stored, and values by how often.

Both sketches are functions of the rows alone: however rows are cut into batches, and in whatever order these are added
up, the sketch of all of them is the same, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = npt.NDArray[np.int64]

BINS = 1024  # of numbers, at most
VALUES = 1000  # told apart, at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """How numbers are distributed, in bins of their leading bits; merging is ``+``.

    A double's bits, read as an integer, ascend with it. Bins are all integers that agree but for the last ``shift``
    bits, and ``shift`` is the least with which at most ``BINS`` bins are not empty: few distinct numbers are told apart
    exactly, and many to within a small share of themselves, however widely they are spread.

    Attributes:
        shift: How many of the last bits are left out.
        bins: The bins that hold numbers, ascending, shape (bins,).
        counts: How many numbers each holds, shape (bins,).
        missing: Rows without a number: null, or NaN.
        infinite: Rows with an infinite one; they are in no bin.
        least: The least finite number; None where there is none.
        most: The greatest.
    """

    shift: int
    bins: Counts
    counts: Counts
    missing: int = 0
    infinite: int = 0
    least: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, numbers: npt.ArrayLike) -> Numbers:
        """Sketch numbers of any numeric type, shape (rows,)."""
        raise NotImplementedError

    @property
    def n(self) -> int:
        """Rows with a finite number."""
        raise NotImplementedError

    def __add__(self, other: Numbers) -> Numbers:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Spell the sketch as plain data, small."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """How often each value of a column of text or booleans occurs; merging is ``+``.

    Of more than ``VALUES`` distinct ones, those of the smallest hashes are told apart, and the others are counted
    together: a fixed random choice, the same in every sketch.

    Attributes:
        counts: How many rows have each value that is told apart.
        rest: Rows with others.
        missing: Rows without a value.
    """

    counts: Mapping[str, int]
    rest: int = 0
    missing: int = 0

    @classmethod
    def of(cls, values: Mapping[str, int], *, missing: int = 0) -> Values:
        """Sketch values, given how often each occurs."""
        raise NotImplementedError

    @property
    def n(self) -> int:
        """Rows with a value."""
        raise NotImplementedError

    def __add__(self, other: Values) -> Values:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Spell the sketch as plain data, small."""
        raise NotImplementedError


Sketch: TypeAlias = Numbers | Values


def from_dict(data: object) -> Sketch:
    """Read what either sketch's ``to_dict`` wrote.

    Raises:
        InvalidInputError: It is none.
    """
    raise NotImplementedError
