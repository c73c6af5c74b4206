"""The estimator behind a model that MLflow has loaded: MLflow's wrapper takes more time than a cheap model does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abtest.loaders.scores import behind

if TYPE_CHECKING:
    from abtest.loaders.models import Model

_FLAVOR = "mlflow.sklearn"  # whose wrapper does nothing but predict, once the features are as the signature says


def is_wrapped(model: Model) -> bool:
    """Whether a model is one that MLflow has loaded, and not somebody's object."""
    return hasattr(type(model.predictor), "unwrap_python_model")


def unwrapped(model: Model) -> Model | None:
    """Give a model of scikit-learn's without MLflow's wrapper; None of others, which their wrappers do more for."""
    if not is_wrapped(model):
        return None
    loaded: Any = model.predictor
    flavor = loaded.metadata.flavors["python_function"]
    if flavor.get("loader_module") != _FLAVOR or flavor.get("predict_fn", "predict") != "predict":
        return None
    estimator = behind(loaded)
    return None if estimator is None else replace(model, predictor=estimator)
