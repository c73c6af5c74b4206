"""Losses of predicted probabilities, one a row, and the average precision of a score.

A matrix of probabilities has a row of the data in each row and a class in each column. Both sides' matrices are first
brought to the same columns, by the names of the classes: ``all_classes``, then ``align``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.delong import boolean_column
from abtest.stats.moments import finite_column
from abtest.stats.precision import descending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label, Side
    from abtest.stats.placements import Counts, Floats

TOLERANCE = 1e-6  # single precision sums to one within this
_ROUNDING = 5e-9  # and within this more for each class
_FEW_COLUMNS = 6
LEAST = float(np.finfo(np.float64).eps)  # a probability counts as, and as much from 1 at most


def check_probabilities(matrix: npt.ArrayLike, side: Side, rows: npt.NDArray[np.int64] | None = None) -> Floats:
    """Read a side's matrix of probabilities.

    Args:
        matrix: Shape (rows, classes).
        side: Whose.
        rows: The rows' numbers in the data, for messages; from 1 by default.

    Raises:
        InvalidInputError: A value is no number in [0, 1], or a row does not sum to 1 within about 1e-6; with a count of
            rows and the first of them.
    """
    try:
        read = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{side} probabilities must be a matrix of numbers.") from None
    if read.ndim != 2 or read.shape[1] < 1:
        raise InvalidInputError(f"{side} probabilities must have a row a row and a column a class, got {read.shape}.")
    if not (read.min(initial=0) >= 0 and read.max(initial=0) <= 1):  # NaN too
        outside = ~((read >= 0) & (read <= 1))
        wrong = np.flatnonzero(outside.any(axis=1))
        got = read[wrong[0]][outside[wrong[0]]][0]
        raise InvalidInputError(
            f"{side} probabilities must be in [0, 1], got {got:g} {_where(wrong, rows)}.",
            hint="are these scores? A probability comes from predict_proba.",
        )
    sums = _row_sums(read)
    wrong = np.flatnonzero(np.abs(sums - 1) > tolerance(read.shape[1]))
    if wrong.size:
        raise InvalidInputError(
            f"{side} probabilities must sum to 1 in every row, got {sums[wrong[0]]:.7g} {_where(wrong, rows)}.",
            hint="is a class missing, or is each class predicted on its own?",
        )
    return read


def tolerance(classes: int) -> float:
    """How far from 1 a row's probabilities of so many classes may sum."""
    return TOLERANCE + _ROUNDING * classes


def all_classes(truth: Sequence[Label], *models: Sequence[Label]) -> tuple[Label, ...]:
    """List the classes of the truth, then those that only a model knows, in its order.

    Example:
        >>> all_classes(["cat", "dog"], ["dog", "cat"], ["cat", "dog", "eel"])
        ('cat', 'dog', 'eel')
    """
    return tuple(dict.fromkeys([*truth, *(label for model in models for label in model)]))


def align(
    probabilities: Floats, model_classes: Sequence[Label], classes: Sequence[Label]
) -> tuple[Floats, tuple[Label, ...]]:
    """Order a model's columns by the names of the classes.

    A class the model does not know gets probability 0 in every row. A class that only a model knows is among
    ``classes`` and keeps its column: that probability was given to what never happened.

    Args:
        probabilities: Shape (rows, model's classes).
        model_classes: The names of its columns.
        classes: What ``all_classes`` lists.

    Returns:
        The matrix, shape (rows, classes), and the classes the model does not know.

    Raises:
        InvalidInputError: The names do not fit the columns, repeat, or are not all among ``classes``.

    Example:
        >>> align(np.array([[0.9, 0.1]]), ["dog", "cat"], ["cat", "dog", "eel"])
        (array([[0.1, 0.9, 0. ]]), ('eel',))
    """
    if probabilities.shape[1] != len(model_classes):
        raise InvalidInputError(
            f"probabilities must have a column for each of {wording.plural(len(model_classes), 'class', 'classes')}, "
            f"got {probabilities.shape[1]}."
        )
    for name, listed in (("model_classes", model_classes), ("classes", classes)):
        if len(set(listed)) != len(listed):
            raise InvalidInputError(f"{name} must not repeat, got {list(listed)}.")
    column = {label: at for at, label in enumerate(classes)}
    strange = [label for label in model_classes if label not in column]
    if strange:
        raise InvalidInputError(
            f"classes must hold every class of the model, got none named {strange[0]!r}.", hint="use all_classes."
        )
    aligned = np.zeros((probabilities.shape[0], len(classes)))
    aligned[:, [column[label] for label in model_classes]] = probabilities
    return aligned, tuple(label for label in classes if label not in set(model_classes))


