"""Whatever was cut off, and whoever else looks at it: recovered to one of its two ends, once, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest import mover
from abtest.errors import BackendError, StaleChampionError, UnfinishedError
from abtest.mover.settling import settle_done
from abtest.registry import RegistryClient
from abtest.trail import Outcome, Trail, history_of
from abtest.transitions import Standing, deletion, into_production
from tests import trails, zoo
from tests.mover.crashing import promotion

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = Standing(production=(1,), staging=(2,), champion=1, challenger=2)
AFTER = Standing(production=(2,), champion=2)


def standing(registry: RegistryClient) -> Standing:
    """How the model stands."""
    return Standing.of(registry.versions("m"))


@pytest.mark.parametrize(("how", "after"), [("finish", AFTER), ("undo", BEFORE)])
def test_one_that_was_never_begun_hides_no_other(staged: RegistryClient, how: mover.Recovery, after: Standing) -> None:
    """Of two that were cut off, one before its first move, the other is what is finished or taken back."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 3, into_production(3, versions), versions, made=0)
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=2)
    mover.recover(staged, "m", how)
    assert standing(staged) == after
    assert not [movement for movement in Trail(staged, "m").read() if movement.is_open]


@pytest.mark.parametrize("how", ["finish", "undo", "the same request"])
def test_a_slow_process_is_told_before_anything_moves(staged: RegistryClient, how: str) -> None:
    """A process past its lease may only be slow: its record is no longer its own when another moves for it."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=2)
    trails.meddle(
        staged,
        "CREATE TABLE seen (outcome TEXT)",
        "CREATE TRIGGER looks AFTER UPDATE ON model_versions BEGIN INSERT INTO seen SELECT value FROM tags JOIN runs "
        "USING (run_uuid) WHERE key = 'abtest.outcome' AND runs.name LIKE 'promotion%'; END",
    )
    if how == "the same request":
        mover.carry_out(staged, promotion(2))
    else:
        mover.recover(staged, "m", "undo" if how == "undo" else "finish")
    assert set(trails.meddle(staged, "SELECT outcome FROM seen")) == {("stopped",)}


def test_a_deletion_that_was_cut_off_spares_what_got_an_alias(staged: RegistryClient) -> None:
    """What became the champion after the cut is not deleted by recovering."""
    versions = staged.versions("m")
    plan = deletion(3, versions)
    record = Trail(staged, "m").open("deletion", 3, plan, Standing.of(versions), why="a test", evidence={})
    trails.forsake(staged, record.run_id)
    staged.set_alias("m", "champion", 3)
    mover.recover(staged, "m", "finish")
    assert standing(staged).champion == 3
    assert not plan[0].applies_in(staged.versions("m"))


def test_settled_by_two_it_keeps_its_number(staged: RegistryClient) -> None:
    """Two who both find a move that was cut off after its end give it one number, and no record seems missing."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=4)
    trail = Trail(staged, "m")
    (seen,) = trail.read()
    assert [settle_done(trail, seen).sequence for _ in range(2)] == [1, 1]
    assert history_of("m", trail.read(), standing(staged)).missing == ()


@pytest.mark.parametrize("how", ["finish", "undo", "leave"])
def test_a_record_whose_run_was_deleted_is_recovered(staged: RegistryClient, how: mover.Recovery) -> None:
    """A run that was put into MLflow's bin holds nobody back for good."""
    versions = staged.versions("m")
    record = trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=2)
    staged.client.delete_run(record.run_id)
    mover.recover(staged, "m", how)
    assert not [movement for movement in Trail(staged, "m").read() if movement.is_open]


def test_an_intent_that_arrives_late_is_no_second_move(staged: RegistryClient) -> None:
    """A request that was sent twice may arrive the second time when all is done: it is the same one."""
    done = mover.carry_out(staged, promotion(2))
    assert done is not None
    run = staged.client.get_run(done.run_id)
    settled = ("abtest.settled_at", "abtest.settled_by", "abtest.sequence")
    tags = {key: value for key, value in run.data.tags.items() if key not in settled}
    late = staged.client.create_run(run.info.experiment_id, tags={**tags, "abtest.outcome": "pending"})
    trails.forsake(staged, late.info.run_id)
    mover.carry_out(staged, promotion(3))
    past = history_of("m", Trail(staged, "m").read(), standing(staged))
    assert [entry.standing.serving for entry in past.entries] == [(1,), (2,), (3,)]


