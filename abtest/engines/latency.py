"""How long predictions take: all models timed on the same batches, the first and the last going first in turn."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import TypeVar

    Some = TypeVar("Some")

_WARM_UP = 3  # from so many batches on the first, in which caches fill and libraries load, is left out


class Latency:
    """Seconds a row, batch by batch.

    Args:
        clock: Reads seconds.

    Attributes:
        clock: The same.

    Example:
        >>> latency = Latency()
        >>> latency.add("champion", 2.0, rows=10)
        >>> latency.add("challenger", 1.0, rows=10)
        >>> latency.per_row("champion"), latency.per_row("challenger")
        (0.2, 0.1)
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._seconds: defaultdict[Hashable, list[float]] = defaultdict(list)

    def in_turn(self, models: Sequence[Some]) -> Sequence[Some]:
        """The models in the order in which they score the next batch."""
        done = max((len(seconds) for seconds in self._seconds.values()), default=0)
        return models if done % 2 == 0 else models[::-1]

    def add(self, model: Hashable, seconds: float, rows: int) -> None:
        """Take in what the prediction of so many rows took."""
        self._seconds[model].append(seconds / rows)

    def per_row(self, model: Hashable) -> float | None:
        """Median over the batches, in seconds a row; None where nothing was timed."""
        seconds = self._seconds[model]
        warm = seconds[1:] if len(seconds) >= _WARM_UP else seconds
        return statistics.median(warm) if warm else None
