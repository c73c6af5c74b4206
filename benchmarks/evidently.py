"""What does a report of predictions that are already there cost, beside Evidently's?

A Parquet file with the truth and both sides' predictions, ten classes, to an HTML page with figures, from the start of
the process to its end. `abtest compare-predictions` gives every metric of both sides, overall and by class, each effect
with a test and an interval from 10,000 resamples, and the verdict. Evidently's preset for classification gives the
values of both sides, the challenger's as current and the champion's as reference data, without tests or intervals of
their difference. Evidently runs in an environment of its own, with older libraries: `benchmarks/.venv`, which is made
where it is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from benchmarks.agreeing import must_agree
from benchmarks.data import columns
from benchmarks.measured import Measurement, Rival
from benchmarks.spelling import rows_text
from benchmarks.timing import printed, processes, record

_HERE = Path(__file__).parent
_NEEDS = ("evidently==0.7.23", "pandas==2.3.3", "pyarrow")  # it does not import beside pandas 3
VERSIONS = "import sys; from importlib.metadata import version as v; print(*(n + ' ' + v(n) for n in sys.argv[1:]))"


def main(*, quick: bool = False) -> None:
    """Measure seconds and peak memory of both, in turns."""
    try:
        python = environment(_HERE / ".venv")
    except subprocess.CalledProcessError:
        print("skipped: Evidently does not install here")
        return
    ours = [
        sys.executable, "-m", "abtest", "compare-predictions", "predictions.parquet", "--target", "y",
        "--champion", "champion", "--challenger", "challenger",
    ]  # fmt: skip
    theirs = [str(python), str(_HERE / "rivals" / "evidently_way.py")]
    names = ("evidently", "pandas", "scikit-learn", "numpy")
    note = f"in an environment with {printed([str(python), '-c', VERSIONS, *names]).strip()}."
    for rows in (1_000,) if quick else (10_000, 100_000):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            table = dict(zip(("y", "champion", "challenger"), columns(rows, 10), strict=True))
            parquet.write_table(pa.table(table), folder / "predictions.parquet")
            told = json.loads(printed(theirs, cwd=folder).splitlines()[-1])
            mine = json.loads(printed([*ours, "--format", "json"], cwd=folder))["metrics"][0]
            must_agree([mine[side] for side in told], [*told.values()], within=1e-12)
            found = processes({"abtest": ours, "Evidently": theirs}, rounds=1 if quick else 5, cwd=folder)
        what = f"`abtest compare-predictions`, {rows_text(rows)}"
        rival = Rival(name="Evidently", values=found.seconds["Evidently"], note=note)
        record(Measurement(what=what, ours=found.seconds["abtest"], rivals=(rival,)))
        rival = Rival(name="Evidently", values=found.mib["Evidently"], note=note)
        record(Measurement(what=f"{what}, peak memory", ours=found.mib["abtest"], rivals=(rival,), unit="MiB"))


def environment(folder: Path) -> Path:
    """Make Evidently's environment where there is none, and return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        print("installing Evidently in an environment of its own", flush=True)
        venv.create(folder, with_pip=True)
    if subprocess.run([str(python), "-c", "import evidently"], capture_output=True, check=False).returncode:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_NEEDS], check=True)
    return python
