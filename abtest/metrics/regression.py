"""Regression: errors of both sides as mergeable sums, and MAE, RMSE, R² and bias from them.

An error is prediction − truth. Every number here needs only means, spreads and cross products, so rows are summed once
and thrown away.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, NotApplicableError, near
from abtest.stats.moments import MOST, Moments, PairedMoments, finite_column, has_spread, paired_t, student_quantile
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.labels import Side

RegressionMetric: TypeAlias = Literal["mae", "rmse", "r2", "bias"]
METRICS: tuple[RegressionMetric, ...] = get_args(RegressionMetric)
LOWER_IS_BETTER: dict[RegressionMetric, bool] = {"mae": True, "rmse": True, "r2": False, "bias": True}  # bias: its size

_MOST_ERROR = math.sqrt(MOST)
_CONSTANT = 1e-24  # variance of the truth, as a share of its mean square, that is but rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionOutcomes:
    """Both sides' errors on the same rows, summed; merging is ``+``.

    Attributes:
        truth: Moments of the truth.
        errors: Of prediction − truth.
        absolute: Of the errors' sizes.
        squared: Of the errors' squares.

    Example:
        >>> outcomes = RegressionOutcomes.of([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], [2.0, 2.0, 3.0])
        >>> [round(outcomes.value("r2", side), 12) for side in ("champion", "challenger")]
        [-1.0, 0.5]
    """

    truth: Moments
    errors: PairedMoments
    absolute: PairedMoments
    squared: PairedMoments

    @classmethod
    def of(cls, y_true: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike) -> RegressionOutcomes:
        """Sum a batch of rows.

        Raises:
            InvalidInputError: Columns of different lengths; a number that is not finite; errors too large to square.
        """
        y = finite_column(y_true, "y_true", most=MOST)
        sides = (("champion", champion), ("challenger", challenger))
        predicted = {
            side: finite_column(column, f"{side} predictions", rows=y.size, most=MOST) for side, column in sides
        }
        first, second = (
            finite_column(column - y, f"{side} errors", most=_MOST_ERROR) for side, column in predicted.items()
        )
        return cls(
            truth=Moments.of(y),
            errors=PairedMoments.of(first, second),
            absolute=PairedMoments.of(np.abs(first), np.abs(second)),
            squared=PairedMoments.of(np.square(first), np.square(second)),
        )

    @property
    def n(self) -> int:
        """Rows."""
        return self.truth.n

    def value(self, metric: RegressionMetric, side: Side) -> float:
        """Compute one side's metric.

        Raises:
            InvalidInputError: There is no such metric.
            NotApplicableError: There are no rows, or for R² the truth does not vary.
        """
        if metric not in METRICS:
            raise InvalidInputError(
                f"metric must be one of {', '.join(METRICS)}, got {metric!r}.", hint=near(metric, METRICS)
            )
        if not self.n:
            raise NotApplicableError("There are no rows to compare.")
        mean_square = max(self.squared.side(side).mean, 0.0)
        if metric == "mae":
            return self.absolute.side(side).mean
        if metric == "rmse":
            return math.sqrt(mean_square)
        if metric == "bias":
            return self.errors.side(side).mean
        return 1 - mean_square / self.truth_spread()

    def truth_spread(self) -> float:
        """Mean squared distance of the truth from its mean: what R² divides by.

        Raises:
            NotApplicableError: The truth does not vary.
        """
        if self.n < 2 or self.truth.squares <= _CONSTANT * self.n * self.truth.mean_square:
            raise NotApplicableError("r2 needs a truth that varies, got one value.")
        return self.truth.squares / self.n

    def swapped(self) -> RegressionOutcomes:
        """Let the sides change places."""
        return RegressionOutcomes(
            truth=self.truth,
            errors=self.errors.swapped(),
            absolute=self.absolute.swapped(),
            squared=self.squared.swapped(),
        )

    def __add__(self, other: RegressionOutcomes) -> RegressionOutcomes:
        return RegressionOutcomes(
            truth=self.truth + other.truth,
            errors=self.errors + other.errors,
            absolute=self.absolute + other.absolute,
            squared=self.squared + other.squared,
        )

    def to_dict(self) -> dict[str, Any]:
        """Spell the sums as plain data."""
        return {field.name: getattr(self, field.name).to_dict() for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RegressionOutcomes:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that, or its parts count different rows.
        """
        names = ["truth", "errors", "absolute", "squared"]
        if not isinstance(data, dict) or set(data) != set(names):
            raise InvalidInputError(f"RegressionOutcomes must hold {', '.join(names)}.")
        truth = Moments.from_dict(data["truth"])
        pairs = {name: PairedMoments.from_dict(data[name]) for name in names[1:]}
        if any(pair.n != truth.n for pair in pairs.values()):
            raise InvalidInputError("RegressionOutcomes must count the same rows in every part.")
        return cls(truth=truth, **pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionComparison:
    """One metric on both sides.

    Attributes:
        metric: Which.
        champion: The champion's value.
        challenger: The challenger's value.
        effect: Challenger minus champion.
        improvement: The effect, signed so that positive is better; for bias, how much nearer to 0 it is.
        interval: Of the effect; None where it is not estimable, and for ``r2``: the truth's variance, which R² divides
            by, varies with the rows too, and these sums do not hold how. Resample rows for it.
        statistic: Student's t of the test below, with the sign of the effect; None where it cannot be asked.
        pvalue: Two-sided: of equal mean absolute error for ``mae``, equal mean squared error for ``rmse`` and ``r2``,
            equal mean error for ``bias``.
    """

    metric: RegressionMetric
    champion: float
    challenger: float
    effect: float
    improvement: float
    interval: Interval | None
    statistic: float | None
    pvalue: float | None


def compare(
    outcomes: RegressionOutcomes, metric: RegressionMetric, *, confidence_level: float = 0.95
) -> RegressionComparison:
    """Compare both sides by one metric, with a paired t test.

    Null:
        Equal mean absolute error (``mae``), mean squared error (``rmse``, ``r2``) or mean error (``bias``).

    Assumes:
        Rows are independent, and enough of them for a mean of losses to be normal. The interval of ``rmse`` is the
        delta method's: exact only in the limit, and not the test's inversion, so at the edge they may disagree.

    Args:
        outcomes: The sums.
        metric: Which.
        confidence_level: Nominal coverage of the interval.

    Raises:
        InvalidInputError: There is no such metric, or the level is no level.
        NotApplicableError: There are no rows, or for R² the truth does not vary.

    References:
        Student (1908), Biometrika 6:1. Diebold & Mariano (1995), Journal of Business & Economic Statistics 13:253, of
        which this is the case of rows without order.

    Example:
        >>> outcomes = RegressionOutcomes.of([1.0, 2.0, 3.0, 4.0], [1.5, 1.0, 4.0, 4.5], [1.2, 1.8, 3.0, 4.0])
        >>> ours = compare(outcomes, "mae")
        >>> round(ours.effect, 3), round(ours.improvement, 3), round(ours.pvalue, 4)
        (-0.65, 0.65, 0.0249)
    """
    normal_quantile(confidence_level)  # refuses what is no level
    champion, challenger = outcomes.value(metric, "champion"), outcomes.value(metric, "challenger")
    losses = {"mae": outcomes.absolute, "bias": outcomes.errors}.get(metric, outcomes.squared)
    statistic = pvalue = interval = None
    with contextlib.suppress(NotApplicableError):  # a constant difference: there it is, with nothing to judge it by
        test = paired_t(losses, confidence_level=confidence_level)
        # A smaller squared error is a greater R²: its statistic goes with its effect.
        statistic, pvalue = (-test.statistic if metric == "r2" else test.statistic), test.pvalue
        if metric == "rmse":
            interval = _rmse_interval(losses, challenger - champion, confidence_level)
        elif metric != "r2":
            interval = test.interval
    nearer = abs(champion) - abs(challenger)
    effect = losses.effect if metric in {"mae", "bias"} else challenger - champion
    return RegressionComparison(
        metric=metric,
        champion=champion,
        challenger=challenger,
        effect=effect,
        improvement=nearer if metric == "bias" else -effect if LOWER_IS_BETTER[metric] else effect,
        interval=interval,
        statistic=statistic,
        pvalue=pvalue,
    )


def _rmse_interval(squared: PairedMoments, effect: float, confidence_level: float) -> Interval | None:
    """Bound √(mean challenger) − √(mean champion) by the delta method, from the covariance of the squared errors."""
    if not has_spread(squared) or min(squared.champion.mean, squared.challenger.mean) <= 0:
        return None  # a side without error has no slope
    slope_champion, slope_challenger = -0.5 / math.sqrt(squared.champion.mean), 0.5 / math.sqrt(squared.challenger.mean)
    # g₁²V₁ + g₂²V₂ + 2g₁g₂C, with C by the variance of the difference: nearly equal sides do not cancel.
    both = slope_champion + slope_challenger
    variance = both * (slope_champion * squared.champion.variance + slope_challenger * squared.challenger.variance)
    variance -= slope_champion * slope_challenger * squared.difference.variance
    half = student_quantile(squared.n - 1, confidence_level) * math.sqrt(max(variance, 0.0) / squared.n)
    return Interval(lower=effect - half, upper=effect + half)
