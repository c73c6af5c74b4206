"""A URL → connections and transactions of a database, and what it says as errors of ours."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

from abtest import wording
from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError, NotPermittedError, near

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT_URL = "sqlite:///abtest-live.db"
_BUSY_SECONDS = 10  # how long one waits for another who writes
_CONNECT_SECONDS = 10
_POSTGRES_DRIVERS = ("psycopg2", "psycopg")
_PAGES_KIB = 32 * 1024  # of SQLite's, kept in memory by each connection that needs them
_TOGETHER = 64  # rows of one INSERT into SQLite, which some builds allow 999 values
_MADE_BY = "'abtest serve' and 'abtest monitor track' make it."
_REFUSED = re.compile(r"authentication|no password supplied|role .* does not exist|permission denied")
_OWNERS = 0o600  # of a file with labels, and the key of unit ids; SQLite gives the same to what it puts beside it
_SQLITE_OURS = (11, 26)  # a damaged file, no SQLite file: trying later helps nobody


class Database:
    """Connections to one database, and transactions on it; to be made in the process that uses it.

    Args:
        url: As SQLAlchemy takes it.
        create: Whether a SQLite file may be made.

    Raises:
        InvalidInputError: The URL is none, or of a database that is not supported.
        NotFoundError: There is no such file, or no folder for it.
        BackendError: The database does not answer. So may every transaction.
    """

    def __init__(self, url: str, *, create: bool) -> None:
        spelled = _read(url)
        self.shown = _shown(spelled)
        self.is_sqlite = spelled.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _check_file(spelled, self.shown, create=create)
        self._engine = _engine(spelled)
        if self.is_sqlite and create:
            _make_private(spelled)

    def __str__(self) -> str:
        """The URL without its user and password."""
        return self.shown

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the database."""
        options: dict[str, Any] = (
            {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with self._transaction(options) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, lock: str | None = None) -> Iterator[sa.Connection]:
        """A transaction that writes; of those with the same lock one at a time, on SQLite of all."""
        with self._transaction({"abtest_writes": True}) as connection:
            if lock is not None:
                self.lock(connection, lock)
            yield connection

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Hold a lock until the transaction ends, after others who do; a writer of SQLite is alone anyway."""
        if not self.is_sqlite:
            number = zlib.crc32(f"abtest {name}".encode())
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def insert_new(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, all of the same columns; those whose key is there already change nothing."""
        if not self.is_sqlite and rows:
            connection.execute(self.insert(table).on_conflict_do_nothing(), rows)
            return
        # SQLite's driver lets other threads go before each statement and waits for them after it: where requests are
        # answered meanwhile, that costs more than the row, so that one statement inserts many.
        for start in range(0, len(rows), _TOGETHER):
            some = rows[start : start + _TOGETHER]
            values = tuple(value for row in some for value in row.values())
            connection.exec_driver_sql(_insert(table.name, tuple(some[0]), len(some)), values)

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that may be told what to do about a key that is there."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    @contextlib.contextmanager
    def _transaction(self, options: Mapping[str, Any]) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection, connection.execution_options(**options).begin():
                yield connection
        except exc.SQLAlchemyError as error:
            raise self._told(error) from error

    def log_ahead(self) -> None:
        """Put a SQLite file in WAL mode, in which readers and the one writer do not wait for each other.

        The file keeps it. SQLite does not wait for others when it turns a file, so that this does.
        """
        deadline = time.monotonic() + _BUSY_SECONDS
        while self.is_sqlite:
            try:
                with self._engine.connect() as connection:
                    raw: Any = connection.connection.dbapi_connection
                    raw.execute("PRAGMA journal_mode = WAL").close()
                    return
            except Exception as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise self._told(error) from error
            time.sleep(0.02)

    def _told(self, error: Exception) -> AbtestError:
        cause = getattr(error, "orig", None) or error
        said = wording.first_line(cause)
        if _REFUSED.search(said):
            return NotPermittedError(
                f"The database {self.shown} does not let us: {said}.",
                hint="check the user and the password in its URL.",
            )
        if getattr(cause, "sqlite_errorcode", None) in _SQLITE_OURS:
            return InvalidInputError(f"The store {self.shown} is no log of live traffic: {said}.")
        if isinstance(error, exc.DataError | exc.IntegrityError):  # of one row, which the log will never take
            return InvalidInputError(f"The log cannot hold a value: {said}.")
        hint = "is it up, and is this its address?"
        if self.is_sqlite:
            hint = "who else writes to it?" if "locked" in said else "may it be written, and is there room?"
        return BackendError(f"The database {self.shown} failed: {said}.", hint=hint)


@functools.lru_cache(maxsize=256)
def _insert(table: str, columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    rows = ", ".join([row] * count)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {rows} ON CONFLICT DO NOTHING"  # noqa: S608 - names of ours


def _read(url: str) -> sa.URL:
    """Read a URL, which may hold a password: no message here quotes it."""
    try:
        spelled = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise InvalidInputError(
            "store must be a database's URL.", hint=f"{DEFAULT_URL} or postgresql://user@host/name."
        ) from None
    if "@" in (spelled.host or ""):  # the rest of a password, which would be shown as the host
        raise InvalidInputError("store must name one host.", hint="an @ in a user or a password is written %40.")
    backend, _, driver = spelled.drivername.partition("+")
    backend = "postgresql" if backend == "postgres" else backend  # as some hosts write it
    if backend == "postgresql":
        installed = (name for name in _POSTGRES_DRIVERS if importlib.util.find_spec(name))
        return spelled.set(drivername=f"{backend}+{driver or next(installed, _POSTGRES_DRIVERS[0])}")
    if backend != "sqlite":
        raise InvalidInputError(
            f"store must be in SQLite or PostgreSQL, got {backend}.",
            hint=f"{DEFAULT_URL} or postgresql://user@host/name.",
        )
    return spelled


def _check_file(url: sa.URL, shown: str, *, create: bool) -> None:
    if url.database in (None, "", ":memory:"):
        raise InvalidInputError("store must name a file, got a database in memory.", hint=DEFAULT_URL)
    path = Path(str(url.database))
    if path.is_file():
        return
    if path.exists():
        raise InvalidInputError(f"store {shown} is no file.")
    if not path.parent.is_dir():
        raise NotFoundError(f"store {shown} cannot be made: there is no folder {path.parent}.")
    if not create:
        beside = (other.name for other in path.parent.iterdir() if other.is_file())
        meant = near(path.name, beside)
        raise NotFoundError(f"store {shown} does not exist.", hint=meant or _MADE_BY)


def _make_private(url: sa.URL) -> None:
    """Make a file that only its owner reads; one that is there stays as it is."""
    if "uri" in url.query:  # there the file is spelled otherwise
        return
    with contextlib.suppress(OSError):  # SQLite says so better
        os.close(os.open(str(url.database), os.O_CREAT | os.O_RDWR, _OWNERS))


def _engine(url: sa.URL) -> sa.Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    waits: dict[str, Any] = {"timeout": _BUSY_SECONDS} if is_sqlite else {"connect_timeout": _CONNECT_SECONDS}
    if is_sqlite:
        waits["check_same_thread"] = False  # the pool gives a connection to one thread at a time
    try:
        engine = sa.create_engine(
            url,
            connect_args={name: value for name, value in waits.items() if name not in url.query},
            poolclass=sa.QueuePool,
            pool_pre_ping=not is_sqlite,  # a server that went away and came back is found again
            pool_timeout=_BUSY_SECONDS,
            hide_parameters=True,  # no label and no feature in a message
            # Who has waited for a lock must see what was committed meanwhile, whatever the server's default.
            **({} if is_sqlite else {"isolation_level": "READ COMMITTED"}),
        )
    except (exc.ArgumentError, ImportError) as error:
        package = "psycopg2-binary" if url.get_backend_name() == "postgresql" else None
        raise InvalidInputError(
            f"store cannot be used: the driver {url.drivername} is not installed.",
            hint=f"pip install {package}." if package else None,
        ) from error
    if is_sqlite:
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", _begin)
    return engine


def _set_up(raw: Any, _: object) -> None:  # noqa: ANN401 - a driver's connection
    raw.isolation_level = None  # else Python's driver begins and commits by itself
    for pragma in ("synchronous = FULL", "foreign_keys = ON", f"cache_size = -{_PAGES_KIB}"):
        raw.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # Who will write says so at once: one that finds out later, that another has written since, could only give up.
    writes = connection.get_execution_options().get("abtest_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _shown(url: sa.URL) -> str:
    """A URL without credentials, which a query part may hold too."""
    return sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()
