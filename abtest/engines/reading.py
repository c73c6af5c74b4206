"""Batches of labelled rows, as they are read: each row once, in order, with its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest import wording
from abtest.engines.pairs import Labels, Rows
from abtest.errors import InvalidInputError
from abtest.loaders.columns import label_array, label_column, labelled, unit_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model
    from abtest.loaders.segments import Segmentation


class Reading:
    """Gives the labelled rows of each batch, and counts those without a label.

    Args:
        batches: As they are read.
        target: The column with the truth.
        segmentation: How rows are told apart.
        unit: The column that says which rows belong together.
        drop: Leave out rows without a label instead of refusing.
        progress: Called with the number of rows done after each batch.
        numbers: The truth is numbers, not labels.
    """

    def __init__(
        self,
        batches: Iterator[pa.RecordBatch],
        target: str,
        segmentation: Segmentation,
        *,
        unit: str | None,
        drop: bool,
        progress: Callable[[int], None],
        numbers: bool = False,
    ) -> None:
        self._numbers = numbers
        self._batches = batches
        self._target, self._segmentation, self._unit = target, segmentation, unit
        self._drop, self._progress = drop, progress
        self._read = self._kept = 0

    def __iter__(self) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64]]]:
        for whole in self._batches:
            batch, numbers = _with_labels(whole, self._target, self._read + 1, drop=self._drop)
            if batch.num_rows:
                yield batch, numbers
            self._read += whole.num_rows
            self._kept += batch.num_rows
            self._progress(self._read)

    def rows(self, batch: pa.RecordBatch, numbers: npt.NDArray[np.int64]) -> Rows:
        """What a batch's rows are tallied by."""
        return Rows(
            numbers=numbers,
            truth=self._truth(batch.column(self._target)),
            codes=self._segmentation.codes(batch),
            units=unit_array(batch.column(self._unit)) if self._unit else None,
        )

    def _truth(self, column: pa.Array) -> Labels:
        if self._numbers:
            return label_array(column, self._target, numbers=True)
        return label_column(column, self._target)

    @property
    def unlabelled(self) -> int:
        """Rows without a label so far."""
        return self._read - self._kept

    def dropped(self) -> tuple[str, ...]:
        """Say how many rows were dropped."""
        return dropped(self.unlabelled)

    def refuse_nothing(self, data: Dataset) -> None:
        """Refuse data that had no row to compare on."""
        if self._kept:
            return
        why = f"all {wording.plural(self._read, 'row')} lack a label" if self._read else "it holds no rows"
        raise InvalidInputError(f"{data.name} has nothing to compare on: {why}.")


def dropped(rows: int) -> tuple[str, ...]:
    """Say how many rows were dropped for want of a label."""
    return (f"{wording.plural(rows, 'row')} without a label {'was' if rows == 1 else 'were'} dropped.",) if rows else ()


def agreed_types(models: Sequence[Model], columns: Sequence[Sequence[str]]) -> Mapping[str, pa.DataType]:
    """Read a text column as its models' signatures say; as text, if they say different things."""
    types: dict[str, pa.DataType] = {}
    for model, names in zip(models, columns, strict=True):
        for name in names:
            kind = model.type_of(name)
            if kind is not None:
                types[name] = kind if types.get(name, kind) == kind else pa.string()
    return types


def _with_labels(
    batch: pa.RecordBatch, target: str, first_row: int, *, drop: bool
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """Keep the rows with a label; also their numbers in the data, shape (rows,)."""
    has_label = labelled(batch.column(target)).to_numpy(zero_copy_only=False)
    rows = np.arange(first_row, first_row + batch.num_rows)
    if has_label.all():
        return batch, rows
    if not drop:
        missing = rows[~has_label]
        raise InvalidInputError(
            f"Target '{target}' is missing in {wording.plural(len(missing), 'row')} "
            f"(first: row {wording.whole(int(missing[0]))}).",
            hint="--drop-unlabelled leaves such rows out and counts them. "
            "In CSV an empty cell, NA, NaN, None and null are missing; a class of that name needs Parquet.",
        )
    return batch.filter(pa.array(has_label)), rows[has_label]
