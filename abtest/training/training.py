"""Train the candidates of a recipe, rank them, and tell: the command's whole road."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from abtest.metrics.catalogue import DECISIVE
from abtest.provenance import provenance
from abtest.record.trained import Candidate, TrainingRecord, TrainingRows
from abtest.training import folder, telling
from abtest.training.data import read
from abtest.training.fitting import fitted, prepared
from abtest.training.held_out import all_predicted, held_out, policy_of
from abtest.training.ranking import ranked
from abtest.training.scoring import LESS_IS_BETTER
from abtest.training.splitting import Contest, in_both, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abtest.record.trained import CrossValidated
    from abtest.training.fitting import Fitted
    from abtest.training.held_out import HeldOut, Predicted
    from abtest.training.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training leaves.

    Attributes:
        record: What was found.
        estimators: The fitted pipelines, by the candidate's name.
        train: The rows that were trained on: features, target, and unit if there is one, in the data's order.
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
    """Split, search, fit and rank; nothing is written or logged.

    Args:
        recipe: What to train, and how.
        data: The rows; the recipe's own ``data`` are not looked at.
        progress: Called as ``progress(what, fits_done, fits_in_all)``.

    Raises:
        NotFoundError: There are no such data, or an estimator is not installed.
        InvalidInputError: The recipe does not fit the data, or no candidate could be trained.
    """
    rows = read(recipe, data)
    metric = recipe.metric or DECISIVE[rows.task]
    contest = Contest(recipe=recipe, rows=rows, split=split(rows, recipe), metric=metric)
    tell = progress or (lambda _what, _done, _total: None)
    found = {name: fitted(name, made, contest, tell) for name, made in prepared(contest).items()}
    found, said = all_predicted(found, contest)
    well = {name: each for name, each in found.items() if each.failed is None}
    if not well:
        first = found[recipe.models[0]]
        raise InvalidInputError(f"No candidate could be trained; {first.name}: {str(first.failed).rstrip('.')}.")
    folds = {name: each.by_fold for name, each in well.items()}
    ranks, untested = ranked(
        folds, greater_is_better=metric not in LESS_IS_BETTER, test_over_train=contest.split.test_over_train
    )
    held = held_out({name: said[name] for name in ranks}, contest)
    candidates = [
        *(_ranked(i, well[name], ranks[name], held[name], said[name]) for i, name in enumerate(ranks, start=1)),
        *(_candidate(each) for each in found.values() if each.failed is not None),
    ]
    train, holdout = (
        rows.frame.iloc[those].reset_index(drop=True) for those in (contest.split.train, contest.split.holdout)
    )
    record = TrainingRecord(
        created_at=datetime.now(UTC),
        task=rows.task,
        metric=metric,
        rows=_rows(contest, open_data(holdout).digest()),
        recipe=recipe.to_toml(),
        recipe_digest=recipe.digest,
        candidates=tuple(candidates),
        skipped=(*untested, *(each for one in held.values() for each in one.skipped)),
        notices=(*_about(contest), *(each for one in found.values() for each in one.notices)),
        provenance=provenance(registry=None, policy_digest=policy_of(contest).digest),
    )
    return Trained(
        record=record,
        estimators={name: well[name].pipeline for name in ranks},
        train=train,
        holdout=holdout,
    )


def _rows(contest: Contest, holdout_digest: str) -> TrainingRows:
    rows = contest.rows
    return TrainingRows(
        path=wording.redacted(rows.name),
        digest=rows.digest,
        target=contest.recipe.target,
        features=tuple(rows.features),
        unit=contest.recipe.unit,
        n_train=len(contest.split.train),
        n_holdout=len(contest.split.holdout),
        n_unlabelled=rows.unlabelled,
        holdout_digest=holdout_digest,
    )


def _ranked(rank: int, found: Fitted, folds: CrossValidated, held: HeldOut, said: Predicted) -> Candidate:
    return replace(
        _candidate(found),
        rank=rank,
        cross_validated=folds,
        holdout=held.metrics,
        holdout_rows=held.rows,
        prediction_digest=said.digest,
    )


def _candidate(found: Fitted) -> Candidate:
    """What is known of a candidate by itself, which of one that failed is all."""
    return Candidate(
        rank=None,
        name=found.name,
        estimator=found.estimator,
        parameters=found.parameters,
        settings_tried=found.settings_tried,
        cross_validated=None,
        holdout={},
        holdout_rows=(),
        prediction_digest=None,
        seconds=found.seconds,
        not_repeatable=found.not_repeatable,
        failed=found.failed,
    )


def _about(contest: Contest) -> Iterator[str]:
    yield from contest.rows.notices
    yield from contest.split.notices
    yield from in_both(contest)


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
        recipe: What to train, and how; its own ``data`` are not looked at, and not kept: it repeats with any.
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
    trained = telling.named(fit(replace(recipe, data=None), data, progress=progress), model_name, registry, command)
    with telling.folder_for(output) as parent:
        trained = folder.write(trained, parent, draw=draw, models=registry is None)
        if registry is not None:
            trained = telling.logged(trained, registry, experiment=experiment, draw=draw, kept=output is not None)
        if registry is not None and model_name is not None:
            trained = telling.registered(trained, registry, model_name, stage=stage, alias=alias, draw=draw)
    return trained if output is not None else replace(trained, report=None, holdout_file=None)
