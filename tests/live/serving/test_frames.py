"""A frame has the signature's types, and no column that no row has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abtest.live.serving.fields import FieldError, Fields
from abtest.live.serving.frames import Framed
from abtest.live.serving.values import field

COLUMNS = Fields(
    [
        field("x", np.dtype("float64")),
        field("n", np.dtype("int32"), optional=True),
        field("c", "text", optional=True),
        field("y", np.dtype("float32"), optional=True),
    ]
)


def test_types() -> None:
    """Each column is of the signature's type, however JSON spelled its values."""
    frame = Framed(COLUMNS)([{"x": 1, "n": 2.0, "c": "a", "y": 1}, [2.5, 3, "b", 0.1]])
    assert [*map(str, frame.dtypes)][:2] == ["float64", "int32"]
    assert str(frame.dtypes["y"]) == "float32"
    assert frame["c"].tolist() == ["a", "b"]


def test_what_is_absent() -> None:
    """An optional column that no row has is left out, as MLflow does; a number that is missing is NaN."""
    frame = Framed(COLUMNS)([{"x": 1.0}, {"x": 2.0, "n": None}])
    assert [*frame.columns] == ["x", "y"]
    assert frame["y"].isna().all()
    assert len(frame) == 2


def test_what_some_rows_have() -> None:
    """Text may be missing in some rows; a whole number may not, since no such column of integers holds it."""
    frame = Framed(COLUMNS)([{"x": 1.0, "c": "a"}, {"x": 2.0}])
    assert frame["c"].isna().tolist() == [False, True]
    with pytest.raises(FieldError, match="Row 2: Field 'n' must be a whole number of 32 bits, got null") as error:
        Framed(COLUMNS)([{"x": 1.0, "n": 1}, {"x": 2.0}])
    assert (error.value.field, error.value.row) == ("n", 2)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["x"], "Field '1' must be a number that 32 bits hold, got 'x'"),
        ([1.0, 10**400], "Field '2' must be a number that 32 bits hold, got an integer of more than 30 digits"),
        ([1e39], "Field '1' must be a number that 32 bits hold"),
        ({"a": 1.0}, "The model takes a list of 1 number, got an object"),
    ],
)
def test_arrays_of_any_width(row: Any, told: str) -> None:
    """Rows of a tensor without a width hold what its type does, or are refused like others."""
    framed = Framed(None, array=np.dtype("float32"))
    assert framed([[1, 2.5], [None, 4]]).shape == (2, 2)
    with pytest.raises(FieldError, match=told):
        framed([row])


def test_arrays() -> None:
    """Rows of a tensor are an array of its type."""
    wide = Fields([field("1", np.dtype("float32"))], named=False)
    found = Framed(wide, array=np.dtype("float32"))([[1], [2.5]])
    assert (found.dtype, found.tolist()) == (np.dtype("float32"), [[1.0], [2.5]])
