"""Take turns, so that a noisy minute is shared; report medians and their ratio."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """Time both alternately, after one round to warm up; return the median seconds of each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for side, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            if turn:
                seconds[side].append(time.perf_counter() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def report(what: str, ours: float, theirs: float, *, aim: str) -> None:
    """Print one line: both times, their ratio, and what was aimed at."""
    print(f"{what}: {ours:.3f} s against {theirs:.3f} s, ratio {ours / theirs:.2f} (aim: {aim})", flush=True)
