"""Probabilities are what the model behind MLflow gives when fed as MLflow feeds it, or their absence is explained."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from abtest.errors import InvalidInputError
from abtest.loaders.models import Model, from_object, from_uri
from abtest.loaders.scores import Scorer, Scores, Unavailable, scorer
from abtest.metrics.probability import check_probabilities
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from mlflow.models import ModelSignature

TREES = ["sklearn.tree._tree.Tree", "numpy.dtype"]
BOOSTED = [
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "numpy.dtype",
]
CALIBRATED = ["sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration"]


def fruit() -> pd.DataFrame:
    """Rows of fruit, noisily told apart by width and height, and by a colour."""
    frame = zoo.fruit(120)
    frame["colour"] = np.where(np.arange(120) % 3, "red", "green")
    frame.loc[::7, "kind"] = "pear"
    return frame


FRUIT = fruit()
SIZES = FRUIT[["width", "height"]]
KIND = FRUIT["kind"].to_numpy(dtype=str)
COLOURED = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["width", "height"]))


def saved(model: Any, path: Path, inputs: ModelSignature | None, **options: Any) -> str:
    """Save a scikit-learn estimator as an MLflow model in a folder, and name the folder."""
    import mlflow.sklearn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on how a model of a test is saved
        mlflow.sklearn.save_model(model, path, signature=inputs, pip_requirements=["mlflow"], **options)
    return str(path)


def saved_python(model: Any, path: Path, inputs: ModelSignature | None, **options: Any) -> str:
    """Save a Python model in a folder, and name the folder."""
    import cloudpickle  # type: ignore[import-untyped] # it ships no types
    import mlflow.pyfunc

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        mlflow.pyfunc.save_model(path, python_model=model, signature=inputs, pip_requirements=["mlflow"], **options)
    return str(path)


def scored(uri: str, frame: pd.DataFrame = FRUIT) -> tuple[Scorer, Scores, npt.NDArray[Any] | None]:
    """What a logged model gives for rows with columns to spare in another order; also the labels it predicts."""
    model = from_uri("challenger", uri, None)
    found = scorer(model)
    assert isinstance(found, Scorer), found
    batch = pa.RecordBatch.from_pandas(frame[sorted(frame.columns.astype(str))], preserve_index=False)
    columns, rows = model.columns(batch.schema.names, "kind", ()), np.arange(1, batch.num_rows + 1)
    labels = model.predict(batch, columns, rows) if found.predicts_labels else None
    return found, found.score(batch, columns, rows), labels


def of_object(model: Any) -> Scores:
    """What an object gives for the sizes of fruit."""
    found = from_object("challenger", model)
    source = scorer(found)
    assert isinstance(source, Scorer), source
    batch = pa.RecordBatch.from_pandas(SIZES, preserve_index=False)
    return source.score(batch, found.columns(batch.schema.names, "kind"), np.arange(1, len(SIZES) + 1))


@pytest.mark.parametrize(
    ("estimator", "y", "options"),
    [
        (LogisticRegression(), KIND, {}),
        (LogisticRegression(), np.where(KIND == "pear", 3, 1), {}),
        (LogisticRegression(), KIND == "pear", {}),
        (GaussianNB(), np.where(FRUIT["width"] > 8, "quince", KIND), {}),
        (RandomForestClassifier(8, random_state=0), KIND, {"skops_trusted_types": TREES}),
        (HistGradientBoostingClassifier(max_iter=5), KIND, {"skops_trusted_types": BOOSTED}),
        (CalibratedClassifierCV(LinearSVC(), ensemble=False), KIND, {"skops_trusted_types": CALIBRATED}),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), KIND, {}),
        (GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3]}), KIND, {}),
    ],
    ids=["text", "int", "bool", "three", "forest", "boosted", "calibrated", "pipeline", "search"],
)
def test_logged_estimators(estimator: Any, y: npt.NDArray[Any], options: dict[str, Any], tmp_path: Path) -> None:
    """A logged estimator gives its own predict_proba, and the labels MLflow predicts are its most probable classes."""
    options = options or {"serialization_format": "cloudpickle"}
    fitted = estimator.fit(SIZES, y)
    found, scores, labels = scored(
        saved(fitted, tmp_path / "m", zoo.signature(width="double", height="double"), **options)
    )
    assert (found.kind, found.notice) == ("probability", None)
    assert np.array_equal(scores.matrix, fitted.predict_proba(SIZES))
    assert [(type(x), x) for x in scores.classes] == [(type(x), x) for x in fitted.classes_.tolist()]
    assert np.array_equal(check_probabilities(scores.matrix, "challenger"), scores.matrix)
    assert labels is not None
    assert scores.labels.decoded().tolist() == labels.tolist()


def test_columns_by_name(tmp_path: Path) -> None:
    """A pipeline that picks columns by name gets them, whatever their order in the data and in its signature."""
    fitted = make_pipeline(COLOURED, LogisticRegression()).fit(FRUIT.drop(columns="kind"), KIND)
    inputs = zoo.signature(height="double", colour="string", width="double")
    _, scores, labels = scored(saved(fitted, tmp_path / "m", inputs, serialization_format="cloudpickle"))
    assert np.array_equal(scores.matrix, fitted.predict_proba(FRUIT))
    assert labels is not None
    assert scores.labels.decoded().tolist() == labels.tolist()


def test_signatures_cast_and_order(tmp_path: Path) -> None:
    """A single-precision signature rounds, one in another order than the data reorders, before predict_proba too."""
    single = SIZES[["height", "width"]].astype(np.float32)
    fitted = LogisticRegression().fit(single.to_numpy(), KIND)  # on an array: it would take any order
    inputs = zoo.signature(height="float", width="float")
    _, scores, labels = scored(saved(fitted, tmp_path / "m", inputs))
    assert np.array_equal(scores.matrix, fitted.predict_proba(single.to_numpy()))
    assert not np.array_equal(scores.matrix, fitted.predict_proba(SIZES[["height", "width"]].to_numpy()))
    assert not np.allclose(scores.matrix, fitted.predict_proba(SIZES.to_numpy()))
    assert labels is not None
    assert scores.labels.decoded().tolist() == labels.tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tensor_signatures(dtype: str, tmp_path: Path) -> None:
    """A model logged from an array is fed an array of its type."""
    array = FRUIT[["height", "width"]].to_numpy(dtype=dtype)
    fitted = LogisticRegression().fit(array, KIND)
    uri = saved(fitted, tmp_path / "m", zoo.tensors(dtype, -1, 2))
    _, scores, labels = scored(uri, FRUIT[["height", "width", "kind"]])
    assert np.array_equal(scores.matrix, fitted.predict_proba(array))
    assert labels is not None
    assert scores.labels.decoded().tolist() == labels.tolist()


def test_logged_to_return_probabilities(tmp_path: Path) -> None:
    """Where MLflow's predict is predict_proba, there are no labels but the most probable classes, and it is said."""
    fitted = LogisticRegression().fit(SIZES, KIND)
    inputs = zoo.signature(width="double", height="double")
    found, scores, _ = scored(saved(fitted, tmp_path / "m", inputs, pyfunc_predict_fn="predict_proba"))
    assert not found.predicts_labels
    assert found.notice == "The challenger returns probabilities: its label is the class with the greatest."
    assert np.array_equal(scores.matrix, fitted.predict_proba(SIZES))
    assert scores.labels.decoded().tolist() == fitted.predict(SIZES).tolist()


