"""Nothing in use is ever deleted, nor half of what was asked for; what was deleted comes back as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest.books import deleting, experiments, runs
from abtest.errors import BackendError, InvalidInputError, RefusedError
from abtest.registry import RegistryClient
from tests import trails
from tests.books.ledger import log

if TYPE_CHECKING:
    from abtest.lifecycle import Registry

Training = tuple[object, tuple[str, ...]]


def _there(client: RegistryClient) -> set[str]:
    return {run.run_id for run in runs.search(client).runs}


@pytest.mark.usefixtures("iris")
def test_one_in_use_holds_all(training: Training) -> None:
    """Of several runs one of which is in use none is deleted, and the refusal says which and why."""
    client = RegistryClient()
    before = _there(client)
    wanted = runs.find(client, [training[1][3], training[1][0], training[1][1]])
    with pytest.raises(RefusedError, match="version 1 of 'iris', which is in Production, was made of it, and 1 other"):
        deleting.delete(client, wanted)
    assert _there(client) == before


@pytest.mark.usefixtures("iris")
def test_what_comes_into_use_is_kept(training: Training) -> None:
    """What was free when it was shown, and came into use since, is refused."""
    client = RegistryClient()
    wanted = runs.find(client, [training[1][2]])
    deleting.refuse_used(client, wanted)
    client.set_alias("iris", "canary", 3)
    with pytest.raises(RefusedError, match="alias canary"):
        deleting.delete(client, wanted)


def test_records_are_kept(iris: Registry) -> None:
    """The record of a promotion is never deleted, nor the experiment that holds it."""
    moved = iris.promote("iris", 3)
    assert moved.movement is not None
    client = RegistryClient()
    with pytest.raises(RefusedError, match="it is the record of the promotion of version 3 of 'iris'"):
        deleting.delete(client, runs.find(client, [moved.movement.run_id]))
    with pytest.raises(RefusedError, match=r"Experiment 'abtest/iris' cannot be deleted, since run .* is in use"):
        experiments.delete(client, experiments.planned(client, ["abtest/iris"], deleted=False))
    assert client.client.get_experiment_by_name("abtest/iris").lifecycle_stage == "active"  # type: ignore[union-attr] # it is there


def test_there_and_back(registry: RegistryClient) -> None:
    """Deleting and restoring leaves what was there before."""
    experiment = registry.client.create_experiment("some")
    made = [log(registry.client, experiment, name=f"run {number}") for number in range(3)]
    deleting.delete(registry, runs.find(registry, made[:2]))
    assert _there(registry) == {made[2]}
    gone = runs.find(registry, made[:2])
    assert all(run.deleted for run in gone)
    deleting.restore(registry, gone)
    assert _there(registry) == set(made)


def test_a_failure_in_the_middle_takes_back(registry: RegistryClient) -> None:
    """Where MLflow fails at one run, those deleted before it are there again."""
    experiment = registry.client.create_experiment("some")
    made = [log(registry.client, experiment) for _ in range(3)]
    wanted = runs.find(registry, made)
    trigger = f"""CREATE TRIGGER no BEFORE UPDATE ON runs WHEN NEW.run_uuid = '{made[2]}'
                  BEGIN SELECT RAISE(ABORT, 'disk full'); END"""
    trails.meddle(registry, trigger)
    with pytest.raises(BackendError, match="could not be deleted"):
        deleting.delete(registry, wanted)
    assert _there(registry) == set(made)


def test_experiments_there_and_back(registry: RegistryClient) -> None:
    """A deleted experiment takes its runs with it; restoring it brings all back, as MLflow does."""
    experiment = registry.client.create_experiment("some's [bold]")
    made = [log(registry.client, experiment, tags={"abtest.kind": "comparison"}) for _ in range(3)]
    deleting.delete(registry, runs.find(registry, made[:1]))
    (found,) = experiments.planned(registry, ["some's [bold]"], deleted=False)
    assert (found.runs, found.kinds) == (2, {"comparison": 2})
    assert found in experiments.listing(registry)
    experiments.delete(registry, [found])
    assert _there(registry) == set()
    assert experiments.planned(registry, [experiment], deleted=False) == ()
    with pytest.raises(InvalidInputError, match=r"its experiment .* was deleted"):
        deleting.restore(registry, runs.find(registry, made[:1]))
    (gone,) = experiments.listing(registry, deleted=True)
    assert (gone.experiment_id, gone.runs) == (experiment, 3)
    experiments.restore(registry, experiments.planned(registry, [experiment], deleted=True))
    assert _there(registry) == set(made)
