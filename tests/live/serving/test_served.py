"""Whatever way a model is asked, it answers what MLflow's pyfunc answers; rows that do not fit are refused by name."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from abtest.errors import InvalidInputError, ModelNotFoundError
from abtest.live.serving.fields import FieldError
from abtest.live.serving.served import Served, load
from tests import zoo
from tests.live import models

if TYPE_CHECKING:
    from pathlib import Path


def served(uri: str) -> Served:
    """A model of no registry."""
    return load(uri, None, name=None, version=None, run_id=None)


def rows_of(features: Any) -> list[dict[str, Any]]:
    """Rows as JSON would have them."""
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in features.to_dict("records")
    ]


def two(features: pd.DataFrame) -> list[str]:
    """Two classes."""
    return ["yes" if x > 0 else "no" for x in features["width"]]


def three(features: pd.DataFrame) -> list[int]:
    """Three classes."""
    return [int(x > -0.5) + int(x > 0.5) for x in features["width"]]


def number(features: pd.DataFrame) -> Any:
    """A number."""
    return features["width"] * 2 + 1


KNOWN = {
    "logistic of two": (LogisticRegression(), two),
    "logistic of three": (LogisticRegression(max_iter=2000), three),
    "scaled": (make_pipeline(StandardScaler(), LogisticRegression()), two),
    "scaled, no mean": (make_pipeline(StandardScaler(with_mean=False), SGDClassifier(random_state=0)), three),
    "scaled otherwise": (make_pipeline(MinMaxScaler(), "passthrough", LinearSVC()), two),
    "imputed": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), two),
    "ridge of classes": (RidgeClassifier(), two),
    "forest": (RandomForestClassifier(15, random_state=0), three),
    "forest with jobs": (RandomForestRegressor(15, n_jobs=2, random_state=0), number),
    "scaled forest": (make_pipeline(StandardScaler(), RandomForestRegressor(15, random_state=0)), number),
    "extra trees": (ExtraTreesRegressor(15, random_state=0), number),
    "hist boosting": (HistGradientBoostingClassifier(max_iter=5), three),
    "hist boosting of numbers": (HistGradientBoostingRegressor(max_iter=5), number),
    "boosting": (GradientBoostingClassifier(n_estimators=5), two),
    "linear": (LinearRegression(), number),
    "scaled ridge": (make_pipeline(StandardScaler(), Ridge()), number),
    "bayes": (GaussianNB(), two),
    "neighbours": (KNeighborsClassifier(), two),
    "vectors": (SVC(), two),
    "tree": (DecisionTreeClassifier(random_state=0), three),
}
COLUMNS = {"doubles": models.doubles, "several types": models.frame}
SEVERAL = ("logistic of two", "scaled", "forest", "hist boosting of numbers", "scaled ridge", "bayes")


@pytest.mark.parametrize(
    ("which", "columns"), [*((which, "doubles") for which in KNOWN), *((which, "several types") for which in SEVERAL)]
)
def test_an_array_answers_as_mlflow_does(which: str, columns: str, tmp_path: Path) -> None:
    """What only looks at values is asked with an array: of one row or many, the answers are those of the pyfunc."""
    estimator, truth = KNOWN[which]
    features = COLUMNS[columns]()
    model = served(models.save(estimator.fit(features, truth(features)), tmp_path / "model", features))
    assert model.path == "array"
    assert model.columns == tuple(features.columns)
    new = COLUMNS[columns](50, seed=1)
    expected = _pyfunc(model, new)
    together = model.predict(model.parse(rows_of(new)))
    alone = [model.predict(model.parse([row]))[0] for row in rows_of(new)]
    in_order = [model.predict(model.parse([[*row.values()]]))[0] for row in rows_of(new)]
    for found in (together, alone, in_order):
        _assert_same(found, expected)


def test_many_rows_of_random_size(tmp_path: Path) -> None:
    """Numbers of any size, up to what overflows within, are answered as MLflow answers, or refused as it refuses."""
    features = models.doubles()
    model = served(models.save(KNOWN["scaled ridge"][0].fit(features, number(features)), tmp_path / "model", features))
    rng = np.random.default_rng(2)
    for exponent in (0, 10, 100, 300, 308):
        row = models.doubles(1).assign(width=rng.uniform(-1, 1) * 10.0**exponent, depth=-(10.0**exponent))
        with np.errstate(all="ignore"):
            try:
                expected = _pyfunc(model, row)
            except ValueError:
                expected = [math.inf]
            if math.isfinite(expected[0]):
                _assert_same(model.predict(model.parse(rows_of(row))), expected)
            else:
                with pytest.raises(InvalidInputError, match=r"failed to predict|predicts Infinity"):
                    model.predict(model.parse(rows_of(row)))


@pytest.mark.parametrize("which", ["hist boosting", "imputed", "tree", "forest"])
def test_what_is_missing_is_nan(which: str, tmp_path: Path) -> None:
    """Null in a double is NaN, which reaches models that know it; the answers are those of the pyfunc."""
    estimator, truth = KNOWN[which]
    features = models.doubles()
    fitted = features.mask(np.random.default_rng(3).random(features.shape) < 0.2)
    model = served(models.save(estimator.fit(fitted, truth(features)), tmp_path / "model", fitted))
    assert model.path == "array"
    rows = rows_of(fitted)
    assert any(None in row.values() for row in rows)
    _assert_same(model.predict(model.parse(rows)), _pyfunc(model, fitted))
    _assert_same([model.predict(model.parse([row]))[0] for row in rows], _pyfunc(model, fitted))
    absent = [{name: value for name, value in row.items() if value is not None} for row in rows]
    _assert_same(model.predict(model.parse(absent)), _pyfunc(model, fitted))


@pytest.mark.parametrize("which", ["logistic of two", "scaled", "linear"])
def test_what_is_missing_and_not_known(which: str, tmp_path: Path) -> None:
    """NaN in a model that does not know it is the model's own error, as in MLflow, and never a prediction."""
    estimator, truth = KNOWN[which]
    features = models.doubles()
    model = served(models.save(estimator.fit(features, truth(features)), tmp_path / "model", features))
    with pytest.raises(InvalidInputError, match=r"failed to predict: ValueError: Input .* contains NaN"):
        model.predict(model.parse([[None, 1.0, 2.0]]))


