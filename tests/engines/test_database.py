"""A database is read in one state of it and never written, and what it refuses is told without a password."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool, StaticPool

from abtest.engines import database
from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError, NotPermittedError
from abtest.workflow import compare_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.databases import Store

NAMES: dict[str, Any] = {"target": "y", "champion": "a", "challenger": "b", "resamples": 100}
SECRET = "p@ss/w:rd 100%"  # noqa: S105 - of a user of these tests
QUOTED = "p%40ss%2Fw%3Ard%20100%25"
ROWS = {"y": [0, 1, 1], "a": [0, 1, 0], "b": [0, 1, 1]}


# ---- One state, never written


def test_all_statements_see_the_same_rows(store: Store) -> None:
    """Rows that are committed between two of our statements are in neither."""
    if store.kind == "sqlite":
        store.run("PRAGMA journal_mode = WAL")  # else whoever writes would wait for us
    store.fill(ROWS)
    engine = store.engine
    with database.opened(engine if store.kind == "duckdb" else store.url, table="t") as relation:
        first = relation.grouped(["y"], most=10)[1]
        with engine.begin() as other:
            other.exec_driver_sql("INSERT INTO t VALUES (1, 1, 1)")
        assert relation.grouped(["y", "a"], most=10)[1] == [1, 1, 1]
        assert relation.grouped(["y"], most=10)[1] == first == [1, 2]
    with database.opened(store.url, table="t") as relation:
        assert relation.grouped(["y"], most=10)[1] == [1, 3]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM t", "DROP TABLE t", "INSERT INTO t VALUES (1, 1, 1)", "CREATE TABLE u (x INTEGER)"]
)
def test_the_database_itself_refuses_to_write(store: Store, statement: str) -> None:
    """Whatever statement came through to it, the database would not write; afterwards the engine may as before."""
    store.fill(ROWS)
    engine = store.engine
    with pytest.raises(AbtestError, match=r"(?i)read.?only"), database.connected(engine, "t") as connection:
        connection.exec_driver_sql(statement)
    store.run(statement)


def test_a_function_that_writes(postgresql: Store) -> None:
    """A SELECT that calls a function which writes is refused by the database."""
    postgresql.fill(ROWS)
    postgresql.run(
        "CREATE FUNCTION cleared() RETURNS int LANGUAGE sql AS 'DELETE FROM t; SELECT 1'",
    )
    with pytest.raises(
        InvalidInputError, match="The query cannot be read: cannot execute DELETE in a read-only transaction"
    ):
        compare_sql(postgresql.url, query="SELECT cleared(), * FROM t", **NAMES)
    assert compare_sql(postgresql.url, table="t", **NAMES).record.data.n == 3


def test_a_database_in_memory() -> None:
    """An engine of a database in memory is read; as a URL it would be another, empty one."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t AS SELECT 1 AS y, 1 AS a, 0 AS b")
    for _ in range(2):
        assert compare_sql(engine, table="t", **NAMES).record.data.path == "sqlite://, table t"
    engine.dispose()
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(InvalidInputError, match="sql-url must name a file, got a database in memory"):
            compare_sql(url, table="t", **NAMES)


def test_a_file_of_any_name(sqlite: Store) -> None:
    """A SQLite file is opened for reading whatever characters are in its name."""
    sqlite.fill(ROWS)
    path = Path("größe 100%?#.db")
    path.write_bytes(Path(sqlite.url.removeprefix("sqlite:///")).read_bytes())
    assert compare_sql(str(sa.URL.create("sqlite", database=str(path))), table="t", **NAMES).record.data.n == 3


# ---- What is refused


def test_urls_that_are_none() -> None:
    """A URL that is none, or of another database, is told without what it holds."""
    cases = {
        "predictions.db": "sql-url must be a database's URL. Hint: sqlite:///file.db, duckdb:///file.db or postgresql:",
        "postgresql://me:hunter2:3@host:x/db": "sql-url must be a database's URL.",
        "postgresql://me:x@hunter2@host/db": "sql-url must name one host. Hint: an @ in a user or a password",
        "mysql://me:hunter2@host/db": "sql-url must name SQLite, PostgreSQL or DuckDB, got mysql. Hint: of others",
        "sqlite:///nowhere.db": "sql-url sqlite:///nowhere.db does not exist.",
        "postgresql+nodriver://me:hunter2@host/db": "sql-url cannot be used: the driver postgresql+nodriver is not "
        "installed. Hint: pip install psycopg2-binary.",
    }
    for url, told in cases.items():
        with pytest.raises((InvalidInputError, NotFoundError)) as error:
            compare_sql(url, table="t", **NAMES)
        assert str(error.value).startswith(told)
        assert "hunter2" not in str(error.value)
    assert not Path("nowhere.db").exists()


def test_an_engine_of_another_database() -> None:
    """An engine of a database that we do not know how to read in one state is refused before it connects."""
    engine = sa.Engine(NullPool(lambda: None), mysql.dialect(), sa.make_url("mysql://"))  # type: ignore[arg-type] # it never connects
    with pytest.raises(InvalidInputError, match="sql-url must name SQLite, PostgreSQL or DuckDB, got mysql"):
        compare_sql(engine, table="t", **NAMES)


