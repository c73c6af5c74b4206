"""Rows to train on: read whole, typed, and parted into what is trained on and what is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.engines.errors import truth_numbers
from abtest.errors import InvalidInputError
from abtest.labels import Task
from abtest.loaders.columns import label_array, labelled, unit_array
from abtest.loaders.datasets import open_data
from abtest.loaders.tasks import kind_of_truth
from abtest.metrics.catalogue import task_of
from abtest.training.catalogue import does
from abtest.training.reading import table_of, typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from abtest.loaders.datasets import Dataset
    from abtest.training.recipe import Recipe

Kind: TypeAlias = Literal["number", "text"]
_FEW_TEXTS = 50  # of a column; more, and mostly different ones, name the rows
_MOST_CLASSES = 1_000
_MOST_WHOLE = 2.0**53  # beyond, doubles skip whole numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Labelled rows, whole.

    Attributes:
        name: Of the data, as it was named.
        digest: Of everything that was read.
        frame: Features, target, and unit if there is one, in the data's order; a row each.
        features: The columns the models take, each a number or a text.
        truth: Shape (rows,): labels, or numbers.
        units: What each row belongs to, by number, shape (rows,); None where rows come in none.
        task: Classes or numbers.
        unlabelled: Rows that had no truth, which were left out.
        notices: What was inferred, and left out.
    """

    name: str
    digest: str
    frame: pd.DataFrame
    features: dict[str, Kind]
    truth: npt.NDArray[Any]
    units: npt.NDArray[np.int64] | None
    task: Task
    unlabelled: int
    notices: tuple[str, ...]


def read(recipe: Recipe, data: str | Path) -> Rows:
    """Read the rows that a recipe asks for.

    Raises:
        NotFoundError: There are no such data.
        InvalidInputError: A column is not there or cannot be used, or the truth cannot be predicted.
    """
    dataset = open_data(data, "data")
    columns = _columns(recipe, dataset)
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody saw
    unit = [recipe.unit] if recipe.unit else []
    table = table_of(dataset, columns, as_text=[recipe.target, *unit])
    task, said = _task(recipe, table.column(recipe.target).combine_chunks(), is_text=dataset.is_text)
    if dataset.is_text:
        table = typed(table, [recipe.target])
    known = labelled(table.column(recipe.target))
    numbers = np.flatnonzero(known.to_numpy()) + 1
    table, read_rows = table.filter(known), table.num_rows
    truth = _truth(table.column(recipe.target).combine_chunks(), recipe.target, task, numbers)
    features, left_out = _features(recipe, table, columns)
    units = _units(table.column(recipe.unit).combine_chunks(), recipe.unit, numbers) if recipe.unit else None
    frame = table.select([name for name in dataset.columns if name in {*features, recipe.target, recipe.unit}])
    return Rows(
        name=dataset.name,
        digest=digest,
        frame=frame.to_pandas(),
        features=features,
        truth=truth,
        units=units,
        task=task,
        unlabelled=read_rows - len(truth),
        notices=(*said, *_unlabelled(read_rows - len(truth), read_rows, recipe.target), *left_out),
    )


def _columns(recipe: Recipe, dataset: Dataset) -> list[str]:
    """The columns that may be features, in the recipe's order, or else the data's."""
    if recipe.target not in dataset.columns:
        raise dataset.missing(recipe.target, "target column")
    for name in (*(recipe.features or ()), *recipe.drop, *([recipe.unit] if recipe.unit else [])):
        if name not in dataset.columns:
            raise dataset.missing(name)
    if recipe.features is not None:
        return list(recipe.features)
    left = [name for name in dataset.columns if name not in {recipe.target, recipe.unit, *recipe.drop}]
    if not left:
        raise InvalidInputError(f"{dataset.name} has no feature: no column but the target, the unit and those dropped.")
    return left


def _task(recipe: Recipe, column: pa.Array, *, is_text: bool) -> tuple[Task, tuple[str, ...]]:
    """The recipe's task or its metric's, or the one that the truth shows, or the models; and what to say about it."""
    kind = kind_of_truth(column, is_text=is_text)
    target = recipe.target
    asked = recipe.task or (task_of([recipe.metric]) if recipe.metric else None)
    if asked == "classification" and kind == "continuous":
        raise InvalidInputError(
            f"Target '{target}' is continuous, and classification needs classes.", hint='task = "regression"'
        )
    if asked is not None:
        return asked, ()
    if kind == "continuous":
        return "regression", (f"Numbers are predicted (regression), as target '{target}' is continuous.",)
    regressor = next((name for name in recipe.models if does(name) == {"regression"}), None)
    if regressor is not None and kind != "names":
        return "regression", (f"Numbers are predicted (regression), as {regressor} predicts nothing else.",)
    if kind == "many whole" and not any(does(name) == {"classification"} for name in recipe.models):
        said = f"Target '{target}' holds many whole numbers, which are taken for classes"
        return "classification", (f"{said}; the task regression predicts them as numbers.",)
    return "classification", ()


