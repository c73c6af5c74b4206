"""Probabilities from any model that can give them, or decision scores from one of two classes.

MLflow's ``predict`` gives labels. What gives probabilities lies behind it: a scikit-learn estimator's, a Python
model's or another library's ``predict_proba``. It is called through MLflow too, so that it is fed what ``predict`` is.
Wherever they come from, they are to be checked by ``metrics.probability.check_probabilities`` before use.

Not every model predicts its most probable class, so probabilities stand in for labels only where ``greatest`` says so.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from abtest.coded import Coded, narrowed
from abtest.errors import InvalidInputError
from abtest.labels import Label
from abtest.loaders.greatest import Follows, labels_follow
from abtest.loaders.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Source = Callable[..., Any]

Kind: TypeAlias = Literal["probability", "score"]
_ROUNDING = 64  # spacings that a few roundings may leave between equal values
_ONLY_LABELS = "The model was logged as a Python function and gives labels only."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A model has no probabilities.

    Attributes:
        why: In a sentence.
    """

    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """What a model gave for a batch.

    Attributes:
        matrix: In each column, greater means more likely that class; shape (rows, classes).
        classes: The columns' names, in the model's own order and types.
        precision: The spacing at 1 of the numbers that the model computed with.
    """

    matrix: Floats
    classes: tuple[Label, ...]
    precision: float = float(np.finfo(np.float64).eps)

    @property
    def labels(self) -> Coded:
        """The class of the greatest value, the first of equals."""
        return self.greatest()[0]

    def greatest(self) -> tuple[Coded, bool]:
        """The class of the greatest value; and whether a row's next one differs by no more than rounding may leave."""
        if len(self.classes) == 1:
            return Coded(codes=np.zeros(len(self.matrix), dtype=np.uint8), values=self.classes), False
        if len(self.classes) == 2:  # NumPy subtracts faster than it compares what lies in columns
            gap = self.matrix[:, 1] - self.matrix[:, 0]
            codes = (gap > 0).view(np.uint8)
        else:
            second, first = np.partition(self.matrix, -2, axis=1)[:, -2:].T
            gap = first - second
            codes = narrowed(self.matrix.argmax(axis=1), len(self.classes))
        least = np.abs(gap, out=gap).min(initial=np.inf)
        return Coded(codes=codes, values=self.classes), bool(least <= _ROUNDING * self.precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Where a model's probabilities come from.

    Attributes:
        model: The model, whose features are fed.
        kind: A "probability"; or a "score" that ranks the rows of two classes, which is enough for the area under the
            ROC curve and not for log loss.
        classes: The model's classes; None where nothing says them: a frame's columns then do, or else they are numbered
            from 0.
        predicts_labels: Whether ``Model.predict`` works too. If not, the model was logged to return probabilities, and
            its labels are ``Scores.labels``.
        follows: Whether the labels of ``Model.predict`` are ``Scores.labels`` too: always, unless two values are nearly
            equal, or nobody knows.
        notice: What should be said about it.
        source: Features in, a matrix out.
    """

    model: Model
    kind: Kind
    classes: tuple[Label, ...] | None
    predicts_labels: bool = True
    follows: Follows | None = None
    notice: str | None = None
    source: Source

    def score(self, batch: pa.RecordBatch, columns: Sequence[str], rows: npt.NDArray[np.int64]) -> Scores:
        """Score the rows of a batch.

        Args:
            batch: Rows to score.
            columns: The columns to feed, as ``Model.columns()`` named them.
            rows: The rows' numbers in the data, for messages; shape (rows,).

        Raises:
            InvalidInputError: A value does not fit the signature, or as in ``scores``.
        """
        return self.scores(self.model.inputs(batch, columns, rows), rows)

    def scores(self, features: Any, rows: npt.NDArray[np.int64]) -> Scores:  # noqa: ANN401 - a data frame or an array
        """Score rows.

        Args:
            features: What the model is fed, as ``Model.inputs`` gave it.
            rows: The rows' numbers in the data, for messages; shape (rows,).

        Raises:
            InvalidInputError: The model raises, or what it returns is not a number for each row and class, or the
                classes repeat.
        """
        with self.model.asked("score", rows):
            raw = self.source(features)
        return self._read(raw, len(rows))

    def _read(self, raw: Any, rows: int) -> Scores:  # noqa: ANN401 - whatever the model returned
        who = f"The {self.model.told}'s scores"
        try:
            given = np.asarray(raw)
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidInputError(f"{who} must be numbers, one for each row and class.") from None
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or len(values) != rows:
            raise InvalidInputError(f"{who} must have a row for each of {rows:,} rows, got shape {values.shape}.")
        classes = self._named(getattr(raw, "columns", None), values.shape[1])
        if values.shape[1] == 1 and len(classes) == 2:  # of the second class; the first has what that leaves
            values = np.hstack([1 - values if self.kind == "probability" else -values, values])
        if values.shape[1] != len(classes):
            raise InvalidInputError(f"{who} must have {len(classes)} columns, one a class, got {values.shape[1]}.")
        if len(set(classes)) != len(classes):
            raise InvalidInputError(f"{who} have classes that repeat: {_listed(classes)}.")
        if self.kind == "score" and not np.isfinite(values).all():
            raise InvalidInputError(f"{who} must be finite, got {values[~np.isfinite(values)][0]:g}.")
        precision = float(np.finfo(given.dtype if given.dtype.kind == "f" else np.float64).eps)
        return Scores(matrix=values, classes=classes, precision=precision)

    def _named(self, names: Iterable[Any] | None, width: int) -> tuple[Label, ...]:
        """Name the columns: a frame's names come before the model's order."""
        given = None if names is None else _labels(names)
        if self.classes is None:
            return given if given and width > 1 else tuple(range(max(width, 2)))
        if given is None or len(given) == 1:
            return self.classes
        known = {str(label): label for label in self.classes}  # a frame may spell 0 as '0'
        if {str(name) for name in given} <= set(known):
            return tuple(known[str(name)] for name in given)
        if given == tuple(range(len(self.classes))):  # a frame without names
            return self.classes
        raise InvalidInputError(
            f"The {self.model.told}'s scores are named {_listed(given)}, but its classes are {_listed(self.classes)}.",
            hint="name the columns after the classes.",
        )


def scorer(model: Model) -> Scorer | Unavailable:
    """Find out where a model's probabilities come from, without predicting anything.

    In this order: ``predict_proba``; a pyfunc whose signature says that it returns a frame of several columns of
    floating-point numbers, which are taken for probabilities; ``decision_function`` of two classes.
    """
    predictor: Any = model.predictor
    wrapped = _method(predictor, "unwrap_python_model") is not None
    raw, is_python_model = _behind(predictor) if wrapped else (predictor, False)
    method, kind = _method(raw, "predict_proba"), "probability"
    if method is None and wrapped and (found := _frame_scorer(model)):
        return found
    if method is None:
        method, kind = _method(raw, "decision_function"), "score"
    if method is None:
        return Unavailable(why=_without(model, raw))
    named = _attribute(raw, "classes_")
    try:
        classes = None if named is None else _labels(named)
    except (TypeError, InvalidInputError):
        return Unavailable(why=f"{_name(raw)} predicts several columns, or classes that are no labels.")
    if kind == "score" and (classes is None or len(classes) != 2):
        return Unavailable(why=_without(model, raw))
    direct = not wrapped or predictor.metadata.flavors["python_function"].get("predict_fn", "predict") == "predict"
    unnamed = f"The {model.told} does not name its classes: the columns of its probabilities do, or their numbers."
    return Scorer(
        model=model,
        kind="probability" if kind == "probability" else "score",
        classes=classes,
        predicts_labels=direct,
        follows=labels_follow(raw, "predict_proba" if kind == "probability" else "decision_function"),
        notice=unnamed if classes is None else None if direct else _by_greatest(model),
        source=_through_mlflow(predictor, method, is_python_model=is_python_model) if wrapped else method,
    )


def behind(loaded: Any) -> Any:  # noqa: ANN401 - any library's model
    """Fetch the model behind a pyfunc; None where MLflow hands none out."""
    return _behind(loaded)[0]


def _behind(loaded: Any) -> tuple[Any, bool]:  # noqa: ANN401 - any library's model
    """Fetch the model behind a pyfunc, and say whether it is a Python model; None where MLflow hands none out."""
    for fetch, is_python_model in ((loaded.unwrap_python_model, True), (loaded.get_raw_model, False)):
        try:
            return fetch(), is_python_model
        except Exception:  # noqa: BLE001, S112 - each flavour has its own way to say that it has none
            continue
    return None, False


def _through_mlflow(loaded: Any, method: Source, *, is_python_model: bool) -> Source:  # noqa: ANN401 - a PyFuncModel
    """Put another method in the place of ``predict``: MLflow casts and orders the features as for that."""
    from mlflow.pyfunc import PyFuncModel  # noqa: PLC0415 - a loaded pyfunc has imported it

    parameters = inspect.signature(method).parameters if is_python_model else {}
    # MLflow hands the context to predict alone; without it a model would not find its artifacts.
    before = (loaded._model_impl.context,) if "context" in parameters else ()  # noqa: SLF001 - there is no public way

    def call(features: Any, params: Any = None) -> Any:  # noqa: ANN401 - see above
        return method(*before, features, **({"params": params} if "params" in parameters else {}))

    return PyFuncModel(model_meta=loaded.metadata, model_impl=SimpleNamespace(predict=call)).predict


def _frame_scorer(model: Model) -> Scorer | None:
    """Take a pyfunc whose outputs are several named floating-point columns for one that returns probabilities."""
    from mlflow.types import DataType  # noqa: PLC0415 - see _through_mlflow

    loaded: Any = model.predictor
    outputs = getattr(loaded.metadata.signature, "outputs", None)
    if outputs is None or outputs.is_tensor_spec() or not outputs.has_input_names() or len(outputs.inputs) < 2:
        return None
    if any(column.type not in {DataType.double, DataType.float} for column in outputs.inputs):
        return None
    return Scorer(
        model=model,
        kind="probability",
        classes=_labels(outputs.input_names()),
        predicts_labels=False,
        notice=_by_greatest(model),
        source=loaded.predict,
    )


def _by_greatest(model: Model) -> str:
    return f"The {model.told} returns probabilities: its label is the class with the greatest."


def _attribute(raw: Any, name: str) -> Any:  # noqa: ANN401 - any library's model
    try:
        return getattr(raw, name, None)
    except Exception:  # noqa: BLE001 - a property may raise whatever it likes: then it is not there
        return None


def _method(raw: Any, name: str) -> Source | None:  # noqa: ANN401 - any library's model
    found = _attribute(raw, name)
    return found if callable(found) else None


def _without(model: Model, raw: Any) -> str:  # noqa: ANN401 - any library's model
    if model.flavor == "pyfunc":
        return _ONLY_LABELS
    return f"MLflow hands out no {model.flavor} model." if raw is None else f"{_name(raw)} has no predict_proba."


def _name(raw: Any) -> str:  # noqa: ANN401 - any library's model
    """Name the estimator that matters: a pipeline's last step, or the best one of a search."""
    steps = _attribute(raw, "steps")
    inner = steps[-1][1] if isinstance(steps, list) and steps else _attribute(raw, "best_estimator_")
    return type(raw if inner is None else inner).__name__


def _labels(values: Iterable[Any]) -> tuple[Label, ...]:
    labels = tuple(value.item() if isinstance(value, np.generic) else value for value in values)
    for label in labels:
        if type(label) not in {bool, int, float, str}:
            raise InvalidInputError(f"Classes hold {type(label).__name__}, which is no class label.")
    return labels


def _listed(labels: Sequence[Label]) -> str:
    return ", ".join(repr(label) for label in labels[:5]) + (", …" if labels[5:] else "")
