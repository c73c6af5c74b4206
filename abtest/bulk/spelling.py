"""Rows of a table as lines of text, column by column: CSV, and JSON Lines, at no Python object a row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDS_QUOTES = r'[",\r\n]|^$|^\s|\s$'  # empty text is no missing value
_NEEDS_ESCAPES = r'["\\\x00-\x1f]'
_TEXT = pa.large_string()  # the lines of a batch may be more than 2 GiB
_NOTHING = pa.scalar("", _TEXT)
_WHOLE = r"^(-?\d+)$"


def csv_header(names: Sequence[str]) -> bytes:
    r"""Write the first line.

    Example:
        >>> csv_header(["id", "probability_a,b"])
        b'id,"probability_a,b"\n'
    """
    return _joined([_quoted(pa.array([name])) for name in names], [*[","] * (len(names) - 1), "\n"], first="")


def csv_lines(batch: pa.RecordBatch) -> bytes:
    """Write a row a line: text in quotes where it must be, nothing for what is missing.

    Raises:
        InvalidInputError: A column is of a type that CSV has no cells for.
    """
    cells = [pc.fill_null(_csv_cells(batch.column(at), name), "") for at, name in enumerate(batch.schema.names)]
    return _joined(cells, [*[","] * (len(cells) - 1), "\n"], first="")


def json_lines(batch: pa.RecordBatch, first_row: int) -> bytes:
    """Write an object a line, with null for what is missing.

    Args:
        batch: Rows.
        first_row: The first one's number, for messages.

    Raises:
        InvalidInputError: A number is infinite, which JSON cannot say.
    """
    keys = [json.dumps(name, ensure_ascii=False) + ": " for name in batch.schema.names]
    cells = [
        pc.fill_null(_json_cells(batch.column(at), name, first_row), "null")
        for at, name in enumerate(batch.schema.names)
    ]
    return _joined(cells, [*(f", {key}" for key in keys[1:]), "}\n"], first="{" + keys[0])


def _joined(cells: Sequence[pa.Array], after: Sequence[str], *, first: str) -> bytes:
    """Put cells of a row together, each with what follows it, and all rows."""
    pieces = [piece for pair in zip(cells, after, strict=True) for piece in pair]
    alike = [pc.cast(piece, _TEXT) if isinstance(piece, pa.Array) else pa.scalar(piece, _TEXT) for piece in pieces]
    lines = pc.binary_join_element_wise(pa.scalar(first, _TEXT), *alike, _NOTHING)
    # The characters of an array of text lie one after another: that is the file.
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int64)
    return bytes(memoryview(lines.buffers()[2])[: offsets[len(lines)]])


def _csv_cells(column: pa.Array, name: str) -> pa.Array:
    column = _decoded(column)
    if _is_text(column.type):
        return _quoted(column)
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        raise InvalidInputError(
            f"Column '{name}' is of type {column.type}, which CSV has no cell for.", hint="write Parquet."
        )
    return _number_text(column) if pa.types.is_floating(column.type) else pc.cast(column, pa.string())


def _json_cells(column: pa.Array, name: str, first_row: int) -> pa.Array:
    column = _decoded(column)
    kind = column.type
    if pa.types.is_floating(kind):
        return _json_numbers(column, name, first_row)
    if _is_text(kind):
        return _escaped(column)
    if pa.types.is_temporal(kind):
        return _escaped(pc.cast(column, pa.string()))
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InvalidInputError(
            f"Column '{name}' is of type {kind}, which JSON has no value for.", hint="write Parquet."
        )
    return pa.array([json.dumps(value, ensure_ascii=False, default=str) for value in column.to_pylist()], pa.string())


def _quoted(column: pa.Array) -> pa.Array:
    needs = pc.match_substring_regex(column, _NEEDS_QUOTES)
    if not pc.any(needs).as_py():
        return column
    return pc.if_else(needs, _between('"', pc.replace_substring(column, '"', '""')), column)


def _escaped(column: pa.Array) -> pa.Array:
    needs = pc.match_substring_regex(column, _NEEDS_ESCAPES)
    plain = _between('"', column)
    if not pc.any(needs).as_py():
        return plain
    spelled = [json.dumps(value, ensure_ascii=False) for value in column.filter(needs).to_pylist()]
    return pc.replace_with_mask(plain, pc.fill_null(needs, False), pa.array(spelled, plain.type))  # noqa: FBT003 - a value


def _between(mark: str, column: pa.Array) -> pa.Array:
    mark_ = pa.scalar(mark, column.type)
    return pc.binary_join_element_wise(mark_, column, mark_, pa.scalar("", column.type))


def _json_numbers(column: pa.Array, name: str, first_row: int) -> pa.Array:
    infinite = pc.fill_null(pc.is_inf(column), False)  # noqa: FBT003 - a value
    if pc.any(infinite).as_py():
        row = first_row + int(np.flatnonzero(infinite.to_numpy(zero_copy_only=False))[0])
        raise InvalidInputError(
            f"Column '{name}' is infinite in row {wording.whole(row)}, which JSON cannot say.",
            hint="write CSV or Parquet.",
        )
    missing = pc.is_nan(column)
    return pc.if_else(missing, pa.scalar(None, pa.string()), _number_text(column))


def _number_text(column: pa.Array) -> pa.Array:
    """Write the shortest digits that read as the same number, and those of a whole one with ".0": it is no integer."""
    text = pc.cast(column, pa.string())
    if not pc.any(pc.equal(pc.floor(column), column)).as_py():
        return text
    return pc.replace_substring_regex(text, _WHOLE, r"\1.0")


def _decoded(column: pa.Array) -> Any:  # noqa: ANN401 - Arrow ships no types
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
