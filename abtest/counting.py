"""How often each combination of a few codes occurs: a dense block while that is small, sorted keys beyond."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Counts: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.integer[Any]]

_BITS = 18  # of a code in a key: three of them, and a fourth of 9 bits before
_MOST_CELLS = 1 << 17  # of a block: 8 MB
_CELLS_A_ROW = 1  # clearing a block and adding it up costs as much as counting, at so many cells a row
_WAITING = 1 << 20  # rows, or keys: sorted together, they are read from memory once


class CountTable:
    """Counts rows by combinations of codes, batch by batch, in 64 bits.

    Rows wait until they are as many as the cells there could be, or too many to wait; then they are counted into a
    block of all cells, or sorted, whichever costs less.

    Example:
        >>> table = CountTable()
        >>> table.add([np.array([0, 1, 1]), np.array([2, 0, 0])], [2, 3])
        >>> table.cells(2).tolist()
        [[0, 2, 1], [1, 0, 2]]
    """

    def __init__(self) -> None:
        self._sizes: tuple[int, ...] = ()
        self._rows: list[tuple[Codes, Counts | None]] = []  # fused by these sizes
        self._block: Counts | None = None
        self._keys = self._counts = np.zeros(0, dtype=np.int64)
        self._runs: list[tuple[Counts, Counts]] = []

    def add(self, columns: Sequence[Codes], sizes: Sequence[int], counts: Counts | None = None) -> None:
        """Count one batch.

        Args:
            columns: Two to four columns of codes, each of shape (rows,); the last three of at most 18 bits, a fourth
                of 9.
            sizes: The number of codes in each column so far; never fewer than before.
            counts: How many rows each row stands for; 1 by default.
        """
        if not len(columns[0]):
            return
        if self._sizes != tuple(sizes):
            self._flush()
            self._sizes = tuple(sizes)
        self._rows.append((_fused(columns, sizes), counts))
        waiting = sum(len(fused) for fused, _ in self._rows)
        if _CELLS_A_ROW * waiting >= math.prod(sizes) or waiting >= _WAITING:
            self._flush()

    def cells(self, columns: int) -> Counts:
        """The combinations that occur, sorted, and how often: shape (cells, columns + 1)."""
        self._flush()
        self._merge_runs()
        found = np.column_stack([*_unfused(self._keys, columns), self._counts])
        if self._block is None:
            return merged(found)
        at = np.nonzero(self._block)
        return merged(np.concatenate([found, np.column_stack([*at, self._block[at]])]))

    def _flush(self) -> None:
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        fused = rows[0][0] if len(rows) == 1 else np.concatenate([codes for codes, _ in rows])
        counts = None
        if any(count is not None for _, count in rows):
            counts = np.concatenate([np.ones(len(f), dtype=np.int64) if c is None else c for f, c in rows])
        if math.prod(self._sizes) <= min(_MOST_CELLS, _CELLS_A_ROW * len(fused)):
            self._add_block(fused, counts)
        else:
            self._add_run(fused, counts)

    def _add_block(self, fused: Codes, counts: Counts | None) -> None:
        if counts is None:
            block = _bincount(fused, math.prod(self._sizes))
        else:
            block = np.zeros(math.prod(self._sizes), dtype=np.int64)
            np.add.at(block, fused, counts)  # weights in bincount are doubles, exact only up to 2^53
        known, self._block = self._block, block.reshape(self._sizes)
        if known is not None:
            self._block[tuple(map(slice, known.shape))] += known

    def _add_run(self, fused: Codes, counts: Counts | None) -> None:
        if counts is None:
            fused = np.sort(fused)
            start = _starts(fused)
            cells, totals = fused[start], np.diff(start, append=len(fused))
        else:
            cells, totals = _summed(fused, counts)
        self._runs.append((_keys([*np.unravel_index(cells.astype(np.int64), self._sizes)]), totals))
        if sum(len(keys) for keys, _ in self._runs) >= max(_WAITING, len(self._keys)):  # else each run would sort all
            self._merge_runs()

    def _merge_runs(self) -> None:
        if self._runs:
            keys, counts = zip((self._keys, self._counts), *self._runs, strict=True)
            self._keys, self._counts = _summed(np.concatenate(keys), np.concatenate(counts))
            self._runs = []


def merged(cells: Counts) -> Counts:
    """Sort cells by their codes, and add up the counts, in the last column, of equal ones; read-only."""
    keys, counts = _summed(_keys([*cells[:, :-1].T]), cells[:, -1])
    found = np.column_stack([*_unfused(keys, cells.shape[1] - 1), counts])
    found.flags.writeable = False
    return found


def _bincount(fused: Codes, cells: int) -> Counts:
    """Count the rows of each cell, shape (cells,)."""
    if fused.dtype != np.uint8:
        return np.bincount(fused, minlength=cells)
    # Two rows at a time: half the steps, and seldom two in a row to the same counter, which would have to wait.
    pairs = np.bincount(fused[: len(fused) // 2 * 2].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    found = pairs.sum(axis=0)[:cells] + pairs.sum(axis=1)[:cells]
    if len(fused) % 2:
        found[fused[-1]] += 1
    return np.asarray(found)


def _starts(keys: Codes) -> Counts:
    """Where each run of equal keys starts."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])


def _summed(keys: npt.NDArray[Any], counts: Counts) -> tuple[npt.NDArray[Any], Counts]:
    """Add up the counts of equal keys; keys ascend."""
    if not (keys[1:] >= keys[:-1]).all():
        order = np.argsort(keys)
        keys, counts = keys[order], counts[order]
    start = _starts(keys)
    return keys[start], np.add.reduceat(counts, start) if len(keys) else counts


def _fused(columns: Sequence[Codes], sizes: Sequence[int]) -> Codes:
    """One number a row for its combination, in the narrowest type that holds them: least memory is fastest."""
    cells = math.prod(sizes)
    kind = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.int64) if cells <= np.iinfo(kind).max + 1)
    fused: npt.NDArray[Any] = columns[0].astype(kind)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        np.multiply(fused, np.array(size).astype(fused.dtype), out=fused)
        np.add(fused, column, out=fused, casting="unsafe")  # codes are below their size
    return fused


def _keys(columns: Sequence[Codes]) -> Counts:
    keys = columns[0].astype(np.int64)
    for column in columns[1:]:
        keys <<= _BITS
        keys |= column.astype(np.int64)
    return keys


def _unfused(keys: Counts, columns: int) -> list[Counts]:
    """The codes that keys were made of."""
    return [(keys >> (_BITS * (columns - 1 - at))) & ((1 << _BITS) - 1) for at in range(columns)]
