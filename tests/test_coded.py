"""Labels by code: narrow, and read back as they came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from abtest.coded import Coded
from abtest.loaders.columns import label_column

DTYPES = ("int8", "uint8", "int16", "int64", "uint64", "float32", "float64", "bool", "U3", "object")


@st.composite
def columns(draw: st.DrawFn) -> np.ndarray[Any, np.dtype[Any]]:
    """Draw a column of labels of any type, close together or far apart."""
    kind = np.dtype(draw(st.sampled_from(DTYPES)))
    rows = draw(st.integers(0, 60))
    if kind.kind == "O":
        values = draw(st.lists(st.sampled_from(["a", "b", 1, True, 1.0, "1"]), min_size=rows, max_size=rows))
        column = np.empty(rows, dtype=object)
        column[:] = values
        return column
    elements = arrays.from_dtype(kind, allow_nan=False) if draw(st.booleans()) else None
    if elements is None and kind.kind in "iuf":
        elements = st.integers(0, 100).map(kind.type)
    return draw(arrays.arrays(kind, rows, elements=elements))


@given(columns())
def test_codes_read_back_as_what_was_coded(column: np.ndarray[Any, np.dtype[Any]]) -> None:
    """Each row's value is the row's label, of Python's own type, whatever array it came in."""
    coded = Coded.of(column)
    read = [coded.values[code] for code in coded.codes.tolist()]
    assert [(type(x), x) for x in read] == [(type(x), x) for x in column.tolist()]
    assert coded.decoded().tolist() == column.tolist()
    assert len(coded) == len(column)


@given(columns())
def test_codes_are_narrow(column: np.ndarray[Any, np.dtype[Any]]) -> None:
    """A byte holds the codes of up to 256 labels, and of no label do two codes stand."""
    coded = Coded.of(column)
    assert coded.codes.dtype == np.uint8
    assert len({(type(x), x) for x in coded.values}) == len(coded.values)


@pytest.mark.parametrize(("labels", "kind"), [(256, np.uint8), (257, np.uint16), (65_537, np.uint32)])
@pytest.mark.parametrize("spread", [1, 1_000_003])
def test_codes_grow_with_their_labels(labels: int, kind: type, spread: int) -> None:
    """Codes take one byte up to 256 labels, two up to 65,536 and four beyond, near or far apart."""
    column = np.random.default_rng(0).permutation(np.arange(labels)) * spread - 5
    coded = Coded.of(column)
    assert coded.codes.dtype == kind
    assert np.array_equal(coded.decoded(), column)


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64"])
def test_a_difference_that_overflows_is_still_a_code(kind: str) -> None:
    """Labels from the least to the greatest of a type, and next to either, are told apart."""
    ends = np.iinfo(kind)
    for column in ([ends.min, ends.max], [ends.min, ends.min + 200], [ends.max - 200, ends.max]):
        labels = np.array(column, dtype=kind)
        assert Coded.of(labels).decoded().tolist() == labels.tolist()


@pytest.mark.parametrize("column", [[0.0, 0.5], [1e300, -1e300], [float("inf"), 0.0], [2.0**60, 0.0]])
def test_floats_that_are_no_whole_numbers_close_together_are_sorted(column: list[float]) -> None:
    """Fractions, infinities and numbers far apart are coded too."""
    assert Coded.of(np.array(column)).decoded().tolist() == column


def test_labels_that_do_not_occur_are_left_out_where_they_are_most() -> None:
    """Two labels two hundred apart have two codes, not two hundred."""
    coded = Coded.of(np.array([1, 200, 1], dtype=np.uint8))
    assert (coded.codes.tolist(), coded.values) == ([0, 1, 0], (1, 200))


def test_a_part_keeps_the_meaning_of_its_codes() -> None:
    """Some rows of a coded column are those rows of the column; coding what is coded changes nothing."""
    coded = Coded.of(np.array(["a", "b", "a"]))
    assert coded[np.array([False, True, True])].decoded().tolist() == ["b", "a"]
    assert Coded.of(coded) is coded


@given(labels=st.lists(st.sampled_from(["ant", "bee", "cat", "élan", ""]), max_size=30), as_dictionary=st.booleans())
def test_text_is_coded_as_it_is_read(labels: list[str], *, as_dictionary: bool) -> None:
    """A column of text, or of categories some of which do not occur, reads back as its labels."""
    column: pa.Array = pa.array(labels, pa.string())
    if as_dictionary:
        known = [f"unused {i}" for i in range(40)] + sorted(set(labels))
        column = pa.DictionaryArray.from_arrays(pa.array([known.index(x) for x in labels], pa.int32()), known)
    coded = label_column(column, "y")
    assert isinstance(coded, Coded)
    assert coded.decoded().tolist() == labels
    assert len(coded.values) <= max(32, 2 * len(set(labels)))
