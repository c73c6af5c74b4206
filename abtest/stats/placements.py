"""Where each row stands among the rows of the other class: one sort of whole numbers a score, and exact sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import NotApplicableError

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Keys: TypeAlias = npt.NDArray[np.uint64]

_BLOCK = 1 << 15  # numbers that stay in a core's own cache while a key is made of them
_KEY_BITS = 64
_BELOW_SIGN = np.int64(0x7FFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placements:
    """Where each row stands in the other class, in the order of the rows: twice the pairs it wins, ties as one.

    Attributes:
        above: Of each positive, twice the negatives below it, shape (positives,).
        below: Of each negative, twice the positives above it, shape (negatives,).
    """

    above: Counts
    below: Counts

    @classmethod
    def of(cls, truth: Flags, scores: Floats) -> Placements:
        """Place the rows.

        Args:
            truth: Whether each row is positive, shape (rows,).
            scores: Finite, shape (rows,).

        Example:
            >>> placed = Placements.of(np.array([False, True, False, True]), np.array([0.1, 0.4, 0.4, 0.8]))
            >>> placed.above, placed.below
            (array([3, 4]), array([4, 3]))
        """
        p = int(np.count_nonzero(truth))
        by_class = np.concatenate([np.flatnonzero(truth), np.flatnonzero(~truth)])
        rows, alike = ranked(scores.take(by_class))
        placed = np.empty(rows.size, dtype=np.int64)
        placed[rows] = _standing(rows < p, alike)
        return cls(above=placed[:p], below=placed[p:])

    @property
    def won(self) -> int:
        """Twice the pairs in which the positive outscores the negative."""
        return int(self.above.sum())

    @property
    def area(self) -> float:
        """The area under the ROC curve.

        Raises:
            NotApplicableError: A class has no row.
        """
        return self.won / (2 * pairs(self.above.size, self.below.size))


def pairs(positives: int, negatives: int) -> int:
    """Count the pairs of a positive and a negative.

    Raises:
        NotApplicableError: There are none.
    """
    if not (positives and negatives):
        raise NotApplicableError(
            f"The ROC curve needs rows of both classes, got {positives} positive and {negatives} negative."
        )
    return positives * negatives


def dot(left: Counts, right: Counts) -> int:
    """Multiply and add in whole numbers of any size.

    Example:
        >>> dot(np.array([2**40, 1]), np.array([2**40, 1])) == 2**80 + 1
        True
    """
    if not left.size:
        return 0
    most = max(int(np.abs(left).max()) * int(np.abs(right).max()), 1)
    block = (2**63 - 1) // most  # so many products add up within 64 bits
    if not block:
        return sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True) if a and b)
    starts = range(0, left.size, block)
    return sum(int(np.dot(left[at : at + block], right[at : at + block])) for at in starts)


def _standing(hit: Flags, alike: Flags) -> npt.NDArray[np.integer[Any]]:
    """Count twice the rows of the other class that each row wins against, by place from the least score up."""
    narrow: type[np.integer[Any]] = np.int32 if 2 * hit.size < 2**31 else np.int64
    hits: npt.NDArray[np.integer[Any]] = np.cumsum(hit, dtype=narrow)  # positives up to each place
    p = np.count_nonzero(hit)
    standing: npt.NDArray[np.integer[Any]] = np.arange(1, hit.size + 1, dtype=narrow)
    np.subtract(np.where(hit, standing, narrow(p)), hits, out=standing)
    standing *= narrow(2)
    if alike.any():
        first, last = _runs(alike)
        before, upto = hits[first] - hit[first], hits[last]
        positive, negative = first + last + 1 - before - upto, 2 * p - before - upto
        tied, lengths = _in_runs(alike), last + 1 - first
        standing[tied] = np.where(hit[tied], np.repeat(positive, lengths), np.repeat(negative, lengths))
    return standing


def ranked(scores: Floats) -> tuple[Counts, Flags]:
    """Sort rows by their finite scores, up; and tell which have the same as the next, shape (rows - 1,).

    NumPy sorts whole numbers many times as fast as it sorts indices by numbers. So each row becomes one number: its
    score in the high bits, its index in the low. Where both do not fit, low bits of the score are left out, and rows
    that look alike without them are sorted once more by the whole score.
    """
    index_bits = max(scores.size - 1, 0).bit_length()
    keys, cut = _keys(scores, index_bits)
    keys.sort()
    rows = (keys & np.uint64((1 << index_bits) - 1)).view(np.int64)
    keys >>= np.uint64(index_bits)
    alike = keys[1:] == keys[:-1]
    if cut and alike.any() and not _as_many(scores, alike):
        _resort(scores, rows, alike)
    return rows, alike


def _as_many(scores: Floats, alike: Flags) -> bool:
    """Whether, of scores that are mostly ties, just those look alike that are; of others nothing is known."""
    ties = int(np.count_nonzero(alike))
    if 2 * ties < alike.size:
        return False
    ordered = np.sort(scores)  # without indices, and so without a walk through all of memory
    return ties == int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _keys(scores: Floats, index_bits: int) -> tuple[Keys, bool]:
    """Pack each row's score and index; and whether bits of a score were left out.

    A double's bits, read as a whole number, are in the order of the doubles; those of negative ones are in reverse.
    """
    keys = np.empty(scores.size, dtype=np.uint64)
    if not scores.size:
        return keys, False
    least, most = (_image(np.array([limit]))[0] for limit in (scores.min(), scores.max()))
    left_out = max((int(most) - int(least)).bit_length() + index_bits - _KEY_BITS, 0)
    lost = np.uint64(0)
    for start in range(0, scores.size, _BLOCK):
        image = (_image(scores[start : start + _BLOCK]) - least).view(np.uint64)  # wraps around to what is right
        high = image >> np.uint64(left_out)
        lost |= np.bitwise_or.reduce(image & np.uint64((1 << left_out) - 1))
        high <<= np.uint64(index_bits)
        keys[start : start + _BLOCK] = high | np.arange(start, start + high.size, dtype=np.uint64)
    return keys, bool(lost)


def _image(scores: Floats) -> Counts:
    bits = (scores + 0.0).view(np.int64)  # -0.0 is 0.0
    return bits ^ ((bits >> np.int64(63)) & _BELOW_SIGN)


def _resort(scores: Floats, rows: Counts, alike: Flags) -> None:
    """Put rows that look alike in the order of their whole scores, and tell which are alike; both in place."""
    places = np.flatnonzero(_in_runs(alike))
    own = rows[places]
    found = scores[own]
    same_run = alike[places[:-1]]  # as the next of these places
    if (same_run & (found[1:] != found[:-1])).any():
        order = np.argsort(found)  # runs stay where they are: all scores of one are below those of the next
        rows[places], found = own[order], found[order]
        alike[places[:-1]] = same_run & (found[1:] == found[:-1])


def _in_runs(alike: Flags) -> Flags:
    """Which places are like the next or the one before, shape (rows,)."""
    tied = np.zeros(alike.size + 1, dtype=np.bool_)
    tied[:-1] = alike
    tied[1:] |= alike
    return tied


def _runs(alike: Flags) -> tuple[Counts, Counts]:
    """The first and the last place of each run of rows that are alike."""
    edges = np.zeros(alike.size + 2, dtype=np.bool_)
    edges[1:-1] = alike
    turns = np.flatnonzero(edges[1:] != edges[:-1])
    return turns[::2], turns[1::2]
