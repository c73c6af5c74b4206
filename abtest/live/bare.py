"""Estimators of scikit-learn that look at values in the order of columns only: they are asked with an array.

An array costs less than a data frame, and so does a forest that is asked tree by tree, without a pool of threads for
one row. Whether the answers are the same is tried when the model is loaded: see ``abtest.live.serving``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Predict = Callable[[npt.NDArray[Any]], Any]

# By the modules of scikit-learn, as they are in 1.5 and in 1.9, whose estimators turn what they get into an array first.
# What selects columns by name, or hands frames to what somebody else wrote, is none of them.
_PREDICTORS = (
    "discriminant_analysis", "dummy", "ensemble._bagging", "ensemble._forest", "ensemble._gb",
    "ensemble._hist_gradient_boosting", "ensemble._weight_boosting", "gaussian_process", "isotonic", "kernel_ridge",
    "linear_model", "naive_bayes", "neighbors", "neural_network", "svm", "tree",
)  # fmt: skip
_TRANSFORMERS = (
    "decomposition", "feature_selection._univariate_selection", "feature_selection._variance_threshold",
    "impute._base", "kernel_approximation", "preprocessing._data", "preprocessing._discretization",
    "preprocessing._polynomial", "random_projection",
)  # fmt: skip
_FEW = 32  # rows up to which a forest is asked tree by tree


def bare(estimator: Any, names: Sequence[str] | None, width: int) -> Predict | None:  # noqa: ANN401 - any library's model
    """Give what predicts as the estimator does, from an array of its columns in order; None where nobody knows.

    Args:
        estimator: Fitted.
        names: The columns that it would be fed as a frame; None of an array.
        width: How many.

    Example:
        >>> from sklearn.compose import ColumnTransformer
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> model = LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])
        >>> bare(model, None, 1)(np.array([[2.0]]))
        array(['yes'], dtype='<U3')
        >>> bare(make_pipeline(ColumnTransformer([]), model), None, 1) is None
        True
    """
    steps = [step for _, step in estimator.steps] if _is(estimator, ("pipeline",)) else [estimator]
    *before, last = [step for step in steps if step is not None and step != "passthrough"]
    if not (_is(last, _PREDICTORS) and all(_is(step, _TRANSFORMERS) for step in before)):
        return None
    first = [*before, last][0]
    fitted_on = getattr(first, "feature_names_in_", None)
    if getattr(first, "n_features_in_", None) != width or getattr(last, "is_categorical_", None) is not None:
        return None  # columns of categories are found by their types in a frame
    if fitted_on is not None and names is not None and [*fitted_on] != [*names]:
        return None
    if not before:
        return _predict(_nameless(last))
    plain = copy.copy(estimator)
    plain.steps = [(name, _nameless(step)) for name, step in estimator.steps]
    return _predict(plain)


def _is(estimator: Any, modules: Sequence[str]) -> bool:  # noqa: ANN401 - any library's model
    """Whether its class is of one of scikit-learn's modules, and nobody has changed what the object does."""
    name = type(estimator).__module__
    ours = any(name == f"sklearn.{module}" or name.startswith(f"sklearn.{module}.") for module in modules)
    return ours and not vars(estimator).keys() & {"predict", "transform", "_sklearn_output_config"}


def _nameless(estimator: Any) -> Any:  # noqa: ANN401 - any library's model
    """Copy an estimator without the names that it was fitted with: it would compare them, and warn of an array."""
    if not hasattr(estimator, "__dict__") or "feature_names_in_" not in vars(estimator):
        return estimator
    plain = copy.copy(estimator)
    del plain.feature_names_in_
    return plain


def _predict(estimator: Any) -> Predict:  # noqa: ANN401 - any library's model
    return _forest(estimator) or estimator.predict


def _forest(estimator: Any) -> Predict | None:  # noqa: ANN401 - any library's model
    """Ask trees one after the other; None of what is no forest of one output."""
    kind = type(estimator).__name__
    if type(estimator).__module__ != "sklearn.ensemble._forest" or estimator.n_outputs_ != 1:
        return None
    classes = getattr(estimator, "classes_", None)
    if kind not in {"RandomForestClassifier", "ExtraTreesClassifier", "RandomForestRegressor", "ExtraTreesRegressor"}:
        return None
    trees = [tree.tree_ for tree in estimator.estimators_]

    def predict(features: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - labels
        if len(features) > _FEW:
            return estimator.predict(features)
        narrow = estimator._validate_X_predict(features)  # noqa: SLF001 - its own check; there is no public way
        total: Any = 0.0
        for tree in trees:  # in their order, as the forest sums them
            total = total + tree.predict(narrow)
        if classes is None:
            return total[:, 0] / len(trees)
        return classes.take(np.argmax(total / len(trees), axis=1))

    return predict