def python_model(predicts: Callable[[Any], Any] = zoo.linear, predict_proba: Callable[..., Any] | None = None) -> Any:
    """A Python model that predicts so, and has a predict_proba if given one."""
    from mlflow.pyfunc.model import PythonModel

    class Rule(PythonModel):
        _skip_type_hint_validation = True  # as in tests/zoo.py

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - MLflow would take hints for a schema
            del context, params
            return predicts(model_input)

    if predict_proba:
        Rule.predict_proba = predict_proba  # type: ignore[attr-defined] # a method from now on
    return Rule()


def backwards(self: Any, model_input: pd.DataFrame) -> npt.NDArray[Any]:
    """Pear comes first, agreeing with ``zoo.linear``."""
    del self
    p = 1 / (1 + np.exp(model_input["width"].to_numpy() + 1 - model_input["height"].to_numpy()))
    return np.column_stack([p, 1 - p])


def with_context(self: Any, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
    """Sharpen by a parameter, and need the context."""
    assert context.artifacts == {}
    assert params is not None
    p = backwards(self, model_input) ** params["sharpness"]
    return p / p.sum(axis=1, keepdims=True)


def test_python_models(tmp_path: Path) -> None:
    """A Python model's predict_proba is used, with its classes in its own order, sorted or not."""
    inputs = zoo.signature(width="double", height="double")
    model = python_model(predict_proba=backwards)
    model.classes_ = ["pear", "apple"]
    found, scores, labels = scored(saved_python(model, tmp_path / "m", inputs))
    assert scores.classes == ("pear", "apple") == found.classes
    assert np.array_equal(scores.matrix, backwards(None, SIZES))
    assert scores.labels.decoded().tolist() == labels.tolist() == zoo.linear(SIZES).tolist()  # type: ignore[union-attr] # None would fail


def test_context_and_parameters(tmp_path: Path) -> None:
    """A predict_proba that takes MLflow's context and parameters gets them, the parameters with their defaults."""
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec

    inputs = ModelSignature(
        zoo.signature(width="double", height="double").inputs,
        params=ParamSchema([ParamSpec("sharpness", DataType.double, 3.0)]),
    )
    model = python_model(predict_proba=with_context)
    model.classes_ = np.array(["pear", "apple"])
    _, scores, labels = scored(saved_python(model, tmp_path / "m", inputs))
    raised = backwards(None, SIZES) ** 3
    assert scores.matrix == pytest.approx(raised / raised.sum(axis=1, keepdims=True), abs=1e-15)
    assert labels is not None
    assert scores.labels.decoded().tolist() == labels.tolist()


def table(features: pd.DataFrame) -> pd.DataFrame:
    """Predict a frame of probabilities, pear first."""
    return pd.DataFrame(backwards(None, features), columns=["pear", "apple"])


def outputs(**columns: str) -> ModelSignature:
    """A signature of fruit's sizes with these outputs."""
    from mlflow.models import ModelSignature

    return ModelSignature(zoo.signature(width="double", height="double").inputs, zoo.signature(**columns).inputs)


def test_frames_of_probabilities(tmp_path: Path) -> None:
    """A pyfunc whose signature tells of a frame of doubles gives that frame's columns, under their names."""
    model = python_model(table)
    found, scores, _ = scored(saved_python(model, tmp_path / "m", outputs(pear="double", apple="double")))
    assert not found.predicts_labels
    assert found.notice is not None
    assert scores.classes == ("pear", "apple")
    assert np.array_equal(scores.matrix, backwards(None, SIZES))
    # The frame's own names count, not the order the signature has them in.
    _, turned, _ = scored(saved_python(model, tmp_path / "turned", outputs(apple="double", pear="double")))
    assert (turned.classes, turned.matrix.tolist()) == (scores.classes, scores.matrix.tolist())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: LinearRegression().fit(SIZES, FRUIT["width"]), "LinearRegression has no predict_proba."),
        (lambda: RidgeClassifier().fit(SIZES, np.arange(120) % 3), "RidgeClassifier has no predict_proba."),
        (lambda: make_pipeline(LinearSVC()).fit(SIZES, np.arange(120) % 3), "LinearSVC has no predict_proba."),
        (lambda: IsolationForest(n_estimators=10).fit(SIZES), "IsolationForest has no predict_proba."),
        (
            lambda: DecisionTreeClassifier().fit(SIZES, np.column_stack([KIND, KIND])),
            "DecisionTreeClassifier predicts several columns, or classes that are no labels.",
        ),
    ],
)
def test_objects_without_probabilities(make: Callable[[], Any], why: str) -> None:
    """An estimator without probabilities or a score of two classes is told by name, and nothing is raised."""
    assert scorer(from_object("champion", make())) == Unavailable(why=why)