@pytest.mark.parametrize("which", ["scaled", "forest", "hist boosting"])
def test_from_several_threads(which: str, tmp_path: Path) -> None:
    """Asked from several threads at once, a model answers each as it would alone."""
    estimator, truth = KNOWN[which]
    features = models.doubles()
    model = served(models.save(estimator.fit(features, truth(features)), tmp_path / "model", features))
    parsed = [model.parse([row]) for row in rows_of(features)]
    alone = [model.predict(row) for row in parsed]
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(model.predict, parsed)] == alone


UNKNOWN = {
    "by name": make_pipeline(
        ColumnTransformer(
            [("colours", OneHotEncoder(), ["colour"]), ("numbers", StandardScaler(), ["width", "count"])]
        ),
        LogisticRegression(),
    ),
    "somebody's function": make_pipeline(
        FunctionTransformer(lambda features: features[["width", "count"]]), LogisticRegression()
    ),
}


@pytest.mark.parametrize("which", UNKNOWN)
def test_a_frame_answers_as_mlflow_does(which: str, tmp_path: Path) -> None:
    """What selects columns by name is asked with a frame in the signature's types; the answers are the pyfunc's."""
    features = models.mixed()
    model = served(models.save(UNKNOWN[which].fit(features, two(features)), tmp_path / "model", features))
    assert model.path == "frame"
    rows = [{**row, "picked": row["picked"].isoformat()} for row in rows_of(features)]
    parsed = model.parse(rows)
    assert [str(parsed[name].dtype) for name in ("width", "count", "ripe", "picked")] == [
        "float64", "int64", "bool", "datetime64[ns]",
    ]  # fmt: skip
    _assert_same(model.predict(parsed), _pyfunc(model, features))
    _assert_same([model.predict(model.parse([row]))[0] for row in rows], _pyfunc(model, features))


