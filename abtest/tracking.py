"""MLflow runs: where reports, metrics and audit records are logged.

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
from urllib.parse import urlsplit
from urllib.request import url2pathname

from abtest import wording
from abtest.errors import AbtestError, BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

_SQLITE = "sqlite:///"
PENDING = "pending"
OUTCOME = "abtest.outcome"
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

    def dataset(self, data: LoggedDataset) -> None:
        """Log the rows that were read as the run's input."""
        from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - only who logs pays for MLflow

        entity = Dataset(
            name=data.name, digest=data.digest, source_type="local", source=json.dumps({"uri": data.source})
        )
        context = InputTag(key="mlflow.data.context", value="testing")
        self._client.log_inputs(self.run_id, datasets=[DatasetInput(dataset=entity, tags=[context])])

    def text(self, text: str, name: str) -> None:
        """Log a text as an artifact."""
        self._client.log_text(self.run_id, text, name)

    def artifacts(self, folder: Path) -> None:
        """Log a folder's files as artifacts."""
        self._client.log_artifacts(self.run_id, str(folder))


@contextlib.contextmanager
def open_run(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[OpenRun]:
    """Create a run and leave it FINISHED; FAILED after an error, KILLED after an interruption.

    Raises:
        BackendError: MLflow does not take it.
    """
    with _told_as_ours(f"The run '{name}'"):
        run = client.create_run(_experiment_id(client, experiment), run_name=name, tags={**_caller(), **tags})
        run_id = run.info.run_id
        try:
            yield OpenRun(client, run_id)
        except BaseException as error:
            status = "FAILED" if isinstance(error, Exception) else "KILLED"  # the latter is Ctrl-C
            with contextlib.suppress(Exception):  # what went wrong first is what is told
                _end(client, run_id, status)
            raise
        _end(client, run_id, "FINISHED")


@contextlib.contextmanager
def _told_as_ours(what: str) -> Iterator[None]:
    """Turn the failures of MLflow, and of the stores behind it, into ours, from their cause."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - only who logs pays for MLflow

    try:
        yield
    except AbtestError:
        raise
    except Exception as error:
        # Object stores raise what they like; botocore's errors share no base with anybody's.
        if isinstance(error, MlflowException | OSError) or type(error).__module__.startswith(
            ("boto", "google", "azure")
        ):
            raise BackendError(f"{what} could not be logged: {wording.redacted(wording.first_line(error))}.") from error
        raise


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


def pending_promotions(client: MlflowClient, experiment: str) -> tuple[Run, ...]:
    """Find promotions whose intent was written and whose outcome was not."""
    wanted = f"tags.`abtest.kind` = 'promotion' and tags.`{OUTCOME}` = '{PENDING}'"
    with _told_as_ours("Earlier promotions"):
        found = client.get_experiment_by_name(experiment)
        return tuple(client.search_runs([found.experiment_id], filter_string=wanted)) if found else ()


def training_source(client: MlflowClient, run_id: str) -> str | None:
    """Find where the training data that a run logged lie, if that can be read as a file."""
    with _told_as_ours(f"The data of run {run_id}"):
        inputs = client.get_run(run_id).inputs
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


def user() -> str:
    """Who runs this, as the operating system knows them."""
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
