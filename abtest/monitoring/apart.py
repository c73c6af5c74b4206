"""How tracked rows are told apart: by the values of columns, as they are, so that they mean the same in every file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from abtest.errors import InvalidInputError
from abtest.loaders.segments import MISSING, check_columns, nullable, parts_of, spellings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from abtest.loaders.datasets import Dataset

MOST_VALUES = 100  # of one segmentation
Codes = npt.NDArray[np.int64]


class Apart:
    """Finds the segments of rows, batch by batch; values are numbered as they come.

    Args:
        data: Whose columns they are.
        names: Columns, or columns crossed by ``*``.
        target: The column with the truth, which tells nothing apart.

    Attributes:
        columns: The columns that are read.
        groups: By the name of each segmentation, its values so far, in the order of their codes.

    Raises:
        InvalidInputError: A column is not there, or is the target.
    """

    def __init__(self, data: Dataset, names: Sequence[str], target: str | None) -> None:
        self.columns = check_columns(data, names, target)
        self.groups: dict[str, dict[str, int]] = {name: {} for name in names}
        self._parts = {name: [*parts_of(name, data.columns)] for name in names}

    def codes(self, batch: pa.RecordBatch) -> dict[str, Codes]:
        """Each row's value under every segmentation, as an index into ``groups``; shape (rows,) each.

        Raises:
            InvalidInputError: There are too many values for segments.
        """
        own = {column: _by_value(batch.column(column)) for column in self.columns}
        return {name: self._numbered(name, [own[part] for part in parts]) for name, parts in self._parts.items()}

    def _numbered(self, name: str, parts: list[tuple[Codes, list[str]]]) -> Codes:
        crossed, sizes = parts[0][0], [len(values) for _, values in parts]
        for (codes, _), size in zip(parts[1:], sizes[1:], strict=True):
            crossed = crossed * size + codes
        occurring, codes = np.unique(crossed, return_inverse=True)
        known = self.groups[name]
        if len(occurring) <= MOST_VALUES:
            index = np.stack(np.unravel_index(occurring, sizes), axis=-1).tolist()
            texts = [" × ".join(parts[i][1][at] for i, at in enumerate(row)) for row in index]
            lookup = np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)
        if len(occurring) > MOST_VALUES or len(known) > MOST_VALUES:
            raise InvalidInputError(
                f"segments must be a few groups of rows, and '{name}' has more than {MOST_VALUES} values.",
                hint="name a column of fewer values; numbers need a column of ranges that are the same in every file.",
            )
        return lookup[codes]


def _by_value(column: pa.Array) -> tuple[Codes, list[str]]:
    encoded = pc.dictionary_encode(nullable(column))
    values = spellings(encoded.dictionary)
    codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [*values, MISSING]
