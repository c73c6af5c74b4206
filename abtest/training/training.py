"""Train the candidates of a recipe, rank them, and tell: the command's whole road."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from abtest.record.trained import TrainingRecord
from abtest.training import folder, telling

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
    """Fit, write, log, and register the best where a model is named.

    What cannot come to be is refused before anything is fitted; after that nothing is lost: the report is written
    first, and models that could not be logged are saved there.

    Args:
        recipe: What to train, and how.
        data: The rows.
        model_name: Register the best candidate as a new version of this model.
        stage: Put that version into this stage.
        alias: Put this alias on it.
        tracking_uri: MLflow's tracking server or database; MLflow's own default if None.
        registry_uri: Where models are registered, if elsewhere.
        experiment: MLflow's; by default ``abtest/`` and the model's name, or ``abtest/training``.
        output: The report is a new folder in here; none is left if None.
        log: Log runs, with models.
        draw: Draw figures.
        command: How it was asked for, for the record.
        progress: Told what is done, how much of it, and of how much.

    Raises:
        InvalidInputError: The recipe, the data or the options do not allow it.
        NotFoundError: There is no registry.
        BackendError: MLflow does not take what was trained; the message says where it is.
    """
    registry = telling.prepared(
        model_name=model_name, stage=stage, alias=alias, tracking_uri=tracking_uri, registry_uri=registry_uri,
        output=output, log=log,
    )  # fmt: skip
    trained = telling.named(fit(recipe, data, progress=progress), model_name, registry, command)
    with telling.folder_for(output) as parent:
        trained = folder.write(trained, parent, draw=draw, models=registry is None)
        if registry is not None:
            trained = telling.logged(trained, registry, experiment=experiment, draw=draw, kept=output is not None)
        if registry is not None and model_name is not None:
            trained = telling.registered(trained, registry, model_name, stage=stage, alias=alias, draw=draw)
    return trained if output is not None else replace(trained, report=None, holdout_file=None)
