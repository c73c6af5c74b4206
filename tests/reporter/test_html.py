"""The page: whole, harmless, and readable by everyone, on every screen and on paper."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.reporter import figures, html
from tests.examples import SITUATIONS as OFFLINE
from tests.live.examples import SITUATIONS as LIVE
from tests.reporter.pages import Outline, harmless, sound

if TYPE_CHECKING:
    from collections.abc import Iterator

SITUATIONS = {**OFFLINE, **LIVE}

every_situation = pytest.mark.parametrize("situation", SITUATIONS)
CHROMIUM = shutil.which("chromium") or ("/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None)


def page(situation: str, *, drawn: bool = True) -> str:
    """The page of one situation."""
    record = SITUATIONS[situation]()
    return html.render(record, figures.render(record) if drawn else ())


@every_situation
@pytest.mark.parametrize("drawn", [True, False], ids=["figures", "tables"])
def test_the_page_is_sound(situation: str, drawn: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Every element is closed, ids are unique, references lead somewhere, and there is one h1 and one main."""
    outline = sound(page(situation, drawn=drawn))
    assert ("lang", "en") in outline.elements[0][1].items() or ("html", {"lang": "en"}) in outline.elements


@every_situation
def test_nothing_runs_and_nothing_is_fetched(situation: str) -> None:
    """No script, no handler, no address to fetch from; and the page's own policy forbids them."""
    text = page(situation)
    outline = harmless(text)
    (policy,) = [attributes["content"] for tag, attributes in outline.elements if "http-equiv" in attributes]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy


def test_users_texts_are_text() -> None:
    """Labels, model names, files and commands that would be markup are shown as they were written."""
    text = page("hostile")
    assert "<script" not in text
    assert "<img" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    shown = Outline(text).text
    assert "<script>alert(1)</script>" in shown
    assert '"><img src=x onerror=alert(1)>' in shown
    assert "$x$ | `y`" in shown
    assert "{{ 7 * 7 }}" in shown
    assert ("a label " * 20).strip() in shown, "tables have long labels in full"


def test_credentials_are_not_on_the_page() -> None:
    """Passwords in the registry's address and in the command are redacted."""
    assert "hunter2" not in page("hostile")
    assert "postgresql://***@db/mlflow" in page("hostile")


@every_situation
def test_the_same_record_gives_the_same_page(situation: str) -> None:
    """Nothing on the page depends on when it was made."""
    assert page(situation) == page(situation)


@every_situation
def test_without_figures_there_are_tables(situation: str) -> None:
    """Asked for no figures, the page has none, and still every number."""
    text = page(situation, drawn=False)
    assert "<svg" not in text
    assert "<figure" not in text
    record = SITUATIONS[situation]()
    classes = len({(type(row.class_), row.class_) for row in record.per_class})
    segments = len({(row.segment, row.value) for row in record.segments})
    assert text.count('<th scope="rowgroup"') == classes + segments
    assert 'id="metrics-table"' in text
    assert ('id="bands-table"' in text) == (record.errors is not None)
    assert ('id="contingency-table"' in text) == (record.contingency is not None)
    assert ('id="arms-table"' in text) == (record.live is not None)


def test_tables_alone_do_not_pay_for_figures() -> None:
    """A page without figures imports neither Matplotlib nor the module that draws."""
    script = (
        "import sys\nfrom tests.examples import two\nfrom abtest.reporter import html\nassert html.render(two())\n"
        "print([n for n in sys.modules if n.startswith(('matplotlib', 'abtest.reporter.figures'))])"
    )
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)  # noqa: S603 - this interpreter
    assert told.stdout.strip() == "[]"


def test_the_verdict_comes_first() -> None:
    """Verdict, reasons, numbers, method, provenance: in this order."""
    text = page("two")
    headings = [f">{heading}</h2>" for heading in ("The numbers", "How it was done", "Where it comes from")]
    order = ["The challenger should replace", ">Why</h2>", "Held:", *headings]
    places = [text.index(part, text.index("<h1>")) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        ("two", ["Promote", "Held:"]),
        ("three", ["Keep the champion", "Did not hold:"]),
        ("ten", ["Insufficient evidence", "Did not hold:"]),
        ("conditional", ["Conditional", "Did not hold:", "worse"]),
        ("only_predicted", ["only predicted"]),
        ("three_hundred", ["few", "300 classes"]),
        ("perfect", ["Neither side makes a mistake", "not estimable"]),
    ],
)
def test_the_page_says_it_in_words(situation: str, said: list[str]) -> None:
    """What a colour or a shape shows is also a word."""
    shown = Outline(page(situation)).text
    for words in said:
        assert words in shown


