"""One table or query of a database, read by its own GROUP BY: read-only, and all from one state of it."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import NullPool

from abtest import wording
from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError, NotPermittedError, near
from abtest.loaders.datasets import Named, unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Source: TypeAlias = "str | sa.Engine"

_CONNECT_SECONDS = 10
_LONGEST_QUERY = 200  # characters of it that are shown
_DIALECTS = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "duckdb": "DuckDB"}
_POSTGRES_DRIVERS = ("psycopg", "psycopg2")
_SELECTS = ("select", "with", "values", "from", "table")
# By a column's collation 'a' may be 'A', and they would be counted as one; by these it never is.
_COLLATIONS = {"sqlite": "BINARY", "postgresql": "C", "duckdb": "C"}
# PostgreSQL's own numbers of its types: text, varchar, char(n), name. From 16384 on types are users': enums, citext.
_PADDED, _POSTGRES_TEXT, _USERS_TYPES = 1042, (25, 1043, 1042, 19), 16384
_DUCKDB_TEXT = ("VARCHAR", "STRING")
_SQLITE_OURS = (1, 11, 26)  # an error in the statement, a damaged file, no SQLite file: trying later helps nobody


class Relation(Named):
    """A table, or what a query gives, in a transaction that sees one state of it.

    Attributes:
        name: What it is called in messages.
        path: Where it is, without credentials.
        columns: Its columns, in order.
    """

    def __init__(self, connection: sa.Connection, rows: sa.FromClause | sa.TextClause, name: str, path: str) -> None:
        self.name, self.path = name, path
        self._connection, self._rows = connection, rows
        result = self._run(sa.select(sa.text("*")).select_from(rows).limit(0))
        described = result.cursor.description
        self.columns = unique([str(column[0]) for column in described], name)
        self._types: dict[str, Any] = {column[0]: column[1] for column in described}

    def distinct(self, column: str, *, most: int) -> pa.Array:
        """Distinct values of a column, at most so many."""
        wanted = self._spelled(column)
        return self._array(column, [row[0] for row in self._run(self._select(wanted).distinct().limit(most))])

    def grouped(self, columns: Sequence[str], *, most: int) -> tuple[pa.RecordBatch, list[int]]:
        """Each combination of values once, in order, and how many rows have it; at most so many combinations."""
        wanted = [self._spelled(column) for column in columns]
        statement = self._select(*wanted, sa.func.count()).group_by(*wanted).order_by(*wanted).limit(most)
        rows = self._run(statement).all()
        arrays = [self._array(name, [row[at] for row in rows]) for at, name in enumerate(columns)]
        return pa.RecordBatch.from_arrays(arrays, names=list(columns)), [int(row[-1]) for row in rows]

    def _select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return sa.select(*columns).select_from(self._rows)

    def _spelled(self, name: str) -> sa.ColumnElement[Any]:
        """A column by its exact name, its text told apart letter by letter."""
        column: sa.ColumnElement[Any] = sa.column(sa.quoted_name(name, quote=True))
        dialect, kind = self._connection.dialect.name, self._types[name]
        is_text, is_users = dialect == "sqlite" or str(kind) in _DUCKDB_TEXT, False
        if dialect == "postgresql":
            is_text, is_users = kind in _POSTGRES_TEXT, kind >= _USERS_TYPES
        if is_users:
            column = sa.cast(column, sa.Text)
        return sa.collate(column, _COLLATIONS[dialect]) if is_text or is_users else column

    def _array(self, name: str, values: Sequence[Any]) -> pa.Array:
        if self._connection.dialect.name == "postgresql" and self._types[name] == _PADDED:
            values = [
                value if value is None else value.rstrip(" ") for value in values
            ]  # char(8) pads 'cat' with blanks
        if any(isinstance(value, Decimal) for value in values):
            values = _numbers(values)
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError, TypeError):
            kinds = sorted({type(value).__name__ for value in values if value is not None})
            raise InvalidInputError(
                f"Column '{name}' of {self.name} holds {' and '.join(kinds)}, which are no labels of one type.",
                hint="CAST it to one type in a query.",
            ) from None

    def _run(self, statement: sa.Select[Any]) -> sa.CursorResult[Any]:
        try:
            return self._connection.execute(statement)
        except exc.SQLAlchemyError as error:
            raise _refusal(error, self.name) from error


@contextlib.contextmanager
def opened(source: Source, *, table: str | None = None, query: str | None = None) -> Iterator[Relation]:
    """Open a table or a query, for reading only.

    Args:
        source: A URL as SQLAlchemy takes it, or an engine of SQLAlchemy.
        table: ``name`` or ``schema.name``; a part that holds a dot is written in double quotes.
        query: One SELECT.

    Raises:
        InvalidInputError: The source, the table's name or the query is none.
        NotFoundError: There is no such file or table.
        NotPermittedError: The database lets nobody in who is called so, or does not let them read.
        BackendError: The database does not answer.
    """
    if not isinstance(source, str | sa.Engine):
        raise InvalidInputError(
            f"database must be a URL or an engine of SQLAlchemy, got {type(source).__name__}.",
            hint="create_engine(url) makes one.",
        )
    if (table is None) == (query is None):
        got = "neither" if table is None else "both"
        raise InvalidInputError(
            f"Either table or query must say what to read, got {got}.", hint="a table has a name, a query is a SELECT."
        )
    names = _parts(table) if table is not None else ()
    rows: sa.FromClause | sa.TextClause = (
        sa.table(names[-1], schema=names[0] if names[1:] else None) if query is None else _subquery(query)
    )
    engine = _engine(source) if isinstance(source, str) else source
    if engine.dialect.name not in _DIALECTS:
        raise _unknown(engine.dialect.name)
    shown = _shown(engine.url) if engine is source else _shown(sa.make_url(str(source)))
    name = "the query" if query is not None else f"table {table}"
    path = f"{shown}, {name if query is None else f'query {_short(query)}'}"
    with connected(engine, shown) as connection:
        try:
            relation = Relation(connection, rows, name, path)
        except AbtestError as error:
            connection.rollback()
            raise _no_table(connection, names, shown) or error from error.__cause__
        yield relation


def _subquery(query: str) -> sa.TextClause:
    """A query as a part of ours; the database refuses what is no SELECT there."""
    plain = query.strip().removesuffix(";").rstrip()
    first = re.match(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(\w*)", plain, re.DOTALL)
    word = first[1] if first else ""
    if word.lower() not in _SELECTS:
        raise InvalidInputError(
            f"query must be a SELECT, got {word.upper() or repr(query)}.", hint="nothing is ever written."
        )
    if ";" in plain:  # drivers that take several statements at once take none of them for a part of ours
        raise InvalidInputError(
            "query must be one SELECT without a semicolon.", hint="for a text that holds one, create a view."
        )
    # To SQLAlchemy a colon begins a parameter; the line's end ends a comment.
    return sa.text("({}\n) AS abtest_rows".format(plain.replace(":", r"\:")))


def _parts(table: str) -> tuple[sa.quoted_name, ...]:
    """Read ``name`` or ``schema.name``, each perhaps in double quotes, to be quoted whatever it is.

    Example:
        >>> _parts('sales."old.table"')
        ('sales', 'old.table')
    """
    part = r'"(?:[^"]|"")+"|[^".]+'
    if not re.fullmatch(rf"(?:{part})(?:\.(?:{part}))?", table):
        raise InvalidInputError(
            f"table must be a name, or schema.name, got {table!r}.",
            hint='a name that holds a dot is written "in quotes".',
        )
    found = (text[1:-1].replace('""', '"') if text[0] == '"' else text for text in re.findall(part, table))
    return tuple(sa.quoted_name(text, quote=True) for text in found)


def _engine(text: str) -> sa.Engine:
    """An engine for a URL, which may hold a password: no message here quotes it."""
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise InvalidInputError(
            "sql-url must be a database's URL.",
            hint="sqlite:///file.db, duckdb:///file.db or postgresql://user@host/name.",
        ) from None
    if "@" in (url.host or ""):  # the rest of a password, which would be shown as the host
        raise InvalidInputError("sql-url must name one host.", hint="an @ in a user or a password is written %40.")
    backend, _, driver = url.drivername.partition("+")
    backend = "postgresql" if backend == "postgres" else backend  # as some hosts write it
    if backend not in _DIALECTS:
        raise _unknown(backend)
    waits: dict[str, Any] = {}
    if backend == "postgresql":
        installed = (name for name in _POSTGRES_DRIVERS if importlib.util.find_spec(name))
        url = url.set(drivername=f"{backend}+{driver or next(installed, _POSTGRES_DRIVERS[-1])}")
        waits = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    else:
        path = _file(url)
        if backend == "sqlite":
            url = sa.URL.create("sqlite", database=path.resolve().as_uri(), query={"mode": "ro", "uri": "true"})
        else:
            waits = {"read_only": True}
    try:
        return sa.create_engine(url, connect_args=waits, poolclass=NullPool)
    except (exc.ArgumentError, ImportError) as error:
        package = {"duckdb": "'mlflow-abtest[duckdb]'", "postgresql": "psycopg2-binary"}.get(backend)
        raise InvalidInputError(
            f"sql-url cannot be used: the driver {url.drivername} is not installed.",
            hint=f"pip install {package}." if package else None,
        ) from error


def _file(url: sa.URL) -> Path:
    """The file of a database in one; its driver would make the one it does not find."""
    if url.database in (None, "", ":memory:"):
        raise InvalidInputError(
            "sql-url must name a file, got a database in memory.", hint=f"{url.drivername}:///file.db"
        )
    path = Path(str(url.database))
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFoundError(f"sql-url {_shown(url)} does not exist.", hint=near(path.name, beside))
    return path


@contextlib.contextmanager
def connected(engine: sa.Engine, shown: str) -> Iterator[sa.Connection]:
    """Connect, and begin what reads one state and writes nothing: the database sees to both."""
    dialect = engine.dialect.name
    try:
        connection = engine.connect()
    except exc.SQLAlchemyError as error:
        raise _unreachable(error, shown, dialect) from error
    try:
        if dialect == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
            raw: Any = connection.connection.dbapi_connection
            if not raw.in_transaction:
                connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("ROLLBACK")  # of what SQLAlchemy has begun
            connection.exec_driver_sql("BEGIN TRANSACTION READ ONLY")
        yield connection
    except exc.SQLAlchemyError as error:
        raise _refusal(error, f"the database {shown}") from error
    finally:
        with contextlib.suppress(exc.SQLAlchemyError):  # what went wrong has been told
            connection.rollback()
            if dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = OFF")
        connection.close()


def _numbers(values: Sequence[Any]) -> list[int | float | None]:
    """Decimals as whole numbers if they all are, as NUMERIC(5, 0) and SUM() have them; else as floats."""
    known = [value for value in values if value is not None]
    whole = all(isinstance(value, int) or (value.is_finite() and value == int(value)) for value in known)
    return [None if value is None else int(value) if whole else float(value) for value in values]


def _shown(url: sa.URL) -> str:
    """A URL without credentials, which a query part may hold too."""
    return sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def _short(query: str) -> str:
    line = wording.redacted(" ".join(query.split()))
    return line if len(line) <= _LONGEST_QUERY else f"{line[:_LONGEST_QUERY]} …"


def _unknown(backend: str) -> InvalidInputError:
    return InvalidInputError(
        f"sql-url must name {', '.join([*_DIALECTS.values()][:-1])} or {[*_DIALECTS.values()][-1]}, got {backend}.",
        hint="of others it is not known how to read one state of them and write nothing; export Parquet.",
    )


def _unreachable(error: exc.SQLAlchemyError, shown: str, dialect: str) -> AbtestError:
    said = wording.first_line(getattr(error, "orig", None) or error)
    if re.search(r"authentication|role .* does not exist|no password supplied", said):
        return NotPermittedError(
            f"The database {shown} lets nobody in: {said}.", hint="check the user and the password in ABTEST_SQL_URL."
        )
    is_server = dialect == "postgresql"
    return BackendError(
        f"The database {shown} cannot be opened: {said}.",
        hint="is it up, and is this its address?"
        if is_server
        else "is it that kind of file, and does nobody write to it?",
    )


def _refusal(error: exc.SQLAlchemyError, name: str) -> AbtestError:
    """What a database says of a statement, as an error of ours."""
    cause = getattr(error, "orig", None) or error
    said = f"{name[:1].upper()}{name[1:]} cannot be read: {wording.first_line(cause)}."
    if getattr(cause, "sqlstate", getattr(cause, "pgcode", None)) == "42501":
        return NotPermittedError(said, hint="ask for GRANT SELECT on it.")
    if "Could not decode to UTF-8" in said:  # SQLite keeps any bytes as text
        return InvalidInputError(said, hint="store the column's text as UTF-8.")
    code = getattr(cause, "sqlite_errorcode", None)
    if code not in (None, *_SQLITE_OURS) or (code is None and isinstance(error, exc.OperationalError)):
        return BackendError(said, hint="try again later.")
    return InvalidInputError(said)


def _no_table(connection: sa.Connection, names: Sequence[str], shown: str) -> NotFoundError | None:
    """Say that a table is not there, and which ones are, once reading it has failed."""
    if not names:
        return None
    schema = names[0] if names[1:] else None
    try:
        inspector = sa.inspect(connection)
        known = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    except exc.SQLAlchemyError:
        return None
    if names[-1] in known:
        return None
    listed = f"its tables are {', '.join(sorted(known)[:8])}." if known else "it has no tables."
    return NotFoundError(f"The database {shown} has no table {'.'.join(names)}.", hint=near(names[-1], known) or listed)
