"""A model, ready to answer requests: rows of JSON in, predictions out, without a data frame where that can be."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.live.serving.bare import bare
from abtest.live.serving.fields import Fields, Row
from abtest.live.serving.frames import Framed
from abtest.live.serving.values import Field, field
from abtest.loaders.models import Model, from_uri
from abtest.loaders.unwrapped import unwrapped

if TYPE_CHECKING:
    import numpy.typing as npt

    from abtest.labels import Label
    from abtest.registry import RegistryClient

Path: TypeAlias = Literal["array", "frame", "pyfunc"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """A model as requests meet it.

    Attributes:
        name: The registered model; None of a run.
        version: Its version; None of a run.
        run_id: The run that logged it.
        uri: Where it was loaded from.
        flavor: How it was logged.
        columns: The columns that it takes, in order; None without a signature, and of a tensor.
        fields: What these are, or those of a tensor; None where nothing says.
        signature: Its signature as MLflow writes it; None without one.
        path: How it is asked: an "array" or a data "frame" goes to the estimator itself, or a frame to MLflow's
            "pyfunc".
        model: As MLflow has loaded it.
        parser: What ``parse`` does.
        ask: Features in, whatever the model returns out.
    """

    name: str | None
    version: int | None
    run_id: str | None
    uri: str
    flavor: str
    columns: tuple[str, ...] | None
    fields: Fields | None
    signature: Mapping[str, Any] | None
    path: Path
    model: Model
    parser: Callable[[Sequence[Row]], Any]
    ask: Callable[[Any], Any]

    def parse(self, rows: Sequence[Row]) -> Any:  # noqa: ANN401 - what its predict takes
        """Validate rows of JSON by the signature and give what ``predict`` takes.

        Args:
            rows: At least one; objects by column, or lists in the columns' order.

        Raises:
            FieldError: A field is missing, unknown, of another type, or not finite; the message names it and the row.
        """
        return self.parser(rows)

    def predict(self, features: Any, params: Mapping[str, Any] | None = None) -> list[Label]:  # noqa: ANN401 - see parse
        """Predict one label or number a row.

        Args:
            features: What ``parse`` gave.
            params: What a "pyfunc" is told beside them; others have no use for it.

        Raises:
            InvalidInputError: The model raises, or does not return one prediction a row.
        """
        try:
            raw = self.ask(features) if not params else _told(self, features, params)
        except InvalidInputError:
            raise
        except BaseException as error:  # a model that exits, or raises what ends a loop, must not end the server
            raise InvalidInputError(
                f"The model failed to predict: {type(error).__name__}: {wording.first_line(error)}."
            ) from error
        return labels(self.model, raw, len(features))


def load(
    uri: str, registry: RegistryClient | None, *, name: str | None, version: int | None, run_id: str | None
) -> Served:
    """Load a model and choose the cheapest way to ask it that gives what MLflow's way gives.

    Raises:
        ModelNotFoundError: Nothing is there.
        InvalidInputError: It does not load, or its signature is none for rows of columns.
    """
    model = replace(from_uri("champion", uri, registry), name="model")
    return ready(model, uri, name=name, version=version, run_id=run_id)


def ready(model: Model, uri: str, *, name: str | None, version: int | None, run_id: str | None) -> Served:
    """Choose the cheapest way to ask a model that MLflow has loaded; see ``load``."""
    loaded: Any = model.predictor
    told = loaded.metadata.signature
    signed = told is not None and told.inputs is not None
    fields = _fields(model, has_signature=signed)
    path, parser, ask = _way(model, fields, has_signature=signed)
    return Served(
        name=name,
        version=version,
        run_id=run_id,
        uri=uri,
        flavor=model.flavor,
        columns=None if fields is None or model.tensor else fields.names,
        fields=fields,
        signature=None if told is None else _plain(told.to_dict()),
        path=path,
        model=model,
        parser=parser,
        ask=ask,
    )


def _told(served: Served, features: Any, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - see parse
    loaded: Any = served.model.predictor
    return loaded.predict(features, params=dict(params)) if served.path == "pyfunc" else served.ask(features)


def _plain(signature: Mapping[str, Any]) -> dict[str, Any]:
    """MLflow keeps each part of a signature as JSON text in JSON."""
    return {part: json.loads(text) if isinstance(text, str) else text for part, text in signature.items()}


def _fields(model: Model, *, has_signature: bool) -> Fields | None:
    """The columns that a model takes; None where nothing says."""
    if model.tensor and model.tensor[1] > 0:
        dtype, width = model.tensor
        return Fields((field(str(at), _kind(dtype)) for at in range(1, width + 1)), named=False)
    if model.features is not None:
        return Fields(field(name, _kind_of(model, name), optional=name in model.optional) for name in model.features)
    estimator = unwrapped(model)
    fitted_on = getattr(estimator.predictor, "feature_names_in_", None) if estimator and not has_signature else None
    return None if fitted_on is None else Fields(field(str(name), "scalar") for name in fitted_on)


def _kind_of(model: Model, name: str) -> np.dtype[Any] | str | None:
    arrow = model.types.get(name)
    if arrow is None:  # a list, an object, a map: MLflow looks at it
        return None
    kinds: dict[str, np.dtype[Any] | str] = {
        "string": "text",
        "binary": "binary",
        "timestamp[ns]": np.dtype("datetime64[ns]"),
    }
    return kinds.get(str(arrow)) or _kind(np.dtype(arrow.to_pandas_dtype()))


def _kind(dtype: np.dtype[Any]) -> np.dtype[Any] | str | None:
    return dtype if dtype.kind in "biuf" else "text" if dtype.kind in "US" else None


def _way(
    model: Model, fields: Fields | None, *, has_signature: bool
) -> tuple[Path, Callable[[Sequence[Row]], Any], Callable[[Any], Any]]:
    estimator = unwrapped(model)
    framed = Framed(fields, array=model.tensor[0] if model.tensor else None)
    if estimator is not None and fields is not None and (found := _array_way(model, estimator, fields, framed)):
        return "array", *found
    known = fields is not None and all(field.dtype != object or field.rule == "text" for field in fields.fields)
    if estimator is not None and (known or not has_signature):
        return "frame", framed, _warned(estimator)
    return "pyfunc", framed, _warned(model)


def _array_way(
    model: Model, estimator: Model, fields: Fields, framed: Framed
) -> tuple[Callable[[Sequence[Row]], Any], Callable[[Any], Any]] | None:
    """Ask an estimator with an array, if it is known to take one and tells the same of made-up rows."""
    if not all(field.dtype.kind == "f" or (field.is_number and not field.optional) for field in fields.fields):
        return None
    dtype = np.result_type(*(field.dtype for field in fields.fields))

    def parse(rows: Sequence[Row]) -> npt.NDArray[Any]:
        return np.array(fields.read(rows), dtype=dtype)

    ways = bare(estimator.predictor, None if model.tensor else fields.names, len(fields.fields))
    alike = (way for way in ways if _alike(model, framed, parse, way, fields.fields))
    return next(((parse, way) for way in alike), None)


def _alike(
    model: Model, framed: Framed, parse: Callable[..., Any], predict: Callable[..., Any], fields: Sequence[Field]
) -> bool:
    """Whether an array gives what MLflow's way gives, of some made-up rows and of one; numbers to rounding."""
    rng = np.random.default_rng(0)
    rows: list[list[float]] = []
    for scale in (1, 100):
        drawn = np.abs(rng.normal(0, scale, (20, len(fields)))).clip(0, 127)  # what any integer type holds
        rows += [[float(x) if f.dtype.kind == "f" else int(x) for x, f in zip(row, fields, strict=True)]
                 for row in drawn.tolist()]  # fmt: skip
    try:
        return all(
            _same(
                labels(model, _warned(model)(framed(some)), len(some)), labels(model, predict(parse(some)), len(some))
            )
            for some in (rows, rows[:9], *([row] for row in rows[::8]))
        )
    except Exception:  # noqa: BLE001 - a model may raise whatever it likes; then it is asked as MLflow asks it
        return False


