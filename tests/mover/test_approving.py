"""Nothing that waits is carried out but by an approval of just that, and what was rejected never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest import mover
from abtest.errors import StaleChampionError, UnfinishedError
from abtest.trail import Movement, Outcome, Trail
from abtest.transitions import Standing
from tests import trails, zoo
from tests.mover.crashing import promotion

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

BEFORE = Standing(production=(1,), staging=(2,), champion=1, challenger=2)


def standing(registry: RegistryClient) -> Standing:
    """How the model stands."""
    return Standing.of(registry.versions("m"))


def half_approved(registry: RegistryClient, *, made: int) -> Movement:
    """Ask for a promotion, whose approver is killed after so many moves."""
    asked = mover.ask(registry, promotion(2))
    assert asked is not None
    evidence = {**asked.evidence, "abtest.request_run_id": asked.run_id}
    record = Trail(registry, "m").open("promotion", 2, asked.plan, asked.before, why="a test", evidence=evidence)
    trails.forsake(registry, record.run_id)
    for step in asked.plan[:made]:
        step.apply(registry, "m")
    return asked


def test_what_was_rejected_is_never_recovered(staged: RegistryClient) -> None:
    """An approver killed before the first move, then a rejection: recovering finds nothing to finish."""
    half_approved(staged, made=0)
    mover.reject(staged, "m", why="not this one")
    (settled,) = mover.recover(staged, "m", "finish")
    assert settled.outcome is Outcome.ABANDONED
    assert standing(staged) == BEFORE


@pytest.mark.parametrize("act", [mover.approve, mover.reject])
def test_a_half_approved_request_says_what_is_missing(staged: RegistryClient, act: object) -> None:
    """An approver killed in the middle: the next command, of whoever it is, names the missing moves."""
    half_approved(staged, made=1)
    with pytest.raises(UnfinishedError, match=r"was cut off. Done: version 2: .* Missing: alias champion: version 1"):
        act(staged, "m", why="again")  # type: ignore[operator] # it is one of two
    mover.recover(staged, "m", "finish")
    assert mover.awaiting(Trail(staged, "m").read()) == ()


def test_a_rejection_in_the_same_moment_holds(staged: RegistryClient) -> None:
    """Rejected when the approver's intent is on record and nothing has moved: nothing moves, and it stays rejected."""
    mover.ask(staged, promotion(2))
    trails.meddle(
        staged,
        "CREATE TRIGGER rejecter AFTER INSERT ON tags WHEN NEW.key = 'abtest.approval' BEGIN UPDATE tags SET"
        " value = 'rejected' WHERE key = 'abtest.outcome' AND value = 'awaiting approval'; END",
    )
    with pytest.raises(UnfinishedError, match="settled by somebody else and waits no more"):
        mover.approve(staged, "m", why="seen it")
    assert standing(staged) == BEFORE
    assert [str(m.outcome) for m in Trail(staged, "m").read()] == ["rejected", "abandoned"]


def test_what_is_being_approved_is_not_rejected(staged: RegistryClient) -> None:
    """While an approver's move is under way, a rejection would be a lie."""
    asked = mover.ask(staged, promotion(2))
    assert asked is not None
    evidence = {"abtest.request_run_id": asked.run_id}
    Trail(staged, "m").open("promotion", 2, asked.plan, asked.before, why="a test", evidence=evidence)
    with pytest.raises(UnfinishedError, match="is under way"):
        mover.reject(staged, "m", why="too late")
    assert [movement.run_id for movement in mover.awaiting(Trail(staged, "m").read())] == [asked.run_id]


def test_a_version_of_the_same_number_is_not_the_one_that_was_asked_for(registry: RegistryClient) -> None:
    """A model deleted in MLflow's UI and made again gives its numbers to other versions: approving is refused."""
    zoo.register(registry.client, "m", "/nowhere/1", "/nowhere/2")
    mover.ask(registry, promotion(2))
    registry.client.delete_registered_model("m")
    zoo.register(registry.client, "m", "/elsewhere/1", "/elsewhere/2")
    with pytest.raises(StaleChampionError, match="the model was made again"):
        mover.approve(registry, "m", why="seen it")
    assert standing(registry) == Standing()


def test_two_requests_of_one_version_can_be_settled(staged: RegistryClient) -> None:
    """Asked for twice in the same moment, or sent twice by MLflow: one after the other is settled."""
    asked = mover.ask(staged, promotion(2))
    assert asked is not None
    trail = Trail(staged, "m")
    trail.open("promotion", 2, asked.plan, BEFORE, why="", evidence=asked.evidence, outcome=Outcome.AWAITING)
    mover.reject(staged, "m", why="once")
    mover.reject(staged, "m", why="twice")
    assert mover.awaiting(trail.read()) == ()


def test_a_request_whose_run_was_deleted_is_approved(staged: RegistryClient) -> None:
    """A run in MLflow's bin takes no tags: it is taken out again, rather than failing after everything moved."""
    asked = mover.ask(staged, promotion(2))
    assert asked is not None
    staged.client.delete_run(asked.run_id)
    mover.approve(staged, "m", why="seen it")
    assert [str(m.outcome) for m in Trail(staged, "m").read()] == ["approved", "done"]
