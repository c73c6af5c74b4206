"""A model that was trained again, and estimators that go wrong while they are fitted, each in its own way."""

from __future__ import annotations

import os
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from abtest.registry import RegistryClient
from abtest.retraining import Request, Retrained, retrain
from abtest.training.recipe import Recipe
from tests import zoo

if TYPE_CHECKING:
    import numpy.typing as npt

RECIPE = """target = "kind"
models = ["LogisticRegression"]
holdout = 0.4
folds = 2
"""
HERE = __name__


def build(template: Path, folder: Path) -> Path:
    """Train "fruit" again in a folder: champion 1, and version 12 of the verdict PROMOTE, which nobody promoted.

    It has the registry, ``new.csv`` and ``recipe.toml``; the rows held out stay in there.
    """
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        registry = RegistryClient(zoo.copy(template, folder))
        zoo.fruit(400).to_csv("new.csv", index=False)
        Path("recipe.toml").write_text(RECIPE, encoding="utf-8")
        retrain(request(), registry)
    return folder


def request(model: str = "fruit", data: str = "new.csv", **changed: Any) -> Request:
    """What is asked for by default."""
    options = {"resamples": 100, "save_plot": False, **changed.pop("options", {})}
    recipe = changed.pop("recipe", None) or Recipe.from_toml(RECIPE)
    return Request(model=model, recipe=recipe, data=data, options=options, **changed)


def recipe(estimator: str) -> Recipe:
    """A recipe of an estimator below."""
    return Recipe.from_toml(RECIPE.replace("LogisticRegression", f"{HERE}:{estimator}"))


def run(uri: str, estimator: str) -> Retrained:
    """Train again in a process of its own, which may not live to its end."""
    return retrain(request(recipe=recipe(estimator), lease=timedelta(hours=1)), RegistryClient(uri))


class Raises(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """Cannot be fitted."""

    def fit(self, X: Any, y: Any) -> Raises:  # noqa: N803, ARG002 - scikit-learn's own names
        """Fail."""
        raise ValueError("cannot weigh it")

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803 - see above
        """Is never asked."""
        return np.repeat("pear", len(X))


class Dies(Raises):
    """Takes the process with it."""

    def fit(self, X: Any, y: Any) -> Raises:  # noqa: N803, ARG002 - scikit-learn's own names
        """Die by SIGKILL."""
        os.kill(os.getpid(), signal.SIGKILL)
        return self


class Unplugs(Raises):
    """Takes the registry away: ``plug`` brings it back."""

    def fit(self, X: Any, y: Any) -> Raises:  # noqa: N803, ARG002 - scikit-learn's own names
        """Rename a table of MLflow's."""
        plug("runs", "gone")
        self.classes_ = np.unique(y)
        return self


def plug(before: str, after: str) -> None:
    """Rename a table of the registry in this folder, where it is there."""
    with sqlite3.connect("mlflow.db") as database:
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (before,)).fetchone():
            database.execute(f"ALTER TABLE {before} RENAME TO {after}")
