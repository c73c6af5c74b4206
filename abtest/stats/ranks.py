"""What ranks say beyond one area: each row's influence on it, areas averaged over classes, precision, and curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.delong import DeLong, boolean_column
from abtest.stats.moments import finite_column
from abtest.stats.placements import Counts, Flags, Floats, Placements
from abtest.stats.precision import descending
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label

MOST_POINTS = 201  # of a curve: more than a figure can show apart


def influence(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[float, Floats]:
    """Compute the area under the ROC curve, and how far each row pulls it.

    Args:
        positive: Whether each row is of the positive class: booleans, or 0 and 1.
        scores: Greater meaning more likely positive; any scale.

    Returns:
        The area, and the rows' influences, shape (rows,). They add up to 0. The sum of their squares over rows² is
        DeLong's variance of the area, but for (P − 1)/P in the positives' part and (Q − 1)/Q in the negatives'.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: A class has no row.

    References:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837, for the components. Hampel (1974), Journal of the
        American Statistical Association 69:383, for influence.

    Example:
        >>> influence([False, True, False, True], [0.1, 0.4, 0.4, 0.8])
        (0.875, array([ 0.25, -0.25, -0.25, 0.25]))
    """
    truth = boolean_column(positive)
    placed = Placements.of(truth, finite_column(scores, "scores", rows=truth.size))
    area, p, q = placed.area, placed.above.size, placed.below.size
    rows = np.empty(truth.size)
    # The distances from the mean are whole numbers: scores that order the pairs alike influence alike, to the last bit.
    rows[truth] = (placed.above * p - placed.won) * (truth.size / (2 * p * p * q))
    rows[~truth] = (placed.below * q - placed.won) * (truth.size / (2 * p * q * q))
    return area, rows


def macro_areas(
    truth: npt.ArrayLike,
    champion: Floats,
    challenger: Floats,
    classes: Sequence[Label],
    *,
    confidence_level: float = 0.95,
) -> DeLong:
    """Test whether two matrices of scores have the same area, each class against the rest, averaged over classes.

    The average runs over the classes that the truth has. With two classes and columns that mirror each other it is
    DeLong's test.

    Null:
        The two averages are equal.

    Assumes:
        Rows are independent, and enough of each class for an average of areas to be normal.

    Args:
        truth: The column of each row's class, shape (rows,).
        champion: The champion's scores, shape (rows, classes); any scale.
        challenger: The challenger's scores.
        classes: The columns' names.
        confidence_level: Nominal coverage of the interval.

    Returns:
        z = 0 and p = 1 where both sides order all pairs alike. How many rows are of which class is taken to be chance
        too, as in resampling rows.

    Raises:
        InvalidInputError: Shapes that do not fit, scores that are not finite, or a level that is none.
        NotApplicableError: A class of the truth has fewer than two rows, or the others have; or the averages differ
            without any spread to judge it by.

    References:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837. Provost & Domingos (2000), Stern School Working
        Paper IS-00-04, for one class against the rest.

    Example:
        >>> scores = np.array([[3.0, 0.0], [1.0, 2.0], [2.0, 1.0], [0.0, 3.0]])
        >>> macro_areas([0, 0, 1, 1], scores, scores[:, ::-1], ["no", "yes"]).effect
        -0.5
    """
    z = normal_quantile(confidence_level)
    index = _class_column(truth, len(classes))
    counts = np.bincount(index, minlength=len(classes))
    _expect_rows(counts, classes)
    sides = [_against_the_rest(index, counts, matrix) for matrix in (champion, challenger)]
    (champion_areas, champion_pulls), (challenger_areas, challenger_pulls) = sides
    averages = float(champion_areas.mean()), float(challenger_areas.mean())
    effect = float(np.mean(challenger_areas - champion_areas))
    columns = (champion_pulls, challenger_pulls, challenger_pulls - champion_pulls)
    first, second, square = (_variance(index, counts, rows) for rows in columns)
    error = math.sqrt(square)
    if error == 0 and effect != 0:
        raise NotApplicableError(
            f"A test of areas needs ranks that vary, got {averages[0]:g} and {averages[1]:g} without spread."
        )
    statistic = effect / error if error else 0.0
    return DeLong(
        champion=averages[0],
        challenger=averages[1],
        champion_variance=first,
        challenger_variance=second,
        covariance=(first + second - square) / 2,
        effect=effect,
        standard_error=error,
        interval=Interval(lower=max(effect - z * error, -1.0), upper=min(effect + z * error, 1.0)) if error else None,
        statistic=statistic,
        pvalue=min(1.0, 2 * float(special.ndtr(-abs(statistic)))),
    )


def average_precision_draws(positive: npt.ArrayLike, scores: npt.ArrayLike, weights: Counts) -> Floats:
    """Compute the average precision of many resamples of the same rows.

    Null:
        None: one value a resample.

    Assumes:
        A weight says how often the row was drawn, so that it counts as so many rows.

    Args:
        positive: Whether each row is of the positive class.
        scores: Greater meaning more likely positive; any scale.
        weights: Shape (draws, rows).

    Returns:
        Shape (draws,); 0 where no positive row was drawn, as 0/0 is elsewhere.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.

    References:
        Zhu (2004), Recall, Precision and Average Precision, University of Waterloo.

    Example:
        >>> twice = np.array([[1, 1, 1, 1], [1, 2, 2, 0]])
        >>> average_precision_draws([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], twice).round(4)
        array([0.8333, 0.5 ])
    """
    return Ranking.of(positive, scores).average_precision(weights)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """Rows from the greatest score down, sorted once for any number of resamples.

    Attributes:
        order: The rows, shape (rows,).
        hits: Places of the positives in that order, shape (positives,).
        last_row: For each of them, the place of the last row of its score.
        last_hit: For each of them, which positive is the last of its score.
    """

    order: Counts
    hits: Counts
    last_row: Counts
    last_hit: Counts

    @classmethod
    def of(cls, positive: npt.ArrayLike, scores: npt.ArrayLike) -> Ranking:
        """Sort the rows.

        Raises:
            InvalidInputError: Columns of different lengths, or scores that are not finite.
        """
        truth = boolean_column(positive)
        column = finite_column(scores, "scores", rows=truth.size)
        order, ends = descending(column)
        hits = np.flatnonzero(truth[order])
        last_row = ends[np.searchsorted(ends, hits)]
        last_hit = np.searchsorted(hits, last_row, side="right") - 1  # rows of one score are found together
        return cls(order=order, hits=hits, last_row=last_row, last_hit=last_hit)

    def average_precision(self, weights: Counts) -> Floats:
        """See ``average_precision_draws``.

        Raises:
            InvalidInputError: There is not one weight for each row.
        """
        if weights.ndim != 2 or weights.shape[1] != self.order.size:
            raise InvalidInputError(
                f"weights must be one for each of {wording.plural(self.order.size, 'row')}, got {weights.shape}."
            )
        if not self.hits.size:
            return np.zeros(len(weights))
        drawn = np.take(weights, self.order, axis=1)
        found = np.take(drawn, self.hits, axis=1)  # recall rises at positives only
        true = np.cumsum(found, axis=1)
        called = np.take(np.cumsum(drawn, axis=1), self.last_row, axis=1)
        precision = np.take(true, self.last_hit, axis=1) / np.maximum(called, 1)  # where none is called, none is found
        return np.asarray((found * precision).sum(axis=1) / np.maximum(true[:, -1], 1))


def roc_points(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Trace the ROC curve: false-positive rate and true-positive rate at every score, from (0, 0) to (1, 1).

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: A class has no row.

    Example:
        >>> roc_points([False, True, False, True], [0.1, 0.4, 0.4, 0.8])
        (array([0. , 0. , 0.5, 1. ]), array([0. , 0.5, 1. , 1. ]))
    """
    hits, called = _found(positive, scores)
    p, q = int(hits[-1]), int(called[-1] - hits[-1])
    if not (p and q):
        raise NotApplicableError(f"The ROC curve needs rows of both classes, got {p} positive and {q} negative.")
    return (called - hits) / q, hits / p


