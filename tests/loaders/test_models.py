"""Each side is fed by its own signature, and whatever it returns is one label a row, or refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from abtest.errors import InvalidInputError, ModelNotFoundError
from abtest.loaders.models import Model, from_object, from_uri
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from mlflow.models import ModelSignature

ROWS = np.arange(11, 14)
BATCH = pa.RecordBatch.from_pydict({"x": [1.0, 2.0, 3.0]})


class Says:
    """An object that predicts what it is told to, and remembers what it was fed."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer = answer
        self.fed: Any = None

    def predict(self, features: Any) -> Any:
        """Answer."""
        self.fed = features
        return self.answer(features)


def predicted(answer: Any) -> npt.NDArray[Any]:
    """The labels read from what a model returned for three rows, of which the first is row 11."""
    return Model(side="challenger", predictor=Says(lambda _: answer)).predict(BATCH, ["x"], ROWS)


def fed(columns: dict[str, pa.Array], inputs: ModelSignature | None, path: Path, *, target: str = "y") -> Any:
    """What a model with a signature is fed from a batch, and by MLflow let through."""
    seen: list[Any] = []

    def remember(features: Any) -> list[str]:
        seen.append(features)
        return ["a"] * len(features)

    model = from_uri("champion", zoo.save(zoo.linear, path, inputs=inputs), None)
    model.predictor._model_impl.python_model.predict = lambda _, features, params=None: remember(features)  # type: ignore[attr-defined] # noqa: ARG005, SLF001 - the model itself, behind MLflow's checks
    batch = pa.RecordBatch.from_pydict(columns)
    names = model.columns([*columns, target], target)
    model.predict(batch, names, np.arange(1, batch.num_rows + 1))
    return seen[0], model


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        (np.array([1, 0, 1]), [1, 0, 1]),
        (np.array([[1], [0], [1]]), [1, 0, 1]),
        ([1, 0, 1], [1, 0, 1]),
        (("a", "b", "a"), ["a", "b", "a"]),
        (pd.Series(["a", "b", "a"]), ["a", "b", "a"]),
        (pd.Series(["a", "b", "a"], index=[7, 8, 9], dtype="category"), ["a", "b", "a"]),
        (pd.Series([1, 0, 1], dtype="Int64"), [1, 0, 1]),
        (pd.Series([True, False, True], dtype="boolean"), [True, False, True]),
        (pd.DataFrame({"p": ["a", "b", "a"]}), ["a", "b", "a"]),
        (np.array(["a", "b", "a"]), ["a", "b", "a"]),
        (np.array(["a", "b", "a"], dtype=object), ["a", "b", "a"]),
        (np.array([np.str_("a"), "b", np.str_("a")], dtype=object), ["a", "b", "a"]),
        (np.array([np.int64(1), 0, np.int8(1)], dtype=object), [1, 0, 1]),
        (np.array([np.float64(1), np.bool_(1), 0], dtype=object), [1.0, True, 0]),
        (np.array([True, False, True]), [True, False, True]),
        (np.array([1, 0, 1], dtype=np.uint8), [1, 0, 1]),
        (pa.array(["a", "b", "a"]), ["a", "b", "a"]),
    ],
)  # fmt: skip
def test_takes_labels_however_they_come(answer: Any, labels: list[Any]) -> None:
    """Array, column, list, Series, category, nullable or one-column frame: the same labels, of Python's types."""
    assert [(type(x), x) for x in predicted(answer).tolist()] == [(type(x), x) for x in labels]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([1, 0], r"The challenger returned predictions of shape \(2,\) for 3 rows from row 11\. Hint: a model must"),
        (1, r"returned predictions of shape \(\) for 3 rows"),
        ({"a": 1}, r"returned predictions of shape \(\) for 3 rows"),
        (None, r"returned predictions of shape \(\) for 3 rows"),
        (np.zeros((3, 2, 2)), r"returned predictions of shape \(3, 2, 2\) for 3 rows"),
        (np.zeros((3, 2)), "The challenger predicts 2 values a row where one is expected.*predict_proba"),
        (pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}), "The challenger predicts 2 values a row"),
        ([[1], [1, 2], [1]], "The challenger's predictions hold rows of different lengths"),
        (["a", None, "b"], r"The challenger predicts nothing for 1 row \(first: row 12\)"),
        ([1.0, float("nan"), float("nan")], r"The challenger predicts nothing for 2 rows \(first: row 12\)"),
        (pd.Series([1, None, 2], dtype="Int64"), "predicts nothing for 1 row"),
        (pd.Series(["a", None, "b"], dtype="category"), "predicts nothing for 1 row"),
        (np.array(["2024-01-01"] * 3, dtype="datetime64[D]"), "predictions hold date, which is no class label"),
        ([b"a", b"b", b"a"], "predictions hold bytes, which is no class label"),
        ([{"a": 1}, {}, {}], "predictions hold dict, which is no class label"),
        (np.array([1j, 2j, 3j]), "predictions hold complex, which is no class label"),
        (np.array([[1, 2], None, None], dtype=object), "hold list, which is no class label|predicts nothing"),
    ],
)
def test_refuses_what_is_not_one_label_a_row(answer: Any, told: str) -> None:
    """Predictions of another length, shape or kind are refused with side and rows, and never shown whole."""
    with pytest.raises(InvalidInputError, match=told) as error:
        predicted(answer)
    assert len(str(error.value)) < 300


