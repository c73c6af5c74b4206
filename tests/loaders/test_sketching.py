"""Columns of every type: numbers and moments are numbers, text and booleans are values, and the rest says why not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import NotApplicableError
from abtest.loaders.sketching import sketch, sketch_columns
from abtest.stats.sketches import Numbers, Values, add

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        (pa.array([1, None, 3], pa.int8()), [1, None, 3]),
        (pa.array([1, 2**53], pa.uint64()), [1, 2**53]),
        (pa.array([1.5, float("nan"), None]), [1.5, None, None]),
        (pa.array(np.array([0.5], dtype=np.float16)), [0.5]),
        (pa.array([Decimal("1.25"), None]), [1.25, None]),
        (pa.array([date(1970, 1, 2), None]), [86_400, None]),
        (pa.array([date(1970, 1, 2)], pa.date64()), [86_400]),
        (pa.array([NOON, None], pa.timestamp("ns", tz="Europe/Berlin")), [NOON.timestamp(), None]),
        (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("s")), [NOON.timestamp()]),
        (pa.array([timedelta(milliseconds=1500)], pa.duration("ms")), [1.5]),
        (pa.array([time(1, 0, 0, 500_000), None]), [3600.5, None]),
        (pa.array([time(1)], pa.time32("s")), [3600]),
        (pa.array([7, None, 7]).dictionary_encode(), [7, None, 7]),
        (pa.nulls(3), [None] * 3),
        (pa.chunked_array([[1, 2], [3]]), [1, 2, 3]),
        (pa.chunked_array([], pa.float64()), []),
    ],
    ids=lambda it: str(it.type) if hasattr(it, "type") else "",
)
def test_numbers_and_moments_are_numbers(column: pa.Array, numbers: list[float | None]) -> None:
    """A column of numbers or moments has the sketch of its numbers, in seconds; null and NaN are missing."""
    expected = Numbers.of(np.array(numbers, dtype=np.float64))
    assert sketch(column).to_dict() == expected.to_dict()


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", "a", None, "b"]),
        pa.array(["b", "a", None, "b"], pa.large_string()),
        pa.array(["b", "a", None, "b"], pa.string_view()),
        pa.array(["b", "a", None, "b"]).dictionary_encode(),
        pa.chunked_array([pa.array(["b", "a"]), pa.array([None, "b"])]),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["b", "a", "b"])),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0]), pa.array(["b", "a", None])),
        pa.array(pd.Series(["b", "a", None, "b"], dtype="category")),
    ],
    ids=lambda it: str(it.type),
)
def test_text_is_values(column: pa.Array) -> None:
    """Text has the sketch of its values' counts, however it is stored."""
    assert sketch(column).to_dict() == Values.of({"a": 1, "b": 2}, missing=1).to_dict()


def test_booleans_are_values() -> None:
    """Booleans are two values, in words."""
    assert sketch(pa.array([True, None, False])).to_dict() == Values.of({"true": 1, "false": 1}, missing=1).to_dict()


@pytest.mark.parametrize(
    "column", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([b"x"])], ids=lambda it: str(it.type)
)
def test_what_is_neither_is_left_out(column: pa.Array) -> None:
    """What is neither numbers nor values is left out, and the type says why."""
    with pytest.raises(NotApplicableError, match=str(column.type)[:4]):
        sketch(column)
    sketches, left_out = sketch_columns({"it": column, "x": pa.array([1])})
    assert list(sketches) == ["x"]
    assert list(left_out) == ["it"]


@given(
    st.one_of(
        st.lists(st.one_of(st.none(), st.floats(width=32))),
        st.lists(st.one_of(st.none(), st.text(max_size=2))),
        st.lists(st.one_of(st.none(), st.booleans())),
    ),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_batches_add_up(rows: list[Any], cuts: list[int]) -> None:
    """However a column is cut into batches, their sketches add up to its own, whole batches without a value too."""
    ends = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    total = sketch(pa.nulls(0))
    for start, end in pairwise(ends):
        together = add(total, sketch(pa.array(rows[start:end])))
        assert together is not None
        total = together
    whole = sketch(pa.array(rows))
    assert total.rows == whole.rows == len(rows)
    if whole.n:
        assert total.to_dict() == whole.to_dict()
