"""The columns that a model takes, and rows of JSON held against them.

A field at fault is named, and in a batch its row, counted from 1. Values are of JSON: an integer is none of text, a
boolean is no number, and what has no exact counterpart in the column's type is refused rather than rounded or wrapped.
Only 32-bit floats are rounded, as reading them from text would.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from abtest import wording
from abtest.errors import InvalidInputError, near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Read = Callable[[Any], Any]

Row: TypeAlias = "Mapping[str, Any] | Sequence[Any]"
_NUMBERS = {float, int}
_LONGEST = 60  # characters of a value that a message shows


class FieldError(InvalidInputError):
    """A row does not fit the model.

    Attributes:
        field: The column at fault; None where it is the whole row.
        row: The row's number in a batch, from 1; None of a single row.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, field: str | None = None, row: int | None = None
    ) -> None:
        super().__init__(f"Row {row}: {message}" if row else message, hint=hint)
        self.field = field
        self.row = row


class _Misfit(ValueError):  # noqa: N818 - it never leaves this file
    """A value is not what its column takes; no message, since the field has it."""


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
        read = _double if kind.itemsize >= 8 else _rounded(kind)
    elif kind.kind in "iu":
        low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        rule = f"a whole number{'' if low else ' from 0'} of {8 * kind.itemsize} bits"
        read = _whole(low, high)
    elif kind.kind == "b":
        rule, read = "true or false", _boolean
    else:
        rule, read = "a time in ISO 8601 without a time zone, as text", _time
    return Field(name=name, dtype=kind, rule=rule, read=read, optional=optional)


class Fields:
    """The columns of a model, in order, and how a row of JSON becomes their values.

    Args:
        fields: In order.
        named: Whether rows may be objects by name; those of a tensor are lists.
    """

    def __init__(self, fields: Iterable[Field], *, named: bool = True) -> None:
        self.fields = tuple(fields)
        self.names = tuple(field.name for field in self.fields)
        self._named = named
        self._width = len(self.fields)
        self._get = itemgetter(*self.names) if self._width > 1 else None
        # Rows of doubles, the commonest, are checked at once rather than by field.
        self._doubles = all(field.read is _double for field in self.fields)

    def read(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """Give each row's values in the columns' order; None for what is missing and may be.

        Raises:
            FieldError: A row does not fit.
        """
        several = len(rows) > 1
        quick = self._quick if self._doubles else _never
        return [quick(row) or self._row(row, at if several else None) for at, row in enumerate(rows, 1)]

    def _quick(self, row: Row) -> Sequence[float] | None:
        """Take a row of finite doubles as it is; None where one has to look closer."""
        values: Sequence[Any]
        if type(row) is dict and self._named and self._get and len(row) == self._width:
            try:
                values = self._get(row)
            except KeyError:
                return None
        elif type(row) is list and len(row) == self._width:
            values = row
        else:
            return None
        try:
            return values if set(map(type, values)) <= _NUMBERS and math.isfinite(sum(values)) else None
        except OverflowError:  # an integer of hundreds of digits
            return None

    def _row(self, row: Row, number: int | None) -> Sequence[Any]:
        values = self._by_name(row, number) if _is_object(row) else self._in_order(row, number)
        return [self._value(field, value, number) for field, value in zip(self.fields, values, strict=True)]

    def _by_name(self, row: Any, number: int | None) -> list[Any]:  # noqa: ANN401 - an object of JSON
        if not self._named:
            raise FieldError(
                f"The model takes a list of {wording.plural(self._width, 'number')}, got an object.", row=number
            )
        if not row.keys() <= set(self.names):
            extra = cut(next(name for name in row if name not in self.names))
            raise FieldError(
                f"Field '{extra}' is none of the model's.",
                hint=near(extra, self.names) or f"it takes {_listed(self.names)}.",
                field=extra,
                row=number,
            )
        for field in self.fields:
            if field.name not in row and not field.optional:
                raise FieldError(f"Field '{field.name}' is missing; it must be {field.rule}.",
                                 field=field.name, row=number)  # fmt: skip
        return [row.get(name) for name in self.names]

    def _in_order(self, row: Any, number: int | None) -> Sequence[Any]:  # noqa: ANN401 - a list, or else refused
        if not isinstance(row, list | tuple):
            raise FieldError(f"A row must be a list or an object, got {shown(row)}.", row=number)
        if len(row) != self._width:
            raise FieldError(
                f"The model takes {wording.plural(self._width, 'value')} in this order, got {len(row)}.",
                hint=f"the columns are {_listed(self.names)}." if self._named else None,
                row=number,
            )
        return row

    def _value(self, field: Field, value: Any, number: int | None) -> Any:  # noqa: ANN401 - as JSON has it
        if value is None and field.optional and field.dtype.kind != "f":  # a missing number is NaN
            return None
        try:
            return field.read(value)
        except (_Misfit, OverflowError):
            pass
        raise FieldError(
            f"Field '{field.name}' must be {field.rule}, got {shown(value)}.", field=field.name, row=number
        )


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


def is_scalar(value: Any) -> bool:  # noqa: ANN401 - as JSON has it
    """Whether it is one value, and a finite one if it is a number."""
    return not isinstance(value, dict | list | tuple) and not (isinstance(value, float) and not math.isfinite(value))


def _never(_: Row) -> None:
    """Look closer at every row."""


def _is_object(row: Any) -> bool:  # noqa: ANN401 - as JSON has it
    return hasattr(row, "keys")


def _anything(value: Any) -> Any:  # noqa: ANN401 - as JSON has it
    return value


def _scalar(value: Any) -> Any:  # noqa: ANN401 - as JSON has it
    if is_scalar(value):
        return value
    raise _Misfit


def _double(value: Any) -> float:  # noqa: ANN401 - as JSON has it
    if value is None:
        return math.nan
    if type(value) in _NUMBERS and math.isfinite(number := float(value)):
        return number
    raise _Misfit


def _rounded(kind: np.dtype[Any]) -> Read:
    most = float(np.finfo(kind).max)

    def read(value: Any) -> float:  # noqa: ANN401 - as JSON has it
        number = _double(value)
        if abs(number) > most:
            raise _Misfit
        return number

    return read


def _whole(low: int, high: int) -> Read:
    def read(value: Any) -> int:  # noqa: ANN401 - as JSON has it
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and low <= value <= high:
            return value
        raise _Misfit

    return read


def _boolean(value: Any) -> bool:  # noqa: ANN401 - as JSON has it
    if type(value) is bool:
        return value
    raise _Misfit


def _text(value: Any) -> str:  # noqa: ANN401 - as JSON has it
    if type(value) is str:
        return value
    raise _Misfit


def _binary(value: Any) -> bytes:  # noqa: ANN401 - as JSON has it
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise _Misfit from None


def _time(value: Any) -> np.datetime64:  # noqa: ANN401 - as JSON has it
    text = _text(value)
    try:
        if datetime.fromisoformat(text).tzinfo is None:
            return _nanoseconds(text)
    except ValueError:
        pass
    raise _Misfit


def _nanoseconds(text: str) -> np.datetime64:
    import pandas as pd  # noqa: PLC0415 - a model that takes no times does not need it

    return pd.Timestamp(text).as_unit("ns").to_datetime64()


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:8])}{', …' if names[8:] else ''}"


_OBJECTS: dict[str | None, tuple[str, Read]] = {
    "text": ("text", _text),
    "binary": ("bytes in base64", _binary),
    "scalar": ("one value", _scalar),
    None: ("anything", _anything),
}