def test_logged_models_without_probabilities(tmp_path: Path) -> None:
    """Logged models without probabilities are explained in a sentence: estimators, rules, frames with a label."""
    inputs = zoo.signature(width="double", height="double")
    many = saved(make_pipeline(LinearSVC()).fit(SIZES, np.arange(120) % 3), tmp_path / "svc", inputs)
    assert scorer(from_uri("champion", many, None)) == Unavailable(why="LinearSVC has no predict_proba.")
    only = Unavailable(why="The model was logged as a Python function and gives labels only.")
    assert scorer(from_uri("champion", zoo.save(zoo.linear, tmp_path / "rule", inputs=inputs), None)) == only
    alone = saved_python(python_model(zoo.probabilities), tmp_path / "alone", outputs(p="double"))
    assert scorer(from_uri("champion", alone, None)) == only
    mixed = python_model(lambda features: table(features).assign(kind="pear"))
    signature = outputs(pear="double", apple="double", kind="string")
    assert scorer(from_uri("champion", saved_python(mixed, tmp_path / "mixed", signature), None)) == only


class Hostile:
    """An object whose every attribute but ``predict`` raises when asked for."""

    def predict(self, features: Any) -> Any:
        """Predict nothing of use."""
        return features

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Sealed:
    """A pyfunc whose flavour hands out no model, as MLflow has some."""

    metadata = SimpleNamespace(signature=None)

    def predict(self, features: Any) -> Any:
        """Predict nothing of use."""
        return features

    def unwrap_python_model(self) -> Any:
        """Raise as MLflow does."""
        raise AttributeError

    def get_raw_model(self) -> Any:
        """Raise as MLflow does."""
        raise NotImplementedError


