"""Evidently's way to find drift: its preset, in its defaults or with named tests, on two data frames in memory.

Run by the Python of an environment where Evidently is, in a folder with ``baseline.parquet`` and ``recent.parquet``.
Prints at its end, as JSON, the seconds the report took and, in its defaults, the distances of the columns of text.
"""

from __future__ import annotations

import json
import sys
import time

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

tests = {"num_method": "ks", "cat_method": "chisquare"} if sys.argv[1] == "tests" else {}
frames = [pd.read_parquet(f"{name}.parquet") for name in ("recent", "baseline")]
definition = DataDefinition(
    numerical_columns=[name for name in map(str, frames[0]) if name.startswith("x")],
    categorical_columns=[name for name in map(str, frames[0]) if name.startswith("t")],
)
for rows in (1500, None):
    began = time.perf_counter()
    recent, baseline = (Dataset.from_pandas(it.head(rows or len(it)), data_definition=definition) for it in frames)
    told = Report([DataDriftPreset(**tests)]).run(recent, baseline).dict()
    seconds = time.perf_counter() - began
values = {} if tests else {it["config"]["column"]: it["value"] for it in told["metrics"] if "column" in it["config"]}
texts = {name: value for name, value in values.items() if name.startswith("t")}
print(json.dumps({"seconds": seconds, "values": texts}))
