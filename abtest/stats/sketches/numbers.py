"""How numbers are distributed, in bins of their leading bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError
from abtest.stats.sketches.spelled import MOST, expect_names, read_count, read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

Counts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

BINS = 1024  # at most
_INFINITY = 0x7FF << 52  # the bits of an infinite double; those of NaN are more
_NORMAL = 1 << 52  # of the least normal double, 2.2e-308: what is smaller counts as 0
_SAMPLE = 1 << 15  # rows that say how coarse bins must be at least


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """How numbers are distributed, in bins of their leading bits; merging is ``+``.

    A double's bits, read as an integer, ascend with it. Bins are all integers that agree but for the last ``shift``
    bits, and ``shift`` is the least with which at most ``BINS`` bins are not empty: few distinct numbers are told apart
    exactly, and many to within a small share of themselves, however widely they are spread. A number below 2.2e-308 in
    size counts as 0, and 0 has a bin of its own (but where numbers are of a thousand magnitudes, and ``shift`` is 53).

    Attributes:
        shift: How many of the last bits are left out.
        bins: The bins that hold numbers, ascending, shape (bins,).
        counts: How many numbers each holds, shape (bins,).
        missing: Rows without a number: null, or NaN.
        infinite: Rows with an infinite one; they are in no bin.
        least: The least finite number; None where there is none.
        most: The greatest.

    Example:
        >>> sketch = Numbers.of([1.0, 2.0, float("nan")]) + Numbers.of([2.0, 7.5])
        >>> sketch.n, sketch.missing, sketch.least, sketch.most, sketch.quantile(0.5)
        (4, 1, 1.0, 7.5, 2.0)
    """

    shift: int
    bins: Counts
    counts: Counts
    missing: int = 0
    infinite: int = 0
    least: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, numbers: npt.ArrayLike, *, missing: int = 0) -> Numbers:
        """Sketch numbers of any numeric type, shape (rows,); integers are taken as doubles.

        Args:
            numbers: One a row; NaN is missing.
            missing: Rows without a number that are not among them.

        Raises:
            InvalidInputError: They are no column of numbers.
        """
        keys = _keys(_column(numbers))
        rows, infinite = keys.size, 0
        if rows and (int(keys.min()) <= -_INFINITY or int(keys.max()) >= _INFINITY):
            size = np.abs(keys)
            infinite = int(np.count_nonzero(size == _INFINITY))
            keys = keys[size < _INFINITY]
        missing += rows - keys.size - infinite
        if not keys.size:
            none = np.empty(0, dtype=np.int64)
            return cls(shift=0, bins=none, counts=none, missing=missing, infinite=infinite)
        low, high = int(keys.min()), int(keys.max())
        shift, bins, counts = _fitted(*_counted(keys, low, high))
        least, most = _numbers(np.array([low, high])).tolist()
        ends = {"least": least, "most": most}
        return cls(shift=shift, bins=bins, counts=counts, missing=missing, infinite=infinite, **ends)

    @property
    def n(self) -> int:
        """Rows with a finite number."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.n + self.missing + self.infinite

    def __add__(self, other: Numbers) -> Numbers:
        if not isinstance(other, Numbers):
            return NotImplemented
        shift = max(self.shift, other.shift)
        bins = np.concatenate([it.bins >> (shift - it.shift) for it in (self, other)])
        order = np.argsort(bins, kind="stable")
        shift, bins, counts = _fitted(shift, bins[order], np.concatenate([self.counts, other.counts])[order])
        return Numbers(
            shift=shift,
            bins=bins,
            counts=counts,
            missing=self.missing + other.missing,
            infinite=self.infinite + other.infinite,
            least=min((it for it in (self.least, other.least) if it is not None), default=None),
            most=max((it for it in (self.most, other.most) if it is not None), default=None),
        )

    def within(self, shift: int, bins: Counts) -> Counts:
        """Count the numbers in coarser bins, shape (bins,).

        Args:
            shift: At least the sketch's own.
            bins: Ascending; every number is in one of them.
        """
        at = np.searchsorted(bins, self.bins >> (shift - self.shift))
        counts = np.zeros(bins.size, dtype=np.int64)
        np.add.at(counts, at, self.counts)
        return counts

    def wide(self) -> npt.NDArray[np.bool_]:
        """Say of each bin whether it may hold different numbers, shape (bins,)."""
        if not self.shift:
            return np.zeros(self.bins.size, dtype=bool)
        return np.asarray((self.bins != 0) | ((1 << self.shift) > _NORMAL))

    def middles(self) -> Floats:
        """Give each bin's middle, within the least and the greatest number, shape (bins,)."""
        first = self.bins << self.shift
        middle = _numbers(first) / 2 + _numbers(first + ((1 << self.shift) - 1)) / 2
        return np.clip(middle, self.least, self.most)

    def quantile(self, q: float) -> float | None:
        """Find the least number that at least a share ``q`` of the numbers does not exceed; None where there are none.

        It is the middle of its bin, and exact where ``shift`` is 0.
        """
        if not 0 <= q <= 1:
            raise InvalidInputError(f"q must be in [0, 1], got {q}.")
        if not self.bins.size:
            return None
        reached = np.searchsorted(np.cumsum(self.counts), max(1, math.ceil(q * self.n)))
        return float(self.middles()[min(int(reached), self.bins.size - 1)])

    def to_dict(self) -> dict[str, Any]:
        """Spell the sketch as plain data, small: bins as steps from one to the next, in units that divide them all."""
        zeros = _zeros(self.bins)
        units = (self.bins >> zeros).tolist()  # Python's integers: a step may be longer than 63 bits
        return {
            "kind": "numbers",
            "shift": self.shift,
            "zeros": zeros,
            "steps": units[:1] + [after - before for before, after in pairwise(units)],
            "counts": self.counts.tolist(),
            "missing": self.missing,
            "infinite": self.infinite,
            "least": self.least,
            "most": self.most,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Numbers:
        """Read what ``to_dict`` wrote.

        Raises:
            Exception: It is not that; ``sketches.from_dict`` says so in a sentence.
        """
        expect_names(data, {"kind", "shift", "zeros", "steps", "counts", "missing", "infinite", "least", "most"})
        shift, zeros = read_count(data["shift"], 63), read_count(data["zeros"], 63)
        steps = [read_whole(step) for step in data["steps"]]
        counts = [read_count(count) for count in data["counts"]]
        if len(steps) != len(counts) or len(counts) > BINS or any(step < 1 for step in steps[1:]) or 0 in counts:
            raise ValueError("bins must ascend, at most 1024 of them, and none be empty")
        bins = np.array([unit << zeros for unit in accumulate(steps)], dtype=np.int64)
        least, most = _read_ends(data["least"], data["most"], bins, shift)
        return cls(
            shift=shift,
            bins=bins,
            counts=np.array(counts, dtype=np.int64),
            missing=read_count(data["missing"]),
            infinite=read_count(data["infinite"]),
            least=least,
            most=most,
        )


def _column(numbers: npt.ArrayLike) -> Floats:
    try:
        column = np.ascontiguousarray(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"numbers must be numbers, got {np.asarray(numbers).dtype}.") from None
    if np.ndim(numbers) != 1:
        raise InvalidInputError(f"numbers must be one a row, got shape {np.shape(numbers)}.")
    return column


def _keys(numbers: Floats) -> Counts:
    """Read doubles as integers that ascend with them, and 0 as 0; shape (rows,)."""
    bits = numbers.view(np.int64)
    keys, sign = bits & MOST, bits >> 63
    keys *= keys >= _NORMAL
    keys ^= sign
    keys -= sign
    return keys


def _numbers(keys: Counts) -> Floats:
    """Read such integers as doubles, within the finite ones; shape (keys,)."""
    size = np.abs(np.clip(keys, 1 - _INFINITY, _INFINITY - 1))
    return np.where(size < _NORMAL, 0.0, np.copysign(size.view(np.float64), keys))


def _zeros(keys: Counts) -> int:
    """Count the last bits that are 0 in all of them."""
    union = int(np.bitwise_or.reduce(keys)) if keys.size else 0
    return (union & -union).bit_length() - 1 if union else 0


def _counted(keys: Counts, low: int, high: int) -> tuple[int, Counts, Counts]:
    """Count keys in bins that are no coarser than the sketch's: a shift, bins, counts.

    What some of the rows ask for, all of them ask for: so few rows say how coarse bins may be from the start. In many
    columns they then fit in a table, which is counted without sorting.
    """
    zeros, needed = _zeros(keys), 0
    if keys.size > 2 * _SAMPLE:
        some = np.sort(keys[:: keys.size // _SAMPLE])
        needed = _fitted(0, some, np.ones_like(some))[0]
    shift = max(zeros, needed)
    first = low >> shift
    if (high >> shift) - first <= keys.size:
        table = np.bincount((keys >> shift) - first)
        bins = np.flatnonzero(table)
        counts, bins = table[bins], bins + first
    else:
        bins, counts = np.unique(keys >> shift, return_counts=True)
    # Where only zeros were shifted out nothing was left out.
    return (shift, bins, counts) if shift > zeros else (0, bins << shift, counts)


def _fitted(shift: int, bins: Counts, counts: Counts) -> tuple[int, Counts, Counts]:
    """Find the least shift with which at most ``BINS`` bins are not empty, and count in these.

    Args:
        shift: No more than that.
        bins: Ascending; those that are equal are put together.
        counts: Of each.
    """
    if not bins.size:
        return 0, bins, counts
    # Neighbours are told apart by a shift that leaves a bit in which they differ; there must be fewer than BINS such.
    apart = (bins[1:] ^ bins[:-1]).view(np.uint64)
    more = int(np.partition(apart, -BINS)[-BINS]).bit_length() if apart.size >= BINS else 0
    coarse = bins >> more
    starts = np.flatnonzero(np.concatenate([[True], coarse[1:] != coarse[:-1]]))
    return shift + more, coarse[starts], np.add.reduceat(counts, starts)


def _read_ends(least: object, most: object, bins: Counts, shift: int) -> tuple[float | None, float | None]:
    """Read the least and the greatest number, which are in the first bin and in the last."""
    if not bins.size:
        if least is None and most is None:
            return None, None
        raise ValueError("a sketch without numbers has no least and no greatest")
    if not isinstance(least, float) or not isinstance(most, float) or not -math.inf < least <= most < math.inf:
        raise ValueError("the least and the greatest must be numbers that ascend")
    if (_keys(np.array([least, most])) >> shift).tolist() != [bins[0], bins[-1]]:
        raise ValueError("the least and the greatest must be in the first bin and in the last")
    return least, most
