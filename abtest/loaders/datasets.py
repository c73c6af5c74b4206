"""Labelled rows: CSV, Parquet, JSON Lines and data frames, as Arrow batches, never whole.

A text format has no types of its own: its columns are read as the models' signatures say, and its labels as text, to be
reconciled with the predictions. What an Arrow column holds is cast where nothing is lost, or refused with its row.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import json
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError, NotFoundError, near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

BATCH_ROWS = 50_000
_BLOCK_BYTES = 1 << 20  # of a CSV file: no row may be longer; Arrow reads up to 32 blocks ahead of the models
_JSON_ROWS = 10_000  # at a time, and those whose keys are the columns
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
# What pandas.read_csv, with which most training data was read, takes for a missing value.
_MISSING_TEXT = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_RAGGED = re.compile(r"Expected \d+ columns, got \d+")
_CONVERSION = re.compile(r"In CSV column #(\d+): .*conversion error to ([\w\[\]]+): invalid value '(.*)'", re.DOTALL)


class Dataset(ABC):
    """Labelled rows that can be read in batches, any number of times."""

    name: str
    columns: tuple[str, ...]
    is_text: bool = False

    @abstractmethod
    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Yield the named columns in batches of any size; a text format reads them as ``types`` says."""

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

    def missing(self, column: str, what: str = "column") -> InvalidInputError:
        """Say that a column is not there, and what is."""
        listed = ", ".join(self.columns[:8]) + (f" and {len(self.columns) - 8} more" if self.columns[8:] else "")
        return InvalidInputError(
            f"{self.name} has no {what} '{column}'.", hint=near(column, self.columns) or f"its columns are {listed}."
        )


def open_data(source: str | Path | pd.DataFrame) -> Dataset:
    """Open a file, a folder of Parquet files, a glob, or a data frame.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is empty, not of a known format, or damaged.
    """
    if isinstance(source, str | Path):
        paths = _paths(str(source))
        dataset: _Files = _READERS[_format(paths, source)](str(source), paths)
    else:
        return _Frame(source)
    return dataset


