"""Two windows of one model in, changes out: whether a metric has fallen, by how much, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.monitored import Change, MetricPoint, MetricSummary, Point, Sequential
    from abtest.evaluator.rows import Skipped
    from abtest.labels import Label
    from abtest.metrics.classification import Average
    from abtest.windows import Tallied, Window


def changes(
    baseline: Window,
    recent: Window,
    metrics: Sequence[str],
    *,
    threshold: float,
    average: Average = "macro",
    pos_label: Label | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[tuple[Change, ...], tuple[Skipped, ...]]:
    """Compare each metric over all rows, and over each segment that both windows have.

    Args:
        baseline: What was.
        recent: What is.
        metrics: Names in the catalogue, all of the windows' task.
        threshold: The fall that matters: of shares in their own unit (0.05 is five points), of other numbers as a share
            of the baseline's value.
        average: How precision, recall and F1 are averaged.
        pos_label: The positive label, for "binary".
        confidence: Of intervals; each test is one-sided, at the level 1 − confidence.
        resamples: Draws where there is no formula.
        seed: Of the draws.
    """
    raise NotImplementedError


def points(window: Window, metrics: Sequence[str], seconds: int, **options: object) -> tuple[Point, ...]:
    """Each period of a window with its metrics and their intervals."""
    raise NotImplementedError


def metric_points(tallied: Tallied, metrics: Sequence[str], **options: object) -> tuple[MetricPoint, ...]:
    """The metrics of some rows."""
    raise NotImplementedError


def summaries(
    found: Sequence[Point], whole: Tallied, metrics: Sequence[str], **options: object
) -> tuple[MetricSummary, ...]:
    """Sum up each metric over the periods."""
    raise NotImplementedError


def sequential(baseline: Window, since: Window, *, confidence: float = 0.95) -> tuple[Sequential, ...]:
    """Look at the stream of errors, at any time: of all rows, and of each segment."""
    raise NotImplementedError
