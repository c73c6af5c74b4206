"""How a metric moves with each row: its linear part, from which its spread follows, of rows or of whole days.

Accuracy, precision, recall and F1 are ratios of sums, and averages of such; so is what one more row does to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.errors import NotApplicableError
from abtest.metrics.classification import ratio
from abtest.metrics.totals import Floats, SideCells, Totals

if TYPE_CHECKING:
    from abtest.metrics.classification import Average, Metric

_RATIOS = {"precision": (1, 1, 0), "recall": (1, 0, 1), "f1": (2, 1, 1)}  # hits over predicted and support
_MOST_BYTES = 32 << 20
_PSEUDO = 2  # rows a class: one right, one missed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """A metric of one table or of many.

    Attributes:
        values: Shape (...).
        influence: What a row of each cell adds to the value, as if it were one of n rows whose contributions are
            averaged; shape (..., cells). Over a table's rows it adds up to 0.
    """

    values: Floats
    influence: Floats

    def variance(self, weights: Floats) -> Floats:
        """The variance of the values where rows are independent, shape (...)."""
        n = weights.sum(axis=-1)
        return ratio((weights * np.square(self.influence)).sum(axis=-1), n * n)


def linear(
    metric: Metric, of: Totals, *, average: Average, positive: int | None, among: npt.NDArray[np.bool_]
) -> Linear:
    """Take a metric apart into what each row adds to it.

    Args:
        metric: Which.
        of: The tables' totals, of weights of shape (..., cells).
        average: How classes are averaged.
        positive: Index of the positive label, for "binary".
        among: The classes over which averages run, shape (..., labels).

    References:
        Hampel (1974), Journal of the American Statistical Association 69:383, for influence; Casella & Berger (2002),
        Statistical Inference, section 5.5.4, for the delta method.

    Example:
        >>> from abtest.metrics.classification import CATALOGUE
        >>> from abtest.metrics.totals import totals
        >>> from abtest.outcomes import PairedOutcomes
        >>> table = PairedOutcomes.from_predictions([0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 0])
        >>> found = linear(CATALOGUE["recall"], totals(table, "champion"), average="macro", positive=None,
        ...     among=np.array([True, True]))
        >>> float(found.values), found.influence.tolist()  # of the cells 0 → 0, 1 → 0 and 1 → 1
        (0.75, [0.0, -0.5, 0.5])
    """
    weights = np.asarray(of.weights, dtype=np.float64)
    n = weights.sum(axis=-1)
    hit = of.truth == of.said
    if metric.is_accuracy:
        share = ratio((weights * hit).sum(axis=-1), n)
        return Linear(values=share, influence=hit - share[..., None])
    if metric.name not in _RATIOS or metric.whole is not None:
        return _numeric(metric, of, weights)
    hits, predicted, support = _RATIOS[metric.name]
    bottom = predicted * of.predicted + support * of.support
    by_class = ratio(hits * of.hits, bottom)
    held = _shares(of, average, positive, among)
    values = (held * by_class).sum(axis=-1)
    pull = ratio(held, bottom)
    back = pull * by_class
    moved = hits * pull[..., of.truth] * hit - predicted * back[..., of.said] - support * back[..., of.truth]
    if average == "weighted":  # a row also shifts what its class weighs
        rows = (among * of.support).sum(axis=-1)
        off = among * (by_class - values[..., None])
        moved = moved + ratio(off[..., of.truth], rows[..., None])
    return Linear(values=values, influence=n[..., None] * moved)


def smoothed(of: Totals, among: npt.NDArray[np.bool_]) -> Totals:
    """Move every class towards one right row, one missed and one taken for it by mistake, its rows staying as many.

    The spread of few rows that are all right would be 0; of these tables it never is. For one share this is the rule of
    Agresti and Coull, whose rows more make intervals of few rows hold.

    Args:
        of: Totals of weights of shape (..., cells).
        among: The classes over which averages run, shape (..., labels).

    Returns:
        Totals over one label more, which is no class: it is said of the missed row, and true of the mistaken one.

    References:
        Agresti & Caffo (2000), The American Statistician 54:280.
    """
    classes = np.flatnonzero(of.is_class)
    nothing = np.full(classes.size, len(of.labels))
    cells = SideCells(
        labels=(*of.labels, ""),
        truth=np.concatenate([of.truth, classes, classes, nothing]),
        said=np.concatenate([of.said, classes, nothing, classes]),
        is_class=np.concatenate([of.is_class, [False]]),
    )
    shrink = np.where(among, ratio(of.support, of.support + _PSEUDO), 1.0)
    added = np.where(among, shrink, 0.0)[..., classes]
    weights = np.concatenate([of.weights * shrink[..., of.truth], added, added, added], axis=-1)
    return Totals(cells=cells, weights=weights)


def _shares(of: Totals, average: Average, positive: int | None, among: npt.NDArray[np.bool_]) -> Floats:
    """What each class's value weighs in the average, shape (..., labels)."""
    if average == "binary":
        return np.broadcast_to(np.arange(len(of.labels)) == positive, of.support.shape).astype(np.float64)
    kept = among * of.support if average == "weighted" else np.broadcast_to(among, of.support.shape).astype(np.float64)
    return ratio(kept, kept.sum(axis=-1, keepdims=True))


def _numeric(metric: Metric, of: Totals, weights: Floats) -> Linear:
    """Any other metric: by half a row more and half a row less of each cell."""
    if weights.ndim > 1:
        each = [_numeric(metric, replace(of, weights=own), own) for own in weights]
        values, influence = (np.array([getattr(one, name) for one in each]) for name in ("values", "influence"))
        return Linear(values=values, influence=influence)
    if metric.whole is None:
        raise NotApplicableError(f"{metric.name} is no function of a table.")
    whole, cells, n = metric.whole, weights.size, weights.sum()
    at_once = max(1, _MOST_BYTES // (16 * cells))
    parts = []
    for start in range(0, cells, at_once):
        half = 0.5 * np.eye(cells)[start : start + at_once]
        more, less = (whole(replace(of, weights=weights + sign * half)) for sign in (1, -1))
        parts.append(more - less)
    return Linear(values=np.asarray(whole(of), dtype=np.float64), influence=n * np.concatenate(parts))
