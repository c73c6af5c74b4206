"""A run is left FINISHED, FAILED or KILLED, never open by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest import tracking

if TYPE_CHECKING:
    from abtest.registry import Registry


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_leaves_no_run_open(registry: Registry, error: type[BaseException] | None, status: str) -> None:
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


def test_finds_promotions_without_an_outcome(registry: Registry) -> None:
    """A promotion whose intent was written and whose outcome was not is found, and no other run is."""
    for kind, outcome in [("promotion", tracking.PENDING), ("promotion", "done"), ("comparison", tracking.PENDING)]:
        tags = {"abtest.kind": kind, tracking.OUTCOME: outcome}
        with tracking.open_run(registry.client, "abtest/m", f"{kind} {outcome}", tags):
            pass
    found = tracking.pending_promotions(registry.client, "abtest/m")
    assert [run.info.run_name for run in found] == ["promotion pending"]
    assert tracking.pending_promotions(registry.client, "abtest/none") == ()


def test_artifacts_lie_beside_the_database(registry: Registry) -> None:
    """With SQLite, artifacts go beside the database, whatever folder the command is run in."""
    with tracking.open_run(registry.client, "abtest/x", "a run", {}) as run:
        run.text("hello", "hello.txt")
    database = registry.tracking_uri.removeprefix("sqlite:///")
    artifacts = registry.client.get_run(run.run_id).info.artifact_uri
    assert artifacts is not None
    assert artifacts.removeprefix("file://").startswith(database.rsplit("/", 1)[0] + "/mlruns/")
