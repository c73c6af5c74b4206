"""Train the candidates of a recipe, rank them, and tell: the command's whole road."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from abtest.record.trained import TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.training.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training leaves.

    Attributes:
        record: What was found.
        estimators: The fitted pipelines, by the candidate's name.
        train: The rows that were trained on: features and target, in the data's order.
        holdout: The rows held out, likewise.
        report: The folder it was written to.
        holdout_file: The file of the rows held out, in that folder: labelled rows for ``abtest compare``.
    """

    record: TrainingRecord
    estimators: dict[str, Any]
    train: pd.DataFrame
    holdout: pd.DataFrame
    report: Path | None = None
    holdout_file: Path | None = None


def fit(recipe: Recipe, data: str | Path, *, progress: Callable[[str, int, int | None], None] | None = None) -> Trained:
    """Split, search, fit and rank; nothing is written or logged (fitting.py, ranking.py)."""
    raise NotImplementedError


def train(
    recipe: Recipe,
    data: str | Path,
    *,
    model_name: str | None = None,
    stage: str | None = None,
    alias: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    experiment: str | None = None,
    output: Path | None = None,
    log: bool = True,
    draw: bool = True,
    command: str | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Trained:
    """Fit, write, log, and register the best where a model is named (logging.py)."""
    raise NotImplementedError
