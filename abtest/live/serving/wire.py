"""Bodies of requests, read safely: whatever was sent, it is read, or refused with a sentence.

```
POST /predict         {"features": [...]}, {"features": {column: value, …}} or {column: value, …}; "unit" beside them
POST /predict/batch   {"instances": [...]} of lists, objects, or either as above, and "units": [...]
POST /feedback        {"prediction_id": …, "label": …, "observed_at": …}, a list of such, or {"feedback": [...]}
```
A model with a column that is called ``unit`` or ``features`` takes its columns inside ``features`` only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.live.log import Feedback, Receipt, Received
from abtest.live.serving.fields import FieldError, Row
from abtest.live.serving.values import cut, shown

if TYPE_CHECKING:
    from abtest.labels import Label

MOST_ROWS = 10_000  # of a request
LONGEST_UNIT = 512  # characters
LONGEST_ID = 200
LONGEST_LABEL = 1_000
_JSON = "application/json"
_FEEDBACK = "prediction_id, label and observed_at"


class MediaTypeError(InvalidInputError):
    """The body is of a type that is not read: an answer of 415."""


class TooManyRowsError(InvalidInputError):
    """The body has more rows than one request may: an answer of 413."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Rows to be predicted.

    Attributes:
        rows: As JSON has them: objects by column, or lists.
        units: Whom each row is about; None where it names nobody.
    """

    rows: Sequence[Row]
    units: Sequence[str | None]


def read_json(body: bytes, content_type: str | None) -> Any:  # noqa: ANN401 - as JSON has it
    """Read a body of JSON.

    Raises:
        MediaTypeError: It is said to be something else, or in another encoding than UTF-8.
        InvalidInputError: It is no JSON, holds NaN or Infinity or a name twice, or is too deep or too long a number.

    Example:
        >>> read_json(b'{"width": 1.5}', "application/json")
        {'width': 1.5}
    """
    if content_type != _JSON:
        kind, charset = media_type(content_type)
        if kind != _JSON or charset != "utf-8":
            raise MediaTypeError(
                f"Content-Type must be {_JSON} in UTF-8, got {shown(content_type) if content_type else 'none'}."
            )
    return decoded(body, _STRICT)


def media_type(content_type: str | None) -> tuple[str, str]:
    """Tell the type and the charset of a Content-Type, in small letters; UTF-8 where it says none.

    Example:
        >>> media_type('application/json; charset="UTF-8"')
        ('application/json', 'utf-8')
    """
    kind, *parameters = (content_type or "").lower().split(";")
    given = dict(parameter.strip().partition("=")[::2] for parameter in parameters)
    return kind.strip(), given.get("charset", "utf-8").strip('"').replace("utf8", "utf-8")


def decoded(body: bytes, decoder: json.JSONDecoder) -> Any:  # noqa: ANN401 - as JSON has it
    """Decode JSON; errors as in ``read_json``."""
    try:
        found = decoder.decode(body.decode("utf-8"))
        if b"\\u" in body:  # half a surrogate pair could be neither kept nor answered
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise InvalidInputError("The body is nested too deeply.") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"The body must be UTF-8, and is not at byte {error.start}.") from None
    except UnicodeEncodeError:
        raise InvalidInputError("The body holds half a surrogate pair, which is no text.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInputError(f"The body is no JSON: {error.msg} at {where}.") from None
    except InvalidInputError:
        raise
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise InvalidInputError("The body holds a number of too many digits.") from None
    return found


def single(body: Any, columns: Sequence[str] | None) -> Asked:  # noqa: ANN401 - as JSON has it
    """Read one row.

    Args:
        body: What ``read_json`` gave.
        columns: The model's, where it names them.

    Raises:
        FieldError: It is none of the forms.

    Example:
        >>> single({"width": 1.5, "unit": "user-1"}, ["width"])
        Asked(rows=({'width': 1.5},), units=('user-1',))
    """
    if not isinstance(body, dict):
        raise FieldError(f"The body must be an object, got {shown(body)}.", hint='send {"features": [...]}.')
    row, unit = _row(body, columns, None)
    return Asked(rows=(row,), units=(unit,))


def batch(body: Any, columns: Sequence[str] | None, *, most: int = MOST_ROWS) -> Asked:  # noqa: ANN401 - as JSON has it
    """Read many rows.

    Args:
        body: What ``read_json`` gave.
        columns: The model's, where it names them.
        most: How many rows a request may have.

    Raises:
        TooManyRowsError: There are more.
        FieldError: It is none of the forms.
    """
    if not isinstance(body, dict) or not isinstance(body.get("instances"), list):
        raise FieldError("The body must be an object with a list of 'instances'.", field="instances")
    if extra := body.keys() - {"instances", "units"}:
        name = cut(min(extra))
        raise FieldError(f"'{name}' is not known beside 'instances' and 'units'.", field=name)
    instances, units = body["instances"], body.get("units")
    check_count(len(instances), most)
    if units is not None and (not isinstance(units, list) or len(units) != len(instances)):
        raise FieldError("'units' must be a list with one unit for each of the instances.", field="units")
    rows: list[Row] = []
    own: list[str | None] = []
    for number, instance in enumerate(instances, 1):
        row, unit = _row(instance, columns, number) if isinstance(instance, dict) else (instance, None)
        if units is not None:
            if unit is not None:
                raise FieldError("The unit is told twice, here and in 'units'.", field="unit", row=number)
            unit = _unit(units[number - 1], number)
        rows.append(row)
        own.append(unit)
    return Asked(rows=rows, units=own)


def check_count(count: int, most: int) -> None:
    """Check how many rows a request has.

    Raises:
        TooManyRowsError: More than it may.
        FieldError: None.
    """
    if not count:
        raise FieldError("There are no rows.")
    if count > most:
        raise TooManyRowsError(
            f"A request may have {wording.plural(most, 'row')}, got {wording.whole(count)}.", hint="send them in parts."
        )


def feedback(body: Any, *, most: int = MOST_ROWS) -> list[Feedback | Receipt]:  # noqa: ANN401 - as JSON has it
    """Read labels: each as it is, or a receipt that says why it was refused; no row's fault refuses another.

    Args:
        body: What ``read_json`` gave.
        most: How many rows a request may have.

    Raises:
        TooManyRowsError: There are more.
        FieldError: It is none of the forms.

    Example:
        >>> feedback({"prediction_id": "ab-1", "label": "pear"})
        [Feedback(prediction_id='ab-1', label='pear', observed_at=None)]
    """
    rows = body
    if isinstance(body, dict):
        rows = body["feedback"] if body.keys() == {"feedback"} else [body]
    if not isinstance(rows, list):
        raise FieldError("The body must be an object with a 'prediction_id' and a 'label', or a list of such.")
    check_count(len(rows), most)
    return [_feedback(row) for row in rows]


def label_of(value: Any) -> Label:  # noqa: ANN401 - as JSON has it
    """Read a label.

    Raises:
        InvalidInputError: It is none.
    """
    if isinstance(value, str) and 0 < len(value) <= LONGEST_LABEL and "\0" not in value:
        return value
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidInputError(
        f"label must be text of 1 to {LONGEST_LABEL} characters, a number or a boolean, got {shown(value)}."
    )


def seconds_of(value: Any) -> float | None:  # noqa: ANN401 - as JSON has it
    """Read when something was observed: seconds since 1970, or a time in ISO 8601, which is UTC where it names no zone.

    Raises:
        InvalidInputError: It is neither.

    Example:
        >>> seconds_of("1970-01-01T01:00:00+00:00"), seconds_of(3600)
        (3600.0, 3600.0)
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, tz=UTC).timestamp()  # which refuses what is no date
    except (ValueError, OverflowError, OSError):
        pass
    raise InvalidInputError(f"observed_at must be seconds since 1970 or a time in ISO 8601, got {shown(value)}.")


