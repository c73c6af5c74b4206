"""Which column of a file is what: the prediction, the truth, the id, the time, segments and features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from abtest.engines.reading import agreed_types
from abtest.errors import InvalidInputError, near
from abtest.labels import TASKS, LabelType, Task, kind_of, reconcile
from abtest.loaders.columns import CODED_TEXT
from abtest.loaders.datasets import Dataset
from abtest.loaders.models import Model
from abtest.loaders.segments import check_columns
from abtest.loaders.tasks import find_task, look_at_truth, refuse_classifiers, task_of_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label
    from abtest.monitoring.known import Known

_NO_TARGET = "\0"  # no column is called so
_MOST_DISTINCT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What is read of a file, and how.

    Attributes:
        data: The rows.
        task: What they are of.
        label_type: Of all labels; None where the predictions have a type of their own.
        model: Which scores them; None where predictions are there.
        fed: The columns that it takes.
        prediction: The column that has predictions.
        target: The column that has the truth; None where none has.
        labels: Another file, which has the truth row by row.
        label_column: Its column.
        shared: Columns of both, which must agree.
        id_column: What names each row.
        time_column: When it was predicted.
        segments: Columns, or columns crossed.
        features: Columns that are sketched.
        types: How a text format's columns are read.
        notices: What was inferred.
    """

    data: Dataset
    task: Task
    label_type: LabelType | None
    model: Model | None
    fed: tuple[str, ...]
    prediction: str | None
    target: str | None
    labels: Dataset | None
    label_column: str
    shared: tuple[str, ...]
    id_column: str | None
    time_column: str | None
    segments: tuple[str, ...]
    features: tuple[str, ...]
    types: Mapping[str, pa.DataType]
    notices: tuple[str, ...] = ()

    @property
    def truth_is_text(self) -> bool:
        """Whether the truth comes from a text format, which has no types."""
        return (self.labels or self.data).is_text

    def read(self) -> tuple[str, ...]:
        """The columns of the data that are read."""
        named = (self.prediction, self.target, self.id_column, self.time_column)
        apart = check_columns(self.data, self.segments, self.target)
        there = (*self.fed, *self.features, *self.shared, *apart, *(name for name in named if name is not None))
        return tuple(dict.fromkeys(there))


def columns_of(
    data: Dataset,
    *,
    model: Model | None,
    prediction: str | None,
    target: str | None,
    labels: Dataset | None,
    id_column: str | None,
    label_column: str,
    time_column: str | None,
    segments: Sequence[str],
    features: Sequence[str] | None,
    task: Task | None,
    label_type: LabelType | None,
    known: Known,
) -> Columns:
    """Find out which column is what; arguments are those of ``track``.

    Args:
        labels: Those that are joined by position.
        label_column: Of the labels, however they are joined; empty where there are none.

    Raises:
        InvalidInputError: A column is not there, or stands for two things.
    """
    if (model is None) == (prediction is None):
        raise InvalidInputError(
            f"prediction must be there where no model is, and only there, got {'neither' if model is None else 'both'}.",
            hint="--model-name scores the rows; --prediction names the column that has predictions.",
        )
    named = {"prediction": prediction, "id": id_column, "time": time_column}
    for what, name in {**named, "target": target}.items():
        if name is not None and name not in data.columns:
            raise data.missing(name, f"{what} column")
    _refuse_twice({**named, "target": target})
    shared = (
        ()
        if labels is None
        else tuple(name for name in labels.columns if name in data.columns and name != label_column)
    )
    truth = target or (label_column if label_column in data.columns else None)
    apart = check_columns(data, segments, truth)
    aside = [name for name in (*named.values(), *apart) if name is not None]
    fed = model.columns(data.columns, truth or _NO_TARGET, aside) if model else ()
    types = dict(agreed_types([model], [fed])) if model else {}
    own = fed
    if features is not None:
        for name in features:
            if name not in data.columns:
                raise data.missing(name, "feature")
            if name == truth:
                raise InvalidInputError(f"features must not hold the truth, '{name}'.")
        own = tuple(dict.fromkeys(features))
    elif model is None:
        own = tuple(name for name in data.columns if name not in (*named.values(), truth))
    found, said = _task_of(model, data, prediction, target, labels, label_column, known.task_of(task))
    if found == "regression" and label_type is not None:
        raise InvalidInputError(f"label_type means nothing in a regression, got {label_type!r}.")
    if data.is_text:
        text = [name for name in (*named.values(), target, *apart) if name is not None and name not in (*fed, *own)]
        types = {
            **_guessed(data, [name for name in own if name not in types]),
            **types,
            **dict.fromkeys(text, pa.string()),
        }
        types |= dict.fromkeys([name for name in (*apart, *shared) if name not in types], pa.string())
    if found == "classification":
        types |= dict.fromkeys([name for name in (prediction, target) if name is not None], CODED_TEXT)
    return Columns(
        data=data, task=found, label_type=known.label_type_of(label_type) or (
            _read_as(data, prediction, target, labels, label_column)
            if data.is_text and prediction is not None and found == "classification" else None
        ),
        model=model, fed=tuple(fed), prediction=prediction, target=target, labels=labels, label_column=label_column, shared=shared,
        id_column=id_column, time_column=time_column, segments=tuple(segments), features=own, types=types,
        notices=(said,) if said else (),
    )  # fmt: skip


