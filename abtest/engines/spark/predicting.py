"""Predictions of one model on Spark, written by the cluster: a folder of Parquet that is there whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from abtest import wording
from abtest.engines.spark.features import examine
from abtest.engines.spark.models import none_of
from abtest.engines.spark.session import Spark, told_as_ours
from abtest.engines.spark.sides import Look
from abtest.engines.spark.tables import Column, Frame, column, parts
from abtest.errors import BackendError, InvalidInputError
from abtest.labels import Label
from abtest.loaders.datasets import BATCH_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abtest.engines.spark.sides import Asked
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

_MOST_DISTINCT = 1_000
_QUARTILES = {"first_quartile": 0.25, "median": 0.5, "third_quartile": 0.75}
_ACCURACY = 10_000  # ranks are right to within one of so many


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What Spark wrote.

    Attributes:
        n: Rows.
        columns: Their columns, in order.
        counts: How often each of the most frequent predictions occurs, that first; none of numbers with fractions.
        numbers: Of numbers, those that are finite: n, mean, sample deviation std, min, quartiles and max.
        sample: Some rows, as many as were asked for.
        notices: What is to be said.
    """

    n: int
    columns: tuple[str, ...]
    counts: tuple[tuple[Label, int], ...]
    numbers: Mapping[str, float | None]
    sample: pa.Table
    notices: tuple[str, ...]


def write_predictions(
    spark: Spark,
    model: Model,
    data: Dataset,
    output: Path,
    *,
    fed: tuple[str, ...],
    kept: Sequence[str],
    prediction: str,
    probability: Callable[[Label], str] | None = None,
    sample: int = 0,
    batch_rows: int = BATCH_ROWS,
) -> Written:
    """Let a model predict every row on Spark, and write its predictions; in no order.

    Args:
        spark: The session.
        model: What predicts.
        data: What Spark reads.
        output: The folder to be, on a disk that all of Spark's machines share.
        fed: What the model is fed.
        kept: Columns to write beside.
        prediction: What the column of predictions is called.
        probability: What the column of a class's probabilities is called; None to write none.
        sample: How many rows to give back.
        batch_rows: Rows that the model is asked for at a time.

    Raises:
        InvalidInputError: A value or a prediction is not as it must be.
        BackendError: Spark failed, or not all rows are there.
    """
    session = spark.session
    frames = parts(data, list(dict.fromkeys([*fed, *kept])), session)
    for frame in frames:
        examine(frame, [(model, fed)])
    _refuse_unlike(frames, kept)
    if spark.is_ours:
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch_rows))
    side = Look.at(model, fed, frames).asked(session, scores=probability is not None)
    if probability is not None and side.score is None:
        raise InvalidInputError(f"The {model.told} has no probabilities. {side.why_not}", hint="leave out --proba.")
    part = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        for frame in frames:
            answers = _answers(side, frame, prediction, probability)
            found = frame.select(*map(column, kept), *answers)
            with told_as_ours("A model failed on Spark"):
                found.write.mode("append").parquet(f"file://{part.absolute()}")
        with told_as_ours("Spark could not read what it wrote"):
            there = session.read.parquet(f"file://{part.absolute()}")
        n = _checked(there, frames, prediction, side, output)
        written = Written(
            n=n,
            columns=tuple(there.columns),
            counts=_counts(there, prediction),
            numbers=_numbers(there, prediction),
            sample=there.limit(sample).toArrow(),
            notices=(*([notice] if (notice := model.cast_notice()) else []), *([side.notice] if side.notice else [])),
        )
        _put(part, output)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # what went wrong first is what is told
    return written


def _answers(side: Asked, frame: Frame, prediction: str, probability: Callable[[Label], str] | None) -> list[Column]:
    """The columns of predictions and probabilities, each class in a column of its own."""
    answers = list(side.keys(0, frame).values())
    given = [side.labels.column(answers[0]).alias(prediction)]
    if probability is not None:
        given += [answers[1][at].alias(probability(label)) for at, label in enumerate(side.classes)]
    return given


def _refuse_unlike(frames: Sequence[Frame], kept: Sequence[str]) -> None:
    types = [{name: kind for name, kind in frame.dtypes if name in kept} for frame in frames]
    for name in kept:
        kinds = {own[name] for own in types}
        if len(kinds) > 1:
            raise InvalidInputError(
                f"Column '{name}' is of type {' here and '.join(sorted(kinds))} there, and cannot be kept on Spark.",
                hint="write all files with one schema.",
            )


def _checked(there: Frame, frames: Sequence[Frame], prediction: str, side: Asked, output: Path) -> int:
    """Count what was written: not a row may be lacking, and none without a prediction."""
    with told_as_ours("Spark could not count the rows"):
        wanted = sum(frame.count() for frame in frames)
        n = int(there.count())
        none = int(there.where(none_of(column(prediction), dict(there.dtypes)[prediction])).count())
    if n != wanted:
        raise BackendError(
            f"Spark wrote {wording.whole(n)} of {wording.plural(wanted, 'row')} to {output}.",
            hint="is the folder on a disk that all of its machines share?",
        )
    if none:
        raise InvalidInputError(
            f"The {side.model.told} predicts nothing for {wording.plural(none, 'row')}.",
            hint="a model must return one prediction a row.",
        )
    return n


def _counts(there: Frame, prediction: str) -> tuple[tuple[Label, int], ...]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

    if dict(there.dtypes)[prediction] in {"float", "double"}:
        return ()
    counted = there.groupBy(column(prediction).alias("label")).count()
    with told_as_ours("Spark could not count predictions"):
        table = counted.orderBy(F.desc("count"), F.asc("label")).limit(_MOST_DISTINCT).toArrow()
    return tuple(zip(table.column("label").to_pylist(), table.column("count").to_pylist(), strict=True))


def _numbers(there: Frame, prediction: str) -> dict[str, Any]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

    if dict(there.dtypes)[prediction] in {"string", "boolean"}:
        return {}
    value = column(prediction).cast("double")
    finite = there.select(value.alias("x")).where(F.abs(F.col("x")) != float("inf"))
    asked = {"n": F.count("x"), "mean": F.avg("x"), "std": F.stddev_samp("x"), "min": F.min("x"), "max": F.max("x")}
    asked |= {name: F.percentile_approx("x", share, _ACCURACY) for name, share in _QUARTILES.items()}
    with told_as_ours("Spark could not sum up predictions"):
        return dict(finite.agg(*[one.alias(name) for name, one in asked.items()]).first().asDict())


def _put(part: Path, output: Path) -> None:
    try:
        part.rename(output)  # onto an empty folder alone
    except OSError as error:
        raise InvalidInputError(f"output {output} cannot be put there: {error.strerror}.") from error
