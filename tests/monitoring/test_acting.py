"""What is done about a degradation: once, by whoever may, on the version that was judged; and never on less."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abtest.decision.health import Action, Status
from abtest.errors import InvalidInputError
from abtest.evaluator.monitored import Reign
from abtest.lifecycle import Registry
from abtest.live.store import Store
from abtest.live.tracked import Act
from abtest.monitoring.acting import Told, act
from tests.cli import shell
from tests.live import logs
from tests.live.scraped import ROOT
from tests.monitoring import records
from tests.monitoring.webhooks import Webhook, webhook
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.record.monitored import MonitoringRecord
    from abtest.registry import RegistryClient

HOUR = timedelta(hours=1)


@pytest.fixture
def promoted(stocked: RegistryClient) -> RegistryClient:
    """A registry in which version 2 took the place of version 1."""
    Registry(stocked.tracking_uri).promote("fruit", 2)
    return stocked


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Store]:
    """An empty log."""
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as opened:
        yield opened


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook that takes everything."""
    with webhook() as taken:
        yield taken


def ended(acts: tuple[Act, ...]) -> list[tuple[str, str]]:
    """What was done, and how it ended."""
    return [(it.what, it.outcome) for it in acts]


def serving(registry: RegistryClient) -> tuple[int, ...]:
    """What is in production."""
    return Registry(registry.tracking_uri).serving("fruit")


def test_the_version_before_is_brought_back(promoted: RegistryClient, log: Store, hook: Webhook) -> None:
    """Where that is recommended, the version before serves again; the registry says why; whoever is named is told."""
    record = records.worse_than_before()
    assert record.health.action is Action.ROLL_BACK
    acts = act(log, record, "rollback", registry=promoted, told=Told(webhook=hook.url))
    assert ended(acts) == [("rollback", "done"), ("notify", "done")]
    assert serving(promoted) == (1,)
    latest = Registry(promoted.tracking_uri).history("fruit").entries[-1].movement
    assert latest is not None
    assert latest.why == f"degraded: {record.health.why}"
    ((_, told),) = hook.received
    assert told["done"] == acts[0].text == "Version 2 was rolled back, and version 1 serves again."
    assert {(it.what, it.outcome, it.text) for it in log.acts("fruit")} == {
        (it.what, it.outcome, it.text) for it in acts
    }


