"""Pages under test: their outline, and what holds for each of them."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Elements with their attributes, texts by element, and whether everything that was opened was closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself, as SVG's do."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close an element: the one that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text that is shown."""
        if "style" not in self._open:
            self.text += data

    def all(self, name: str) -> list[str]:
        """Every value of one attribute."""
        return [value for _, attributes in self.elements if (value := attributes.get(name)) is not None]


def sound(text: str, *landmarks: str) -> Outline:
    """Hold a page to what makes it whole: all closed, ids unique, references lead somewhere, one of each landmark."""
    outline = Outline(text)
    tags, ids = [tag for tag, _ in outline.elements], outline.all("id")
    assert len(ids) == len(set(ids))
    assert {ref.removeprefix("#") for ref in outline.all("href") if ref.startswith("#")} <= set(ids)
    assert set(outline.all("aria-labelledby")) <= set(ids)
    for landmark in landmarks or ("h1", "main", "header", "footer", "nav", "title"):
        assert tags.count(landmark) == 1
    assert tags.count("table") == tags.count("caption")
    return outline


def harmless(text: str) -> Outline:
    """Hold a page to what makes it harmless: no script, no handler, no address to fetch from."""
    outline = Outline(text)
    tags = {tag for tag, _ in outline.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert not [name for _, attributes in outline.elements for name in attributes if name.startswith("on")]
    assert not outline.all("src")
    assert all(ref == "data:," or ref.startswith("#") for ref in outline.all("href"))
    assert "url(" not in text
    assert "@import" not in text
    return outline
