"""A table as TOML, of which Python reads but does not write any."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(table: Mapping[str, Any], within: tuple[str, ...] = ()) -> str:
    r"""Write a table: text, numbers, booleans, lists of those, and tables, which come last.

    Example:
        >>> print(written({"folds": 5, "parameters": {"my:SVM": {"C": [0.1, 1.0]}}}), end="")
        folds = 5
        <BLANKLINE>
        [parameters."my:SVM"]
        C = [0.1, 1.0]
    """
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items()]
    parts = [f"[{'.'.join(map(_key, within))}]\n" if within and (lines or not table) else "", *lines]
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            inner = written(value, (*within, key))
            parts.append(("\n" if any(parts) else "") + inner)
    return "".join(parts)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:  # noqa: ANN401 - whatever TOML holds
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace(
            "\x7f", "\\u007f"
        )  # all that TOML escapes and JSON does not
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
