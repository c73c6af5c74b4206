"""The challenger's own process: requests in, answers out, over one socket. ``child`` starts it; nobody imports it.

It outlives nobody: when the socket closes, because its parent closed it or is gone however it went, it ends itself and
what it started; and an alarm of the kernel's ends a model that keeps every other thread from running.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.errors import AbtestError
from abtest.live.serving.handing import taken
from abtest.live.shadow.messages import framed, receive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.serving.served import Served

_NICE = 10  # whoever answers requests goes first
_GRACE = 1.0  # seconds that the parent has to end it before the alarm does


def main(channel: socket.socket, folder: str) -> None:
    """Load the model that the first message names, then answer every message that follows, one at a time."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what crashes at every start must not fill the disk
    with contextlib.suppress(OSError):  # Linux alone: where memory runs out, this process is the one to go
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, messages, folder), daemon=True).start()
    order = _read(messages.get())
    signal.setitimer(signal.ITIMER_REAL, order["loading"] + _GRACE)
    try:
        model = _load(order)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever loading runs into is told
        _reply(channel, {"why": _told(error)})
        return
    _reply(channel, {})
    while True:
        signal.setitimer(signal.ITIMER_REAL, 0)
        requests = _read(messages.get())
        signal.setitimer(signal.ITIMER_REAL, order["deadline"] + _GRACE)
        _reply(channel, answers(model, requests))


def answers(model: Served, requests: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Answer several requests by asking the model once; where that fails, each by itself, so that one fails alone.

    Returns:
        For each request its "labels", or the "error" and "why"; and the "seconds" that each of its rows took.
    """
    together = _answer(model, [row for rows in requests for row in rows])
    if len(requests) == 1:
        return [together]
    if "error" in together:
        return [_answer(model, rows) for rows in requests]
    labels = iter(together["labels"])
    return [{"labels": [next(labels) for _ in rows], "seconds": together["seconds"]} for rows in requests]


def _answer(model: Served, rows: Sequence[Any]) -> dict[str, Any]:
    began = time.perf_counter()
    error = "raised"  # also where it does not take the columns that the champion takes
    try:
        features = model.parse(taken(rows, model))
        error = "shape"
        answer: dict[str, Any] = {"labels": model.predict(features)}
    except (Exception, SystemExit) as failure:  # noqa: BLE001 - whatever a model raises is its failure
        # What the model raised is the cause of what is raised here; what it returned is none.
        answer = {"error": "raised" if failure.__cause__ else error, "why": _told(failure)}
    return {**answer, "seconds": (time.perf_counter() - began) / len(rows)}


def _load(order: dict[str, Any]) -> Served:
    from abtest.live.serving.served import load  # noqa: PLC0415 - what this takes to import is part of what is told if it fails
    from abtest.registry import RegistryClient  # noqa: PLC0415 - likewise

    registry = RegistryClient(order["tracking_uri"], order["registry_uri"])
    return load(order["uri"], registry, name=None, version=order["version"], run_id=None)


def _listen(channel: socket.socket, messages: queue.SimpleQueue[bytes], folder: str) -> None:
    """Take messages as they come; at the end of them end this process, and those that the model may have started."""
    with contextlib.suppress(OSError):
        while (message := receive(channel)) is not None:
            messages.put(message)
    shutil.rmtree(folder, ignore_errors=True)  # a parent that was killed does not
    os.killpg(0, signal.SIGKILL)


def _read(message: bytes) -> Any:  # noqa: ANN401 - an order, or requests
    return pickle.loads(message)  # noqa: S301 - the parent wrote it, and is trusted; never the other way round


def _reply(channel: socket.socket, answer: object) -> None:
    channel.sendall(framed(json.dumps(answer).encode()))


def _told(error: BaseException) -> str:
    told = wording.redacted(wording.first_line(error))
    return told if isinstance(error, AbtestError) else f"{type(error).__name__}: {told}"


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
