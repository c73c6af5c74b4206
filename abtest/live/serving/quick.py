"""What scikit-learn's estimators compute of a few rows, without what they do around it.

Around it are checks of what was checked already, and for a forest a pool of threads. These are private matters of
scikit-learn, so a quick way is only taken where it was tried when the model was loaded: see ``served``.
"""

from __future__ import annotations

import copy
import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Predict = Callable[[Array], Any]

FEW = 32  # rows; of more, what is around them is little
_LINEAR = {"LinearClassifierMixin", "LinearModel", "MultiOutputLinearModel", "Ridge"}  # whose predict it is


def quick(steps: list[Any], plain: Predict) -> Predict | None:
    """Give a quick way to predict a few rows; None where there is none.

    Args:
        steps: A pipeline's, the last of which predicts.
        plain: The plain way, for many rows and for whatever is not finite on the way.
    """
    *before, last = steps
    scalers = [_scaler(step) for step in before]
    predict = _forest(last) or _boosting(last) or _linear(last)
    if predict is None and not any(scalers):
        return None
    predict = predict or last.predict
    transforms = [scaler or step.transform for scaler, step in zip(scalers, before, strict=True)]

    def few(features: Array) -> Any:  # noqa: ANN401 - labels
        if len(features) > FEW:
            return plain(features)
        moved = features
        for transform in transforms:
            moved = transform(moved)
        found = predict(moved)
        return plain(features) if found is None else found

    return few


def _forest(estimator: Any) -> Predict | None:  # noqa: ANN401 - any estimator
    """Ask trees one after the other, in this thread."""
    known = {"RandomForestClassifier", "ExtraTreesClassifier", "RandomForestRegressor", "ExtraTreesRegressor"}
    if type(estimator).__name__ not in known or estimator.n_outputs_ != 1:
        return None
    trees, classes = [tree.tree_ for tree in estimator.estimators_], getattr(estimator, "classes_", None)

    def predict(features: Array) -> Any:  # noqa: ANN401 - labels
        narrow = estimator._validate_X_predict(features)  # noqa: SLF001 - what its predict begins with
        total = trees[0].predict(narrow)
        for tree in trees[1:]:  # in the order in which a forest without jobs sums them
            total += tree.predict(narrow)
        total /= len(trees)
        return total[:, 0] if classes is None else classes.take(total.argmax(axis=1))

    return predict


def _boosting(estimator: Any) -> Predict | None:  # noqa: ANN401 - any estimator
    """Ask its trees in one thread: of one row, starting more takes longer than the trees do."""
    if type(estimator).__name__ not in {"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"}:
        return None
    alone = copy.copy(estimator)
    alone._raw_predict = functools.partial(estimator._raw_predict, n_threads=1)  # noqa: SLF001 - its predict has no such argument
    return alone.predict  # type: ignore[no-any-return] # scikit-learn has no types


def _linear(estimator: Any) -> Predict | None:  # noqa: ANN401 - any estimator
    """Multiply and add; None of an answer that is not finite, which the estimator has its own words for."""
    owner = next(kind for kind in type(estimator).__mro__ if "predict" in vars(kind)).__qualname__
    if owner not in _LINEAR or type(estimator.coef_) is not np.ndarray:
        return None
    weights, intercept, classes = estimator.coef_.T, estimator.intercept_, getattr(estimator, "classes_", None)
    two = classes is not None and weights.ndim == 2 and weights.shape[1] == 1

    def predict(features: Array) -> Any:  # noqa: ANN401 - labels
        with np.errstate(all="ignore"):
            scores = features @ weights + intercept
            if not math.isfinite(scores.sum()):
                return None
        if classes is None:
            return scores
        return classes.take((scores[:, 0] > 0).astype(np.intp) if two else scores.argmax(axis=1))

    return predict


def _scaler(step: Any) -> Callable[[Array], Array] | None:  # noqa: ANN401 - any transformer
    """Subtract and divide."""
    if type(step).__name__ != "StandardScaler":
        return None
    mean, scale = step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None

    def transform(features: Array) -> Array:
        if features.dtype != np.float64:  # others it casts first
            return step.transform(features)  # type: ignore[no-any-return] # scikit-learn has no types
        moved = features if mean is None else features - mean
        return moved if scale is None else moved / scale

    return transform
