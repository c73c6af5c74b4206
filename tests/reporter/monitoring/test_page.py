"""The page of monitoring: whole, harmless, and with the record's numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from abtest import wording
from abtest.metrics.catalogue import unit
from abtest.reporter.monitoring import drawing, folder, html
from tests.monitored import HOSTILE, SITUATIONS
from tests.reporter.pages import Outline, harmless, sound
from tests.reporter.test_html import browser, show

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["browser"]  # a fixture, found by its name

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


@cache
def page(situation: str, *, drawn: bool = True) -> str:
    """The page of one situation."""
    record = SITUATIONS[situation]()
    return html.render(record, drawing.render(record) if drawn else ())


@every_situation
@pytest.mark.parametrize("drawn", [True, False], ids=["figures", "tables"])
def test_the_page_is_sound(situation: str, drawn: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Every element is closed, ids are unique, references lead somewhere, and every table has a caption."""
    outline = sound(page(situation, drawn=drawn))
    assert ("svg" in {tag for tag, _ in outline.elements}) == drawn


@every_situation
def test_nothing_runs_and_nothing_is_fetched(situation: str) -> None:
    """No script, no handler, no address to fetch from."""
    harmless(page(situation))


def test_users_texts_are_text() -> None:
    """Names that would be markup are shown as they were written, without what would reorder the page."""
    text = page("hostile")
    assert "<script" not in text
    assert "\u202e" not in text
    shown = Outline(text).text
    assert shown.count(HOSTILE.replace("\u202e", "\ufffd")) > 8


@every_situation
def test_numbers_are_those_of_the_record(situation: str) -> None:
    """Every metric, change and distance of the record stands on the page, as numbers are written."""
    seen, shown = SITUATIONS[situation]().monitored, Outline(page(situation)).text
    for it in seen.summaries:
        for value in (it.value, it.mean, it.least, it.most):
            assert wording.value(value, unit(it.metric)) in shown
    for change in seen.changes:
        for value in (change.baseline, change.recent):
            assert wording.value(value, unit(change.metric)) in shown
        assert wording.effect(change.effect, unit(change.metric), spell_unit=False) in shown
    for row in seen.drift:
        assert row.distance is not None
        assert f"{row.distance:.2f}" in shown
    assert wording.whole(seen.n) in shown
    assert wording.whole(seen.labelled) in shown


@every_situation
def test_status_first_then_why(situation: str) -> None:
    """Status, headline, advice, reasons, numbers, method, provenance: in this order."""
    record, text = SITUATIONS[situation](), page(situation)
    headings = [
        f">{it}</h2>" for it in ("Why", "Over time", "Rows and labels", "How it was done", "Where it comes from")
    ]
    places = [text.index(part, text.index("<h1>")) for part in ('class="word"', 'class="headline"', *headings)]
    assert places == sorted(places)
    assert record.health.why.split(" ")[-1].rstrip(".") in Outline(text).text


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        ("healthy", ["Stable", "does as well as it did", "In order:", "No segment is known to have fallen"]),
        ("degraded", ["Degraded", "predicts worse than it did", "Not in order:", "region = north fell", "new values"]),
        ("worse_version", ["Roll back.", "abtest models rollback --dry-run churn", "the last 7 days of version 3"]),
        ("drifted", ["Suspect", "9 of 40 features drifted", "41 rows"]),
        ("insufficient", ["Insufficient data", "Nobody can say yet", "No row has a label", "--labels FILE"]),
        ("hourly", ["At every look", "2026-03-30 00:00 UTC", "Robbins"]),
        ("year", ["trend in 30 days"]),
    ],
)
def test_the_page_says_it_in_words(situation: str, said: list[str]) -> None:
    """What a colour or a shape shows is also a word."""
    shown = " ".join(Outline(page(situation)).text.replace("\u00a0", " ").split())
    for words in said:
        assert words in shown


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    """What is given back is what was written; without figures there is none."""
    text = folder.page(SITUATIONS["healthy"](), tmp_path / "page.html", figures=False)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == text
    assert "<svg" not in text


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, scheme: str) -> None:
    """Axe finds no violation, with everything unfolded; the page asks for nothing, and fits a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    tab = show(browser, tmp_path, page("degraded"), width=360, scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    assert tab.said == []
    assert [url for url in tab.asked if not url.startswith(("file:", "data:"))] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.context.close()