class _Frame(Dataset):
    def __init__(self, frame: pd.DataFrame) -> None:
        self.name = "the data frame"
        self.columns = _unique([str(column) for column in frame.columns], self.name)
        self._frame = frame.set_axis(list(self.columns), axis=1)
        if not len(frame):
            raise InvalidInputError(f"{self.name} holds no rows.")

    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        del types  # the frame has its own; models cast what they are given
        for start in range(0, len(self._frame), BATCH_ROWS):
            part = self._frame.iloc[start : start + BATCH_ROWS][list(columns)]
            try:
                yield pa.RecordBatch.from_pandas(part, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise InvalidInputError(f"{self.name} has a column of mixed types: {error}.") from error

    def digest(self) -> str:
        from pandas.util import hash_pandas_object  # noqa: PLC0415 - only a data frame needs pandas here

        digest = hashlib.sha256("\x1f".join(self.columns).encode())
        for start in range(0, len(self._frame), BATCH_ROWS):
            rows = hash_pandas_object(self._frame.iloc[start : start + BATCH_ROWS], index=False)
            digest.update(rows.to_numpy().tobytes())
        return digest.hexdigest()[:DIGEST_DIGITS]

    def row_count(self) -> int:
        return len(self._frame)


class _Files(Dataset):
    """One or several files of one format, read in the order of their names."""

    what: str

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self.name = name
        self.paths = paths
        for path in paths:
            if not path.stat().st_size:
                raise InvalidInputError(f"{path} is empty.")
        self.columns = _unique(self.header(paths[0]), self.name)

    @abstractmethod
    def header(self, path: Path) -> Sequence[str]:
        """Column names of one file."""

    @abstractmethod
    def read_file(
        self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the named columns of one file."""

    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        for path in self.paths:
            header = self.columns if path == self.paths[0] else self.header(path)
            lacking = next((column for column in columns if column not in header), None)
            if lacking is not None:
                raise InvalidInputError(f"{path} has no column '{lacking}', which {self.paths[0].name} has.")
            with self.reading(path, columns, types):
                yield from self.read_file(path, columns, types)

    @contextlib.contextmanager
    def reading(self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[None]:
        """Turn Arrow's failures into ours."""
        del columns, types
        try:
            yield
        except (pa.ArrowException, OSError, EOFError, KeyError, UnicodeDecodeError) as error:
            raise self.unreadable(path, error) from error

    def unreadable(self, path: Path, error: BaseException) -> InvalidInputError:
        return InvalidInputError(
            f"{path} cannot be read as {self.what}: {wording.first_line(error)}.",
            hint="was it written completely, and in this format?",
        )

    def digest(self) -> str:
        digest = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()[:DIGEST_DIGITS]


class _Parquet(_Files):
    what = "Parquet"

    def header(self, path: Path) -> Sequence[str]:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        with self.reading(path, (), {}):
            return [str(name) for name in pq.read_schema(path).names]

    def read_file(
        self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        del types  # the file has its own
        # Without pre_buffer=False the whole compressed file stays in memory.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(columns=list(columns), batch_size=BATCH_ROWS)

    def row_count(self) -> int:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        total = 0
        for path in self.paths:
            with self.reading(path, (), {}):
                total += pq.read_metadata(path).num_rows
        return total


class _Csv(_Files):
    what = "CSV"
    is_text = True

    def header(self, path: Path) -> Sequence[str]:
        with self.reading(path, (), {}), self._open(path, None, {}) as reader:
            return [str(name) for name in reader.schema.names]

    def read_file(
        self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]
    ) -> Iterator[pa.RecordBatch]:
        self._refuse_open_quote(path)
        with self._open(path, columns, types) as reader:
            for field in reader.schema:
                if pa.types.is_binary(field.type) and field.name not in types:  # what Arrow takes other encodings for
                    raise InvalidInputError(
                        f"Column '{field.name}' of {path} is not UTF-8 text.", hint="save the file as UTF-8."
                    )
            yield from reader

    def _open(
        self,
        path: Path,
        columns: Sequence[str] | None,
        types: Mapping[str, pa.DataType],
        ragged: Callable[[Any], str] | None = None,
    ) -> Any:  # noqa: ANN401 - Arrow ships no types
        from pyarrow import csv  # noqa: PLC0415 - only CSV files need it

        return csv.open_csv(
            path,
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=ragged is None),
            parse_options=csv.ParseOptions(
                delimiter="\t" if path.suffix.lower() == ".tsv" else ",",
                newlines_in_values=True,
                invalid_row_handler=ragged,
            ),
            convert_options=csv.ConvertOptions(
                include_columns=columns, column_types=dict(types), null_values=_MISSING_TEXT, strings_can_be_null=True
            ),
        )

    @contextlib.contextmanager
    def reading(self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[None]:
        try:
            with super().reading(path, columns, types):
                yield
        except InvalidInputError as error:
            cause = str(error.__cause__)
            if "Empty CSV file or block" in cause:
                raise InvalidInputError(f"{path} holds no rows.") from error.__cause__
            if "straddles two block boundaries" in cause:
                raise InvalidInputError(
                    f"{path} has a row longer than {wording.whole(_BLOCK_BYTES)} bytes.", hint="is a quote left open?"
                ) from error.__cause__
            if _RAGGED.search(cause):
                raise self._ragged(path, error) from error.__cause__
            if match := _CONVERSION.search(cause):
                column = self.header(path)[int(match[1])]
                raise self._unparsable(path, column, match[2], match[3], typed=column in types) from error.__cause__
            raise

    def _unparsable(self, path: Path, column: str, kind: str, value: str, *, typed: bool) -> InvalidInputError:
        row = self._row_of(path, column, value)
        return InvalidInputError(
            f"Column '{column}' of {path} must be {kind}, got {value!r}"
            + (f" in row {wording.whole(row)}." if row else "."),
            hint="mend the value, or log the model with the type the column has."
            if typed
            else "log the models with a signature: without one a column's type is guessed from its first rows.",
        )

    def _ragged(self, path: Path, error: InvalidInputError) -> InvalidInputError:
        """Find the first row of another length; a second look is cheap beside an error without a place."""
        found: list[Any] = []

        def keep(row: Any) -> str:  # noqa: ANN401 - Arrow ships no types
            found.append(row)
            return "skip" if len(found) == 1 else "error"

        with contextlib.suppress(pa.ArrowException), self._open(path, None, {}, keep) as reader:
            for _ in reader:
                if found:
                    break
        if not found:
            return error
        row = found[0]
        return InvalidInputError(
            f"Row {wording.whole(row.number - 1)} of {path} has {wording.plural(row.actual_columns, 'value')} "
            f"where the header names {wording.plural(row.expected_columns, 'column')}.",
            hint="quote values that hold the delimiter, or mend the row.",
        )

    def _refuse_open_quote(self, path: Path) -> None:
        """A quote that is never closed swallows every row after it, and Arrow says nothing."""
        with path.open("rb") as stream:
            quotes = sum(block.count(b'"') for block in iter(lambda: stream.read(1 << 20), b""))
        if quotes % 2 == 0:
            return  # else it may still be an inch sign
        rows, last = 0, {}
        with self._open(path, None, dict.fromkeys(self.header(path), pa.string())) as reader:
            for batch in reader:
                rows += batch.num_rows
                last = batch.slice(batch.num_rows - 1).to_pylist()[0] if batch.num_rows else last
        swallowed = next((column for column, value in last.items() if "\n" in (value or "")), None)
        if swallowed is not None:
            raise InvalidInputError(
                f"{path} leaves a quote open: '{swallowed}' of row {wording.whole(rows)} is the rest of the file.",
                hint="close the quote, or double it.",
            )

    def _row_of(self, path: Path, column: str, value: str) -> int | None:
        """Find the first row with this text; a second look is cheap beside an error without a place."""
        start = 1
        with self._open(path, [column], {column: pa.string()}) as reader:
            for batch in reader:
                index = pc.index(pc.utf8_trim_whitespace(batch.column(0)), value.strip()).as_py()
                if index >= 0:
                    return start + int(index)
                start += batch.num_rows
        return None


class _Json(_Files):
    """One object a line; a key that a line lacks is a missing value there."""

    what = "JSON Lines"

    def header(self, path: Path) -> Sequence[str]:
        with self.reading(path, (), {}):
            return list(dict.fromkeys(key for row in next(self._blocks(path), []) for key in row))

    def missing(self, column: str, what: str = "column") -> InvalidInputError:
        error = super().missing(column, what)
        rows = wording.whole(_JSON_ROWS)
        return InvalidInputError(error.message, hint=f"{error.hint} A key must appear in the first {rows} lines.")

    def read_file(
        self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]
    ) -> Iterator[pa.RecordBatch]:
        del types  # each value has its own
        first = 1
        for block in self._blocks(path):
            arrays = [_json_column(path, [row.get(name) for row in block], name, first) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
            first += len(block)

    def _blocks(self, path: Path) -> Iterator[list[dict[str, Any]]]:
        # Arrow's own reader takes its columns and their types from the first megabyte, and fails on others later.
        with path.open(encoding="utf-8-sig") as stream:
            lines = ((number, line) for number, line in enumerate(stream, start=1) if not line.isspace())
            while block := [self._row(path, *line) for line in itertools.islice(lines, _JSON_ROWS)]:
                yield block

    def _row(self, path: Path, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InvalidInputError(
                f"Line {wording.whole(number)} of {path} is not JSON: {error.msg}.",
                hint="each line must be one JSON object.",
            ) from error
        if not isinstance(row, dict):
            raise InvalidInputError(
                f"Line {wording.whole(number)} of {path} must be a JSON object, got {type(row).__name__}.",
                hint="each line must be one JSON object.",
            )
        return row


def _json_column(path: Path, values: list[Any], name: str, first_row: int) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        kind = next((type(value) for value in values if value is not None), object)
        number = (int, float)
        at = next(
            (i for i, value in enumerate(values)
             if value is not None and type(value) is not kind and not (type(value) in number and kind in number)),
            0,
        )  # fmt: skip
    raise InvalidInputError(
        f"Column '{name}' of {path} is {kind.__name__} at first, got {str(values[at])[:40]!r} "
        f"in row {wording.whole(first_row + at)}.",
        hint="give the column one type.",
    )


_READERS: dict[str, type[_Files]] = {"csv": _Csv, "parquet": _Parquet, "json": _Json}


def label_array(column: pa.Array, name: str) -> npt.NDArray[Any]:
    """Turn a column without missing values into an array of labels.

    Raises:
        InvalidInputError: The column's type holds no class labels.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if not (_is_text(kind) or pa.types.is_boolean(kind)
            or pa.types.is_integer(kind) or pa.types.is_floating(kind)):  # fmt: skip
        raise InvalidInputError(
            f"Target '{name}' is of type {kind}, which holds no class labels.", hint="map it to text."
        )
    return np.asarray(column.to_numpy(zero_copy_only=False))


def labelled(column: pa.Array) -> pa.Array:
    """Say for each row whether it has a label: neither null nor NaN."""
    return pc.invert(pc.is_null(column, nan_is_null=True))


def cast_column(column: pa.Array, kind: pa.DataType, name: str, rows: npt.NDArray[np.int64]) -> pa.Array:
    """Cast a column where nothing is lost; doubles may be rounded to 32 bits, as reading them from text would.

    Args:
        column: Its values.
        kind: The type wanted.
        name: For the message.
        rows: The values' row numbers in the data, for the message; shape (rows,).

    Raises:
        InvalidInputError: A value has no exact counterpart of the type; the message has its row.
    """
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type) and not _is_text(kind):
        column = pc.utf8_trim_whitespace(column)
    try:
        return _exactly(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        at = _first_uncastable(column, kind)
    raise InvalidInputError(
        f"Column '{name}' must be {kind}, got {column[at].as_py()!r} in row {wording.whole(int(rows[at]))}.",
        hint="mend the value, or log the model with the type the column has.",
    ) from None


def is_same_kind(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether two types hold the same values, differently stored: categories and text of any width."""
    if pa.types.is_dictionary(one):
        one = one.value_type
    return bool(one == other or (_is_text(one) and _is_text(other)))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _exactly(column: pa.Array, kind: pa.DataType) -> pa.Array:
    cast = pc.cast(column, kind)
    if pa.types.is_boolean(kind) and not _is_text(column.type):  # to Arrow every number but 0 is true
        changed = pc.not_equal(pc.cast(cast, column.type), column)
        if pc.any(changed).as_py():
            raise pa.ArrowInvalid("0 and 1 alone are booleans")
    return cast


def _first_uncastable(column: pa.Array, kind: pa.DataType) -> int:
    low, high = 0, len(column)  # the first failing prefix ends at the offender
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _exactly(column.slice(0, middle), kind)
            low = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
    return low


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


def _paths(source: str) -> list[Path]:
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
            raise NotFoundError(f"test-data {source} is a folder without Parquet files.", hint="name a file or a glob.")
        return found
    found = sorted(Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file())  # noqa: PTH207 - patterns may be absolute
    if found:
        return found
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise NotFoundError(f"test-data {source} does not exist.", hint=near(path.name, beside))


def _format(paths: Sequence[Path], source: str | Path) -> str:
    formats = {_FORMATS.get(path.suffix.lower()) for path in paths}
    if None in formats:
        odd = next(path for path in paths if path.suffix.lower() not in _FORMATS)
        raise InvalidInputError(
            f"test-data {odd} is of no known format.", hint=f"known endings are {', '.join(_FORMATS)}."
        )
    if len(formats) > 1:
        raise InvalidInputError(
            f"test-data {source} matches files of several formats: {', '.join(sorted(map(str, formats)))}."
        )
    return str(formats.pop())


def _unique(columns: Sequence[str], name: str) -> tuple[str, ...]:
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise InvalidInputError(f"{name} has two columns named '{column}'.", hint="rename one.")
        seen.add(column)
    return tuple(columns)
