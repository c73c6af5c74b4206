"""Over a network that breaks, a move is made once, or not at all, or what is missing of it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest import mover
from abtest.errors import BackendError, UnfinishedError
from abtest.registry import RegistryClient
from abtest.trail import Trail, history_of
from abtest.transitions import Standing
from tests import zoo
from tests.deployment.breaking import ALWAYS
from tests.mover.crashing import context, promotion, race

if TYPE_CHECKING:
    from abtest.trail import Movement
    from tests.deployment.breaking import Breaking
    from tests.deployment.servers import Deployed

AFTER = [("Archived", ()), ("Production", ("champion",)), (None, ())]
BEFORE = [("Production", ("champion",)), ("Staging", ("challenger",)), (None, ())]
STAGE, ALIAS, UNALIAS = "transition-stage", "POST /api/2.0/mlflow/registered-models/alias", "DELETE /api/2.0/mlflow/"


@pytest.fixture
def name(deployed: Deployed) -> str:
    """A model of the test's own: 1 champion in Production, 2 challenger in Staging, 3 nothing."""
    return deployed.register(zoo.linear, zoo.better, zoo.linear)


def promoted(network: Breaking, name: str, version: int = 2) -> Movement | None:
    """Promote a version over the network."""
    return mover.carry_out(RegistryClient(network.uri), promotion(version, name))


def outcomes(deployed: Deployed, name: str) -> list[str]:
    """How each movement on the trail ended, the oldest first."""
    return [str(movement.outcome) for movement in Trail(deployed.registry, name).read()]


@pytest.mark.parametrize(
    ("path", "fault", "asked"),
    [
        (STAGE, "swallow", ["swallowed", "passed"]),
        (STAGE, "cut", ["cut", "passed", "passed"]),
        (STAGE, "answer", ["answered", "passed", "passed"]),
        (ALIAS, "swallow", ["swallowed"]),
        (ALIAS, "cut", ["cut", "passed"]),
        (UNALIAS, "swallow", ["swallowed"]),
        (UNALIAS, "cut", ["cut", "passed"]),
    ],
)
def test_a_move_is_looked_at_before_it_is_made_again(
    deployed: Deployed, network: Breaking, name: str, *, path: str, fault: str, asked: list[str]
) -> None:
    """A move whose answer was lost and that happened is not sent again; one that did not happen is."""
    getattr(network, fault)(*([503, path] if fault == "answer" else [path]))
    assert promoted(network, name) is not None
    assert deployed.state(name) == AFTER
    assert network.outcomes(path) == asked
    assert outcomes(deployed, name) == ["done"]


@pytest.mark.parametrize("path", [STAGE, "runs/create", "runs/search"])
def test_what_cannot_begin_moves_nothing(deployed: Deployed, network: Breaking, name: str, path: str) -> None:
    """Where the first move, the intent or the look for others fails for good, nothing moved; later it can be done."""
    network.cut(path, times=ALWAYS)
    with pytest.raises(BackendError):
        promoted(network, name)
    assert deployed.state(name) == BEFORE
    network.heal()
    assert promoted(network, name) is not None
    assert deployed.state(name) == AFTER


def test_a_connection_lost_for_good_in_the_middle(deployed: Deployed, network: Breaking, name: str) -> None:
    """What was made and what is missing is said at once, and to whoever comes next; then it is finished."""
    network.cut(ALIAS, times=ALWAYS)
    with pytest.raises(BackendError, match=r"It stopped after 1 of 4 moves.*abtest models recover"):
        promoted(network, name)
    assert deployed.state(name)[:2] == [("Production", ("champion",)), ("Production", ("challenger",))]
    network.heal()
    with pytest.raises(UnfinishedError, match=r"Done: version 2: stage Staging → Production. Missing: alias champion"):
        promoted(network, name, 3)
    mover.recover(deployed.registry, name, "finish")
    assert deployed.state(name) == AFTER


def test_an_intent_sent_twice_is_one(deployed: Deployed, network: Breaking, name: str) -> None:
    """MLflow's client sends the intent again when its answer is lost: the twin is closed, and one promotion is made."""
    network.swallow("runs/create")
    assert promoted(network, name) is not None
    assert network.outcomes("runs/create") == ["swallowed", "passed"]
    assert sorted(outcomes(deployed, name)) == ["abandoned", "done"]
    assert deployed.state(name) == AFTER


def test_an_outcome_that_cannot_be_recorded(deployed: Deployed, network: Breaking, name: str) -> None:
    """All moves made and no record of it: said, and put on record by the next command."""
    network.cut("log-batch", times=ALWAYS)
    with pytest.raises(BackendError, match=r"All moves were made, but that could not be put on record"):
        promoted(network, name)
    assert deployed.state(name) == AFTER
    assert outcomes(deployed, name) == ["pending"]
    network.heal()
    record = Trail(deployed.registry, name).read()[0]
    deployed.registry.client.set_tag(record.run_id, "abtest.process", "elsewhere|1|1|gone")
    with pytest.raises(UnfinishedError, match="is under way"):  # it cannot be seen from here that it is not
        promoted(network, name, 3)
    here = record.process
    deployed.registry.client.set_tag(record.run_id, "abtest.process", f"{here.host}|{here.pid}|then|{here.space}")
    assert promoted(network, name, 3) is not None
    past = history_of(name, Trail(deployed.registry, name).read(), Standing.of(deployed.registry.versions(name)))
    assert [entry.standing.serving for entry in past.entries] == [(1,), (2,), (3,)]


def test_two_at_once_over_http(deployed: Deployed, name: str) -> None:
    """Of two promotions at once on a real server exactly one goes through, and the other is told."""
    processes = context()
    start, told = processes.Barrier(2), processes.SimpleQueue()
    racers = [processes.Process(target=race, args=(deployed.uri, number, start, told, name)) for number in (2, 3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    answers = dict(told.get() for _ in racers)
    winners = [number for number, answer in answers.items() if answer == "won"]
    assert len(winners) == 1, answers
    assert Standing.of(deployed.registry.versions(name)).serving == (winners[0],)
    assert sorted(outcomes(deployed, name)) == ["abandoned", "done"] or outcomes(deployed, name) == ["done"]
