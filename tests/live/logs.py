"""Logs for tests: rows, experiments, databases that go away and come back, and what is in one."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from abtest.live.experiment import Epoch, Experiment, State
from abtest.live.log import Logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def row(server: str, sequence: int, **fields: Any) -> Logged:
    """One prediction as it is logged."""
    told: dict[str, Any] = {"at": NOW.timestamp() + sequence, "arm": "champion", "served": True, "model_version": 1,
                            "prediction": "yes", "seconds": 0.001}  # fmt: skip
    return Logged(server=server, sequence=sequence, **{**told, **fields})


def experiment(**fields: Any) -> Experiment:
    """A split of model "fruit" by halves, version 2 against version 1."""
    told: dict[str, Any] = {"name": "exp-a", "model_name": "fruit", "mode": "split", "champion_version": 1,
                            "challenger_version": 2, "planned_n": 1000, "created_at": NOW,
                            "created_by": "tests"}  # fmt: skip
    return Experiment(**{**told, **fields})


def epoch(number: int = 1, **fields: Any) -> Epoch:
    """An epoch of it that runs and includes everybody."""
    told: dict[str, Any] = {"experiment": "exp-a", "state": State.RUNNING, "inclusion": 1.0, "began_at": NOW,
                            "by": "tests", "why": "tests"}  # fmt: skip
    return Epoch(number=number, **{**told, **fields})


def engine(url: str, **options: Any) -> sa.Engine:
    """An engine of the test's own."""
    return sa.create_engine(url, poolclass=NullPool, **options)


def sequences(url: str, server: str) -> list[int]:
    """The sequence numbers of a server that are in the log, sorted."""
    with engine(url).connect() as connection:
        rows = connection.execute(
            sa.text("SELECT sequence FROM abtest_predictions WHERE server = :server"), {"server": server}
        )
        return sorted(rows.scalars())


@contextlib.contextmanager
def away(url: str) -> Iterator[None]:
    """Have a database take nothing for a while: SQLite is locked by another; PostgreSQL cuts everybody off."""
    if url.startswith("sqlite"):
        with engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 30000")
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                connection.exec_driver_sql("ROLLBACK")
        return
    name = sa.make_url(url).database
    other = url.replace(f"/{name}?", "/postgres?")
    with engine(other, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        try:
            yield
        finally:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextlib.contextmanager
def hanging(url: str) -> Iterator[Callable[[], None]]:
    """Have a PostgreSQL keep everybody waiting who writes predictions, until it is let go."""
    with engine(url).connect() as connection:
        connection.exec_driver_sql("LOCK TABLE abtest_predictions IN ACCESS EXCLUSIVE MODE")
        yield connection.rollback
