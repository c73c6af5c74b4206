"""What a window is held against: the first days, the days before, a small file, or the comparison of its promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.windows import Window


def write(window: Window, path: Path, *, name: str) -> None:
    """Write a baseline to a file, whole or not at all."""
    raise NotImplementedError


def read(path: Path) -> Window:
    """Read a baseline that ``write`` wrote.

    Raises:
        InvalidInputError: It is none; the hint says how one is made.
    """
    raise NotImplementedError
