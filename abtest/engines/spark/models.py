"""Models as functions of Spark: MLflow's own ``spark_udf``, with the labels as the models give them."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from abtest import wording
from abtest.engines.spark.session import Session, quiet, told_as_ours
from abtest.errors import InvalidInputError
from abtest.labels import Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from abtest.engines.spark.tables import Column
    from abtest.loaders.models import Model

Function: TypeAlias = "Callable[[Column], Column]"  # features in, predictions out

_MISSING = frozenset({"None", "nan", "NaN", "<NA>", "NaT"})  # what spark_udf writes where a model says nothing
_SAID = {
    "mlflow.pyfunc": ("Calling `spark_udf()`", "Passing a Python object as `python_model`"),
    "mlflow.models.flavor_backend_registry": ("Selected backend for flavor",),
    "mlflow.utils.requirements_utils": ("Detected one or more mismatches",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelType:
    """How a model's labels come through Spark.

    Attributes:
        name: The type of ``spark_udf``'s result.
        read: What a label is that comes back, where that type is not its own.
        stored: The same on Spark, as it is stored there; likewise.
    """

    name: str
    read: Callable[[Any], Label] | None = None
    stored: Callable[[Any], Any] | None = None

    @classmethod
    def of(cls, labels: npt.NDArray[Any]) -> LabelType:
        """The type that holds labels as they are.

        Example:
            >>> LabelType.of(np.array([0, 1])).name, LabelType.of(np.array(["a"])).name
            ('long', 'string')
        """
        kind, size = labels.dtype.kind, labels.dtype.itemsize
        if kind == "O":
            # MLflow finds no numbers among objects, and writes them as text.
            kinds = {type(value) for value in labels.tolist()}
            reads: dict[type, Callable[[Any], Label]] = {int: int, float: float, bool: "True".__eq__}
            own = kinds.pop() if len(kinds) == 1 else str
            return cls(
                name="string",
                read=reads.get(own),
                stored=_cast_to({int: "bigint", float: "double", bool: "boolean"}.get(own)),
            )
        if kind == "u" and size >= 4:
            return cls(name="double", read=int, stored=_cast_to("bigint"))  # MLflow knows no such whole numbers
        if kind == "i" and size == 4:
            return cls(name="int")
        return cls(name={"b": "boolean", "i": "long", "u": "long", "f": "double"}.get(kind, "string"))

    def column(self, answers: Column) -> Column:
        """What is stored of what comes back, on Spark."""
        return answers if self.stored is None else self.stored(answers)

    def labels(self, column: pa.Array) -> npt.NDArray[Any]:
        """Read a column that came back, without missing values, shape (rows,)."""
        if self.read is not None:
            return np.array([*map(self.read, column.to_pylist()), None], dtype=object)[:-1]
        return np.asarray(column.to_numpy(zero_copy_only=False))


def _cast_to(kind: str | None) -> Callable[[Column], Column] | None:
    return None if kind is None else lambda answers: answers.cast(kind)


def none_of(answers: Column, kind: str) -> Column:
    """Whether a prediction is none, on Spark."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

    if kind == "string":
        return answers.isNull() | answers.isin(*_MISSING)
    return answers.isNull() | F.isnan(answers) if kind in {"float", "double"} else answers.isNull()


def missing(column: pa.Array, truths: Sequence[Label]) -> npt.NDArray[np.bool_]:
    """Say of each prediction that came back whether it is none, shape (rows,)."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        none = _MISSING - {str(label) for label in truths}
        return np.array([value is None or value in none for value in column.to_pylist()], dtype=bool)
    return np.asarray(column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False))


def as_function(model: Model, result: str, session: Session) -> Function:
    """Make a model a function of Spark.

    Raises:
        InvalidInputError: It cannot be sent to Spark's workers.
    """
    if model.folder is None:
        return sent(model, model.predictor.predict, result, session)
    return _function(model, str(model.folder), result, session)


def sent(model: Model, predict: Callable[[Any], Any], result: str, session: Session) -> Function:
    """Make a function of Spark of what a model does here.

    Raises:
        InvalidInputError: It cannot be sent to Spark's workers.
    """
    import mlflow.pyfunc  # noqa: PLC0415 - a command that loads no model does not pay for MLflow
    from mlflow.pyfunc.model import PythonModel  # noqa: PLC0415 - see above

    class Sent(PythonModel):  # pickled by value, being local: workers need not have this package
        _skip_type_hint_validation = True  # else MLflow asks for hints whenever the class is made

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - MLflow would take hints for a schema
            del context, params
            return predict(model_input)

    with tempfile.TemporaryDirectory() as folder, _silenced():
        path = str(Path(folder) / "model")
        try:
            mlflow.pyfunc.save_model(path, python_model=Sent(), pip_requirements=["mlflow"])
        except Exception as error:
            why = error.__cause__ or error  # MLflow says that it failed, and its cause why
            raise InvalidInputError(
                f"The {model.told} cannot be sent to Spark's workers: {type(why).__name__}: {wording.first_line(why)}.",
                hint="log it to MLflow, and name it by its URI.",
            ) from error
        return _function(model, path, result, session)


def _function(model: Model, where: str, result: str, session: Session) -> Function:
    import mlflow.pyfunc  # noqa: PLC0415 - see above

    with quiet(), _silenced(), told_as_ours(f"Spark does not take the {model.told}"):
        found: Function = mlflow.pyfunc.spark_udf(session, where, result_type=result, env_manager="local")
        return found


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep back what MLflow says of every function it makes: that models run in this environment, as asked."""
    filters = {
        logging.getLogger(name): lambda record, said=said: not record.getMessage().startswith(said)
        for name, said in _SAID.items()
    }
    for logger, keep in filters.items():
        logger.addFilter(keep)
    try:
        yield
    finally:
        for logger, keep in filters.items():
            logger.removeFilter(keep)
