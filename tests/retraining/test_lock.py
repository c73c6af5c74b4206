"""One retraining of a model at a time: who is second is told of the first, and what was cut off holds nobody back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abtest import tracking
from abtest.errors import BackendError, UnfinishedError
from abtest.retraining import LEASE, Audit
from abtest.retraining.lock import locked, others
from abtest.trail import Process
from abtest.trail.alone import first_in_the_way
from abtest.trail.process import UNDER_WAY

if TYPE_CHECKING:
    from abtest.registry import RegistryClient
    from abtest.retraining import Retraining

ASKED = {"asked_digest": "a"}
AWAY = Process(host="elsewhere", pid=1, started="1", space="another")


def lock(audit: Audit, told: list[str] | None = None, lease: timedelta = LEASE) -> str:
    """Have the lock, do nothing, and give the run that says so."""
    with locked(audit, ASKED, lease, (told if told is not None else []).append) as kept:
        return kept.done("It was a test.").run_id


def status(registry: RegistryClient, run_id: str) -> str:
    """How MLflow shows a run."""
    return str(registry.client.get_run(run_id).info.status)


def test_what_happens_comes_on_record(registry: RegistryClient) -> None:
    """A retraining is on record before it is done, step by step, and ends FINISHED, FAILED or KILLED with why."""
    audit = Audit(registry, "m")
    with locked(audit, ASKED, LEASE, print) as kept:
        (one,) = audit.read()
        assert (one.is_open, one.step, one.asked, one.version) == (True, "locked", "a", None)
        kept.reach("registered", version="3", holdout=None)
        assert audit.read()[0].version == 3
        kept.done("All was done.")
    with pytest.raises(BackendError), locked(audit, ASKED, LEASE, print):
        raise BackendError("The server is gone.")
    with pytest.raises(KeyboardInterrupt), locked(audit, ASKED, LEASE, print):
        raise KeyboardInterrupt
    found = audit.read()
    assert [one.outcome for one in found] == ["done", "failed", "interrupted"]
    assert [status(registry, one.run_id) for one in found] == ["FINISHED", "FAILED", "KILLED"]
    assert found[1].tags["abtest.note"] == "The server is gone."


def test_a_second_one_is_told_of_the_first_and_leaves_no_trace(registry: RegistryClient) -> None:
    """While one goes on another is refused, with who, since when and where; a model of another name is free."""
    audit = Audit(registry, "m")
    with locked(audit, ASKED, LEASE, print) as kept:
        with pytest.raises(UnfinishedError, match=r"begun \d{4}-.* UTC by .* on .* \(run .*locked\) is under way"):
            lock(audit)
        lock(Audit(registry, "other"))
        kept.done("It was a test.")
    assert len(audit.read()) == 1
    lock(audit)


def test_one_whose_process_is_gone_holds_nobody_back(registry: RegistryClient) -> None:
    """What was cut off on this machine is settled at once, and it is said."""
    audit, told = Audit(registry, "m"), list[str]()
    cut_off = audit.open(ASKED)
    UNDER_WAY.discard(cut_off.attempt)  # as if its outcome could not be put on record
    lock(audit, told)
    assert told == [f"{audit.read()[0]} was cut off; this one takes its place."]
    assert status(registry, cut_off.run_id) == "KILLED"


def test_one_on_another_machine_holds_the_lock_as_long_as_its_lease(registry: RegistryClient) -> None:
    """A process that cannot be seen from here is taken to go on for as long as the lock holds, and no longer."""
    audit = Audit(registry, "m")
    away = audit.open(ASKED)
    tracking.tag_run(registry.client, away.run_id, {"abtest.process": str(AWAY)})
    with pytest.raises(UnfinishedError, match=r"on elsewhere .* a small --lock-hours"):
        lock(audit)
    (one,) = audit.read()
    assert not one.has_ended(one.began_at + LEASE, LEASE)
    assert one.has_ended(one.began_at + LEASE + timedelta(seconds=1), LEASE)
    lock(audit, lease=timedelta(0))
    assert [it.outcome for it in audit.read()] == ["cut off", "done"]


def test_one_on_this_machine_goes_on_however_long(registry: RegistryClient) -> None:
    """A process that is seen to run is not taken for cut off, whatever the lease."""
    audit = Audit(registry, "m")
    mine = audit.open(ASKED)
    assert not mine.has_ended(datetime.now(UTC) + 10 * LEASE, LEASE)
    UNDER_WAY.discard(mine.attempt)


def test_who_was_taken_for_cut_off_does_nothing_more(registry: RegistryClient) -> None:
    """One whose place another took puts no step on record any more, and does not change how it was settled."""
    audit = Audit(registry, "m")

    def overtaken() -> None:
        with locked(audit, ASKED, LEASE, print) as kept:
            audit.settle(kept.mine, "cut off", "by another")
            kept.reach("compared")

    with pytest.raises(UnfinishedError, match="another took its place"):
        overtaken()
    (one,) = audit.read()
    assert (one.outcome, one.step) == ("cut off", "locked")


def test_of_two_at_once_one_goes_on(registry: RegistryClient) -> None:
    """Of two intents that see each other the smaller id goes first, unless the other has the lock already."""
    audit = Audit(registry, "m")
    one, other = sorted((audit.open(ASKED), audit.open(ASKED)), key=lambda it: it.run_id)

    def first(mine: Retraining) -> Retraining | None:
        def others() -> list[Retraining]:
            return [it for it in audit.read() if it.is_open and it.run_id != mine.run_id]

        return first_in_the_way(mine.run_id, others, holds=lambda it: it.step is not None, patience=0)

    found = first(other)
    assert found is not None
    assert found.run_id == one.run_id
    audit.reach(other, "locked")
    found = first(one)
    assert found is not None
    assert found.run_id == other.run_id
    audit.settle(other, "done", "It was a test.")
    assert first(one) is None
    UNDER_WAY.discard(one.attempt)


def test_a_request_that_was_sent_twice_is_one(registry: RegistryClient) -> None:
    """A second run of one attempt, which MLflow makes where an answer is lost, is settled and in nobody's way."""
    audit = Audit(registry, "m")
    with locked(audit, ASKED, LEASE, print) as kept:
        tags = {**kept.mine.tags, "abtest.step": "locked"}
        tracking.begin_run(registry.client, "abtest/m", "twin", tags)
        assert others(audit, LEASE, print, kept.mine) == []
        kept.done("It was a test.")
    assert {it.outcome for it in audit.read()} == {"withdrawn", "done"}
