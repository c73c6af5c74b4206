"""Killed at any point, a move leaves the old state, the new one, or one whose missing steps the next command names."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from abtest import mover
from abtest.errors import UnfinishedError
from abtest.trail import Trail, history_of
from abtest.transitions import Standing, into_production
from tests import trails
from tests.mover.crashing import context, die_at, interrupted_at, promotion, race

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

BEFORE = Standing(production=(1,), staging=(2,), champion=1, challenger=2)
AFTER = Standing(production=(2,), champion=2)
STEPS = [
    "version 2: stage Staging → Production",
    "alias champion: version 1 → 2",
    "version 1: stage Production → Archived",
    "alias challenger: removed from version 2",
]
# experiment, intent, four moves, outcome (tags, then the run's end)
WRITES = 8


def standing(registry: RegistryClient) -> Standing:
    """How the model stands."""
    return Standing.of(registry.versions("m"))


def killed(registry: RegistryClient, number: int, when: str, action: str = "promote") -> bool:
    """Run an action in a process that is killed at a write; False where it has ended before that."""
    process = context().Process(target=die_at, args=(registry.tracking_uri, number, when, action))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def whole(registry: RegistryClient) -> bool:
    """Whether no move is open, and history knows of everything that happened."""
    movements = Trail(registry, "m").read()
    past = history_of("m", movements, standing(registry))
    return not [m for m in movements if m.is_open] and not past.unrecorded and not past.missing


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_killed_at_every_write(staged: RegistryClient, number: int, when: str) -> None:
    """Old state, new state, or the missing steps are named to the letter; then it is finished, or taken back."""
    assert killed(staged, number, when)
    made = max(0, min(4, number - 2 - (when == "before")))
    assert [str(step) for step in into_production(2, staged.versions("m"))] == STEPS[made:]
    found = mover.unfinished(Trail(staged, "m").read(), staged.versions("m"))
    if 0 < made < 4:
        (one,) = found
        assert one.cut_off
        assert ([str(s) for s in one.made], [str(s) for s in one.missing]) == (STEPS[:made], STEPS[made:])
        with pytest.raises(UnfinishedError) as told:
            mover.carry_out(staged, promotion(3))
        assert f"Done: {'; '.join(STEPS[:made])}. Missing: {'; '.join(STEPS[made:])}." in str(told.value)
        if when == "before":
            mover.recover(staged, "m", "finish")
            assert standing(staged) == AFTER
        else:
            mover.recover(staged, "m", "undo")
            assert standing(staged) == BEFORE
    else:
        assert standing(staged) == (AFTER if made else BEFORE)
        again = mover.carry_out(staged, promotion(2))  # the next command settles it without a word
        assert (again is None) == bool(made)
        assert standing(staged) == AFTER
    mover.carry_out(staged, promotion(3))
    assert standing(staged).serving == (3,)
    assert whole(staged)


def test_these_are_all_the_writes(staged: RegistryClient) -> None:
    """A promotion writes eight times, so that the test above kills it at every one."""
    assert not killed(staged, WRITES + 1, "before")
    assert standing(staged) == AFTER


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action", ["finish", "undo"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_a_recovery_killed_at_every_write(staged: RegistryClient, number: int, when: str, action: str) -> None:
    """A recovery can be killed too, and recovered in its turn."""
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions, made=2)
    assert killed(staged, number, when, action)
    mover.recover(staged, "m", "undo" if action == "undo" else "finish")
    assert standing(staged) == (BEFORE if action == "undo" else AFTER)
    mover.carry_out(staged, promotion(3))
    assert whole(staged)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 10))
def test_an_approval_killed_at_every_write(staged: RegistryClient, number: int, when: str) -> None:
    """Killed while it approves: it still waits, or it was carried out, or what is missing is finished."""
    mover.ask(staged, promotion(2))
    assert killed(staged, number, when, "approve")
    mover.recover(staged, "m", "finish")
    waiting = mover.awaiting(Trail(staged, "m").read())
    if standing(staged) == BEFORE:
        assert [movement.version for movement in waiting] == [2]
        mover.approve(staged, "m", why="again")
    else:
        assert waiting == ()
    assert standing(staged) == AFTER
    assert whole(staged)


@pytest.mark.parametrize("rivals", [2, 3])
def test_of_those_at_once_at_most_one_wins(staged: RegistryClient, rivals: int) -> None:
    """Promotions of the same model at once: exactly one goes through, the others are told, nothing is half-done."""
    processes = context()
    for _ in range(5):
        serving = standing(staged).serving
        start, told = processes.Barrier(rivals), processes.SimpleQueue()
        versions = [number for number in (1, 2, 3, 4) if (number,) != serving][:rivals]
        if len(staged.versions("m")) < 4:
            staged.client.create_model_version("m", "/nowhere/4")
        racers = [
            processes.Process(target=race, args=(staged.tracking_uri, number, start, told)) for number in versions
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(90)
        answers = dict(told.get() for _ in racers)
        winners = [number for number, answer in answers.items() if answer == "won"]
        assert len(winners) == 1, answers
        assert standing(staged).serving == (winners[0],)
        losers = [answer for answer in answers.values() if answer != "won"]
        assert all(answer.startswith(("UnfinishedError", "StaleChampionError")) for answer in losers), answers
        assert whole(staged)


@pytest.mark.parametrize(
    ("number", "noted", "outcome"),
    [
        (2, None, "pending"),  # before it knew its own record; the next command settles it
        (4, "It stopped after 2 of 4 moves. Hint: abtest models recover m finishes it", "stopped"),
        (6, "All moves were made.", "done"),
    ],
)
def test_interrupted_it_says_how_far_it_came(
    staged: RegistryClient, number: int, noted: str | None, outcome: str
) -> None:
    """Ctrl-C in the middle leaves word, to whoever typed it and on record."""
    processes = context()
    told = processes.SimpleQueue()
    process = processes.Process(target=interrupted_at, args=(staged.tracking_uri, number, told))
    process.start()
    process.join(60)
    notes = told.get()
    assert notes[0].startswith(noted) if noted else notes == []
    assert [str(movement.outcome) for movement in Trail(staged, "m").read()] == [outcome]