def _row(body: dict[str, Any], columns: Sequence[str] | None, number: int | None) -> tuple[Row, str | None]:
    """A row and its unit, of either form."""
    if "features" in body:
        row = body["features"]
        if extra := body.keys() - {"features", "unit"}:
            name = cut(min(extra))
            raise FieldError(f"'{name}' is not known beside 'features'.", hint="put columns inside 'features'.",
                             field=name, row=number)  # fmt: skip
        if not isinstance(row, list | dict):
            raise FieldError(f"'features' must be a list or an object of the columns, got {shown(row)}.",
                             field="features", row=number)  # fmt: skip
        return row, _unit(body.get("unit"), number)
    if "unit" not in body:
        return body, None
    if columns is not None and "unit" in columns:
        raise FieldError("'unit' is a column of the model too, so columns must be inside 'features'.",
                         hint='send {"features": {...}, "unit": ...}.', field="unit", row=number)  # fmt: skip
    unit = _unit(body["unit"], number)
    return {name: value for name, value in body.items() if name != "unit"}, unit


def _unit(value: Any, number: int | None) -> str | None:  # noqa: ANN401 - as JSON has it
    if value is None or (isinstance(value, str) and 0 < len(value) <= LONGEST_UNIT):
        return value
    if isinstance(value, float) and value.is_integer():  # a whole number, too, by JSON's own account
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64:
        return str(value)  # as a user's number often is
    raise FieldError(
        f"unit must be text of 1 to {LONGEST_UNIT} characters, or a whole number, got {shown(value)}.",
        field="unit",
        row=number,
    )


def _feedback(row: Any) -> Feedback | Receipt:  # noqa: ANN401 - as JSON has it
    named = row.get("prediction_id") if isinstance(row, dict) else None
    try:
        return _checked(row)
    except InvalidInputError as error:
        known = named[:LONGEST_ID] if isinstance(named, str) else ""
        return Receipt(prediction_id=known, received=Received.REFUSED, why=str(error))


def _checked(row: Any) -> Feedback:  # noqa: ANN401 - as JSON has it
    if not isinstance(row, dict):
        raise InvalidInputError(f"A label must be an object with {_FEEDBACK}, got {shown(row)}.")
    if extra := row.keys() - {"prediction_id", "label", "observed_at"}:
        raise InvalidInputError(f"'{cut(min(extra))}' is none of {_FEEDBACK}.")
    for name in ("prediction_id", "label"):
        if name not in row:
            raise InvalidInputError(f"{name} is missing.")
    return Feedback(
        prediction_id=_id(row["prediction_id"]),
        label=label_of(row["label"]),
        observed_at=seconds_of(row.get("observed_at")),
    )


def _id(value: Any) -> str:  # noqa: ANN401 - as JSON has it
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and "\0" not in value:
        return value
    raise InvalidInputError(f"prediction_id must be text of 1 to {LONGEST_ID} characters, got {shown(value)}.")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of names that are each there once.

    Raises:
        FieldError: A name is there twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = cut(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value] # add returns None on purpose here
        raise FieldError(f"'{twice}' is there twice.", field=twice)
    return found


def refused(constant: str) -> Any:  # noqa: ANN401 - it never returns
    """Refuse NaN and Infinity, which are no JSON."""
    raise InvalidInputError(f"The body holds {constant}, which is no number of JSON.", hint="null is a missing value.")


_STRICT = json.JSONDecoder(object_pairs_hook=unique, parse_constant=refused)
