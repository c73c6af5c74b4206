"""Segments on Spark: found as the local engine finds them, and told apart by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from abtest import wording
from abtest.engines.spark.session import told_as_ours
from abtest.engines.spark.tables import Column, Table, column
from abtest.errors import InvalidInputError
from abtest.loaders.segments import Segmentation, check_columns, crossed, find_segments, told_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.loaders.datasets import Dataset

_MOST_VALUES = 1 << 16  # of a column come here; more numbers than that are not cut


def find(data: Dataset, names: Sequence[str], *, target: str) -> Segmentation:
    """Find the values of the segmentations: of files here, by the reader of every engine; of tables where they are.

    Raises:
        InvalidInputError: A column is not there, or is the target; or there are too many values for segments.
    """
    if not isinstance(data, Table):
        return find_segments(data, names, target=target)
    found = [_found(data, name) for name in check_columns(data, names, target)]
    return crossed(names, {name: one for own in found for name, one in own.columns.items()})


def _found(data: Table, name: str) -> Segmentation:
    """One column's values, from its distinct ones and how many rows have each."""
    counted = data.frame.groupBy(column(name)).count().limit(_MOST_VALUES + 1)
    with told_as_ours(f"Spark could not read column '{name}'"):
        table = counted.toArrow()
    if table.num_rows > _MOST_VALUES:
        raise InvalidInputError(
            f"segments must be a few groups of rows, and '{name}' of the table {data.name} has more than "
            f"{wording.whole(_MOST_VALUES)} values.",
            hint="name a column of fewer values, round its numbers, or group them in one.",
        )
    values, counts = (table.column(at).combine_chunks() for at in range(2))
    batch = pa.RecordBatch.from_arrays([values], names=[name])
    return told_apart([name], [name], [batch], counts=counts.to_numpy().astype(np.int64))


def grouped(segmentation: Segmentation) -> list[Column]:
    """What rows are grouped by for each column: its values; of a number that is cut, the cut below it."""
    return [column(name) if cuts is None else _cut(column(name), cuts) for name, cuts in segmentation.cuts().items()]


def _cut(value: Column, cuts: Sequence[float]) -> Column:
    """Put the greatest cut that a number reaches in its place, or less than all cuts; nothing stays nothing."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

    number = value.cast("double")
    found = F.when(number.isNull() | F.isnan(number), F.lit(None).cast("double"))
    for cut in reversed(cuts):
        found = found.when(number >= cut, F.lit(cut))
    return found.otherwise(F.lit(float("-inf")))
