"""A plan is carried out once, alone, and on record; whatever fails, nothing is done in silence."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from abtest import mover
from abtest.errors import BackendError, InvalidInputError, RefusedError, StaleChampionError, UnfinishedError
from abtest.trail import Outcome, Process, Trail, history_of
from abtest.transitions import Standing, into_production
from tests import trails
from tests.mover.crashing import promotion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.registry import ModelVersion, RegistryClient
    from abtest.transitions import Plan

BEFORE = Standing(production=(1,), staging=(2,), champion=1, challenger=2)
AFTER = Standing(production=(2,), champion=2)


def standing(registry: RegistryClient) -> Standing:
    """How the model stands."""
    return Standing.of(registry.versions("m"))


def outcomes(registry: RegistryClient) -> list[str]:
    """How each movement on the trail ended, the oldest first."""
    return [str(movement.outcome) for movement in Trail(registry, "m").read()]


def test_carries_out_once(staged: RegistryClient) -> None:
    """The model stands as planned, the record says so, and asking again does and records nothing."""
    done = mover.carry_out(staged, promotion())
    assert done is not None
    assert (done.outcome, done.sequence, done.after) == (Outcome.DONE, 1, AFTER)
    assert standing(staged) == AFTER
    assert mover.carry_out(staged, promotion()) is None
    assert outcomes(staged) == ["done"]


def test_the_intent_is_on_record_before_anything_moves(staged: RegistryClient) -> None:
    """Where MLflow takes no record, nothing moves."""
    staged.client.delete_experiment(staged.client.create_experiment("abtest/m"))
    with pytest.raises(LookupError, match="was deleted"):
        mover.carry_out(staged, promotion())
    assert standing(staged) == BEFORE


def test_a_move_in_between_is_noticed_before_anything_moves(staged: RegistryClient) -> None:
    """Moved between the plan and the lock: refused, on record as abandoned, nothing moved by us."""
    asked = 0

    def planner(versions: Sequence[ModelVersion]) -> Plan:
        nonlocal asked
        asked += 1
        if asked == 1:
            steps = into_production(2, versions)
            staged.set_stage("m", 3, "Staging")  # somebody, in MLflow's UI
            return steps
        return into_production(2, versions)

    request = mover.Request(kind="promotion", model="m", version=2, planner=planner, why="a test")
    with pytest.raises(StaleChampionError, match=r"moved while the promotion was prepared.*version 3 in Staging"):
        mover.carry_out(staged, request)
    assert standing(staged).production == (1,)
    assert outcomes(staged) == ["abandoned"]


def test_a_move_in_the_middle_stops_it(staged: RegistryClient) -> None:
    """Moved by somebody between two of our moves: it stops, says so, and the next command is told what is missing."""
    with sqlite3.connect(staged.tracking_uri.removeprefix("sqlite:///")) as database:
        database.execute(  # somebody who moves the alias as soon as version 2 is in Production
            "CREATE TRIGGER meddler AFTER UPDATE ON model_versions WHEN NEW.current_stage = 'Production' AND "
            "NEW.version = 2 BEGIN UPDATE registered_model_aliases SET version = 3 WHERE alias = 'champion'; END"
        )
    with pytest.raises(StaleChampionError, match=r"moved by something else in the middle.*alias champion: version 1"):
        mover.carry_out(staged, promotion())
    assert outcomes(staged) == ["stopped"]
    with pytest.raises(UnfinishedError, match=r"was cut off. Done: version 2: stage Staging → Production. Missing: "):
        mover.carry_out(staged, promotion(3))


def test_a_failure_before_the_first_move_leaves_nothing_open(staged: RegistryClient) -> None:
    """Where the first move fails for good, the record says abandoned, and the next one goes through."""
    with sqlite3.connect(staged.tracking_uri.removeprefix("sqlite:///")) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    with pytest.raises(BackendError, match=r"Nothing was moved.*the disk is full"):
        mover.carry_out(staged, promotion())
    assert (standing(staged), outcomes(staged)) == (BEFORE, ["abandoned"])
    with sqlite3.connect(staged.tracking_uri.removeprefix("sqlite:///")) as database:
        database.execute("DROP TRIGGER broken")
    assert mover.carry_out(staged, promotion()) is not None
    assert standing(staged) == AFTER


def test_another_under_way_is_in_the_way(staged: RegistryClient) -> None:
    """While a process that runs has an open move, nobody else moves, and the first is told about."""
    Trail(staged, "m").open("promotion", 3, into_production(3, staged.versions("m")), BEFORE, why="", evidence={})
    with pytest.raises(UnfinishedError, match=r"A promotion of version 3 of 'm' is under way since .* on .*try again"):
        mover.carry_out(staged, promotion())
    with pytest.raises(UnfinishedError, match="is under way"):
        mover.recover(staged, "m", "finish")
    assert standing(staged) == BEFORE


def test_one_intent_sent_twice_is_one(staged: RegistryClient) -> None:
    """MLflow sends a request again whose answer was lost: the second run of one intent is closed, not waited for."""
    trail, versions = Trail(staged, "m"), staged.versions("m")
    steps = into_production(2, versions)
    twin = trail.open("promotion", 2, steps, BEFORE, why="", evidence={})
    with sqlite3.connect(staged.tracking_uri.removeprefix("sqlite:///")) as database:
        # As soon as our own intent is written, the other one turns out to be the same attempt.
        database.execute(
            "CREATE TRIGGER twin AFTER INSERT ON tags WHEN NEW.key = 'abtest.attempt' BEGIN UPDATE tags SET value ="
            " NEW.value WHERE key = 'abtest.attempt'; END"
        )
    done = mover.move(staged, promotion(), steps, BEFORE)
    assert standing(staged) == AFTER
    found = {movement.run_id: movement for movement in trail.read()}
    assert (found[twin.run_id].outcome, found[done.run_id].outcome) == (Outcome.ABANDONED, Outcome.DONE)
    assert "sent twice" in (found[twin.run_id].note or "")


def test_somebody_who_settles_it_stops_it(staged: RegistryClient) -> None:
    """A slow process whose move was recovered by another makes no further move, and leaves the other's word."""
    with sqlite3.connect(staged.tracking_uri.removeprefix("sqlite:///")) as database:
        database.execute(
            "CREATE TRIGGER recovered AFTER UPDATE ON model_versions WHEN NEW.current_stage = 'Production' BEGIN UPDATE"
            " tags SET value = 'left' WHERE key = 'abtest.outcome'; END"
        )
    with pytest.raises(UnfinishedError, match="was settled by somebody else"):
        mover.carry_out(staged, promotion())
    assert outcomes(staged) == ["left"]
    assert standing(staged) == Standing(production=(1, 2), champion=1, challenger=2)


