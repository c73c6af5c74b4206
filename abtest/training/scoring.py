"""What ranks, as scikit-learn asks for it: a fitted estimator and rows in, one number out, greater being better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import NotApplicableError
from abtest.metrics.catalogue import SCORES
from abtest.metrics.probability import average_precision, brier_rows, log_loss_rows
from abtest.metrics.regression import LOWER_IS_BETTER

if TYPE_CHECKING:
    from abtest.scores import Kind

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
LESS_IS_BETTER = frozenset({*LOWER_IS_BETTER, "log_loss", "brier"}) - {"r2"}
_LOSSES = {"log_loss": log_loss_rows, "brier": brier_rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A metric of the catalogue as scikit-learn's ``scoring``.

    Attributes:
        metric: Which; its values are those of the catalogue, turned so that greater is better.
        classes: All classes, sorted; none of a regression.
        done: Called after each fit that was scored.
    """

    metric: str
    classes: Sequence[Any] = ()
    done: Callable[[], None] = lambda: None

    @property
    def sign(self) -> int:
        """What turns the metric so that greater is better, and back."""
        return -1 if self.metric in LESS_IS_BETTER else 1

    def __call__(self, estimator: Any, features: Any, truth: Array) -> float:  # noqa: ANN401 - any library's estimator
        """Score one fit on rows that it has not seen."""
        try:
            return self.sign * self._value(estimator, features, truth)
        finally:
            self.done()

    def _value(self, estimator: Any, features: Any, truth: Array) -> float:  # noqa: ANN401 - see above
        if self.metric not in SCORES:
            return _of_labels(self.metric, truth, np.asarray(estimator.predict(features)))
        return of_scores(
            self.metric, *scores_of(estimator, features, self.classes), np.searchsorted(self.classes, truth)
        )


def of_scores(metric: str, kind: Kind, matrix: Floats, truth: Array) -> float:
    """A metric of probabilities, or of what ranks rows, in its own unit.

    Of two classes areas are those of the second; of more, the mean over those that the truth has.

    Args:
        metric: Which.
        kind: What the matrix holds.
        matrix: Shape (rows, classes).
        truth: The column of each row's class, shape (rows,).

    Raises:
        NotApplicableError: A loss needs probabilities, an area rows of two classes.
    """
    if metric in _LOSSES:
        if kind == "score":
            raise NotApplicableError(f"{metric} needs probabilities, and predict_proba is not there.")
        return float(_LOSSES[metric](truth, matrix).mean())
    area = _area if metric == "roc_auc" else average_precision
    columns = [1] if matrix.shape[1] == 2 else np.unique(truth).tolist()
    return float(np.mean([area(truth == k, matrix[:, k]) for k in columns]))


def scores_of(estimator: Any, features: Any, classes: Sequence[Any]) -> tuple[Kind, Floats]:  # noqa: ANN401 - any library's estimator
    """Probabilities of all classes, or what ranks rows as they would; shape (rows, classes).

    A class that this fit has not seen is given nothing.

    Raises:
        NotApplicableError: The estimator has neither.
    """
    if callable(getattr(estimator, "predict_proba", None)):
        kind, raw, missing = "probability", np.asarray(estimator.predict_proba(features), dtype=np.float64), 0.0
    elif callable(getattr(estimator, "decision_function", None)):
        kind, raw, missing = "score", np.asarray(estimator.decision_function(features), dtype=np.float64), -np.inf
        raw = np.column_stack([-raw, raw]) if raw.ndim == 1 else raw
    else:
        raise NotApplicableError("it has neither predict_proba nor decision_function.")
    matrix = np.full((len(raw), len(classes)), missing)
    matrix[:, np.searchsorted(classes, estimator.classes_)] = raw
    if kind == "score":
        matrix = np.maximum(matrix, raw.min() - 1)  # below all, and finite
    return kind, matrix  # type: ignore[return-value] # one of the two


def _of_labels(metric: str, truth: Array, predicted: Array) -> float:
    """A metric of labels or numbers; of classes, averaged over those that the truth has, as in the catalogue."""
    from sklearn import metrics  # noqa: PLC0415 - slow to import

    if metric in {"precision", "recall", "f1"}:
        of = getattr(metrics, f"{metric}_score")
        return float(of(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))
    if metric == "accuracy":
        return float(np.mean(truth == predicted))
    errors = np.asarray(predicted, dtype=np.float64) - truth
    if metric == "mae":
        return float(np.abs(errors).mean())
    square = float(np.square(errors).mean())
    if metric == "rmse":
        return float(np.sqrt(square))
    if truth.min() == truth.max():
        raise NotApplicableError("r2 needs a truth that varies in every fold.")
    return 1 - square / float(truth.var())


def _area(positive: Array, scores: Floats) -> float:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - slow to import

    if positive.all() or not positive.any():
        raise NotApplicableError("roc_auc needs rows of two classes in every fold.")
    return float(roc_auc_score(positive, scores))
