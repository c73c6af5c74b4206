"""Score both models in this process, batch by batch, each row once."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest import wording
from abtest.engines.errors import ErrorTally, first_look
from abtest.engines.pairs import ClassPair, ErrorPair, Rows, Scored
from abtest.engines.predicting import Predictions
from abtest.errors import InvalidInputError
from abtest.loaders.columns import as_array, as_labels, label_array, labelled, missing_labels, unit_array
from abtest.loaders.datasets import BATCH_ROWS, open_data
from abtest.loaders.fingerprints import MOST_ROWS_KEPT, Fingerprinter
from abtest.loaders.rowhash import Hasher
from abtest.loaders.segments import NO_SEGMENTS, Segmentation, columns_of, find_segments
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abtest.engines.errors import Truth
    from abtest.labels import LabelType, Task
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

__all__ = ["Scored", "Several", "score", "score_several", "tally_columns", "tally_file"]

_OF_CHALLENGER = re.compile(r"\b[Cc]hallenger(?= predict| never | must )")


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """What one pass over the data gave of several challengers.

    Attributes:
        pairs: Each with the champion.
        between: Who is right where of any two challengers, by their numbers, the lower first; none of a regression, and
            none where rows come in units: what is tested between challengers takes rows for independent.
    """

    pairs: tuple[Scored, ...]
    between: Mapping[tuple[int, int], Contingency]


def score(champion: Model | None, challenger: Model, data: Dataset, *, target: str, **options: Any) -> Scored:  # noqa: ANN401 - those of score_several
    """Read the data once, let both models predict every row, and tally; options are those of ``score_several``.

    Raises:
        InvalidInputError: A column, a value, a label or a prediction is not as it must be.
    """
    return score_several(champion, [challenger], data, target=target, **options).pairs[0]


def score_several(
    champion: Model | None,
    challengers: Sequence[Model],
    data: Dataset,
    *,
    target: str,
    task: Task = "classification",
    losses: Sequence[str] = (),
    segments: Sequence[str] = (),
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    unit: str | None = None,
    scores: bool = False,
    marks: Sequence[int] = (),
    keep_rows: float = MOST_ROWS_KEPT,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Several:
    """Read the data once, let all models predict every row, and tally each challenger beside the champion.

    Args:
        champion: The serving model; None for the baseline of this data: the majority class, or the mean.
        challengers: The others.
        data: Labelled rows.
        target: The column that holds the truth.
        task: Whether truth and predictions are classes or numbers.
        losses: The user's own losses by row, of a regression.
        segments: Columns whose values tell segments apart, or columns crossed by ``*``.
        label_type: Cast all labels to this type.
        batch_rows: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, counting them, instead of refusing.
        unit: The column that says which rows belong together.
        scores: Ask for probabilities too.
        marks: Row counts at which earlier data ended that these may extend.
        keep_rows: Up to so many rows, each row's fingerprint is kept.
        seed: Of which rows of a large regression are resampled together.
        progress: Called with the number of rows done after each batch.

    Raises:
        InvalidInputError: A column, a value, a label or a prediction is not as it must be.
    """
    models = [*([champion] if champion else []), *challengers]
    if target not in data.columns:
        raise data.missing(target, "target column")
    aside = (*columns_of(segments, data.columns), *([unit] if unit else []))
    columns = [model.columns(data.columns, target, aside) for model in models]
    fed = {name for names in columns for name in names}
    types = dict(_agreed_types(models, columns))
    if data.is_text:
        types |= dict.fromkeys([target, *(name for name in aside if name not in fed)], pa.string())
    segmentation = find_segments(data, segments, target=target, types=types)
    wanted = [*(name for names in columns for name in names), *segmentation.columns, *aside, target]
    predictions = Predictions(
        champion, challengers, columns, segmentation.groups, classes=task == "classification", scores=scores
    )
    truth = _look(data, target)
    pairs = [
        _pair(task, truth, segmentation, unit=unit, losses=losses, seed=seed, with_champion=champion is not None)
        for _ in challengers
    ]
    counted = () if task == "regression" or unit else itertools.combinations(range(len(pairs)), 2)
    between = {key: Tally() for key in counted}
    hashers = [
        _hasher([*models[: -len(challengers)], model], [*columns[: -len(challengers)], names], data, target)
        for model, names in zip(challengers, columns[-len(challengers) :], strict=True)
    ]
    readers = [Fingerprinter(hasher, marks=marks, keep=keep_rows) for hasher in _distinct(hashers)]
    read = _Reading(_seen(data.batches(wanted, types, rows=batch_rows), readers), target, segmentation,
                    unit=unit, drop=drop_unlabelled, progress=progress, numbers=task == "regression")  # fmt: skip
    for batch, numbers in read:
        ours, theirs = predictions.predict(batch, numbers)
        rows = read.rows(batch, numbers)
        for model, pair, predicted in zip(challengers, pairs, theirs, strict=True):
            with _called(model):
                pair.add(rows, ours, predicted)
        for (one, other), tally in between.items():
            tally.add(rows.truth, theirs[one], theirs[other])
        predictions.take_in(rows.truth, rows.codes)
    read.refuse_nothing(data)
    given = read.dropped()

    def scored(at: int, pair: ClassPair | ErrorPair) -> Scored:
        if isinstance(pair, ErrorPair):
            found = pair.scored(unlabelled=read.unlabelled)
        else:
            with _called(challengers[at]):
                found = pair.scored(
                    unlabelled=read.unlabelled,
                    label_type=label_type,
                    truth_is_text=data.is_text,
                    with_champion=champion is not None,
                )
        return replace(
            found,
            notices=(*predictions.notices(at, casts=not data.is_text), *given, *found.notices),
            latency=predictions.latency(at),
            fingerprints=next(found for found in prints if found.hasher == hashers[at]),
            scores=predictions.scores(at, found.outcomes.labels) if found.outcomes else None,
            unscored=predictions.unscored(at),
        )

    prints = [reader.fingerprints() for reader in readers]
    return Several(
        pairs=tuple(scored(at, pair) for at, pair in enumerate(pairs)),
        between={
            key: PairedOutcomes.from_tally(tally, label_type=label_type, truth_is_text=data.is_text)[0].contingency()
            for key, tally in between.items()
        },
    )


def _pair(
    task: Task,
    truth: Callable[[], Truth],
    segmentation: Segmentation,
    *,
    unit: object,
    losses: Sequence[str],
    seed: int,
    with_champion: bool,
) -> ClassPair | ErrorPair:
    """What takes in the rows of one challenger."""
    if task == "classification":
        return ClassPair(segmentation, in_units=unit is not None)
    found = truth()
    tally = ErrorTally(found, segmentation.groups, in_units=unit is not None, losses=losses, seed=seed)
    return ErrorPair(tally, baseline=None if with_champion else found.origin)


def _look_at(column: npt.NDArray[Any]) -> Truth:
    import pandas as pd  # noqa: PLC0415 - a data frame takes whatever holds a column, and files need none

    return first_look(open_data(pd.DataFrame({"y_true": column})), "y_true", {})


def _look(data: Dataset, target: str) -> Callable[[], Truth]:
    """Look at the truth once, when it is first asked for."""
    return cache(lambda: first_look(data, target, {target: pa.string()} if data.is_text else {}))


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
    _refuse_one_column(columns, unit)
    segmentation = find_segments(data, segments, target=target)
    wanted = [*columns.values(), *segmentation.columns, *([unit] if unit else [])]
    types = dict.fromkeys(wanted, pa.string()) if data.is_text else {}
    pair = _pair(task, _look(data, target), segmentation, unit=unit, losses=losses, seed=seed, with_champion=True)
    batches = data.batches(wanted, types, rows=batch_rows)
    read = _Reading(
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
            label_array(batch.column(name), name, numbers=task == "regression") for name in (champion, challenger)
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
    rows = Rows(
        numbers=np.arange(1, len(y) + 1), truth=y, codes=codes, units=None if unit is None else as_array(unit, "unit")
    )
    truth = cache(lambda: _look_at(y))
    pair = _pair(task, truth, segmentation, unit=unit, losses=losses, seed=seed, with_champion=True)
    pair.add(rows, a, b)
    return pair.scored() if isinstance(pair, ErrorPair) else pair.scored(label_type=label_type)


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


class _Reading:
    """Gives the labelled rows of each batch, and counts those without a label.

    Args:
        batches: As they are read.
        target: The column with the truth.
        segmentation: How rows are told apart.
        unit: The column that says which rows belong together.
        drop: Leave out rows without a label instead of refusing.
        progress: Called with the number of rows done after each batch.
        numbers: The truth is numbers, not labels.
    """

    def __init__(
        self,
        batches: Iterator[pa.RecordBatch],
        target: str,
        segmentation: Segmentation,
        *,
        unit: str | None,
        drop: bool,
        progress: Callable[[int], None],
        numbers: bool = False,
    ) -> None:
        self._numbers = numbers
        self._batches = batches
        self._target, self._segmentation, self._unit = target, segmentation, unit
        self._drop, self._progress = drop, progress
        self._read = self._kept = 0

    def __iter__(self) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64]]]:
        for whole in self._batches:
            batch, numbers = _with_labels(whole, self._target, self._read + 1, drop=self._drop)
            if batch.num_rows:
                yield batch, numbers
            self._read += whole.num_rows
            self._kept += batch.num_rows
            self._progress(self._read)

    def rows(self, batch: pa.RecordBatch, numbers: npt.NDArray[np.int64]) -> Rows:
        """What a batch's rows are tallied by."""
        return Rows(
            numbers=numbers,
            truth=label_array(batch.column(self._target), self._target, numbers=self._numbers),
            codes=self._segmentation.codes(batch),
            units=unit_array(batch.column(self._unit)) if self._unit else None,
        )

    @property
    def unlabelled(self) -> int:
        """Rows without a label so far."""
        return self._read - self._kept

    def dropped(self) -> tuple[str, ...]:
        """Say how many rows were dropped."""
        if not self.unlabelled:
            return ()
        verb = "was" if self.unlabelled == 1 else "were"
        return (f"{wording.plural(self.unlabelled, 'row')} without a label {verb} dropped.",)

    def refuse_nothing(self, data: Dataset) -> None:
        """Refuse data that had no row to compare on."""
        if self._kept:
            return
        why = f"all {wording.plural(self._read, 'row')} lack a label" if self._read else "it holds no rows"
        raise InvalidInputError(f"{data.name} has nothing to compare on: {why}.")


