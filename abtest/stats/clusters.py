"""Rows that come in units (of one user, session or document): units are independent, their rows are not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.labels import Label, LabelType, reconcile
from abtest.outcomes import PairedOutcomes
from abtest.stats.proportions import Interval, normal_quantile
from abtest.stats.resampling import Block, multinomial_blocks

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from scipy.sparse import csr_array

Counts: TypeAlias = npt.NDArray[np.int64]

_SHIFT = 32  # a key is a unit's number and, in its lower half, a cell's
_FEW = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """How many rows each unit has in each cell of the table of paired outcomes.

    Attributes:
        outcomes: The table of all rows.
        unit: The unit of each entry, counted from 0, ascending; shape (entries,).
        cell: The entry's cell, as an index into ``outcomes.cells``; shape (entries,).
        count: Its rows, at least 1; shape (entries,).
    """

    outcomes: PairedOutcomes
    unit: Counts
    cell: Counts
    count: Counts

    @property
    def n_units(self) -> int:
        """Units, each of at least one row."""
        return int(self.unit[-1]) + 1 if self.unit.size else 0

    @property
    def rows(self) -> Counts:
        """Rows by unit, shape (units,)."""
        return np.bincount(self.unit, weights=self.count, minlength=self.n_units).astype(np.int64)

    @property
    def differences(self) -> Counts:
        """By unit: rows that only the challenger gets right, less those that only the champion does; shape (units,)."""
        y = self.outcomes.cells[:, 0]
        right = {side: (self.outcomes.predicted_by(side) == y).astype(np.int64) for side in ("champion", "challenger")}
        sign = right["challenger"] - right["champion"]
        return np.bincount(self.unit, weights=self.count * sign[self.cell], minlength=self.n_units).astype(np.int64)

    def swapped(self) -> Units:
        """Let the sides change places."""
        turned = self.outcomes.swapped()
        place = np.argsort(np.lexsort(self.outcomes.cells[:, [1, 2, 0]].T))  # of each cell in the swapped table
        cell = place[self.cell]
        order = np.lexsort((cell, self.unit))
        return Units(outcomes=turned, unit=self.unit[order], cell=cell[order], count=self.count[order])

    def of_truth(self, label: int) -> Units:
        """The rows of one class of the truth, by its index, and the units that have any."""
        kept = (self.outcomes.cells[:, 0] == label)[self.cell]
        _, unit = np.unique(self.unit[kept], return_inverse=True)
        return Units(outcomes=self.outcomes, unit=unit, cell=self.cell[kept], count=self.count[kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTables:
    """Units over all rows, and over each segment's by the segment's name and value."""

    whole: Units
    segments: Mapping[tuple[str, str], Units]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTest:
    """What the test of units says.

    Attributes:
        n_units: Units.
        effect: Challenger's accuracy minus the champion's, over rows.
        statistic: z.
        pvalue: Two-sided.
        interval: Of the effect; None where units do not differ, so that there is nothing to estimate it from.
    """

    n_units: int
    effect: float
    statistic: float
    pvalue: float
    interval: Interval | None


def cluster_test(units: Units, *, confidence_level: float = 0.95) -> ClusterTest:
    """Test whether champion and challenger are equally accurate on rows that come in units.

    Null:
        The expected difference of a unit, challenger-only less champion-only rows, is zero.

    Assumes:
        Units are independent; their rows may depend on each other in any way. Enough units differ, about 30, for their
        sum to be normal. A few huge units are few units.

    Args:
        units: Rows by unit and cell.
        confidence_level: Nominal coverage of the interval.

    Returns:
        z = Σd / √Σd² with d the units' differences; 0 and p = 1 where no unit has one. With one row a unit, z² is
        McNemar's uncorrected chi-square. The interval is effect ± t·√(U/(U - 1)·Σ(d - effect·rows)²)/n over U units
        and n rows, with t of U - 1 degrees of freedom. The test's variance holds under the null and the interval's
        does not need it, so the two can disagree at the edge.

    Raises:
        InvalidInputError: The level is no level.
        NotApplicableError: There are no rows.

    References:
        Eliasziw & Donner (1991), Statistics in Medicine 10:1981, for McNemar's test on clustered pairs. Liang & Zeger
        (1986), Biometrika 73:13, for the variance.

    Example:
        >>> tally = UnitTally()
        >>> unit = np.repeat(np.arange(4), 2)
        >>> tally.add(unit, np.ones(8, int), np.array([0, 0, 0, 0, 1, 0, 1, 1]), np.array([1, 1, 1, 0, 1, 1, 1, 0]))
        >>> test = cluster_test(tally.units())
        >>> test.n_units, test.effect, round(test.statistic, 4)
        (4, 0.375, 1.1339)
    """
    normal_quantile(confidence_level)  # refuses what is no level
    d, rows, n_units = units.differences, units.rows, units.n_units
    if not n_units:
        raise NotApplicableError("There are no rows to compare.")
    n, total, squares = int(rows.sum()), int(d.sum()), int(d @ d)
    effect = total / n
    statistic = total / math.sqrt(squares) if squares else 0.0
    # n²·Σ(d - effect·rows)², in whole numbers: nothing cancels, and the order of units does not matter.
    centred = n * n * squares - 2 * n * total * int(d @ rows) + total * total * int(rows @ rows)
    interval = None
    if centred:  # never for a single unit, which is its own mean
        t = -float(special.stdtrit(n_units - 1, (1 - confidence_level) / 2))
        half = t * math.sqrt(n_units / (n_units - 1) * (centred / n**4))
        interval = Interval(lower=max(effect - half, -1.0), upper=min(effect + half, 1.0))
    pvalue = min(1.0, 2 * float(special.ndtr(-abs(statistic))))
    return ClusterTest(n_units=n_units, effect=effect, statistic=statistic, pvalue=pvalue, interval=interval)


def unit_draws(units: Units, *, resamples: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.integer[Any]]]:
    """Resample whole units, with replacement.

    Null:
        None: draws from the empirical distribution of units.

    Assumes:
        Units are independent. Units with the same rows in every cell are interchangeable, so a draw is multinomial over
        the distinct ones, exactly.

    Args:
        units: Rows by unit and cell.
        resamples: Draws in all.
        rng: Where the randomness comes from.

    Returns:
        Chunks of draws, shape (draws, cells), over the cells of ``units.outcomes``. Units differ in size, so draws
        differ in rows: a metric must be a ratio of a draw's own counts.

    Raises:
        InvalidInputError: There is nothing to draw.
        NotApplicableError: There are no rows.

    References:
        Davison & Hinkley (1997), Bootstrap Methods and their Application, section 3.8.

    Example:
        >>> tally = UnitTally()
        >>> tally.add(np.array(["u", "u", "v"]), np.array([1, 1, 1]), np.array([0, 1, 0]), np.array([1, 1, 1]))
        >>> [draws] = unit_draws(tally.units(), resamples=100, rng=np.random.default_rng(0))
        >>> draws.shape, np.unique(draws, axis=0).tolist()  # v twice, u and v, u twice
        ((100, 2), [[2, 0], [2, 1], [2, 2]])
    """
    return (block() for block in unit_blocks(units, resamples=resamples, rng=rng))


def unit_blocks(units: Units, *, resamples: int, rng: np.random.Generator) -> list[Block]:
    """Prepare the same draws, block by block: each has randomness of its own, and is called once, by any thread.

    Raises:
        InvalidInputError: There is nothing to draw.
        NotApplicableError: There are no rows.
    """
    profiles, alike = _profiles(units)
    blocks = multinomial_blocks(alike, resamples=resamples, rng=rng)

    def rows(block: Block) -> npt.NDArray[np.integer[Any]]:
        return np.asarray((profiles @ block().T).T)

    return [partial(rows, block) for block in blocks]


class UnitTally:
    """Counts rows by unit and outcome, batch by batch; tallies add up, and a unit in both is one unit.

    Example:
        >>> tally = UnitTally()
        >>> tally.add(np.array(["u", "u", "v"]), np.array([1, 1, 1]), np.array([0, 0, 1]), np.array([1, 1, 1]))
        >>> units = (tally + tally).units()
        >>> units.n_units, units.rows.tolist(), units.differences.tolist()
        (2, [4, 2], [4, 0])
    """

    def __init__(self) -> None:
        self._units: dict[Hashable, int] = {}
        # The labels as they came, by column: 1, 1.0 and True stay apart until they are reconciled.
        self._labels: tuple[dict[tuple[type, Label], int], ...] = ({}, {}, {})
        self._cells: dict[tuple[int, ...], int] = {}
        self._keys = self._counts = np.zeros(0, dtype=np.int64)
        self._waiting: list[tuple[Counts, Counts]] = []

    def add(
        self,
        units: npt.NDArray[Any],
        y_true: npt.NDArray[Any],
        champion: npt.NDArray[Any],
        challenger: npt.NDArray[Any],
        *,
        counts: Counts | None = None,
    ) -> None:
        """Count one batch: four arrays of shape (rows,), each row for so many as ``counts`` says, by default one.

        Raises:
            InvalidInputError: They have other shapes, or a row has no unit.
        """
        columns = (y_true, champion, challenger)
        counts = np.ones(len(units), dtype=np.int64) if counts is None else counts
        if units.ndim != 1 or any(column.shape != units.shape for column in columns):
            shapes = ", ".join(str(column.shape) for column in (units, *columns))
            raise InvalidInputError(
                f"Unit, truth and predictions must be columns of equal length, got shapes {shapes}."
            )
        missing = units != units  # noqa: PLR0124 - NaN is what differs from itself
        if units.dtype.kind == "O":
            missing |= np.array([unit is None for unit in units.tolist()], dtype=bool)
        if missing.any():
            rows = wording.plural(int(counts[missing].sum()), "row")
            raise InvalidInputError(
                f"unit must be there in every row, got {rows} without one.",
                hint="fill the column, or leave such rows out.",
            )
        codes = [_numbered(known, column) for known, column in zip(self._labels, columns, strict=True)]
        sizes = [len(known) for known in self._labels]
        fused, inverse = np.unique((codes[0] * sizes[1] + codes[1]) * sizes[2] + codes[2], return_inverse=True)
        triples = zip(*(part.tolist() for part in np.unravel_index(fused, sizes)), strict=True) if units.size else ()
        cells = np.array([self._cells.setdefault(triple, len(self._cells)) for triple in triples], dtype=np.int64)
        keys = (_numbered(self._units, units, typed=False) << _SHIFT) | cells[inverse]
        self._take_in(keys, counts)

    def __add__(self, other: UnitTally) -> UnitTally:
        merged = UnitTally()
        for tally in (self, other):
            unit = _renumbered(merged._units, tally._units)
            column = [_renumbered(ours, theirs) for ours, theirs in zip(merged._labels, tally._labels, strict=True)]
            triples = {tuple(int(c[x]) for c, x in zip(column, t, strict=True)): i for t, i in tally._cells.items()}
            cell = _renumbered(merged._cells, triples)
            keys, counts = tally._settle()
            merged._take_in((unit[keys >> _SHIFT] << _SHIFT) | cell[_low(keys)], counts)
        return merged

    def units(
        self, *, label_type: LabelType | None = None, truth_is_text: bool = False, all_text: bool = False
    ) -> Units:
        """Reconcile the label types, as ``tally.Tally`` does, and return the counts.

        Raises:
            LabelMismatchError: Truth and predictions share no type.
            InvalidInputError: The truth is continuous, or predictions look like probabilities.
        """
        columns = [[x.item() if isinstance(x, np.generic) else x for _, x in known] for known in self._labels]
        agreed = reconcile(*columns, label_type=label_type, truth_is_text=truth_is_text, all_text=all_text)
        spelled = (agreed.truth, agreed.champion, agreed.challenger)
        triples = [tuple(values[i] for values, i in zip(spelled, cell, strict=True)) for cell in self._cells]
        keys, counts = self._settle()
        rows = np.bincount(_low(keys), weights=counts, minlength=len(triples)).astype(np.int64)
        totals: Counter[tuple[Label, Label, Label]] = Counter()
        for (y, a, b), count in zip(triples, rows.tolist(), strict=True):
            totals[y, a, b] += count
        outcomes = PairedOutcomes.from_counts(totals)
        index = {key: i for i, key in enumerate(outcomes.to_counts())}
        cell = np.array([index[y, a, b] for y, a, b in triples], dtype=np.int64)
        keys, counts = _summed((keys >> _SHIFT << _SHIFT) | cell[_low(keys)], counts)
        return Units(outcomes=outcomes, unit=keys >> _SHIFT, cell=_low(keys), count=counts)

    def _take_in(self, keys: Counts, counts: Counts) -> None:
        self._waiting.append(_summed(keys, counts))
        if sum(len(keys) for keys, _ in self._waiting) >= max(_FEW, len(self._keys)):  # else each batch would sort all
            self._settle()

    def _settle(self) -> tuple[Counts, Counts]:
        """Add what waits to the rest: keys, ascending, and their counts."""
        keys, counts = zip((self._keys, self._counts), *self._waiting, strict=True)
        self._keys, self._counts = _summed(np.concatenate(keys), np.concatenate(counts))
        self._waiting = []
        return self._keys, self._counts


def _numbered(known: dict[Any, int], values: npt.NDArray[Any], *, typed: bool = True) -> Counts:
    """Number values as they come, and remember the numbers."""
    if values.dtype.kind in "OUT":
        distinct: dict[Any, int] = {}
        keys = [(type(x), x) for x in values.tolist()] if typed else values.tolist()
        inverse = np.fromiter((distinct.setdefault(key, len(distinct)) for key in keys), np.int64, len(keys))
        return _renumbered(known, distinct)[inverse]
    found, inverse = np.unique(values, return_inverse=True)
    keys = [(type(x), x) for x in found.tolist()] if typed else found.tolist()
    return _renumbered(known, {key: i for i, key in enumerate(keys)})[inverse]


def _renumbered(known: dict[Any, int], other: dict[Any, int]) -> Counts:
    """Take another numbering's values into ours: our number by theirs."""
    return np.array([known.setdefault(key, len(known)) for key in other], dtype=np.int64)


