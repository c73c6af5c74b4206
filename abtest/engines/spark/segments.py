"""Segments on Spark: found as the local engine finds them, and told apart by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.engines.spark.tables import Column, Table, column
from abtest.errors import InvalidInputError
from abtest.loaders.segments import NO_SEGMENTS, Segmentation, find_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.loaders.datasets import Dataset


def find(data: Dataset, names: Sequence[str], *, target: str) -> Segmentation:
    """Find the values of the segmentations: of files, in their order, as anywhere else.

    Raises:
        InvalidInputError: A column is not there, or is the target; or there are too many values for segments.
    """
    if isinstance(data, Table) and names:
        raise InvalidInputError("segments of a table")
    return find_segments(data, names, target=target) if names else NO_SEGMENTS


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
