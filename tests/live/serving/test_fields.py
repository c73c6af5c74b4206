"""A value of JSON is what its column takes, or it is refused by name."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.live.serving.fields import FieldError, Fields
from abtest.live.serving.values import field, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS: dict[str, Any] = {
    "double": np.dtype("float64"),
    "float": np.dtype("float32"),
    "long": np.dtype("int64"),
    "integer": np.dtype("int32"),
    "byte": np.dtype("uint8"),
    "boolean": np.dtype("bool"),
    "time": np.dtype("datetime64[ns]"),
    "string": "text",
    "binary": "binary",
}
TAKES: dict[str, Sequence[Any]] = {
    "double": (1, 1.5, -0.0, 1e308, 2**70),
    "float": (1, 0.1, 3.4e38),
    "long": (1, 1.0, -(2**63), 2**63 - 1),
    "integer": (2**31 - 1, -3.0),
    "byte": (0, 255, 7.0),
    "boolean": (True, False),
    "time": ("2026-11-26", "2026-11-26T20:30:00", "2026-11-26 20:30:00.123456789"),
    "string": ("", "é", "NaN"),
    "binary": (base64.b64encode(b"\0\xff").decode(), ""),
}
REFUSES: dict[str, Sequence[Any]] = {
    "double": ("1", True, math.nan, math.inf, -math.inf, 10**400, [1], {}),
    "float": ("1", False, 3.5e38, -1e300, math.nan, 10**60),
    "long": ("1", True, 1.5, 2**63, -(2**63) - 1, 1e300, math.inf, math.nan, None, [1]),
    "integer": (2**31, 1e10, 0.5, None),
    "byte": (-1, 256, 0.1),
    "boolean": (1, 0, "true", None),
    "time": ("yesterday", "2026-11-26T20:30:00Z", "2026-11-26T20:30:00+01:00", 1e9, "9999-01-01", None, "2026-02-30"),
    "string": (1, True, None, ["a"]),
    "binary": ("é", "a", 1, None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_column_takes(kind: str) -> None:
    """What a type of JSON holds exactly is taken, and equals what pandas makes of it in the column's type."""
    column = Fields([field("x", KINDS[kind])])
    for value in TAKES[kind]:
        ((found,),) = column.read([{"x": value}])
        assert column.read([[value]]) == [[found]]
        if kind == "binary":
            assert found == base64.b64decode(value)
        elif kind == "time":
            assert found == pd.Series([pd.Timestamp(value)]).astype("datetime64[ns]").to_numpy()[0]
        else:
            assert found == value


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_column_refuses(kind: str) -> None:
    """What a type does not hold is refused with the field, in a batch with the row, and never shown whole."""
    column = Fields([field("x", KINDS[kind])])
    good = TAKES[kind][0]
    for value in REFUSES[kind]:
        with pytest.raises(FieldError, match=r"^Field 'x' must be .*, got ") as error:
            column.read([{"x": value}])
        assert (error.value.field, error.value.row) == ("x", None)
        with pytest.raises(FieldError, match=r"^Row 2: Field 'x' must be ") as error:
            column.read([[good], [value], [good]])
        assert (error.value.field, error.value.row) == ("x", 2)
        assert len(str(error.value)) < 200


def test_what_may_be_missing() -> None:
    """Null is NaN in a floating-point column, None in an optional one of another type, and refused elsewhere."""
    columns = Fields([field("a", KINDS["double"]), field("b", KINDS["long"], optional=True)])
    ((a, b),) = columns.read([{"a": None}])
    assert (math.isnan(a), b) == (True, None)
    with pytest.raises(FieldError, match="Field 'a' is missing; it must be a number"):
        columns.read([{"b": 1}])


def test_names() -> None:
    """A field that is unknown or missing, and a list of another length, are told by name."""
    columns = Fields([field(name, KINDS["double"]) for name in ("width", "height")])
    for row, told in (
        ({"width": 1, "height": 2, "heigth": 2}, "Field 'heigth' is none of the model's. Hint: did you mean 'height'"),
        ({"width": 1, "zzz": 2}, "Field 'zzz' is none of the model's. Hint: it takes width, height."),
        ({"width": 1}, "Field 'height' is missing"),
        ({}, "Field 'width' is missing"),
        ([1.0], "takes 2 values in this order, got 1. Hint: the columns are width, height"),
        ([1.0, 2.0, 3.0], "takes 2 values in this order, got 3"),
        ("ab", "A row must be a list or an object, got 'ab'"),
        (None, "A row must be a list or an object, got null"),
        ({"x" * 9999: 1}, "Field 'xxx"),
    ):
        with pytest.raises(FieldError) as error:
            columns.read([row])  # type: ignore[list-item] # whatever JSON has
        assert told in str(error.value)
        assert len(str(error.value)) < 300


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abx"), inner), max_leaves=9
)


@given(
    row=ANYTHING | st.lists(SCALARS, min_size=2, max_size=2),
    kinds=st.lists(st.sampled_from([*KINDS]), min_size=2, max_size=2),
)
def test_whatever_is_sent(row: Any, kinds: list[str]) -> None:
    """Any row is read or refused with one sentence; nothing else is raised."""
    columns = Fields([field(name, KINDS[kind]) for name, kind in zip("ab", kinds, strict=True)])
    try:
        (values,) = columns.read([row])
    except FieldError:
        return
    sent: list[Any] = [*row] if isinstance(row, list) else [row["a"], row["b"]]
    for value, found, kind in zip(sent, values, kinds, strict=True):
        assert kind in {"time", "binary"} or found == value or (value is None and math.isnan(found))


@given(rows=st.lists(st.lists(st.floats() | st.integers(), min_size=3, max_size=3), min_size=1, max_size=4))
def test_rows_of_doubles_are_looked_at_alike(rows: list[list[Any]]) -> None:
    """Rows of doubles, which are checked at once, are taken and refused as rows that are checked value by value."""
    doubles = [field(name, KINDS["double"]) for name in "abc"]
    quick, careful = Fields(doubles), Fields([*doubles, field("d", KINDS["string"])])

    def read(columns: Fields, *more: str) -> Any:
        try:
            return [[float(x) for x in row[:3]] for row in columns.read([[*row, *more] for row in rows])]
        except FieldError as error:
            return error.field, error.row

    assert read(quick) == read(careful, "x")


def test_what_is_shown() -> None:
    """Values in messages are spelled as in JSON, and cut."""
    values: list[Any] = [None, True, 1.5, "a", [1], {}, math.nan, -math.inf]
    assert [shown(value) for value in values] == [
        "null", "true", "1.5", "'a'", "a list", "an object", "NaN", "-Infinity",
    ]  # fmt: skip
    assert len(shown("x" * 9999)) < 100
    assert len(shown(json.loads("9" * 4000))) < 100
