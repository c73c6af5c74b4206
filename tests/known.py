"""What a test knows to be there."""

from __future__ import annotations

from typing import TypeVar

Something = TypeVar("Something")


def known(value: Something | None) -> Something:
    """The value, which is not None."""
    assert value is not None
    return value
