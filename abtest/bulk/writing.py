"""Rows into a file, whole or not at all: CSV, Parquet or JSON Lines; or as CSV into a pipe."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa

from abtest.bulk.spelling import csv_header, csv_lines, json_lines
from abtest.errors import InvalidInputError
from abtest.loaders.columns import cast_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_GROUP_ROWS = 250_000  # of a Parquet file, and in memory until they are written
_IN_THE_WAY = "--force replaces it."


class Writer(Protocol):
    """What rows are written by, batch after batch."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows; all batches have the same columns.

        Raises:
            InvalidInputError: They cannot be written like this.
        """

    def close(self) -> None:
        """Write what is left; the file itself stays open."""


def known(path: Path) -> str:
    """Name the format that a file's ending stands for.

    Raises:
        InvalidInputError: It stands for none.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InvalidInputError(
            f"output {path} must end in {', '.join(_WRITERS)}, got {path.suffix or 'no ending'!r}.",
            hint="or --output - writes CSV to standard output.",
        )
    return path.suffix.lower()


def refuse_in_the_way(path: Path, inputs: Sequence[Path], folder: Path | None, *, force: bool) -> None:
    """Find out, before an hour of work, that a file cannot come to be, or must not.

    Args:
        path: The file to be.
        inputs: What is read meanwhile; no force replaces that.
        folder: Whose files these are, if it was a folder that was named.
        force: Whether another file may be replaced.

    Raises:
        InvalidInputError: It is so.
    """
    target = path.resolve()
    if any(target == read.resolve() or (target.exists() and target.samefile(read)) for read in inputs):
        raise InvalidInputError(f"output {path} is what is read.", hint="name another file.")
    if folder is not None and target.is_relative_to(folder.resolve()):
        raise InvalidInputError(
            f"output {path} lies in the folder that is read: next time it would be read too.", hint="name another one."
        )
    if target.exists() and not target.is_file():
        raise InvalidInputError(f"output {path} is there, and is no file.", hint="name a file.")
    if target.exists() and not force:
        raise InvalidInputError(f"output {path} is there already.", hint=_IN_THE_WAY)
    if not target.parent.is_dir():
        raise InvalidInputError(f"output {path}: there is no folder {path.parent}.", hint="make it first.")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise InvalidInputError(f"output {path}: the folder {path.parent} cannot be written to.", hint="name another.")


@contextlib.contextmanager
def opened(path: Path, *, force: bool) -> Iterator[Writer]:
    """Give a writer whose rows are a file at the end, and nothing at all where anything goes wrong before that.

    Raises:
        InvalidInputError: It cannot be written; or a file is in the way, and ``force`` is not given.
    """
    target = path.resolve()  # of a link, what it leads to: the link stays
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with _told(path), part.open("xb") as stream:
            writer = _WRITERS[known(path)](stream)
            yield writer
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        with _told(path):
            _put(part, target, path, force=force)
    finally:
        with contextlib.suppress(OSError):  # what went wrong first is what is told
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def into(stream: BinaryIO) -> Iterator[Writer]:
    """Give a writer of CSV into a pipe or a terminal."""
    writer = _Csv(stream)
    yield writer
    writer.close()
    stream.flush()


def _put(part: Path, target: Path, path: Path, *, force: bool) -> None:
    """Give a file its name, in one step that replaces nothing unless it may."""
    if not force:
        try:
            os.link(part, target)  # unlike a rename it fails where something is
        except FileExistsError:
            raise InvalidInputError(f"output {path} has come to be meanwhile.", hint=_IN_THE_WAY) from None
        except OSError:  # a file system without links
            if target.exists():
                raise InvalidInputError(f"output {path} has come to be meanwhile.", hint=_IN_THE_WAY) from None
            part.replace(target)
    else:
        part.replace(target)
    with contextlib.suppress(OSError):  # where folders cannot be opened, there is nothing to bring to the disk
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInputError(
            f"output {path} cannot be written: {error.strerror or error}.",
            hint="is there room, and may you write there? Nothing was left behind.",
        ) from error


class _Csv:
    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - whatever takes bytes
        self._stream = stream
        self._begun = False

    def write(self, batch: pa.RecordBatch) -> None:
        if not self._begun:
            self._stream.write(csv_header(batch.schema.names))
            self._begun = True
        self._stream.write(csv_lines(batch))

    def close(self) -> None:
        pass


class _Json:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._stream.write(json_lines(batch, self._rows + 1))
        self._rows += batch.num_rows

    def close(self) -> None:
        pass


class _Parquet:
    """Columns have the types of the first batch, or those that hold both, as long as nothing is written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._writer: Any = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(self._alike(batch))
        self._rows += batch.num_rows
        if sum(it.num_rows for it in self._waiting) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _alike(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        schema = self._waiting[0].schema if self._waiting else self._writer and self._writer.schema
        if not schema or batch.schema.equals(schema):
            return batch
        numbers = np.arange(self._rows + 1, self._rows + batch.num_rows + 1)
        columns = [_cast(batch.column(at), field, numbers) for at, field in enumerate(schema)]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _flush(self) -> None:
        if not self._waiting:
            return
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        table = pa.Table.from_batches(self._waiting)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._stream, table.schema)
        self._writer.write_table(table)
        self._waiting = []


def _cast(column: pa.Array, field: pa.Field, rows: Any) -> pa.Array:  # noqa: ANN401 - of numbers
    """Give a column the type that it had at first, where nothing is lost."""
    try:
        cast = cast_column(column, field.type, field.name, rows)
    except InvalidInputError:
        cast = None
    rounded = pa.types.is_float32(field.type) and pa.types.is_float64(column.type)
    if cast is None or rounded:
        raise InvalidInputError(
            f"Column '{field.name}' is of type {field.type} at first, and of type {column.type} from row "
            f"{rows[0]:,}: in Parquet it has one.",
            hint="write CSV or JSON Lines, or give the column one type.",
        )
    return cast


_WRITERS: dict[str, type[_Csv | _Json | _Parquet]] = {".csv": _Csv, ".parquet": _Parquet, ".jsonl": _Json}
