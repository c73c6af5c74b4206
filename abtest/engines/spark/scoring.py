"""The pass on Spark: a look at all values, one at the truth, and the count of rows by segment, truth and prediction."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from abtest import wording
from abtest.engines.local import Several, called
from abtest.engines.pairs import ClassPair, Rows, Scored, refuse_many_labels
from abtest.engines.spark.features import examine, features, is_labelled
from abtest.engines.spark.models import LabelType, as_function, missing
from abtest.engines.spark.segments import find, grouped
from abtest.engines.spark.session import Session, Spark, told_as_ours
from abtest.engines.spark.tables import Frame, column, parts
from abtest.errors import InvalidInputError
from abtest.labels import reconcile
from abtest.loaders.columns import label_column
from abtest.loaders.datasets import BATCH_ROWS
from abtest.loaders.models import Model
from abtest.loaders.segments import columns_of
from abtest.outcomes import PairedOutcomes
from abtest.tally import MOST_LABELS, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from abtest.engines.pairs import Labels
    from abtest.labels import Label, Task
    from abtest.labels import LabelType as Cast
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.segments import Segmentation

_LOOK_ROWS = 1_000  # are predicted here too: they tell the type of each model's labels, and what is wrong with them
_MOST_CELLS = 1 << 22  # rows of the table of counts that come back
_TRUTH, _ROWS = "truth", "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One model, as Spark asks it."""

    model: Model
    columns: tuple[str, ...]
    labels: LabelType
    ask: Callable[[Any], Any]


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
    looks = [examine(frame, fed, target) for frame in frames]
    read, unlabelled = sum(look.rows for look in looks), sum(look.unlabelled for look in looks)
    _refuse_missing(data, target, read, unlabelled, drop=drop_unlabelled)
    frames = [frame.where(is_labelled(frame, target)) for frame in frames]
    truths = _look_at_truth(frames, target)
    segmentation = find(data, segments, target=target)
    if spark.is_ours:
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch_rows))
    sides = _sides(fed, frames, target, champion, session)
    pairs = [ClassPair(segmentation, in_units=False) for _ in challengers]
    between = {key: Tally() for key in itertools.combinations(range(len(pairs)), 2)}
    for frame in frames:
        table = _counted(frame, sides, target, segmentation)
        rows = _rows(table, target, segmentation)
        predicted = [_predictions(table, at, side, truths, rows.counts) for at, side in enumerate(sides)]
        ours, theirs = (predicted[0] if champion else None), predicted[len(predicted) - len(pairs) :]
        for model, pair, own in zip(challengers, pairs, theirs, strict=True):
            with called(model):
                pair.add(rows, ours, own)
        for (one, other), tally in between.items():
            tally.add(rows.truth, theirs[one], theirs[other], counts=rows.counts)
    progress(read)
    return Several(
        pairs=tuple(
            _scored(pair, model, champion, unlabelled=unlabelled, label_type=label_type)
            for pair, model in zip(pairs, challengers, strict=True)
        ),
        between={
            key: PairedOutcomes.from_tally(tally, label_type=label_type)[0].contingency()
            for key, tally in between.items()
        },
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


def _look_at_truth(frames: Sequence[Frame], target: str) -> tuple[Label, ...]:
    """The distinct labels of the truth, before a model is asked about rows that have none."""
    tally = Tally()
    found: dict[Label, None] = {}
    for frame in frames:
        counted = frame.groupBy(column(target).alias(_TRUTH)).count().limit(MOST_LABELS + 1)
        with told_as_ours("Spark could not read the truth"):
            table = counted.toArrow()
        truth = label_column(_column(table, _TRUTH), target)
        tally.add(truth, None, truth, counts=_column(table, "count").to_numpy())
        refuse_many_labels(tally, truth)
        found |= dict.fromkeys(_column(table, _TRUTH).to_pylist())
    return tuple(found)


def _sides(
    fed: Sequence[tuple[Model, tuple[str, ...]]],
    frames: Sequence[Frame],
    target: str,
    champion: Model | None,
    session: Session,
) -> list[_Side]:
    """Let each model predict some rows here: that tells the type of its labels, and most of what is wrong with it."""
    with told_as_ours("Spark could not read the rows"):
        table = next(found for frame in frames if (found := frame.limit(_LOOK_ROWS).toArrow()).num_rows)
    (batch,) = table.combine_chunks().to_batches(max_chunksize=_LOOK_ROWS)
    numbers = np.arange(1, batch.num_rows + 1)
    predicted = [model.predict(batch, columns, numbers) for model, columns in fed]
    truth = label_column(batch.column(target), target)
    distinct = [list(dict.fromkeys(labels.tolist())) for labels in predicted]
    for own in distinct[1 if champion else 0 :]:
        reconcile(_values(truth), distinct[0] if champion else [], own)
    return [
        _Side(
            model=model,
            columns=columns,
            labels=(kind := LabelType.of(labels)),
            ask=as_function(model, kind.name, session),
        )
        for (model, columns), labels in zip(fed, predicted, strict=True)
    ]


def _values(truth: Labels) -> list[Label]:
    decoded = truth if isinstance(truth, np.ndarray) else truth.decoded()
    return list(dict.fromkeys(decoded.tolist()))


def _counted(frame: Frame, sides: Sequence[_Side], target: str, segmentation: Segmentation) -> pa.Table:
    """Count rows by segment, truth and all predictions: the one thing that comes back."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

    keys = {f"segment {at}": one for at, one in enumerate(grouped(segmentation))}
    keys[_TRUTH] = column(target)
    keys |= {f"model {at}": side.ask(features(frame, side.model, side.columns)) for at, side in enumerate(sides)}
    chosen = frame.select(*[value.alias(name) for name, value in keys.items()])
    counted = chosen.groupBy(*map(column, keys)).agg(F.count(F.lit(1)).alias(_ROWS)).limit(_MOST_CELLS + 1)
    with told_as_ours("A model failed on Spark"):
        table = counted.toArrow()
    if table.num_rows > _MOST_CELLS:
        raise InvalidInputError(
            f"The table of counts has more than {wording.whole(_MOST_CELLS)} rows.",
            hint="ask for fewer segments or challengers at a time; do the models predict classes?",
        )
    # In an order of its own: Spark's is another each time.
    return table.sort_by([(name, "ascending") for name in table.column_names])


def _rows(table: pa.Table, target: str, segmentation: Segmentation) -> Rows:
    own = {name: _column(table, f"segment {at}") for at, name in enumerate(segmentation.columns)}
    batch = pa.RecordBatch.from_pydict(own) if own else None
    return Rows(
        numbers=np.arange(table.num_rows),
        truth=label_column(_column(table, _TRUTH), target),
        codes=segmentation.codes(batch) if batch is not None else {},
        units=None,
        counts=_column(table, _ROWS).to_numpy().astype(np.int64),
    )


def _predictions(
    table: pa.Table, at: int, side: _Side, truths: Sequence[Label], counts: npt.NDArray[np.int64] | None
) -> npt.NDArray[Any]:
    found = _column(table, f"model {at}")
    none = missing(found, truths)
    if none.any() and counts is not None:
        raise InvalidInputError(
            f"The {side.model.told} predicts nothing for {wording.plural(int(counts[none].sum()), 'row')}.",
            hint="a model must return one prediction a row.",
        )
    return side.labels.labels(found)


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()


def _scored(
    pair: ClassPair, model: Model, champion: Model | None, *, unlabelled: int, label_type: Cast | None
) -> Scored:
    with called(model):
        found = pair.scored(unlabelled=unlabelled, label_type=label_type, with_champion=champion is not None)
    casts = [notice for one in (champion, model) if one and (notice := one.cast_notice())]
    return replace(found, notices=(*casts, *_dropped(unlabelled), *found.notices, _UNKNOWN))


def _dropped(unlabelled: int) -> tuple[str, ...]:
    if not unlabelled:
        return ()
    verb = "was" if unlabelled == 1 else "were"
    return (f"{wording.plural(unlabelled, 'row')} without a label {verb} dropped.",)


_UNKNOWN = (
    "Scored on Spark: how long a prediction takes was not measured, and nobody looked for rows that repeat or that "
    "extend an earlier test set."
)
