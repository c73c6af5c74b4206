"""What does watching cost: a file that is tracked, and a report over a hundred million rows?

A Parquet file of ten classes and twenty shops over thirty days is tracked into a fresh SQLite store: tallied by hour,
by shop, by truth and by prediction. Beside it stands pandas, which reads the same columns and groups them by hand, and
keeps nothing. With features, those are sketched by day too, which the rival leaves out. Then a report over thirty days
of tallies, with intervals by day, a baseline, tests over all shops, and drift of twenty features: of a hundred million
rows beside ten thousand, as windows are sums. Peak memory is that of whole processes, of ten times the rows beside the
fewer.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from abtest.live.store import Store
from abtest.live.tracked import Batch
from abtest.monitoring.how import Watch
from abtest.monitoring.tracking import track
from abtest.monitoring.watching import watch
from abtest.outcomes import PairedOutcomes
from abtest.stats.sketches import Numbers
from abtest.windows import Bucket, Sketched, Tallied
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, processes, record

Counts = npt.NDArray[np.int64]
CLASSES, SHOPS, DAYS, FEATURES = 10, 20, 30, 20
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=DAYS)
GROUP = 100_000  # rows of a Parquet row group
SECONDS = 10.0  # that a report may take
_PANDAS = "pandas, grouped by hand"
_TRACK = """
import sys
from abtest.live.store import Store
from abtest.monitoring.tracking import track
with Store(f"sqlite:///{sys.argv[1]}.db") as store:
    track(store, "shop", sys.argv[1], prediction="predicted", target="y", time_column="time", segments=["shop"])
