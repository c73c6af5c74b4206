"""A run is left FINISHED, FAILED or KILLED, never open by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest import tracking
from abtest.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.registry import RegistryClient


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_leaves_no_run_open(registry: RegistryClient, error: type[BaseException] | None, status: str) -> None:
    """However the work ends, the run's status says how."""
    run_id = ""
    try:
        with tracking.open_run(registry.client, "abtest/x", "a run", {"abtest.kind": "comparison"}) as run:
            run_id = run.run_id
            run.metrics({"effect.accuracy": 0.5})
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    found = registry.client.get_run(run_id)
    assert found.info.status == status
    assert found.data.tags["abtest.kind"] == "comparison"
    assert found.data.metrics == {"effect.accuracy": 0.5}


def test_finds_runs_by_their_tags(registry: RegistryClient) -> None:
    """Runs are found by MLflow's filter, deleted ones too, and none where there is no experiment."""
    for kind in ("promotion", "comparison"):
        with tracking.open_run(registry.client, "abtest/m", kind, {"abtest.kind": kind}) as run:
            run.metrics({"effect.accuracy": 0.5})
    wanted = "tags.`abtest.kind` = 'comparison'"
    (found,) = tracking.find_runs(registry.client, "abtest/m", wanted)
    assert (found.run_id, found.metrics) == (run.run_id, {"effect.accuracy": 0.5})
    registry.client.delete_run(run.run_id)
    assert [it.run_id for it in tracking.find_runs(registry.client, "abtest/m", wanted)] == [run.run_id]
    assert tracking.find_runs(registry.client, "abtest/none", wanted) == ()


def test_a_deleted_experiment_is_named(registry: RegistryClient) -> None:
    """An experiment in MLflow's bin takes no run: the error says how to have it back."""
    registry.client.delete_experiment(registry.client.create_experiment("abtest/m"))
    with pytest.raises(NotFoundError, match=r"'abtest/m' was deleted.*mlflow experiments restore -x 1"):
        tracking.begin_run(registry.client, "abtest/m", "a run", {})


def test_artifacts_lie_beside_the_database(registry: RegistryClient, tmp_path: Path) -> None:
    """With SQLite, artifacts go beside the database, whatever folder the command is run in."""
    report = tmp_path / "report"
    report.mkdir()
    (report / "hello.txt").write_text("hello", encoding="utf-8")
    with tracking.open_run(registry.client, "abtest/x", "a run", {}) as run:
        run.artifacts(report)
    database = registry.tracking_uri.removeprefix("sqlite:///")
    artifacts = registry.client.get_run(run.run_id).info.artifact_uri
    assert artifacts is not None
    assert artifacts.removeprefix("file://").startswith(database.rsplit("/", 1)[0] + "/mlruns/")
