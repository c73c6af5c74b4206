"""Predictions in a file are the model's own, row by row, whatever file and batches they came by."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from abtest.bulk.choosing import choose, given
from abtest.bulk.predicted import Predicted
from abtest.bulk.predicting import predict
from abtest.errors import AbtestError, InvalidInputError, NotFoundError
from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

ESTIMATORS = {
    "logistic": LogisticRegression(max_iter=1000),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": RandomForestClassifier(20, random_state=0),
    "vector": SVC(),
}


@pytest.fixture(scope="module")
def irises() -> pd.DataFrame:
    """Irises under short names, with a label as text, a number of their own, and what looks like one."""
    frame = load_iris(as_frame=True).frame.set_axis([*"abcd", "kind"], axis=1)
    names = load_iris().target_names
    found: pd.DataFrame = frame.assign(
        kind=names[frame["kind"]].astype(str), id=np.arange(150), zip=[f"{i:05}" for i in range(150)]
    )
    return found


@pytest.fixture(scope="module", params=ESTIMATORS)
def fitted(request: pytest.FixtureRequest, irises: pd.DataFrame) -> Any:
    """An estimator of irises."""
    return ESTIMATORS[request.param].fit(irises[[*"abcd"]], irises["kind"])


def stored(frame: pd.DataFrame, path: Path) -> Path:
    """A frame in a file of the format that its name says."""
    if path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def read(path: Path) -> pd.DataFrame:
    """Read a file by pandas, text as it stands."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    return pd.read_csv(path, dtype={"zip": str})


@pytest.mark.parametrize("ways", ["csv parquet", "parquet jsonl", "jsonl csv", "csv csv"])
@pytest.mark.parametrize("rows", [7, 150, 50_000])
def test_predictions_are_the_models_own(
    tmp_path: Path, irises: pd.DataFrame, fitted: Any, ways: str, rows: int
) -> None:
    """Of every format, into every format, in any batches, rows in order: what scikit-learn gives for pandas' frame."""
    source, target = (f"{name}.{ending}" for name, ending in zip(("in", "out"), ways.split(), strict=True))
    done = predict(
        given(fitted), stored(irises, tmp_path / source), tmp_path / target, keep=["zip", "id"], batch_rows=rows
    )
    found = read(tmp_path / target)
    assert list(found) == list(done.columns) == ["zip", "id", "prediction"]
    assert found["prediction"].tolist() == fitted.predict(irises[[*"abcd"]]).tolist()
    assert found["zip"].tolist() == irises["zip"].tolist()
    assert found["id"].astype(int).tolist() == irises["id"].tolist()
    assert done.n == 150


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_probabilities_are_the_models_own(tmp_path: Path, irises: pd.DataFrame, ending: str) -> None:
    """A column a class, to the last bit in every format; labels stay those of predict."""
    fitted = ESTIMATORS["scaled"].fit(irises[[*"abcd"]], irises["kind"])
    predict(given(fitted), stored(irises, tmp_path / "in.parquet"), tmp_path / f"out{ending}", proba=True)
    found = read(tmp_path / f"out{ending}")
    assert list(found) == ["prediction", *(f"probability_{name}" for name in fitted.classes_)]
    matrix = found.drop(columns="prediction").to_numpy()
    np.testing.assert_array_equal(matrix, fitted.predict_proba(irises[[*"abcd"]]))
    assert found["prediction"].tolist() == fitted.predict(irises[[*"abcd"]]).tolist()


def test_the_distribution_is_that_of_the_file(tmp_path: Path, irises: pd.DataFrame, fitted: Any) -> None:
    """Classes, the most frequent first, are as often as pandas counts them in what was written."""
    proba = hasattr(fitted, "predict_proba")
    done = predict(given(fitted), irises.drop(columns=["kind"]), tmp_path / "out.csv", proba=proba, batch_rows=40)
    counts = read(tmp_path / "out.csv")["prediction"].value_counts()
    shown = {str(it.label): it.n for it in done.distribution.classes}
    assert shown == counts.to_dict()
    assert [it.n for it in done.distribution.classes] == sorted(counts, reverse=True)
    assert sum(it.share for it in done.distribution.classes) == pytest.approx(1)


