"""What a column held, in a few thousand counts that add up: numbers by how they are stored, and values by how often.

Both sketches are functions of the rows alone: however rows are cut into batches, and in whatever order these are added
up, the sketch of all of them is the same, to the last bit. For both leave out no more than all rows together ask for,
and a part of the rows never asks for more than the whole: what a part has left out, the whole leaves out too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.stats.sketches.numbers import BINS, Numbers
from abtest.stats.sketches.values import LONGEST, VALUES, Values

__all__ = ["BINS", "LONGEST", "VALUES", "Numbers", "Sketch", "Values", "add", "from_dict"]

Sketch: TypeAlias = Numbers | Values


def add(one: Sketch, other: Sketch) -> Sketch | None:
    """Add up two sketches of one column; None where one holds numbers and the other values.

    One without any value is of either kind: a column in which a whole batch is missing has no type.

    Example:
        >>> total = add(Numbers.of([], missing=3), Values.of({"red": 1}))
        >>> total.n, total.missing
        (1, 3)
    """
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        return one + other
    if isinstance(one, Values) and isinstance(other, Values):
        return one + other
    numbers, values = (one, other) if isinstance(one, Numbers) else (other, one)
    if isinstance(numbers, Numbers) and isinstance(values, Values):
        if not numbers.n + numbers.infinite:
            return values + Values(counts={}, missing=numbers.missing)
        if not values.n:
            return numbers + Numbers.of([], missing=values.missing)
    return None


def from_dict(data: object) -> Sketch:
    """Read what either sketch's ``to_dict`` wrote.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        kind = data["kind"] if isinstance(data, Mapping) else None
        if kind == "numbers":
            return Numbers.from_dict(data)  # type: ignore[arg-type]  # only a mapping has a kind
        if kind == "values":
            return Values.from_dict(data)  # type: ignore[arg-type]  # likewise
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"This is no sketch of a column: {wording.first_line(error)}.") from error
    raise InvalidInputError("This is no sketch of a column: its kind must be 'numbers' or 'values'.")