def test_the_same_again_settles_what_was_cut_off_after_its_end(staged: RegistryClient) -> None:
    """The next command puts it on record, even where nothing is left to do."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=4)
    assert mover.carry_out(staged, promotion(2)) is None
    assert [str(movement.outcome) for movement in Trail(staged, "m").read()] == ["done"]


def test_a_process_that_lives_on_is_told_what_it_left(staged: RegistryClient) -> None:
    """Where nothing answered any more, not even for the record, a notebook that tries again is told what is missing."""
    trails.meddle(
        staged,
        "CREATE TRIGGER one BEFORE UPDATE ON registered_model_aliases BEGIN SELECT RAISE(ABORT, 'down'); END",
        "CREATE TRIGGER two BEFORE UPDATE ON tags BEGIN SELECT RAISE(ABORT, 'down'); END",
    )
    with pytest.raises(BackendError):
        mover.carry_out(staged, promotion(2))
    trails.meddle(staged, "DROP TRIGGER one", "DROP TRIGGER two")
    with pytest.raises(UnfinishedError, match=r"was cut off. Done: version 2: .* Missing: alias champion"):
        mover.carry_out(staged, promotion(3))


def test_a_move_that_failed_is_not_forced_on_somebody_elses(
    staged: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move is tried again only where the registry still stands as before it."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    real, asked = MlflowClient.transition_model_version_stage, []

    def breaks(self: MlflowClient, name: str, version: str, stage: str, *, archive_existing_versions: bool) -> object:
        assert not archive_existing_versions
        asked.append(stage)
        if len(asked) > 1:
            return real(self, name, version, stage)
        real(self, name, version, "Archived")  # somebody else, in the moment in which the server breaks
        raise MlflowException("down")

    monkeypatch.setattr(MlflowClient, "transition_model_version_stage", breaks)
    with pytest.raises(BackendError, match=r"Nothing was moved\."):
        mover.carry_out(staged, promotion(2))
    assert asked == ["Production"]
    assert standing(staged).production == (1,)


def test_moved_in_the_middle_it_says_how_far_it_came(staged: RegistryClient) -> None:
    """Whatever stops it in the middle, the message says how many moves were made and how to go on."""
    trails.meddle(
        staged,
        "CREATE TRIGGER meddler AFTER UPDATE ON model_versions WHEN NEW.current_stage = 'Production' AND "
        "NEW.version = 2 BEGIN UPDATE registered_model_aliases SET version = 3 WHERE alias = 'champion'; END",
    )
    with pytest.raises(StaleChampionError, match=r"It stopped after 1 of 4 moves\..*abtest models recover"):
        mover.carry_out(staged, promotion(2))
    (record,) = Trail(staged, "m").read()
    assert record.outcome is Outcome.STOPPED


def test_two_registries_beside_one_tracking_server_are_two(
    staged: RegistryClient, templates: Path, tmp_path: Path
) -> None:
    """What was cut off in one registry is not finished in another, in which a model has the same name."""
    (tmp_path / "other").mkdir()
    other = RegistryClient(staged.tracking_uri, zoo.copy(templates / "empty.db", tmp_path / "other"))
    zoo.register(other.client, "m", "/nowhere/1", "/nowhere/2", stages={1: "Production", 2: "Staging"})
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=1)
    assert mover.recover(other, "m", "finish") == ()
    assert standing(other) == Standing(production=(1,), staging=(2,))


def test_what_was_shown_is_what_is_recovered(staged: RegistryClient) -> None:
    """Whoever agreed to finish one thing does not finish another."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=1)
    shown = mover.unfinished(Trail(staged, "m").read(), staged.versions("m"))
    staged.set_alias("m", "champion", 2)
    with pytest.raises(StaleChampionError, match="moved since this was shown"):
        mover.recover(staged, "m", "finish", shown=shown)
    assert standing(staged).production == (1, 2)
