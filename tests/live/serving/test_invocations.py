"""MLflow's own formats: what its scoring server answers, we answer; what it refuses is refused in a sentence."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from abtest.errors import InvalidInputError
from abtest.live.serving.invocations import Invoked, read
from abtest.live.serving.served import Served, load
from abtest.live.serving.wire import MediaTypeError, TooManyRowsError
from tests import zoo
from tests.live import models

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Served]:
    """A model of each kind of signature."""
    folder = tmp_path_factory.mktemp("invoked")
    doubles, mixed, several = models.doubles(), models.mixed(), models.frame()
    truth = ["yes" if x > 0 else "no" for x in doubles["width"]]
    by_name = ColumnTransformer([("colour", OneHotEncoder(), ["colour"]), ("rest", "passthrough", ["width", "ripe"])])
    saved = {
        "doubles": models.save(LogisticRegression().fit(doubles, truth), folder / "doubles", doubles),
        "several": models.save(LogisticRegression(max_iter=999).fit(several, truth), folder / "several", several),
        "mixed": models.save(make_pipeline(by_name, LogisticRegression()).fit(mixed, truth), folder / "mixed", mixed),
        "tensor": models.save(
            LogisticRegression().fit(doubles.to_numpy(), truth), folder / "tensor", doubles.to_numpy()
        ),
        "bare": models.save(LogisticRegression().fit(doubles, truth), folder / "bare", doubles, signature=None),
        "python": zoo.save(zoo.linear, folder / "python", inputs=zoo.signature(width="double", height="double")),
    }
    return {kind: load(uri, None, name=None, version=None, run_id=None) for kind, uri in saved.items()}


def data(kind: str) -> pd.DataFrame:
    """New rows for each model."""
    made = {
        "several": models.frame,
        "mixed": models.mixed,
        "python": lambda *_, **__: zoo.fruit(6)[["width", "height"]],
    }
    return made.get(kind, models.doubles)(6, seed=9)


def bodies(kind: str) -> dict[str, tuple[bytes, str]]:
    """Requests as MLflow's clients write them, and as people do."""
    frame = data(kind)
    split = json.loads(frame.to_json(orient="split", date_format="iso", double_precision=15))
    records = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    columns = {name: [row[name] for row in records] for name in split["columns"]}
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    spelled: dict[str, Any] = {
        "split": {"dataframe_split": split},
        "split, no index": {"dataframe_split": {name: split[name] for name in ("columns", "data")}},
        "split, reordered": {
            "dataframe_split": {"columns": split["columns"][::-1], "data": [row[::-1] for row in split["data"]]}
        },
        "split, a column more": {
            "dataframe_split": {"columns": [*split["columns"], "more"], "data": [[*row, 1] for row in split["data"]]}
        },
        "split, no columns": {"dataframe_split": {"data": split["data"]}},
        "split, a column less": {
            "dataframe_split": {"columns": split["columns"][1:], "data": [row[1:] for row in split["data"]]}
        },
        "split, another key": {"dataframe_split": {**split, "rows": 1}},
        "records": {"dataframe_records": records},
        "records, a column more": {"dataframe_records": [{**row, "more": "x"} for row in records]},
        "records, text for numbers": {"dataframe_records": [{**row, "width": str(row["width"])} for row in records]},
        "records, no list": {"dataframe_records": {"width": 1}},
        "records, a missing one": {"dataframe_records": [{**records[0], "width": None}, *records[1:]]},
        "records, odd ones": {"dataframe_records": [1, 2]},
        "instances of objects": {"instances": records},
        "instances of lists": {"instances": split["data"]},
        "inputs of columns": {"inputs": columns},
        "inputs of objects": {"inputs": records},
        "inputs of lists": {"inputs": split["data"]},
        "inputs of one object": {"inputs": records[0]},
        "inputs, a column short": {"inputs": {**columns, "width": [1.0]}},
        "with params": {"dataframe_split": split, "params": {"a": 1}},
        "without params": {"dataframe_split": split, "params": None},
        "two formats": {"dataframe_split": split, "inputs": columns},
        "no format": {"columns": split},
        "no object": records,
    }
    written = {name: (json.dumps(body).encode(), JSON) for name, body in spelled.items()}
    missing = json.dumps({"dataframe_split": {**split, "data": [[float("nan"), *split["data"][0][1:]]], "index": [0]}})
    return {
        **written,
        "NaN": (missing.encode(), JSON),
        "a charset": (written["split"][0], "application/json; charset=utf-8"),
        "csv": (frame.to_csv(index=False).encode(), CSV),
        "csv, reordered": (frame[frame.columns[::-1]].to_csv(index=False).encode(), CSV),
        "csv, no rows": (b"width\n", CSV),
        "csv of nothing": (b"", CSV),
        "csv, not UTF-8": (b"\xff\xfe", CSV),
        "parquet": (parquet.getvalue(), PARQUET),
        "parquet that is none": (b"PAR1", PARQUET),
        "no JSON": (b"{", JSON),
        "JSON, not UTF-8": (b"\xff", JSON),
    }