def test_a_flavour_that_hands_out_no_model() -> None:
    """Where MLflow hands out no model behind the pyfunc, that is the explanation."""
    found = scorer(Model(side="champion", predictor=Sealed(), flavor="spark"))
    assert found == Unavailable(why="MLflow hands out no spark model.")


def test_an_object_that_raises_when_asked() -> None:
    """An object that raises when asked for its methods has none."""
    assert scorer(Model(side="champion", predictor=Hostile())) == Unavailable(why="Hostile has no predict_proba.")


def test_decision_scores(tmp_path: Path) -> None:
    """Of two classes decision scores rank the rows: the second class has the score, the first its negative."""
    fitted = LinearSVC().fit(SIZES, KIND)
    expected = fitted.decision_function(SIZES)
    found, scores, labels = scored(saved(fitted, tmp_path / "m", zoo.signature(width="double", height="double")))
    assert found.kind == "score"
    assert np.array_equal(scores.matrix, np.column_stack([-expected, expected]))
    assert scores.classes == ("apple", "pear")
    assert scores.labels.decoded().tolist() == labels.tolist()  # type: ignore[union-attr] # None would fail
    assert np.array_equal(of_object(fitted).matrix, scores.matrix)
    assert np.array_equal(of_object(LogisticRegression().fit(SIZES, KIND)).matrix.sum(axis=1), np.ones(120))


class Gives:
    """An object with a predict_proba that gives what it is told to, and these classes if any."""

    def __init__(self, answer: Any, classes: Any = None) -> None:
        self.answer = answer
        if classes is not None:
            self.classes_ = classes

    def predict(self, features: Any) -> Any:
        """Predict the first class."""
        return np.zeros(len(features))

    def predict_proba(self, features: Any) -> Any:
        """Answer."""
        del features
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


THREE = pa.RecordBatch.from_pydict({"x": [1.0, 2.0, 3.0]})
P = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])


def given_by(answer: Any, classes: Any = None) -> Scores:
    """What is read from an answer for three rows, of which the first is row 11."""
    found = scorer(from_object("challenger", Gives(answer, classes)))
    assert isinstance(found, Scorer)
    assert (found.notice is None) == (classes is not None)
    return found.score(THREE, ["x"], np.arange(11, 14))


@pytest.mark.parametrize(
    ("answer", "classes", "named"),
    [
        (P, ["b", "a"], ("b", "a")),
        (P, np.array([1, 0]), (1, 0)),
        (P, (True, False), (True, False)),
        (P, None, (0, 1)),
        (P.tolist(), ["b", "a"], ("b", "a")),
        (P.astype(np.float32), ["b", "a"], ("b", "a")),
        (P[:, 1], ["b", "a"], ("b", "a")),
        (P[:, 1:], ["b", "a"], ("b", "a")),
        (P[:, 1], None, (0, 1)),
        (pd.Series(P[:, 1]), ["b", "a"], ("b", "a")),
        (pd.DataFrame(P, columns=["b", "a"]), None, ("b", "a")),
        (pd.DataFrame(P, columns=["b", "a"]), ["a", "b"], ("b", "a")),
        (pd.DataFrame(P, columns=["1", "0"]), [0, 1], (1, 0)),
        (pd.DataFrame(P), ["b", "a"], ("b", "a")),
        (pd.DataFrame(P[:, 1:], columns=["p"]), ["b", "a"], ("b", "a")),
        (pd.DataFrame(P[:, 1:], columns=["p"]), None, (0, 1)),
    ],
)
def test_takes_probabilities_however_they_come(answer: Any, classes: Any, named: tuple[Any, ...]) -> None:
    """Array, list or frame, both columns or the second alone: the same matrix, its columns named as the model does."""
    scores = given_by(answer, classes)
    assert scores.matrix == pytest.approx(P, abs=1e-7)
    assert [(type(x), x) for x in scores.classes] == [(type(x), x) for x in named]