@pytest.mark.parametrize("made", [1, 2, 3])
@pytest.mark.parametrize("how", ["finish", "undo", "leave"])
def test_what_was_cut_off_is_recovered(staged: RegistryClient, made: int, how: mover.Recovery) -> None:
    """From wherever it was cut off, it is finished, taken back or left, and history stays whole."""
    versions = staged.versions("m")
    steps = into_production(2, versions)
    trails.cut_off(staged, "m", 2, steps, versions, made=made)
    half = standing(staged)
    (found,) = mover.unfinished(Trail(staged, "m").read(), staged.versions("m"))
    assert (found.made, found.missing) == (steps[:made], steps[made:])
    mover.recover(staged, "m", how)
    assert standing(staged) == {"finish": AFTER, "undo": BEFORE, "leave": half}[how]
    movements = Trail(staged, "m").read()
    assert not [movement for movement in movements if movement.is_open]
    past = history_of("m", movements, standing(staged))
    assert (past.unrecorded, past.missing) == ((), ())
    assert [entry.kind for entry in past.entries] == (["found", "moved"] if how == "finish" else ["found"])
    assert mover.recover(staged, "m", how) == ()


def test_the_same_request_finishes_what_was_cut_off(staged: RegistryClient) -> None:
    """Whoever asks again for what was cut off gets it finished, as one entry of the history."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=2)
    assert mover.carry_out(staged, promotion()) is not None
    assert standing(staged) == AFTER
    past = history_of("m", Trail(staged, "m").read(), AFTER)
    assert [entry.kind for entry in past.entries] == ["found", "moved"]


def test_a_recovery_that_is_cut_off_is_recovered(staged: RegistryClient) -> None:
    """Finishing can be cut off in its turn, and then be taken back."""
    versions = staged.versions("m")
    steps = into_production(2, versions)
    trails.cut_off(staged, "m", 2, steps, versions, made=1)
    again = staged.versions("m")
    second = Trail(staged, "m").open("recovery", 2, steps[1:], Standing.of(again), why="", evidence={})
    here = Process.here()
    staged.client.set_tag(second.run_id, "abtest.process", f"{here.host}|{here.pid}|long ago|{here.space}")
    steps[1].apply(staged, "m")
    with pytest.raises(UnfinishedError, match="was cut off"):
        mover.carry_out(staged, promotion(3))
    mover.recover(staged, "m", "undo")
    assert standing(staged) == BEFORE
    assert sorted(outcomes(staged)) == ["abandoned", "done", "undone"]
    assert history_of("m", Trail(staged, "m").read(), BEFORE).unrecorded == ()


def test_what_no_longer_fits_is_not_finished(staged: RegistryClient) -> None:
    """Where the registry was moved after the cut, finishing is refused; leaving it as it stands is possible."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=1)
    staged.set_alias("m", "champion", 3)
    with pytest.raises(StaleChampionError, match="no longer fits: alias champion"):
        mover.recover(staged, "m", "finish")
    assert standing(staged).champion == 3
    mover.recover(staged, "m", "leave")
    assert mover.carry_out(staged, promotion(3)) is not None
    assert standing(staged).serving == (3,)