def test_a_model_that_exits_while_it_loads(tmp_path: Path) -> None:
    """A model that ends the program while it loads has not loaded; the exit is no success."""
    import mlflow.pyfunc

    (tmp_path / "leaver.py").write_text("import sys\ndef _load_pyfunc(path): sys.exit(0)\n", encoding="utf-8")
    mlflow.pyfunc.save_model(
        tmp_path / "model",
        loader_module="leaver",
        code_paths=[str(tmp_path / "leaver.py")],
        pip_requirements=["mlflow"],
    )
    with pytest.raises(InvalidInputError, match=r"The challenger at .* does not load: SystemExit"):
        from_uri("challenger", str(tmp_path / "model"), None)


@pytest.mark.parametrize(
    "error", [ValueError("bad\n" + "x" * 9999), RuntimeError("y" * 9999), KeyError("a"), SystemExit(0)]
)
def test_a_model_that_raises_or_exits(error: BaseException) -> None:
    """Whatever a model raises is told with side, rows and the first line; exiting is no success."""

    def fail(_: Any) -> None:
        raise error

    with pytest.raises(
        InvalidInputError, match=rf"The champion failed to predict rows 11 to 13: {type(error).__name__}: "
    ) as told:
        Model(side="champion", predictor=Says(fail)).predict(BATCH, ["x"], ROWS)
    assert told.value.__cause__ is error
    assert len(str(told.value)) < 500


def test_ctrl_c_in_a_model_is_ctrl_c() -> None:
    """An interruption while a model predicts is not taken for the model's failure."""

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Model(side="champion", predictor=Says(interrupted)).predict(BATCH, ["x"], ROWS)


def test_each_type_reaches_the_model_as_its_signature_says(tmp_path: Path) -> None:
    """Whatever type a column is stored as, MLflow's own checks take what the model is fed."""
    inputs = zoo.signature(
        d="double", f="float", l="long", i="integer", s="string", c="string", b="boolean", t="datetime"
    )
    columns = {
        "t": pa.array([dt.datetime(2024, 2, 29, 12), None], pa.timestamp("us")),  # noqa: DTZ001 - MLflow's have no zone
        "d": pa.array([1, 2], pa.int64()),
        "f": pa.array([0.5, None]),
        "l": pa.array([1.0, 2.0]),
        "i": pa.array([1, 2], pa.int64()),
        "s": pa.array(["x", None], pa.large_string()),
        "c": pa.array(["x", "y"]).dictionary_encode(),
        "b": pa.array([0, 1]),
    }
    frame, model = fed(columns, inputs, tmp_path / "model")
    assert list(frame.columns) == list("dfliscbt")
    assert [str(kind) for kind in frame.dtypes] == [
        "float64", "float32", "int64", "int32", "str", "str", "bool", "datetime64[ns]",
    ]  # fmt: skip
    assert frame["s"].isna().tolist() == [False, True]
    assert "6 columns were cast to the champion's signature (first: 'd' int64 → double)" in model.cast_notice()
    assert model.cast_notice().endswith("; no value was changed.")


