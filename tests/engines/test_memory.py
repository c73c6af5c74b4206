"""Scoring keeps no rows: five times as many take no more memory than their fingerprints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COLUMNS, FEW, MANY = 20, 200_000, 1_000_000
GROWS = 40  # MiB: 9 bytes a row of fingerprints, twice while they are joined; and what allocators round up
SCRIPT = """
import re, sys
from sklearn.linear_model import LogisticRegression
import numpy as np
from abtest.engines.local import score
from abtest.loaders.datasets import open_data
from abtest.loaders.models import from_object
rng = np.random.default_rng(0)
x = rng.normal(size=(500, 20))
fitted = [LogisticRegression().fit(x, x[:, at] > 0) for at in (0, 1)]
sides = [from_object(side, it) for side, it in zip(("champion", "challenger"), fitted)]
assert score(*sides, open_data(sys.argv[1]), target="y").n == int(sys.argv[2])
# VmHWM and not ru_maxrss: that one carries the parent's peak across fork and exec.
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak(rows: int) -> float:
    """MiB that a process of its own takes at most to score so many rows of a file in one row group."""
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=rows) for i in range(COLUMNS)}
    pq.write_table(pa.table({**columns, "y": columns["x0"] > 0}), "t.parquet", row_group_size=rows)
    command = [sys.executable, "-c", SCRIPT, "t.parquet", str(rows)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - a script of ours
    return int(told) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_peak_memory_is_flat_in_rows() -> None:
    """Of 160 MB more in a file, all in one row group, no more than fingerprints stay in memory: 40 MiB at most."""
    few, many = peak(FEW), peak(MANY)
    assert many - few < GROWS, (few, many)
