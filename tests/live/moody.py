"""A real challenger in a real registry that goes wrong in the way that a row tells it to, or predicts."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import stat
import sys
import tempfile
import time
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from abtest.registry import RegistryClient

MODEL, STEADY, MOODY, UNLOADABLE = "moody", 1, 2, 3


class Mood(IntEnum):
    """What a row asks for."""

    PREDICT, RAISE, QUIT, EXIT, HANG, SPIN, HOLD, GROW, PRINT, FORK, LIE, NEST, HANG_UP, LITTER, SHORTEN, NAN = range(
        16
    )


def steady(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Predict each row's number, whatever its mood."""
    return frame["number"].to_numpy(dtype="float64", copy=True)


def moody(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Predict each row's number, unless one has a mood."""
    numbers = steady(frame)
    for mood in sorted(set(frame["mood"])):
        numbers = {Mood.SHORTEN: numbers[:-1], Mood.NAN: numbers * np.nan}.get(mood, numbers)
        _ACTS.get(mood, lambda: None)()
    return numbers


def _raise() -> None:
    raise RuntimeError("no such luck")


def _spin() -> None:
    while True:
        pass


def _grow() -> None:
    _kept.append(np.ones(50_000_000))  # 400 MB
    time.sleep(1000)


def _print() -> None:
    print("printed")  # noqa: T201 - a model that prints
    os.write(1, b"out loud\n")
    os.write(2, b"louder\n")


def _fork() -> None:
    if os.fork() == 0:
        time.sleep(1000)


def _channel() -> int:
    """The socket to the parent, which nobody gave to the model."""
    for file in range(3, 65_536):  # as many as its parent may have open
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(file).st_mode):
                return file
    raise RuntimeError("there is no socket")


def _hang_up() -> None:
    socket.socket(fileno=_channel()).shutdown(socket.SHUT_RDWR)
    time.sleep(1000)


_kept: list[npt.NDArray[np.float64]] = []
_ACTS: dict[int, Callable[[], object]] = {
    Mood.RAISE: _raise,
    Mood.QUIT: lambda: sys.exit(0),
    Mood.EXIT: lambda: os._exit(7),
    Mood.HANG: lambda: time.sleep(1000),
    Mood.SPIN: _spin,
    Mood.HOLD: lambda: ctypes.PyDLL(None).sleep(1000),  # it keeps the interpreter's lock
    Mood.GROW: _grow,
    Mood.PRINT: _print,
    Mood.FORK: _fork,
    Mood.LIE: lambda: os.write(_channel(), b"\xff" * 5000),
    Mood.NEST: lambda: os.write(_channel(), (50_000).to_bytes(4) + b"[" * 50_000),
    Mood.HANG_UP: _hang_up,
    Mood.LITTER: lambda: tempfile.mkstemp(prefix="litter"),
}


def register(registry: RegistryClient, folder: Path) -> None:
    """Register the champion, the challenger, and a version that does not load."""
    import cloudpickle  # type: ignore[import-untyped] # it ships no types

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    inputs = zoo.signature(number="long", mood="long")
    paths = [zoo.save(rule, folder / rule.__name__, inputs=inputs) for rule in (steady, moody)]
    broken = zoo.save(steady, folder / "broken", inputs=inputs)
    (folder / "broken" / "python_model.pkl").write_bytes(b"nothing that was ever pickled")
    zoo.register(registry.client, MODEL, *paths, broken)


def row(number: int, mood: Mood = Mood.PREDICT) -> dict[str, Any]:
    """A row as JSON has it."""
    told: dict[str, Any] = json.loads(json.dumps({"number": number, "mood": mood}))
    return told
