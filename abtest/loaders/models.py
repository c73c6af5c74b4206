"""A reference in, something that predicts class labels out.

Each side is fed by its own signature: its columns, in its order, in its types. Without a signature, or with a tensor
one, it gets every column of the data but the target and what tells segments apart, in file order.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import AbtestError, InvalidInputError, ModelNotFoundError, NotFoundError
from abtest.labels import Side
from abtest.loaders.columns import as_array, as_labels, cast_column, is_same_kind, missing_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import pandas as pd
    from mlflow.models import ModelSignature

    from abtest.registry import RegistryClient


ROUNDED = ", rounded"


class Predictor(Protocol):
    """Anything with a ``predict`` of its own: a scikit-learn estimator, an MLflow pyfunc."""

    def predict(self, features: Any, /) -> Any:  # noqa: ANN401 - each library has its own containers
        """Return one prediction a row."""


@dataclass(slots=True, kw_only=True)
class Model:
    """One side, ready to score batches.

    Attributes:
        side: Champion or challenger, for messages.
        predictor: What predicts.
        features: Columns it takes, in order; None for every column but the target.
        types: Arrow types of the columns its signature names; empty without one.
        optional: Columns its signature lets be missing.
        tensor: The NumPy type and number of columns of a tensor signature.
        flavor: How the model was logged, for the report.
        casts: Columns cast so far and how, to be said once.
        size: Bytes of its files, as MLflow counted them when it was logged.
        name: What messages call it where there are several challengers.
        folder: Where its files are on this machine; None for an object that somebody made.
    """

    side: Side
    predictor: Predictor
    features: tuple[str, ...] | None = None
    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    tensor: tuple[np.dtype[Any], int] | None = None
    flavor: str = "python"
    casts: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    name: str = ""
    folder: Path | None = None

    @property
    def told(self) -> str:
        """What messages call it."""
        return self.name or self.side

    def columns(self, available: Sequence[str], target: str | None, aside: Sequence[str] = ()) -> tuple[str, ...]:
        """Name the columns it takes from data with these columns.

        Args:
            available: The data's columns.
            target: The one with the truth; None where there is none.
            aside: Columns that are no features unless its signature names them, such as segments.

        Raises:
            InvalidInputError: The data lack a feature, or a tensor model wants another number of columns.
        """
        if self.features is not None:
            there = tuple(feature for feature in self.features if feature in available and feature != target)
            lacking = [feature for feature in self.features if feature not in (*there, *self.optional)]
            if target in lacking:
                raise InvalidInputError(
                    f"Target '{target}' is a feature of the {self.told}, so it cannot be the truth too.",
                    hint="name the column with the truth.",
                )
            if lacking:
                more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
                raise InvalidInputError(
                    f"The data lack feature '{lacking[0]}'{more}, which the {self.told}'s signature names.",
                    hint=f"the data's columns are {', '.join(available[:8])}{', …' if available[8:] else ''}.",
                )
            return there
        columns = tuple(column for column in available if column != target and column not in aside)
        if self.tensor and self.tensor[1] not in (-1, len(columns)):
            raise InvalidInputError(
                f"The {self.told}'s signature takes {self.tensor[1]} columns and the data have {len(columns)}"
                + (f" beside the target '{target}'." if target is not None else "."),
                hint="log the model from a data frame, so that its signature names its columns.",
            )
        return columns

    def inputs(self, batch: pa.RecordBatch, columns: Sequence[str], rows: npt.NDArray[np.int64]) -> Any:  # noqa: ANN401 - a data frame or an array
        """Take from a batch what the model is fed: the columns in their order, cast to its signature.

        Args:
            batch: Rows to score.
            columns: The columns to feed, as ``columns()`` named them.
            rows: The rows' numbers in the data, for messages; shape (rows,).

        Raises:
            InvalidInputError: A value does not fit the signature.
        """
        frame, casts = self.decoded(batch, columns, rows)
        self.note(casts)
        return self.shaped(frame)

    def decoded(
        self, batch: pa.RecordBatch, columns: Sequence[str], rows: npt.NDArray[np.int64]
    ) -> tuple[pd.DataFrame, dict[str, str]]:
        """Give the columns of ``inputs`` as a frame, and how those were cast that were; arguments as there."""
        casts: dict[str, str] = {}
        arrays = [self._column(batch.column(name), name, rows, casts) for name in columns]
        return pa.Table.from_arrays(arrays, names=list(columns)).to_pandas(), casts

    def shaped(self, frame: pd.DataFrame) -> Any:  # noqa: ANN401 - a data frame or an array
        """Give a frame as the model takes it: as it is, or as an array."""
        return frame.to_numpy(dtype=self.tensor[0]) if self.tensor else frame

    def predict(self, batch: pa.RecordBatch, columns: Sequence[str], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Predict one label a row of the batch, shape (rows,); arguments as in ``inputs``.

        Raises:
            InvalidInputError: A value does not fit the signature, or as in ``labels``.
        """
        return self.labels(self.inputs(batch, columns, rows), rows)

    def labels(self, features: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:  # noqa: ANN401 - see inputs
        """Predict one label a row, shape (rows,).

        Args:
            features: What the model is fed, as ``inputs`` gave it.
            rows: The rows' numbers in the data, for messages; shape (rows,).

        Raises:
            InvalidInputError: The model raises, or what it returns is not one label a row.
        """
        with self.asked("predict", rows):
            raw = self.predictor.predict(features)
        return self.read(raw, rows)

    @contextlib.contextmanager
    def asked(self, what: str, rows: npt.NDArray[np.int64]) -> Iterator[None]:
        """Turn what the model raises, when asked to "predict" or to "score" rows, into a sentence with their numbers.

        Raises:
            InvalidInputError: The model raises.
        """
        try:
            with warnings.catch_warnings():
                # Said once a batch of estimators fitted on arrays; they take columns in the signature's order.
                warnings.filterwarnings("ignore", message="X has feature names, but", category=UserWarning)
                yield
        except AbtestError:
            raise
        except (Exception, SystemExit) as error:  # a model that exits must not pass for a program that is done
            which = f"row {rows[0]:,}" if len(rows) == 1 else f"rows {rows[0]:,} to {rows[-1]:,}"
            raise InvalidInputError(
                f"The {self.told} failed to {what} {which}: {type(error).__name__}: {wording.first_line(error)}.",
                hint="--debug shows where.",
            ) from error

    def note(self, casts: Mapping[str, str]) -> None:
        """Remember how columns of a batch were cast, and rather that they lost digits than that they did not."""
        for name, how in casts.items():
            if ROUNDED in how or name not in self.casts:
                self.casts[name] = how

    def cast_notice(self) -> str | None:
        """Say once which columns were cast."""
        if not self.casts:
            return None
        name, how = next(iter(self.casts.items()))
        many = f"{len(self.casts)} columns were" if len(self.casts) > 1 else f"Column '{name}' was"
        first = f" (first: '{name}' {how})" if len(self.casts) > 1 else f" ({how})"
        rounded = sum(ROUNDED in how for how in self.casts.values())
        effect = f"{wording.plural(rounded, 'column')} lost digits" if rounded else "no value was changed"
        return f"{many} cast to the {self.told}'s signature{first}; {effect}."

    def type_of(self, column: str) -> pa.DataType | None:
        """The Arrow type its signature asks of a column, if it does."""
        return self.types.get(column) or (_arrow_type(self.tensor[0]) if self.tensor else None)

    def _column(self, column: pa.Array, name: str, rows: npt.NDArray[np.int64], casts: dict[str, str]) -> pa.Array:
        kind = self.type_of(name)
        if kind is None:
            return column
        given, column = column, cast_column(column, kind, name, rows)
        if not is_same_kind(given.type, kind):
            casts[name] = f"{given.type} → {kind}" + (ROUNDED if _is_rounded(given, column) else "")
        if column.null_count and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
            at = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise InvalidInputError(
                f"Column '{name}' must be {kind} for the {self.told} and is empty in row {rows[at]:,}.",
                hint="fill it, or log the model with the column as double, which can be missing.",
            )
        return column

    def read(self, raw: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:  # noqa: ANN401 - whatever predict returned
        """Read what its ``predict`` returned as one label a row, shape (rows,).

        Args:
            raw: What it returned.
            rows: The rows' numbers in the data, for messages; shape (rows,).

        Raises:
            InvalidInputError: It is not one label a row.
        """
        values = as_array(raw, f"The {self.told}'s predictions")
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 2 and len(values) == len(rows):
            raise InvalidInputError(
                f"The {self.told} predicts {values.shape[1]} values a row where one is expected.",
                hint="log a model that returns one label or number a row (scikit-learn's predict, not predict_proba).",
            )
        if values.shape != rows.shape:
            raise InvalidInputError(
                f"The {self.told} returned predictions of shape {values.shape} for "
                f"{wording.plural(len(rows), 'row')} from row {wording.whole(int(rows[0]))}.",
                hint="a model must return one prediction a row.",
            )
        missing = missing_labels(values)
        if missing.any():
            at, count = int(rows[missing][0]), int(missing.sum())
            raise InvalidInputError(
                f"The {self.told} predicts nothing for {wording.plural(count, 'row')} "
                f"(first: row {wording.whole(at)}).",
                hint="a model must return one prediction a row.",
            )
        return as_labels(values, f"The {self.told}'s predictions")


def from_object(side: Side, predictor: Predictor) -> Model:
    """Take an object that predicts, such as a fitted scikit-learn estimator.

    Raises:
        InvalidInputError: It has no ``predict``.
    """
    if not callable(getattr(predictor, "predict", None)):
        raise InvalidInputError(
            f"{side} must be a URI or have a predict method, got {type(predictor).__name__}.",
            hint="pass 'models:/name@alias', a path, or a fitted estimator.",
        )
    names = getattr(predictor, "feature_names_in_", None)
    model = Model(
        side=side,
        predictor=predictor,
        features=None if names is None else tuple(str(name) for name in names),
        flavor=type(predictor).__module__.split(".")[0],
    )
    signature = getattr(getattr(predictor, "metadata", None), "signature", None)  # of a model that MLflow loaded
    if signature is not None and getattr(signature, "inputs", None) is not None:
        _apply_signature(model, signature)
    return model


def from_uri(side: Side, uri: str, registry: RegistryClient | None) -> Model:
    """Load a model from a URI or path that MLflow understands.

    Raises:
        ModelNotFoundError: Nothing is there.
        NotFoundError: There is no registry.
        InvalidInputError: It does not load, or its signature is none for rows of columns.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # ours is the one progress bar
    import mlflow.artifacts  # noqa: PLC0415 - a command that loads no model does not pay for MLflow
    import mlflow.pyfunc  # noqa: PLC0415 - see above
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see above

    try:
        with registry.active() if registry else contextlib.nullcontext():
            folder = mlflow.artifacts.download_artifacts(uri)
            loaded = mlflow.pyfunc.load_model(folder, suppress_warnings=True)
    except NotFoundError:  # the registry's own: nothing is wrong with the model
        raise
    except (Exception, SystemExit) as error:  # a model that exits must not pass for success
        shown, told = wording.redacted(uri), wording.redacted(wording.first_line(error))
        missing = isinstance(error, OSError | MlflowException) and (
            getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST" or "No such file" in told or "MLmodel" in told
        )
        if missing:
            raise ModelNotFoundError(f"There is no model for the {side} at {shown}: {told}.") from error
        raise InvalidInputError(
            f"The {side} at {shown} does not load: {type(error).__name__}: {told}.",
            hint="does this environment have what the model needs? --debug shows where it failed.",
        ) from error
    flavors = [flavor for flavor in loaded.metadata.flavors if flavor != "python_function"]
    size = getattr(loaded.metadata, "model_size_bytes", None)  # older versions of MLflow did not count
    flavor = flavors[0] if flavors else "pyfunc"
    model = Model(side=side, predictor=loaded, flavor=flavor, size=size, folder=Path(folder))
    signature = loaded.metadata.signature
    if signature is not None and signature.inputs is not None:
        _apply_signature(model, signature)
    return model


def _apply_signature(model: Model, signature: ModelSignature) -> None:
    schema = signature.inputs
    if schema.is_tensor_spec():
        if schema.has_input_names() or len(schema.inputs) != 1 or len(schema.inputs[0].shape) != 2:
            raise InvalidInputError(
                f"The {model.told}'s signature takes tensors that rows of columns cannot fill.",
                hint="log the model with an input of shape (-1, columns), or from a data frame.",
            )
        spec = schema.inputs[0]
        model.tensor = (np.dtype(spec.type), int(spec.shape[1]))
        return
    if not schema.has_input_names():
        return
    model.features = tuple(str(name) for name in schema.input_names())
    from mlflow.types import DataType  # noqa: PLC0415 - see from_uri

    kinds = _arrow_types()
    named = {column.name: column for column in schema.inputs}
    model.types = {
        name: kinds[column.type]
        for name, column in named.items()
        if isinstance(column.type, DataType) and column.type in kinds
    }
    model.optional = frozenset(name for name, column in named.items() if not column.required)


def _arrow_types() -> dict[Any, pa.DataType]:
    from mlflow.types import DataType  # noqa: PLC0415 - see from_uri

    return {
        DataType.boolean: pa.bool_(),
        DataType.integer: pa.int32(),
        DataType.long: pa.int64(),
        DataType.float: pa.float32(),
        DataType.double: pa.float64(),
        DataType.string: pa.string(),
        DataType.binary: pa.binary(),
        DataType.datetime: pa.timestamp("ns"),
    }


def _arrow_type(dtype: np.dtype[Any]) -> pa.DataType | None:
    """A number's type; None for what Arrow or a table has no such type for."""
    return pa.from_numpy_dtype(dtype) if dtype.kind in "biuf" else None


def _is_rounded(given: pa.Array, cast: pa.Array) -> bool:
    return bool(
        pa.types.is_float32(cast.type)
        and pa.types.is_float64(given.type)
        and pc.any(pc.not_equal(pc.cast(cast, given.type), given)).as_py()
    )
