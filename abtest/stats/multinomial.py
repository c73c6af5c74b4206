"""Multinomial draws over many cells, each cell drawn in the cheapest of three exact ways.

Heavy cells are binomial numbers, which cost the same whatever they count. Light cells share the rows that the heavy
ones leave: first each is a Poisson number of a little less than its share, found in a table; the few rows still missing
are then drawn one by one, and all of them are where they are few. Given their sum independent Poisson numbers are
multinomial, and with more rows drawn on top they still are: no step is an approximation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = npt.NDArray[np.integer[Any]]

MOST_LIGHT = 128  # rows of a light cell: its numbers then fit 8 bits

# Nanoseconds, measured with NumPy 2 on one core; nothing but the time depends on them.
_BINOMIAL, _LOOKUP, _ROW = 60.0, 1.7, 4.0

_SLOTS = 1 << 16
_ESCAPE = 255  # in a table: what is found here is known only after another look
_MARGIN = 3.0  # standard deviations by which Poisson numbers aim below the rows to draw
_AT_ONCE = 1 << 18  # numbers; their random bits then stay in a core's cache
_SIDE_BY_SIDE = 1 << 10
_NARROW = 1 << 31


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """How each cell of a table is drawn; cells of neither kind count no rows.

    Attributes:
        counts: Rows by cell, shape (cells,).
        heavy: Cells drawn as binomial numbers, as indexes.
        light: Cells drawn as Poisson numbers and rows, as indexes; each counts at most ``MOST_LIGHT`` rows.
    """

    counts: Counts
    heavy: Counts
    light: Counts

    @property
    def dtype(self) -> type[np.integer[Any]]:
        """Of the draws: 32 bits where they hold every sum, as that is half the memory to go through."""
        return np.int32 if self.counts.sum() < _NARROW else np.int64

    def draw(self, number: int, rng: np.random.Generator) -> Counts:
        """Draw so many tables, shape (cells, number)."""
        drawn = np.zeros((self.counts.size, number), dtype=self.dtype)
        binomial = _binomials(np.append(self.counts[self.heavy], self._lump), number, rng).T
        if self.light.size:
            self._fill(drawn, binomial[-1], rng)
        drawn[self.heavy] = binomial[:-1]
        return drawn

    def _fill(self, drawn: Counts, taken: Counts, rng: np.random.Generator) -> None:
        """Draw ``taken`` rows from the light cells, for each table; nothing else is drawn so far."""
        self._put_poisson(drawn, rng)
        total = _sum_tables(drawn)
        # Rarely they are too many. To draw again until they are not looks at the total alone, given which the numbers
        # are multinomial: nothing is distorted.
        while (over := np.flatnonzero(total > taken)).size:
            again = np.zeros((len(drawn), over.size), dtype=drawn.dtype)
            self._put_poisson(again, rng)
            drawn[:, over], total[over] = again, _sum_tables(again)
        missing = taken - total
        where = self._rows.take(rng.integers(0, self._rows.size, size=int(missing.sum()))) * len(taken)
        where += np.repeat(np.arange(len(taken)), missing)
        np.add.at(drawn.reshape(-1), where, drawn.dtype.type(1))  # a one of another type takes forty times as long

    def _put_poisson(self, drawn: Counts, rng: np.random.Generator) -> None:
        step = max(1, _AT_ONCE // drawn.shape[1])
        for cells, table in self._tables:
            for some in (cells[i : i + step] for i in range(0, len(cells), step)):
                drawn[some] = table.numbers(len(some), drawn.shape[1], rng)

    @cached_property
    def _lump(self) -> int:
        """Rows in light cells."""
        return int(self.counts[self.light].sum())

    @cached_property
    def _rows(self) -> Counts:
        """The cell of every row that is in a light one."""
        return np.repeat(self.light, self.counts[self.light])

    @cached_property
    def _tables(self) -> list[tuple[Counts, PoissonTable]]:
        """Light cells by their count, and where their numbers are found; none where all rows are drawn one by one."""
        share = 1.0 - float(missing_rows(np.array(self._lump), int(self.counts.sum()))) / self._lump
        held = self.counts[self.light]
        return [(self.light[held == count], PoissonTable.of(share * count)) for count in np.unique(held) if share]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoissonTable:
    """Poisson numbers of one mean, found by 16 random bits; seldom by another look.

    Attributes:
        found: The number by 16 bits, shape (65536,): each as often as its probability has whole slots.
        beyond: Cumulated probabilities of the numbers where the table says to look again, shape (255,): they are the
            parts of slots that each number lacks.

    References:
        Marsaglia, Tsang & Wang (2004), Journal of Statistical Software 11(3), for tables, and what to do with the rest.
    """

    found: npt.NDArray[np.uint8]
    beyond: npt.NDArray[np.float64]

    @classmethod
    def of(cls, mean: float) -> PoissonTable:
        """Make the table; of a mean up to 128, which 254 exceeds by more than doubles can tell from never."""
        slots = _SLOTS * math.exp(-mean) * np.cumprod(np.r_[1.0, mean / np.arange(1.0, _ESCAPE)])
        whole = np.floor(slots).astype(np.int64)
        found = np.full(_SLOTS, _ESCAPE, dtype=np.uint8)
        found[: whole.sum()] = np.repeat(np.arange(_ESCAPE, dtype=np.uint8), whole)
        beyond = np.cumsum(slots - whole)
        return cls(found=found, beyond=beyond / beyond[-1])

    def numbers(self, rows: int, columns: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Draw numbers, shape (rows, columns)."""
        size = rows * columns
        words = rng.integers(0, 1 << 64, size=-(-size // 4), dtype=np.uint64)
        bits = words.astype("<u8", copy=False).view("<u2")[:size]  # cut alike, whichever end a machine begins with
        numbers = self.found.take(bits)
        again = np.flatnonzero(numbers == _ESCAPE)
        numbers[again] = np.searchsorted(self.beyond, rng.random(again.size), side="right")
        return numbers.reshape(rows, columns)


def cheapest(counts: Counts) -> Recipe:
    """Choose which cells are light: those of up to so many rows as ``costs`` reckons the cheapest.

    Args:
        counts: Rows by cell, shape (cells,), at least one.

    Example:
        >>> recipe = cheapest(np.array([5_000_000, 3_000_000, 1_999_000] + [1] * 1000))
        >>> recipe.heavy.tolist(), recipe.light.size
        ([0, 1, 2], 1000)
    """
    return recipe_of(counts, most=int(np.argmin(costs(counts))))


def recipe_of(counts: Counts, *, most: int) -> Recipe:
    """Draw cells of up to ``most`` rows as light ones, and others as heavy ones."""
    light = (counts > 0) & (counts <= most)
    return Recipe(counts=counts, heavy=np.flatnonzero(counts > most), light=np.flatnonzero(light))


def costs(counts: Counts) -> npt.NDArray[np.float64]:
    """Reckon a draw's nanoseconds where cells of up to 0, 1, … ``MOST_LIGHT`` rows are light, shape (129,)."""
    rows = np.arange(MOST_LIGHT + 1)
    cells = np.bincount(counts[(counts > 0) & (counts <= MOST_LIGHT)], minlength=rows.size)
    light, lump = np.cumsum(cells), np.cumsum(cells * rows)
    missing = missing_rows(lump, int(counts.sum()))
    looked_up = np.where(missing < lump, light, 0)
    return _BINOMIAL * (np.count_nonzero(counts) - light) + _LOOKUP * looked_up + _ROW * missing


def missing_rows(lump: Counts, n: int) -> npt.NDArray[np.float64]:
    """Rows of a lump that are left for drawing one by one, on average: all of them, where they are few.

    What the lump gets of n rows varies, and so does the Poisson numbers' sum, by these variances at most.
    """
    return np.minimum(lump, _MARGIN * np.sqrt(lump * (1 - lump / n) + lump))


def _binomials(counts: Counts, number: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw cell after cell from what the cells before leave, shape (number, cells)."""
    # NumPy gives the last cell whatever the others leave, having tracked the probability that remains; with the largest
    # cell last, that sum's rounding can neither put rows into an empty cell nor push a ratio above 1.
    order = np.arange(counts.size)
    largest = int(np.argmax(counts))
    order[[largest, -1]] = order[[-1, largest]]
    n = int(counts.sum())
    draws = rng.multinomial(n, counts[order] / n, size=number)
    draws[:, [largest, -1]] = draws[:, [-1, largest]]
    return draws


def _sum_tables(drawn: Counts) -> Counts:
    """Rows of each table, shape (tables,). Several cells of few tables are added at a time: short rows are slow."""
    cells, tables = drawn.shape
    beside = max(1, _SIDE_BY_SIDE // tables)
    whole = cells - cells % beside
    added = drawn[:whole].reshape(-1, beside * tables).sum(axis=0, dtype=drawn.dtype).reshape(beside, tables)
    return np.asarray(added.sum(axis=0, dtype=drawn.dtype) + drawn[whole:].sum(axis=0, dtype=drawn.dtype))
