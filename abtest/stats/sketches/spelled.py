"""What a sketch that was written must hold, read strictly; ``sketches.from_dict`` makes a sentence of what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 2**63 - 1


def expect_names(data: Mapping[str, Any], names: set[str]) -> None:
    """Refuse what has other names than these."""
    if set(data) != names:
        raise ValueError(f"it must have {', '.join(sorted(names))}")


def read_whole(value: object) -> int:
    """Read a whole number."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def read_count(value: object, most: int = MOST) -> int:
    """Read a whole number from 0 to ``most``."""
    if not 0 <= (count := read_whole(value)) <= most:
        raise ValueError(f"{count} is no count")
    return count
