"""Telling of a degradation: what arrives, and what nobody gets to see."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError
from abtest.monitoring import notifying
from abtest.monitoring.notifying import NotifyingError
from tests.monitoring import records
from tests.monitoring.webhooks import SECRET, Webhook, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGE = notifying.message(records.retrained(), done="Nothing.", link="https://reports.example.org/1")


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook that takes everything."""
    with webhook() as taken:
        yield taken


def test_a_message_says_all_in_a_line_and_as_data() -> None:
    """``text`` names model, status, why, what to do, what was done and the link; signs are what is not well."""
    text = MESSAGE["text"]
    for part in ("fruit", "DEGRADED", "fell from 90.0 % to 80.0 %", "retrain", "Nothing.", "reports.example.org"):
        assert part in text
    assert (MESSAGE["status"], MESSAGE["action"], MESSAGE["model"]) == ("DEGRADED", "retrain", "fruit")
    assert [sign["name"] for sign in MESSAGE["signs"]] == ["accuracy"]
    assert json.loads(json.dumps(MESSAGE)) == MESSAGE


def test_a_webhook_gets_the_message(hook: Webhook) -> None:
    """It is posted as JSON, to the whole address."""
    notifying.post(hook.url, MESSAGE)
    assert hook.received == [(f"{SECRET}?token=hush", MESSAGE)]


@pytest.mark.parametrize(("status", "told"), [(500, "answered 500"), (404, "answered 404"), (410, "answered 410")])
def test_a_webhook_that_refuses_is_told(hook: Webhook, status: int, told: str) -> None:
    """An answer that is no success is an error, which shows no more of the address than the host."""
    hook.status = status
    with pytest.raises(NotifyingError, match=told) as error:
        notifying.post(hook.url, MESSAGE)
    assert "secret" not in str(error.value)
    assert "hush" not in str(error.value)


def test_a_redirect_is_not_followed(hook: Webhook) -> None:
    """What was sent goes to the address that was named, and nowhere else."""
    with webhook() as other:
        hook.status, hook.location = 307, other.url
        with pytest.raises(NotifyingError, match="redirect"):
            notifying.post(hook.url, MESSAGE)
        assert other.received == []


def test_a_webhook_that_hangs_is_given_up(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given so many seconds, and no more."""
    monkeypatch.setattr(notifying, "WEBHOOK_SECONDS", 0.2)
    hook.go_on.clear()
    with pytest.raises(NotifyingError, match=r"did not answer within 0\.2 s"):
        notifying.post(hook.url, MESSAGE)


def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture, hook: Webhook) -> None:
    """Neither an error, nor where it came from, nor a log of everything has the address's path or query."""
    with caplog.at_level(logging.DEBUG):
        notifying.post(hook.url, MESSAGE)
        with pytest.raises(NotifyingError, match="could not be reached") as error:
            notifying.post("http://127.0.0.1:1/services/the-secret", MESSAGE)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    assert "secret" not in caplog.text
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["ftp://host/hush", "hooks/hush", "https:///hush", "http://h:port/hush", ""])
def test_what_is_no_address_is_refused_unseen(url: str) -> None:
    """A URL of another scheme, or none, is refused before anything is checked, and not shown."""
    with pytest.raises(InvalidInputError, match="https://") as error:
        notifying.check_webhook(url)
    assert "hush" not in str(error.value)


def test_a_command_gets_the_message(tmp_path: Path) -> None:
    """It reads JSON, finds the gist in its environment, and no shell looks at what it is given."""
    script, out = tmp_path / "tell.py", tmp_path / "told; touch hacked"
    script.write_text(
        "import json, os, sys\n"
        "told = json.load(sys.stdin)\n"
        "gist = {k: v for k, v in os.environ.items() if k.startswith('ABTEST_MONITOR_')}\n"
        "open(sys.argv[1], 'w').write(json.dumps([told, gist]))\n",
        encoding="utf-8",
    )
    notifying.run(notifying.check_command(f"{sys.executable} {script} '{out}'"), MESSAGE)
    told, gist = json.loads(out.read_text(encoding="utf-8"))
    assert told == MESSAGE
    assert gist["ABTEST_MONITOR_STATUS"] == "DEGRADED"
    assert gist["ABTEST_MONITOR_MODEL"] == "fruit"
    assert gist["ABTEST_MONITOR_ACTION"] == "retrain"


@pytest.mark.parametrize(
    ("command", "told"),
    [("false --key hush", "ended with 1"), ("no-such-program-here hush", "could not be run: No such file")],
)
def test_a_command_that_fails_is_told(command: str, told: str) -> None:
    """Its name and how it ended are shown, and not what it was given."""
    with pytest.raises(NotifyingError, match=told) as error:
        notifying.run(notifying.check_command(command), MESSAGE)
    assert "hush" not in str(error.value)


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given so many seconds, and no more."""
    monkeypatch.setattr(notifying, "COMMAND_SECONDS", 0.2)
    with pytest.raises(NotifyingError, match=r"did not end within 0\.2 s"):
        notifying.run(("sleep", "60"), MESSAGE)


@pytest.mark.parametrize("command", ["", "  ", "tell 'unended"])
def test_what_is_no_command_is_refused(command: str) -> None:
    """An empty one, and one whose quotation does not end."""
    with pytest.raises(InvalidInputError, match="command"):
        notifying.check_command(command)
