"""The trail lives in MLflow: what is written is what is read, nothing is lost, and nothing odd is believed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abtest.errors import BackendError
from abtest.trail import Outcome, Process, Trail
from abtest.trail.movement import LEASE
from abtest.transitions import Standing, into_production
from tests.test_transitions import version

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

VERSIONS = [version(1, "Production", "champion"), version(2, "Staging", "challenger")]
PLAN = into_production(2, VERSIONS)


def test_what_is_written_is_what_is_read(registry: RegistryClient) -> None:
    """An intent, and then its outcome, come back as they went in."""
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="'why' – ü", evidence={"abtest.verdict": "X"})
    (found,) = trail.read()
    assert abs(found.began_at - intent.began_at) < timedelta(seconds=5)
    assert (found.plan, found.before, found.after) == (PLAN, intent.before, intent.after)
    assert (found.evidence, found.why, found.by, found.outcome) == (
        {"abtest.verdict": "X"}, "'why' – ü", intent.by, Outcome.PENDING,
    )  # fmt: skip
    settled = trail.settle(intent, Outcome.DONE, note="a note", sequence=1)
    (found,) = trail.read()
    assert (found.outcome, found.note, found.sequence, found.settled_at) == (
        Outcome.DONE, "a note", 1, settled.settled_at,
    )  # fmt: skip
    run = registry.client.get_run(intent.run_id)
    assert run.info.status == "FINISHED"
    assert "version 2: stage Staging → Production" in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.DONE, "FINISHED"),
        (Outcome.STOPPED, "FAILED"),
        (Outcome.ABANDONED, "FAILED"),
        (Outcome.UNDONE, "FAILED"),
    ],
)
def test_no_run_is_left_open(registry: RegistryClient, outcome: Outcome, status: str) -> None:
    """A settled movement's run has ended; so has one that waits for a person."""
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="", evidence={})
    trail.settle(intent, outcome)
    waiting = trail.open("promotion", 2, PLAN, Standing(), why="", evidence={}, outcome=Outcome.AWAITING)
    assert registry.client.get_run(intent.run_id).info.status == status
    assert registry.client.get_run(waiting.run_id).info.status == "FINISHED"


def test_deleting_a_run_in_the_ui_hides_nothing(registry: RegistryClient) -> None:
    """A record whose run was put into MLflow's bin is read all the same."""
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="", evidence={})
    registry.client.delete_run(intent.run_id)
    assert [movement.run_id for movement in trail.read()] == [intent.run_id]


def test_no_trail_is_an_empty_one(registry: RegistryClient) -> None:
    """A model that was never moved has no experiment, and asking makes none."""
    assert Trail(registry, "m").read() == ()
    assert registry.client.get_experiment_by_name("abtest/m") is None


def test_comparisons_in_the_same_experiment_are_not_on_the_trail(registry: RegistryClient) -> None:
    """Other runs of the experiment are left alone."""
    trail = Trail(registry, "m")
    trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="", evidence={})
    experiment = registry.client.get_experiment_by_name("abtest/m")
    assert experiment is not None
    registry.client.create_run(experiment.experiment_id, tags={"abtest.kind": "comparison"})
    assert len(trail.read()) == 1


@pytest.mark.parametrize("tag", ["abtest.movement", "abtest.outcome"])
def test_a_record_that_was_tampered_with_is_an_error(registry: RegistryClient, tag: str) -> None:
    """A trail that cannot be read stops whoever relies on it: nothing moves on a guess."""
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="", evidence={})
    registry.client.set_tag(intent.run_id, tag, "nonsense")
    with pytest.raises(BackendError, match=f"record in run {intent.run_id} cannot be read"):
        trail.read()


def test_more_records_than_a_page(registry: RegistryClient) -> None:
    """The trail is read to its end: MLflow gives a thousand runs a page."""
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="", evidence={})
    experiment = registry.client.get_experiment_by_name("abtest/m")
    assert experiment is not None
    for _ in range(1000):
        registry.client.create_run(experiment.experiment_id, tags=intent.tags)
    assert len(trail.read()) == 1001


def test_a_record_of_very_many_moves_can_be_settled(registry: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written for people is cut, so that MLflow takes the outcome however long the plan was."""
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    many = [version(number, "Production") for number in range(1, 400)]
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 1, into_production(1, many), Standing.of(many), why="", evidence={})
    trail.settle(intent, Outcome.DONE, sequence=1)
    assert [movement.outcome for movement in trail.read()] == [Outcome.DONE]


def test_a_process_that_ended_is_known_to_have() -> None:
    """This process runs; one that ended does not; one elsewhere cannot be seen; a number given out again is another."""
    here = Process.here()
    assert here.is_alive() is True
    script = "from abtest.trail import Process; print(Process.here())"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
    ended = Process.read(told.stdout.strip())
    assert ended.pid != os.getpid()
    assert ended.is_alive() is False
    assert Process(host=here.host, pid=here.pid, started="1", space=here.space).is_alive() is False
    assert Process(host="elsewhere", pid=1, started="1", space="another").is_alive() is None
    assert Process.read("nonsense").is_alive() is None


def test_a_lease_ends(registry: RegistryClient) -> None:
    """A move of a process that cannot be seen is taken to have ended after the lease, and not before."""
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 2, PLAN, Standing.of(VERSIONS), why="", evidence={})
    registry.client.set_tag(intent.run_id, "abtest.process", "elsewhere|1|1|another")
    (found,) = trail.read()
    assert not found.is_cut_off(found.began_at + LEASE)
    assert found.is_cut_off(found.began_at + LEASE + timedelta(seconds=1))
    assert not found.is_cut_off(datetime.now(UTC))


def test_a_plan_longer_than_a_tag(registry: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many moves a plan has, it is kept whole, in tags that no MLflow cuts off."""
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    crowd = [version(number, "Production") for number in range(1, 400)]
    plan = into_production(1, crowd)
    trail = Trail(registry, "m")
    intent = trail.open("promotion", 1, plan, Standing.of(crowd), why="w" * 9000, evidence={})
    trail.settle(intent, Outcome.DONE, note="n" * 9000, sequence=1)
    (found,) = trail.read()
    assert (found.plan, found.before) == (plan, Standing.of(crowd))
    assert max(len(tag) for tag in registry.client.get_run(intent.run_id).data.tags.values()) <= 5000
