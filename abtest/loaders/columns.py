"""Columns and arrays: what counts as a label, what is missing, and what casts where nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.coded import Coded
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

_LABELS = {str, bool, int, float}
CODED_TEXT = pa.dictionary(pa.int32(), pa.string())  # how a column of labels is read, where it is text


def label_column(column: pa.Array, name: str) -> Coded | npt.NDArray[Any]:
    """Turn a column without missing values into labels: text by code, which costs no Python object a row.

    Raises:
        InvalidInputError: The column's type holds no class labels.
    """
    values = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not _is_text(values):
        return label_array(column, name)
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return Coded.compact(encoded.indices.to_numpy(), encoded.dictionary.to_pylist())


def text_of(raw: Any) -> pa.Array | None:  # noqa: ANN401 - whatever holds labels
    """Take text out of what holds it, with nulls where it is missing, at no Python object a row; None if it is no text.

    Example:
        >>> text_of(["cat", None]).null_count, text_of([1, 2]) is None, text_of(["cat", 1]) is None
        (1, True, True)
    """
    try:
        column = pa.array(raw, from_pandas=True)
    except (ValueError, TypeError, OverflowError, pa.ArrowNotImplementedError):  # of several types or dimensions, no
        # Unicode, no column at all, or NumPy's own text
        return None
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column if _is_text(values) else None


def coded_text(labels: npt.NDArray[Any]) -> Coded | npt.NDArray[Any]:
    """Code labels that are text, at no Python object a row; others stay as they are."""
    if labels.dtype.kind not in "OU":
        return labels
    try:
        column = pa.array(labels)
    except (ValueError, TypeError):  # of several types, or no Unicode
        return labels
    return label_column(column, "") if _is_text(column.type) else labels


def label_array(column: pa.Array, name: str, *, numbers: bool = False) -> npt.NDArray[Any]:
    """Turn a column without missing values into an array of labels, or of numbers, which may be decimals.

    Raises:
        InvalidInputError: The column's type holds no class labels.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if numbers and pa.types.is_decimal(kind):
        column, kind = pc.cast(column, pa.float64(), safe=False), pa.float64()
    if not (_is_text(kind) or pa.types.is_boolean(kind)
            or pa.types.is_integer(kind) or pa.types.is_floating(kind)):  # fmt: skip
        raise InvalidInputError(
            f"Target '{name}' is of type {kind}, which holds no class labels.", hint="map it to text."
        )
    return np.asarray(column.to_numpy(zero_copy_only=False))


def unit_array(column: pa.Array) -> npt.NDArray[Any]:
    """Turn a column of units, of whatever type, into an array; None where one is missing."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return np.array([*column.to_pylist(), None], dtype=object)[:-1]
    return np.asarray(column.to_numpy(zero_copy_only=False))


def labelled(column: pa.Array) -> pa.Array:
    """Say for each row whether it has a label: neither null nor NaN."""
    return pc.invert(pc.is_null(column, nan_is_null=True))


def cast_column(column: pa.Array, kind: pa.DataType, name: str, rows: npt.NDArray[np.int64]) -> pa.Array:
    """Cast a column where nothing is lost; doubles may be rounded to 32 bits, as reading them from text would.

    Args:
        column: Its values.
        kind: The type wanted.
        name: For the message.
        rows: The values' row numbers in the data, for the message; shape (rows,).

    Raises:
        InvalidInputError: A value has no exact counterpart of the type; the message has its row.
    """
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type) and not _is_text(kind):
        column = pc.utf8_trim_whitespace(column)
    try:
        return _exactly(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        at = _first_uncastable(column, kind)
    raise InvalidInputError(
        f"Column '{name}' must be {kind}, got {column[at].as_py()!r} in row {wording.whole(int(rows[at]))}.",
        hint="mend the value, or log the model with the type the column has.",
    ) from None


def is_same_kind(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether two types hold the same values, differently stored: categories and text of any width."""
    if pa.types.is_dictionary(one):
        one = one.value_type
    return bool(one == other or (_is_text(one) and _is_text(other)))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _exactly(column: pa.Array, kind: pa.DataType) -> pa.Array:
    cast = pc.cast(column, kind)
    if pa.types.is_boolean(kind) and not _is_text(column.type):  # to Arrow every number but 0 is true
        changed = pc.not_equal(pc.cast(cast, column.type), column)
        if pc.any(changed).as_py():
            raise pa.ArrowInvalid("0 and 1 alone are booleans")
    return cast


def _first_uncastable(column: pa.Array, kind: pa.DataType) -> int:
    low, high = 0, len(column)  # the first failing prefix ends at the offender
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _exactly(column.slice(0, middle), kind)
            low = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
    return low


def as_array(raw: Any, what: str) -> npt.NDArray[Any]:  # noqa: ANN401 - whatever holds labels
    """Take an array, a Series, a data frame or a list as an array.

    Raises:
        InvalidInputError: Its rows differ in length.
    """
    try:
        return np.asarray(raw)
    except ValueError as error:
        raise InvalidInputError(f"{what} hold rows of different lengths.", hint="give one label a row.") from error


def missing_labels(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Say of each value whether it is None or NaN, shape (rows,)."""
    if values.dtype.kind not in "fOT":
        return np.zeros(len(values), dtype=bool)
    import pandas as pd  # noqa: PLC0415 - only what may hold missing values needs it

    return np.asarray(pd.isna(values))


def as_labels(values: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """Check that an array without missing values holds labels, and unpack those in objects, shape (rows,).

    Raises:
        InvalidInputError: It holds something else, such as dates, bytes or lists.
    """
    if values.dtype.kind in "biufUT":
        return values
    if values.dtype.kind == "O" and set(map(type, values.tolist())) <= _LABELS:
        return values
    labels = values.astype(object)
    if values.dtype.kind == "O":
        labels[:] = [value.item() if isinstance(value, np.generic) else value for value in values]
    for value in labels:
        if type(value) not in _LABELS:
            raise InvalidInputError(
                f"{what} hold {type(value).__name__}, which is no class label.",
                hint="labels are text, whole numbers or booleans.",
            )
    return labels