def _truth(column: pa.Array, target: str, task: Task, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    if not len(column):
        raise InvalidInputError(f"Target '{target}' has no value in any row.")
    values = label_array(column, target, numbers=task == "regression")
    if task == "regression":
        numbers = truth_numbers(target, values, rows)
        if numbers.min() == numbers.max():
            raise InvalidInputError(f"Target '{target}' must vary, got {numbers[0]:g} in every row.")
        return numbers
    if values.dtype.kind == "f":  # whole numbers beside missing ones
        if not (np.abs(values) <= _MOST_WHOLE).all():
            raise InvalidInputError(
                f"Target '{target}' must hold classes, got numbers beyond 2^53, which are not told apart.",
                hint="write them as texts.",
            )
        values = values.astype(np.int64)
    classes = np.unique(values)
    if len(classes) == 1:
        raise InvalidInputError(f"Target '{target}' must have two classes, got {classes.tolist()[0]!r} in every row.")
    if len(classes) == len(values) > 2:  # of two rows nobody knows; they are too few for folds
        raise InvalidInputError(
            f"Target '{target}' must have classes, got a different value in each of {wording.whole(len(values))} rows."
        )
    if len(classes) > _MOST_CLASSES:
        raise InvalidInputError(
            f"Target '{target}' must have at most {wording.whole(_MOST_CLASSES)} classes, got "
            f"{wording.whole(len(classes))}.",
            hint='task = "regression" predicts numbers.',
        )
    return values


def _unlabelled(missing: int, rows: int, target: str) -> Iterator[str]:
    if missing:
        yield f"{wording.plural(missing, 'row')} of {wording.whole(rows)} had no value of '{target}' and were left out."


def _features(recipe: Recipe, table: pa.Table, columns: Sequence[str]) -> tuple[dict[str, Kind], tuple[str, ...]]:
    """The kind of each feature; one that cannot be one is left out and told, and refused where it was asked for."""
    kinds: dict[str, Kind] = {}
    said = []
    for name in columns:
        column = table.column(name)
        why = _unusable(column)
        if why is None:
            kinds[name] = "text" if _is_text(column.type) else "number"
            said += _spelled(name, column)
            if recipe.features is None:  # one that was asked for is meant
                said += _numbered(name, column)
        elif recipe.features is not None:
            raise InvalidInputError(f"Feature '{name}' cannot be used: {why}.", hint="leave it out of features.")
        else:
            said.append(f"Column '{name}' is left out: {why}.")
    if not kinds:
        raise InvalidInputError(f"No column can be a feature: '{columns[0]}' {why}.")
    for name in (name for name, kind in kinds.items() if kind == "number"):
        _refuse_infinite(name, table.column(name))
    return kinds, tuple(said)


def _numbered(name: str, column: pa.ChunkedArray) -> list[str]:
    """Tell of whole numbers that count the rows: an id says nothing of new rows, and trees learn it all the same."""
    if len(column) <= _FEW_TEXTS or not pa.types.is_integer(column.type) or column.null_count:
        return []
    span = pc.min_max(column).as_py()
    if span["max"] - span["min"] != len(column) - 1 or pc.count_distinct(column).as_py() != len(column):
        return []
    return [f"Column '{name}' numbers the rows, and is taken as a feature; --drop leaves it out if it is an id."]


def _unusable(column: pa.ChunkedArray) -> str | None:
    """Say why a column can be no feature."""
    kind, known = column.type, len(column) - column.null_count
    if not known:
        return "it has no value"
    if pa.types.is_temporal(kind):
        return "it holds times, which no estimator here takes"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return None
    if not _is_text(kind):
        return f"it is of type {kind}, which no estimator here takes"
    different = pc.count_distinct(column).as_py()
    if different > _FEW_TEXTS and 2 * different > known:
        return (
            f"its {wording.whole(different)} different texts in {wording.plural(known, 'row')} are names, not classes"
        )
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _spelled(name: str, column: pa.ChunkedArray) -> list[str]:
    """Tell of true and false that are texts, as some are missing: each format spells them in its own way."""
    if not (_is_text(column.type) and column.null_count) or pc.count_distinct(column).as_py() > 2:
        return []
    found = sorted(text for text in pc.unique(column).to_pylist() if text is not None)
    if not {text.lower() for text in found} <= {"true", "false"}:
        return []
    both = " and ".join(map(repr, found))
    told = (
        f"Column '{name}' has missing values beside {both}, which are texts then: rows to predict have to spell them "
        "so too. Those of Parquet are read as 'true' and 'false'."
    )
    return [told]


def _refuse_infinite(name: str, column: pa.ChunkedArray) -> None:
    if not pa.types.is_floating(column.type):
        return
    infinite = np.flatnonzero(np.isinf(column.to_numpy()))
    if infinite.size:
        raise InvalidInputError(
            f"Feature '{name}' must be finite, got an infinite number in {wording.plural(infinite.size, 'row')}.",
            hint="mend the values, or drop the column.",
        )


def _units(column: pa.Array, unit: str | None, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    missing = np.flatnonzero(np.logical_not(labelled(column).to_numpy(zero_copy_only=False)))
    if missing.size:
        raise InvalidInputError(
            f"unit '{unit}' must be there in every row, got {wording.plural(missing.size, 'row')} without one (first: "
            f"row {wording.whole(int(rows[missing[0]]))}).",
            hint="fill the column, or leave such rows out.",
        )
    number: dict[Any, int] = {}
    return np.array([number.setdefault(each, len(number)) for each in unit_array(column).tolist()], dtype=np.int64)
