"""Labelled rows: CSV, Parquet, JSON Lines and data frames, as Arrow batches, never whole.

A text format has no types of its own: its columns are read as the models' signatures say, and its labels as text, to be
reconciled with the predictions.
"""

from __future__ import annotations

import glob
import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from abtest.errors import InvalidInputError, NotFoundError, near

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

BATCH_ROWS = 50_000
DIGEST_DIGITS = 32  # of SHA-256, in hex: MLflow takes at most 36 characters
_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}


class Named:
    """What has a name and columns."""

    name: str
    columns: tuple[str, ...]

    def missing(self, column: str, what: str = "column") -> InvalidInputError:
        """Say that a column is not there, and what is."""
        listed = ", ".join(self.columns[:8]) + (f" and {len(self.columns) - 8} more" if self.columns[8:] else "")
        return InvalidInputError(
            f"{self.name} has no {what} '{column}'.", hint=near(column, self.columns) or f"its columns are {listed}."
        )


class Dataset(Named, ABC):
    """Labelled rows that can be read in batches, any number of times."""

    is_text: bool = False

    @abstractmethod
    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Yield the named columns in batches of any size; a text format reads them as ``types`` says.

        Others have types of their own; where ``types`` asks for a dictionary, text may come by code.
        """

    @abstractmethod
    def digest(self) -> str:
        """Name the content: hex digits that change when any row does."""

    def row_count(self) -> int | None:
        """Rows, where the format knows without reading."""
        return None

    def batches(
        self, columns: Sequence[str], types: Mapping[str, pa.DataType], *, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Yield the named columns in batches of ``rows`` rows, the last one shorter.

        Raises:
            InvalidInputError: A column is not there, or a value cannot be read.
        """
        if rows < 1:
            raise InvalidInputError(f"batch_size must be at least 1, got {rows}.")
        for column in columns:
            if column not in self.columns:
                raise self.missing(column)
        return _cut(self.read(list(dict.fromkeys(columns)), types), rows)


def open_data(source: str | Path | pd.DataFrame, what: str = "test-data") -> Dataset:
    """Open a file, a folder of Parquet files, a glob, or a data frame; ``what`` it is called in messages.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is empty, not of a known format, or damaged.
    """
    if not isinstance(source, str | Path):
        return _Frame(source)
    from abtest.loaders.files import READERS  # noqa: PLC0415 - files are datasets, so that module needs this one

    paths = _paths(str(source), what)
    return READERS[_format(paths, source, what)](str(source), paths)


class _Frame(Dataset):
    def __init__(self, frame: pd.DataFrame) -> None:
        self.name = "the data frame"
        self.columns = unique([str(column) for column in frame.columns], self.name)
        self._frame = frame.set_axis(list(self.columns), axis=1)
        if not len(frame):
            raise InvalidInputError(f"{self.name} holds no rows.")

    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        del types  # the frame has its own; models cast what they are given
        for start in range(0, len(self._frame), BATCH_ROWS):
            part = self._frame.iloc[start : start + BATCH_ROWS][list(columns)]
            try:
                table = pa.Table.from_pandas(part, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise InvalidInputError(f"{self.name} has a column of mixed types: {error}.") from error
            yield from table.combine_chunks().to_batches()  # a frame that was joined has text in pieces

    def digest(self) -> str:
        from pandas.util import hash_pandas_object  # noqa: PLC0415 - only a data frame needs pandas here

        digest = hashlib.sha256("\x1f".join(self.columns).encode())
        for start in range(0, len(self._frame), BATCH_ROWS):
            rows = hash_pandas_object(self._frame.iloc[start : start + BATCH_ROWS], index=False)
            digest.update(rows.to_numpy().tobytes())
        return digest.hexdigest()[:DIGEST_DIGITS]

    def row_count(self) -> int:
        return len(self._frame)


def _cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Cut and join batches to ``rows`` rows each; a batch is cut short where files differ in their columns' types."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        if waiting and not batch.schema.equals(waiting[0].schema):
            yield from _joined(waiting)
            waiting, held = [], 0
        waiting.append(batch)
        held += batch.num_rows
        if held < rows:
            continue
        table = pa.Table.from_batches(waiting).combine_chunks()
        whole = held - held % rows
        for start in range(0, whole, rows):
            yield from table.slice(start, rows).to_batches()
        waiting, held = table.slice(whole).to_batches(), held - whole
    yield from _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if batches:
        yield from pa.Table.from_batches(batches).combine_chunks().to_batches()


def _paths(source: str, what: str) -> list[Path]:
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(
            p
            for p in path.rglob("*")
            if _FORMATS.get(p.suffix.lower()) == "parquet"
            and not any(part.startswith((".", "_")) for part in p.relative_to(path).parts)  # Spark's leavings
        )
        if not found:
            raise NotFoundError(f"{what} {source} is a folder without Parquet files.", hint="name a file or a glob.")
        return found
    found = sorted(Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file())  # noqa: PTH207 - patterns may be absolute
    if found:
        return found
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise NotFoundError(f"{what} {source} does not exist.", hint=near(path.name, beside))


def _format(paths: Sequence[Path], source: str | Path, what: str) -> str:
    formats = {_FORMATS.get(path.suffix.lower()) for path in paths}
    if None in formats:
        odd = next(path for path in paths if path.suffix.lower() not in _FORMATS)
        raise InvalidInputError(
            f"{what} {odd} is of no known format.", hint=f"known endings are {', '.join(_FORMATS)}."
        )
    if len(formats) > 1:
        raise InvalidInputError(
            f"{what} {source} matches files of several formats: {', '.join(sorted(map(str, formats)))}."
        )
    return str(formats.pop())


def unique(columns: Sequence[str], name: str) -> tuple[str, ...]:
    """Check that no two columns share a name.

    Raises:
        InvalidInputError: Two do.
    """
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise InvalidInputError(f"{name} has two columns named '{column}'.", hint="rename one.")
        seen.add(column)
    return tuple(columns)
