"""One page over every report of a folder."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from abtest.errors import InvalidInputError
from abtest.reporter.files import write_whole
from abtest.reporter.gallery import page

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.gallery.finding import Gallery


def write(gallery: Gallery, output: Path, *, title: str = "Reports") -> None:
    """Write the page, whole or not at all.

    Args:
        gallery: What it shows.
        output: The file; one that is there is replaced if this made it.
        title: Of the page.

    Raises:
        InvalidInputError: It cannot be written, or another page is there.
    """
    if output.is_file() and not _is_ours(output):
        raise InvalidInputError(f"output {output} is another page, which is kept.", hint="--output names another file.")
    write_whole(output, render(gallery, output, title=title), "output")


def render(gallery: Gallery, output: Path, *, title: str = "Reports") -> str:
    """Render the page, with links as seen from where it will stand."""
    return page.render(
        title,
        [
            page.Line(
                entry=it.entry,
                link=_link(it.report, output) if it.report is not None else None,
                folder=_below(it.path.parent, gallery.folder),
            )
            for it in gallery.shown
        ],
        [page.Unshown(path=_below(it.path, gallery.folder), why=it.why) for it in gallery.unread],
        version("mlflow-abtest"),
    )


def spelled(gallery: Gallery) -> dict[str, Any]:
    """Spell a gallery as plain data for JSON."""
    return {
        "folder": str(gallery.folder),
        "reports": [
            {
                "record": str(it.path),
                "report": str(it.report) if it.report is not None else None,
                **{name: value for name, value in asdict(it.entry).items() if not name.startswith("verdict_")},
                "at": it.entry.at.isoformat(),
            }
            for it in gallery.shown
        ],
        "unread": [{"path": str(it.path), "why": it.why} for it in gallery.unread],
    }


def _link(report: Path, output: Path) -> str:
    """Say where a page is, as seen from another, with nothing in it that means something in an address."""
    return quote(os.fsencode(os.path.relpath(report, output.parent)).replace(os.sep.encode(), b"/"))


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _is_ours(path: Path) -> bool:
    mark = f'<meta name="generator" content="{page.GENERATOR}">'
    try:
        with path.open("rb") as file:
            return mark.encode() in file.read(4_000)
    except OSError:
        return False