def told(model: Model | None) -> Model | None:
    """Let messages call a model so, where it has no name: there is but one."""
    return None if model is None else replace(model, name=model.name or "model")


def _refuse_twice(named: Mapping[str, str | None]) -> None:
    seen: dict[str, str] = {}
    for what, name in named.items():
        if name is None:
            continue
        if name in seen:
            raise InvalidInputError(f"{what} and {seen[name]} must be two columns, got '{name}' for both.")
        seen[name] = what


def _task_of(
    model: Model | None,
    data: Dataset,
    prediction: str | None,
    target: str | None,
    labels: Dataset | None,
    label_column: str,
    given: Task | None,
) -> tuple[Task, str | None]:
    """The task, and why where it was inferred to be a regression."""
    if given is not None:
        if given not in TASKS:
            raise InvalidInputError(f"task must be one of {', '.join(TASKS)}, got {given!r}.", hint=near(given, TASKS))
        if given == "regression" and model is not None:
            refuse_classifiers([model])
        return given, None
    source, column = (labels, label_column) if labels is not None else (data, target)
    if model is not None:
        return find_task([model], source, column) if column else (task_of_model(model) or "classification", None)
    looked = look_at_truth(source, column) if column else look_at_truth(data, str(prediction))
    return ("regression" if looked == "continuous" else "classification"), None


def _guessed(data: Dataset, columns: Sequence[str]) -> dict[str, pa.DataType]:
    """How features of a text format are read that no signature types: as their first rows look."""
    if not columns:
        return {}
    first = next(iter(data.read(list(columns), {})), None)
    if first is None:
        return {}
    return {field.name: _widest(field.type) for field in first.schema}


def _widest(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return pa.float64()  # later rows may have fractions
    return kind if pa.types.is_boolean(kind) else pa.string()


def _read_as(
    data: Dataset, prediction: str, target: str | None, labels: Dataset | None, label_column: str
) -> LabelType | None:
    """What type labels are meant as that are text for want of types: all of them tell."""
    values: set[Label] = set()
    for source, column in ((data, prediction), (data, target), (labels, label_column)):
        if source is None or not column:
            continue
        for batch in source.batches([column], {column: CODED_TEXT}):
            own = batch.column(column)
            found = own.dictionary if pa.types.is_dictionary(own.type) else own.unique()
            values |= {value for value in found.to_pylist() if value is not None and value == value}  # noqa: PLR0124 - NaN is what differs from itself
            if len(values) > _MOST_DISTINCT:
                return None
    texts = [value for value in values if isinstance(value, str)]
    return kind_of(reconcile([], [], sorted(texts), all_text=True).challenger) if len(texts) == len(values) else None
