"""Score both models in this process, batch by batch, each row once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest import wording
from abtest.engines.predicting import Predictions
from abtest.engines.units import UnitTallies
from abtest.errors import InvalidInputError
from abtest.labels import Label, Side
from abtest.loaders.columns import as_array, as_labels, label_array, labelled, missing_labels, unit_array
from abtest.loaders.datasets import BATCH_ROWS, open_data
from abtest.loaders.fingerprints import MOST_ROWS_KEPT, Fingerprinter, Fingerprints
from abtest.loaders.rowhash import Hasher
from abtest.loaders.segments import NO_SEGMENTS, Segmentation, columns_of, find_segments
from abtest.outcomes import PairedOutcomes
from abtest.scores import PairedScores
from abtest.stats.clusters import UnitTables
from abtest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abtest.labels import LabelType
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

_MOST_TRUTHS = 1_000

# Truth, the champion's labels (None where there is no champion), the challenger's: each of shape (rows,).
Columns: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any] | None, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one pass over the data gave.

    Attributes:
        outcomes: The table.
        majority: The class the majority-class predictor predicts, where it stood in for a champion.
        unlabelled: Rows dropped because they had no label.
        notices: What was cast, and what was never seen in the truth.
        latency: Seconds a row's prediction took, by side.
        fingerprints: Of all rows read, labelled or not.
        units: Rows by unit, where they come in units.
        scores: Both sides' probabilities, where they were asked for and both have them.
        unscored: Why there are none.
    """

    outcomes: PairedOutcomes
    majority: Label | None
    unlabelled: int
    notices: tuple[str, ...]
    latency: Mapping[Side, float | None] = field(default_factory=dict)
    fingerprints: Fingerprints | None = None
    units: UnitTables | None = None
    scores: PairedScores | None = None
    unscored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    rows: Tally
    units: UnitTallies | None
    unlabelled: int


