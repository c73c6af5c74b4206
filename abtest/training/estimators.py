"""Estimators, made from their names and a recipe's parameters, and what is to be known of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from abtest.errors import InvalidInputError, NotFoundError, near
from abtest.metrics.custom import imported, told
from abtest.training.catalogue import CATALOGUE, entry_of, path_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.labels import Task

_METHODS = ("fit", "predict", "get_params", "set_params")


def made(name: str, task: Task, parameters: Mapping[str, Any], seed: int) -> Any:  # noqa: ANN401 - any library's estimator
    """Make an estimator that is not fitted yet, with the catalogue's settings, the recipe's, and the seed.

    Args:
        name: Which.
        task: What it is to do.
        parameters: The recipe's; lists, which are searched over, are looked at and not set.
        seed: Of its draws, if it makes any.

    Raises:
        InvalidInputError: It does not do this task, is no estimator, or has no such parameter.
        NotFoundError: It must be installed first.
    """
    entry = entry_of(name)
    kind = _class_of(name, path_of(name, task), entry.extra)
    try:
        estimator = kind()
        known = list(estimator.get_params())
    except (Exception, SystemExit) as error:  # the user's class may do anything
        raise InvalidInputError(
            f"models: '{name}' cannot be made without arguments: {told(error)}.",
            hint="derive a class from it that gives them defaults.",
        ) from error
    for key in parameters:
        if key not in known:
            raise InvalidInputError(
                f"{name} has no parameter '{key}'.", hint=near(key, known) or f"it has {', '.join(known)}."
            )
    seeded = {"random_state": seed} if "random_state" in known else {}
    settings = {key: value for key, value in entry.settings.items() if key in known}
    return estimator.set_params(**{**settings, **seeded, **fixed(parameters)})


def fixed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are set, and not searched over.

    Example:
        >>> fixed({"C": [0.1, 1.0], "max_iter": 500})
        {'max_iter': 500}
    """
    return {key: value for key, value in parameters.items() if not isinstance(value, list)}


def refuse_classes(name: str, classes: Sequence[Any]) -> None:
    """Refuse an estimator that wants its classes numbered, where they are not.

    Raises:
        InvalidInputError: They are not 0, 1, 2 and so on.
    """
    strange = next((label for i, label in enumerate(classes) if label != i), None)
    if entry_of(name).numbered_classes and strange is not None:
        raise InvalidInputError(
            f"{name} takes the classes 0 to {len(classes) - 1}, got {strange!r}.",
            hint="HistGradientBoosting takes any, or map the labels.",
        )


def not_repeatable(estimator: Any) -> str | None:  # noqa: ANN401 - any library's estimator
    """Say why fitting this estimator again, on the same rows and this machine, may give another model."""
    parameters = estimator.get_params()
    if "random_state" not in parameters and not type(estimator).__module__.startswith("sklearn."):
        return "It has no random_state: whether it draws at random is not known."
    if parameters.get("random_state", 0) is None:
        return "Its random_state is not set."
    if parameters.get("n_jobs") not in {None, 1}:
        return "It runs in several threads (n_jobs), and sums of their parts may round differently."
    return None


def _class_of(name: str, path: str, extra: str | None) -> Any:  # noqa: ANN401 - any library's estimator
    if name not in CATALOGUE:
        found: Any = imported(path, what="models", kind="class")
        lacking = next((method for method in _METHODS if not callable(getattr(found, method, None))), None)
        if not isinstance(found, type) or lacking is not None:
            raise InvalidInputError(
                f"models: '{name}' is no estimator: it has no {lacking or 'class'}.",
                hint="derive it from sklearn.base.BaseEstimator.",
            )
        return found
    module, _, kind = path.partition(":")
    try:
        return getattr(importlib.import_module(module), kind)
    except ImportError as error:
        if extra is None:
            raise
        raise NotFoundError(
            f"{name} cannot be imported: {told(error)}.", hint=f"pip install 'mlflow-abtest[{extra}]'"
        ) from error
