"""Whether models predict classes or numbers: told by the models, by the truth, or by neither."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import IsolationForest, RandomForestRegressor, StackingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from abtest.errors import InvalidInputError
from abtest.labels import SIDES
from abtest.loaders.datasets import open_data
from abtest.loaders.models import Model, from_object, from_uri
from abtest.loaders.tasks import find_task, kind_of_truth, look_at_truth, task_of_model
from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

X = pd.DataFrame({"x": np.arange(8.0)})
NAMES = ["cat", "dog"] * 4


class Plain:
    """Something that predicts and says nothing of itself."""

    def predict(self, features: pd.DataFrame) -> Any:
        """Predict."""
        return features["x"]


class Odd(Plain):
    """Something that fails whoever looks at it."""

    def __sklearn_tags__(self) -> object:
        """Fail."""
        raise RuntimeError("look away")

    def __getattr__(self, name: str) -> object:
        """Fail."""
        raise RuntimeError(name)


MODELS: dict[str, tuple[Any, str | None]] = {
    "classifier": (LogisticRegression(), "classification"),
    "regressor": (LinearRegression(), "regression"),
    "baseline of classes": (DummyClassifier(), "classification"),
    "baseline of numbers": (DummyRegressor(), "regression"),
    "pipeline": (make_pipeline(StandardScaler(), RandomForestRegressor()), "regression"),
    "search": (GridSearchCV(LogisticRegression(), {"C": [1.0]}), "classification"),
    "stack": (StackingClassifier([("one", LogisticRegression())]), "classification"),
    "vote": (VotingRegressor([("one", LinearRegression())]), "regression"),
    "transformed": (TransformedTargetRegressor(LinearRegression()), "regression"),
    "outliers": (IsolationForest(), None),
    "plain": (Plain(), None),
    "odd": (Odd(), None),
}


def model(predictor: Any, side: Any = "champion") -> Model:
    """A side."""
    return Model(side=side, predictor=predictor)


@pytest.mark.parametrize(("predictor", "task"), MODELS.values(), ids=MODELS)
def test_an_estimator_tells_its_task(predictor: Any, task: str | None) -> None:
    """Classifiers and regressors of scikit-learn say so, however wrapped; anything else says nothing."""
    assert task_of_model(model(predictor)) == task


def test_a_logged_estimator_tells_its_task(tmp_path: Path) -> None:
    """Behind MLflow's wrapper the estimator is found; a function logged as a model says nothing."""
    import mlflow.sklearn

    for name, estimator in (("numbers", LinearRegression()), ("classes", LogisticRegression())):
        fitted = estimator.fit(X, np.arange(8.0) if name == "numbers" else NAMES)
        mlflow.sklearn.save_model(fitted, tmp_path / name, pip_requirements=["scikit-learn"])
    zoo.save(zoo.numbers, tmp_path / "function")
    expected = {"numbers": "regression", "classes": "classification", "function": None}
    assert {name: task_of_model(from_uri("champion", str(tmp_path / name), None)) for name in expected} == expected