def _seen(batches: Iterator[pa.RecordBatch], readers: Sequence[Fingerprinter]) -> Iterator[pa.RecordBatch]:
    """Let readers see each batch on its way; they read behind the models, so that these say first what is wrong."""
    for batch in batches:
        yield batch
        for reader in readers:
            reader.add(batch)


def _hasher(models: Sequence[Model], columns: Sequence[Sequence[str]], data: Dataset, target: str) -> Hasher:
    """What makes a row for one challenger and the champion: what both are fed, as both are fed it.

    So the same rows, told apart by other segments or shown to other challengers as well, are the same rows.
    """
    fed = {name for names in columns for name in names}
    names = [name for name in data.columns if name in fed]
    return Hasher(columns=names, target=target, types=dict(_agreed_types(models, columns)))


def _distinct(hashers: Sequence[Hasher]) -> list[Hasher]:
    """Challengers that are fed the same columns share what their rows are recognised by."""
    return [hasher for i, hasher in enumerate(hashers) if hasher not in hashers[:i]]


@contextlib.contextmanager
def _called(model: Model) -> Iterator[None]:
    """Let what is wrong with a challenger's predictions be told with its name, where there are several."""
    try:
        yield
    except InvalidInputError as error:
        if not model.name:
            raise
        named = _OF_CHALLENGER.sub(lambda found: found[0] + model.told.removeprefix(model.side), error.message, count=1)
        raise type(error)(named, hint=error.hint) from error


def _agreed_types(models: Sequence[Model], columns: Sequence[Sequence[str]]) -> Mapping[str, pa.DataType]:
    """Read a text column as its models' signatures say; as text, if they say different things."""
    types: dict[str, pa.DataType] = {}
    for model, names in zip(models, columns, strict=True):
        for name in names:
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


def _refuse_one_column(columns: Mapping[str, str], unit: str | None) -> None:
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
