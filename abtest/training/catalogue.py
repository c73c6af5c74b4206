"""Estimators by short name, one line each; or ``module:Class``, of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from abtest.errors import InvalidInputError, near
from abtest.labels import TASKS, Task
from abtest.metrics.custom import is_custom

Space: TypeAlias = Mapping[str, list[Any]]

_TREES: Space = {"max_features": ["sqrt", 0.5], "min_samples_leaf": [1, 3, 10]}
_MORE_TREES: Space = {
    "n_estimators": [100, 200, 400],
    "max_features": ["sqrt", 0.3, 0.5, 0.8],
    "min_samples_leaf": [1, 2, 3, 5, 10, 20],
    "max_depth": [None, 4, 8, 16],
}
_BOOSTED: Space = {"learning_rate": [0.03, 0.1], "n_estimators": [100, 300], "max_depth": [2, 3]}
_MORE_BOOSTED: Space = {
    "learning_rate": [0.01, 0.03, 0.1, 0.3],
    "n_estimators": [50, 100, 200, 400],
    "max_depth": [2, 3, 4, 6],
    "subsample": [0.6, 0.8, 1.0],
}
_STRENGTHS = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
_MORE_STRENGTHS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """One line of the catalogue.

    Attributes:
        classes: The class that predicts classes, ``module:Class``; None if there is none.
        numbers: The class that predicts numbers, likewise.
        scaled: Whether it wants features of one scale.
        takes_missing: Whether it takes missing numbers as they are.
        numbered_classes: Whether classes must be 0, 1, 2 and so on.
        settings: Set unless the recipe says otherwise.
        grid: What ``search = "grid"`` tries.
        wide: What ``search = "random"`` draws from.
        extra: What must be installed for it, if not abtest alone.
    """

    classes: str | None = None
    numbers: str | None = None
    scaled: bool = False
    takes_missing: bool = False
    numbered_classes: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    grid: Space = field(default_factory=dict)
    wide: Space = field(default_factory=dict)
    extra: str | None = None

    def path(self, task: Task) -> str | None:
        """The class for a task."""
        return self.classes if task == "classification" else self.numbers


CATALOGUE: dict[str, Estimator] = {
    "RandomForest": Estimator(
        classes="sklearn.ensemble:RandomForestClassifier",
        numbers="sklearn.ensemble:RandomForestRegressor",
        grid=_TREES,
        wide=_MORE_TREES,
    ),
    "ExtraTrees": Estimator(
        classes="sklearn.ensemble:ExtraTreesClassifier",
        numbers="sklearn.ensemble:ExtraTreesRegressor",
        grid=_TREES,
        wide=_MORE_TREES,
    ),
    "GradientBoosting": Estimator(
        classes="sklearn.ensemble:GradientBoostingClassifier",
        numbers="sklearn.ensemble:GradientBoostingRegressor",
        grid=_BOOSTED,
        wide=_MORE_BOOSTED,
    ),
    "HistGradientBoosting": Estimator(
        classes="sklearn.ensemble:HistGradientBoostingClassifier",
        numbers="sklearn.ensemble:HistGradientBoostingRegressor",
        takes_missing=True,
        grid={"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 31], "min_samples_leaf": [5, 20]},
        wide={
            "learning_rate": [0.01, 0.03, 0.1, 0.3],
            "max_iter": [50, 100, 200, 400],
            "max_leaf_nodes": [7, 15, 31, 63],
            "min_samples_leaf": [5, 10, 20, 50],
            "l2_regularization": [0.0, 0.1, 1.0, 10.0],
        },
    ),
    "LogisticRegression": Estimator(
        classes="sklearn.linear_model:LogisticRegression",
        scaled=True,
        settings={"max_iter": 1000},
        grid={"C": _STRENGTHS},
        wide={"C": _MORE_STRENGTHS, "class_weight": [None, "balanced"]},
    ),
    "LinearRegression": Estimator(numbers="sklearn.linear_model:LinearRegression", scaled=True),
    "Ridge": Estimator(
        numbers="sklearn.linear_model:Ridge",
        scaled=True,
        grid={"alpha": _STRENGTHS},
        wide={"alpha": _MORE_STRENGTHS},
    ),
    "Lasso": Estimator(
        numbers="sklearn.linear_model:Lasso",
        scaled=True,
        settings={"max_iter": 10_000},
        grid={"alpha": _STRENGTHS},
        wide={"alpha": _MORE_STRENGTHS},
    ),
    "ElasticNet": Estimator(
        numbers="sklearn.linear_model:ElasticNet",
        scaled=True,
        settings={"max_iter": 10_000},
        grid={"alpha": _STRENGTHS, "l1_ratio": [0.2, 0.8]},
        wide={"alpha": _MORE_STRENGTHS, "l1_ratio": [0.05, 0.2, 0.5, 0.8, 0.95]},
    ),
    "SVM_Linear": Estimator(
        classes="sklearn.svm:LinearSVC",
        numbers="sklearn.svm:LinearSVR",
        scaled=True,
        settings={"dual": "auto", "max_iter": 10_000},
        grid={"C": _STRENGTHS},
        wide={"C": _MORE_STRENGTHS},
    ),
    "SVM_RBF": Estimator(
        classes="sklearn.svm:SVC",
        numbers="sklearn.svm:SVR",
        scaled=True,
        grid={"C": [0.1, 1.0, 10.0, 100.0], "gamma": ["scale", 0.01, 0.1]},
        wide={"C": _MORE_STRENGTHS, "gamma": ["scale", 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]},
    ),
    "KNeighbors": Estimator(
        classes="sklearn.neighbors:KNeighborsClassifier",
        numbers="sklearn.neighbors:KNeighborsRegressor",
        scaled=True,
        grid={"n_neighbors": [3, 5, 11, 21], "weights": ["uniform", "distance"]},
        wide={"n_neighbors": [1, 3, 5, 7, 11, 15, 21, 31, 51], "weights": ["uniform", "distance"], "p": [1, 2]},
    ),
    "DecisionTree": Estimator(
        classes="sklearn.tree:DecisionTreeClassifier",
        numbers="sklearn.tree:DecisionTreeRegressor",
        grid={"max_depth": [3, 5, 10, None], "min_samples_leaf": [1, 5, 20]},
        wide={"max_depth": [2, 3, 4, 5, 7, 10, 15, None], "min_samples_leaf": [1, 2, 5, 10, 20, 50]},
    ),
    "NaiveBayes": Estimator(
        classes="sklearn.naive_bayes:GaussianNB",
        grid={"var_smoothing": [1e-9, 1e-6, 1e-3, 0.1]},
        wide={"var_smoothing": [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0]},
    ),
    "MLP": Estimator(
        classes="sklearn.neural_network:MLPClassifier",
        numbers="sklearn.neural_network:MLPRegressor",
        scaled=True,
        settings={"max_iter": 500},
        grid={"hidden_layer_sizes": [(50,), (100,)], "alpha": [0.0001, 0.01, 1.0]},
        wide={
            "hidden_layer_sizes": [(20,), (50,), (100,), (200,), (50, 50)],
            "alpha": [0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0],
            "learning_rate_init": [0.0003, 0.001, 0.003, 0.01],
        },
    ),
    "XGBoost": Estimator(
        classes="xgboost:XGBClassifier",
        numbers="xgboost:XGBRegressor",
        takes_missing=True,
        numbered_classes=True,
        grid={"learning_rate": [0.03, 0.1], "n_estimators": [100, 300], "max_depth": [3, 6]},
        wide=_MORE_BOOSTED,
        extra="xgboost",
    ),
    "Baseline": Estimator(
        classes="sklearn.dummy:DummyClassifier",
        numbers="sklearn.dummy:DummyRegressor",
    ),
}


def spelled(name: str) -> str:
    """Spell an estimator's name as the catalogue does; ``module:Class`` stays.

    Raises:
        InvalidInputError: There is no such estimator.

    Example:
        >>> spelled("svm_rbf"), spelled("shop.models:Trees")
        ('SVM_RBF', 'shop.models:Trees')
    """
    found = next((known for known in CATALOGUE if known.lower() == name.lower()), None)
    if found is not None or is_custom(name):
        return found or name
    close = near(name.lower(), [known.lower() for known in CATALOGUE])
    meant = next((known for known in CATALOGUE if close and f"'{known.lower()}'" in close), None)
    raise InvalidInputError(
        f"models has no estimator '{name}'.",
        hint=f"did you mean '{meant}'?" if meant else f"known are {', '.join(CATALOGUE)}, and module:Class.",
    )


def entry_of(name: str) -> Estimator:
    """The line of the catalogue; of the user's own, one that knows nothing but the class."""
    return CATALOGUE.get(name) or Estimator(classes=name, numbers=name)


def does(name: str) -> set[Task]:
    """The tasks that an estimator of the catalogue does; of the user's own, both.

    Example:
        >>> does("Ridge")
        {'regression'}
    """
    entry = entry_of(name)
    return {task for task in TASKS if entry.path(task)}


def path_of(name: str, task: Task) -> str:
    """Where the class of an estimator is, ``module:Class``.

    Raises:
        InvalidInputError: It does not do this task.

    Example:
        >>> path_of("Baseline", "regression")
        'sklearn.dummy:DummyRegressor'
    """
    path = entry_of(name).path(task)
    if path is None:
        what = "classes" if task == "classification" else "numbers"
        known = ", ".join(other for other, entry in CATALOGUE.items() if entry.path(task))
        raise InvalidInputError(f"{name} does not predict {what}, and this is {task}.", hint=f"those that do: {known}.")
    return path