"""


def main(*, quick: bool = False) -> None:
    """Measure tracking, its memory, and a report."""
    rows, rounds = (10_000, 1) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory() as scratch:
        _tracking(Path(scratch), rows, rounds)
    with tempfile.TemporaryDirectory() as scratch:
        _memory(Path(scratch), [rows, 10 * rows], 1 if rounds == 1 else 2)
    with tempfile.TemporaryDirectory() as scratch:
        _reporting(Path(scratch), [10_000, 1_000_000 if quick else 100_000_000], rounds)


def _tracking(folder: Path, rows: int, rounds: int) -> None:
    path = folder / "rows.parquet"
    _write(path, rows)
    stores = itertools.count()

    def ours(features: list[str], name: str = "") -> Path:
        store = folder / (name or f"{next(stores)}.db")
        with Store(f"sqlite:///{store}") as opened:
            track(opened, "shop", path, **_HOW, features=features)
        return store

    with Store(f"sqlite:///{ours([], 'checked.db')}") as opened:
        buckets = opened.buckets("shop", START, END)
    must_agree([bucket.tallied.labelled for bucket in buckets], _by_hand(path).groupby("hour").sum())
    for features in ([], [f"x{i}" for i in range(FEATURES)]):
        found = interleaved(
            {"abtest": partial(ours, features), _PANDAS: partial(_by_hand, path)}, rounds=rounds, budget=60
        )
        what = f"{rows_text(rows)} tracked" + (f", and {FEATURES} features sketched" if features else "")
        compare(what, found, aims=() if features else (Aim(at_most=2, of=_PANDAS),))


_HOW: dict[str, Any] = {"prediction": "predicted", "target": "y", "time_column": "time", "segments": ["shop"]}


def _by_hand(path: Path) -> pd.Series[int]:
    frame = pd.read_parquet(path, columns=["time", "shop", "y", "predicted"])
    return frame.assign(hour=frame["time"].dt.floor("h")).groupby(["hour", "shop", "y", "predicted"]).size()


def _memory(folder: Path, sizes: list[int], rounds: int) -> None:
    for rows in sizes:
        _write(folder / f"{rows}.parquet", rows)
    commands = {
        f"abtest, {rows_text(rows)}": [sys.executable, "-c", _fresh(folder, rows), f"{rows}.parquet"] for rows in sizes
    }
    root = str(Path(__file__).parents[1])
    (fewer, theirs), (_, ours) = processes(commands, rounds=rounds, cwd=folder, env={"PYTHONPATH": root}).mib.items()
    record(
        Measurement(
            what=f"{rows_text(sizes[-1])} tracked with {FEATURES} features, peak memory",
            ours=ours,
            rivals=(Rival(name=fewer, values=theirs),),
            unit="MiB",
            aims=(Aim(at_most=1.1, of=fewer),),
        )
    )


def _fresh(folder: Path, rows: int) -> str:
    """Let each round begin without a store: a file that is known is not tracked again."""
    return f"import pathlib; pathlib.Path({str(folder / f'{rows}.parquet.db')!r}).unlink(missing_ok=True)\n{_TRACK}"


def _reporting(folder: Path, sizes: list[int], rounds: int) -> None:
    calls = {}
    for rows in reversed(sizes):
        store = Store(f"sqlite:///{folder / f'{rows}.db'}")
        _fill(store, rows)
        calls[f"abtest, {rows_text(rows)}"] = partial(_report, store, rows)
    found = interleaved(calls, rounds=rounds, budget=120)
    (name, ours), (fewer, theirs) = found.items()
    record(
        Measurement(
            what=f"a report of {DAYS} days, {name.removeprefix('abtest, ')}",
            ours=ours,
            rivals=(Rival(name=fewer, values=theirs),),
            aims=(Aim(at_most=SECONDS), Aim(at_most=2, of=fewer)),
        )
    )


def _report(store: Store, rows: int) -> None:
    done = watch(store, "shop", Watch(days=DAYS, until=END))
    must_agree(done.monitored.n, rows)


def _write(path: Path, rows: int) -> None:
    """Write rows in groups, in no order of time, so that they are never in memory together."""
    rng, group = np.random.default_rng(0), min(rows, GROUP)
    first = int(START.timestamp()) * 10**6
    shops = np.array([f"shop {i}" for i in range(SHOPS)])
    file: parquet.ParquetWriter | None = None
    for _ in range(0, rows, group):
        y = rng.integers(0, CLASSES, group)
        columns = {
            "time": pa.array(first + rng.integers(0, DAYS * 86_400 * 10**6, group)).cast(pa.timestamp("us", "UTC")),
            "shop": shops[rng.integers(0, SHOPS, group)],
            "y": y,
            "predicted": np.where(rng.random(group) < 0.9, y, rng.integers(0, CLASSES, group)),
            **{f"x{i}": rng.normal(size=group) for i in range(FEATURES)},
        }
        table = pa.table(columns)
        file = file or parquet.ParquetWriter(path, table.schema)
        file.write_table(table)
    if file is not None:
        file.close()


def _fill(store: Store, rows: int) -> None:
    """Put tallies of so many rows on record, as tracking would have: each hour its own, of every shop."""
    rng, hours = np.random.default_rng(0), DAYS * 24
    per_hour = np.full(hours, rows // hours)
    per_hour[: rows - per_hour.sum()] += 1
    truth, predicted = np.divmod(np.arange(CLASSES**2), CLASSES)
    share = np.where(truth == predicted, 0.9, 0.1 / (CLASSES - 1)) / CLASSES
    buckets = []
    for hour, n in enumerate(per_hour.tolist()):
        cells = rng.multinomial(n, np.tile(share / SHOPS, SHOPS)).reshape(SHOPS, -1)
        whole = _counts(cells.sum(axis=0))
        segments = {("shop", f"shop {i}"): _counts(own) for i, own in enumerate(cells)}
        given = np.bincount(predicted, weights=cells.sum(axis=0))
        buckets.append(
            Bucket(
                start=START + timedelta(hours=hour),
                version=1,
                tallied=Tallied(
                    n=n,
                    predictions=_times(Numbers.of(np.arange(CLASSES)[given > 0]), given[given > 0].astype(np.int64)),
                    outcomes=PairedOutcomes.from_counts(whole, segments),
                ),
            )
        )
    sketches = []
    for day in range(DAYS):
        drawn = {f"x{i}": Numbers.of(rng.normal(size=min(rows // DAYS, 10_000))) for i in range(FEATURES)}
        features = {name: _times(own, own.counts * (rows // DAYS // own.n)) for name, own in drawn.items()}
        sketches.append(Sketched(day=START + timedelta(days=day), version=1, features=features))
    batch = Batch(model_name="shop", batch="benchmark", kind="predictions", source="", n=rows, received_at=END)
    store.begin_batch(batch)
    store.end_batch(batch, buckets, sketches)


def _counts(cells: Counts) -> dict[tuple[Any, Any, Any], int]:
    return {(*divmod(at, CLASSES), at % CLASSES): count for at, count in enumerate(cells.tolist()) if count}


def _times(sketch: Numbers, counts: Counts) -> Numbers:
    return replace(sketch, counts=counts)