def _low(keys: Counts) -> Counts:
    return keys & ((1 << _SHIFT) - 1)


def _summed(keys: Counts, counts: Counts) -> tuple[Counts, Counts]:
    """Add up the counts of equal keys; keys ascend."""
    if not keys.size:
        return keys, counts
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    start = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[start], np.add.reduceat(counts, start)


def _profiles(units: Units) -> tuple[csr_array, Counts]:
    """Group units that have the same rows in every cell: the distinct ones, shape (cells, profiles), and how many."""
    from scipy import sparse  # noqa: PLC0415 - this module is imported by many that resample no unit

    if not units.n_units:
        raise NotApplicableError("There are no rows to resample.")
    entries = np.bincount(units.unit, minlength=units.n_units)
    first = np.cumsum(entries) - entries
    cells, counts, sizes, alike = [], [], [], []
    for size in np.unique(entries).tolist():  # units of equally many entries make a matrix; few sizes occur
        at = first[entries == size][:, None] + np.arange(size)
        own, count = np.unique(np.hstack([units.cell[at], units.count[at]]), axis=0, return_counts=True)
        cells.append(own[:, :size].ravel())
        counts.append(own[:, size:].ravel())
        sizes.append(np.full(len(own), size))
        alike.append(count)
    starts = np.r_[0, np.cumsum(np.concatenate(sizes))]
    shape = len(units.outcomes.cells), len(starts) - 1
    profiles = sparse.csc_array((np.concatenate(counts), np.concatenate(cells), starts), shape=shape)
    return profiles.tocsr(), np.concatenate(alike).astype(np.int64)