def test_decimals_are_doubles(tmp_path: Path) -> None:
    """A decimal column feeds a double feature."""
    column = pa.array(["1.25", "2.00"]).cast(pa.decimal128(6, 2))
    frame, model = fed({"x": column}, zoo.signature(x="double"), tmp_path / "model")
    assert frame["x"].tolist() == [1.25, 2.0]
    assert "Column 'x' was cast to the champion's signature (decimal128(6, 2) → double)" in model.cast_notice()


def test_rounding_is_said(tmp_path: Path) -> None:
    """Doubles for a 32-bit feature are rounded, and it is said; those that fit are not."""
    columns = {"x": pa.array([0.5, 0.1]), "z": pa.array([0.5, 0.25])}
    frame, model = fed(columns, zoo.signature(z="float", x="float"), tmp_path / "model")
    assert frame["x"].dtype == np.float32
    assert model.cast_notice() == (
        "2 columns were cast to the champion's signature (first: 'z' double → float); 1 column lost digits."
    )


def test_nothing_to_say_about_columns_that_fit(tmp_path: Path) -> None:
    """Columns of the signature's own types, and categories for text, are no casts."""
    columns = {"x": pa.array([1.0]), "s": pa.array(["x"]).dictionary_encode(), "more": pa.array([1])}
    frame, model = fed(columns, zoo.signature(s="string", x="double"), tmp_path / "model")
    assert list(frame.columns) == ["s", "x"]
    assert model.cast_notice() is None


@pytest.mark.parametrize(
    ("kind", "column", "told"),
    [
        (
            "long",
            pa.array([1, None, 3]),
            "Column 'x' must be int64 for the champion and is empty in row 2. Hint: fill it",
        ),
        ("?long", pa.array([1, None, 3]), "Column 'x' must be int64 for the champion and is empty in row 2."),
        ("boolean", pa.array([True, None]), "Column 'x' must be bool for the champion and is empty in row 2."),
        ("long", pa.array([1.0, 2.5]), "Column 'x' must be int64, got 2.5 in row 2."),
        ("double", pa.array(["1", "x"]), "Column 'x' must be double, got 'x' in row 2."),
    ],
)
def test_values_that_do_not_fit(kind: str, column: pa.Array, told: str, tmp_path: Path) -> None:
    """A value the signature has no room for is refused with column and row."""
    with pytest.raises(InvalidInputError, match=told):
        fed({"x": column}, zoo.signature(x=kind), tmp_path / "model")


def test_an_optional_column_may_be_missing(tmp_path: Path) -> None:
    """A column the signature calls optional may be absent, or empty where its type allows."""
    inputs = zoo.signature(x="double", z="?double")
    frame, _ = fed({"x": pa.array([1.0])}, inputs, tmp_path / "absent")
    assert list(frame.columns) == ["x"]
    frame, _ = fed({"x": pa.array([1.0]), "z": pa.array([None], pa.float64())}, inputs, tmp_path / "empty")
    assert frame["z"].isna().all()


def test_lacking_columns(tmp_path: Path) -> None:
    """A feature the data lack is named with its side, and with what the data have; the target is none."""
    model = from_uri(
        "challenger", zoo.save(zoo.linear, tmp_path / "m", inputs=zoo.signature(a="double", b="long")), None
    )
    with pytest.raises(
        InvalidInputError, match=r"The data lack feature 'a' and 1 more, which the challenger's signature"
    ):
        model.columns(["x", "y"], "y")
    with pytest.raises(InvalidInputError, match="Target 'b' is a feature of the challenger, so it cannot be the truth"):
        model.columns(["a", "b"], "b")


