"""One metric of a window as an estimate: its value, and how far that may be off by rows, and by days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import NotApplicableError
from abtest.evaluator.degradation.rows import summed
from abtest.metrics.catalogue import unit
from abtest.metrics.influence import Linear, linear, smoothed
from abtest.stats.falls import Estimate
from abtest.stats.spread import Design, cluster_degrees, cluster_variance, clustered, mean_size
from abtest.windows import DAY, HOUR

if TYPE_CHECKING:
    from abtest.evaluator.degradation.asked import Asked
    from abtest.evaluator.degradation.rows import ErrorHours, Hours, LabelledHours
    from abtest.metrics.classification import Metric
    from abtest.metrics.totals import Totals

Floats: TypeAlias = npt.NDArray[np.float64]
Marks: TypeAlias = npt.NDArray[np.bool_]

LEAST_CLUSTERS = 5  # of days, or else hours: of fewer no spread can be told
NAMES = {DAY: "day", HOUR: "hour"}
_CONSTANT = 1e-24  # of the truth's mean square: a spread below this share is what rounding leaves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A metric of one window, before it is known what its rows share.

    Attributes:
        value: The metric.
        variance: Of it, were rows independent; None where only clusters can tell.
        by_hour: What the rows of each hour add to it.
        rows: As many rows as a share of this variance is of; None of what is no share.
        degrees: Of freedom of the variance.
    """

    value: float
    variance: float | None
    by_hour: Floats
    rows: float | None = None
    degrees: float = math.inf

    def estimate(self, design: Design) -> Estimate:
        """Put in what rows share."""
        degrees = min(self.degrees, design.degrees)
        variance = (self.variance or 0.0) * design.effect
        if self.rows is None:
            return Estimate(value=self.value, variance=variance, degrees=degrees)
        return Estimate(
            value=self.value, variance=variance, degrees=degrees, is_share=True, rows=self.rows / design.effect
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """What is taken as independent in two windows.

    Attributes:
        seconds: Of a cluster; None where rows are.
        numbers: The cluster of each hour, in each window that has enough of them.
    """

    seconds: int | None
    numbers: tuple[npt.NDArray[np.intp] | None, npt.NDArray[np.intp] | None] = (None, None)

    @classmethod
    def of(cls, windows: tuple[Hours, Hours]) -> Clusters:
        """Days where a window has five with labels, else hours, else rows."""
        for seconds in (DAY, HOUR):
            first, second = (_enough(window.clusters(seconds)) for window in windows)
            if first is not None or second is not None:
                return cls(seconds=seconds, numbers=(first, second))
        return cls(seconds=None)

    @property
    def count(self) -> int | None:
        """How many, in both windows together."""
        found = [int(own.max()) + 1 for own in self.numbers if own is not None]
        return sum(found) if found else None

    @property
    def lent(self) -> bool:
        """Whether one window's spread is taken from the other's."""
        return self.seconds is not None and any(own is None for own in self.numbers)

    def estimates(self, found: tuple[Measured, Measured], windows: tuple[Hours, Hours]) -> tuple[Estimate, Estimate]:
        """Put in what rows of one cluster share; a window of too few clusters takes it from the other.

        Raises:
            NotApplicableError: Only clusters could tell the spread, and there are too few.
        """
        own = [_design(*parts) for parts in zip(found, windows, self.numbers, strict=True)]
        if any(one.variance is None for one in found):
            first, second = (_by_clusters(*parts) for parts in zip(found, windows, self.numbers, strict=True))
            return first, second
        designs = [
            design or (other.lent(self._size(window)) if other else Design())
            for design, other, window in zip(own, reversed(own), windows, strict=True)
        ]
        return found[0].estimate(designs[0]), found[1].estimate(designs[1])

    def _size(self, window: Hours) -> float | None:
        if self.seconds is None or (numbers := window.clusters(self.seconds)) is None:
            return None
        return mean_size(summed(numbers, window.rows))


def _enough(numbers: npt.NDArray[np.intp] | None) -> npt.NDArray[np.intp] | None:
    return numbers if numbers is not None and numbers.size and numbers.max() + 1 >= LEAST_CLUSTERS else None


def _design(found: Measured, window: Hours, numbers: npt.NDArray[np.intp] | None) -> Design | None:
    if numbers is None or found.variance is None:
        return None
    influence, rows = (summed(numbers, column) for column in (found.by_hour, window.rows))
    return clustered(influence, rows, found.variance)


def _by_clusters(found: Measured, window: Hours, numbers: npt.NDArray[np.intp] | None) -> Estimate:
    if numbers is None:
        raise NotApplicableError(f"It needs {LEAST_CLUSTERS} days, or hours, with labels in both windows.")
    influence, rows = (summed(numbers, column) for column in (found.by_hour, window.rows))
    return Estimate(value=found.value, variance=cluster_variance(influence, rows), degrees=cluster_degrees(rows))


def shares(metric: Metric, of: Totals, asked: Asked, among: Marks) -> tuple[Linear, Floats, Floats | None]:
    """A metric of tables, with its variance were rows independent, and how many rows a share is of.

    Returns:
        The metric; variances, shape (...); and rows, shape (...), None of what is no share.
    """
    found = linear(metric, of, average=asked.average, positive=asked.positive, among=among)
    if unit(metric.name) != "share":
        return found, found.variance(np.asarray(of.weights, dtype=np.float64)), None
    if metric.is_accuracy:
        n = np.asarray(of.weights.sum(axis=-1), dtype=np.float64)
        share = (found.values * n + 1) / (n + 2)
        return found, share * (1 - share) / n, n
    smooth = smoothed(of, among)
    wider = np.concatenate([among, np.zeros((*among.shape[:-1], 1), dtype=np.bool_)], axis=-1)
    near = linear(metric, smooth, average=asked.average, positive=asked.positive, among=wider)
    variance = near.variance(smooth.weights)
    rows = near.values * (1 - near.values) / np.where(variance > 0, variance, np.inf)
    return found, variance, np.maximum(rows, np.finfo(np.float64).tiny)


def measured(metric: Metric, window: LabelledHours, asked: Asked, among: Marks) -> Measured:
    """A metric of all rows of a window."""
    of = window.totals()
    found, variance, rows = shares(metric, of, asked, among)
    return Measured(
        value=float(found.values),
        variance=float(variance),
        by_hour=window.by_hour(found.influence) / of.weights.sum(),
        rows=None if rows is None else float(rows),
        degrees=math.inf if metric.whole is not None else _fewest(of, asked, among),
    )


def _fewest(of: Totals, asked: Asked, among: Marks) -> float:
    """Degrees of freedom of a mean over classes: of few rows of one its spread is hardly known."""
    if asked.average == "weighted":
        return math.inf
    kept = among if asked.positive is None else np.arange(len(of.labels)) == asked.positive
    return max(1.0, float(of.support[kept].min()) - 1)


def measured_errors(name: str, window: ErrorHours) -> Measured:
    """A regression's metric of all rows of a window.

    Raises:
        NotApplicableError: For R² the truth does not vary.
    """
    part = {"mae": "absolute", "rmse": "squared", "r2": "squared", "bias": "errors"}.get(name, name)
    n, mean, squares, _ = _pooled(window, part)
    off = window.rows * (window.means[part] - mean) / n
    variance, degrees = squares / max(n - 1, 1) / n, max(n - 1, 1)
    if name == "rmse":
        root = math.sqrt(max(mean, 0.0))
        slope = 0.5 / root if root else 0.0
        return Measured(value=root, variance=slope * slope * variance, by_hour=slope * off, degrees=degrees)
    if name == "r2":
        _, centre, spread, about = _pooled(window, "truth")
        if n < 2 or spread <= _CONSTANT * (spread + n * centre * centre):
            raise NotApplicableError("r2 needs a truth that varies, got one value.")
        lost = n * mean / spread
        return Measured(
            value=1 - lost, variance=None, by_hour=(lost * about - window.rows * window.means[part]) / spread
        )
    return Measured(value=mean, variance=variance, by_hour=off, degrees=degrees)


def _pooled(window: ErrorHours, part: str) -> tuple[float, float, float, Floats]:
    """Rows, mean, sum of squared deviations from it, and what each hour has of these."""
    n = float(window.rows.sum())
    mean = float(window.rows @ window.means[part] / n)
    own = window.squares[part] + window.rows * np.square(window.means[part] - mean)
    return n, mean, float(own.sum()), own
