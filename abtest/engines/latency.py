"""How long predictions take: both models timed on the same batches, each going first in turn."""

from __future__ import annotations

import contextlib
import statistics
import time
from typing import TYPE_CHECKING

from abtest.labels import SIDES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abtest.labels import Side
    from abtest.loaders.models import Model

_WARM_UP = 3  # from so many batches on the first, in which caches fill and libraries load, is left out


class Latency:
    """Seconds a row, batch by batch.

    Args:
        clock: Reads seconds.

    Example:
        >>> ticks = iter([0.0, 2.0, 2.0, 3.0])
        >>> latency = Latency(clock=lambda: next(ticks))
        >>> for side in ("champion", "challenger"):
        ...     with latency.timed(side, rows=10):
        ...         pass
        >>> latency.per_row("champion"), latency.per_row("challenger")
        (0.2, 0.1)
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: dict[Side, list[float]] = {side: [] for side in SIDES}

    def in_turn(self, models: list[Model]) -> list[Model]:
        """The models in the order in which they score the next batch."""
        done = max(len(seconds) for seconds in self._seconds.values())
        return models if done % 2 == 0 else models[::-1]

    @contextlib.contextmanager
    def timed(self, side: Side, rows: int) -> Iterator[None]:
        """Time the prediction of so many rows."""
        start = self._clock()
        yield
        self._seconds[side].append((self._clock() - start) / rows)

    def per_row(self, side: Side) -> float | None:
        """Median over the batches, in seconds a row; None where nothing was timed."""
        seconds = self._seconds[side]
        warm = seconds[1:] if len(seconds) >= _WARM_UP else seconds
        return statistics.median(warm) if warm else None