@pytest.mark.parametrize(
    "record",
    [
        records.well(),
        records.record(),
        records.record(changes=(records.change("held"),), drift=(records.drift(),)),
        records.record(changes=(records.change("unclear"),), previous=records.PREVIOUS,
                       previous_changes=(records.change("fallen"),)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("on", ["rollback", "notify"])
def test_nothing_is_done_on_less_than_a_degradation(
    log: Store, hook: Webhook, record: MonitoringRecord, on: Any
) -> None:
    """A model that is stable, or only drifts, or of which too little is known, is left alone, and nobody is told."""
    assert record.health.status is not Status.DEGRADED
    assert act(log, record, on, registry=None, told=Told(webhook=hook.url)) == ()
    assert (hook.received, log.acts("fruit")) == ([], ())


def test_a_rollback_that_is_not_recommended_is_not_made(promoted: RegistryClient, log: Store, hook: Webhook) -> None:
    """Where another thing is recommended, that is said, and to whoever is to be told; nothing moves."""
    record = records.retrained()
    first, second = act(log, record, "rollback", registry=promoted, told=Told(webhook=hook.url))
    assert (first.outcome, first.text) == ("withheld", "Nothing was rolled back: what is recommended is to retrain.")
    assert (second.what, second.outcome) == ("notify", "done")
    assert hook.received[0][1]["done"] == first.text
    assert serving(promoted) == (2,)
    assert ended(act(log, record, "rollback", registry=promoted)) == [("rollback", "withheld")]


@pytest.mark.parametrize(
    ("reigns", "told"),
    [
        ((Reign(version=3, start=records.END, end=None),), "version 3 served, and version 2 does"),
        ((), "which version was judged is not known"),
        ((Reign(version=2, start=records.END, end=records.END),), "which version was judged is not known"),
        ((Reign(version=None, start=records.END, end=None),), "which version was judged is not known"),
    ],
)
def test_what_was_not_judged_is_not_rolled_back(
    promoted: RegistryClient, log: Store, reigns: tuple[Reign, ...], told: str
) -> None:
    """Where what serves is not known to be what was judged, nothing moves, and that is on record as failed."""
    record = records.worse_than_before()
    record = replace(record, monitored=replace(record.monitored, reigns=reigns))
    (only,) = act(log, record, "rollback", registry=promoted)
    assert only.outcome == "failed"
    assert told in only.text
    assert serving(promoted) == (2,)
    assert log.acts("fruit") == (only,)


def test_a_version_that_is_gone_brings_nothing_back(promoted: RegistryClient, log: Store, hook: Webhook) -> None:
    """A rollback that cannot be made is told, and tried again at the next check; people are told of it once."""
    record = records.worse_than_before()
    record = replace(record, monitored=replace(record.monitored, previous=replace(records.PREVIOUS, versions=(99,))))
    told = Told(webhook=hook.url)
    once = act(log, record, "rollback", registry=promoted, told=told, now=records.END)
    again = act(log, record, "rollback", registry=promoted, told=told, now=records.END + HOUR)
    assert ended(once) == [("rollback", "failed"), ("notify", "done")]
    assert ended(again) == [("rollback", "failed"), ("notify", "withheld")]
    assert len(hook.received) == 1
    assert serving(promoted) == (2,)


def test_people_are_told_once_in_a_while(log: Store, hook: Webhook) -> None:
    """Of the checks of a day one tells; the next day's first tells again."""
    record, told = records.retrained(), Told(webhook=hook.url)
    hours = [records.END + hour * HOUR for hour in range(30)]
    outcomes = [act(log, record, "notify", registry=None, told=told, now=now)[0].outcome for now in hours]
    assert [at for at, outcome in enumerate(outcomes) if outcome == "done"] == [0, 24]
    assert set(outcomes) == {"done", "withheld"}
    assert len(hook.received) == 2
    assert len(log.acts("fruit")) == 2


def test_a_rollback_is_told_however_lately_people_were(promoted: RegistryClient, log: Store, hook: Webhook) -> None:
    """Who was told an hour ago that the model fell is told that it was rolled back; and no one rolls back again."""
    told = Told(webhook=hook.url)
    act(log, records.retrained(), "notify", registry=promoted, told=told, now=records.END)
    record = records.worse_than_before()
    later = act(log, record, "rollback", registry=promoted, told=told, now=records.END + HOUR)
    assert ended(later) == [("rollback", "done"), ("notify", "done")]
    Registry(promoted.tracking_uri).promote("fruit", 2)
    again = act(log, record, "rollback", registry=promoted, told=told, now=records.END + 2 * HOUR)
    assert ended(again) == [("rollback", "withheld")]
    assert serving(promoted) == (2,)
    assert len(hook.received) == 2


def test_one_who_cannot_be_told_hides_no_other(log: Store, hook: Webhook, tmp_path: Path) -> None:
    """Where the webhook fails the command runs all the same; failures are on record, and no secret is."""
    hook.status = 500
    touched = tmp_path / "touched"
    nobody = Told(webhook=hook.url, command="false hush")
    (first,) = act(log, records.retrained(), "notify", registry=None, told=nobody)
    assert first.outcome == "failed"
    assert "answered 500" in first.text
    assert "false ended with 1" in first.text
    one = Told(webhook=hook.url, command=f"touch {touched}")
    (second,) = act(log, records.retrained(), "notify", registry=None, told=one)  # what failed is tried again
    assert (second.outcome, touched.exists()) == ("done", True)
    assert second.text.startswith("Told touch.")
    assert "answered 500" in second.text
    assert not any(secret in it.text for it in log.acts("fruit") for secret in ("hush", "the-secret"))
    (third,) = act(log, records.retrained(), "notify", registry=None, told=one)
    assert third.outcome == "withheld"  # somebody knows


def test_nothing_is_done_without_a_claim(promoted: RegistryClient, log: Store, hook: Webhook, tmp_path: Path) -> None:
    """Where the log cannot be written, nothing moves and nobody is told; that is said, and is no error."""
    other = Act(model_name="other", what="notify", at=records.END, status="DEGRADED", outcome="begun", text="")
    log.claim(other, 1.0)
    with logs.engine(f"sqlite:///{tmp_path / 'live.db'}").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE abtest_acts RENAME TO elsewhere")
    acts = act(log, records.worse_than_before(), "rollback", registry=promoted, told=Told(webhook=hook.url))
    assert {it.outcome for it in acts} == {"failed"}
    assert "could not be put on record" in acts[0].text
    assert serving(promoted) == (2,)
    assert hook.received == []


def test_who_is_told_is_checked_first_and_shows_no_secret() -> None:
    """A webhook or command that is none is refused before any check; neither is shown by what holds it."""
    with pytest.raises(InvalidInputError, match="webhook"):
        Told(webhook="hooks.example.org/hush")
    with pytest.raises(InvalidInputError, match="command"):
        Told(command=" ")
    shown = repr(Told(webhook="https://hooks.example.org/hush", command="tell --key hush"))
    assert "hush" not in shown
    assert "hooks.example.org" in shown


def test_of_several_processes_one_acts(promoted: RegistryClient, tmp_path: Path, hook: Webhook) -> None:
    """Two checks that find the same at the same time roll back once, and tell of it once."""
    url = f"sqlite:///{tmp_path / 'live.db'}"
    processes = [
        subprocess.Popen(  # noqa: S603 - Python itself
            [sys.executable, "-m", "tests.monitoring.acting_once", url, promoted.tracking_uri, hook.url, str(tmp_path),
             str(name)],
            cwd=ROOT, env=shell.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in range(2)
    ]  # fmt: skip
    until(lambda: all((tmp_path / f"{name}.ready").exists() for name in range(2)), seconds=60)
    (tmp_path / "go").touch()
    told = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    lines = sorted(line for out, _ in told for line in out.splitlines())
    assert lines == ["notify done", "rollback done", "rollback withheld"]
    assert len(hook.received) == 1
    assert serving(promoted) == (1,)
    kinds = [
        entry.movement.kind for entry in Registry(promoted.tracking_uri).history("fruit").entries if entry.movement
    ]
    assert kinds == ["promotion", "rollback"]
