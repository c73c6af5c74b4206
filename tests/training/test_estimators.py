"""The catalogue of estimators: every line works, gives the same model twice, and is picklable without this package."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.model_selection import ParameterGrid

from abtest.errors import InvalidInputError
from abtest.training.catalogue import CATALOGUE, does
from abtest.training.estimators import made, not_repeatable, refuse_classes
from abtest.training.pipelines import ESTIMATOR, pipeline

if TYPE_CHECKING:
    import pandas as pd

    from abtest.labels import Task
    from abtest.training.data import Kind

EACH = [(name, task) for name in CATALOGUE for task in sorted(does(name))]
FEATURES: dict[str, Kind] = {"wind": "number", "stops": "number", "kind": "text", "express": "number"}
# Small models are models; threads that wait for each other on a busy machine are slow.
SMALL: dict[str, dict[str, Any]] = {
    "RandomForest": {"n_estimators": 5},
    "ExtraTrees": {"n_estimators": 5},
    "GradientBoosting": {"n_estimators": 5},
    "HistGradientBoosting": {"max_iter": 3},
    "XGBoost": {"n_estimators": 3, "n_jobs": 1},
    "MLP": {"max_iter": 2000, "hidden_layer_sizes": 8, "tol": 0.01},
}


def model_of(name: str, task: Task, **parameters: Any) -> Any:
    """A pipeline of a small model."""
    if name == "XGBoost":
        pytest.importorskip("xgboost")
    return pipeline(name, task, FEATURES, {**SMALL.get(name, {}), **parameters}, seed=1)


@pytest.mark.parametrize(("name", "task"), EACH)
def test_every_line(frame: pd.DataFrame, name: str, task: Task) -> None:
    """Each takes missing numbers and texts, gives equal predictions when fitted twice, and says if it may not.

    A missing text is one thing, None or NaN, and one that was never seen is no failure. Nothing of this package is in
    the pickle.
    """
    truth = frame["late" if task == "classification" else "minutes"]
    said = []
    for _ in range(2):
        model = model_of(name, task).fit(frame[list(FEATURES)], truth)
        said.append(np.asarray(model.predict(frame[list(FEATURES)])))
    assert not_repeatable(model[ESTIMATOR]) is None
    assert said[0].tolist() == said[1].tolist()
    others = frame[list(FEATURES)].head(4).astype({"kind": object})
    others["kind"] = [None, np.nan, "never seen", "far"]
    others.loc[1, ["wind", "stops", "express"]] = others.loc[0, ["wind", "stops", "express"]]
    odd = model.predict(others)
    assert odd[0] == odd[1]
    pickled = pickle.dumps(model)
    assert b"abtest" not in pickled
    assert pickle.loads(pickled).predict(others).tolist() == odd.tolist()  # noqa: S301 - our own, of this moment


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_setting_is_one(name: str) -> None:
    """Every setting of each grid is one that the estimator has, and the wide grid holds more than the other."""
    entry = CATALOGUE[name]
    for task in does(name):
        for space in (entry.grid, entry.wide):
            for setting in list(ParameterGrid(dict(space)))[:1]:
                model_of(name, task)[ESTIMATOR].set_params(**setting)
            assert set(space) <= set(model_of(name, task)[ESTIMATOR].get_params())
    assert len(ParameterGrid(dict(entry.grid))) <= 12
    assert len(ParameterGrid(dict(entry.wide))) >= len(ParameterGrid(dict(entry.grid)))


def test_may_not_be_repeatable() -> None:
    """Several threads, a seed that is not set, and another library's draws are said."""
    assert "n_jobs" in (not_repeatable(made("RandomForest", "regression", {"n_jobs": 2}, 0)) or "")
    assert not_repeatable(made("RandomForest", "regression", {"n_jobs": 1}, 0)) is None


@pytest.mark.parametrize(
    ("name", "task", "parameters", "told"),
    [
        (
            "Ridge",
            "classification",
            {},
            "Ridge does not predict classes, and this is classification. Hint: those that do",
        ),
        ("NaiveBayes", "regression", {}, "NaiveBayes does not predict numbers"),
        (
            "RandomForest",
            "regression",
            {"n_estimator": 5},
            "no parameter 'n_estimator'. Hint: did you mean 'n_estimators'",
        ),
        ("nowhere:Model", "regression", {}, "models: 'nowhere:Model' cannot be imported: ModuleNotFoundError"),
        ("json:JSONDecoder", "regression", {}, "models: 'json:JSONDecoder' is no estimator: it has no fit."),
        ("sklearn.ensemble:StackingClassifier", "classification", {}, "cannot be made without arguments: TypeError: "),
        ("json:Decoder", "regression", {}, "models: module json has no class 'Decoder'."),
    ],
)
def test_refusals(name: str, task: Task, parameters: dict[str, Any], told: str) -> None:
    """What is no estimator, or not of this task, or has no such parameter, is refused before anything is fitted."""
    with pytest.raises(InvalidInputError) as refused:
        made(name, task, parameters, 0)
    assert told in str(refused.value)


def test_numbered_classes() -> None:
    """XGBoost takes classes numbered from 0, and no others; who asks for it is told what takes any."""
    refuse_classes("XGBoost", [0, 1, 2])
    refuse_classes("RandomForest", ["a", "b"])
    for classes in (["a", "b"], [1, 2], [0, 2]):
        with pytest.raises(InvalidInputError, match="HistGradientBoosting takes any"):
            refuse_classes("XGBoost", classes)
