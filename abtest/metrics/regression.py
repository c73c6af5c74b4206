"""Regression: errors of both sides as mergeable sums, and MAE, RMSE, R², bias and losses of one's own from them.

An error is prediction − truth. Every number here needs only means, spreads and cross products, so rows are summed once
and thrown away.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError, near
from abtest.stats.moments import MOST, Moments, PairedMoments, PairedT, finite_column, paired_t, student_quantile
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from abtest.labels import Side

Floats: TypeAlias = npt.NDArray[np.float64]
RegressionMetric: TypeAlias = Literal["mae", "rmse", "r2", "bias"]
METRICS: tuple[RegressionMetric, ...] = get_args(RegressionMetric)
LOWER_IS_BETTER: dict[RegressionMetric, bool] = {"mae": True, "rmse": True, "r2": False, "bias": True}  # bias: its size

MOST_ERROR = math.sqrt(MOST)
_CONSTANT = 1e-24  # variance of the truth, as a share of its mean square, that is but rounding
_ROUNDING = 1e-12  # a spread below this share of the losses is what rounding leaves, not a spread
_PARTS = ("truth", "errors", "absolute", "squared")
_LOSSES = {"mae": "absolute", "rmse": "squared", "r2": "squared", "bias": "errors"}  # whose means are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionOutcomes:
    """Both sides' errors on the same rows, summed; merging is ``+``.

    Attributes:
        truth: Moments of the truth.
        errors: Of prediction − truth.
        absolute: Of the errors' sizes.
        squared: Of the errors' squares.
        losses: Of losses of the user's own, by name.

    Example:
        >>> outcomes = RegressionOutcomes.of([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], [2.0, 2.0, 3.0])
        >>> [round(outcomes.value("r2", side), 12) for side in ("champion", "challenger")]
        [-1.0, 0.5]
    """

    truth: Moments
    errors: PairedMoments
    absolute: PairedMoments
    squared: PairedMoments
    losses: Mapping[str, PairedMoments] = field(default_factory=dict, hash=False)

    @classmethod
    def of(
        cls,
        y_true: npt.ArrayLike,
        champion: npt.ArrayLike,
        challenger: npt.ArrayLike,
        losses: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]] | None = None,
    ) -> RegressionOutcomes:
        """Sum a batch of rows.

        Args:
            y_true: The truth, shape (rows,).
            champion: The champion's predictions, shape (rows,).
            challenger: The challenger's, likewise.
            losses: By name, the champion's loss of each row, and the challenger's.

        Raises:
            InvalidInputError: Columns of different lengths; a number that is not finite; errors too large to square.
        """
        y = finite_column(y_true, "y_true", most=MOST)
        sides = (("champion", champion), ("challenger", challenger))
        predicted = {
            side: finite_column(column, f"{side} predictions", rows=y.size, most=MOST) for side, column in sides
        }
        first, second = (
            finite_column(column - y, f"{side} errors", most=MOST_ERROR) for side, column in predicted.items()
        )
        return cls(
            truth=Moments.of(y),
            errors=PairedMoments.of(first, second),
            absolute=PairedMoments.of(np.abs(first), np.abs(second)),
            squared=PairedMoments.of(np.square(first), np.square(second)),
            losses={name: PairedMoments.of(*pair, f"losses {name}") for name, pair in (losses or {}).items()},
        )

    @property
    def n(self) -> int:
        """Rows."""
        return self.truth.n

    def value(self, metric: str, side: Side) -> float:
        """Compute one side's metric.

        Raises:
            InvalidInputError: There is no such metric.
            NotApplicableError: There are no rows, or for R² the truth does not vary.
        """
        mean = self.losses_of(metric).side(side).mean
        if not self.n:
            raise NotApplicableError("There are no rows to compare.")
        if metric == "rmse":
            return math.sqrt(max(mean, 0.0))
        return 1 - max(mean, 0.0) / self.truth_spread() if metric == "r2" else mean

    def losses_of(self, metric: str) -> PairedMoments:
        """The losses whose means a metric compares: for ``rmse`` and ``r2`` squared errors, for ``bias`` the errors.

        Raises:
            InvalidInputError: There is no such metric.
        """
        if metric in _LOSSES:
            found: PairedMoments = getattr(self, _LOSSES[metric])
            return found
        if metric not in self.losses:
            known = [*METRICS, *self.losses]
            raise InvalidInputError(
                f"metric must be one of {', '.join(known)}, got {metric!r}.", hint=near(metric, known)
            )
        return self.losses[metric]

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
            losses={name: pair.swapped() for name, pair in self.losses.items()},
        )

    def alone(self, side: Side) -> RegressionOutcomes:
        """Let one side be both: what is known of it by itself."""
        return RegressionOutcomes(
            truth=self.truth,
            errors=self.errors.alone(side),
            absolute=self.absolute.alone(side),
            squared=self.squared.alone(side),
            losses={name: pair.alone(side) for name, pair in self.losses.items()},
        )

    def __add__(self, other: RegressionOutcomes) -> RegressionOutcomes:
        if not (self.n and other.n):
            return self if self.n else other
        if set(self.losses) != set(other.losses):
            told = " and ".join(", ".join(part.losses) or "none" for part in (self, other))
            raise InvalidInputError(f"losses must be the same to be added up, got {told}.")
        return RegressionOutcomes(
            truth=self.truth + other.truth,
            errors=self.errors + other.errors,
            absolute=self.absolute + other.absolute,
            squared=self.squared + other.squared,
            losses={name: pair + other.losses[name] for name, pair in self.losses.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Spell the sums as plain data."""
        plain = {name: getattr(self, name).to_dict() for name in _PARTS}
        return {**plain, "losses": {name: pair.to_dict() for name, pair in self.losses.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RegressionOutcomes:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that, or its parts count different rows.
        """
        if not isinstance(data, dict) or set(data) != {*_PARTS, "losses"} or not isinstance(data["losses"], dict):
            raise InvalidInputError(f"RegressionOutcomes must hold {', '.join(_PARTS)}, losses.")
        truth = Moments.from_dict(data["truth"])
        pairs = {name: PairedMoments.from_dict(data[name]) for name in _PARTS[1:]}
        losses = {name: PairedMoments.from_dict(pair) for name, pair in data["losses"].items()}
        if any(pair.n != truth.n for pair in (*pairs.values(), *losses.values())):
            raise InvalidInputError("RegressionOutcomes must count the same rows in every part.")
        return cls(truth=truth, **pairs, losses=losses)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitSums:
    """Losses of rows that come in units, summed by unit.

    Attributes:
        rows: Of each unit, shape (units,).
        losses: By name ("errors", "absolute", "squared", or one of the user's own) the champion's and the challenger's,
            shape (units, 2).
    """

    rows: Floats
    losses: Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionComparison:
    """One metric on both sides.

    Attributes:
        metric: Which.
        champion: The champion's value.
        challenger: The challenger's value.
        effect: Challenger minus champion.
        improvement: The effect, signed so that positive is better; for bias, how much nearer to 0 it is.
        interval: Of the effect; None where it is not estimable, and for ``rmse`` and ``r2``, which are no means of
            losses: resample rows for them.
        statistic: Student's t of the test below, with the sign of the effect; None where it cannot be asked.
        pvalue: Two-sided: of equal mean loss; for ``rmse`` and ``r2`` the loss is the squared error. For ``bias``, of
            mean errors that are equally far from 0.
    """

    metric: str
    champion: float
    challenger: float
    effect: float
    improvement: float
    interval: Interval | None
    statistic: float | None
    pvalue: float | None


def compare(
    outcomes: RegressionOutcomes,
    metric: str,
    *,
    confidence_level: float = 0.95,
    greater_is_better: bool = False,
    units: UnitSums | None = None,
) -> RegressionComparison:
    """Compare both sides by one metric, with a paired t test.

    Null:
        Equal mean absolute error (``mae``), mean squared error (``rmse``, ``r2``) or mean loss. For ``bias``, mean
        errors of equal size: then their difference or their sum is 0. Each is tested, and the greater p counts: an
        intersection–union test, which keeps its level, and where both biases are near 0 stays well below it.

    Assumes:
        Rows, or units where they are given, are independent, and enough of them for a mean of losses to be normal.

    Args:
        outcomes: The sums.
        metric: Which.
        confidence_level: Nominal coverage of the interval.
        greater_is_better: Whether more of a loss of the user's own is better.
        units: Where rows come in units, their sums.

    Raises:
        InvalidInputError: There is no such metric, or the level is no level.
        NotApplicableError: There are no rows, or for R² the truth does not vary.

    References:
        Student (1908), Biometrika 6:1. Diebold & Mariano (1995), Journal of Business & Economic Statistics 13:253, of
        which this is the case of rows without order. Berger (1982), Technometrics 24:295, for the greater p.

    Example:
        >>> outcomes = RegressionOutcomes.of([1.0, 2.0, 3.0, 4.0], [1.5, 1.0, 4.0, 4.5], [1.2, 1.8, 3.0, 4.0])
        >>> ours = compare(outcomes, "mae")
        >>> round(ours.effect, 3), round(ours.improvement, 3), round(ours.pvalue, 4)
        (-0.65, 0.65, 0.0249)
    """
    normal_quantile(confidence_level)  # refuses what is no level
    champion, challenger = outcomes.value(metric, "champion"), outcomes.value(metric, "challenger")
    losses, is_mean = outcomes.losses_of(metric), metric not in {"rmse", "r2"}
    sums = None if units is None else units.losses[_LOSSES.get(metric, metric)]
    tests = [_tested(losses, units, None if sums is None else sums[:, 1] - sums[:, 0], confidence_level)]
    if metric == "bias":
        other = None if sums is None else sums[:, 1] + sums[:, 0]
        tests.append(_tested(_opposed(losses), units, other, confidence_level))
    effect = losses.effect if is_mean else challenger - champion
    statistic, pvalue = _least(tests)
    better = greater_is_better if metric not in LOWER_IS_BETTER else metric == "r2"
    nearer = abs(champion) - abs(challenger)
    return RegressionComparison(
        metric=metric,
        champion=champion,
        challenger=challenger,
        effect=effect,
        improvement=nearer if metric == "bias" else effect if better else 0.0 - effect,  # not -0.0
        interval=tests[0].interval if is_mean and tests[0] else None,
        statistic=None if statistic is None else math.copysign(statistic, effect) if statistic else 0.0,
        pvalue=pvalue,
    )


def unit_t(losses: PairedMoments, rows: Floats, differences: Floats, *, confidence_level: float = 0.95) -> PairedT:
    """Test whether two columns measured on the same rows have the same mean, where rows come in units.

    Null:
        The mean difference over rows is zero.

    Assumes:
        Units are independent; their rows may depend on each other in any way. There are enough units, about 30, for
        their sum to be normal. A few huge units are few units.

    Args:
        losses: Of all rows.
        rows: Of each unit, shape (units,).
        differences: By unit, the challenger's sum less the champion's, shape (units,).
        confidence_level: Nominal coverage of the interval.

    Returns:
        t = Δ/√(U/(U − 1)·Σ(d − Δ·rows)²/n²) on U − 1 degrees of freedom, with Δ = Σd/n over U units and n rows. With
        one row a unit it is the paired t test.

    Raises:
        NotApplicableError: There are no rows, or there is a difference and units do not vary about it.

    References:
        Liang & Zeger (1986), Biometrika 73:13, for the variance; Cochran (1977), Sampling Techniques, section 6.4, for
        that of a ratio.

    Example:
        >>> pairs = PairedMoments.of([1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 1.0, 1.5])
        >>> test = unit_t(pairs, np.array([2.0, 1.0, 1.0]), np.array([2.0, 0.0, 0.5]))
        >>> test.effect, round(test.standard_error, 4), round(test.pvalue, 4)
        (0.625, 0.3014, 0.1738)
    """
    n, n_units, effect = losses.n, rows.size, losses.effect
    if not n:
        raise NotApplicableError("There are no rows to compare.")
    squares = float(np.square(differences - effect * rows).sum())
    rounding = _ROUNDING * math.sqrt(max(losses.champion.mean_square, losses.challenger.mean_square))
    if n_units < 2 or math.sqrt(squares / n) <= rounding:
        if abs(effect) > rounding:
            told = "the only unit" if n_units == 1 else "every unit"
            raise NotApplicableError(f"The test by unit needs differences that vary, got {effect:g} in {told}.")
        return PairedT(effect=effect, standard_error=0.0, statistic=0.0, pvalue=1.0, interval=None)
    error = math.sqrt(n_units / (n_units - 1) * squares) / n
    half = student_quantile(n_units - 1, confidence_level) * error
    return PairedT(
        effect=effect,
        standard_error=error,
        statistic=effect / error,
        pvalue=min(1.0, 2 * float(special.stdtr(n_units - 1, -abs(effect / error)))),
        interval=Interval(lower=effect - half, upper=effect + half),
    )


def _tested(losses: PairedMoments, units: UnitSums | None, differences: Floats | None, level: float) -> PairedT | None:
    """Test a mean difference; None for a constant one: there it is, with nothing to judge it by."""
    with contextlib.suppress(NotApplicableError):
        if units is not None and differences is not None:
            return unit_t(losses, units.rows, differences, confidence_level=level)
        return paired_t(losses, confidence_level=level)
    return None


def _opposed(pair: PairedMoments) -> PairedMoments:
    """The same rows with the champion's signs changed, so that the difference is the sum of both sides."""
    spread = 2 * (pair.champion.squares + pair.challenger.squares)
    rest = spread - pair.difference.squares  # 2·S₁ + 2·S₂ − S(challenger − champion) = S(challenger + champion)
    total = Moments(
        n=pair.n,
        mean=pair.champion.mean + pair.challenger.mean,
        squares=rest if rest > _ROUNDING * spread else 0.0,  # below, the subtraction leaves nothing but rounding
    )
    return PairedMoments(champion=pair.champion.negated(), challenger=pair.challenger, difference=total)


def _least(tests: list[PairedT | None]) -> tuple[float | None, float | None]:
    """The statistic's size and the p-value of the test that says least; one that is surely 0 settles it."""
    found = [test for test in tests if test is not None]
    if any(test.standard_error == 0 for test in found):
        return 0.0, 1.0
    if len(found) < len(tests):
        return None, None
    return min(abs(test.statistic) for test in found), max(test.pvalue for test in found)
