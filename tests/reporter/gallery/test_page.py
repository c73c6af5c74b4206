"""The gallery's page: whole, harmless, readable by everyone without its script, and searchable with it."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from abtest.reporter.gallery import page
from abtest.reporter.gallery.entries import entry
from tests.gallery.records import SITUATIONS
from tests.reporter.pages import Outline, sound
from tests.reporter.test_html import browser, show

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["browser"]  # a fixture
HOSTILE = '"><script>alert(1)</script>\u202e\udc80'


def rendered(*, unread: bool = True) -> str:
    """A page over every situation that tests know."""
    lines = [
        page.Line(entry=entry(made()), link=f"{i}/report.html" if i % 9 else None, folder=f"reports/{i}")
        for i, made in enumerate(SITUATIONS.values())
    ]
    damaged = [page.Unshown(path=f"reports/{HOSTILE}/comparison.json", why=HOSTILE)]
    return page.render(HOSTILE, lines, damaged if unread else [], "1.2.3")


@pytest.fixture(scope="module", name="whole")
def _whole() -> str:
    return rendered()


def test_the_page_is_sound(whole: str) -> None:
    """Every element is closed, ids are unique, references lead somewhere, and one row stands for each report."""
    outline = sound(whole, "h1", "main", "header", "footer", "title", "table", "form")
    assert len([attributes for _, attributes in outline.elements if "data-verdict" in attributes]) == len(SITUATIONS)


def test_names_are_text(whole: str) -> None:
    """Nothing that a model, a file or a title is called becomes markup, an attribute, or turns the page around."""
    outline = Outline(whole)
    assert [tag for tag, _ in outline.elements].count("script") == 1  # ours
    assert "<script>alert(1)</script>" not in whole
    assert "img" not in [tag for tag, _ in outline.elements]
    assert not [name for _, attributes in outline.elements for name in attributes if name.startswith("on")]
    assert "\u202e" not in whole
    whole.encode()  # no half of a surrogate pair


def test_the_only_script_is_the_one_that_may_run(whole: str) -> None:
    """The page's policy forbids everything but its own style and the one script, named by its digest."""
    (script,) = re.findall(r"<script>(.*?)</script>", whole, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', whole)
    assert policy.startswith(f"default-src &#39;none&#39;; script-src &#39;sha256-{digest}&#39;;".replace("&#39;", "'"))


def test_all_is_said_without_a_script(whole: str) -> None:
    """Each verdict stands as a word and a shape, with the time; what only a script could do is not shown."""
    outline = Outline(whole)
    for made in SITUATIONS.values():
        it = entry(made())
        assert it.verdict_title in outline.text
        assert it.verdict_mark in outline.text
        assert f"{it.at:%Y-%m-%d %H:%M}" in outline.text
    (form,) = [attributes for tag, attributes in outline.elements if tag == "form"]
    assert "hidden" in form


def test_what_a_guardrail_held_back_is_said(whole: str) -> None:
    """Where guardrails changed the verdict, its line says what the rule alone came to; elsewhere it does not."""
    held = [it for it in (entry(made()) for made in SITUATIONS.values()) if it.held_back]
    assert held
    assert whole.count("but for a guardrail") == len(held)


def test_an_empty_gallery_is_a_page() -> None:
    """Where nothing could be read, the page says what could not."""
    only = page.render("Reports", [], [page.Unshown(path="a", why="It holds no JSON.")], "1.2.3")
    outline = Outline(only)
    assert "table" not in [tag for tag, _ in outline.elements]
    assert "It holds no JSON." in outline.text


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, whole: str, scheme: str) -> None:
    """Axe finds no violation, on light and on dark; a phone scrolls down and never sideways."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    tab = show(browser, tmp_path, whole, width=360 if scheme == "dark" else 1280, scheme=scheme)
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") <= (360 if scheme == "dark" else 1280)
    assert [url for url in tab.asked if not url.startswith(("file:", "data:"))] == []
    tab.context.close()


@pytest.mark.browser
def test_the_script_searches(browser: Any, tmp_path: Path) -> None:
    """Words narrow the rows, in any order; choices too; it says how many are left, and all come back."""
    tab = show(browser, tmp_path, rendered(unread=False))
    shown = "[...document.querySelectorAll('tbody tr')].filter(it => it.offsetParent).length"
    everything = tab.evaluate(shown)
    assert everything == len(SITUATIONS)
    tab.get_by_label("Search").fill("degraded CHURN")
    churns = [it for it in (entry(made()) for made in SITUATIONS.values()) if it.model == "churn"]
    degraded = len([it for it in churns if it.verdict == "DEGRADED"])
    assert tab.evaluate(shown) == degraded
    assert tab.locator("#found").inner_text() == f"{degraded} of {everything} shown"
    tab.locator("[name=verdict]").select_option("Promote")
    assert tab.evaluate(shown) == 0
    tab.get_by_role("button", name="Show all").click()
    tab.wait_for_function(f"{shown} === {everything}")
    tab.locator("[name=kind]").select_option("training")
    assert tab.evaluate(shown) == len([name for name in SITUATIONS if name.startswith("training")])
    assert tab.said == []
    tab.context.close()


@pytest.mark.browser
def test_it_reads_and_prints_without_a_script(browser: Any, tmp_path: Path, whole: str) -> None:
    """Where scripts do not run, every row is shown and no search is; on paper no row is cut."""
    path = tmp_path / "index.html"
    path.write_text(whole, encoding="utf-8")
    context = browser.new_context(viewport={"width": 690, "height": 900}, java_script_enabled=False, offline=True)
    tab = context.new_page()
    tab.goto(path.as_uri())
    assert not tab.locator("#find").is_visible()
    assert tab.locator("tbody tr").count() == len(SITUATIONS)
    assert all(row.is_visible() for row in tab.locator("tbody tr").all())
    tab.emulate_media(media="print")
    box = tab.locator("#reports-table").bounding_box()
    assert box["x"] + box["width"] <= 690
    context.close()
