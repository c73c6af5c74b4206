"""Trails in states that only a crash leaves behind."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from abtest.trail import Movement, Process, Trail
from abtest.transitions import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion, RegistryClient
    from abtest.transitions import Plan


def cut_off(
    registry: RegistryClient, model: str, version: int, plan: Plan, versions: Sequence[ModelVersion], *, made: int = 0
) -> Movement:
    """Begin a promotion in a process that has ended, after so many of its moves."""
    movement = Trail(registry, model).open("promotion", version, plan, Standing.of(versions), why="a test", evidence={})
    forsake(registry, movement.run_id)
    for step in plan[:made]:
        step.apply(registry, model)
    return movement


def forsake(registry: RegistryClient, run_id: str) -> None:
    """Make a record that of a process that has ended."""
    here = Process.here()
    dead = Process(host=here.host, pid=here.pid, started="long ago", space=here.space)
    registry.client.set_tag(run_id, "abtest.process", str(dead))


def meddle(registry: RegistryClient, *statements: str) -> list[tuple[str, ...]]:
    """Do something to the database behind everybody's back, and give what the last statement finds."""
    found: list[tuple[str, ...]] = []
    with sqlite3.connect(registry.registry_uri.removeprefix("sqlite:///")) as database:
        for statement in statements:
            found = database.execute(statement).fetchall()
    return found
