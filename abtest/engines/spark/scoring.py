"""The pass on Spark: a look at all values, one at the truth, and the count of rows by segment, truth and prediction."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from abtest import wording
from abtest.engines.local import Several, called
from abtest.engines.pairs import ClassPair, Rows, Scored, refuse_many_labels
from abtest.engines.spark.features import examine, is_labelled
from abtest.engines.spark.models import missing
from abtest.engines.spark.scores import Scored as ScoreColumn
from abtest.engines.spark.scores import ScoreSums
from abtest.engines.spark.segments import find, grouped
from abtest.engines.spark.session import Spark, told_as_ours
from abtest.engines.spark.sides import Asked, asked, label_name, score_name, unscored
from abtest.engines.spark.tables import Frame, column, parts
from abtest.errors import InvalidInputError
from abtest.loaders.columns import label_column, labelled
from abtest.loaders.datasets import BATCH_ROWS
from abtest.loaders.segments import columns_of
from abtest.outcomes import PairedOutcomes
from abtest.tally import MOST_LABELS, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from abtest.labels import Label, Side, Task
    from abtest.labels import LabelType as Cast
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model
    from abtest.loaders.segments import Segmentation

_MOST_CELLS = 1 << 22  # rows of the table of counts that come back
_TRUTH, _ROWS = "truth", "rows"


def score_several(
    spark: Spark,
    champion: Model | None,
    challengers: Sequence[Model],
    data: Dataset,
    *,
    target: str,
    task: Task = "classification",
    segments: Sequence[str] = (),
    label_type: Cast | None = None,
    batch_rows: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    unit: str | None = None,
    scores: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
    **_unused: object,
) -> Several:
    """Let all models predict every row on Spark, and tally each challenger beside the champion.

    Options are those of ``engines.local.score_several``; some mean nothing here.

    Raises:
        InvalidInputError: A column, a value, a label or a prediction is not as it must be; or Spark is asked for what
            the local engine alone does.
        BackendError: Spark failed.
    """
    _refuse(task, unit)
    if target not in data.columns:
        raise data.missing(target, "target column")
    models = [*([champion] if champion else []), *challengers]
    aside = columns_of(segments, data.columns)
    columns = [model.columns(data.columns, target, aside) for model in models]
    fed = list(zip(models, columns, strict=True))
    session = spark.session
    wanted = list(dict.fromkeys([*itertools.chain(*columns), *aside, target]))
    frames = parts(data, wanted, session)
    truths, read, unlabelled = _look_at_truth(frames, target)
    _refuse_missing(data, target, read, unlabelled, drop=drop_unlabelled)
    frames = [frame.where(is_labelled(frame, target)) for frame in frames]
    for frame in frames:
        examine(frame, fed)
    segmentation = find(data, segments, target=target)
    if spark.is_ours:
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch_rows))
    sides = asked(fed, frames, target, session, with_champion=champion is not None, scores=scores)
    passed = _Pass(sides, truths, target, segmentation, with_champion=champion is not None, scores=scores)
    for frame in frames:
        passed.add(frame)
    progress(read)
    return passed.several(unlabelled=unlabelled, label_type=label_type)


class _Pass:
    """Counts rows, frame by frame, by segment, truth and what all models say.

    Args:
        sides: The models, the champion first.
        truths: The distinct labels of the truth.
        target: The column with it.
        segmentation: How rows are told apart.
        with_champion: Whether the first is the champion.
        scores: Add up probabilities too.
    """

    def __init__(
        self,
        sides: Sequence[Asked],
        truths: Sequence[Label],
        target: str,
        segmentation: Segmentation,
        *,
        with_champion: bool,
        scores: bool,
    ) -> None:
        self._sides, self._truths, self._target, self._segmentation = sides, truths, target, segmentation
        self._champion = sides[0] if with_champion else None
        self._challengers = sides[int(with_champion) :]
        self._pairs = [ClassPair(segmentation, in_units=False) for _ in self._challengers]
        self._between = {key: Tally() for key in itertools.combinations(range(len(self._pairs)), 2)}
        self._unscored = [unscored(self._champion, one) if scores else () for one in self._challengers]
        self._sums = [None if why or not scores else self._new_sums(one) for one, why in
                      zip(self._challengers, self._unscored, strict=True)]  # fmt: skip

    def add(self, frame: Frame) -> None:
        """Ask all models about the rows of a frame, and count them."""
        answers = {name: value for at, side in enumerate(self._sides) for name, value in side.keys(at, frame).items()}
        keys = {f"segment {at}": one for at, one in enumerate(grouped(self._segmentation))}
        found = frame.select(
            *[value.alias(name) for name, value in {**keys, _TRUTH: column(self._target), **answers}.items()]
        )
        scored = any(sums is not None for sums in self._sums)
        if scored:
            found = found.persist()  # asked once, though added up thrice
        try:
            labels = [label_name(at) for at in range(len(self._sides))]
            self._add_labels(_counted(found, [*keys, _TRUTH, *labels]))
            for sums in self._sums:
                if sums is not None:
                    sums.add(found, _TRUTH, list(keys), self._codes)
        finally:
            if scored:
                found.unpersist()

    def several(self, *, unlabelled: int, label_type: Cast | None) -> Several:
        """What was counted, with labels of one type."""
        return Several(
            pairs=tuple(self._scored(at, unlabelled, label_type) for at in range(len(self._pairs))),
            between={
                key: PairedOutcomes.from_tally(tally, label_type=label_type)[0].contingency()
                for key, tally in self._between.items()
            },
        )

    def _new_sums(self, challenger: Asked) -> ScoreSums:
        sides: dict[Side, Asked] = {"champion": self._sides[0], "challenger": challenger}
        return ScoreSums(
            {
                side: ScoreColumn(name=score_name(self._sides.index(one)), classes=one.classes)
                for side, one in sides.items()
            },
            self._truths,
            self._segmentation.groups,
        )

    def _codes(self, table: pa.Table) -> dict[str, npt.NDArray[np.int64]]:
        own = {name: _column(table, f"segment {at}") for at, name in enumerate(self._segmentation.columns)}
        return self._segmentation.codes(pa.RecordBatch.from_pydict(own)) if own else {}

    def _add_labels(self, table: pa.Table) -> None:
        counts = _column(table, _ROWS).to_numpy().astype(np.int64)
        truth = label_column(_column(table, _TRUTH), self._target)
        rows = Rows(numbers=np.arange(table.num_rows), truth=truth, codes=self._codes(table), units=None, counts=counts)
        predicted = [self._predictions(table, at, side, counts) for at, side in enumerate(self._sides)]
        ours, theirs = (predicted[0] if self._champion else None), predicted[int(self._champion is not None) :]
        for side, pair, own in zip(self._challengers, self._pairs, theirs, strict=True):
            with called(side.model):
                pair.add(rows, ours, own)
        for (one, other), tally in self._between.items():
            tally.add(truth, theirs[one], theirs[other], counts=counts)

    def _predictions(self, table: pa.Table, at: int, side: Asked, counts: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        found = _column(table, label_name(at))
        none = missing(found, self._truths)
        if none.any():
            raise InvalidInputError(
                f"The {side.model.told} predicts nothing for {wording.plural(int(counts[none].sum()), 'row')}.",
                hint="a model must return one prediction a row.",
            )
        return side.labels.labels(found)

    def _scored(self, at: int, unlabelled: int, label_type: Cast | None) -> Scored:
        side, sums = self._challengers[at], self._sums[at]
        with called(side.model):
            found = self._pairs[at].scored(
                unlabelled=unlabelled, label_type=label_type, with_champion=self._champion is not None
            )
        both = [one for one in (self._champion, side) if one]
        casts = [notice for one in both if (notice := one.model.cast_notice())]
        told = [one.notice for one in both if one.notice]
        return replace(
            found,
            notices=(*casts, *told, *_dropped(unlabelled), *found.notices, _UNKNOWN),
            scores=sums.scores(found.table.labels) if sums else None,
            unscored=self._unscored[at],
        )


def _refuse(task: Task, unit: str | None) -> None:
    if task == "regression":
        raise InvalidInputError(
            "--engine spark compares classes, and these are numbers.", hint="--engine local compares numbers."
        )
    if unit is not None:
        raise InvalidInputError("--engine spark takes rows for independent, and has no --unit.", hint="--engine local")


def _refuse_missing(data: Dataset, target: str, read: int, unlabelled: int, *, drop: bool) -> None:
    if unlabelled and not drop:
        raise InvalidInputError(
            f"Target '{target}' is missing in {wording.plural(unlabelled, 'row')}.",
            hint="--drop-unlabelled leaves such rows out and counts them.",
        )
    if unlabelled == read:
        why = f"all {wording.plural(read, 'row')} lack a label" if read else "it holds no rows"
        raise InvalidInputError(f"{data.name} has nothing to compare on: {why}.")


def _look_at_truth(frames: Sequence[Frame], target: str) -> tuple[tuple[Label, ...], int, int]:
    """The distinct labels of the truth, the number of rows, and of those without a label; before a model is asked."""
    tally = Tally()
    found: dict[Label, None] = {}
    read = 0
    for frame in frames:
        counted = frame.groupBy(column(target).alias(_TRUTH)).count().limit(MOST_LABELS + 2)
        with told_as_ours("Spark could not read the truth"):
            table = counted.toArrow()
        read += int(_column(table, "count").to_numpy().sum())
        table = table.filter(labelled(_column(table, _TRUTH)))
        truth = label_column(_column(table, _TRUTH), target)
        tally.add(truth, None, truth, counts=_column(table, "count").to_numpy())
        refuse_many_labels(tally, truth)
        found |= dict.fromkeys(_column(table, _TRUTH).to_pylist())
    return tuple(found), read, read - tally.n


def _counted(frame: Frame, keys: Sequence[str]) -> pa.Table:
    """Count rows by all keys: the table that comes back."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

    counted = frame.groupBy(*map(column, keys)).agg(F.count(F.lit(1)).alias(_ROWS)).limit(_MOST_CELLS + 1)
    with told_as_ours("A model failed on Spark"):
        table = counted.toArrow()
    if table.num_rows > _MOST_CELLS:
        raise InvalidInputError(
            f"The table of counts has more than {wording.whole(_MOST_CELLS)} rows.",
            hint="ask for fewer segments or challengers at a time; do the models predict classes?",
        )
    # In an order of its own: Spark's is another each time.
    return table.sort_by([(name, "ascending") for name in keys])


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()


def _dropped(unlabelled: int) -> tuple[str, ...]:
    if not unlabelled:
        return ()
    verb = "was" if unlabelled == 1 else "were"
    return (f"{wording.plural(unlabelled, 'row')} without a label {verb} dropped.",)


_UNKNOWN = (
    "Scored on Spark: how long a prediction takes was not measured, and nobody looked for rows that repeat or that "
    "extend an earlier test set."
)