def test_without_scikit_learn_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where scikit-learn was never imported no model can be one of its estimators, and it is not imported for that."""
    monkeypatch.delitem(sys.modules, "sklearn")
    assert task_of_model(model(Plain())) is None
    assert "sklearn" not in sys.modules


TRUTHS: dict[str, tuple[pa.Array, bool, str]] = {
    "fractions": (pa.array([1.0, 2.5]), False, "continuous"),
    "whole doubles": (pa.array([1.0, 2.0]), False, "whole"),
    "32 bits": (pa.array([1.0, 2.5], pa.float32()), False, "continuous"),
    "integers": (pa.array([1, 2]), False, "whole"),
    "bytes": (pa.array([1, 2], pa.uint8()), False, "whole"),
    "decimals": (pa.array([Decimal("1.5"), None]), False, "continuous"),
    "whole decimals": (pa.array([Decimal("1.0")]), False, "whole"),
    "booleans": (pa.array([True, False]), False, "names"),
    "names": (pa.array(["a", "b"]), False, "names"),
    "categories": (pa.array(["a", "b"]).dictionary_encode(), False, "names"),
    "numbers in quotes": (pa.array(["1.5", "2"]), False, "names"),
    "text of fractions": (pa.array(["1.5", "2"]), True, "continuous"),
    "text of whole numbers": (pa.array(["1", "2.0", " 3 "]), True, "whole"),
    "text of both": (pa.array(["1.5", "two"]), True, "names"),
    "missing among fractions": (pa.array([None, float("nan"), 1.5]), False, "continuous"),
    "infinite": (pa.array([float("inf"), 1.0]), False, "whole"),
    "nothing known": (pa.array([None, None], pa.float64()), False, "whole"),
    "no rows": (pa.array([], pa.float64()), False, "whole"),
    "dates": (pa.array([0], pa.date32()), False, "names"),
}  # fmt: skip


@pytest.mark.parametrize(("column", "is_text", "kind"), TRUTHS.values(), ids=TRUTHS)
def test_a_column_is_continuous_whole_or_names(column: pa.Array, kind: str, *, is_text: bool) -> None:
    """Fractions make a column continuous, in text too; numbers in quotes are names where a format has types."""
    assert kind_of_truth(column, is_text=is_text) == kind


@given(st.lists(st.floats(-1e15, 1e15) | st.integers(-5, 5).map(float) | st.none(), min_size=1, max_size=30))
def test_one_fraction_is_enough(values: list[float | None]) -> None:
    """A column of numbers is continuous where one of them has a fraction, stored as doubles or as text."""
    fractions = any(value is not None and not value.is_integer() for value in values)
    expected = "continuous" if fractions else "whole"
    assert kind_of_truth(pa.array(values, pa.float64()), is_text=False) == expected
    text = pa.array([None if value is None else repr(value) for value in values], pa.string())
    assert kind_of_truth(text, is_text=True) == expected


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "frame"])
@pytest.mark.parametrize(
    ("truth", "kind"),
    [([1.5, 2.0, 7.25], "continuous"), ([1.0, 2.0, 7.0], "whole"), ([3, 1, 2], "whole"), (["a", "b", "c"], "names")],
    ids=["fractions", "whole doubles", "integers", "names"],
)
def test_every_format_is_looked_at_alike(ending: str, truth: list[Any], kind: str) -> None:
    """A column is of the same kind from whatever format it is read."""
    frame = pd.DataFrame({"x": [0, 1, 2], "y": truth})
    writers: dict[str, Any] = {
        "csv": lambda: frame.to_csv("t.csv", index=False),
        "jsonl": lambda: frame.to_json("t.jsonl", orient="records", lines=True),
        "parquet": lambda: frame.to_parquet("t.parquet"),
    }
    if ending in writers:
        writers[ending]()
    data = open_data(frame if ending == "frame" else f"t.{ending}")
    assert look_at_truth(data, "y") == kind


FITTED = {"classes": LogisticRegression().fit(X, NAMES), "numbers": LinearRegression().fit(X, range(8)), "?": Plain()}


@pytest.mark.parametrize(
    ("kinds", "truth", "task", "why"),
    [
        (("classes", "classes"), [0.5, 1.5], "classification", None),
        (("classes", "?"), [0.5, 1.5], "classification", None),
        (("numbers", "?"), [1, 2], "regression", "the models are regressors"),
        (("numbers", "numbers"), [0.5, 1.5], "regression", "the target 'y' is continuous"),
        (("numbers", "numbers"), ["a", "b"], "regression", "the models are regressors"),
        (("?", "?"), [0.5, 1.5], "regression", "the target 'y' is continuous"),
        (("?", "?"), [1, 2], "classification", None),
        (("?", "?"), ["a", "b"], "classification", None),
    ],
)
def test_models_tell_first_then_the_truth(kinds: tuple[str, str], truth: list[Any], task: str, why: str | None) -> None:
    """What the models say of themselves wins; else a continuous truth is a regression's, and it is said."""
    sides = [from_object(side, FITTED[kind]) for side, kind in zip(SIDES, kinds, strict=True)]
    found, told = find_task(sides, open_data(pd.DataFrame({"x": [0, 1], "y": truth})), "y")
    assert found == task
    assert (told is None) == (why is None)
    if told is not None:
        assert f", as {why};" in told


def test_models_of_two_tasks_are_refused() -> None:
    """One challenger among several that predicts another thing is named, with what each predicts."""
    sides = [
        from_object("champion", FITTED["numbers"]),
        from_object("challenger", FITTED["numbers"]),
        from_object("challenger", FITTED["classes"]),
    ]
    sides[1].name, sides[2].name = "challenger v2", "challenger v3"
    with pytest.raises(InvalidInputError) as error:
        find_task(sides, open_data(X.assign(y=range(8))), "y")
    assert error.value.message == ("The champion predicts numbers and the challenger v3 predicts classes.")
