"""Features by day: sketches of each column, many rows at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest.errors import InvalidInputError
from abtest.loaders.sketching import sketch
from abtest.monitoring.errors import grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.stats.sketches import Sketch

Codes = npt.NDArray[np.int64]
_WAITING = 1 << 18  # rows that are sketched together


class FeaturesByDay:
    """Sketches columns by group.

    Args:
        columns: Their names.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._waiting: list[tuple[Codes, pa.RecordBatch]] = []
        self._found: dict[int, dict[str, Sketch]] = {}

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
            for code, own in rows:
                self._add(code, name, sketch(column if isinstance(own, slice) else column.take(pa.array(own))))

    def _add(self, code: int, name: str, found: Sketch) -> None:
        day = self._found.setdefault(code, {})
        known = day.get(name)
        if known is None:
            day[name] = found
        elif type(found) is type(known):
            day[name] = known + found  # type: ignore[operator] # both are of one type
        elif known.n and found.n:
            raise InvalidInputError(
                f"Feature '{name}' holds numbers in some rows, and text in others.", hint="give the column one type."
            )
        else:  # where nothing but nulls is, there is no type
            kept, empty = (known, found) if known.n else (found, known)
            day[name] = replace(kept, missing=kept.missing + empty.missing)
