"""Which version predicted when, and what put it there: read off the tallies, and off the trail where there is one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from abtest.errors import AbtestError
from abtest.evaluator.monitored import Reign
from abtest.lifecycle import reading
from abtest.windows import HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from abtest.registry import RegistryClient
    from abtest.trail.history import Entry
    from abtest.windows import Window

_NEAR = timedelta(days=1)  # a move this far from the first prediction of what it moved explains it
_HOW = {"rollback": "rolled back"}


def reigns_of(
    window: Window, model_name: str, registry: RegistryClient | None
) -> tuple[tuple[Reign, ...], tuple[str, ...]]:
    """Tell the reigns of a window, and what is to be said of them.

    In each hour that version reigns which predicted most; of hours without predictions the one before goes on.
    """
    rows: dict[datetime, dict[int | None, int]] = {}
    for bucket in window.buckets:
        if bucket.start is not None:
            of = rows.setdefault(bucket.start, {})
            of[bucket.version] = of.get(bucket.version, 0) + bucket.tallied.n
    found: list[Reign] = []
    for start, of in sorted(rows.items()):
        version = max(of, key=lambda it: of[it])
        if not found or found[-1].version != version:
            found.append(Reign(version=version, start=start, end=None))
    entries, notices = _entries(model_name, registry)
    moved = [_explained(reign, entries) if i else reign for i, reign in enumerate(found)]
    ends = [*(reign.start for reign in moved[1:]), None]
    return (
        tuple(
            Reign(version=it.version, start=it.start, end=end, how=it.how, by=it.by)
            for it, end in zip(moved, ends, strict=True)
        ),
        notices,
    )


def _entries(model_name: str, registry: RegistryClient | None) -> tuple[Sequence[Entry], tuple[str, ...]]:
    if registry is None:
        return (), ()
    try:
        return reading.history(registry, model_name).entries, ()
    except AbtestError as error:  # a report goes without its history; it does not need the registry
        return (), (f"Promotions and rollbacks are not marked: {error.message}",)


def _explained(reign: Reign, entries: Sequence[Entry]) -> Reign:
    """Find the move that put a version there: the nearest, since its first hour began before or after it."""
    near = [
        entry
        for entry in entries
        if entry.at is not None
        and reign.version in entry.standing.serving
        and abs(entry.at - reign.start) <= _NEAR + timedelta(seconds=HOUR)
    ]
    if not near:
        return reign
    entry = min(near, key=lambda it: abs(it.at - reign.start) if it.at else _NEAR)
    movement = entry.movement
    how = _HOW.get(movement.kind, "promoted") if movement else "moved"
    return Reign(version=reign.version, start=reign.start, end=None, how=how, by=movement.by if movement else None)
