"""Predictions that are there already, tallied: columns of a file, or arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest import wording
from abtest.engines.errors import first_look
from abtest.engines.pairs import ErrorPair, Labels, Rows, Scored, look_of, new_pair, plain
from abtest.engines.reading import Reading
from abtest.errors import InvalidInputError
from abtest.loaders.columns import (
    CODED_TEXT,
    as_array,
    as_labels,
    label_array,
    label_column,
    labelled,
    missing_labels,
    text_of,
)
from abtest.loaders.datasets import BATCH_ROWS, open_data
from abtest.loaders.segments import NO_SEGMENTS, Segmentation, find_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.engines.errors import Truth
    from abtest.labels import LabelType, Task
    from abtest.loaders.datasets import Dataset


def tally_file(
    data: Dataset,
    *,
    target: str,
    champion: str,
    challenger: str,
    task: Task = "classification",
    losses: Sequence[str] = (),
    segments: Sequence[str] = (),
    unit: str | None = None,
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Scored:
    """Tally predictions that are already columns of the data.

    Raises:
        InvalidInputError: A column is not there, or holds something that is no label.
    """
    columns = {"target": target, "champion": champion, "challenger": challenger}
    for what, name in columns.items():
        if name not in data.columns:
            raise data.missing(name, f"{what} column")
    refuse_one_column(columns, unit)
    segmentation = find_segments(data, segments, target=target)
    wanted = [*columns.values(), *segmentation.columns, *([unit] if unit else [])]
    types = dict.fromkeys(wanted, pa.string()) if data.is_text else {}
    if task == "classification":
        types |= dict.fromkeys(columns.values(), CODED_TEXT)
    pair = new_pair(task, look_of(data, target), segmentation, unit=unit, losses=losses, seed=seed, with_champion=True)
    batches = data.batches(wanted, types, rows=batch_rows)
    read = Reading(
        batches,
        target,
        segmentation,
        unit=unit,
        drop=drop_unlabelled,
        progress=progress,
        numbers=task == "regression",
    )
    for batch, numbers in read:
        for name in (champion, challenger):
            _refuse_unpredicted(batch.column(name), name, numbers)
        ours, theirs = (
            label_array(batch.column(name), name, numbers=True)
            if task == "regression"
            else label_column(batch.column(name), name)
            for name in (champion, challenger)
        )
        pair.add(read.rows(batch, numbers), ours, theirs)
    read.refuse_nothing(data)
    if isinstance(pair, ErrorPair):
        found = pair.scored(unlabelled=read.unlabelled)
    else:
        found = pair.scored(unlabelled=read.unlabelled, label_type=label_type, all_text=data.is_text)
    return replace(found, notices=(*read.dropped(), *found.notices))


def tally_columns(
    y_true: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    segments: Mapping[str, npt.ArrayLike] | None = None,
    task: Task = "classification",
    losses: Sequence[str] = (),
    crossings: Sequence[str] = (),
    unit: npt.ArrayLike | None = None,
    label_type: LabelType | None = None,
    seed: int = 0,
) -> Scored:
    """Tally three columns that are already there.

    Args:
        y_true: The truth, shape (rows,).
        champion: The champion's labels.
        challenger: The challenger's labels.
        segments: Columns whose values tell segments apart, by name.
        task: Whether they hold classes or numbers.
        losses: The user's own losses by row, of a regression.
        crossings: Names of such columns joined by ``*``.
        unit: What each row belongs to.
        label_type: Cast all labels to this type.
        seed: Of which rows of a large regression are resampled together.

    Raises:
        InvalidInputError: They differ in length, are empty, or hold missing values.
    """
    given = {"y_true": y_true, "champion": champion, "challenger": challenger}
    columns = {name: _labels_of(raw, name, numbers=task == "regression") for name, raw in given.items()}
    y, a, b = columns.values()
    for name, values in columns.items():
        if len(values) != len(y):
            raise InvalidInputError(f"{name} has {len(values):,} rows but y_true has {len(y):,}.")
    if not len(y):
        raise InvalidInputError("y_true holds no rows.")
    segmentation, codes = _segmented(segments or {}, crossings, len(y))
    rows = Rows(
        numbers=np.arange(1, len(y) + 1), truth=y, codes=codes, units=None if unit is None else as_array(unit, "unit")
    )
    truth = cache(lambda: _look_at(plain(y)))
    pair = new_pair(task, truth, segmentation, unit=unit, losses=losses, seed=seed, with_champion=True)
    pair.add(rows, a, b)
    return pair.scored() if isinstance(pair, ErrorPair) else pair.scored(label_type=label_type)


def _labels_of(raw: npt.ArrayLike, name: str, *, numbers: bool) -> Labels:
    """Take one label a row out of whatever holds them."""
    text = None if numbers else text_of(raw)
    values = as_array(raw, name) if text is None else np.zeros(len(text))
    if values.ndim != 1:
        raise InvalidInputError(f"{name} must be one-dimensional, got shape {values.shape}.")
    missing = missing_labels(values) if text is None else text.is_null().to_numpy(zero_copy_only=False)
    if missing.any():
        at = int(np.flatnonzero(missing)[0])
        raise InvalidInputError(
            f"{name} is missing in {wording.plural(int(missing.sum()), 'row')} (first: row {at + 1:,})."
        )
    return as_labels(values, name) if text is None else label_column(text, name)


def _segmented(
    columns: Mapping[str, npt.ArrayLike], crossings: Sequence[str], rows: int
) -> tuple[Segmentation, Mapping[str, npt.NDArray[np.int64]]]:
    """Tell the rows of columns apart that are already there."""
    if not isinstance(columns, Mapping):
        raise InvalidInputError(
            f"segments must be columns by name, got {type(columns).__name__}.", hint='{"region": regions}'
        )
    if not columns and not crossings:
        return NO_SEGMENTS, {}
    if not columns:
        raise InvalidInputError(f"segments: no column is given that tells '{crossings[0]}' apart.")
    import pandas as pd  # noqa: PLC0415 - a data frame takes whatever holds a column, and files need none

    arrays = {name: as_array(values, f"segments: '{name}'") for name, values in columns.items()}
    for name, values in arrays.items():
        if values.ndim != 1:
            raise InvalidInputError(f"segments: '{name}' must be one-dimensional, got shape {values.shape}.")
        if len(values) != rows:
            raise InvalidInputError(f"segments: '{name}' has {len(values):,} rows but y_true has {rows:,}.")
    data = open_data(pd.DataFrame(arrays))
    segmentation = find_segments(data, [*columns, *crossings], target="")
    codes = [segmentation.codes(batch) for batch in data.batches(list(segmentation.columns), {})]
    return segmentation, {name: np.concatenate([part[name] for part in codes]) for name in segmentation.groups}


def _look_at(column: npt.NDArray[Any]) -> Truth:
    import pandas as pd  # noqa: PLC0415 - a data frame takes whatever holds a column, and files need none

    return first_look(open_data(pd.DataFrame({"y_true": column})), "y_true", {})


def refuse_one_column(columns: Mapping[str, str], unit: str | None) -> None:
    """Refuse a column that stands for two things: a model that is the truth itself makes no mistakes."""
    seen: dict[str, str] = {}
    for what, name in ({**columns, "unit": unit} if unit else columns).items():
        if name in seen:
            raise InvalidInputError(
                f"{what} must be a column of its own, got '{name}', which is the {seen[name]} too.",
                hint=f"name the column of the {what}." if what != "unit" else "name what rows belong to.",
            )
        seen[name] = what


def _refuse_unpredicted(column: pa.Array, name: str, rows: npt.NDArray[np.int64]) -> None:
    missing = rows[~labelled(column).to_numpy(zero_copy_only=False)]
    if len(missing):
        raise InvalidInputError(
            f"Prediction '{name}' is missing in {wording.plural(len(missing), 'row')} "
            f"(first: row {wording.whole(int(missing[0]))}).",
            hint="each row needs a prediction by both sides.",
        )