def test_numbers_are_summed_up(tmp_path: Path) -> None:
    """A regressor's predictions have the mean, spread and range that pandas finds in the file."""
    frame = load_diabetes(as_frame=True).frame
    fitted = LinearRegression().fit(frame.drop(columns="target"), frame["target"])
    done = predict(given(fitted), stored(frame, tmp_path / "in.csv"), tmp_path / "out.parquet", batch_rows=100)
    found = read(tmp_path / "out.parquet")["prediction"]
    spread = done.distribution.numbers
    assert spread is not None
    assert done.distribution.classes == ()
    assert (spread.min, spread.max, spread.n) == (found.min(), found.max(), 442)
    assert (spread.mean, spread.std) == pytest.approx((found.mean(), found.std()), rel=1e-12)
    quartiles = np.quantile(found, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert [spread.first_quartile, spread.median, spread.third_quartile] == pytest.approx(quartiles, rel=0.02)


def test_the_record_is_plain_data(tmp_path: Path, irises: pd.DataFrame) -> None:
    """It reads back as it was, with the first rows that were asked for."""
    fitted = ESTIMATORS["logistic"].fit(irises[[*"abcd"]], irises["kind"])
    data = stored(irises, tmp_path / "in.parquet")
    done = predict(given(fitted), data, tmp_path / "out.csv", keep=["id"], sample=60, batch_rows=40, digest=True)
    assert Predicted.from_dict(json.loads(done.to_json())) == done
    head = read(tmp_path / "out.csv").head(60).to_dict("records")
    assert [dict(row) for row in done.sample] == head
    again = predict(given(fitted), data, tmp_path / "other.csv", digest=True)
    assert again.digest == done.digest is not None


def test_into_a_pipe(irises: pd.DataFrame, tmp_path: Path) -> None:
    """What takes bytes gets the file's very bytes, as CSV."""
    fitted = ESTIMATORS["logistic"].fit(irises[[*"abcd"]], irises["kind"])
    pipe = io.BytesIO()
    data = stored(irises, tmp_path / "in.csv")
    assert predict(given(fitted), data, pipe, keep=["all"]).output is None
    predict(given(fitted), data, tmp_path / "out.csv", keep=["all"])
    assert pipe.getvalue() == (tmp_path / "out.csv").read_bytes()
    head = data.read_text().splitlines()
    assert [line.rsplit(",", 1)[0] for line in pipe.getvalue().decode().splitlines()] == head


def test_kept_text_is_written_as_it_stood(tmp_path: Path) -> None:
    """From CSV to CSV, what is kept keeps its digits, fed to the model or not; what is missing stays empty."""
    uri = zoo.save(zoo.linear, tmp_path / "model", inputs=zoo.signature(width="float", height="double"))
    (tmp_path / "in.csv").write_text('code,width,height\n007,1.50,2.123456789012\n"a,""b""",3e0,1\n,2,9\n')
    predict(choose(model_uri=uri), tmp_path / "in.csv", tmp_path / "out.csv", keep=["code", "width", "height"])
    assert (tmp_path / "out.csv").read_text() == (
        'code,width,height,prediction\n007,1.50,2.123456789012,apple\n"a,""b""",3e0,1,apple\n,2,9,pear\n'
    )


def test_a_folder_and_a_glob(tmp_path: Path, irises: pd.DataFrame) -> None:
    """Files of a folder are predicted one after another, in the order of their names."""
    fitted = ESTIMATORS["logistic"].fit(irises[[*"abcd"]], irises["kind"])
    (tmp_path / "in").mkdir()
    for at in range(3):
        irises[50 * at : 50 * at + 50].to_parquet(tmp_path / "in" / f"{at}.parquet")
    for number, data in enumerate((tmp_path / "in", tmp_path / "in" / "*.parquet")):
        predict(given(fitted), data, tmp_path / f"{number}.csv", batch_rows=37)
        assert read(tmp_path / f"{number}.csv")["prediction"].tolist() == fitted.predict(irises[[*"abcd"]]).tolist()


BAD_RULES: dict[str, tuple[Any, str]] = {
    "raises in row 57": (
        lambda frame: 1 / 0 if (frame["width"] == 57).any() else ["a"] * len(frame),
        r"The model failed to predict row 57: ZeroDivisionError: division by zero\.",
    ),
    "fails on many rows": (
        lambda frame: 1 / 0 if len(frame) > 20 else ["a"] * len(frame),
        r"The model failed to predict rows 1 to 100: ZeroDivisionError",
    ),
    "predicts NaN": (
        lambda frame: np.where(frame["width"] > 70, np.nan, 1.0),
        r"The model predicts nothing for 30 rows \(first: row 71\)",
    ),
    "one too few": (zoo.too_few, r"The model returned predictions of shape \(99,\) for 100 rows from row 1"),
    "two columns": (zoo.two_columns, "The model predicts 2 values a row where one is expected"),
    "another type later": (
        lambda frame: ["a"] * len(frame) if frame["width"].iloc[0] > 50 else [1] * len(frame),
        "The model's predictions are int64 at first, and string from row 51",
    ),
}


@pytest.mark.parametrize("bad", BAD_RULES)
def test_what_a_model_does_wrong_is_told_with_its_row(tmp_path: Path, bad: str) -> None:
    """One sentence names the first row, and no file is left."""
    rule, says = BAD_RULES[bad]

    class Bad:
        def predict(self, frame: pd.DataFrame) -> Any:
            return rule(frame)

    rows = pd.DataFrame({"width": np.arange(1.0, 101), "height": 1.0})
    with pytest.raises(InvalidInputError, match=says):
        predict(given(Bad()), rows, tmp_path / "out.csv", batch_rows=50 if "later" in bad else 100)
    assert list(tmp_path.iterdir()) == []


BAD_DATA: dict[str, tuple[str, dict[str, Any], str]] = {
    "no feature": ("width\n1\n", {}, "The data lack feature 'height', which the model's signature names"),
    "no column": ("width,height\n1,2\n", {"keep": ["heigth"]}, r"no column 'heigth'\. Hint: did you mean 'height'"),
    "our name": (
        "width,height,prediction\n1,2,3\n", {"keep": ["all"]}, "Column 'prediction' of the data cannot be kept"
    ),
    "no number": ("width,height\n1,2\n3,x\n", {}, r"Column 'height' of .* must be double, got 'x' in row 2"),
    "kept, no number": ("width,height\n1,2\n3,x\n", {"keep": ["height"]}, r"'height' must be double, got 'x' in row 2"),
    "header only": ("width,height\n", {}, "holds no rows, so there is nothing to predict"),
    "no probabilities": ("width,height\n1,2\n", {"proba": True}, "The model has no probabilities"),
    "batches of none": ("width,height\n1,2\n", {"batch_rows": 0}, "batch_size must be at least 1, got 0"),
    "less than no sample": ("width,height\n1,2\n", {"sample": -1}, "show-sample must be at least 0, got -1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of fruit in a folder."""
    inputs = zoo.signature(width="double", height="double")
    return zoo.save(zoo.linear, tmp_path_factory.mktemp("model") / "linear", inputs=inputs)


@pytest.mark.parametrize("bad", BAD_DATA)
def test_what_is_wrong_with_the_data_is_told(tmp_path: Path, linear: str, bad: str) -> None:
    """One sentence says what and where, and no file is left."""
    text, options, says = BAD_DATA[bad]
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(InvalidInputError, match=says):
        predict(choose(model_uri=linear), tmp_path / "in.csv", tmp_path / "out.csv", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_column_that_changes_its_type(tmp_path: Path, linear: str) -> None:
    """In JSON Lines it is told with its row; in files of a folder before a row is read."""
    lines = [{"width": 1.0, "height": 2.0}] * 10 + [{"width": 1.0, "height": "high"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InvalidInputError, match=r"Column 'height' .*got 'high' in row 11"):
        predict(choose(model_uri=linear), tmp_path / "in.jsonl", tmp_path / "out.csv")
    (tmp_path / "in").mkdir()
    for number, height in enumerate((2.0, "high")):
        pd.DataFrame({"width": [1.0], "height": [height]}).to_parquet(tmp_path / "in" / f"{number}.parquet")
    with pytest.raises(
        InvalidInputError, match=r"Column 'height' of .*1\.parquet is of type .*string, and of type double"
    ):
        predict(choose(model_uri=linear), tmp_path / "in", tmp_path / "out.csv")


def test_scores_that_only_rank_are_no_probabilities(tmp_path: Path, irises: pd.DataFrame) -> None:
    """A decision function of two classes is refused for what it is."""
    two = irises[irises["kind"] != "setosa"]
    fitted = RidgeClassifier().fit(two[[*"abcd"]], two["kind"])
    with pytest.raises(InvalidInputError, match="only ranks"):
        predict(given(fitted), two, tmp_path / "out.csv", proba=True)


def test_a_model_without_a_signature_is_fed_what_is_not_kept_by_name(tmp_path: Path, irises: pd.DataFrame) -> None:
    """Whatever is set aside by name is no feature; and it is said what was."""
    fitted = ESTIMATORS["logistic"].fit(irises[[*"abcd"]].to_numpy(), irises["kind"])
    done = predict(given(fitted), irises, tmp_path / "out.csv", keep=["kind", "id", "zip"])
    assert read(tmp_path / "out.csv")["prediction"].tolist() == fitted.predict(irises[[*"abcd"]].to_numpy()).tolist()
    assert "fed all 4 columns that are not kept by name" in done.notices[0]


@pytest.mark.parametrize(
    ("data", "output", "error", "says"),
    [
        ("none.csv", "out.csv", NotFoundError, "input none.csv does not exist"),
        ("in.csv", "out.xlsx", InvalidInputError, "must end in .csv, .parquet, .jsonl, got '.xlsx'"),
        ("in.csv", "out", InvalidInputError, "got 'no ending'"),
        ("in.csv", "none/out.csv", InvalidInputError, "there is no folder none"),
        ("in.csv", "in.csv", InvalidInputError, "output in.csv is what is read"),
    ],
)
def test_files_that_cannot_be(linear: str, data: str, output: str, error: type[AbtestError], says: str) -> None:
    """They are told before anything is read."""
    pd.DataFrame({"width": [1.0], "height": [2.0]}).to_csv("in.csv", index=False)
    with pytest.raises(error, match=says):
        predict(choose(model_uri=linear), data, output, force=True)
