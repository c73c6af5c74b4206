"""Files of labels that come after their rows: each label with what names its row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest.loaders.columns import CODED_TEXT, labelled
from abtest.loaders.datasets import Dataset
from abtest.monitoring.columns import Columns
from abtest.monitoring.joined import shared_types, side_by_side
from abtest.monitoring.reading import ids_of, twice_there
from abtest.monitoring.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.labels import Task

_CHUNK = 10_000  # rows that are looked up together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LateLabels:
    """Labels of some rows.

    Attributes:
        ids: What names each row, shape (rows,).
        column: Their labels as they are read.
        numbers: The rows' numbers in the file, from 1, shape (rows,).
        at: When each label became known, in seconds since 1970, shape (rows,).
    """

    ids: Sequence[str]
    column: pa.Array
    numbers: npt.NDArray[np.int64]
    at: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFile:
    """A file of labels of rows that were tracked.

    Attributes:
        labels: The file.
        column: Its column with the labels.
        position: The file of their rows, and how its batch is called; None where ids name them.
        columns: What is read of that file.
        id_column: Names the rows, where ids do.
        time_column: When labels became known; None where no column says.
        at: Then it is this moment, in seconds since 1970.
        now: No label is known later, in seconds since 1970.
        batch_rows: Rows in memory at a time.
    """

    labels: Dataset
    column: str
    position: tuple[Dataset, str] | None
    columns: Columns | None
    id_column: str | None
    time_column: str | None
    at: float
    now: float
    batch_rows: int

    def read(self, task: Task | None) -> Iterator[LateLabels]:
        """Read it, in parts.

        Raises:
            InvalidInputError: An id is there twice, or a file is longer than the other.
        """
        first = 1
        times = Times(self.time_column, self.now) if self.time_column else None
        seen: dict[str, int] = {}
        for batch, positions in self._batches(task):
            numbers = np.arange(first, first + batch.num_rows)
            ids = positions or []
            if positions is None:
                ids = ids_of(batch.column(self.id_column), str(self.id_column), numbers).to_pylist()
                before = next((name for name in ids if name in seen), None)
                if before is not None:
                    raise twice_there(str(self.id_column), before, seen[before], first + ids.index(before))
                seen.update(zip(ids, numbers.tolist(), strict=True))
            column = batch.column(self.column)
            known = labelled(column)
            keep = known.to_numpy(zero_copy_only=False)
            at = times.seconds(batch.column(self.time_column), numbers) if times else np.full(len(numbers), self.at)
            yield LateLabels(
                ids=[name for name, there in zip(ids, keep.tolist(), strict=True) if there],
                column=column.filter(known), numbers=numbers[keep], at=at[keep],
            )  # fmt: skip
            first += batch.num_rows

    def _batches(self, task: Task | None) -> Iterator[tuple[pa.RecordBatch, list[str] | None]]:
        """Batches, each with the names of its rows where ids do not name them."""
        shared, known = (self.columns.shared, self.columns.types) if self.columns else ((), {})
        aside = [name for name in (self.id_column, self.time_column) if name is not None]
        if any(name not in self.labels.columns for name in aside):
            raise self.labels.missing(next(name for name in aside if name not in self.labels.columns))
        types = shared_types(self.labels, shared, known)
        types |= dict.fromkeys(aside, pa.string()) if self.labels.is_text else {}
        types[self.column] = pa.string() if task == "regression" else CODED_TEXT
        rows = min(_CHUNK, self.batch_rows)
        theirs = self.labels.batches([self.column, *aside, *shared], types, rows=rows)
        if self.position is None:
            for batch in theirs:
                yield batch, None
            return
        data, name = self.position
        first = 1
        ours = data.batches(shared or data.columns[:1], known, rows=rows)
        for _, batch in side_by_side(data, self.labels, (ours, theirs), shared):
            yield batch, [position_id(name, row) for row in range(first, first + batch.num_rows)]
            first += batch.num_rows


def position_id(batch: str, row: int) -> str:
    """What a row without an id is called: by its batch, and its number in the file."""
    return f"#{batch}:{row}"
