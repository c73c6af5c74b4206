"""What a person types → JSON, by the type of the column: numbers, true and false, text."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from abtest.errors import InvalidInputError
from abtest.live.serving import values
from abtest.live.serving.values import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.serving.fields import Row
    from abtest.live.serving.served import Served
    from abtest.live.serving.values import Field

_MISSING = "null"
_UNTOLD = values.field("value", "scalar")  # a column that nothing says the type of


def typed(field: Field, text: str) -> Any:  # noqa: ANN401 - as JSON has it
    """Take what somebody typed for the JSON that a column of its type would get; what fits no type stays text.

    Example:
        >>> import numpy as np
        >>> from abtest.live.serving.values import field
        >>> typed(field("age", np.dtype("int64")), " 41 "), typed(field("name", "text"), "41"), typed(
        ...     field("member", np.dtype("bool")), "True"
        ... )
        (41, '41', True)
    """
    text = text.strip()
    if field.rule in {"text", "bytes in base64"} or field.dtype.kind == "M":
        return None if not text or (field.optional and text == _MISSING) else text
    if not text:
        return None
    if field.dtype.kind == "b" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    with suppress(ValueError):
        return json.loads(text)
    with suppress(ValueError):  # JSON has no ".5" and no "+5"; Python has "1_000", which is none
        return text if "_" in text else float(text)
    return text


def in_one_line(served: Served, line: str) -> Row:
    """Read a row that was typed in one line: values in the columns' order, or ``name=value`` each.

    Text that holds a comma stands in double quotes, as in a CSV file. Nothing between two commas is a missing value.

    Raises:
        FieldError: It does not fit the model.
        InvalidInputError: It is empty, or a quotation does not end.
    """
    try:
        (cells,) = csv.reader([line], strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        raise InvalidInputError(
            f"values must be one line as in a CSV file, got {cut(line)!r}.", hint='text with a comma: "a, b".'
        ) from None
    if not cells:
        raise InvalidInputError("values must be one line as in a CSV file, got nothing.")
    named = None if served.model.tensor else _by_name(cells, served.columns)
    if named is not None:
        kinds = {} if served.fields is None else dict(zip(served.fields.names, served.fields.fields, strict=True))
        return {name: typed(kinds.get(name, _UNTOLD), text) for name, text in named.items()}
    fields = [_UNTOLD] * len(cells) if served.fields is None else served.fields.fields
    if len(cells) != len(fields):
        return cells  # it is refused as a request would be
    return [typed(field, text) for field, text in zip(fields, cells, strict=True)]


def _by_name(cells: Sequence[str], columns: Sequence[str] | None) -> dict[str, str] | None:
    """Read ``name=value`` each; None where the values stand in order."""
    pairs = [cell.partition("=") for cell in cells]
    names = [name.strip() for name, _, _ in pairs]
    if not all(equals for _, equals, _ in pairs) or (columns is not None and not {*names} & {*columns}):
        return None
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInputError(f"values must name each column once, got '{cut(twice)}' twice.")
    return {name: value for name, (_, _, value) in zip(names, pairs, strict=True)}
