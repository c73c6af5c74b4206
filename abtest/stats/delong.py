"""The area under the ROC curve: exactly by ranks, with DeLong's test of two; or within a bound, from a histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.moments import PairedMoments, finite_column
from abtest.stats.proportions import Interval, normal_quantile

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BINS = 1 << 16  # a power of two, so that finding a score's bin is exact


@dataclass(frozen=True, slots=True, kw_only=True)
class DeLong:
    """Two areas on the same rows, and the test of their difference.

    Attributes:
        champion: The champion's area.
        challenger: The challenger's area.
        champion_variance: Of the champion's area.
        challenger_variance: Of the challenger's area.
        covariance: Of the two areas.
        effect: Challenger minus champion.
        standard_error: Of the effect.
        interval: Of the effect, within [-1, 1]; None where it is not estimable.
        statistic: z, the effect in standard errors.
        pvalue: Two-sided.
    """

    champion: float
    challenger: float
    champion_variance: float
    challenger_variance: float
    covariance: float
    effect: float
    standard_error: float
    interval: Interval | None
    statistic: float
    pvalue: float


def delong(
    positive: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike, *, confidence_level: float = 0.95
) -> DeLong:
    """Test whether two scores of the same rows have the same area under the ROC curve.

    Null:
        The two areas are equal.

    Assumes:
        Rows are independent. Conservative from areas of about .96 with few rows of a class.

    Args:
        positive: Whether each row is of the positive class: booleans, or 0 and 1.
        champion: The champion's scores, greater meaning more likely positive; any scale.
        challenger: The challenger's scores.
        confidence_level: Nominal coverage of the interval.

    Returns:
        z = 0 and p = 1 where both scores rank every positive among the negatives alike.

    Raises:
        InvalidInputError: Columns of different lengths, scores that are not finite, or a level that is none.
        NotApplicableError: Fewer than two rows of a class; or areas that differ without any spread to judge it by.

    References:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837. Sun & Xu (2014), IEEE Signal Processing Letters
        21:1389, for ranks instead of pairs: a row's midrank among all less its midrank in its own class counts the
        rows of the other class below it, ties as halves.

    Example:
        >>> test = delong([0, 0, 1, 0, 1, 1], [1, 2, 3, 4, 5, 6], [1, 4, 3, 2, 6, 5])
        >>> round(test.champion, 4), round(test.challenger, 4), test.effect, test.pvalue
        (0.8889, 0.8889, 0.0, 1.0)
    """
    z = normal_quantile(confidence_level)
    truth = boolean_column(positive)
    first, second = (
        Placements.of(truth, finite_column(scores, f"{side} scores", rows=truth.size))
        for side, scores in (("champion", champion), ("challenger", challenger))
    )
    p, q = first.above.size, first.below.size
    if min(p, q) < 2:
        raise NotApplicableError(f"DeLong's test needs 2 rows of each class, got {p} positive and {q} negative.")
    # In whole numbers twice the pairs won: no two scores that order the pairs alike ever seem to differ.
    above, below = PairedMoments.of(first.above, second.above), PairedMoments.of(first.below, second.below)

    def variance(of_positives: float, of_negatives: float) -> float:
        return of_positives / (4 * q * q * p * (p - 1)) + of_negatives / (4 * p * p * q * (q - 1))

    effect = (second.won - first.won) / (2 * p * q)
    error = math.sqrt(variance(above.difference.squares, below.difference.squares))
    if error == 0 and effect != 0:
        raise NotApplicableError(
            f"DeLong's test needs ranks that vary, got areas of {first.area:g} and {second.area:g} without spread."
        )
    statistic = effect / error if error else 0.0
    return DeLong(
        champion=first.area,
        challenger=second.area,
        champion_variance=variance(above.champion.squares, below.champion.squares),
        challenger_variance=variance(above.challenger.squares, below.challenger.squares),
        covariance=variance(above.cross, below.cross),
        effect=effect,
        standard_error=error,
        interval=Interval(lower=max(effect - z * error, -1.0), upper=min(effect + z * error, 1.0)) if error else None,
        statistic=statistic,
        pvalue=min(1.0, 2 * float(special.ndtr(-abs(statistic)))),
    )


def auc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Compute the area under the ROC curve: how often a positive outscores a negative, ties counting half.

    Args:
        positive: Whether each row is of the positive class.
        scores: Greater meaning more likely positive; any scale.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: A class has no row.

    References:
        Mann & Whitney (1947), Annals of Mathematical Statistics 18:50. Hanley & McNeil (1982), Radiology 143:29.

    Example:
        >>> auc([False, True, False, True], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    truth = boolean_column(positive)
    return Placements.of(truth, finite_column(scores, "scores", rows=truth.size)).area


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreHistogram:
    """Scores in [0, 1] of both classes, counted in equal bins; merging is ``+``.

    Pairs that share a bin count as ties, so the area is known to within half of them.

    Attributes:
        positives: Positive rows by bin, shape (bins,).
        negatives: Negative rows by bin, shape (bins,).

    Example:
        >>> histogram = ScoreHistogram.of([False, True, False, True], [0.1, 0.4, 0.400001, 0.8])
        >>> histogram.auc, histogram.error_bound
        (0.875, 0.125)
    """

    positives: Counts
    negatives: Counts

    @classmethod
    def of(cls, positive: npt.ArrayLike, scores: npt.ArrayLike, *, bins: int = BINS) -> ScoreHistogram:
        """Count rows.

        Raises:
            InvalidInputError: Scores that are not in [0, 1], or columns of different lengths.
        """
        truth = boolean_column(positive)
        column = unit_column(scores, "scores", rows=truth.size)
        bin_of = np.minimum((column * bins).astype(np.int64), bins - 1)
        return cls(
            positives=np.bincount(bin_of[truth], minlength=bins), negatives=np.bincount(bin_of[~truth], minlength=bins)
        )

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        if self.positives.size != other.positives.size:
            raise InvalidInputError(f"bins must be alike, got {self.positives.size} and {other.positives.size}.")
        return ScoreHistogram(positives=self.positives + other.positives, negatives=self.negatives + other.negatives)

    @property
    def auc(self) -> float:
        """The area with every pair in one bin a tie.

        Raises:
            NotApplicableError: A class has no row.
        """
        twice_below = 2 * np.cumsum(self.negatives) - self.negatives
        return _dot(self.positives, twice_below) / (2 * self._pairs())

    @property
    def error_bound(self) -> float:
        """How far, at most, ``auc`` is from the exact area: half the share of pairs that fall in one bin.

        Raises:
            NotApplicableError: A class has no row.
        """
        return _dot(self.positives, self.negatives) / (2 * self._pairs())

    def _pairs(self) -> int:
        return _pairs(int(self.positives.sum()), int(self.negatives.sum()))


def boolean_column(positive: npt.ArrayLike) -> Flags:
    """Read which rows are positive.

    Raises:
        InvalidInputError: They are neither booleans nor 0 and 1.
    """
    column = np.asarray(positive)
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise InvalidInputError(f"positive must be one boolean a row, got {column.dtype} of shape {column.shape}.")
    wrong = np.flatnonzero((column != 0) & (column != 1))
    if wrong.size:
        raise InvalidInputError(
            f"positive must be booleans, or 0 and 1, got {column[wrong[0]]} in row {wording.whole(int(wrong[0]) + 1)}."
        )
    return column.astype(np.bool_)


def unit_column(values: npt.ArrayLike, what: str, *, rows: int) -> Floats:
    """Read numbers in [0, 1].

    Raises:
        InvalidInputError: They are not; with a count and the first row.
    """
    column = finite_column(values, what, rows=rows)
    wrong = np.flatnonzero((column < 0) | (column > 1))
    if wrong.size:
        raise InvalidInputError(
            f"{what} must be in [0, 1], got {column[wrong[0]]:g} (first: row {wording.whole(int(wrong[0]) + 1)}; "
            f"{wording.plural(wrong.size, 'row')} in all)."
        )
    return column


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placements:
    """Where each row stands in the other class, in the order of the rows: twice the pairs it wins, ties as one.

    Attributes:
        above: Of each positive, twice the negatives below it, shape (positives,).
        below: Of each negative, twice the positives above it, shape (negatives,).
    """

    above: Counts
    below: Counts

    @classmethod
    def of(cls, truth: Flags, scores: Floats) -> Placements:
        """Place the rows, by one sort a class."""
        positives, negatives = (scores[np.flatnonzero(of)] for of in (truth, ~truth))  # faster than by booleans
        up, down = np.argsort(positives), np.argsort(negatives)
        high, low = positives[up], negatives[down]  # sorted on both sides, a search walks instead of jumping
        less, upto = (np.searchsorted(low, high, side=side) for side in ("left", "right"))
        above, below = np.empty(high.size, dtype=np.int64), np.empty(low.size, dtype=np.int64)
        above[up] = less + upto
        # A positive is at most the negative at place j where less <= j, and below it where upto <= j.
        not_won = np.bincount(less, minlength=low.size + 1) + np.bincount(upto, minlength=low.size + 1)
        below[down] = 2 * high.size - np.cumsum(not_won)[: low.size]
        return cls(above=above, below=below)

    @property
    def won(self) -> int:
        """Twice the pairs in which the positive outscores the negative."""
        return int(self.above.sum())

    @property
    def area(self) -> float:
        """The area under the ROC curve.

        Raises:
            NotApplicableError: A class has no row.
        """
        return self.won / (2 * _pairs(self.above.size, self.below.size))


def _pairs(positives: int, negatives: int) -> int:
    if not (positives and negatives):
        raise NotApplicableError(
            f"The ROC curve needs rows of both classes, got {positives} positive and {negatives} negative."
        )
    return positives * negatives


def _dot(left: Counts, right: Counts) -> int:
    """Multiply and add in Python's integers: billions of rows squared would leave those of NumPy."""
    return sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True) if a and b)
