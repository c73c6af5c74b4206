"""Values of JSON, read as what a column holds: an integer is none of text, and a boolean is no number.

What has no exact counterpart in the column's type is refused rather than rounded or wrapped. Only 32-bit floats are
rounded, as reading them from text would.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

Read: TypeAlias = Callable[[Any], Any]
NUMBERS = {float, int}
_LONGEST = 60  # characters of a value that a message shows


class Misfit(ValueError):  # noqa: N818 - it is caught by whoever has the field's name
    """A value is not what its column takes; no message, since the field has the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column.

    Attributes:
        name: Its name; of a tensor its number, from 1.
        dtype: What NumPy holds it in; an object for text and what else is no number.
        rule: What a value must be, in words.
        read: Turns a value of JSON into one of the column.
        optional: Whether it may be missing.
    """

    name: str
    dtype: np.dtype[Any]
    rule: str
    read: Read
    optional: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it holds integers or floating-point numbers."""
        return self.dtype.kind in "iuf"


def field(name: str, kind: np.dtype[Any] | str | None, *, optional: bool = False) -> Field:
    """Make a field.

    Args:
        name: Its name.
        kind: A NumPy type of numbers, booleans, or times ("datetime64[ns]"); "text" or "binary"; "scalar" where nothing
            says what it holds; None where MLflow is to look at it.
        optional: Whether it may be missing.

    Example:
        >>> field("age", np.dtype("int64")).read(41.0)
        41
    """
    rule: str
    read: Read
    if kind is None or isinstance(kind, str):
        rule, read = _OBJECTS[kind]
        return Field(name=name, dtype=np.dtype(object), rule=rule, read=read, optional=optional)
    if kind.kind == "f":
        rule = "a number" if kind.itemsize >= 8 else f"a number that {8 * kind.itemsize} bits hold"
        read = double if kind.itemsize >= 8 else _rounded(kind)
    elif kind.kind in "iu":
        low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        rule = f"a whole number{'' if low else ' from 0'} of {8 * kind.itemsize} bits"
        read = _whole(low, high)
    elif kind.kind == "b":
        rule, read = "true or false", _boolean
    else:
        rule, read = "a time in ISO 8601 without a time zone, as text", _time
    return Field(name=name, dtype=kind, rule=rule, read=read, optional=optional)


def shown(value: Any) -> str:  # noqa: ANN401 - as JSON has it
    """Show a value in a message: as JSON spells it, and never the whole of a long one."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= 10**30:  # Python refuses to spell very long ones
        return "an integer of more than 30 digits"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return cut(repr(value))


def cut(text: str) -> str:
    """Show the beginning of a long text.

    Example:
        >>> cut("a column")
        'a column'
    """
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def spelled(row: Any) -> str:  # noqa: ANN401 - as JSON has it, or what MLflow and models made of that in place
    """Spell a row as JSON, whatever it holds.

    Example:
        >>> spelled({"n": np.int64(7), "xs": np.array([1.5])})
        '{"n": 7, "xs": [1.5]}'
    """
    return json.dumps(row, default=lambda value: value.tolist() if hasattr(value, "tolist") else str(value))


def is_scalar(value: Any) -> bool:  # noqa: ANN401 - as JSON has it
    """Whether it is one value, and a finite one if it is a number."""
    return not isinstance(value, dict | list | tuple) and not (isinstance(value, float) and not math.isfinite(value))


def _anything(value: Any) -> Any:  # noqa: ANN401 - as JSON has it
    return value


def _scalar(value: Any) -> Any:  # noqa: ANN401 - as JSON has it
    if is_scalar(value):
        return value
    raise Misfit


def double(value: Any) -> float:  # noqa: ANN401 - as JSON has it
    """Read a number; null is NaN.

    Raises:
        Misfit: It is none, or not finite.
        OverflowError: It is an integer that no double holds.
    """
    if value is None:
        return math.nan
    if type(value) in NUMBERS and math.isfinite(number := float(value)):
        return number
    raise Misfit


def _rounded(kind: np.dtype[Any]) -> Read:
    most = float(np.finfo(kind).max)

    def read(value: Any) -> float:  # noqa: ANN401 - as JSON has it
        number = double(value)
        if abs(number) > most:
            raise Misfit
        return number

    return read


def _whole(low: int, high: int) -> Read:
    def read(value: Any) -> int:  # noqa: ANN401 - as JSON has it
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and low <= value <= high:
            return value
        raise Misfit

    return read


def _boolean(value: Any) -> bool:  # noqa: ANN401 - as JSON has it
    if type(value) is bool:
        return value
    raise Misfit


def _text(value: Any) -> str:  # noqa: ANN401 - as JSON has it
    if type(value) is str:
        return value
    raise Misfit


def _binary(value: Any) -> bytes:  # noqa: ANN401 - as JSON has it
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise Misfit from None


def _time(value: Any) -> np.datetime64:  # noqa: ANN401 - as JSON has it
    text = _text(value)
    try:
        if datetime.fromisoformat(text).tzinfo is None:
            return _nanoseconds(text)
    except ValueError:
        pass
    raise Misfit


def _nanoseconds(text: str) -> np.datetime64:
    import pandas as pd  # noqa: PLC0415 - a model that takes no times does not need it

    return pd.Timestamp(text).as_unit("ns").to_datetime64()


_OBJECTS: dict[str | None, tuple[str, Read]] = {
    "text": ("text", _text),
    "binary": ("bytes in base64", _binary),
    "scalar": ("one value", _scalar),
    None: ("anything", _anything),
}
