"""Rows of a file → tallies by the hour: scored or predicted already, labelled now or later; each row once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.labels import LabelType, Task
    from abtest.live.store import Store
    from abtest.loaders.models import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What became of a file.

    Attributes:
        batch: Its name; None where nothing was to be done.
        n: Rows read.
        tracked: Predictions added.
        labelled: Labels added.
        unchanged: Rows or labels that were there already, and changed nothing.
        corrected: Labels that say otherwise than the first: counted, and nothing else.
        unknown: Labels of predictions that nobody tracked.
        waiting: Rows of this file that wait for a label.
        start: The earliest moment of its rows, in UTC.
        end: The latest.
        notices: What else is to be said.
    """

    batch: str | None
    n: int
    tracked: int = 0
    labelled: int = 0
    unchanged: int = 0
    corrected: int = 0
    unknown: int = 0
    waiting: int = 0
    start: datetime | None = None
    end: datetime | None = None
    notices: tuple[str, ...] = ()


def track(
    store: Store,
    model_name: str,
    data: str | Path | pd.DataFrame | None,
    *,
    model: Model | None = None,
    version: int | None = None,
    prediction: str | None = None,
    target: str | None = None,
    labels: str | Path | pd.DataFrame | None = None,
    id_column: str | None = None,
    label_column: str | None = None,
    time_column: str | None = None,
    at: datetime | None = None,
    segments: Sequence[str] = (),
    features: Sequence[str] | None = None,
    task: Task | None = None,
    label_type: LabelType | None = None,
    batch_rows: int = 50_000,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Tracked:
    """Track predictions, or labels of predictions that were tracked before, or both."""
    raise NotImplementedError
