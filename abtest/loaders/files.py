"""Files of labelled rows: CSV, Parquet and JSON Lines, one or several, each with a reader that says where it failed."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import BATCH_ROWS, DIGEST_DIGITS, Dataset, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_BLOCK_BYTES = 1 << 20  # of a CSV file: no row may be longer; Arrow reads up to 32 blocks ahead of the models
_BUFFER_BYTES = 1 << 17  # of each column of a Parquet file
_JSON_ROWS = 10_000  # at a time, and those whose keys are the columns
# What pandas.read_csv, with which most training data was read, takes for a missing value.
_MISSING_TEXT = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_RAGGED = re.compile(r"Expected \d+ columns, got \d+")
_CONVERSION = re.compile(r"In CSV column #(\d+): .*conversion error to ([\w\[\]]+): invalid value '(.*)'", re.DOTALL)


class _Files(Dataset):
    """One or several files of one format, read in the order of their names."""

    what: str

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self.name = name
        self.paths = paths
        for path in paths:
            if not path.stat().st_size:
                raise InvalidInputError(f"{path} is empty.")
        self.columns = unique(self.header(paths[0]), self.name)

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
            self._refuse_lacking(path, header, columns)
            with self.reading(path, columns, types):
                yield from self.read_file(path, columns, types)

    def _refuse_lacking(self, path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
        unique(header, str(path))
        lacking = next((column for column in columns if column not in header), None)
        if lacking is not None:
            raise InvalidInputError(f"{path} has no column '{lacking}', which {self.paths[0].name} has.")

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

    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        self.check_types(columns)
        yield from super().read(columns, types)

    def check_types(self, columns: Sequence[str]) -> None:
        """Find out that a file is damaged, or has other columns or types than the rest, before a row is read.

        Raises:
            InvalidInputError: It is, or has.
        """
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        seen: dict[str, tuple[Path, pa.DataType]] = {}
        for path in self.paths:
            with self.reading(path, (), {}):
                schema = pq.read_schema(path)
            self._refuse_lacking(path, schema.names, columns)
            for name in columns:
                kind = schema.field(name).type
                if pa.types.is_null(kind):
                    continue  # nothing in it is of another type
                first, known = seen.setdefault(name, (path, kind))
                if _family(kind) != _family(known):
                    raise InvalidInputError(
                        f"Column '{name}' of {path} is of type {kind}, and of type {known} in {first.name}.",
                        hint="write all files with one schema.",
                    )

    def read_file(
        self, path: Path, columns: Sequence[str], types: Mapping[str, pa.DataType]
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        # The file has types of its own; but text that is wanted by code need not be spelled out first.
        wanted = [name for name in columns if name in types and pa.types.is_dictionary(types[name])]
        schema = pq.read_schema(path)
        coded = [name for name in wanted if _family(schema.field(name).type) == "text"]  # Arrow knows no list by name
        # Without pre_buffer=False the whole compressed file stays in memory; without buffers, a whole row group.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES, read_dictionary=coded) as file:
            yield from file.iter_batches(columns=list(columns), batch_size=BATCH_ROWS)

    def row_count(self) -> int:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        total = 0
        for path in self.paths:
            with self.reading(path, (), {}):
                total += pq.read_metadata(path).num_rows
        return total


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Keep Python from printing what Arrow cannot raise: that a row it would tell of is no text."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = before


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

        with _unheard(), contextlib.suppress(pa.ArrowException), self._open(path, None, {}, keep) as reader:
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
        rows, last = 0, dict[str, str | None]()
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


def _family(kind: pa.DataType) -> str:
    """What types have in common between which nothing is lost: whole numbers, floats and decimals are numbers."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return "time" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else str(kind)


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


READERS: dict[str, type[_Files]] = {"csv": _Csv, "parquet": _Parquet, "json": _Json}
