"""Wait for what another thread or process does, no longer than it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 30.0


def until(holds: Callable[[], object], *, seconds: float = _SECONDS) -> None:
    """Wait until a condition holds; fail when it does not within a deadline that only a hang reaches."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.005)
