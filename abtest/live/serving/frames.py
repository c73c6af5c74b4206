"""Rows of JSON as the data frame or array that a model takes where it is not known to do with less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abtest.live.serving.fields import FieldError, Fields
from abtest.live.serving.values import field, is_scalar, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from abtest.live.serving.fields import Row
    from abtest.live.serving.values import Field


class Framed:
    """Puts rows in a frame with the signature's types, as MLflow would after its checks.

    Args:
        fields: The model's columns; None where nothing says, and rows need only agree with each other.
        array: The type of a tensor signature, whose rows go in an array.
    """

    def __init__(self, fields: Fields | None, array: np.dtype[Any] | None = None) -> None:
        self._fields = fields
        self._array = array

    def __call__(self, rows: Sequence[Row]) -> Any:  # noqa: ANN401 - a data frame or an array
        """Put rows in a frame.

        Raises:
            FieldError: A row does not fit the model, or the rows do not fit each other.
        """
        import pandas as pd  # noqa: PLC0415 - a model that takes arrays does not need it

        if self._fields is None:
            _check_alike(rows)
            if self._array is None:
                return pd.DataFrame([*rows])
        fields = self._fields or _of_width(len(rows[0]), self._array)
        values = fields.read(rows)
        if self._array is not None:
            return np.array(values, dtype=self._array)
        columns = zip(fields.fields, zip(*values, strict=True), strict=True)
        return pd.DataFrame(
            {each.name: _column(each, column) for each, column in columns if not _is_absent(each, column)},
            index=range(len(rows)),
        )


def _of_width(width: int, dtype: np.dtype[Any] | None) -> Fields:
    """The columns of a tensor that may be as wide as it likes."""
    kind = dtype if dtype is not None and dtype.kind in "biuf" else "scalar"
    return Fields((field(str(at), kind) for at in range(1, width + 1)), named=False)


def _is_absent(field: Field, column: Sequence[Any]) -> bool:
    """Whether an optional column is left out: MLflow hands on none that no row has."""
    return field.optional and field.dtype.kind != "f" and all(value is None for value in column)


def _column(field: Field, column: Sequence[Any]) -> npt.NDArray[Any] | list[Any]:
    if field.dtype == object:
        return [*column]  # text is what pandas takes it for
    if field.dtype.kind in "biu" and None in column:
        at = column.index(None) + 1
        raise FieldError(
            f"Field '{field.name}' must be {field.rule}, got null, where other rows have one.",
            hint="send rows that lack it apart.",
            field=field.name,
            row=at,
        )
    return np.array(column, dtype=field.dtype)


def _check_alike(rows: Sequence[Row]) -> None:
    """Refuse rows without a signature that are not alike.

    Raises:
        FieldError: A row has other columns than the first, or a value is no scalar.
    """
    first = _shape(rows[0])
    for number, row in enumerate(rows, 1):
        at = number if len(rows) > 1 else None
        if not isinstance(row, dict | list) or not row:
            raise FieldError(f"A row must be a list or an object with values, got {shown(row)}.", row=at)
        if _shape(row) != first:
            raise FieldError("It has other columns than the first row.", row=at)
        for name, value in row.items() if isinstance(row, dict) else enumerate(row, 1):
            if not is_scalar(value):
                raise FieldError(f"Field '{name}' must be one value, got {shown(value)}.", field=str(name), row=at)


def _shape(row: Row) -> Any:  # noqa: ANN401 - what rows are compared by
    return set(row) if isinstance(row, dict) else len(row) if isinstance(row, list) else None
