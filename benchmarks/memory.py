"""Does memory grow with rows?

Peak memory of whole processes, which reads rows in batches and throws them away: ten times the rows, or a hundred
times, in the memory of the fewer. Columns of predictions from CSV; a tally of synthetic rows, drawn batch by batch; and
two models scored on a Parquet file of 20 features. Beside the last stand two scripts that read the file into pandas
first and let both models predict: one gives scikit-learn's metrics of both sides, the other counts hits and does
nothing else. abtest gives every metric, with tests and intervals from 10,000 resamples, and a logged run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from benchmarks import shop
from benchmarks.data import columns
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.spelling import rows_text
from benchmarks.timing import Rounds, processes, record

BATCH = 1_000_000
FLAT = 1.1  # times the memory of the fewer rows
_COLUMNS = """
import sys
from abtest.workflow import compare_columns
compare_columns(sys.argv[1], target="y", champion="a", challenger="b")
"""
_SYNTHETIC = """
import sys
from abtest.outcomes import PairedOutcomes
from abtest.tally import Tally
from benchmarks.data import columns
tally, batch = Tally(), int(sys.argv[2])
for start in range(0, int(sys.argv[1]), batch):
    tally.add(*columns(batch, 10, seed=start))
print(PairedOutcomes.from_tally(tally)[0].n)
"""
_FIRST, _HITS = "pandas first, then metrics", "pandas first, then hits alone"
_SCRIPTS = {_FIRST: "by_hand.py", _HITS: "pandas_first.py"}


def main(*, quick: bool = False) -> None:
    """Measure fewer and more rows in processes of their own."""
    scale = 1_000 if quick else 1
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _columns(folder, [2_000_000 // scale, 20_000_000 // scale], rounds)
    _synthetic([1_000_000 // scale, 100_000_000 // scale], BATCH // scale, rounds)
    with tempfile.TemporaryDirectory() as scratch:
        _scored(Path(scratch), [1_000_000 // scale, 10_000_000 // scale], rounds)


def _columns(folder: Path, sizes: list[int], rounds: int) -> None:
    for rows in sizes:
        csv.write_csv(pa.table(dict(zip("yab", columns(rows, 10), strict=True))), folder / f"{rows}.csv")
    commands = {_named(rows): [sys.executable, "-c", _COLUMNS, f"{rows}.csv"] for rows in sizes}
    _flat("predictions from CSV", processes(commands, rounds=rounds, cwd=folder).mib)


def _synthetic(sizes: list[int], batch: int, rounds: int) -> None:
    commands = {_named(rows): [sys.executable, "-c", _SYNTHETIC, str(rows), str(batch)] for rows in sizes}
    root = str(Path(__file__).parents[1])
    found = processes(commands, rounds=rounds, env={"PYTHONPATH": root})
    _flat("a tally of synthetic rows", found.mib)


def _scored(folder: Path, sizes: list[int], rounds: int) -> None:
    """Score both models; beside the larger file stand the scripts that read all of it."""
    shop.build(folder, rows=1000)
    for rows in sizes:
        _features(folder / f"{rows}.parquet", rows)
    compare = [sys.executable, "-m", "abtest", "compare", "--no-cache", "--no-save-plot"]
    compare += ["--tracking-uri", "sqlite:///mlflow.db"]
    commands = {_named(rows): [*compare, "--test-data", f"{rows}.parquet"] for rows in sizes}
    for name, script in _SCRIPTS.items():
        commands[name] = [sys.executable, str(Path(__file__).parent / "rivals" / script), f"{sizes[-1]}.parquet"]
    found = processes(commands, rounds=rounds, cwd=folder)
    fewer, more = map(_named, sizes)
    what = f"both models scored, Parquet of {rows_text(sizes[-1])} and {shop.FEATURES} features"
    rivals = tuple(Rival(name=name, values=found.seconds[name]) for name in _SCRIPTS)
    record(Measurement(what=what, ours=found.seconds[more], rivals=rivals, aims=(Aim(at_most=1 / 1.5, of=_FIRST),)))
    record(
        Measurement(
            what=f"{what}, peak memory",
            ours=found.mib[more],
            rivals=tuple(Rival(name=name, values=found.mib[name]) for name in (fewer, *_SCRIPTS)),
            unit="MiB",
            aims=(Aim(at_most=450), Aim(at_most=FLAT, of=fewer)),
        )
    )


def _features(path: Path, rows: int) -> None:
    """Write rows of noise in groups, so that they are never in memory together."""
    names = [f"x{number}" for number in range(shop.FEATURES)]
    schema = pa.schema([*((name, pa.float64()) for name in names), ("y", pa.int64())])
    rng, group = np.random.default_rng(0), min(rows, BATCH // 10)
    with parquet.ParquetWriter(path, schema) as file:
        for _ in range(0, rows, group):
            drawn = {name: rng.normal(size=group) for name in names}
            file.write_table(pa.table({**drawn, "y": rng.integers(0, shop.CLASSES, group)}, schema=schema))


def _flat(what: str, mib: Rounds) -> None:
    (fewer, theirs), (more, ours) = mib.items()
    rival = Rival(name=fewer, values=theirs)
    aims = (Aim(at_most=FLAT, of=fewer),)
    at = more.removeprefix("abtest, ")
    record(Measurement(what=f"{what}, {at}, peak memory", ours=ours, rivals=(rival,), unit="MiB", aims=aims))


def _named(rows: int) -> str:
    return f"abtest, {rows_text(rows)}"