def test_approval_carries_out_what_was_asked_for(staged: RegistryClient) -> None:
    """Asking moves nothing; approving moves, with both names on record; it waits no more."""
    asked = mover.ask(staged, promotion())
    assert asked is not None
    assert standing(staged) == BEFORE
    with pytest.raises(UnfinishedError, match=r"waits for approval since .*abtest models approve"):
        mover.ask(staged, promotion(3))
    done = mover.approve(staged, "m", why="seen it")
    assert standing(staged) == AFTER
    assert (done.evidence["abtest.approval"], done.evidence["abtest.request_run_id"]) == ("seen it", asked.run_id)
    assert outcomes(staged) == ["approved", "done"]
    with pytest.raises(LookupError, match="Nothing of 'm' waits"):
        mover.approve(staged, "m", why="again")


def test_rejection_moves_nothing(staged: RegistryClient) -> None:
    """A rejected request is settled with its reason, and another may be asked for."""
    mover.ask(staged, promotion())
    settled = mover.reject(staged, "m", why="not on a Friday")
    assert (settled.outcome, settled.note) == (Outcome.REJECTED, "not on a Friday")
    assert standing(staged) == BEFORE
    assert mover.ask(staged, promotion(3)) is not None
    with pytest.raises(LookupError, match="Nothing of version 2 of 'm' waits"):
        mover.approve(staged, "m", why="seen", version=2)


def test_approval_of_what_no_longer_fits_is_refused(staged: RegistryClient) -> None:
    """What was asked for in another situation is not carried out in this one."""
    mover.ask(staged, promotion())
    mover.carry_out(staged, promotion(3))
    with pytest.raises(StaleChampionError, match=r"moved since the promotion of version 2 was asked for.*reject it"):
        mover.approve(staged, "m", why="seen")
    assert standing(staged).serving == (3,)


def test_approval_cut_off_after_the_moves_waits_no_more(staged: RegistryClient) -> None:
    """An approver killed after the moves and before the last record: the request is known to be carried out."""
    asked = mover.ask(staged, promotion())
    assert asked is not None
    mover.approve(staged, "m", why="seen")
    staged.client.set_tag(asked.run_id, "abtest.outcome", "awaiting approval")
    assert mover.awaiting(Trail(staged, "m").read()) == ()


def test_nothing_to_ask_for(staged: RegistryClient) -> None:
    """What already stands is neither asked for nor recorded."""
    assert mover.ask(staged, promotion(1)) is None
    assert outcomes(staged) == []


def test_a_refusal_of_the_planner_is_not_recorded(staged: RegistryClient) -> None:
    """What is refused at once leaves no record."""

    def refuse(_: Sequence[ModelVersion]) -> Plan:
        raise RefusedError("no")

    request = mover.Request(kind="promotion", model="m", version=2, planner=refuse, why="")
    with pytest.raises(RefusedError):
        mover.carry_out(staged, request)
    assert outcomes(staged) == []


@pytest.mark.parametrize("settle", [mover.approve, mover.reject])
def test_a_reason_says_something(staged: RegistryClient, settle: Callable[..., object]) -> None:
    """Settled without a word is not settled."""
    mover.ask(staged, promotion())
    with pytest.raises(InvalidInputError, match="reason must say why"):
        settle(staged, "m", why=" ")
    assert len(mover.awaiting(Trail(staged, "m").read())) == 1
