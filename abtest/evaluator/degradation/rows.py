"""The labelled rows of windows, hour by hour, laid out for arithmetic: cells of one table, or sums of errors."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.labels import Label, cast_label, kind_of, label_order
from abtest.metrics.totals import SideCells, Totals
from abtest.outcomes import Counts, PairedOutcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abtest.metrics.regression import RegressionOutcomes
    from abtest.stats.moments import Moments
    from abtest.windows import Bucket

Floats: TypeAlias = npt.NDArray[np.float64]
Key: TypeAlias = tuple[str, str] | None  # of a segment; None of all rows

PARTS = ("truth", "errors", "absolute", "squared")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Rows of one window or segment, by the hour.

    Attributes:
        hour: Where each hour begins, in seconds since 1970; NaN where there is no time; shape (hours,).
        rows: Labelled rows in each, shape (hours,).
    """

    hour: Floats
    rows: Floats

    def clusters(self, seconds: int) -> npt.NDArray[np.intp] | None:
        """Number hours by the day, or by themselves; None where there is no time."""
        if not np.isfinite(self.hour).all():
            return None
        return np.unique(self.hour // seconds, return_inverse=True)[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledHours(Hours):
    """Of a classification.

    Attributes:
        cells: The distinct cells of all hours.
        at: Of each entry its hour, shape (entries,).
        cell: Its cell, likewise.
        count: Its rows, likewise.
    """

    cells: SideCells
    at: Counts
    cell: Counts
    count: Counts

    def totals(self) -> Totals:
        """All hours together."""
        return Totals(cells=self.cells, weights=self.weights(np.zeros(self.rows.size, dtype=np.intp), 1)[0])

    def weights(self, group: npt.NDArray[np.intp], groups: int) -> Floats:
        """Add hours up by group, shape (groups, cells); those of group −1 are left out."""
        cells, own = len(self.cells.truth), group[self.at]
        kept = own >= 0
        at = own[kept] * cells + self.cell[kept]
        return summed(at, self.count[kept], groups * cells).reshape(groups, cells)

    def by_hour(self, influence: Floats) -> Floats:
        """What the rows of each hour add up to, shape (hours,)."""
        return summed(self.at, self.count * influence[self.cell], self.rows.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorHours(Hours):
    """Of a regression.

    Attributes:
        means: Of the truth, and of each loss, by name: by hour.
        squares: Sums of squared deviations from these, likewise.
    """

    means: dict[str, Floats]
    squares: dict[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """The tables of windows, over labels that all of them share.

    Attributes:
        labels: Every label that occurs.
        windows: Of each window, where its hours begin, and their tables.
    """

    labels: tuple[Label, ...]
    windows: tuple[tuple[tuple[float, PairedOutcomes], ...], ...]

    @classmethod
    def of(cls, *windows: Iterable[Bucket], pos_label: Label | None = None) -> Tables:
        """Read the tables; where a prediction failed in any window, labels are text in all.

        Args:
            windows: Their hours.
            pos_label: The positive label, which is a label though it may not occur.
        """
        kept = [[bucket for bucket in window if bucket.tallied.labelled] for window in windows]
        as_text = any(bucket.tallied.unpredicted for window in kept for bucket in window)
        found = tuple(tuple((_second(one), _table(one, as_text=as_text)) for one in window) for window in kept)
        labels = {label for window in found for _, table in window for label in table.labels}
        if pos_label is not None and labels:
            with contextlib.suppress(ValueError):  # no label of that type: whoever looks for it says so
                labels.add(cast_label(pos_label, kind_of([*labels])))
        return cls(labels=tuple(sorted(labels, key=label_order)), windows=found)

    def keys(self, window: int) -> dict[tuple[str, str], None]:
        """The segments of a window."""
        found = {segment.key for _, table in self.windows[window] for segment in table.segments}
        return dict.fromkeys(sorted(found))

    def hours(self, window: int, key: Key = None) -> LabelledHours:
        """Lay out the rows of a window, or of a segment of it."""
        index = {label: i for i, label in enumerate(self.labels)}
        k, hours, fused, counts = len(self.labels), [], [], []
        for second, table in self.windows[window]:
            cells = _cells(table, key)
            if cells is None:
                continue
            lookup = np.array([index[label] for label in table.labels], dtype=np.int64)
            hours.append(second)
            fused.append(lookup[cells[:, 0]] * k + lookup[cells[:, 2]])
            counts.append(cells[:, 3])
        sizes = [len(part) for part in fused]
        none = np.zeros(0, dtype=np.int64)
        at = np.repeat(np.arange(len(hours)), sizes)
        count = np.concatenate([*counts, none])
        distinct, cell = np.unique(np.concatenate([*fused, none]), return_inverse=True)
        truth, said = distinct // max(k, 1), distinct % max(k, 1)
        return LabelledHours(
            hour=np.array(hours, dtype=np.float64),
            rows=summed(at, count, len(hours)),
            cells=SideCells(labels=self.labels, truth=truth, said=said, is_class=np.isin(np.arange(k), truth)),
            at=at,
            cell=cell,
            count=count,
        )


def error_hours(buckets: Iterable[Bucket], names: Sequence[str], key: Key = None) -> ErrorHours:
    """Lay out the errors of a window, or of a segment of it.

    Args:
        buckets: Its hours.
        names: Losses of the user's own; hours without one are left out.
        key: Of the segment.
    """
    found = [(_second(bucket), sums) for bucket in buckets if (sums := _errors(bucket, key)) is not None]
    found = [(second, sums) for second, sums in found if all(name in sums.losses for name in names)]
    columns = {name: [_moments(sums, name) for _, sums in found] for name in (*PARTS, *names)}
    return ErrorHours(
        hour=np.array([second for second, _ in found], dtype=np.float64),
        rows=np.array([sums.n for _, sums in found], dtype=np.float64),
        means={name: np.array([one.mean for one in own], dtype=np.float64) for name, own in columns.items()},
        squares={name: np.array([one.squares for one in own], dtype=np.float64) for name, own in columns.items()},
    )


def summed(group: npt.NDArray[np.integer[Any]], column: npt.NDArray[Any], groups: int = 0) -> Floats:
    """Add a column up by group, shape (groups,)."""
    return np.asarray(np.bincount(group, weights=column, minlength=groups), dtype=np.float64)


def _moments(sums: RegressionOutcomes, name: str) -> Moments:
    pairs = {"errors": sums.errors, "absolute": sums.absolute, "squared": sums.squared, **sums.losses}
    return sums.truth if name == "truth" else pairs[name].champion


def _errors(bucket: Bucket, key: Key) -> RegressionOutcomes | None:
    sums = bucket.tallied.errors if key is None else bucket.tallied.error_segments.get(key)
    return sums if sums is not None and sums.n else None


def _second(bucket: Bucket) -> float:
    return float("nan") if bucket.start is None else bucket.start.timestamp()


def _table(bucket: Bucket, *, as_text: bool) -> PairedOutcomes:
    table = bucket.tallied.table()
    if not as_text or bucket.tallied.unpredicted:
        return table
    return replace(table, labels=tuple(str(label) for label in table.labels))


def _cells(table: PairedOutcomes, key: Key) -> Counts | None:
    if key is None:
        return table.cells
    return next((segment.cells for segment in table.segments if segment.key == key), None)