def test_files_that_are_no_database() -> None:
    """A file of another kind, or a damaged one, is told as that."""
    Path("rows.csv").write_text("y,a,b\n" * 200, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"cannot be read: file is not a database"):
        compare_sql("sqlite:///rows.csv", table="t", **NAMES)
    with sqlite3.connect("t.db") as connection:
        connection.execute("CREATE TABLE t (y, a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [("x" * 90, "x" * 90, "y" * 90)] * 900)
    connection.close()
    whole = Path("t.db").read_bytes()
    Path("t.db").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        (InvalidInputError, BackendError), match=r"Table t cannot be read: (database disk image is mal|disk I/O)"
    ):
        compare_sql("sqlite:///t.db", table="t", **NAMES)


def test_text_that_is_no_text(sqlite: Store) -> None:
    """Text in another encoding than UTF-8, which SQLite keeps as it is, is told as that: trying later mends nothing."""
    sqlite.fill(ROWS)
    sqlite.run("UPDATE t SET y = CAST(x'e9' AS TEXT)")
    with pytest.raises(InvalidInputError, match=r"^The database sqlite://.* cannot be read: Could not decode to UTF-8"):
        compare_sql(sqlite.url, table="t", **NAMES)


def test_a_duckdb_that_is_none(duckdb: Store) -> None:
    """A file that is no DuckDB database is told as that."""
    Path("no.db").write_text("y,a,b\n" * 2000, encoding="utf-8")
    with pytest.raises(BackendError, match=r"cannot be opened: .*not a valid DuckDB.* Hint: is it that kind of file"):
        compare_sql(duckdb.url.replace("duckdb.db", "no.db"), table="t", **NAMES)


def test_a_locked_database(sqlite: Store) -> None:
    """A database that another program keeps locked is to be tried later."""
    sqlite.fill(ROWS)
    other = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    engine = sa.create_engine(sqlite.url, connect_args={"timeout": 0.1}, poolclass=NullPool)
    try:
        with pytest.raises(BackendError, match=r"database is locked\. Hint: try again later"):
            compare_sql(engine, table="t", **NAMES)
    finally:
        other.close()


def test_a_server_that_is_not_there() -> None:
    """A server that does not answer is told at once, without user and password."""
    pytest.importorskip("psycopg2")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for scheme in ("postgresql", "postgres", "postgresql+psycopg2"):
        with pytest.raises(BackendError) as error:
            compare_sql(f"{scheme}://someone:{QUOTED}@127.0.0.1:{port}/db", table="t", **NAMES)
        assert f"127.0.0.1:{port}/db cannot be opened: " in str(error.value)
        assert all(part not in str(error.value) for part in (SECRET, QUOTED, "someone"))


@pytest.fixture
def guarded(postgresql: Store) -> Iterator[Store]:
    """A PostgreSQL that asks the user "reader" for a password; may_read is theirs, t is not."""
    with sa.create_engine(postgresql.url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as admin:
        rules = Path(str(admin.exec_driver_sql("SHOW hba_file").scalar()))
        before = rules.read_text(encoding="utf-8")
        rules.write_text(f"local all reader scram-sha-256\n{before}", encoding="utf-8")
        admin.exec_driver_sql("SELECT pg_reload_conf()")
        postgresql.fill(ROWS)
        postgresql.fill(ROWS, table="may_read")
        admin.exec_driver_sql(
            f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'", execution_options={"no_parameters": True}
        )
        admin.exec_driver_sql("GRANT SELECT ON may_read TO reader")
        yield postgresql
        admin.exec_driver_sql("DROP OWNED BY reader; DROP ROLE reader")
        rules.write_text(before, encoding="utf-8")
        admin.exec_driver_sql("SELECT pg_reload_conf()")


def test_passwords_and_permissions(guarded: Store) -> None:
    """Who has a password and may read, reads; a wrong one, and a table that is not theirs, are told as that."""
    url = guarded.url.replace("postgres:@", f"reader:{QUOTED}@")
    record = compare_sql(url, table="may_read", **NAMES).record
    assert record.data.n == 3
    assert all(part not in record.to_json() for part in (SECRET, QUOTED, "reader"))
    with pytest.raises(
        NotPermittedError, match=r"Table t cannot be read: permission denied for table t\. Hint: ask for GRANT"
    ):
        compare_sql(url, table="t", **NAMES)
    for wrong in ("reader:not-it@", "reader@", "stranger:x@"):
        with pytest.raises(
            NotPermittedError, match=r"lets nobody in: .*Hint: check the user and the password"
        ) as error:
            compare_sql(guarded.url.replace("postgres:@", wrong), table="may_read", **NAMES)
        assert "not-it" not in str(error.value)


def test_the_driver_that_is_there(postgresql: Store) -> None:
    """A URL that names no driver is opened with the one that is installed."""
    postgresql.fill(ROWS)
    for scheme in ("postgresql://", "postgres://"):
        url = postgresql.url.replace("postgresql+psycopg2://", scheme)
        assert compare_sql(url, table="t", **NAMES).record.data.n == 3


def test_what_a_failing_statement_says(postgresql: Store) -> None:
    """A value that a query cannot read is told in the database's own words, once it comes to it."""
    postgresql.fill({**ROWS, "y": ["0", "x", "1"]})
    with pytest.raises(InvalidInputError, match='The query cannot be read: invalid input syntax for type integer: "x"'):
        compare_sql(postgresql.url, query="SELECT y::int AS y, a, b FROM t", **NAMES)
    with pytest.raises(DatabaseError):
        postgresql.run("SELECT y::int FROM t")
