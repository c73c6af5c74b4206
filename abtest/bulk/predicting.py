"""A file of rows in, a file of predictions out: read ahead, predicted, and written behind, batch by batch."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from abtest.bulk import writing
from abtest.bulk.answers import Answers
from abtest.bulk.columns import Columns
from abtest.bulk.predicted import Predicted
from abtest.engines.ahead import ahead
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import BATCH_ROWS, Dataset, open_data
from abtest.loaders.feeding import Fed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    import pandas as pd
    import pyarrow as pa

    from abtest.bulk.choosing import Chosen
    from abtest.bulk.writing import Writer

    Progress = Callable[[str, int, int | None], None]


def predict(
    chosen: Chosen,
    data: str | Path | pd.DataFrame,
    output: str | Path | BinaryIO,
    *,
    keep: Sequence[str] = (),
    proba: bool = False,
    force: bool = False,
    sample: int = 0,
    digest: bool = False,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
) -> Predicted:
    """Let a model predict every row, and write its predictions, in the rows' order.

    Args:
        chosen: The model.
        data: CSV, Parquet, JSON Lines: a file, a folder, a glob; or a data frame.
        output: A file that ends in .csv, .parquet or .jsonl; or what takes bytes, for CSV.
        keep: Columns of the data to write beside the predictions; ``["all"]`` for all of them.
        proba: Write the probability of each class too.
        force: Whether an existing file may be replaced.
        sample: How many of the first rows to give back.
        digest: Whether to name the content of the data, which reads it once more.
        batch_rows: Rows in memory at a time.
        progress: Told what is done, how many rows of how many.

    Raises:
        InvalidInputError: The data do not fit the model, the model fails, or the file cannot be written: then there is
            none.
    """
    if sample < 0:
        raise InvalidInputError(f"show-sample must be at least 0, got {sample}.")
    began, start = datetime.now(UTC), time.perf_counter()
    output = Path(output).expanduser() if isinstance(output, str | Path) else output
    source = checked(data, output if isinstance(output, Path) else None, force=force)
    to_csv = not isinstance(output, Path) or writing.known(output) == ".csv"
    columns = Columns.of(source, chosen.model, keep, as_text=to_csv)
    answers = Answers(chosen.model, columns, proba=proba, sample=sample)
    total = source.row_count()
    with ExitStack() as stack:
        writer = stack.enter_context(
            writing.opened(output, force=force) if isinstance(output, Path) else writing.into(output)
        )
        write = stack.enter_context(_behind(writer))
        n = 0
        for batch in ahead(source.batches(columns.read, columns.types, rows=batch_rows), lambda _batch: None):
            write(answers.table(Fed(batch, np.arange(n + 1, n + batch.num_rows + 1))))
            n += batch.num_rows
            if progress is not None:
                progress("Predicting", n, total)
        if not n:
            raise InvalidInputError(f"{source.name} holds no rows, so there is nothing to predict.")
    return Predicted(
        created_at=began,
        model_name=chosen.name,
        model=chosen.named,
        data=source.name,
        digest=source.digest() if digest else None,
        output=str(output) if isinstance(output, Path) else None,
        columns=answers.names,
        n=n,
        seconds=time.perf_counter() - start,
        model_seconds=answers.seconds,
        distribution=answers.distribution(),
        sample=answers.sample(),
        notices=(*columns.notices, *answers.notices(casts=not source.is_text)),
    )


def checked(data: str | Path | pd.DataFrame, output: Path | None, *, force: bool) -> Dataset:
    """Open the data, and find out that the output cannot come to be: before a model is loaded.

    Raises:
        NotFoundError: There are no such data.
        InvalidInputError: They cannot be read, or the output is of no known format or in the way.
    """
    if output is not None:
        writing.known(output)
    source = open_data(data, "input")
    if output is not None:
        folder = Path(data).expanduser() if isinstance(data, str | Path) else None
        inputs: Sequence[Path] = getattr(source, "paths", ())
        writing.refuse_in_the_way(output, inputs, folder if folder and folder.is_dir() else None, force=force)
    return source


@contextmanager
def _behind(writer: Writer) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Give what writes a batch on a second thread while the next one is predicted.

    What goes wrong there is raised with the next batch, or at the end.
    """
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="abtest-behind")
    under_way: Future[None] | None = None

    def write(batch: pa.RecordBatch) -> None:
        nonlocal under_way
        if under_way is not None:
            under_way.result()
        under_way = worker.submit(writer.write, batch)

    try:
        yield write
        if under_way is not None:
            under_way.result()
    finally:
        worker.shutdown(cancel_futures=True)
