"""Run the benchmarks named, or all of them, and write benchmarks/README.md."""

from __future__ import annotations

import argparse
import importlib
import inspect
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import page
from benchmarks.machine import this_machine
from benchmarks.measured import RESULTS, Found, read_all
from benchmarks.timing import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL = (
    "whole", "start_up", "scoring", "tally", "columns", "intervals", "resampling", "segments", "growth", "delong",
    "areas", "registry", "sql", "memory", "caching", "serving", "live_costs", "predicting", "streaming", "monitoring",
    "drift", "training", "gallery", "spark", "evidently",
)  # fmt: skip


def measure(name: str, *, quick: bool = False) -> Found:
    """Run one benchmark; its module's docstring is the question, and how it was answered."""
    module = importlib.import_module(f"benchmarks.{name}")
    recorded()
    module.main(**({"quick": quick} if "quick" in inspect.signature(module.main).parameters else {}))
    title, _, about = inspect.cleandoc(module.__doc__ or name).partition("\n")
    return Found(
        name=name,
        title=title,
        about=about.strip(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        quick=quick,
        machine=this_machine(),
        measurements=recorded(),
    )


def in_order(found: dict[str, Found]) -> list[Found]:
    """Sort what was found as the page has it."""
    return [found[name] for name in sorted(found, key=lambda name: (name not in ALL, [*ALL, name].index(name), name))]


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure, keep, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, kept nowhere: does all run?")
    parser.add_argument("--write", action="store_true", help="write the page from what is kept, and measure nothing")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where the page and its results go")
    options = parser.parse_args(None if arguments is None else [*arguments])
    for name in options.names:
        if name not in ALL:
            parser.error(f"there is no benchmark {name!r}, only {', '.join(ALL)}")
    into = options.into or (None if options.quick else RESULTS.parent)  # a trial does not replace what was measured
    for name in () if options.write else options.names or ALL:
        print(f"\n== {name}", flush=True)
        found = measure(name, quick=options.quick)
        if into:
            found.write(into / RESULTS.name)
    if into:
        page.write(in_order(read_all(into / RESULTS.name)), into)


if __name__ == "__main__":
    main()