def test_changed_estimators_are_not_known(tmp_path: Path) -> None:
    """What somebody has changed or derived is not taken for what it was."""
    features = models.doubles()
    framed = make_pipeline(StandardScaler(), LogisticRegression()).set_output(transform="pandas")
    model = served(models.save(framed.fit(features, two(features)), tmp_path / "framed", features))
    assert model.path == "frame"
    _assert_same(model.predict(model.parse(rows_of(features))), _pyfunc(model, features))

    class Contrary(LogisticRegression):  # type: ignore[misc] # scikit-learn has no types
        def predict(self, features: Any) -> Any:
            return np.where(features["width"] > 0, "no", "yes")

    model = served(models.save(Contrary().fit(features, two(features)), tmp_path / "contrary", features))
    assert model.path == "frame"
    assert model.predict(model.parse([[1.0, 0.0, 0.0]])) == ["no"]


def test_a_scaler_that_scales_in_place(tmp_path: Path) -> None:
    """A step that changes what it is given is not asked in a way that may have to be asked again."""
    features = models.doubles()
    scaled = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(features.copy(), two(features))
    model = served(models.save(scaled, tmp_path / "model", features.copy()))
    assert model.path == "frame"
    _assert_same(model.predict(model.parse(rows_of(features))), _pyfunc(model, features.copy()))


def test_a_tensor(tmp_path: Path) -> None:
    """A model of arrays takes lists of the right length, in any type of JSON that its own holds."""
    features = models.doubles().to_numpy()
    model = served(
        models.save(
            make_pipeline(StandardScaler(), LogisticRegression()).fit(features, two(models.doubles())),
            tmp_path / "model",
            features,
        )
    )
    assert (model.path, model.columns) == ("array", None)
    assert model.signature is not None
    assert model.signature["inputs"][0]["tensor-spec"]["shape"] == [-1, 3]
    _assert_same(model.predict(model.parse(features.tolist())), _pyfunc(model, features))
    assert model.predict(model.parse([[1, 2, 3]])) == model.predict(model.parse([[1.0, 2.0, 3.0]]))
    for row, told in (([1.0, 2.0], "takes 3 values in this order, got 2"), ({"a": 1}, "a list of 3 numbers, got an ob"),
                      ([1.0, "x", 3.0], "Field '2' must be a number, got 'x'")):  # fmt: skip
        with pytest.raises(FieldError, match=told):
            model.parse([row])


def test_a_python_function(tmp_path: Path) -> None:
    """A model of no library is asked through MLflow."""
    features = zoo.fruit()[[*zoo.FEATURES]]
    model = served(zoo.save(zoo.linear, tmp_path / "model", inputs=zoo.signature(width="double", height="double")))
    assert (model.path, model.flavor) == ("pyfunc", "pyfunc")
    assert model.predict(model.parse(rows_of(features))) == zoo.linear(features).tolist()


