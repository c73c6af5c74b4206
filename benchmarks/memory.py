"""Peak memory of a comparison at ten times the rows: it should not grow. Linux only: it reads /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

SCRIPT = r"""
import re, sys
from abtest.workflow import compare_columns
compare_columns(sys.argv[1], target="y", champion="a", challenger="b")
# VmHWM and not ru_maxrss: that one carries the parent's peak across fork and exec.
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


def main() -> None:
    """Measure each size in a process of its own."""
    peaks = []
    with tempfile.TemporaryDirectory() as scratch:
        for rows in (2_000_000, 20_000_000):
            path = Path(scratch) / f"{rows}.csv"
            rng = np.random.default_rng(0)
            y = rng.integers(0, 10, rows)
            sides = {side: np.where(rng.random(rows) < 0.9, y, rng.integers(0, 10, rows)) for side in "ab"}
            csv.write_csv(pa.table({"y": y, **sides}), path)
            told = subprocess.run(
                [sys.executable, "-c", SCRIPT, str(path)],
                env={**os.environ, "MALLOC_ARENA_MAX": "2"},
                capture_output=True,
                text=True,
                check=True,
            )
            peaks.append(int(told.stdout) / 1024)
            print(f"{rows:,} rows: peak {peaks[-1]:.0f} MiB", flush=True)
    print(f"ten times the rows take {peaks[1] / peaks[0]:.2f} times the memory (aim: about 1)")
