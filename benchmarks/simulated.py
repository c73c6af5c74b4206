"""What the page of simulations is made of: tables of rows, each simulated by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Simulate = Callable[..., Counter[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table: what is simulated, how often, and which counts are its columns."""

    names: tuple[str, ...]
    simulate: Simulate
    parameters: Mapping[str, Any]
    repeats: int
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: a question, its column heads, its rows."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def points(effect: float) -> str:
    """Spell an effect in points of accuracy."""
    return f"{100 * effect:+.0f}".replace("-", "−") if effect else "0"
