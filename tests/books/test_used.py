"""What is in use: whatever serves, served, waits, is on record, or is referred to by any of these; and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest.books.used import in_use, used_by
from abtest.errors import BackendError
from abtest.registry import RegistryClient
from abtest.trail import Trail
from abtest.transitions import Standing

if TYPE_CHECKING:
    from abtest.lifecycle import Registry


def test_what_versions_in_use_were_made_of(iris: Registry, training: tuple[object, tuple[str, ...]]) -> None:
    """The runs of a staged version and of one with an alias are in use; that of a version of neither is free."""
    first, second, third, fourth = training[1]
    client = RegistryClient()
    found = used_by(client)
    assert found[first] == ("version 1 of 'iris', which is in Production, was made of it",)
    assert found[second] == ("version 2 of 'iris', which is in Staging, was made of it",)
    assert third not in found
    assert fourth not in found
    client.set_alias("iris", "canary", 3)
    assert used_by(client)[third] == ("version 3 of 'iris', which has the alias canary, was made of it",)
    assert str(iris) == str(client)


def test_what_served_stays_in_use(iris: Registry, training: tuple[object, tuple[str, ...]]) -> None:
    """What was in production may be rolled back to, so its run is in use though it is archived."""
    iris.promote("iris", 3)
    iris.promote("iris", 2)
    found = in_use(RegistryClient())
    assert found.versions["iris", 1] == ("was in production",)
    assert found.versions["iris", 3] == ("was in production",)
    assert set(training[1][:3]) <= set(found.runs)


def test_what_waits_for_approval_is_in_use(iris: Registry) -> None:
    """A version that somebody has yet to decide on is in use until they do."""
    iris.promote("iris", 3, require_approval=True)
    assert in_use(RegistryClient()).versions["iris", 3] == ("has a promotion that is not settled",)
    iris.reject("iris", why="no")
    assert ("iris", 3) not in in_use(RegistryClient()).versions


@pytest.mark.usefixtures("iris")
def test_records_and_what_they_rest_on(training: tuple[object, tuple[str, ...]]) -> None:
    """Records of the trail are in use, and so is what they refer to, what that is nested in, and so on."""
    client = RegistryClient()
    experiment = client.client.create_experiment("elsewhere")
    run = {name: client.client.create_run(experiment).info.run_id for name in ("parent", "comparison", "data", "free")}
    client.client.set_tag(run["comparison"], "mlflow.parentRunId", run["parent"])
    client.client.set_tag(run["parent"], "abtest.training_run_id", run["data"])
    evidence = {"abtest.comparison_run_id": run["comparison"], "abtest.verdict": "PROMOTE"}
    record = Trail(client, "iris").open(
        "promotion", 3, (), Standing.of(client.versions("iris")), why="a test", evidence=evidence
    )
    found = used_by(client)
    assert found[record.run_id] == ("it is the record of the promotion of version 3 of 'iris'",)
    assert found[run["comparison"]] == ("the record of the promotion of version 3 of 'iris' refers to it",)
    assert found[run["parent"]] == (f"run {run['comparison'][:12]}, which is in use, is nested in it",)
    assert found[run["data"]] == (f"run {run['parent'][:12]}, which is in use, refers to it",)
    assert run["free"] not in found
    assert training[1][3] not in found


def test_an_unreadable_record_frees_nothing(iris: Registry) -> None:
    """Where a record was tampered with, nobody knows what is in use: an error, never an empty answer."""
    iris.promote("iris", 3)
    client = RegistryClient()
    (record, *_) = [run for run, why in used_by(client).items() if "it is the record" in why[0]]
    client.client.delete_tag(record, "abtest.movement")
    with pytest.raises(BackendError, match="cannot be read"):
        used_by(client)


def test_an_empty_registry(registry: RegistryClient) -> None:
    """Where there are no models, nothing is in use."""
    assert used_by(registry) == {}
