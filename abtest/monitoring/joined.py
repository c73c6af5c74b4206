"""Labels beside their rows: which column of a file holds them, and files joined row by row, with a check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abtest.loaders.datasets import Dataset

_USUAL = "label"


def label_column_of(
    labels: Dataset, asked: str | None, target: str | None, aside: Sequence[str | None], shared: Sequence[str] = ()
) -> str:
    """Name the column that holds the labels.

    Args:
        labels: The file.
        asked: What the user calls it.
        target: What the truth is called among the rows.
        aside: Columns that are there for something else.
        shared: Columns of the rows, which they are joined by.

    Raises:
        InvalidInputError: There is none of that name, or several could be it.
    """
    if asked is not None:
        if asked not in labels.columns:
            raise labels.missing(asked, "label column")
        return asked
    for name in (target, _USUAL):
        if name is not None and name in labels.columns:
            return name
    left = [name for name in labels.columns if name not in aside and name not in shared]
    if len(left) != 1:
        raise InvalidInputError(
            f"{labels.name} has {wording.plural(len(left), 'column')} that could hold the label"
            + (f" ({', '.join(left[:8])})." if left else "."),
            hint="name it: --label-column.",
        )
    return left[0]


def side_by_side(
    data: Dataset,
    labels: Dataset,
    batches: tuple[Iterator[pa.RecordBatch], Iterator[pa.RecordBatch]],
    shared: Sequence[str],
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Give rows with their labels, by position: as many of one file as of the other.

    Args:
        data: The rows' file.
        labels: The labels'.
        batches: Of both, cut anyhow.
        shared: Columns of both, which must agree row by row.

    Raises:
        InvalidInputError: A file is longer than the other, or they do not agree; the message has the first row.
    """
    ours, theirs = batches
    one, other = next(ours, None), next(theirs, None)
    done = 0
    while one is not None and other is not None:
        rows = min(one.num_rows, other.num_rows)
        pair = one.slice(0, rows), other.slice(0, rows)
        for name in shared:
            _check(data, labels, name, (pair[0].column(name), pair[1].column(name)), done)
        yield pair
        done += rows
        one = one.slice(rows) if one.num_rows > rows else next(ours, None)
        other = other.slice(rows) if other.num_rows > rows else next(theirs, None)
    if one is None and other is None:
        return
    n = done + sum(batch.num_rows for batch in ours) + (one.num_rows if one is not None else 0)
    m = done + sum(batch.num_rows for batch in theirs) + (other.num_rows if other is not None else 0)
    raise InvalidInputError(
        f"labels must have a row for each of {data.name}'s {wording.plural(n, 'row')}, and {labels.name} has "
        f"{wording.whole(m)}.",
        hint="without an id rows are joined by position: --id joins them by id.",
    )


def shared_types(labels: Dataset, shared: Sequence[str], types: Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    """How the shared columns of a text file of labels are read: as those of the rows, where that is known."""
    return {name: types.get(name, pa.string()) for name in shared} if labels.is_text else {}


def _check(data: Dataset, labels: Dataset, name: str, columns: tuple[pa.Array, pa.Array], done: int) -> None:
    one, other = _comparable(*columns)
    agree = pc.fill_null(pc.equal(one, other), fill_value=False)
    both_missing = pc.and_(pc.is_null(one, nan_is_null=True), pc.is_null(other, nan_is_null=True))
    wrong = pc.index(pc.or_(agree, both_missing), False).as_py()
    if wrong >= 0:
        ours, theirs = (column[wrong].as_py() for column in columns)
        raise InvalidInputError(
            f"{data.name} and {labels.name} do not have the same rows: '{name}' is {ours!r} and {theirs!r} in row "
            f"{wording.whole(done + wrong + 1)}.",
            hint="without an id rows are joined by position: sort both alike, or --id joins them by id.",
        )


def _comparable(one: pa.Array, other: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Bring two columns to one type: numbers where both read as such, else text."""
    one, other = (
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in (one, other)
    )
    if one.type == other.type:
        return one, other
    for kind in (pa.float64(), pa.string()):
        try:
            return pc.cast(one, kind), pc.cast(other, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return one, pc.cast(other, one.type)
