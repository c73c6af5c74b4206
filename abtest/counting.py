"""How often each combination of a few codes occurs: a dense block while that is small, sorted keys beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Counts: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.integer[Any]]

_BITS = 16  # of a code in a key: up to three codes of 16 bits, and a fourth of fewer
_SMALL = 1 << 12  # cells: a block that costs nothing, however few the rows
_CELLS_A_ROW = 16  # clearing and adding up so many cells costs about as much as sorting one row
_WAITING = 1 << 20  # keys: sorted together, they are read from memory once


class CountTable:
    """Counts rows by combinations of codes, batch by batch, in 64 bits.

    Example:
        >>> table = CountTable()
        >>> table.add([np.array([0, 1, 1]), np.array([2, 0, 0])], [2, 3])
        >>> table.cells(2).tolist()
        [[0, 2, 1], [1, 0, 2]]
    """

    def __init__(self) -> None:
        self._block: Counts | None = None
        self._keys = self._counts = np.zeros(0, dtype=np.int64)
        self._waiting: list[tuple[Counts, Counts | None]] = []
        self._held = 0

    def add(self, columns: Sequence[Codes], sizes: Sequence[int], counts: Counts | None = None) -> None:
        """Count one batch.

        Args:
            columns: Two to four columns of codes, each of shape (rows,); the last three of at most 16 bits.
            sizes: The number of codes in each column so far; never fewer than before.
            counts: How many rows each row stands for; 1 by default.
        """
        rows, cells = len(columns[0]), 1
        for size in sizes:
            cells *= size
        if not rows:
            return
        if cells <= max(_SMALL, _CELLS_A_ROW * rows):
            self._add_block(_fused(columns, sizes, cells), sizes, cells, counts)
            return
        self._waiting.append((_keys(columns), counts))
        self._held += rows
        if self._held >= max(_WAITING, len(self._keys)):  # else each batch would sort all
            self._settle()

    def cells(self, columns: int) -> Counts:
        """The combinations that occur, sorted, and how often: shape (cells, columns + 1)."""
        self._settle()
        parts = [np.column_stack([*_unfused(self._keys, columns), self._counts])]
        if self._block is not None:
            at = np.nonzero(self._block)
            parts.append(np.column_stack([*at, self._block[at]]))
        return merged(np.concatenate(parts)) if all(map(len, parts)) else max(parts, key=len)

    def _add_block(self, fused: Codes, sizes: Sequence[int], cells: int, counts: Counts | None) -> None:
        if counts is None:
            block = np.bincount(fused, minlength=cells)
        else:
            block = np.zeros(cells, dtype=np.int64)
            np.add.at(block, fused, counts)  # weights in bincount are doubles, exact only up to 2^53
        block = block.reshape(sizes)
        known, self._block = self._block, block
        if known is not None:
            block[tuple(map(slice, known.shape))] += known

    def _settle(self) -> None:
        """Add what waits to the rest."""
        if not self._waiting:
            return
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
        if all(counts is None for _, counts in self._waiting) and not self._keys.size:
            keys.sort()
            counts = None
        else:
            ones = [np.ones(len(k), dtype=np.int64) if c is None else c for k, c in self._waiting]
            counts = np.concatenate([self._counts, *ones])
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
        start = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        self._counts = np.diff(start, append=len(keys)) if counts is None else np.add.reduceat(counts, start)
        self._keys, self._waiting, self._held = keys[start], [], 0


def merged(cells: Counts) -> Counts:
    """Sort cells by their codes, and add up the counts, in the last column, of equal ones; read-only."""
    order = np.lexsort(cells[:, -2::-1].T)
    ordered = cells[order]
    differs = (ordered[1:, :-1] != ordered[:-1, :-1]).any(axis=1)
    start = np.flatnonzero(np.append(True, differs)[: len(ordered)])
    found = ordered[start]
    if len(found):
        found[:, -1] = np.add.reduceat(ordered[:, -1], start)
    found.flags.writeable = False
    return found


def _fused(columns: Sequence[Codes], sizes: Sequence[int], cells: int) -> Codes:
    """One number a row for its combination, in the narrowest type that holds them: least memory is fastest."""
    fused: npt.NDArray[Any] = columns[0].astype(np.uint16 if cells <= 1 << 16 else np.uint32)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        np.multiply(fused, fused.dtype.type(size), out=fused)
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
