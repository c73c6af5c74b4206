"""The samples in `reports/sample/` are what their records draw today, and what is trained today gives those records."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.gallery import finding, indexing
from abtest.record import ComparisonRecord, ComparisonsRecord, MonitoringRecord
from abtest.record.reading import FILES, read_file
from abtest.reporter import folder as compared
from abtest.reporter import markdown, several
from abtest.reporter.monitoring import folder as monitored
from abtest.reporter.monitoring import markdown as monitored_markdown
from abtest.reporter.monitoring import summary as monitored_summary
from abtest.reporter.summary import summarise

if TYPE_CHECKING:
    from types import ModuleType

REPORTS = Path(__file__).parent.parent / "reports"
SAMPLE = REPORTS / "sample"
NAMES = ("binary", "live", "monitoring", "multiclass", "regression", "several")
MEGABYTES = 6


def record_of(name: str) -> Any:
    """The record of a sample."""
    (path,) = [SAMPLE / name / file for file in set(FILES.values()) if (SAMPLE / name / file).exists()]
    return read_file(path)


def drawn(record: Any) -> tuple[str, str]:
    """The page of a record, with its figures, and the summary."""
    if isinstance(record, MonitoringRecord):
        summary = monitored_markdown.render(monitored_summary.summarise(record))
        return monitored.page(record, None), summary
    if isinstance(record, ComparisonsRecord):
        return compared.page(record, None), markdown.render_several(several.summarise(record))
    return compared.page(record, None), markdown.render(summarise(record))


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_what_its_record_draws(name: str) -> None:
    """Page and summary are drawn from the record as committed; `python reports/make_sample.py --redraw` renews them."""
    page, summary = drawn(record_of(name))
    assert (SAMPLE / name / "report.html").read_text(encoding="utf-8") == page
    assert (SAMPLE / name / "summary.md").read_text(encoding="utf-8") == summary
    assert list((SAMPLE / name / "figures").rglob("*.png"))


def test_the_page_over_the_samples_is_todays() -> None:
    """It shows every sample, newest first; `python reports/make_sample.py --redraw` renews it."""
    found = finding.find(SAMPLE)
    assert {it.path.parent.name for it in found.shown} == set(NAMES)
    index = SAMPLE / "index.html"
    assert index.read_text(encoding="utf-8") == indexing.render(found, index, title="Sample reports")


def test_the_samples_show_what_they_are_for() -> None:
    """Two classes, ten with a harmed segment, numbers, several challengers, live traffic, and a month's watch."""
    records = {name: record_of(name) for name in NAMES}
    assert len(records["binary"].confusion.labels) == 2
    harmed = [reason for reason in records["multiclass"].decision.reasons if reason.segment and not reason.held]
    assert harmed
    assert records["multiclass"].decision.by_rule != records["multiclass"].decision.verdict
    assert records["regression"].task == "regression"
    assert len(records["several"].comparisons) > 1
    assert records["live"].live is not None
    assert isinstance(records["monitoring"], MonitoringRecord)


def test_the_samples_are_light_and_name_no_machine() -> None:
    """They stay below six megabytes, and hold no path of the machine they were made on."""
    files = [path for path in SAMPLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MEGABYTES * 1_000_000
    for path in files:
        if path.suffix in {".html", ".json", ".md"}:
            text = path.read_text(encoding="utf-8")
            assert not [word for word in ("/tmp/", "/home/", "/root/") if word in text]  # noqa: S108 - looked for


def beside(name: str) -> ModuleType:
    """A script of `reports/`, imported."""
    spec = importlib.util.spec_from_file_location(name, REPORTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multiclass", "live"])
def test_what_is_made_today_is_the_sample(tmp_path: Path, name: str) -> None:
    """Trained and compared anew, a sample's record is the committed one; `python reports/make_sample.py` renews it."""
    samples = beside("samples")
    made = samples.lean(samples.SAMPLES[name](tmp_path), name)
    assert isinstance(made, ComparisonRecord)
    assert _close(_compared(made), _compared(record_of(name)))


def _compared(record: Any) -> Any:
    """A record without what differs between machines: versions of libraries, and a file's digest by its writer."""
    data = json.loads(record.to_json())
    return {key: value for key, value in data.items() if key != "provenance"}


def _close(one: Any, other: Any) -> bool:
    """Equal, floating numbers to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=1e-12)
    return bool(one == other)