def test_without_a_signature(tmp_path: Path) -> None:
    """Without a signature, rows are held against the names that an estimator was fitted with, or against each other."""
    features = models.doubles()
    named = served(
        models.save(LogisticRegression().fit(features, two(features)), tmp_path / "named", features, signature=None)
    )
    assert (named.path, named.columns, named.signature) == ("frame", ("width", "height", "depth"), None)
    rows = rows_of(features)
    shuffled = [dict(reversed(row.items())) for row in rows]
    assert named.predict(named.parse(shuffled)) == named.predict(named.parse(rows)) == _pyfunc(named, features)
    with pytest.raises(FieldError, match="Field 'with' is none of the model's"):
        named.parse([{"with": 1.0, "height": 2.0, "depth": 1.0}])
    unnamed = served(
        models.save(
            LogisticRegression().fit(features.to_numpy(), two(features)), tmp_path / "bare", features, signature=None
        )
    )
    assert (unnamed.path, unnamed.columns) == ("frame", None)
    assert unnamed.predict(unnamed.parse([[*row.values()] for row in rows])) == _pyfunc(unnamed, features.to_numpy())
    refused: list[tuple[list[Any], str]] = [
        ([[1.0, 2.0], [1.0]], "Row 2: It has other columns than the first row"),
        ([{"a": 1.0}, {"b": 1.0}], "Row 2: It has other columns than the first row"),
        ([[1.0], {"a": 1.0}], "Row 2: It has other columns than the first row"),
        ([[[1.0]]], "Field '1' must be one value, got a list"),
        ([{"a": {}}], "Field 'a' must be one value, got an object"),
        ([[math.inf]], "Field '1' must be one value, got Infinity"),
        ([3], "A row must be a list or an object"),
        ([[]], "A row must be a list or an object"),
        ([None], "A row must be a list or an object"),
    ]
    for wrong, told in refused:
        with pytest.raises(FieldError, match=told):
            unnamed.parse(wrong)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda frame: [math.nan] * len(frame), "predicts nothing"),
        (lambda frame: np.full(len(frame), math.inf), "predicts Infinity"),
        (lambda frame: [None] * len(frame), "predicts nothing"),
        (lambda frame: np.ones(len(frame) + 1), r"returned predictions of shape \(3,\) for 2 rows"),
        (lambda frame: np.ones((len(frame), 2)), "predicts 2 values a row"),
        (lambda _: 1 / 0, "The model failed to predict: ZeroDivisionError: division by zero"),
        (lambda _: exec("raise SystemExit(3)"), "The model failed to predict: SystemExit"),  # noqa: S102 - a model may
        (lambda _: exec("raise KeyboardInterrupt"), "The model failed to predict: KeyboardInterrupt"),  # noqa: S102 - likewise
    ],
)
def test_a_model_that_goes_wrong(answer: Any, told: str, tmp_path: Path) -> None:
    """A model that raises, exits, or does not give one finite label a row is told in a sentence."""
    model = served(zoo.save(answer, tmp_path / "model", inputs=zoo.signature(width="double")))
    with pytest.raises(InvalidInputError, match=told):
        model.predict(model.parse([[1.0], [2.0]]))


def test_a_model_of_a_registry(stocked: Any) -> None:
    """A model of a registry is loaded from it, and knows what it is."""
    model = load("models:/fruit/1", stocked, name="fruit", version=1, run_id="abc")
    assert (model.name, model.version, model.run_id, model.uri) == ("fruit", 1, "abc", "models:/fruit/1")
    assert model.predict(model.parse([{"height": 9.0, "width": 4.0}])) == ["pear"]
    with pytest.raises(ModelNotFoundError):
        load("models:/fruit/99", stocked, name="fruit", version=99, run_id=None)
    with pytest.raises(InvalidInputError, match="does not load"):
        load(f"models:/fruit/{zoo.UNLOADABLE}", stocked, name="fruit", version=zoo.UNLOADABLE, run_id=None)


def _pyfunc(model: Served, features: Any) -> list[Any]:
    """What MLflow's own way answers."""
    with models.quiet():
        found: list[Any] = np.asarray(model.model.predictor.predict(features)).tolist()
    return found


def _assert_same(found: list[Any], expected: list[Any]) -> None:
    assert [type(x) for x in found] == [type(x) for x in expected]
    if isinstance(found[0], float):
        # One row and many are multiplied in another order, so the last digits may differ.
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    else:
        assert found == expected
