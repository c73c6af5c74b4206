"""How fast is drift of features found, beside Evidently's preset?

Two data frames in memory, a baseline and recent rows, with 15 columns of numbers and 5 of text: one of three numbers
moved by 0.3 standard deviations. abtest makes sketches of both frames and gives for each feature a test, the distance
with its error bound, PSI and the Jensen-Shannon distance, adjusts the p-values over all features, and names changes of
the schema. Evidently's preset gives one number a feature: in its defaults, which for many rows are a normed
Wasserstein distance of numbers and the Jensen-Shannon distance of text; and with the tests that abtest uses,
Kolmogorov's and Smirnov's and a χ². It runs in an environment of its own, with older libraries, and says itself how
long it took once all was loaded and tried on few rows. That both find the same is made sure by the Jensen-Shannon
distance of the columns of text. A baseline that is kept as a small file is what monitoring compares with.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from abtest.evaluator.drift import drift
from abtest.loaders.sketching import sketch_columns
from abtest.stats.sketches import from_dict
from benchmarks.agreeing import must_agree
from benchmarks.evidently import VERSIONS, environment
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.spelling import rows_text
from benchmarks.timing import printed, record

if TYPE_CHECKING:
    from abtest.evaluator.monitored import Drift
    from abtest.stats.sketches import Sketch

_HERE = Path(__file__).parent
_NUMBERS, _TEXTS, _VALUES = 15, 5, 20
_DEFAULTS, _SAME = "Evidently's preset", "Evidently, with the same tests"


def main(*, quick: bool = False) -> None:
    """Measure seconds of both, in turns."""
    try:
        python = environment(_HERE / ".venv")
    except subprocess.CalledProcessError:
        print("skipped: Evidently does not install here")
        return
    names = ("evidently", "pandas", "scipy", "numpy")
    note = f"in an environment with {printed([str(python), '-c', VERSIONS, *names]).strip()}."
    for rows, rounds in ((2_000, 1),) if quick else ((100_000, 3), (1_000_000, 1)):
        baseline, recent = _frame(rows, seed=1, moved=0.0), _frame(rows, seed=2, moved=0.3)
        kept = json.dumps({name: sketch.to_dict() for name, sketch in _sketches(baseline).items()})
        ours: list[float] = []
        from_file: list[float] = []
        theirs: dict[str, list[float]] = {_DEFAULTS: [], _SAME: []}
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            baseline.to_parquet(folder / "baseline.parquet")
            recent.to_parquet(folder / "recent.parquet")
            for turn in range(rounds + 1):
                began = time.perf_counter()
                found = drift(_sketches(baseline), _sketches(recent))[0]
                between = time.perf_counter()
                again = drift(_read(kept), _sketches(recent))[0]
                ended = time.perf_counter()
                assert again == found  # noqa: S101 - what is measured must be the same
                if not turn:
                    continue
                ours.append(between - began)
                from_file.append(ended - between)
                for name, which in ((_DEFAULTS, "defaults"), (_SAME, "tests")):
                    command = [str(python), str(_HERE / "rivals" / "evidently_drift.py"), which]
                    told = json.loads(printed(command, cwd=folder).splitlines()[-1])
                    theirs[name].append(told["seconds"])
                    _must_agree(found, told["values"])
        what = f"drift of 20 features, {rows_text(rows)} on either side"
        rivals = tuple(Rival(name=name, values=tuple(values), note=note) for name, values in theirs.items())
        aims = tuple(Aim(at_most=1 / 5, of=name) for name in theirs) if rows == 1_000_000 else ()
        record(Measurement(what=what, ours=tuple(ours), rivals=rivals, aims=aims))
        said = f"sketches of a baseline in a file of {len(kept) / 1000:.0f} kB are read instead of its rows."
        both = Rival(name="abtest, both frames", values=tuple(ours))
        record(Measurement(what=f"{what}, the baseline from a file", ours=tuple(from_file), rivals=(both,), note=said))


def _frame(rows: int, *, seed: int, moved: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {f"x{at}": rng.normal(0.0 if at % 3 else moved, 1.0, rows) for at in range(_NUMBERS)}
    names = np.array([f"value {at:02}" for at in range(_VALUES)])
    codes = (rng.exponential(10 + moved, rows).astype(int) % _VALUES for _ in range(_TEXTS))
    texts = {f"t{at}": names[of] for at, of in enumerate(codes)}
    return pd.DataFrame(numbers | texts)


def _sketches(frame: pd.DataFrame) -> dict[str, Sketch]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return sketch_columns(dict(zip(table.column_names, table.columns, strict=True)))[0]


def _read(kept: str) -> dict[str, Sketch]:
    return {name: from_dict(sketch) for name, sketch in json.loads(kept).items()}


def _must_agree(found: tuple[Drift, ...], theirs: dict[str, float]) -> None:
    """Compare the Jensen-Shannon distances of text; Evidently's are in nats."""
    mine = {row.feature: row.js for row in found if row.kind == "text" and row.js is not None}
    same = [name for name in theirs if name in mine]
    must_agree([mine[name] * math.sqrt(math.log(2)) for name in same], [theirs[name] for name in same], within=1e-9)