def log_loss_rows(y_index: npt.ArrayLike, probabilities: Floats) -> Floats:
    """Compute each row's log loss: minus the natural logarithm of the probability given to the truth.

    Probabilities are clipped to [ε, 1 − ε] with ε = 2.2e-16, the spacing of doubles at 1, as in scikit-learn: a certain
    mistake costs 36.04. There ε follows the matrix's own type; here it does not, lest a side in single precision pay
    less for the same mistake.

    Args:
        y_index: The column of each row's truth, shape (rows,).
        probabilities: Shape (rows, classes).

    Raises:
        InvalidInputError: The truth points at no column.

    References:
        Good (1952), Journal of the Royal Statistical Society B 14:107.

    Example:
        >>> log_loss_rows([0, 1], np.array([[0.5, 0.5], [0.8, 0.2]])).round(3).tolist()
        [0.693, 1.609]
    """
    given = np.take_along_axis(probabilities, _columns(y_index, probabilities)[:, None], axis=1)[:, 0]
    return np.asarray(-np.log(np.clip(given, LEAST, 1 - LEAST)))


def brier_rows(y_index: npt.ArrayLike, probabilities: Floats) -> Floats:
    """Compute each row's Brier score.

    Multiclass, it is Brier's own: the sum over classes of (probability − [class is the truth])², in [0, 2]. With two
    columns it is half of that, which is (probability of the positive class − [row is positive])², in [0, 1]. So a third
    class on either side doubles the scale of both: align both to the same columns first.

    Args:
        y_index: The column of each row's truth, shape (rows,).
        probabilities: Shape (rows, classes).

    Raises:
        InvalidInputError: The truth points at no column.

    References:
        Brier (1950), Monthly Weather Review 78:1.

    Example:
        >>> brier_rows([0, 1], np.array([[0.5, 0.5], [0.8, 0.2]])).round(2).tolist()
        [0.25, 0.64]
        >>> brier_rows([2], np.array([[0.5, 0.3, 0.2]])).round(2).tolist()
        [0.98]
    """
    rows = squared_distance_rows(y_index, probabilities)
    return rows / 2 if probabilities.shape[1] == 2 else rows


def squared_distance_rows(y_index: npt.ArrayLike, probabilities: Floats) -> Floats:
    """Compute each row's Brier score unhalved: the sum over classes of (probability − [class is the truth])².

    Args:
        y_index: The column of each row's truth, shape (rows,).
        probabilities: Shape (rows, classes).

    Raises:
        InvalidInputError: The truth points at no column.

    Example:
        >>> squared_distance_rows([0, 1], np.array([[0.5, 0.5], [0.8, 0.2]])).round(2).tolist()
        [0.5, 1.28]
    """
    distance = probabilities.copy()
    distance[np.arange(len(distance)), _columns(y_index, probabilities)] -= 1
    return _row_sums(np.square(distance, out=distance))


def average_precision(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Compute the average precision: precision at each score where recall rises, weighted by how much it rises.

    Rows of one score are found together, so their order is irrelevant; nothing is interpolated.

    Args:
        positive: Whether each row is of the positive class: booleans, or 0 and 1.
        scores: Greater meaning more likely positive; any scale.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: No row is positive.

    References:
        Zhu (2004), Recall, Precision and Average Precision, University of Waterloo.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
        0.8333
    """
    truth = boolean_column(positive)
    column = finite_column(scores, "scores", rows=truth.size)
    positives = int(truth.sum())
    if not positives:
        raise NotApplicableError("average_precision needs a positive row, got none.")
    order, falls = descending(column)
    hits = np.cumsum(truth[order])[falls]
    return float((np.diff(hits, prepend=0) / positives) @ (hits / (falls + 1)))


def _row_sums(matrix: Floats) -> Floats:
    """Add up each row; of few columns one by one, which is many times as fast."""
    if matrix.shape[1] > _FEW_COLUMNS:
        return np.asarray(matrix.sum(axis=1))
    total = matrix[:, 0].copy()
    for column in matrix.T[1:]:
        total += column
    return total


def _columns(y_index: npt.ArrayLike, probabilities: Floats) -> Counts:
    index = np.asarray(y_index)
    rows, classes = probabilities.shape
    if index.shape != (rows,) or index.dtype.kind not in "iu":
        raise InvalidInputError(
            f"y_index must be a whole number for each of {wording.plural(rows, 'row')}, "
            f"got {index.dtype} of shape {index.shape}."
        )
    wrong = np.flatnonzero((index < 0) | (index >= classes))
    if wrong.size:
        raise InvalidInputError(f"y_index must be in [0, {classes - 1}], got {index[wrong[0]]} {_where(wrong, None)}.")
    return index.astype(np.int64)


def _where(wrong: npt.NDArray[np.intp], rows: npt.NDArray[np.int64] | None) -> str:
    first = int(wrong[0]) + 1 if rows is None else int(rows[wrong[0]])
    return f"(first: row {wording.whole(first)}; {wording.plural(wrong.size, 'row')} in all)"
