"""Columns read whole: every column of one type, whatever its first rows look like.

The models' signatures are not there yet, which elsewhere say what a text format's columns are read as.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.loaders.datasets import Dataset

# What text is tried as, in turn; a column is of one type, whatever its first rows look like.
_READ_AS = (pa.int64(), pa.float64(), pa.timestamp("ns"))
_MOST_SIGNED = 2**63 - 1


def table_of(dataset: Dataset, columns: Sequence[str], *, as_text: Sequence[str]) -> pa.Table:
    """Read columns whole; of a text format, in the types that all their values have.

    Args:
        dataset: The rows.
        columns: Read so.
        as_text: Read too, of a text format as they are written.

    Raises:
        InvalidInputError: The data are damaged, hold no rows, or a column is of several types.
    """
    wanted = [*columns, *as_text]
    if not dataset.is_text:
        return _joined(dataset, wanted, {})
    try:
        table = _joined(dataset, wanted, dict.fromkeys(as_text, pa.string()))
    except (
        InvalidInputError
    ):  # a column is not what its first rows look like; or the file is damaged, and says so again
        return typed(_joined(dataset, wanted, dict.fromkeys(wanted, pa.string())), columns)
    thirds = [name for name in columns if pa.types.is_boolean(table.column(name).type) and table[name].null_count]
    if thirds:  # beside what is missing they are texts, spelled as they are in the file
        texts = _joined(dataset, thirds, dict.fromkeys(thirds, pa.string()))
        table = pa.table({name: (texts if name in thirds else table)[name] for name in wanted})
    return table


def _joined(dataset: Dataset, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> pa.Table:
    batches = [pa.Table.from_batches([batch]) for batch in dataset.batches(columns, types)]
    if not batches:
        raise InvalidInputError(f"{dataset.name} holds no rows.")
    try:
        table = pa.concat_tables(batches, promote_options="permissive")
    except pa.ArrowException as error:
        raise InvalidInputError(
            f"{dataset.name} has a column of several types: {wording.first_line(error)}.", hint="give it one."
        ) from error
    return pa.table({name: _plain(table.column(name), spell=not dataset.is_text) for name in table.column_names})


def _plain(column: pa.ChunkedArray, *, spell: bool) -> pa.Array:
    """One array, of values that are spelled out; decimals are doubles; booleans beside missing ones, texts.

    What needs 64 bits without a sign is read as from text, as MLflow's signatures have no such type.
    """
    found = column.combine_chunks()
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    if pa.types.is_decimal(found.type):
        found = pc.cast(found, pa.float64(), safe=False)
    if pa.types.is_uint64(found.type):
        signed = found.null_count == len(found) or pc.max(found).as_py() <= _MOST_SIGNED
        found = pc.cast(found, pa.int64() if signed else pa.float64(), safe=False)
    if spell and pa.types.is_boolean(found.type) and found.null_count:
        found = pc.cast(found, pa.string())
    return found


def typed(table: pa.Table, those: Sequence[str]) -> pa.Table:
    """Read columns of text as what all their values are."""
    return pa.table(
        {name: _read_as(table.column(name)) if name in those else table.column(name) for name in table.column_names}
    )


def _read_as(column: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(column)
    for kind in (*_READ_AS, *([] if column.null_count else [pa.bool_()])):
        try:
            return pc.cast(trimmed, kind)
        except pa.ArrowInvalid:
            continue
    return column
