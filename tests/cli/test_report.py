"""`abtest report index` and `abtest report redraw`, as they are typed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.gallery.records import SITUATIONS, put
from tests.reporter.pages import Outline

if TYPE_CHECKING:
    from tests.conftest import Cli

HOSTILE = "a <b> & 'c' \"d\" #e?f%20"


@pytest.fixture(name="reports")
def _reports(tmp_path: Path) -> Path:
    """A folder of reports of each kind, one under a hostile name, and a damaged one."""
    for situation in ("offline-two", "several-two", "live-shadow_harm", "monitoring-degraded", "training-sure"):
        put(SITUATIONS[situation](), tmp_path / "reports" / f"{HOSTILE} {situation}")
    (tmp_path / "reports" / "damaged").mkdir()
    (tmp_path / "reports" / "damaged" / "comparison.json").write_text("{", encoding="utf-8")
    return tmp_path / "reports"


def test_index_makes_a_page(cli: Cli, reports: Path) -> None:
    """Every report stands on the page with a link that leads to it, and what cannot be read is told; again alike."""
    told = cli("report", "index", "reports", "--title", "Ours")
    assert "Degraded" in told.out
    assert "Page      reports/index.html" in told.err
    assert "1 cannot be read; the first is reports/damaged/comparison.json: It holds no JSON" in told.err
    page = (reports / "index.html").read_text(encoding="utf-8")
    outline = Outline(page)
    links = [link for link in outline.all("href") if link.endswith("report.html")]
    assert len(links) == 5
    assert all((reports / unquote(link)).is_file() for link in links)
    assert "<title>Ours</title>" in page
    cli("report", "index", "reports", "--title", "Ours", "--quiet")  # over its own page
    assert (reports / "index.html").read_text(encoding="utf-8") == page


def test_index_elsewhere_links_back(cli: Cli, reports: Path, tmp_path: Path) -> None:
    """A page that stands elsewhere leads to the same reports."""
    cli("report", "index", "reports", "--output", "site/all/page.html", "--quiet")
    page = tmp_path / "site" / "all" / "page.html"
    links = [link for link in Outline(page.read_text(encoding="utf-8")).all("href") if link.endswith("report.html")]
    assert {(page.parent / unquote(link)).resolve() for link in links} == {*reports.glob("*/report.html")}


def test_index_as_json(cli: Cli, reports: Path) -> None:
    """Programs get what the page shows, as plain data, newest first."""
    told = json.loads(cli("report", "index", "reports", "--format", "json").out)
    times = [it["at"] for it in told["reports"]]
    assert times == sorted(times, reverse=True)
    assert {it["kind"] for it in told["reports"]} == {"comparison", "live experiment", "monitoring", "training"}
    assert all(Path(it["record"]).is_file() for it in told["reports"])
    assert [it["path"] for it in told["unread"]] == ["reports/damaged/comparison.json"]
    assert reports.exists()


def test_index_with_names_that_no_page_can_show(cli: Cli, tmp_path: Path) -> None:
    """A folder whose name is no text, or would move a terminal's cursor, is linked to, or told of harmlessly."""
    raw = Path(os.fsdecode(os.fsencode(tmp_path) + b"/reports/\xff\xfe"))
    put(SITUATIONS["offline-one_row"](), raw)
    (tmp_path / "reports" / "\x1b[2J").mkdir()
    (tmp_path / "reports" / "\x1b[2J" / "comparison.json").write_text("{", encoding="utf-8")
    told = cli("report", "index", "reports")
    assert "\x1b" not in told.err + told.out
    page = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    assert 'href="%FF%FE/report.html"' in page
    assert "\x1b" not in page
    cli("report", "index", "reports", "--format", "json")


def test_index_keeps_what_is_not_its_own(cli: Cli, reports: Path) -> None:
    """A page that something else made is kept; a folder without reports, and none, are told of."""
    (reports / "index.html").write_text("my home page", encoding="utf-8")
    told = cli("report", "index", "reports", code=1)
    assert told.error == "output reports/index.html is another page, which is kept. Hint: --output names another file."
    assert (reports / "index.html").read_text(encoding="utf-8") == "my home page"
    (reports.parent / "empty").mkdir()
    assert cli("report", "index", "empty", code=1).error.startswith(
        "There is no report below empty: no comparison.json"
    )
    assert cli("report", "index", "nowhere", code=1).error.startswith("DIR nowhere is not there.")


def test_redraw_draws_again(cli: Cli, reports: Path) -> None:
    """A report is drawn from its record: elsewhere, or where it is; several at once where they are."""
    (record,) = reports.glob("*offline-two/comparison.json")
    told = cli("report", "redraw", str(record), "--output", "again", "--no-save-plot")
    assert "Report    again/report.html" in told.err
    page = Path("again/report.html").read_text(encoding="utf-8")
    (other,) = reports.glob("*training-sure/training.json")
    told = cli("report", "redraw", str(record), str(other), "--no-save-plot")
    assert told.err.count("report.html") == 2
    assert record.with_name("report.html").read_text(encoding="utf-8") == page
    assert other.with_name("report.html").read_text(encoding="utf-8") != "a report"


def test_redraw_refuses(cli: Cli, reports: Path) -> None:
    """Another report in the way, no record, and one folder for two are refused; --force replaces the first."""
    (record,) = reports.glob("*offline-two/comparison.json")
    (other,) = reports.glob("*several-two/comparison.json")
    there = str(other.parent)
    assert "holds another report" in cli("report", "redraw", str(record), "--output", there, code=1).error
    cli("report", "redraw", str(record), "--output", there, "--force", "--no-save-plot", "--quiet")
    assert other.read_bytes() == record.read_bytes()
    assert "holds no JSON" in cli("report", "redraw", "reports/damaged/comparison.json", code=1).error
    assert "takes one RECORD" in cli("report", "redraw", "a", "b", "--output", "c", code=2).err
