"""Runs that were logged: found, read, and followed to their models, their artifacts and their data."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from abtest.errors import NotFoundError
from abtest.talking import all_pages, is_missing, quoted, told_as_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from mlflow.store.entities import PagedList

T = TypeVar("T")
_IDS = 100  # in one filter
HOLDOUT = "abtest.holdout_digest"  # tags a run that held rows of its data out
PARENT = "mlflow.parentRunId"  # tags a run that is nested in another


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """A run that was logged.

    Attributes:
        run_id: Its id.
        started_at: In UTC, by the clock of whoever began it.
        tags: All of them.
        params: Its parameters.
        models: Ids of the models it logged.
        metrics: The last value of each.
        datasets: What it read, by name and digest.
    """

    run_id: str
    started_at: datetime
    tags: Mapping[str, str]
    params: Mapping[str, str]
    models: tuple[str, ...]
    metrics: Mapping[str, float]
    datasets: tuple[str, ...]

    @classmethod
    def of(cls, run: Run) -> FoundRun:
        """Read it off MLflow's."""
        data = [entry.dataset for entry in run.inputs.dataset_inputs] if run.inputs else []
        return cls(
            run_id=run.info.run_id,
            started_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
            tags=dict(run.data.tags),
            params=dict(run.data.params),
            models=tuple(output.model_id for output in run.outputs.model_outputs) if run.outputs else (),
            metrics=dict(run.data.metrics),
            datasets=tuple(f"{it.name} ({it.digest})" for it in data),
        )


def get_run(client: MlflowClient, run_id: str) -> FoundRun:
    """Read a run.

    Raises:
        NotFoundError: There is no such run.
    """
    with told_as_ours(f"The run {run_id} could not be read", typed=True):
        try:
            return FoundRun.of(client.get_run(run_id))
        except Exception as error:
            if not is_missing(error):
                raise
            raise NotFoundError(f"There is no run {run_id}.", hint="its id is on its page in MLflow.") from error


def find_runs(client: MlflowClient, experiment: str, wanted: str) -> tuple[FoundRun, ...]:
    """Find runs of an experiment by MLflow's filter, deleted ones too; none where there is no such experiment."""
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who looks pays for MLflow

    with told_as_ours(f"The runs of experiment '{experiment}' could not be read"):
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return ()
        runs = all_pages(
            client.search_runs,
            experiment_ids=[found.experiment_id],
            filter_string=wanted,
            run_view_type=ViewType.ALL,
        )
        return tuple(FoundRun.of(run) for run in runs)


def find_runs_of_all(client: MlflowClient, pattern: str, wanted: str) -> tuple[FoundRun, ...]:
    """Find runs by MLflow's filter in all experiments whose name is like a pattern, deleted ones too."""
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who looks pays for MLflow

    with told_as_ours(f"The runs of experiments '{pattern}' could not be read"):
        experiments = all_pages(
            client.search_experiments, view_type=ViewType.ALL, filter_string=f"name LIKE {quoted(pattern)}"
        )
        ids = [experiment.experiment_id for experiment in experiments]
        runs = all_pages(
            client.search_runs, experiment_ids=ids, filter_string=wanted, run_view_type=ViewType.ALL
        )  # fmt: skip
        return tuple(FoundRun.of(run) for run in runs) if ids else ()


def runs_of(client: MlflowClient, ids: Iterable[str | None], *, deleted: bool = False) -> dict[str, FoundRun]:
    """Read many runs by their ids, a request a hundred; those that are not there are left out.

    Args:
        client: MLflow's.
        ids: Theirs; None is nobody's.
        deleted: Deleted ones too.
    """
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who looks pays for MLflow

    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY

    def search(**asked: Any) -> PagedList[Run]:  # noqa: ANN401 - whatever MLflow's takes
        return client.search_runs(run_view_type=view, **asked)

    with told_as_ours("The runs that trained these versions could not be read"):
        found = _by_id(client, search, "attributes.run_id", ids, view=view)
        return {run.info.run_id: FoundRun.of(run) for run in found}


def runs_of_models(client: MlflowClient, ids: Iterable[str | None]) -> dict[str, str]:
    """Tell which runs logged these models, by the models' ids."""
    with told_as_ours("The runs of these models could not be read"):
        found = _by_id(client, client.search_logged_models, "model_id", ids)
        return {model.model_id: model.source_run_id for model in found if model.source_run_id}


