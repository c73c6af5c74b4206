"""Which column of a file is what: the prediction, the truth, the id, the time, segments and features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    from collections.abc import Iterator

    from abtest.labels import Label
    from abtest.monitoring.known import Known

_NO_TARGET = "\0"  # no column is called so
_MOST_DISTINCT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user says of a file of predictions; attributes are arguments of ``track``."""

    model: Model | None = None
    prediction: str | None = None
    target: str | None = None
    id_column: str | None = None
    time_column: str | None = None
    segments: Sequence[str] = ()
    features: Sequence[str] | None = None
    task: Task | None = None
    label_type: LabelType | None = None

    def named(self) -> dict[str, str]:
        """The columns that are one thing each, by what they are."""
        named = {
            "prediction": self.prediction, "target": self.target, "id": self.id_column, "time": self.time_column
        }  # fmt: skip
        return {what: name for what, name in named.items() if name is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What is read of a file, and how.

    Attributes:
        data: The rows.
        given: What the user says of them.
        task: What they are of.
        label_type: Of all labels; None where the predictions have a type of their own.
        model: Which scores them; None where predictions are there.
        fed: The columns that it takes.
        labels: Another file, which has the truth row by row.
        label_column: The column that has the truth, in either file; None where none has.
        shared: Columns of both files, which must agree.
        features: Columns that are sketched.
        types: How a text format's columns are read.
        notices: What was inferred.
    """

    data: Dataset
    given: Given
    task: Task
    label_type: LabelType | None
    model: Model | None
    fed: tuple[str, ...]
    labels: Dataset | None
    label_column: str | None
    shared: tuple[str, ...]
    features: tuple[str, ...]
    types: Mapping[str, pa.DataType]
    notices: tuple[str, ...] = ()

    @property
    def truth_is_text(self) -> bool:
        """Whether the truth comes from a text format, which has no types."""
        return (self.labels or self.data).is_text

    def read(self) -> tuple[str, ...]:
        """The columns of the data that are read."""
        apart = check_columns(self.data, self.given.segments, self.given.target)
        return tuple(dict.fromkeys((*self.fed, *self.features, *self.shared, *apart, *self.given.named().values())))


def columns_of(
    data: Dataset, given: Given, known: Known, *, labels: Dataset | None = None, label_column: str | None = None
) -> Columns:
    """Find out which column is what.

    Args:
        data: The rows.
        given: What the user says of them.
        known: What is known of the model's tracked rows.
        labels: Another file, which has the truth row by row.
        label_column: The column with the truth in another file, however that is joined.

    Raises:
        InvalidInputError: A column is not there, or stands for two things.
    """
    _check(data, given)
    model = None if given.model is None else replace(given.model, name=given.model.name or "model")
    truth = given.target or (label_column if label_column in data.columns else None)
    apart = check_columns(data, given.segments, truth)
    aside = (*given.named().values(), *apart)
    fed = model.columns(data.columns, truth or _NO_TARGET, aside) if model else ()
    features = _features(data, given, truth, fed)
    shared = tuple(name for name in labels.columns if name in data.columns and name != label_column) if labels else ()
    source = (labels, label_column) if labels else (data, given.target)
    task, said = _task_of(model, data, given, source, known.task_of(given.task))
    if task == "regression" and given.label_type is not None:
        raise InvalidInputError(f"label_type means nothing in a regression, got {given.label_type!r}.")
    label_type = known.label_type_of(given.label_type)
    if label_type is None and task == "classification" and data.is_text and given.prediction is not None:
        label_type = _read_as((data, given.prediction), source)
    types = dict(agreed_types([model], [fed])) if model else {}
    if data.is_text:
        types |= _guessed(data, [name for name in features if name not in types])
        types |= dict.fromkeys([name for name in (*aside, *shared) if name not in types], pa.string())
    if task == "classification":
        coded = [name for name in (given.prediction, given.target) if name is not None]
        types |= dict.fromkeys(coded, CODED_TEXT)
    return Columns(
        data=data,
        given=given,
        task=task,
        label_type=label_type,
        model=model,
        fed=fed,
        labels=labels,
        label_column=source[1],
        shared=shared,
        features=features,
        types=types,
        notices=(said,) if said else (),
    )


def _check(data: Dataset, given: Given) -> None:
    if (given.model is None) == (given.prediction is None):
        raise InvalidInputError(
            f"prediction must name a column where no model is asked, got {'both' if given.model else 'neither'}.",
            hint="--prediction names the column that has predictions; without it the model scores the rows.",
        )
    seen: dict[str, str] = {}
    for what, name in given.named().items():
        if name not in data.columns:
            raise data.missing(name, f"{what} column")
        if name in seen:
            raise InvalidInputError(f"{seen[name]} and {what} must be two columns, got '{name}' for both.")
        seen[name] = what


def _features(data: Dataset, given: Given, truth: str | None, fed: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are sketched: those asked for, what a model takes, or all that are nothing else."""
    if given.features is None:
        others = tuple(name for name in data.columns if name not in {*given.named().values(), truth})
        return others if given.model is None else fed
    for name in given.features:
        if name not in data.columns:
            raise data.missing(name, "feature")
        if name in (truth, given.prediction):
            raise InvalidInputError(f"features must hold neither truth nor prediction, got '{name}'.")
    return tuple(dict.fromkeys(given.features))


def _task_of(
    model: Model | None, data: Dataset, given: Given, source: tuple[Dataset, str | None], asked: Task | None
) -> tuple[Task, str | None]:
    """The task, and why where it was inferred to be a regression."""
    if asked is not None:
        if asked not in TASKS:
            raise InvalidInputError(f"task must be one of {', '.join(TASKS)}, got {asked!r}.", hint=near(asked, TASKS))
        if asked == "regression" and model is not None:
            refuse_classifiers([model])
        return asked, None
    labels, column = source
    if model is not None:
        return find_task([model], labels, column) if column else (task_of_model(model) or "classification", None)
    looked = look_at_truth(labels, column) if column else look_at_truth(data, str(given.prediction))
    return ("regression" if looked == "continuous" else "classification"), None


def _guessed(data: Dataset, columns: Sequence[str]) -> dict[str, pa.DataType]:
    """How features of a text format are read that no signature types: as their first rows look."""
    first = next(iter(data.read(list(columns), {})), None) if columns else None
    return {} if first is None else {field.name: _widest(field.type) for field in first.schema}


def _widest(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return pa.float64()  # later rows may have fractions
    return kind if pa.types.is_boolean(kind) else pa.string()


def _read_as(*sources: tuple[Dataset, str | None]) -> LabelType | None:
    """What type labels are meant as that are text for want of types: all of them tell. None where some have a type."""
    values: set[Label] = set()
    for source, column in sources:
        for found in _distinct(source, column) if column else ():
            values |= found
            if len(values) > _MOST_DISTINCT:
                return None
    texts = sorted(value for value in values if isinstance(value, str))
    return kind_of(reconcile([], [], texts, all_text=True).challenger) if texts and len(texts) == len(values) else None


def _distinct(data: Dataset, column: str) -> Iterator[set[Label]]:
    for batch in data.batches([column], {column: CODED_TEXT}):
        own = batch.column(column)
        values = own.dictionary if pa.types.is_dictionary(own.type) else own.unique()
        yield {value for value in values.to_pylist() if value is not None}