def score(
    champion: Model | None,
    challenger: Model,
    data: Dataset,
    *,
    target: str,
    segments: Sequence[str] = (),
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    unit: str | None = None,
    scores: bool = False,
    marks: Sequence[int] = (),
    keep_rows: float = MOST_ROWS_KEPT,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Scored:
    """Read the data once, let both models predict every row, and tally.

    Args:
        champion: The serving model; None for the majority-class predictor of this data.
        challenger: The other one.
        data: Labelled rows.
        target: The column that holds the truth.
        segments: Columns whose values tell segments apart, or columns crossed by ``*``.
        label_type: Cast all labels to this type.
        batch_rows: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, counting them, instead of refusing.
        unit: The column that says which rows belong together.
        scores: Ask for probabilities too.
        marks: Row counts at which earlier data ended that these may extend.
        keep_rows: Up to so many rows, each row's fingerprint is kept.
        progress: Called with the number of rows done after each batch.

    Raises:
        InvalidInputError: A column, a value, a label or a prediction is not as it must be.
    """
    models = [model for model in (champion, challenger) if model]
    if target not in data.columns:
        raise data.missing(target, "target column")
    aside = (*columns_of(segments, data.columns), *([unit] if unit else []))
    columns = {model.side: model.columns(data.columns, target, aside) for model in models}
    types = dict(_agreed_types(models, columns))
    if data.is_text:
        fed = {name for names in columns.values() for name in names}
        types |= dict.fromkeys([target, *(name for name in aside if name not in fed)], pa.string())
    segmentation = find_segments(data, segments, target=target, types=types)
    wanted = [*(name for names in columns.values() for name in names), *segmentation.columns, *aside, target]

    predictions = Predictions(models, columns, segmentation.groups, scores=scores)

    def labels(batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> Columns:
        predicted = predictions.labels(batch, rows)
        return label_array(batch.column(target), target), predicted.get("champion"), predicted["challenger"]

    # What the models are fed makes a row: the same rows told apart by other segments are the same rows.
    fed = {name for names in columns.values() for name in names}
    hasher = Hasher(columns=[name for name in data.columns if name in fed], target=target, types=types)
    reader = Fingerprinter(hasher, marks=marks, keep=keep_rows)
    batches = _seen(data.batches(wanted, types, rows=batch_rows), reader)
    counted = _tallied(
        batches,
        target,
        labels,
        segmentation,
        unit=unit,
        drop=drop_unlabelled,
        progress=progress,
        take_in=predictions.take_in,
    )
    tally, unlabelled = counted.rows, counted.unlabelled
    if not tally.n:
        raise _nothing(data, unlabelled)
    outcomes, said = PairedOutcomes.from_tally(tally, label_type=label_type, truth_is_text=data.is_text)
    majority: Label | None = None
    if champion is None:
        outcomes, majority = outcomes.with_majority_champion()
    notices = [notice for model in models if not data.is_text and (notice := model.cast_notice())]
    notices += predictions.notices
    return Scored(
        outcomes=outcomes,
        majority=majority,
        unlabelled=unlabelled,
        notices=(*notices, *_dropped(unlabelled), *said),
        latency=predictions.latency,
        fingerprints=reader.fingerprints(),
        units=counted.units.tables(outcomes) if counted.units else None,
        scores=predictions.scores(outcomes.labels),
        unscored=predictions.unscored,
    )


def tally_file(
    data: Dataset,
    *,
    target: str,
    champion: str,
    challenger: str,
    segments: Sequence[str] = (),
    unit: str | None = None,
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
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
    segmentation = find_segments(data, segments, target=target)
    wanted = [*columns.values(), *segmentation.columns, *([unit] if unit else [])]
    types = dict.fromkeys(wanted, pa.string()) if data.is_text else {}

    def labels(batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> Columns:
        for name in (champion, challenger):
            _refuse_unpredicted(batch.column(name), name, rows)
        truth, ours, theirs = (label_array(batch.column(name), name) for name in columns.values())
        return truth, ours, theirs

    batches = data.batches(wanted, types, rows=batch_rows)
    counted = _tallied(batches, target, labels, segmentation, unit=unit, drop=drop_unlabelled, progress=progress)
    tally, unlabelled = counted.rows, counted.unlabelled
    if not tally.n:
        raise _nothing(data, unlabelled)
    outcomes, said = PairedOutcomes.from_tally(tally, label_type=label_type, all_text=data.is_text)
    return Scored(
        outcomes=outcomes,
        majority=None,
        unlabelled=unlabelled,
        notices=(*_dropped(unlabelled), *said),
        units=counted.units.tables(outcomes) if counted.units else None,
    )


def tally_columns(
    y_true: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    segments: Mapping[str, npt.ArrayLike] | None = None,
    crossings: Sequence[str] = (),
    unit: npt.ArrayLike | None = None,
    label_type: LabelType | None = None,
) -> Scored:
    """Tally three columns that are already there.

    Args:
        y_true: The truth, shape (rows,).
        champion: The champion's labels.
        challenger: The challenger's labels.
        segments: Columns whose values tell segments apart, by name.
        crossings: Names of such columns joined by ``*``.
        unit: What each row belongs to.
        label_type: Cast all labels to this type.

    Raises:
        InvalidInputError: They differ in length, are empty, or hold missing values.
    """
    columns = {
        name: as_array(column, name)
        for name, column in (("y_true", y_true), ("champion", champion), ("challenger", challenger))
    }
    for name, values in columns.items():
        if values.ndim != 1:
            raise InvalidInputError(f"{name} must be one-dimensional, got shape {values.shape}.")
        if len(values) != len(columns["y_true"]):
            raise InvalidInputError(f"{name} has {len(values):,} rows but y_true has {len(columns['y_true']):,}.")
        missing = missing_labels(values)
        if missing.any():
            at = int(np.flatnonzero(missing)[0])
            raise InvalidInputError(
                f"{name} is missing in {wording.plural(int(missing.sum()), 'row')} (first: row {at + 1:,})."
            )
    if not len(columns["y_true"]):
        raise InvalidInputError("y_true holds no rows.")
    y, a, b = (as_labels(values, name) for name, values in columns.items())
    segmentation, codes = _segmented(segments or {}, crossings, len(y))
    tally = Tally(segmentation.groups)
    tally.add(y, a, b, codes)
    outcomes, said = PairedOutcomes.from_tally(tally, label_type=label_type)
    units = None
    if unit is not None:
        units = UnitTallies(segmentation)
        units.add(as_array(unit, "unit"), y, a, b, codes)
    return Scored(
        outcomes=outcomes,
        majority=None,
        unlabelled=0,
        notices=said,
        units=units.tables(outcomes) if units else None,
    )


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


def _tallied(
    batches: Iterator[pa.RecordBatch],
    target: str,
    labels: Callable[[pa.RecordBatch, npt.NDArray[np.int64]], Columns],
    segmentation: Segmentation,
    *,
    unit: str | None,
    drop: bool,
    progress: Callable[[int], None],
    take_in: Callable[[npt.NDArray[Any], Mapping[str, npt.NDArray[np.int64]]], None] = lambda _truth, _codes: None,
) -> _Counted:
    """Tally all batches; also count the rows dropped for want of a label."""
    units = UnitTallies(segmentation) if unit else None
    tally, read = Tally(segmentation.groups), 0
    for whole in batches:
        batch, rows = _with_labels(whole, target, read + 1, drop=drop)
        if batch.num_rows:
            truth, champion, challenger = labels(batch, rows)
            codes = segmentation.codes(batch)
            tally.add(truth, champion, challenger, codes)
            take_in(truth, codes)
            if units is not None:
                units.add(unit_array(batch.column(unit)), truth, champion, challenger, codes)
            _refuse_many_labels(tally, truth)
        read += whole.num_rows
        progress(read)
    return _Counted(rows=tally, units=units, unlabelled=read - tally.n)


def _seen(batches: Iterator[pa.RecordBatch], reader: Fingerprinter) -> Iterator[pa.RecordBatch]:
    """Let the reader see each batch on its way; it reads behind the models, so that they say first what is wrong."""
    for batch in batches:
        yield batch
        reader.add(batch)


def _nothing(data: Dataset, unlabelled: int) -> InvalidInputError:
    why = f"all {wording.plural(unlabelled, 'row')} lack a label" if unlabelled else "it holds no rows"
    return InvalidInputError(f"{data.name} has nothing to compare on: {why}.")


def _dropped(unlabelled: int) -> tuple[str, ...]:
    if not unlabelled:
        return ()
    return (f"{wording.plural(unlabelled, 'row')} without a label {'was' if unlabelled == 1 else 'were'} dropped.",)


def _agreed_types(models: list[Model], columns: Mapping[Side, Sequence[str]]) -> Mapping[str, pa.DataType]:
    """Read a text column as its models' signatures say; as text, if they say different things."""
    types: dict[str, pa.DataType] = {}
    for model in models:
        for name in columns[model.side]:
            kind = model.type_of(name)
            if kind is not None:
                types[name] = kind if types.get(name, kind) == kind else pa.string()
    return types


def _with_labels(
    batch: pa.RecordBatch, target: str, first_row: int, *, drop: bool
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """Keep the rows with a label; also their numbers in the data, shape (rows,)."""
    has_label = labelled(batch.column(target)).to_numpy(zero_copy_only=False)
    rows = np.arange(first_row, first_row + batch.num_rows)
    if has_label.all():
        return batch, rows
    if not drop:
        missing = rows[~has_label]
        raise InvalidInputError(
            f"Target '{target}' is missing in {wording.plural(len(missing), 'row')} "
            f"(first: row {wording.whole(int(missing[0]))}).",
            hint="--drop-unlabelled leaves such rows out and counts them. "
            "In CSV an empty cell, NA, NaN, None and null are missing; a class of that name needs Parquet.",
        )
    return batch.filter(pa.array(has_label)), rows[has_label]


def _refuse_unpredicted(column: pa.Array, name: str, rows: npt.NDArray[np.int64]) -> None:
    missing = rows[~labelled(column).to_numpy(zero_copy_only=False)]
    if len(missing):
        raise InvalidInputError(
            f"Prediction '{name}' is missing in {wording.plural(len(missing), 'row')} "
            f"(first: row {wording.whole(int(missing[0]))}).",
            hint="each row needs a prediction by both sides.",
        )


def _refuse_many_labels(tally: Tally, truth: np.ndarray[Any, Any]) -> None:
    """Stop early on a continuous target: its every row would be a label of its own."""
    if tally.distinct_truths > _MOST_TRUTHS and 2 * tally.distinct_truths > tally.n:
        raise InvalidInputError(
            f"The target has {tally.distinct_truths:,} distinct values in {tally.n:,} rows, too many for classes.",
            hint="abtest compares classifiers; regression is not here yet.",
        )
    fractions = truth[truth != np.floor(truth)] if truth.dtype.kind == "f" else truth[:0]
    if len(fractions):
        raise InvalidInputError(
            f"The target is continuous ({float(fractions[0])!r} is not a class label).",
            hint="abtest compares classifiers; regression is not here yet.",
        )
