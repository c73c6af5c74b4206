"""Days of a model's predictions, for tests of what is said of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes
from abtest.windows import Bucket, Tallied, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Cells: TypeAlias = "Mapping[Any, int]"  # rows by truth and prediction, of any one type of label
Floats: TypeAlias = npt.NDArray[np.float64]

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def tallied(
    cells: Cells,
    segments: Mapping[tuple[str, str], Cells] | None = None,
) -> Tallied:
    """Tally rows by truth and prediction."""
    parts = {key: {(y, said, said): n for (y, said), n in own.items() if n} for key, own in (segments or {}).items()}
    table = PairedOutcomes.from_counts({(y, said, said): n for (y, said), n in cells.items() if n}, parts)
    return Tallied(n=table.n, outcomes=table)


def of_errors(truth: Floats, errors: Floats) -> Tallied:
    """Tally rows of a regression."""
    return Tallied(n=truth.size, errors=RegressionOutcomes.of(truth, truth + errors, truth + errors))


def window(parts: Sequence[Tallied], *, first: int = 0, every: timedelta = DAY) -> Window:
    """Line tallies up, from so many periods after the start on."""
    begin = START + first * every
    buckets = (Bucket(start=begin + i * every, version=1, tallied=part) for i, part in enumerate(parts))
    return Window(start=begin, end=begin + len(parts) * every, buckets=tuple(buckets))


def timeless(of: Window) -> Window:
    """The same rows, as of a file without time."""
    return Window(start=None, end=None, buckets=(Bucket(start=None, version=None, tallied=of.whole()),))


def days(
    rng: np.random.Generator, number: int, *, right: float, rows: int = 200, alike: float = 0.0, classes: int = 2
) -> list[Tallied]:
    """Draw days of equal classes, whose luck makes rows of one day correlate."""
    worth = (1 - alike) / alike if alike else 0.0
    found = []
    for _ in range(number):
        luck = rng.beta(right * worth, (1 - right) * worth) if alike else right
        y = rng.integers(0, classes, rows)
        said = np.where(rng.random(rows) < luck, y, (y + 1) % classes)
        found.append(tallied(Counter(zip(y.tolist(), said.tolist(), strict=True))))
    return found
