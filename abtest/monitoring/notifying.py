"""A degradation is told: to a webhook, and to a command of one's own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from abtest import wording
from abtest.errors import AbtestError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abtest.record.monitored import MonitoringRecord

WEBHOOK_SECONDS, COMMAND_SECONDS = 10.0, 60.0
_STDERR = 2  # what a command prints goes there: our stdout may be read by a machine


class NotifyingError(AbtestError):
    """Somebody could not be told: they may be told later."""


def message(record: MonitoringRecord, *, done: str | None = None, link: str | None = None) -> dict[str, Any]:
    """Say what a check found, as plain data; ``text`` says it in a line or two, which Slack and Mattermost show.

    Args:
        record: What the check found.
        done: What was done about it, or why not; None where nothing was to be done.
        link: Where a report is.
    """
    health = record.health
    signs = [{"rule": sign.rule, "name": sign.name, "text": sign.text} for sign in health.signs if sign.held is False]
    parts = [f"{record.model_name}: {health.status}. {health.why}", f"Recommended: {health.action}.", done, link]
    return {
        "text": " ".join(part for part in parts if part),
        "model": record.model_name,
        "status": str(health.status),
        "action": str(health.action),
        "why": health.why,
        "signs": signs,
        "done": done,
        "link": link,
        "checked_at": record.created_at.isoformat(),
    }


def shown(webhook: str) -> str:
    """Show where a webhook goes: what comes after the host may be a secret.

    Example:
        >>> shown("https://hooks.example.org:8443/services/T0/B0/secret?token=x")
        'https://hooks.example.org:8443/…'
    """
    parts = urlsplit(webhook)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/…"


def check_webhook(webhook: str) -> str:
    """Refuse what is no address to post to, without showing it; else give it back.

    Raises:
        InvalidInputError: It is none.
    """
    with contextlib.suppress(ValueError):  # of a port, or of brackets
        parts = urlsplit(webhook)
        if parts.scheme in {"http", "https"} and parts.hostname and shown(webhook) and " " not in webhook:
            return webhook
    raise InvalidInputError(
        "webhook must be a URL that begins with https:// or http://, and is none.",
        hint="it is not shown here, as it may hold a secret.",
    )


def check_command(command: str) -> tuple[str, ...]:
    """Read a command as a shell would split it; no shell runs it.

    Raises:
        InvalidInputError: It is empty, or a quotation does not end.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise InvalidInputError(f"command cannot be read: {wording.first_line(error)}.") from None
    if not words:
        raise InvalidInputError("command must name a program, got none.")
    return words


def post(webhook: str, told: Mapping[str, Any]) -> None:
    """Post a message as JSON, to that address alone: a redirect is not followed.

    Raises:
        NotifyingError: It was not taken; the message shows no more of the address than the host.
    """
    import requests  # noqa: PLC0415 - only a check that notifies pays for it

    where = shown(webhook)
    try:
        with (
            _unlogged(),
            requests.post(
                webhook, json=dict(told), timeout=WEBHOOK_SECONDS, allow_redirects=False, stream=True
            ) as answer,
        ):
            status = answer.status_code
    except requests.Timeout:
        raise NotifyingError(f"The webhook {where} did not answer within {WEBHOOK_SECONDS:g} s.") from None
    except (requests.RequestException, ValueError) as error:  # what it says has the whole address
        raise NotifyingError(f"The webhook {where} could not be reached ({type(error).__name__}).") from None
    if 300 <= status < 400:
        raise NotifyingError(f"The webhook {where} answered with a redirect ({status}), which is not followed.")
    if status >= 400:
        raise NotifyingError(f"The webhook {where} answered {status}.")


def run(command: tuple[str, ...], told: Mapping[str, Any]) -> None:
    """Run a command with a message as JSON on its stdin, and the gist of it in its environment.

    Raises:
        NotifyingError: It is not there, fails, or takes too long; only its name is shown.
    """
    name = command[0]
    gist = {f"ABTEST_MONITOR_{key.upper()}": str(told[key]) for key in ("model", "status", "action", "why", "text")}
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own command
            command, input=json.dumps(told, ensure_ascii=False).encode(), stdout=_STDERR, check=False,
            env={**os.environ, **gist}, timeout=COMMAND_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotifyingError(f"The command {name} did not end within {COMMAND_SECONDS:g} s.") from None
    except (OSError, ValueError) as error:
        told_so = getattr(error, "strerror", None) or type(error).__name__
        raise NotifyingError(f"The command {name} could not be run: {told_so}.") from error
    if ended.returncode:
        raise NotifyingError(f"The command {name} ended with {ended.returncode}.")


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the address out of logs: urllib3 writes its path there where somebody asked for all."""
    logger = logging.getLogger("urllib3")
    before = logger.level
    logger.setLevel(logging.ERROR)  # of a retry it warns with the path
    try:
        yield
    finally:
        logger.setLevel(before)
