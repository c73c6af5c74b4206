"""The documentation is one static site: it builds without a warning, links lead somewhere, pages are current."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.guides import DOCS

if TYPE_CHECKING:
    from pathlib import Path
from typing import Any

_FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src")}


class _Page(HTMLParser):
    """The links, what is fetched, and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.anchors.add(str(value))
            elif tag == "a" and name == "href":
                self.links.add(str(value))
            elif (tag, name) in _FETCHED:
                self.fetched.add(str(value))


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    told = subprocess.run(  # noqa: S603 - the generator, as the guide for contributors types it
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "made", DOCS, folder / "html"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return folder / "html"


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    """Each link between pages is to a page that is there, and to an anchor on it."""
    pages = {path: _Page(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links | page.fetched:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.exists() or (known and parts.fragment and parts.fragment not in known.anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    """It can be read from a disk, behind any firewall."""
    fetched = {link for path in site.rglob("*.html") for link in _Page(path).fetched}
    assert not [link for link in fetched if re.match(r"(?:https?:)?//", link)]


def test_the_pages_of_the_commands_are_what_the_program_says() -> None:
    """A page that is out of date is a failing test: python docs/make_commands.py."""
    there = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "commands").iterdir()}
    assert there == {name: page.rstrip() + "\n" for name, page in _script("make_commands").pages().items()}


def test_the_pictures_are_what_their_numbers_draw() -> None:
    """A picture that is out of date is a failing test: python docs/make_pictures.py."""
    there = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "pictures").iterdir()}
    assert there == _script("make_pictures").pictures()
