"""Training as MLflow runs: one that holds a run for each candidate, with its model and what it takes to repeat it."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.provenance import environment
from abtest.reporter.training import markdown
from abtest.reporter.training.folder import rewrite
from abtest.reporter.training.summary import summarise
from abtest.tracking import PARENT
from abtest.training import saving
from abtest.training.folder import HOLDOUT, MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.record import Candidate, TrainingRecord
    from abtest.registry import RegistryClient
    from abtest.tracking import OpenRun
    from abtest.training.training import Trained

_LONGEST_PARAM, _LONGEST_NOTE = 500, 5000  # letters that every server of MLflow's takes
_STAYS = (HOLDOUT, MODELS)  # rows are not sent anywhere
DEFAULT_EXPERIMENT = "abtest/training"


def log(trained: Trained, registry: RegistryClient, report: Path, *, experiment: str | None, draw: bool) -> Trained:
    """Log a run with the report, and within it one for each candidate that was trained.

    Args:
        trained: What was trained.
        registry: Whose tracking server gets the runs.
        report: The folder it was written to; what it tells is written anew, with the runs' ids.
        experiment: Its name, made if it is not there; by default ``abtest/`` and the model's name, or ``training``.
        draw: Whether the report has figures.

    Returns:
        The same, with ids and notices.

    Raises:
        BackendError: MLflow does not take it.
    """
    record = trained.record
    name = experiment or (f"abtest/{record.model_name}" if record.model_name else DEFAULT_EXPERIMENT)
    tags = {**_tags(record), "abtest.kind": "training", "abtest.best": record.best.name}
    with tracking.open_run(registry.client, name, record.name, tags) as run:
        run.dataset(_dataset(record), context="training")
        run.params({"models": ", ".join(it.name for it in record.candidates)[:_LONGEST_PARAM], "metric": record.metric})
        candidates, notices = [], []
        for it in record.candidates:
            logged, told = (it, []) if it.failed else _candidate(trained, it, registry, name, run.run_id)
            candidates.append(logged)
            notices += told
        record = replace(
            record, candidates=tuple(candidates), experiment=name, run_id=run.run_id,
            notices=(*record.notices, *notices),
        )  # fmt: skip
        run.metrics(_metrics(record, record.best))
        _enclose(run, record)
        rewrite(record, report, figures=draw)
        run.tags({"mlflow.note.content": note(record)})
        for path in sorted(report.iterdir()):
            if path.name not in _STAYS:
                run.artifact(path)
    return replace(trained, record=record)


def tell_again(trained: Trained, registry: RegistryClient, report: Path, *, draw: bool) -> None:
    """Write anew what is known only after the runs have ended: the version that the best became."""
    record = trained.record
    assert record.run_id is not None  # noqa: S101 - it was logged
    rewrite(record, report, figures=draw)
    run = tracking.OpenRun(registry.client, record.run_id)
    run.tags({"abtest.version": str(record.version), "mlflow.note.content": note(record)})
    for name in ("report.html", "training.json", "summary.md"):
        run.artifact(report / name)


def note(record: TrainingRecord) -> str:
    """What a run says of itself in MLflow."""
    return markdown.render(summarise(record))[:_LONGEST_NOTE]


def _candidate(
    trained: Trained, it: Candidate, registry: RegistryClient, experiment: str, parent: str
) -> tuple[Candidate, list[str]]:
    record = trained.record
    tags = {
        **_tags(record), "abtest.kind": "candidate", "abtest.candidate": it.name, "abtest.rank": str(it.rank),
        PARENT: parent,
    }  # fmt: skip
    if it.prediction_digest:
        tags["abtest.prediction_digest"] = it.prediction_digest
    with tracking.open_run(registry.client, experiment, it.name, tags) as run:
        run.dataset(_dataset(record), context="training")
        run.params({"estimator": it.estimator, **{name: _param(value) for name, value in it.parameters.items()}})
        run.metrics(_metrics(record, it))
        _enclose(run, record)
        with registry.active():
            features = trained.train[list(record.rows.features)]
            uri, notices = saving.log(trained.estimators[it.name], features, it.name, run.run_id)
    return replace(it, run_id=run.run_id, model_uri=uri), notices


def _enclose(run: OpenRun, record: TrainingRecord) -> None:
    """Log what it takes to do it again: the recipe, the environment, the columns."""
    rows = record.rows
    features = {"target": rows.target, "unit": rows.unit, "features": list(rows.features)}
    texts = {
        "recipe.toml": record.recipe,
        "environment.txt": environment(),
        "features.json": json.dumps(features, indent=2, ensure_ascii=False) + "\n",
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts.items():
            (Path(scratch) / name).write_text(text, encoding="utf-8")
        run.artifacts(Path(scratch))


def _tags(record: TrainingRecord) -> dict[str, str]:
    found = {
        "abtest.data_digest": record.rows.digest,
        tracking.HOLDOUT: record.rows.holdout_digest,
        "abtest.target": record.rows.target,
        "abtest.recipe_digest": record.recipe_digest,
        "abtest.model_name": record.model_name,
        "mlflow.source.git.commit": record.provenance.git_commit,
    }
    return {name: value for name, value in found.items() if value}


def _dataset(record: TrainingRecord) -> tracking.LoggedDataset:
    path = record.rows.path
    source = str(Path(path).resolve()) if Path(path).exists() else path  # to be found from any folder
    return tracking.LoggedDataset(name=Path(path).name or path, digest=record.rows.digest, source=source)


def _metrics(record: TrainingRecord, it: Candidate) -> Mapping[str, float]:
    found = {f"holdout.{name}": value for name, value in it.holdout.items()}
    if it.cross_validated is not None:
        found[f"cv.{record.metric}"] = it.cross_validated.mean
    # MLflow takes finite numbers only.
    return {name: float(value) for name, value in (found | {"seconds": it.seconds}).items() if math.isfinite(value)}


def _param(value: object) -> str:
    return str(value)[:_LONGEST_PARAM]
