"""A column is cast only where nothing is lost, and only labels are taken for labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from abtest.coded import Coded
from abtest.engines.predicted import tally_columns
from abtest.errors import InvalidInputError
from abtest.loaders.columns import (
    as_array,
    as_labels,
    cast_column,
    coded_text,
    is_same_kind,
    label_array,
    labelled,
    missing_labels,
)

ROWS = np.arange(101, 104)


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        (pa.array([1, 2, None]), pa.float64(), [1.0, 2.0, None]),
        (pa.array([1.0, 2.0, None]), pa.int64(), [1, 2, None]),
        (pa.array([1, 2], pa.int32()), pa.int64(), [1, 2]),
        (pa.array([0, 1, None]), pa.bool_(), [False, True, None]),
        (pa.array([True, False]), pa.float64(), [1.0, 0.0]),
        (pa.array([" 1", "2 ", "3"]), pa.int64(), [1, 2, 3]),
        (pa.array(["x", "y"]).dictionary_encode(), pa.string(), ["x", "y"]),
        (pa.array(["x"], pa.large_string()), pa.string(), ["x"]),
        (pa.array([" x "], pa.large_string()), pa.string(), [" x "]),
        (pa.array(["1.5", None]).dictionary_encode(), pa.float64(), [1.5, None]),
        (pa.array(["1.25"]).cast(pa.decimal128(5, 2)), pa.float64(), [1.25]),
        (pa.array(["2.00"]).cast(pa.decimal128(5, 2)), pa.int64(), [2]),
        (pa.array(["true", "0"]), pa.bool_(), [True, False]),
    ],
)
def test_casts_where_nothing_is_lost(column: pa.Array, kind: pa.DataType, expected: list[Any]) -> None:
    """A column is cast wherever each value has an exact counterpart."""
    assert cast_column(column, kind, "a", ROWS).to_pylist() == expected


def test_casts_times() -> None:
    """Days, and times of any resolution, become nanoseconds; text becomes a time."""
    stamp = pd.Timestamp("2024-02-29 10:00")
    for column in (
        pa.array([stamp.to_pydatetime()], pa.timestamp("s")),
        pa.array(["2024-02-29 10:00:00"]),
        pa.array([stamp.to_pydatetime()], pa.timestamp("us", tz="UTC")),
    ):
        assert cast_column(column, pa.timestamp("ns"), "a", ROWS).to_pandas()[0] == stamp
    assert cast_column(pa.array([stamp.date()]), pa.timestamp("ns"), "a", ROWS).to_pandas()[0] == stamp.normalize()


@pytest.mark.parametrize(
    ("column", "kind", "told"),
    [
        (pa.array([1.0, 1.5]), pa.int64(), "Column 'a' must be int64, got 1.5 in row 102."),
        (pa.array([1.0, float("nan")]), pa.int64(), "Column 'a' must be int64, got nan in row 102."),
        (pa.array([0, 1, 2]), pa.bool_(), "Column 'a' must be bool, got 2 in row 103."),
        (pa.array([0.5]), pa.bool_(), "Column 'a' must be bool, got 0.5 in row 101."),
        (pa.array([2**40]), pa.int32(), "Column 'a' must be int32, got 1099511627776 in row 101."),
        (pa.array([1, 2**53 + 1]), pa.float64(), "Column 'a' must be double, got 9007199254740993 in row 102."),
        (pa.array(["1", "x"]), pa.float64(), "Column 'a' must be double, got 'x' in row 102."),
        (pa.array([[1]]), pa.float64(), "Column 'a' must be double, got"),
    ],
)
def test_refuses_what_a_cast_would_change(column: pa.Array, kind: pa.DataType, told: str) -> None:
    """A value without an exact counterpart is refused with its row."""
    with pytest.raises(InvalidInputError, match=told):
        cast_column(column, kind, "a", ROWS)


def test_same_kinds() -> None:
    """Categories and wide text are text; numbers of another width are another kind."""
    text = pa.string()
    assert is_same_kind(pa.dictionary(pa.int8(), text), text)
    assert is_same_kind(pa.large_string(), text)
    assert not is_same_kind(pa.int32(), pa.int64())


def test_labels_of_every_type() -> None:
    """Text of any storage, whole numbers, floats and booleans are labels; times, bytes and lists are none."""
    for column in (
        pa.array(["x", "y"]), pa.array(["x", "y"], pa.large_string()), pa.array(["x", "y"]).dictionary_encode(),
        pa.array([1, 2], pa.uint8()), pa.array([1.0, 2.0]), pa.array([True, False]),
    ):  # fmt: skip
        assert label_array(column, "y").tolist() == column.to_pylist()
    for column in (pa.array([b"x"]), pa.array([pd.Timestamp("2024-01-01")]), pa.array([[1]])):
        with pytest.raises(InvalidInputError, match=r"Target 'y' is of type .*, which holds no class labels"):
            label_array(column, "y")


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has text of its own")
def test_text_of_numpys_own() -> None:
    """NumPy's own text, which Arrow does not take, counts as any other text."""
    own = np.array(["x", "y"]).astype(np.dtypes.StringDType())
    assert tally_columns(own, own, own).table.labels == ("x", "y")


def test_labelled_rows() -> None:
    """A row has a label unless it is null or not a number."""
    assert labelled(pa.array([1.0, None, float("nan")])).to_pylist() == [True, False, False]
    assert labelled(pa.array(["", None])).to_pylist() == [True, False]


def test_missing_labels_of_every_kind() -> None:
    """None, NaN, NaT and pandas' NA are missing; text and numbers are not."""
    values = np.array(["a", None, float("nan"), pd.NA, pd.NaT, 0, "", np.float64("nan")], dtype=object)
    assert missing_labels(values).tolist() == [False, True, True, True, True, False, False, True]
    assert missing_labels(np.array([1.0, np.nan])).tolist() == [False, True]
    assert missing_labels(np.array(["nan"])).tolist() == [False]
    assert missing_labels(np.array([1, 2])).tolist() == [False, False]


def test_arrays_and_labels() -> None:
    """Columns of any library become arrays, and only labels are let through."""
    assert as_array(pd.Series([1, 2]), "x").tolist() == [1, 2]
    with pytest.raises(InvalidInputError, match="x hold rows of different lengths"):
        as_array([[1], [1, 2]], "x")
    with pytest.raises(InvalidInputError, match="x hold tuple, which is no class label"):
        as_labels(np.array([(1, 2), None], dtype=object)[:1], "x")


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "a", "b", ""]),
        np.array(["b", "a", "b", ""], dtype=object),
        np.array([np.str_("b"), "a", "ü", "\0x"], dtype=object),
        np.array(["b", 1, True], dtype=object),
        np.array(["b", "\ud800"], dtype=object),
        np.array([1, 2, 1], dtype=object),
        np.array([1, 2.5, True], dtype=object),
        np.array([], dtype=object),
        np.array([1.5, 2.5]),
        np.array([True, False]),
    ],
    ids=repr,
)
def test_coded_text_is_the_same_text(labels: Any) -> None:
    """Coded or not, labels stay what they were, each with its type; those that are all text are coded."""
    coded = coded_text(labels)
    kinds = {*map(type, labels.tolist())} if len(labels) else set()
    found = Coded.of(coded).decoded().tolist()
    assert [(str(type(x)), x) for x in found] == [(str(type(x)), x) for x in Coded.of(labels).decoded().tolist()]
    assert isinstance(coded, Coded) == (kinds <= {str, np.str_} and bool(kinds) and "\ud800" not in labels.tolist())
