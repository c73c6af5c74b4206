"""Synthetic columns that the benchmarks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Codes: TypeAlias = npt.NDArray[np.int64]


def columns(rows: int, classes: int, *, seed: int = 0) -> tuple[Codes, Codes, Codes]:
    """Draw truth, champion and challenger: right on about 90 and 91 % of rows, together on most of them."""
    rng = np.random.default_rng(seed)
    y, hard = rng.integers(0, classes, rows), rng.random(rows)
    own = np.where(rng.random(rows) < 0.7, hard, rng.random(rows))
    champion, challenger = (
        np.where(luck < right, y, rng.integers(0, classes, rows)) for luck, right in ((hard, 0.90), (own, 0.91))
    )
    return y, champion, challenger


def as_text(codes: Codes) -> npt.NDArray[np.object_]:
    """Spell labels as text, as objects: what pandas and CSV readers make of text."""
    names = np.array([f"class {code:05}" for code in range(int(codes.max()) + 1)], dtype=object)
    return names[codes]
