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
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.errors import AbtestError
from abtest.live.frames import framed, receive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.serving import ServedModel

_NICE = 10  # whoever answers requests goes first
_GRACE = 1.0  # seconds that the parent has to end it before the alarm does


def main(channel: socket.socket) -> None:
    """Load the model that the first message names, then answer every message that follows, one at a time."""
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # Linux alone: where memory runs out, this process is the one to go
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, messages), daemon=True).start()
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


def answers(model: ServedModel, requests: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
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


def _answer(model: ServedModel, rows: Sequence[Any]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        labels = list(model.predict(model.parse(rows)))
        answer: dict[str, Any] = {"labels": labels}
        if len(labels) != len(rows):
            answer = {"error": "shape", "why": f"It returned {len(labels):,} predictions for {len(rows):,} rows."}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises is its failure
        # A model that raised is the cause of the sentence; one that returned something odd has none.
        odd = isinstance(error, AbtestError) and error.__cause__ is None
        answer = {"error": "shape" if odd else "raised", "why": _told(error)}
    return {**answer, "seconds": (time.perf_counter() - began) / max(len(rows), 1)}


def _load(order: dict[str, Any]) -> ServedModel:
    import numpy as np  # noqa: PLC0415 - until serving.load is there
    import pandas as pd  # noqa: PLC0415 - likewise

    from abtest.loaders.models import from_uri  # noqa: PLC0415 - likewise
    from abtest.registry import RegistryClient  # noqa: PLC0415 - likewise

    model = from_uri("challenger", order["uri"], RegistryClient(order["tracking_uri"], order["registry_uri"]))

    class Slow:
        """A stopgap."""

        def parse(self, rows: Any) -> Any:  # noqa: ANN401 - a stopgap
            return pd.DataFrame(list(rows), columns=None if isinstance(rows[0], dict) else model.features)

        def predict(self, features: Any) -> Any:  # noqa: ANN401 - a stopgap
            return model.labels(features, np.arange(len(features))).tolist()

    return Slow()  # type: ignore[return-value] # a stopgap


def _listen(channel: socket.socket, messages: queue.SimpleQueue[bytes]) -> None:
    """Take messages as they come; at the end of them end this process, and those that the model may have started."""
    with contextlib.suppress(OSError):
        while (message := receive(channel)) is not None:
            messages.put(message)
    os.killpg(0, signal.SIGKILL)


def _read(message: bytes) -> Any:  # noqa: ANN401 - an order, or requests
    return pickle.loads(message)  # noqa: S301 - the parent wrote it, and is trusted; never the other way round


def _reply(channel: socket.socket, answer: object) -> None:
    channel.sendall(framed(json.dumps(answer).encode()))


def _told(error: BaseException) -> str:
    told = wording.redacted(wording.first_line(error))
    return told if isinstance(error, AbtestError) else f"{type(error).__name__}: {told}"


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
