"""A prediction as an MLflow run: what was asked of what, and what came out."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.bulk import showing
from abtest.wording import redacted

if TYPE_CHECKING:
    from abtest.bulk.predicted import Predicted
    from abtest.registry import RegistryClient

_SUMMARY = "prediction.json"


def log(
    predicted: Predicted, registry: RegistryClient, *, experiment: str | None = None, command: str | None = None
) -> Predicted:
    """Log a prediction as a run, with the data it read, its output, and its record.

    Args:
        predicted: What was done.
        registry: Whose tracking server gets the run.
        experiment: Name of the experiment; by default ``abtest/`` and the model's name. Made if it is not there.
        command: How it was asked for.

    Returns:
        The same, with the run's id.

    Raises:
        BackendError: MLflow does not take it; the output stays where it is.
    """
    name = experiment or f"abtest/{predicted.model_name or 'predictions'}"
    tags = {"abtest.kind": "prediction", "mlflow.note.content": showing.markdown(predicted)}
    if predicted.model_name:
        tags["abtest.model_name"] = predicted.model_name
    with tracking.open_run(registry.client, name, f"{predicted.told} on {Path(predicted.data).name}", tags) as run:
        run.params(_params(predicted, command))
        run.metrics(_metrics(predicted))
        if predicted.digest:
            dataset = tracking.LoggedDataset(
                name=Path(predicted.data).name, digest=predicted.digest, source=predicted.data
            )
            run.dataset(dataset, context="prediction")
        logged = replace(predicted, run_id=run.run_id, experiment=name)
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / _SUMMARY).write_text(logged.to_json(), encoding="utf-8")
            run.artifacts(Path(scratch))
        if predicted.output:
            run.artifact(Path(predicted.output))
    return logged


def _params(predicted: Predicted, command: str | None) -> dict[str, object]:
    params: dict[str, object] = {
        "model": predicted.model.uri or predicted.model.ref,
        "data": predicted.data,
        "output": predicted.output or "standard output",
        "columns": ", ".join(predicted.columns)[:500],
    }
    return params | ({"command": redacted(command)[:500]} if command else {})


def _metrics(predicted: Predicted) -> dict[str, float]:
    found: dict[str, float | None] = {
        "rows": predicted.n,
        "seconds": predicted.seconds,
        "model_seconds": predicted.model_seconds,
        **{f"share.{_key(str(it.label))}": it.share for it in predicted.distribution.classes},
    }
    if (numbers := predicted.distribution.numbers) is not None:
        found |= {f"prediction.{name}": getattr(numbers, name) for name in ("mean", "std", "min", "median", "max")}
    return {name: float(value) for name, value in found.items() if value is not None}


def _key(label: str) -> str:
    """Spell a class as MLflow takes it in a metric's name."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in label)[:200]
