"""How long does one page over a thousand reports take?

`abtest report index` over 1,000 folders, each with the record of one of the samples in `reports/sample/` and a page:
every record is validated whole, so that what is damaged is told. Whole processes, in turns with one that only parses
the same JSON and writes nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measured import Aim
from benchmarks.timing import compare, processes

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"
REPORTS, SECONDS = 1_000, 5.0
PARSES = """
import json, pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.json"):
    json.loads(path.read_bytes())
"""


def main(*, quick: bool = False) -> None:
    """Measure the command against a parser of JSON."""
    count = 30 if quick else REPORTS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        size = _fill(folder / "reports", count)
        rounds = processes(
            {
                "abtest": [sys.executable, "-m", "abtest", "report", "index", "reports", "--quiet"],
                "a parser of JSON": [sys.executable, "-c", PARSES, "reports"],
            },
            rounds=1 if quick else 3,
            cwd=folder,
        ).seconds
        what = f"one page over {count:,} reports, {size / 1e6:.0f} MB of records"
        compare(what, rounds, aims=() if quick else (Aim(at_most=SECONDS),))
        print(f"the page: {(folder / 'reports' / 'index.html').stat().st_size / 1e6:.2f} MB")


def _fill(folder: Path, count: int) -> int:
    """Write so many reports, each a second after the last, and give the bytes of their records."""
    records = sorted(path for path in SAMPLE.glob("*/*.json"))
    texts = [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in records]
    size = 0
    for i in range(count):
        name, record = texts[i % len(texts)]
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=i)
        text = json.dumps({**record, "created_at": at.isoformat()}, indent=2)
        report = folder / f"report-{i:04}"
        report.mkdir(parents=True)
        (report / name).write_text(text, encoding="utf-8")
        (report / "report.html").write_text("a report", encoding="utf-8")
        size += len(text)
    return size
