"""Sketches of two windows in, drift out: which features changed, by how much, and whether that is more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.evaluator.monitored import Drift, SchemaChange
    from abtest.stats.sketches import Sketch

ALPHA = 0.05
FLOOR = 0.1  # of the distance: less does not matter, however sure it is


def drift(
    baseline: Mapping[str, Sketch],
    recent: Mapping[str, Sketch],
    *,
    predictions: tuple[Sketch | None, Sketch | None] = (None, None),
    alpha: float = ALPHA,
    floor: float = FLOOR,
) -> tuple[tuple[Drift, ...], tuple[SchemaChange, ...]]:
    """Compare every feature, and the predictions.

    Args:
        baseline: What features held, by name.
        recent: Likewise.
        predictions: What was predicted in the baseline and in the recent window.
        alpha: The false discovery rate.
        floor: The least distance that is drift.
    """
    raise NotImplementedError
