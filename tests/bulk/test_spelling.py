"""Lines of text hold what the table held."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.bulk.spelling import csv_header, csv_lines, json_lines
from abtest.errors import InvalidInputError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.tuples(
        st.none() | TEXT,
        st.none() | NUMBERS,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
NAMES = st.lists(TEXT.filter(bool), min_size=4, max_size=4, unique=True)
KINDS = (pa.string(), pa.float64(), pa.int64(), pa.bool_())


def batch(names: list[str], rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows as a batch of typed columns."""
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(c, k) for c, k in zip(columns, KINDS, strict=True)], names=names)


@given(NAMES, ROWS)
def test_json_reads_back(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Python's own reader finds each value as it was, whatever text holds, and a number of its own kind."""
    lines = json_lines(batch(names, rows), 1).decode().split("\n")[:-1]
    read = [tuple(json.loads(line)[name] for name in names) for line in lines]
    assert read == rows
    assert [[type(value) for value in row] for row in read] == [[type(value) for value in row] for row in rows]


@given(NAMES, ROWS)
def test_csv_reads_back(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Python's own reader finds the cells: numbers read as the same numbers, and text is text."""
    text = (csv_header(names) + csv_lines(batch(names, rows))).decode()
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == names
    assert [cell[0] or None for cell in read] == [row[0] or None for row in rows]
    assert [float(cell[1]) if cell[1] else None for cell in read] == [row[1] for row in rows]
    assert [int(cell[2]) if cell[2] else None for cell in read] == [row[2] for row in rows]
    assert [cell[3] for cell in read] == ["" if row[3] is None else str(row[3]).lower() for row in rows]


def test_what_is_missing_is_empty_and_empty_text_is_in_quotes() -> None:
    """A reader that cares can tell them apart; a number without a fraction stays a number with one."""
    found = pa.record_batch({"a": ["x", "", None], "b": [1.0, math.nan, None], "c": pa.array([1, None, 3], pa.int32())})
    assert csv_lines(found).decode().splitlines() == ["x,1.0,1", '"",nan,', ",,3"]
    assert json_lines(found, 1).decode().splitlines()[1] == '{"a": "", "b": null, "c": null}'


def test_a_slice_is_what_it_shows() -> None:
    """Part of a batch is written as that part."""
    whole = pa.record_batch({"a": ["x", "y", "z"], "b": [1, 2, 3]})
    assert csv_lines(whole.slice(1, 1)) == b"y,2\n"
    assert csv_lines(whole.slice(0, 0)) == b""


def test_other_types() -> None:
    """Times, decimals and coded text are written as they are read; lists have a place in JSON alone."""
    plain = pa.record_batch(
        {
            "t": pa.array([datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("s")),  # noqa: DTZ001 - a time without a zone is the case
            "d": pa.array([Decimal("1.50")]),
            "k": pa.array(["a"]).dictionary_encode(),
        }
    )
    assert csv_lines(plain) == b"2026-01-02 03:04:05,1.50,a\n"
    assert json_lines(plain, 1) == b'{"t": "2026-01-02 03:04:05", "d": 1.50, "k": "a"}\n'
    listed = pa.record_batch({"l": [[1, 2]]})
    assert json_lines(listed, 1) == b'{"l": [1, 2]}\n'
    with pytest.raises(InvalidInputError, match="Column 'l' is of type list"):
        csv_lines(listed)
    for write in (csv_lines, lambda found: json_lines(found, 1)):
        with pytest.raises(InvalidInputError, match="Column 'b' is of type binary"):
            write(pa.record_batch({"b": [b"x"]}))


def test_what_json_cannot_say_is_told_with_its_row() -> None:
    """An infinite number is refused in JSON, and the row is the file's."""
    with pytest.raises(InvalidInputError, match="Column 'b' is infinite in row 12, which JSON cannot say"):
        json_lines(pa.record_batch({"b": [1.0, math.inf]}), 11)
    assert csv_lines(pa.record_batch({"b": [math.inf]})) == b"inf\n"
