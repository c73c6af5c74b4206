"""Rows to be tracked, and what a store holds of them as plain data that can be compared."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from abtest.live.store import Store
    from abtest.windows import Window

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=40)


def rows(n: int = 600, *, days: int = 3, seed: int = 0) -> pd.DataFrame:
    """Orders of three shops: what kind each was, what was predicted, and when; no two at one time."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["book", "game", "toy"], n)
    seconds = rng.choice(days * 86_400, n, replace=False)
    return pd.DataFrame({
        "id": [f"order-{seed}-{i}" for i in range(n)],
        "time": pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s"),
        "shop": rng.choice(["north", "south", "west"], n),
        "weight": np.round(rng.gamma(2, 3, n), 2),
        "colour": rng.choice(["red", "blue"], n),
        "kind": kind,
        "predicted": np.where(rng.random(n) < 0.8, kind, rng.choice(["book", "game", "toy"], n)),
    })  # fmt: skip


def prices(n: int = 600, *, days: int = 3, seed: int = 0) -> pd.DataFrame:
    """The same orders with a price, and a predicted one."""
    rng = np.random.default_rng(seed)
    price = np.round(rng.gamma(3, 20, n), 2)
    return rows(n, days=days, seed=seed).assign(kind=price, predicted=np.round(price + rng.normal(0, 5, n), 3))


def held(store: Store, model: str = "shop") -> dict[str, Any]:
    """What a store holds of a model, but for how late labels were."""
    return plain_of(store.buckets(model, START, END), store.sketches(model, START, END))


def plain(window: Window) -> dict[str, Any]:
    """The same of a window."""
    return plain_of(window.buckets, window.sketches)


def plain_of(buckets: Any, sketches: Any) -> dict[str, Any]:
    """Hours and days as plain data."""
    return {
        "hours": [(it.start, it.version, {**it.tallied.to_dict(), "lag": None}) for it in buckets],
        "days": [
            (it.day, it.version, {name: sketch.to_dict() for name, sketch in sorted(it.features.items())})
            for it in sketches
        ],
    }


def alike(one: Any, other: Any) -> bool:
    """Whether plain data are the same, numbers but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)
