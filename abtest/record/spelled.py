"""Records that are written as JSON, and read again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final, Self

from pydantic import TypeAdapter, ValidationError

from abtest.errors import InvalidInputError

SCHEMA_VERSION: Final = "1.0"


class Spelled:
    """A record that is plain data. ``from_dict(to_dict(x)) == x``."""

    __slots__ = ()

    # It holds for every record within, too.
    __pydantic_config__: ClassVar[Any] = {
        "alias_generator": lambda name: name.rstrip("_"),  # class_ is "class" in JSON
        "allow_inf_nan": False,
        "extra": "forbid",
    }

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is no such record, or one of another version; the message names the first field.
        """
        found = data.get("schema_version") if isinstance(data, Mapping) else None
        if found != SCHEMA_VERSION:
            raise InvalidInputError(f"schema_version must be {SCHEMA_VERSION}, got {found!r}.")
        try:
            read: Self = _adapter(cls).validate_python(data)  # type: ignore[arg-type] # a class is hashable
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            why = first["msg"].removeprefix("Value error, ").rstrip(".")
            what = cls.__name__.removesuffix("Record").lower()
            raise InvalidInputError(f"The {what}'s {where} cannot be read: {why}.") from error
        return read

    def to_dict(self) -> dict[str, Any]:
        """Spell the record as plain data for JSON: None for what is missing, never NaN."""
        plain: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json", by_alias=True)  # type: ignore[arg-type] # see above
        return plain

    def to_json(self) -> str:
        """Spell the record as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def slug(name: str) -> str:
    """Keep of a name what means nothing in a path; of a long one, its end.

    Example:
        >>> slug("../iris"), slug("?")
        ('iris', 'model')
    """
    return re.sub(r"[^\w.]+", "-", name)[-60:].strip("-.") or "model"


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
