"""Laws of the tables: they are made once, and no other's are taken for ours."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from abtest.errors import InvalidInputError
from abtest.live.store import Store

if TYPE_CHECKING:
    from tests.databases import Store as Database

SPAWN = multiprocessing.get_context("spawn")


def _key(url: str) -> bytes:
    with Store(url) as log:
        return log.unit_key()


def test_processes_that_find_no_tables_make_them_once(url: str) -> None:
    """Of three processes that open an empty database at once, each finds the same log."""
    with SPAWN.Pool(3) as processes:
        keys = processes.map(_key, [url] * 3, chunksize=1)
    assert len(keys[0]) == 32
    assert keys == [_key(url)] * 3


def test_two_logs_have_two_keys(url: str, sqlite: Database) -> None:
    """The key that hides unit ids is drawn at random for each log."""
    assert _key(url) != _key(sqlite.url)


def test_a_database_without_a_log_is_refused_unless_it_may_be_made(sqlite: Database) -> None:
    """Who only reads makes no tables, and changes nothing of another's database."""
    with pytest.raises(InvalidInputError, match=r"holds no log of live traffic\. Hint: 'abtest serve'"):
        Store(sqlite.url, create=False)
    with sqlite.engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["bare"]
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"


def test_a_log_of_another_version_is_refused(url: str) -> None:
    """A log that another abtest made is named by its version, and not touched."""
    Store(url).close()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE abtest_meta SET value = '7' WHERE name = 'schema version'")
    with pytest.raises(InvalidInputError, match="has schema version 7; this abtest reads version 1"):
        Store(url)


def test_tables_that_only_look_like_ours_are_refused(sqlite: Database) -> None:
    """A database with one of our names but no log is somebody else's."""
    sqlite.run("CREATE TABLE abtest_servers (x INTEGER)")
    with pytest.raises(InvalidInputError, match="has a table abtest_servers, but holds no log"):
        Store(sqlite.url)


def test_a_log_lives_beside_other_tables(sqlite: Database) -> None:
    """What else is in a database stays as it is."""
    assert _key(sqlite.url) == _key(sqlite.url)
    with sqlite.engine.connect() as connection:
        assert "bare" in sa.inspect(connection).get_table_names()