def precision_recall_points(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Trace precision over recall, at every score where recall rises; from recall 0, with the first precision there.

    The steps to the left of the points, each as high as its point, have the area of the average precision.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: No row is positive.

    Example:
        >>> precision_recall_points([False, True, False, True], [0.1, 0.4, 0.4, 0.8])
        (array([0. , 0.5, 1. ]), array([1. , 1. , 0.66666667]))
    """
    hits, called = _found(positive, scores)
    if not hits[-1]:
        raise NotApplicableError("The precision–recall curve needs a positive row, got none.")
    rises = np.flatnonzero(np.diff(hits)) + 1
    precision = hits[rises] / called[rises]
    return np.r_[0.0, hits[rises] / hits[-1]], np.r_[precision[0], precision]


def thinned(x: Floats, y: Floats, *, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """Keep so many points of a curve, evenly along its length, both ends among them.

    Example:
        >>> thinned(np.linspace(0, 1, 1001), np.linspace(0, 1, 1001), most=3)
        (array([0. , 0.5, 1. ]), array([0. , 0.5, 1. ]))
    """
    if x.size <= most:
        return x, y
    along = np.r_[0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
    wanted = np.linspace(0, along[-1], most)[1:-1]
    at = np.unique(np.r_[0, np.searchsorted(along, wanted), x.size - 1])
    return x[at], y[at]


def _found(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Counts, Counts]:
    """Count positives, and rows, from each distinct score upwards; shape (1 + scores,), from none to all."""
    truth: Flags = boolean_column(positive)
    column = finite_column(scores, "scores", rows=truth.size)
    order, ends = descending(column)
    return np.r_[0, np.cumsum(truth[order])[ends]], np.r_[0, ends + 1]


def _expect_rows(counts: Counts, classes: Sequence[Label]) -> None:
    n = int(counts.sum())
    if not n:
        raise NotApplicableError("There are no rows to compare.")
    for label, rows in zip(classes, counts.tolist(), strict=True):
        if rows and min(rows, n - rows) < 2:
            raise NotApplicableError(
                f"The area of class {label!r} needs 2 rows of it and 2 of the rest, "
                f"got {wording.whole(rows)} and {wording.whole(n - rows)}."
            )


def _against_the_rest(index: Counts, counts: Counts, matrix: Floats) -> tuple[Floats, Floats]:
    """Compute the areas of the classes that have rows, and what each row does to their average."""
    if matrix.shape != (index.size, counts.size):
        raise InvalidInputError(f"scores must have shape {(index.size, counts.size)}, got {matrix.shape}.")
    present = np.flatnonzero(counts)
    areas, pulls = np.zeros(present.size), np.zeros(index.size)
    for at, k in enumerate(present):
        areas[at], own = influence(index == k, matrix[:, k])
        pulls += own / present.size
    return areas, pulls


def _class_column(truth: npt.ArrayLike, classes: int) -> Counts:
    index = np.asarray(truth)
    if index.ndim != 1 or (index.size and (index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= classes)):
        raise InvalidInputError(f"truth must be one whole number in [0, {classes - 1}] a row, got {index.dtype}.")
    return index.astype(np.int64)


def _variance(index: Counts, counts: Counts, rows: Floats) -> float:
    """Compute the variance of an average of influences: unbiased within classes, as DeLong's, plus that of the mix."""
    own = counts[counts > 0]
    means = (np.bincount(index, weights=rows, minlength=counts.size) / np.maximum(counts, 1))[index]
    within = np.bincount(index, weights=np.square(rows - means), minlength=counts.size)[counts > 0]
    return float((within @ (own / (own - 1)) + np.square(means).sum()) / index.size**2)
