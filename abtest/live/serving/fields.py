"""The columns that a model takes, and rows of JSON held against them; a field at fault is named, and its row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest import wording
from abtest.errors import InvalidInputError, near
from abtest.live.serving.values import NUMBERS, Field, Misfit, cut, double, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

Row: TypeAlias = Mapping[str, Any] | Sequence[Any]


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
        self._doubles = all(field.read is double for field in self.fields)

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
            return values if set(map(type, values)) <= NUMBERS and math.isfinite(sum(values)) else None
        except OverflowError:  # an integer of hundreds of digits
            return None

    def _row(self, row: Row, number: int | None) -> Sequence[Any]:
        values = self._by_name(row, number) if _is_object(row) else self._in_order(row, number)
        return [self.value(field, value, number) for field, value in zip(self.fields, values, strict=True)]

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

    @staticmethod
    def value(field: Field, value: Any, number: int | None = None) -> Any:  # noqa: ANN401 - as JSON has it
        """Give a column's value, None for one that is missing and may be.

        Raises:
            FieldError: It does not fit.
        """
        if value is None and field.optional and field.dtype.kind != "f":  # a missing number is NaN
            return None
        try:
            return field.read(value)
        except (Misfit, OverflowError):
            pass
        raise FieldError(
            f"Field '{field.name}' must be {field.rule}, got {shown(value)}.", field=field.name, row=number
        )


def _never(_: Row) -> None:
    """Look closer at every row."""


def _is_object(row: Any) -> bool:  # noqa: ANN401 - as JSON has it
    return hasattr(row, "keys")


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:8])}{', …' if names[8:] else ''}"