def metrics_of_models(client: MlflowClient, ids: Iterable[str | None]) -> dict[str, dict[str, float]]:
    """Read the last metrics of many logged models by their ids, likewise."""
    with told_as_ours("The metrics of these models could not be read"):
        found = _by_id(client, client.search_logged_models, "model_id", ids)
        return {model.model_id: _of_model(client, model.metrics or []) for model in found}


def _by_id(
    client: MlflowClient,
    search: Callable[..., PagedList[T]],
    attribute: str,
    ids: Iterable[str | None],
    *,
    view: int = 1,  # MLflow's for those that are not deleted
) -> Iterator[T]:
    known = sorted({name for name in ids if name and "'" not in name})
    if not known:
        return
    experiments = [experiment.experiment_id for experiment in all_pages(client.search_experiments, view_type=view)]
    for start in range(0, len(known), _IDS):
        listed = ", ".join(f"'{name}'" for name in known[start : start + _IDS])
        yield from all_pages(search, experiment_ids=experiments, filter_string=f"{attribute} IN ({listed})")


def _of_model(client: MlflowClient, metrics: Sequence[Metric]) -> dict[str, float]:
    """The last value of each metric of a logged model.

    MLflow keeps a model's NaN as 0 and its infinities as the largest numbers there are; its run's history has them.
    """
    last: dict[str, Metric] = {}
    for metric in sorted(metrics, key=lambda it: (it.timestamp, it.step)):
        last[metric.key] = metric
    found = {}
    for name, metric in last.items():
        found[name] = metric.value
        if (metric.value == 0 or abs(metric.value) >= sys.float_info.max) and metric.run_id:
            for kept in client.get_metric_history(metric.run_id, name):
                if (kept.timestamp, kept.step) == (metric.timestamp, metric.step) and not math.isfinite(kept.value):
                    found[name] = kept.value
    return found


def read_artifact(client: MlflowClient, run_id: str, path: str) -> str:
    """Read a text among a run's artifacts.

    Raises:
        NotFoundError: The run is gone, or holds none of that name.
        BackendError: Its artifacts cannot be read.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # ours is the one progress bar
    with tempfile.TemporaryDirectory() as scratch, told_as_ours(f"The artifacts of run {run_id} could not be read"):
        try:
            known = {it.path for it in client.list_artifacts(run_id)}
        except Exception as error:
            if not is_missing(error):
                raise
            known = set()
        if path not in known:
            raise NotFoundError(f"Run {run_id} holds no {path}.")
        return Path(client.download_artifacts(run_id, path, scratch)).read_text(encoding="utf-8")


def requirements_of(client: MlflowClient, model_id: str) -> str:
    """Read what a logged model asks for to be installed; empty where it does not say.

    Raises:
        BackendError: Its files cannot be read.
    """
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - only who looks pays for MLflow

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # ours is the one progress bar
    told = f"The requirements of model {model_id} could not be read"
    with tempfile.TemporaryDirectory() as scratch, told_as_ours(told):
        known = {it.path: it for it in client.list_logged_model_artifacts(model_id)}
        if "requirements.txt" not in known:
            return ""
        location = client.get_logged_model(model_id).artifact_location
        path = download_artifacts(
            artifact_uri=f"{location}/requirements.txt", dst_path=scratch, tracking_uri=client.tracking_uri
        )
        return Path(path).read_text(encoding="utf-8")


def training_source(client: MlflowClient, run_id: str) -> str | None:
    """Find where the training data that a run logged lie, if that can be read as a file.

    A file of which rows were held out is not the training data: what is held out is in it too.
    """
    with told_as_ours(f"The data of run {run_id} could not be read"):
        run = client.get_run(run_id)
    if HOLDOUT in run.data.tags:
        return None
    inputs = run.inputs
    for entry in inputs.dataset_inputs if inputs else ():
        context = next((tag.value for tag in entry.tags if tag.key == "mlflow.data.context"), "")
        try:
            source = json.loads(entry.dataset.source)
        except ValueError:
            continue
        if not context.startswith("train") or not isinstance(source, dict):
            continue
        path = str(source.get("uri") or source.get("path") or "")
        if path.startswith("file:"):  # where a space is %20
            path = url2pathname(urlsplit(path).path)
        if path and "://" not in path and Path(path).exists():
            return path
    return None
