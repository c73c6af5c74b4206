"""A folder of rows that is bigger than a machine: the cluster reads, predicts and writes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest.bulk.answers import cell, named
from abtest.bulk.columns import PREDICTION, Columns, collides
from abtest.bulk.distribution import MOST_SHOWN, ClassCount, Distribution, Spread
from abtest.bulk.predicted import Predicted
from abtest.engines import catalogue
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import BATCH_ROWS
from abtest.loaders.tasks import task_of_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.bulk.choosing import Chosen
    from abtest.engines.spark.predicting import Written
    from abtest.labels import Label, Task

_NO_ORDER = "Spark wrote the rows in no order: --keep a column that names them."


def predict(
    chosen: Chosen,
    data: str | Path,
    output: str | Path,
    *,
    keep: Sequence[str] = (),
    proba: bool = False,
    sample: int = 0,
    digest: bool = False,
    batch_rows: int = BATCH_ROWS,
    spark_master: str | None = None,
) -> Predicted:
    """Let a model predict every row on Spark, and write a folder of Parquet.

    Args:
        chosen: The model.
        data: Parquet, Delta, or a table.
        output: A folder that is not there yet, on a disk that all of Spark's machines share.
        keep: As of ``predicting.predict``; so are the next four.
        proba: See there.
        sample: See there.
        digest: See there.
        batch_rows: See there.
        spark_master: Where Spark runs.

    Raises:
        InvalidInputError: The data do not fit the model, the model fails, or the folder cannot be: then there is none.
        BackendError: Spark failed.
    """
    folder = Path(output).expanduser()
    refuse_folder(str(output))
    began, start = datetime.now(UTC), time.perf_counter()
    with catalogue.ended():
        engine: Any = catalogue.start("spark", spark_master=spark_master)
        source = engine.open_data(str(data), "input")
        columns = Columns.of(source, chosen.model, keep, as_text=False)

        def probability(label: Label) -> str:
            if (name := named(label)) in columns.kept:
                raise collides(name)
            return name

        written: Written = engine.write_predictions(
            chosen.model,
            source,
            folder.resolve(),
            fed=columns.fed,
            kept=columns.kept,
            prediction=PREDICTION,
            probability=probability if proba else None,
            sample=sample,
            batch_rows=batch_rows,
        )
        content = source.digest() if digest else None
    rows = written.sample.to_pylist()
    return Predicted(
        created_at=began,
        model_name=chosen.name,
        model=chosen.named,
        data=source.name,
        digest=content,
        output=str(folder),
        columns=written.columns,
        n=written.n,
        seconds=time.perf_counter() - start,
        model_seconds=None,
        distribution=_distribution(written, task_of_model(chosen.model)),
        sample=tuple({name: cell(value) for name, value in row.items()} for row in rows),
        notices=(*columns.notices, *written.notices, _NO_ORDER),
    )


def refuse_folder(output: str) -> None:
    """Find out that a folder cannot come to be, before Spark is started.

    Raises:
        InvalidInputError: It is there, or it is elsewhere.
    """
    folder = Path(output).expanduser()
    if "://" in output:
        raise InvalidInputError(
            f"output {output} must be a folder on a disk that all of Spark's machines share.",
            hint="name one, and copy it from there.",
        )
    if folder.exists():
        raise InvalidInputError(
            f"output {output} is there already.", hint="--force replaces files alone: remove the folder first."
        )
    if not folder.resolve().parent.is_dir():
        raise InvalidInputError(f"output {output}: there is no folder {folder.parent}.", hint="make it first.")


def _distribution(written: Written, task: Task | None) -> Distribution:
    """The same as of rows that come one after another: whole numbers are classes while they are few."""
    many = written.numbers and task is None and len(written.counts) > MOST_SHOWN
    if not written.counts or many or task == "regression":
        found = written.numbers
        n = int(found["n"] or 0)
        spread = {name: value for name, value in found.items() if name != "n"}
        return Distribution(numbers=Spread(n=n, infinite=written.n - n, **spread))
    shown = tuple(ClassCount(label=it, n=n, share=n / written.n) for it, n in written.counts[:MOST_SHOWN])
    return Distribution(classes=shown, others=written.n - sum(it.n for it in shown))