def test_a_single_class() -> None:
    """A model that was fitted on one class has one column of ones."""
    scores = given_by(np.ones((3, 1)), ["a"])
    assert (scores.matrix.tolist(), scores.classes, scores.labels.decoded().tolist()) == (
        [[1.0]] * 3,
        ("a",),
        ["a"] * 3,
    )


@pytest.mark.parametrize(
    ("answer", "classes", "told"),
    [
        (P[:2], ["b", "a"], r"^The challenger's scores must have a row for each of 3 rows, got shape \(2, 2\)\.$"),
        (np.zeros((3, 2, 2)), ["b", "a"], r"got shape \(3, 2, 2\)"),
        (P, ["a", "b", "c"], r"^The challenger's scores must have 3 columns, one a class, got 2\.$"),
        (P, ["a", "a"], r"^The challenger's scores have classes that repeat: 'a', 'a'\.$"),
        (pd.DataFrame(P, columns=["a", "a"]), None, "classes that repeat: 'a', 'a'"),
        (pd.DataFrame(P, columns=["a", "a"]), ["a", "b"], "classes that repeat: 'a', 'a'"),
        (pd.DataFrame(P, columns=["a", "c"]), ["a", "b"], "are named 'a', 'c', but its classes are 'a', 'b'"),
        ([["x", "y"]] * 3, ["a", "b"], r"^The challenger's scores must be numbers, one for each row and class\.$"),
        ([[0.1], [0.1, 0.9], [1]], ["a", "b"], "must be numbers, one for each row and class"),
        (ValueError("no\nway"), ["a", "b"], r"^The challenger failed to score rows 11 to 13: ValueError: no\. Hint"),
        (SystemExit(0), ["a", "b"], "The challenger failed to score rows 11 to 13: SystemExit"),
    ],
)
def test_refuses_what_is_no_matrix(answer: Any, classes: Any, told: str) -> None:
    """Other lengths, other widths, repeated or other classes, text, and failures are refused with the side."""
    with pytest.raises(InvalidInputError, match=told):
        given_by(answer, classes)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([[0.5, 0.5], [1.2, -0.2], [1, 0]], r"must be in \[0, 1\], got 1\.2 \(first: row 2; 1 row in all\)"),
        ([0.5, 1.2, 1], r"must be in \[0, 1\], got -0\.2 \(first: row 2"),
        ([[0.5, 0.5], [float("nan"), 1], [1, 0]], r"must be in \[0, 1\], got nan \(first: row 2"),
        ([[0.5, 0.5], [0.5, 0.6], [1, 0]], r"must sum to 1 in every row, got 1\.1 \(first: row 2"),
    ],
)
def test_no_probabilities(answer: Any, told: str) -> None:
    """Numbers that are no probabilities come through as they are, for check_probabilities to refuse."""
    scores = given_by(answer, ["a", "b"])
    with pytest.raises(InvalidInputError, match=told):
        check_probabilities(scores.matrix, "challenger")


def test_scores_that_are_not_finite() -> None:
    """A decision score must be finite."""

    class Decides(Gives):
        predict_proba = None  # type: ignore[assignment] # it has none
        classes_ = ("a", "b")

        def decision_function(self, features: Any) -> Any:
            return np.where(features["x"] > 2, np.inf, 0.0)

    found = scorer(from_object("champion", Decides(None)))
    assert isinstance(found, Scorer)
    assert found.kind == "score"
    with pytest.raises(InvalidInputError, match=r"^The champion's scores must be finite, got -inf\.$"):
        found.score(THREE, ["x"], np.arange(11, 14))
