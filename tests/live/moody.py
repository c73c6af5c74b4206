"""A real challenger in a real registry that does, row by row, what it is told: predict, or go wrong in some way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from abtest.registry import RegistryClient

PREDICT, RAISE, EXIT, HANG, SHORTEN, GROW, HOLD, NAN, PRINT, QUIT, FORK, SPIN = range(12)


def moody(frame: pd.DataFrame) -> Any:
    """Predict the row's number, unless a row has a mood."""
    import ctypes
    import os
    import time

    import numpy as np

    moods = set(frame["mood"])
    if RAISE in moods:
        raise RuntimeError("no such luck")
    if EXIT in moods:
        os._exit(7)
    if QUIT in moods:
        sys.exit(0)
    if HANG in moods:
        time.sleep(1000)
    if SPIN in moods:
        while True:
            pass
    if HOLD in moods:
        ctypes.PyDLL(None).sleep(1000)  # it keeps the interpreter's lock
    if GROW in moods:
        globals()["_kept"] = np.ones(50_000_000)  # 400 MB
        time.sleep(1000)
    if PRINT in moods:
        os.write(1, b"out loud\n")
        os.write(2, b"louder\n")
        print("printed")  # noqa: T201 - a model that prints
    if FORK in moods and os.fork() == 0:
        time.sleep(1000)
    numbers = frame["number"].to_numpy(dtype="float64", copy=True)
    if NAN in moods:
        numbers[-1] = np.nan
    return numbers[:-1] if SHORTEN in moods else numbers


def register(registry: RegistryClient, folder: Path) -> None:
    """Register it as version 2 of "moody", beside a champion, and a version 3 that does not load."""
    import cloudpickle  # type: ignore[import-untyped] # it ships no types

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    inputs = zoo.signature(number="long", mood="long")
    paths = [zoo.save(rule, folder / str(at), inputs=inputs) for at, rule in enumerate((steady, moody, moody), 1)]
    (folder / "3" / "python_model.pkl").write_bytes(b"nothing that was ever pickled")
    zoo.register(registry.client, "moody", *paths)


def steady(frame: pd.DataFrame) -> Any:
    """Predict the row's number, whatever its mood."""
    return frame["number"].astype("float64").to_numpy()