KINDS = ("doubles", "several", "mixed", "tensor", "bare", "python")


@pytest.mark.parametrize("kind", KINDS)
def test_answers_as_mlflow_does(kind: str, served: dict[str, Served]) -> None:
    """What MLflow's scoring server answers is answered the same; what it refuses is refused, or read as was meant."""
    model, kinder = served[kind], []
    for name, (body, content_type) in bodies(kind).items():
        expected = by_mlflow(model, body, content_type)
        invoked, found, told = ours(model, body, content_type)
        if invoked is None:
            assert expected is None, f"{name}: {told}"
            assert 0 < len(told) < 600
            continue
        assert len(invoked.rows) == len(found)
        assert model.predict(model.parse(invoked.rows), invoked.params) == found, name
        if expected is None:
            kinder.append(name)
        else:
            assert found == expected, name
    # Without a signature MLflow hands on columns in another order, or an object, and the estimator refuses them.
    assert not kinder or kind == "bare"
    assert not {"two formats", "no format", "no object", "csv, not UTF-8", "no JSON", "records, odd ones"} & {*kinder}


def test_the_short_way_is_what_mlflow_reads(served: dict[str, Served]) -> None:
    """The rows of the commonest forms are taken as they were sent; others are those that MLflow read."""
    model, frame = served["doubles"], data("doubles")
    sent = bodies("doubles")
    for name in ("split", "records", "split, reordered", "csv", "parquet", "inputs of columns"):
        invoked = read(model, *sent[name])
        np.testing.assert_allclose(invoked.features, frame.to_numpy(), rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json; charset=latin-1", "image/png"])
def test_types_that_are_not_read(content_type: str | None, served: dict[str, Served]) -> None:
    """A body of another type is not looked at."""
    with pytest.raises(MediaTypeError, match="Content-Type must be one of application/json, text/csv"):
        read(served["doubles"], b"{}", content_type)


def test_too_many_rows(served: dict[str, Served]) -> None:
    """The limit on rows holds in every format."""
    for name in ("split", "csv", "parquet", "inputs of columns"):
        with pytest.raises(TooManyRowsError, match="may have 5 rows, got 6"):
            read(served["doubles"], *bodies("doubles")[name], most=5)


def test_infinity_is_refused(served: dict[str, Served]) -> None:
    """Infinity is refused by its name, whichever way it comes."""
    body = b'{"dataframe_split": {"columns": ["width", "height", "depth"], "data": [[1, 2, -Infinity]]}}'
    with pytest.raises(InvalidInputError, match="holds -Infinity"):
        read(served["doubles"], body, JSON)
    with pytest.raises(InvalidInputError, match="Field 'width' must be a number, got Infinity"):
        read(served["doubles"], b"width,height,depth\ninf,1,2\n", CSV)


def test_params_reach_the_model(tmp_path: Path) -> None:
    """What a model is told beside the rows reaches it, and changes its answer as it does in MLflow."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    # MLflow would take annotations for a signature, and remark on them.
    predict = lambda self, context, model_input, params=None: model_input["x"].to_numpy() * params["factor"]  # noqa: ARG005, E731 - see above
    scaled = type("Scaled", (mlflow.pyfunc.PythonModel,), {"predict": predict, "_skip_type_hint_validation": True})
    signature = ModelSignature(
        Schema([ColSpec("double", "x")]), params=ParamSchema([ParamSpec("factor", "double", 2.0)])
    )
    with models.quiet():
        mlflow.pyfunc.save_model(tmp_path / "model", python_model=scaled(), signature=signature, pip_requirements=[])
    model = load(str(tmp_path / "model"), None, name=None, version=None, run_id=None)
    for params, factor in ((None, 2.0), ({"factor": 5.0}, 5.0)):
        body = json.dumps({"dataframe_records": [{"x": 3.0}], "params": params}).encode()
        invoked = read(model, body, JSON)
        assert model.predict(invoked.features, invoked.params) == [3 * factor] == by_mlflow(model, body, JSON)


def ours(model: Served, body: bytes, content_type: str) -> tuple[Invoked | None, list[Any], str]:
    """What we read and answer, or why we refuse."""
    try:
        invoked = read(model, body, content_type)
        return invoked, model.predict(invoked.features, invoked.params), ""
    except InvalidInputError as error:
        return None, [], str(error)


def by_mlflow(model: Served, body: bytes, content_type: str) -> list[Any] | None:
    """What MLflow's scoring server answers; None where it refuses."""
    from mlflow.pyfunc import scoring_server

    loaded: Any = model.model.predictor
    with models.quiet():
        try:
            answer: Any = scoring_server.invocations(  # type: ignore[no-untyped-call] # MLflow's
                body, content_type, loaded, loaded.metadata.get_input_schema()
            )
        except Exception:  # noqa: BLE001 - it raises whatever it met
            return None
    assert answer.status == 200
    found: list[Any] = json.loads(answer.response)["predictions"]
    return found
