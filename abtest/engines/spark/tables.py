"""Rows that Spark reads: Parquet files, and whatever its catalogue or its other formats hold."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest.engines.spark.session import Session, Spark, quiet, told_as_ours
from abtest.errors import BackendError, InvalidInputError, NotFoundError
from abtest.loaders.datasets import DIGEST_DIGITS, Dataset, open_data, unique
from abtest.loaders.files import READERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

Frame: TypeAlias = Any  # pyspark.sql.DataFrame
Column: TypeAlias = Any  # pyspark.sql.Column

HEAD_ROWS = 10_000  # of a table may be looked at here; all others stay where they are
_DELTA, _NAMED = "delta:", "table:"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_TABLE = re.compile(r"[\w-]+(\.[\w-]+){0,2}")
_GLOB = re.compile(r"([\\*?{}\[\]])")
_ENDINGS = frozenset({".parquet", ".pq", ".csv", ".tsv", ".json", ".jsonl", ".ndjson"})  # of files, if missing ones
_READ = "files of Parquet, Delta, or a table"


class Table(Dataset):
    """Rows that only Spark reads."""

    def __init__(self, name: str, frame: Frame) -> None:
        self.name = name
        self.columns = unique(list(frame.columns), name)
        self.frame = frame

    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Yield the head of a table; that is enough to see what a column holds."""
        del types  # Spark knows them
        head = self.head(columns, HEAD_ROWS)
        yield from head.to_batches()
        if head.num_rows == HEAD_ROWS:
            raise InvalidInputError(f"{self.name} is read by Spark, not row by row.", hint="--engine spark")

    def head(self, columns: Sequence[str], rows: int) -> pa.Table:
        """Some first rows."""
        with told_as_ours(f"Spark could not read {self.name}"):
            return self.frame.select(*map(column, columns)).limit(rows).toArrow()

    def digest(self) -> str:
        """Name the content, in whatever order and parts it is stored."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

        # A hash alone skips what is null: (null, 1) and (1, null) would be one row.
        parts = [part for name in self.columns for part in (column(name), column(name).isNull())]
        hashes = [F.xxhash64(F.lit(seed), *parts).cast("decimal(20,0)") for seed in (0, 1)]
        with told_as_ours(f"Spark could not read {self.name}"):
            found = self.frame.agg(F.count(F.lit(1)), *[F.sum(one).cast("string") for one in hashes]).first()
        told = "\x1f".join([*self.columns, *map(str, found)])
        return hashlib.sha256(told.encode()).hexdigest()[:DIGEST_DIGITS]


def opened(source: Any, what: str, spark: Spark) -> Dataset:  # noqa: ANN401 - whatever may hold rows
    """Open files, a table or a Spark data frame.

    Raises:
        NotFoundError: There is neither such a file nor such a table.
        InvalidInputError: Spark does not read that, or it holds no columns.
    """
    if not isinstance(source, str | Path):
        with quiet():
            from pyspark.sql import DataFrame  # noqa: PLC0415 - an extra

        if isinstance(source, DataFrame):
            return Table("the Spark data frame", source)
        raise InvalidInputError(f"--engine spark reads {_READ}, got a data frame in memory.", hint="--engine local")
    text = str(source)
    path = Path(text).expanduser()
    if text.startswith(_DELTA) or (path / "_delta_log").is_dir():
        return Table(text, _delta(text.removeprefix(_DELTA), what, spark.session))
    if _SCHEME.match(text):
        with told_as_ours(f"Spark could not read {what} {text}"):
            return Table(text, spark.session.read.parquet(text))
    if text.startswith(_NAMED):
        return Table(text.removeprefix(_NAMED), _table(text.removeprefix(_NAMED), what, spark.session))
    if not path.exists() and path.suffix not in _ENDINGS and _TABLE.fullmatch(text):
        return Table(text, _table(text, what, spark.session))
    data = open_data(source, what)
    if not isinstance(data, READERS["parquet"]):
        raise InvalidInputError(f"--engine spark reads {_READ}, got {text}.", hint="--engine local reads it.")
    return data


def parts(data: Dataset, columns: Sequence[str], session: Session) -> list[Frame]:
    """The named columns as Spark's data frames, one for each set of types in which files hold them."""
    if isinstance(data, Table):
        return [data.frame.select(*map(column, columns))]
    import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

    found: dict[tuple[str, ...], list[str]] = {}
    data.check_types(columns)  # type: ignore[attr-defined] # what is no table is files of Parquet
    for path in data.paths:  # type: ignore[attr-defined] # see above
        schema = pq.read_schema(path)
        types = tuple(str(schema.field(name).type) for name in columns)
        found.setdefault(types, []).append("file://" + _GLOB.sub(r"\\\1", str(path.absolute())))
    with told_as_ours(f"Spark could not read {data.name}"):
        return [session.read.parquet(*paths).select(*map(column, columns)) for paths in found.values()]


def column(name: str) -> Column:
    """A column by its very name: a dot in it is no field of a structure."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

    return F.col("`" + name.replace("`", "``") + "`")


def _delta(path: str, what: str, session: Session) -> Frame:
    try:
        with told_as_ours(f"Spark could not read {what} {path} as a Delta table"):
            return session.read.format("delta").load(path)
    except BackendError as error:
        if "DATA_SOURCE_NOT_FOUND" in (told := str(error.__cause__)) or "ClassNotFound" in told:
            raise InvalidInputError(
                f"{what} {path} is a Delta table, and this Spark has no Delta package.",
                hint="start the session with it, or name it in spark-defaults.conf.",
            ) from error
        raise


def _table(name: str, what: str, session: Session) -> Frame:
    with told_as_ours(f"Spark could not look for {what} {name}"):
        if session.catalog.tableExists(name):
            return session.table(name)
    raise NotFoundError(f"{what} {name} is neither a file nor a table that Spark knows.")