def _same(one: Sequence[Label], other: Sequence[Label]) -> bool:
    """Numbers to rounding: frames lie otherwise in memory than arrays, and jobs are summed in the order they end."""
    if [*map(type, one)] != [*map(type, other)]:
        return False
    if not all(isinstance(label, float) for label in one):
        return one == other
    scale = max(abs(float(label)) for label in one)
    return bool(np.allclose(np.array(one), np.array(other), rtol=1e-9, atol=1e-9 * scale))


def _warned(model: Model) -> Callable[[Any], Any]:
    predictor = model.predictor

    def ask(features: Any) -> Any:  # noqa: ANN401 - a data frame or an array
        with warnings.catch_warnings():
            # Said of estimators fitted on arrays; they take columns in the signature's order.
            warnings.filterwarnings("ignore", message="X (has|does not have valid) feature names", category=UserWarning)
            return predictor.predict(features)

    return ask


def labels(model: Model, raw: Any, rows: int) -> list[Label]:  # noqa: ANN401 - whatever predict returned
    """Give what a model returned as one plain label or number a row.

    Raises:
        InvalidInputError: It is not, or it is a number that JSON does not have.
    """
    if not (type(raw) is np.ndarray and raw.ndim == 1 and len(raw) == rows and raw.dtype.kind in "biufU"):
        raw = model.read(raw, np.arange(1, rows + 1))
    found: list[Label] = raw.tolist()
    for number, label in enumerate(found, 1):
        if type(label) is float and not math.isfinite(label):
            where = f" for row {number}" if rows > 1 else ""
            told = "nothing" if math.isnan(label) else "Infinity"
            raise InvalidInputError(f"The model predicts {told}{where}.", hint="a model must return finite numbers.")
    return found
