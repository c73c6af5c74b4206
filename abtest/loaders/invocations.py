"""Bodies that MLflow's own scoring server reads, read by it: cast and enforced by the model's signature."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.loaders.models import Model

Kind: TypeAlias = Literal["json", "csv", "parquet"]
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def enforced(model: Model, body: Mapping[str, Any] | bytes, kind: Kind, params: Any = None) -> Any:  # noqa: ANN401 - a frame, an array, whatever MLflow would hand on
    """Read what MLflow would hand to the model.

    Args:
        model: As MLflow has loaded it.
        body: Of JSON, the object without "params"; else the bytes.
        kind: How it is written.
        params: The "params" beside it.

    Raises:
        InvalidInputError: MLflow refuses it.
    """
    from mlflow.pyfunc import PyFuncModel, scoring_server  # noqa: PLC0415 - a loaded model has imported most of it

    loaded: Any = model.predictor
    schema = loaded.metadata.get_input_schema()
    # MLflow casts and enforces in its own predict, and what stands in for the model gives back what it was handed.
    mirror = PyFuncModel(model_meta=loaded.metadata, model_impl=SimpleNamespace(predict=_mirror))
    try:
        if isinstance(body, bytes):
            parsed = (
                scoring_server.parse_csv_input(io.StringIO(body.decode("utf-8")), schema)
                if kind == "csv"
                else scoring_server.parse_parquet_input(io.BytesIO(body))  # type: ignore[no-untyped-call] # MLflow's
            )
        else:
            parsed = scoring_server.infer_and_parse_data(dict(body), schema)
        return mirror.predict(parsed, params=params)
    except Exception as error:  # whatever MLflow and pandas raise of a body that is none
        raise InvalidInputError(f"MLflow does not read the body: {wording.first_line(error)}.") from error


def _mirror(data: Any, params: Any = None) -> Any:  # noqa: ANN401, ARG001 - as MLflow calls a model
    return data
