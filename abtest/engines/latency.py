"""How long predictions take: all models timed on the same batches, the first and the last going first in turn."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from typing import TypeVar

    Some = TypeVar("Some")

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
        self._seconds: defaultdict[Hashable, list[float]] = defaultdict(list)

    def in_turn(self, models: Sequence[Some]) -> Sequence[Some]:
        """The models in the order in which they score the next batch."""
        done = max((len(seconds) for seconds in self._seconds.values()), default=0)
        return models if done % 2 == 0 else models[::-1]

    @contextlib.contextmanager
    def timed(self, model: Hashable, rows: int) -> Iterator[None]:
        """Time the prediction of so many rows."""
        start = self._clock()
        yield
        self._seconds[model].append((self._clock() - start) / rows)

    def add(self, model: Hashable, seconds: float) -> None:
        """Take in what a row took when a batch was predicted earlier."""
        self._seconds[model].append(seconds)

    def last(self, model: Hashable) -> float:
        """Seconds that a row of the last batch took."""
        return self._seconds[model][-1]

    def per_row(self, model: Hashable) -> float | None:
        """Median over the batches, in seconds a row; None where nothing was timed."""
        seconds = self._seconds[model]
        warm = seconds[1:] if len(seconds) >= _WARM_UP else seconds
        return statistics.median(warm) if warm else None
