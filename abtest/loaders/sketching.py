"""Columns as files and frames hold them, to sketches: which are numbers, which values, and which neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest.errors import NotApplicableError
from abtest.stats.sketches import Numbers, Sketch, Values

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86_400  # seconds


def sketch(column: pa.Array | pa.ChunkedArray) -> Sketch:
    """Sketch a column: numbers and moments (in seconds since 1970, in UTC) as numbers, text and booleans as values.

    Null and NaN are missing. A column in which all is null is of no type: its sketch has no number, and is added to
    numbers and to values alike by ``stats.sketches.add``.

    Raises:
        NotApplicableError: Its type holds neither: lists, structures, bytes.

    Example:
        >>> sketch(pa.array([1.5, None, 2.5])).missing, dict(sketch(pa.array([True, True, False])).counts)
        (1, {'false': 1, 'true': 2})
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    if _is_text(values) or pa.types.is_boolean(values):
        return _values(column)
    if pa.types.is_dictionary(kind):
        return sketch(column.dictionary_decode())
    if pa.types.is_null(kind):
        return Numbers.of([], missing=len(column))
    return _numbers(column)


def sketch_columns(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> tuple[dict[str, Sketch], dict[str, str]]:
    """Sketch many columns: sketches by name, and by the name of each that is left out why.

    Example:
        >>> sketches, left_out = sketch_columns({"x": pa.array([1, 2]), "tags": pa.array([["a"], []])})
        >>> list(sketches), left_out
        (['x'], {'tags': 'list<item: string> is neither numbers nor values.'})
    """
    sketches: dict[str, Sketch] = {}
    left_out: dict[str, str] = {}
    for name, column in columns.items():
        try:
            sketches[name] = sketch(column)
        except NotApplicableError as error:
            left_out[name] = error.message
    return sketches, left_out


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _values(column: pa.Array) -> Values:
    if pa.types.is_string_view(column.type):
        column = pc.cast(column, pa.string())  # pyarrow 25 counts its nulls as empty text
    counted = pc.value_counts(column)
    values, counts = counted.field("values"), counted.field("counts").to_pylist()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    rows: dict[str, int] = {}
    missing = 0
    for value, count in zip(pc.cast(values, pa.string()).to_pylist(), counts, strict=True):
        if value is None:
            missing += count
        else:
            rows[value] = rows.get(value, 0) + count  # a dictionary may hold a value twice
    return Values.of(rows, missing=missing)


def _numbers(column: pa.Array) -> Numbers:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return Numbers.of(column.to_numpy(zero_copy_only=False))  # what is null becomes NaN
    if pa.types.is_decimal(kind):
        return Numbers.of(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pa.types.is_date(kind):
        return Numbers.of(_whole(pc.cast(column, pa.date32()), pa.int32()) * _DAY)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time64(kind):
        return Numbers.of(_whole(column, pa.int64()) / _SECOND[kind.unit])
    if pa.types.is_time32(kind):
        return Numbers.of(_whole(column, pa.int32()) / _SECOND[kind.unit])
    raise NotApplicableError(f"{kind} is neither numbers nor values.")


def _whole(column: pa.Array, kind: pa.DataType) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(pc.cast(column, kind).to_numpy(zero_copy_only=False), dtype=np.float64)
