"""Requests in MLflow's own formats: the four of its JSON, CSV and Parquet, accepted as its scoring server does.

What our own reading of a row accepts goes the short way; of everything else MLflow decides, and casts it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.live.serving.fields import FieldError, Row
from abtest.live.serving.values import shown
from abtest.live.serving.wire import MOST_ROWS, MediaTypeError, check_count, decoded, media_type, refused, unique
from abtest.loaders.invocations import FORMATS, Kind, enforced

if TYPE_CHECKING:
    from abtest.live.serving.served import Served

_TYPES: dict[str, Kind] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """What a request in MLflow's formats asks.

    Attributes:
        rows: As ``Served.parse`` takes them.
        features: As ``Served.predict`` takes them.
        params: What it is to be told beside them; None of most.
    """

    rows: Sequence[Row]
    features: Any
    params: Mapping[str, Any] | None = None


def read(served: Served, body: bytes, content_type: str | None, *, most: int = MOST_ROWS) -> Invoked:
    """Read a body as MLflow's scoring server does.

    Args:
        served: The model that is asked.
        body: The request's.
        content_type: The request's.
        most: How many rows it may have.

    Raises:
        MediaTypeError: Its type is none that MLflow reads, or it is not in UTF-8.
        TooManyRowsError: It has more rows.
        InvalidInputError: MLflow refuses it, or a value is Infinity.
    """
    kind, charset = media_type(content_type)
    if kind not in _TYPES or charset != "utf-8":
        got = shown(content_type) if content_type else "none"
        raise MediaTypeError(f"Content-Type must be one of {', '.join(_TYPES)}, in UTF-8, got {got}.")
    if _TYPES[kind] != "json":
        return _by_mlflow(served, body, _TYPES[kind], None, most)
    given = decoded(body, _LENIENT)
    if not isinstance(given, dict) or len([name for name in FORMATS if name in given]) != 1:
        raise InvalidInputError(f"The body must be an object with one of {', '.join(FORMATS)}.")
    params = given.get("params")
    found = {name: given[name] for name in FORMATS if name in given}
    rows = None if params else _rows(served, found)
    if rows is None:
        return _by_mlflow(served, found, "json", params, most)
    check_count(len(rows), most)
    try:
        return Invoked(rows=rows, features=served.parse(rows))
    except FieldError as error:  # a column more, or a number as text: MLflow may be kinder
        try:
            return _by_mlflow(served, found, "json", params, most)
        except InvalidInputError:
            raise error from None


def _rows(served: Served, found: Mapping[str, Any]) -> list[Any] | None:
    """The rows of the commonest forms; None of others."""
    ((form, value),) = found.items()
    if form == "dataframe_split":
        return _split(value, served.columns) if isinstance(value, dict) and served.columns is not None else None
    kind, known = (dict, served.columns) if form == "dataframe_records" else (list, served.model.tensor)
    fits = known is not None and isinstance(value, list) and all(isinstance(row, kind) for row in value)
    return value if fits else None


def _split(value: Mapping[str, Any], known: Sequence[str]) -> list[Any] | None:
    columns, data = value.get("columns"), value.get("data")
    if not (isinstance(columns, list) and isinstance(data, list) and value.keys() <= {"columns", "data", "index"}):
        return None
    if columns == [*known]:
        return data
    if all(isinstance(row, list) and len(row) == len(columns) for row in data) and _is_unique(columns):
        return [dict(zip(columns, row, strict=True)) for row in data]
    return None


def _is_unique(columns: Sequence[Any]) -> bool:
    return all(isinstance(name, str) for name in columns) and len(set(columns)) == len(columns)


def _by_mlflow(
    served: Served, body: Mapping[str, Any] | bytes, kind: Kind, params: Mapping[str, Any] | None, most: int
) -> Invoked:
    given = enforced(served.model, body, kind, params)
    try:
        rows = _spelled(given)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"The body holds no rows: {wording.first_line(error)}.") from error
    check_count(len(rows), most)
    return Invoked(rows=rows, features=served.parse(rows), params=params)


def _spelled(data: Any) -> list[Any]:  # noqa: ANN401 - what MLflow hands to a model
    """Spell what MLflow has read as rows of JSON."""
    if isinstance(data, Mapping):
        import pandas as pd  # noqa: PLC0415 - MLflow has imported it by now

        data = pd.DataFrame({name: np.atleast_1d(values) for name, values in data.items()})
    if hasattr(data, "columns"):
        names = [name if isinstance(name, str) else None for name in data.columns]
        values = [[_value(value) for value in data[name]] for name in data.columns]
        if None in names:  # without a signature, columns may be numbered: then their order tells them apart
            return [list(row) for row in zip(*values, strict=True)]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    if isinstance(data, list) and all(isinstance(row, dict | list) for row in data):
        return data
    array = np.asarray(data)
    if array.ndim != 2:
        raise ValueError(f"they must be of 2 dimensions, got {array.ndim}")
    return [[_value(value) for value in row] for row in array.tolist()]


def _value(value: Any) -> Any:  # noqa: ANN401 - what a frame holds
    if isinstance(value, np.ndarray):
        return [_value(each) for each in value.tolist()]
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if value is None or (isinstance(value, float) and math.isnan(value)) or value != value:  # noqa: PLR0124 - neither is a missing time itself
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _constant(name: str) -> float:
    """Take NaN for missing, as MLflow's clients write it."""
    return math.nan if name == "NaN" else refused(name)


_LENIENT = json.JSONDecoder(object_pairs_hook=unique, parse_constant=_constant)
