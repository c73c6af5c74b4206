"""Estimators of scikit-learn that look at values in the order of columns only: they are asked with an array.

An array costs less than a data frame. Whether the answers are the same is tried when the model is loaded: see
``abtest.live.serving.served``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from abtest.live.serving.quick import quick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Predict = Callable[[npt.NDArray[Any]], Any]

# Modules of scikit-learn, as they are in 1.5 and in 1.9, whose estimators turn what they get into an array first. What
# selects columns by name, or hands frames to what somebody else wrote, is none of them.
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
_CHANGED = {"predict", "transform", "decision_function", "predict_proba", "_raw_predict", "_sklearn_output_config"}


def bare(estimator: Any, names: Sequence[str] | None, width: int) -> list[Predict]:  # noqa: ANN401 - any library's model
    """Give what predicts as the estimator does from an array, the quickest first; nothing where nobody knows.

    Args:
        estimator: Fitted.
        names: The columns that it would be fed as a frame; None of an array.
        width: How many.

    Example:
        >>> import numpy as np
        >>> from sklearn.compose import ColumnTransformer
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> model = LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])
        >>> bare(model, None, 1)[-1](np.array([[2.0]]))
        array(['yes'], dtype='<U3')
        >>> bare(make_pipeline(ColumnTransformer([]), model), None, 1)
        []
    """
    steps = [step for _, step in estimator.steps] if _is(estimator, ("pipeline",)) else [estimator]
    steps = [step for step in steps if step is not None and step != "passthrough"]
    *before, last = steps
    if not (_is(last, _PREDICTORS) and all(_is(step, _TRANSFORMERS) for step in before)):
        return []
    first = steps[0]
    fitted_on = getattr(first, "feature_names_in_", None)
    if getattr(first, "n_features_in_", None) != width or getattr(last, "is_categorical_", None) is not None:
        return []  # columns of categories are found by their types in a frame
    if fitted_on is not None and names is not None and [*fitted_on] != [*names]:
        return []
    steps = [_nameless(step) for step in steps]
    plain = steps[-1]
    if before:
        plain = copy.copy(estimator)
        plain.steps = [(str(at), step) for at, step in enumerate(steps)]
    found = quick(steps, plain.predict)
    return [found, plain.predict] if found else [plain.predict]


def _is(estimator: Any, modules: Sequence[str]) -> bool:  # noqa: ANN401 - any library's model
    """Whether its class is of one of scikit-learn's modules, and nobody has changed what the object does."""
    name = type(estimator).__module__
    if not any(name == f"sklearn.{module}" or name.startswith(f"sklearn.{module}.") for module in modules):
        return False
    in_place = getattr(estimator, "copy", True) is False  # it changes what it is given
    return not in_place and not vars(estimator).keys() & _CHANGED


def _nameless(estimator: Any) -> Any:  # noqa: ANN401 - any library's model
    """Copy an estimator without the names that it was fitted with: it would compare them, and warn of an array."""
    if not hasattr(estimator, "__dict__") or "feature_names_in_" not in vars(estimator):
        return estimator
    plain = copy.copy(estimator)
    del plain.feature_names_in_
    return plain
