"""What processes of their own do in the tests of the mover: they are killed, or race each other.

They are forked from a server that has imported everything once: importing MLflow takes a process seconds.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any

from abtest import mover
from abtest.errors import AbtestError
from abtest.registry import RegistryClient
from abtest.transitions import into_production

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

WRITES = (
    "create_experiment", "create_run", "log_batch", "set_terminated", "transition_model_version_stage",
    "set_registered_model_alias", "delete_registered_model_alias",
)  # fmt: skip


def context() -> ForkServerContext:
    """Where processes are forked from: a server that has MLflow imported and has opened nothing."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["mlflow", "tests.mover.crashing"])
    return processes


def promotion(version: int = 2, model: str = "m") -> mover.Request:
    """A version into production."""
    return mover.Request(
        kind="promotion", model=model, version=version, planner=lambda it: into_production(version, it), why="a test"
    )


def die_at(uri: str, number: int, when: str, action: str) -> None:
    """Act, and die by SIGKILL before or after the n-th thing that is written to MLflow."""
    count_writes(number, when)
    registry = RegistryClient(uri)
    if action == "promote":
        mover.carry_out(registry, promotion(2))
    elif action == "approve":
        mover.approve(registry, "m", why="a test")
    else:
        mover.recover(registry, "m", "undo" if action == "undo" else "finish")


def interrupted_at(uri: str, number: int, told: SimpleQueue[list[str]]) -> None:
    """Promote, be interrupted by Ctrl-C after the n-th thing that is written, and say what was noted of it."""
    count_writes(number, "interrupted")
    try:
        mover.carry_out(RegistryClient(uri), promotion(2))
    except KeyboardInterrupt as stop:
        told.put(getattr(stop, "__notes__", []))


def count_writes(number: int, when: str) -> None:
    """Make MLflow's client, in this process, die at its n-th write: it is the crash, and no part of what is tested."""
    from mlflow import MlflowClient

    written = 0

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal written
            written += 1
            mine = written == number
            if mine and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*arguments, **named)
            if mine:
                os.kill(os.getpid(), signal.SIGINT if when == "interrupted" else signal.SIGKILL)
            return result

        return wrapper

    for name in WRITES:
        setattr(MlflowClient, name, dying(getattr(MlflowClient, name)))


def race(uri: str, version: int, start: Barrier, told: SimpleQueue[tuple[int, str]], model: str = "m") -> None:
    """Promote a version at the same moment as others, and say how that went."""
    registry = RegistryClient(uri)
    registry.versions(model)
    start.wait()
    try:
        done = mover.carry_out(registry, promotion(version, model))
        told.put((version, "won" if done else "nothing to do"))
    except AbtestError as error:
        told.put((version, f"{type(error).__name__}: {error}"))
