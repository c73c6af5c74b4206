"""Runs that are logged.

A run is created when there is something to log, and is left FINISHED, FAILED or KILLED, never open by mistake.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.errors import NotFoundError
from abtest.talking import told_as_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
_SUPPRESS = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDataset:
    """The rows a run read, as MLflow lists them under its inputs."""

    name: str
    digest: str
    source: str


class OpenRun:
    """A run under way."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics."""
        from mlflow.entities import Metric  # noqa: PLC0415 - only who logs pays for MLflow

        now = int(time.time() * 1000)
        entries = [Metric(name, value, now, 0) for name, value in values.items()]
        for start in range(0, len(entries), 1000):  # what one batch may hold
            self._client.log_batch(self.run_id, metrics=entries[start : start + 1000])

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters."""
        from mlflow.entities import Param  # noqa: PLC0415 - only who logs pays for MLflow

        self._client.log_batch(self.run_id, params=[Param(name, str(value)) for name, value in values.items()])

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        for name, value in values.items():
            self._client.set_tag(self.run_id, name, value)

    def dataset(self, data: LoggedDataset, *, context: str = "testing") -> None:
        """Log the rows that were read as the run's input, and what for."""
        from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - only who logs pays for MLflow

        entity = Dataset(
            name=data.name, digest=data.digest, source_type="local", source=json.dumps({"uri": data.source})
        )
        tag = InputTag(key="mlflow.data.context", value=context)
        self._client.log_inputs(self.run_id, datasets=[DatasetInput(dataset=entity, tags=[tag])])

    def artifacts(self, folder: Path) -> None:
        """Log a folder's files as artifacts."""
        self._client.log_artifacts(self.run_id, str(folder))

    def artifact(self, path: Path) -> None:
        """Log a file, or a folder as one, as an artifact."""
        if path.is_dir():
            self._client.log_artifacts(self.run_id, str(path), artifact_path=path.name)
        else:
            self._client.log_artifact(self.run_id, str(path))


@contextlib.contextmanager
def open_run(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[OpenRun]:
    """Create a run and leave it FINISHED; FAILED after an error, KILLED after an interruption.

    Raises:
        BackendError: MLflow does not take it.
    """
    run_id = begin_run(client, experiment, name, tags)
    with _logging(f"The run '{name}'"):
        try:
            yield OpenRun(client, run_id)
        except BaseException as error:
            status = "FAILED" if isinstance(error, Exception) else "KILLED"  # the latter is Ctrl-C
            with contextlib.suppress(Exception):  # what went wrong first is what is told
                _end(client, run_id, status)
            raise
        _end(client, run_id, "FINISHED")


def _end(client: MlflowClient, run_id: str, status: str) -> None:
    """End a run; MLflow would announce its address on stdout, credentials and all."""
    before = os.environ.get(_SUPPRESS)
    os.environ[_SUPPRESS] = "true"
    try:
        client.set_terminated(run_id, status=status)
    finally:
        if before is None:
            del os.environ[_SUPPRESS]
        else:
            os.environ[_SUPPRESS] = before


def begin_run(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> str:
    """Create a run with its tags, all at once, and give its id.

    Raises:
        NotFoundError: The experiment was deleted.
        BackendError: MLflow does not take it.
    """
    with _logging(f"The run '{name}'"):
        run = client.create_run(_experiment_id(client, experiment), run_name=name, tags={**_caller(), **tags})
    return str(run.info.run_id)


def tag_run(client: MlflowClient, run_id: str, tags: Mapping[str, str]) -> None:
    """Tag a run, all tags at once.

    Raises:
        BackendError: MLflow does not take it.
    """
    from mlflow.entities import RunTag  # noqa: PLC0415 - only who logs pays for MLflow

    with _logging(f"Tags of run {run_id}"):
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def settle_run(client: MlflowClient, run_id: str, tags: Mapping[str, str], status: str) -> None:
    """Tag a run, all tags at once, and end it.

    Raises:
        BackendError: MLflow does not take it.
    """
    from mlflow.entities import RunTag  # noqa: PLC0415 - only who logs pays for MLflow

    with _logging(f"The outcome of run {run_id}"):
        if client.get_run(run_id).info.lifecycle_stage == "deleted":  # in MLflow's UI; what is there can be settled
            client.restore_run(run_id)
        if tags:
            client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        _end(client, run_id, status)


def _logging(what: str) -> contextlib.AbstractContextManager[None]:
    return told_as_ours(f"{what} could not be logged")


def user() -> str:
    """Who runs this: as the tracking server knows them, else as the operating system does."""
    known = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if known:
        return known
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _caller() -> dict[str, str]:
    return {"mlflow.user": user(), "mlflow.source.name": "abtest", "mlflow.source.type": "LOCAL"}


def _experiment_id(client: MlflowClient, name: str) -> str:
    """Find the experiment or create it; of two who create it at once, one finds the other's."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - only who logs pays for MLflow

    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise NotFoundError(
                f"The experiment '{name}' was deleted, so nothing can be logged there.",
                hint=f"restore it: mlflow experiments restore -x {found.experiment_id}",
            )
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=_beside_database(client.tracking_uri)))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        found = client.get_experiment_by_name(name)
        if found is None:  # it exists and is deleted
            raise
        return str(found.experiment_id)


def _beside_database(tracking_uri: str) -> str | None:
    """Put artifacts beside an SQLite file, not into whatever folder the command is run in."""
    if not tracking_uri.startswith(_SQLITE):
        return None
    return (Path(tracking_uri.removeprefix(_SQLITE)).resolve().parent / "mlruns").as_uri()