def test_tensor_signatures(tmp_path: Path) -> None:
    """A model logged from NumPy is fed an array of its type: every column but the target, in the data's order."""
    columns = {"x": pa.array([1, 2]), "z": pa.array([0.5, 1.5])}
    array, model = fed(columns, zoo.tensors("float64", -1, 2), tmp_path / "double")
    assert array.dtype == np.float64
    assert array.tolist() == [[1.0, 0.5], [2.0, 1.5]]
    assert "Column 'x' was cast to the champion's signature (int64 → double)" in model.cast_notice()
    array, _ = fed({"x": pa.array([1, 2])}, zoo.tensors("int64", -1, -1), tmp_path / "long")
    assert array.dtype == np.int64


@pytest.mark.parametrize(
    ("column", "dtype", "told"),
    [
        (pa.array(["1", "x"]), "float64", "Column 'x' must be double, got 'x' in row 2."),
        (pa.array([1, None]), "int64", "Column 'x' must be int64 for the champion and is empty in row 2."),
        (pa.array([1.5]), "int64", "Column 'x' must be int64, got 1.5 in row 1."),
    ],
)
def test_values_that_do_not_fit_a_tensor(column: pa.Array, dtype: str, told: str, tmp_path: Path) -> None:
    """A value that fits no tensor is refused with column and row, and is never made up."""
    with pytest.raises(InvalidInputError, match=told):
        fed({"x": column}, zoo.tensors(dtype, -1, 1), tmp_path / "model")


def test_tensors_of_another_width(tmp_path: Path) -> None:
    """Data with more or fewer columns than a tensor signature takes are refused, and so are pictures."""
    with pytest.raises(InvalidInputError, match="takes 3 columns and the data have 1 beside the target 'y'"):
        fed({"x": pa.array([1.0])}, zoo.tensors("float64", -1, 3), tmp_path / "three")
    with pytest.raises(InvalidInputError, match=r"takes tensors that rows of columns cannot fill.*Hint: log the model"):
        fed({"x": pa.array([1.0])}, zoo.tensors("float64", -1, 8, 8), tmp_path / "pictures")


def test_without_a_signature(tmp_path: Path) -> None:
    """Without a signature a model gets every column but the target, as they are."""
    frame, model = fed({"b": pa.array(["x"]), "a": pa.array([1])}, None, tmp_path / "model")
    assert list(frame.columns) == ["b", "a"]
    assert (model.features, model.cast_notice()) == (None, None)


def test_an_object_that_predicts() -> None:
    """A fitted estimator is a model; the columns it was fitted on are its features."""
    from sklearn.tree import DecisionTreeClassifier

    frame = pd.DataFrame({"x": [0, 1], "z": [0, 1]})
    model = from_object("champion", DecisionTreeClassifier().fit(frame, ["no", "yes"]))
    assert (model.features, model.flavor) == (("x", "z"), "sklearn")
    batch = pa.RecordBatch.from_pandas(frame[["z", "x"]])
    assert model.predict(batch, model.columns(["z", "x", "y"], "y"), np.arange(2)).tolist() == ["no", "yes"]
    assert from_object("champion", DecisionTreeClassifier().fit(frame.to_numpy(), [0, 1])).features is None
    with pytest.raises(InvalidInputError, match="champion must be a URI or have a predict method, got int"):
        from_object("champion", 3)  # type: ignore[arg-type] # that is the test


def test_places_without_a_model(tmp_path: Path) -> None:
    """A path that is not there, or holds no model, is told as such; one that does not load is another matter."""
    (tmp_path / "bare").mkdir()
    for uri in ("nowhere", str(tmp_path / "bare"), (tmp_path / "nowhere").as_uri()):
        with pytest.raises(ModelNotFoundError, match=f"There is no model for the champion at {uri}: "):
            from_uri("champion", uri, None)
    saved = zoo.save(zoo.linear, tmp_path / "broken", inputs=zoo.signature(x="double"))
    Path(saved, "python_model.pkl").write_bytes(b"no pickle")
    with pytest.raises(
        InvalidInputError, match=r"The champion at .*broken does not load: .*Hint: does this environment"
    ):
        from_uri("champion", saved, None)
    Path(saved, "MLmodel").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="does not load"):
        from_uri("champion", saved, None)
