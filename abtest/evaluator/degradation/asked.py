"""What is asked of windows: which metrics, how averaged, how sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abtest.evaluator.rows import Skipped
from abtest.metrics.catalogue import SCORES, resolve
from abtest.metrics.classification import Average, Metric, positive_index
from abtest.metrics.costs import COST
from abtest.metrics.custom import custom_loss, is_custom
from abtest.outcomes import PairedOutcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label

NEED_SCORES = "Tracked predictions are labels, without scores."
NEEDS_COSTS = "Costs are a policy's, and monitoring has none."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is computed of tables of labels.

    Attributes:
        metrics: Which.
        average: How classes are averaged.
        positive: Index of the positive label, where the average is of one.
        confidence: Of intervals.
    """

    metrics: tuple[Metric, ...]
    average: Average
    positive: int | None
    confidence: float

    @classmethod
    def of(
        cls,
        metrics: Sequence[str],
        labels: tuple[Label, ...],
        *,
        average: Average,
        pos_label: Label | None,
        confidence: float,
    ) -> Asked:
        """Find the metrics of the table, and the positive label among those that occur."""
        nothing = PairedOutcomes(labels=labels, cells=np.zeros((0, 4), dtype=np.int64))
        return cls(
            metrics=resolve([name for name in metrics if name not in (*SCORES, COST)], {}),
            average=average,
            positive=positive_index(nothing, average, pos_label) if labels else None,
            confidence=confidence,
        )


def not_asked(metrics: Sequence[str]) -> tuple[Skipped, ...]:
    """Name the metrics that no window has."""
    scores = [Skipped(what=name, why=NEED_SCORES) for name in metrics if name in SCORES]
    return (*scores, *(Skipped(what=name, why=NEEDS_COSTS) for name in metrics if name == COST))


def errors_greater_is_better(name: str) -> bool:
    """Whether more of a regression's metric is better."""
    if is_custom(name):
        return custom_loss(name).greater_is_better
    return name == "r2"
