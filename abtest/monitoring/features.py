"""Features by day: sketches of each column, many rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.loaders.sketching import sketch
from abtest.monitoring.errors import grouped
from abtest.stats.sketches import add

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.stats.sketches import Sketch

Codes = npt.NDArray[np.int64]
_WAITING = 1 << 18  # rows that are sketched together


class FeaturesByDay:
    """Sketches columns by group.

    Args:
        columns: Their names.

    Attributes:
        left_out: By the name of a column that cannot be sketched, why.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._waiting: list[tuple[Codes, pa.RecordBatch]] = []
        self._found: dict[int, dict[str, Sketch]] = {}
        self.left_out: dict[str, str] = {}

    def add(self, group: Codes, batch: pa.RecordBatch) -> None:
        """Take in rows; each row's group is of shape (rows,)."""
        if not self._columns:
            return
        own = batch.select(list(self._columns))
        if self._waiting and not own.schema.equals(self._waiting[0][1].schema):
            self._settle()
        self._waiting.append((group, own))
        if sum(len(one) for one, _ in self._waiting) >= _WAITING:
            self._settle()

    def sketches(self) -> dict[int, dict[str, Sketch]]:
        """The sketch of each column, by group.

        Raises:
            InvalidInputError: A column is numbers in some rows, and text in others.
        """
        self._settle()
        return self._found

    def _settle(self) -> None:
        if not self._waiting:
            return
        group = np.concatenate([one for one, _ in self._waiting])
        table = pa.Table.from_batches([batch for _, batch in self._waiting])
        self._waiting = []
        rows = [*grouped(group)]
        for name in self._columns:
            column = table.column(name).combine_chunks()
            try:
                for code, own in rows:
                    self._add(code, name, sketch(column if isinstance(own, slice) else column.take(pa.array(own))))
            except NotApplicableError as error:
                self.left_out[name] = error.message

    def _add(self, code: int, name: str, found: Sketch) -> None:
        day = self._found.setdefault(code, {})
        known = day.get(name)
        total = found if known is None else add(known, found)
        if total is None:
            raise InvalidInputError(
                f"Feature '{name}' holds numbers in some rows, and text in others.", hint="give the column one type."
            )
        day[name] = total
