"""Run the benchmarks named on the command line, or all of them."""

from __future__ import annotations

import importlib
import sys

ALL = ("start_up", "evaluator", "segments", "delong", "registry", "memory", "caching")

for name in sys.argv[1:] or ALL:
    print(f"\n== {name}", flush=True)
    importlib.import_module(f"benchmarks.{name}").main()
