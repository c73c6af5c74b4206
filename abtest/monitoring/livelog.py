"""The log of ``abtest serve`` → tallies by the hour: hours with something new are counted again, by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from abtest.live.store import Store


def take_in(store: Store, model_name: str, *, now: datetime | None = None) -> int:
    """Bring the tallies of a model's served predictions up to date, and say how many hours were counted again."""
    raise NotImplementedError
