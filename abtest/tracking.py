"""MLflow runs: where reports, metrics and audit records are logged.

A run is created when there is something to log, and is left FINISHED, FAILED or KILLED, never open by mistake.
"""

from __future__ import annotations

import contextlib
import getpass
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

_SQLITE = "sqlite:///"
PENDING = "pending"
OUTCOME = "abtest.outcome"


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

        entity = Dataset(name=data.name, digest=data.digest, source_type="local", source=data.source)
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
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - only who logs pays for MLflow

    try:
        run = client.create_run(_experiment_id(client, experiment), run_name=name, tags={**_caller(), **tags})
        run_id = run.info.run_id
        try:
            yield OpenRun(client, run_id)
        except Exception:
            client.set_terminated(run_id, status="FAILED")
            raise
        except BaseException:  # Ctrl-C
            client.set_terminated(run_id, status="KILLED")
            raise
        client.set_terminated(run_id, status="FINISHED")
    except MlflowException as error:
        told = wording.redacted((str(error).strip() or type(error).__name__).splitlines()[0])
        raise BackendError(f"The run '{name}' could not be logged: {told}") from error


def pending_promotions(client: MlflowClient, experiment: str) -> tuple[Run, ...]:
    """Find promotions whose intent was written and whose outcome was not."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return ()
    runs = client.search_runs(
        [found.experiment_id], filter_string=f"tags.`abtest.kind` = 'promotion' and tags.`{OUTCOME}` = '{PENDING}'"
    )
    return tuple(runs)


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