def test_long_tables_wait_folded() -> None:
    """The table by class is folded beyond fifty classes, and open up to there."""
    assert '<details class="every">' in page("folded")
    assert '<details class="every">' not in page("fifty")


def test_provenance_is_complete() -> None:
    """Versions, data, digest, seed, policy, libraries and command are all there."""
    record = SITUATIONS["two"]()
    shown = Outline(page("two")).text
    for fact in ("version 1", "rows.csv", "0123456789abcdef", "seed 0", record.provenance.policy_digest, "numpy 2.0.0"):
        assert fact in shown
    assert "2026-01-02 03:04:05 UTC" in shown
    assert "abtest compare --champion-stage Production" in shown


@every_situation
def test_a_notebook_gets_a_fragment(situation: str) -> None:
    """A notebook's cell gets verdict, reasons and metrics, sound and harmless too."""
    text = html.fragment(SITUATIONS[situation]())
    tags = {tag for tag, _ in Outline(text).elements}
    assert not tags & {"script", "img", "html", "body"}
    assert text.count("<table") == 1
    assert "<li>" in text


def test_columns_align_on_the_point() -> None:
    """Numbers of a column are padded to as many decimals, with spaces as wide as digits."""
    widths = {len(number.split(".")[1].rstrip("\u2007")) for number in ("1.0", "0.25")}
    padded = html.aligned(["+1.0", "−0.25", "–"])
    assert widths == {1, 2}
    assert padded == ["+1.0\u2007", "−0.25", "–"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, kept from calling home."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which is not on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    flags = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=[*flags.split(), "--no-first-run"]
        )
        yield chromium
        chromium.close()


def opened(browser: Any, folder: Path, situation: str, *, width: int = 1280, scheme: str = "light") -> Any:
    """A tab with a situation's page."""
    return show(browser, folder, page(situation), width=width, scheme=scheme)


def show(browser: Any, folder: Path, text: str, *, width: int = 1280, scheme: str = "light") -> Any:
    """A tab with a page; it must fetch nothing but the page and say nothing on the console."""
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    tab = context.new_page()
    tab.said, tab.asked = [], []
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(path.as_uri())
    return tab


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "situation", ["two", "hostile", "folded", "accuracy_alone", "shadow_harm", "split_mismatch", "split_hostile"]
)
def test_axe_finds_nothing(browser: Any, tmp_path: Path, situation: str, scheme: str) -> None:
    """Axe finds no violation, on light and on dark, with everything unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    tab = opened(browser, tmp_path, situation, scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    tab.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("situation", ["two", "fifty", "hostile", "unregistered", "shadow_hostile", "split_mismatch"])
def test_the_page_fits_its_screen(browser: Any, tmp_path: Path, situation: str, width: int) -> None:
    """A phone scrolls down and never sideways; the page is silent and fetches nothing."""
    tab = opened(browser, tmp_path, situation, width=width)
    tab.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.said == []
    assert [url for url in tab.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in tab.asked if url.startswith("file:")]) == 1
    tab.context.close()


@pytest.mark.browser
def test_the_page_works_by_keyboard(browser: Any, tmp_path: Path) -> None:
    """The first tab stop skips to the report, and every region that scrolls can be reached."""
    tab = opened(browser, tmp_path, "fifty", width=360)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "report"
    scrolling = "[...document.querySelectorAll('*')].filter(it => it.scrollWidth > it.clientWidth + 1"
    unreached = f"{scrolling} && getComputedStyle(it).overflowX === 'auto' && it.tabIndex < 0).length"
    assert tab.evaluate(unreached) == 0
    tab.context.close()


@pytest.mark.browser
def test_the_page_prints(browser: Any, tmp_path: Path) -> None:
    """On paper the page is dark on white whatever the screen was, nothing is cut, and folded tables are open."""
    tab = opened(browser, tmp_path, "ten", scheme="dark", width=690)
    tab.emulate_media(media="print", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 690
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.context.close()


def test_the_style_has_no_colour_of_its_own() -> None:
    """Every colour of the page comes from the palette."""
    style = page("two").partition("<style>")[2].partition("</style>")[0]
    rules = "\n".join(line for line in style.splitlines() if "--ink" not in line or "var(--ink)" in line)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb\(", rules)
