"""Trails in states that only a crash leaves behind."""

from __future__ import annotations

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
    here = Process.here()
    dead = Process(host=here.host, pid=here.pid, started="long ago", space=here.space)
    registry.client.set_tag(movement.run_id, "abtest.process", str(dead))
    for step in plan[:made]:
        step.apply(registry, model)
    return movement
