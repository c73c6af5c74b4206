"""The comparison as a folder of files, which appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError
from abtest.reporter import html, markdown
from abtest.reporter.summary import summarise

if TYPE_CHECKING:
    from abtest.record import ComparisonRecord
    from abtest.reporter.figures import Drawn


def prepare(parent: Path) -> None:
    """Make sure, before any work is done, that reports can be written there.

    Raises:
        InvalidInputError: They cannot.
    """
    there = parent.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent  # what is not there yet is made when there is something to write
    if not there.is_dir():
        raise InvalidInputError(f"output {parent} cannot be written: {there} is a file.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidInputError(f"output {parent} cannot be written: permission denied.")


def write(record: ComparisonRecord, parent: Path, *, figures: bool = True) -> Path:
    """Write ``report.html``, ``comparison.json``, ``summary.md`` and ``figures/*.png`` to a new folder.

    Args:
        record: What to report.
        parent: The folder is made in here, named after the models and the time.
        figures: Draw them; without, the HTML has tables alone.

    Returns:
        The new folder.

    Raises:
        InvalidInputError: It cannot be written; nothing is left behind.
    """
    prepare(parent)
    part = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".abtest-", dir=parent))
        _fill(part, record, figures=figures)
        part.chmod(0o755)  # mkdtemp makes it private
        return _rename(part, parent, f"{record.name}-{record.created_at:%Y%m%dT%H%M%SZ}")
    except OSError as error:
        raise InvalidInputError(f"output {parent} cannot be written: {error.strerror}.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def page(record: ComparisonRecord, path: Path | None, *, figures: bool = True) -> str:
    """Render the HTML page, and write it whole if a path is given.

    Raises:
        InvalidInputError: The path cannot be written.
    """
    text = html.render(record, figures=_drawn(record) if figures else ())
    if path is not None:
        prepare(path.parent)
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)
    return text


def _drawn(record: ComparisonRecord) -> tuple[Drawn, ...]:
    from abtest.reporter.figures import render  # noqa: PLC0415 - a report of tables does not pay for matplotlib

    return render(record)


def _fill(folder: Path, record: ComparisonRecord, *, figures: bool) -> None:
    drawn = _drawn(record) if figures else ()
    if drawn:
        (folder / "figures").mkdir()
        for figure in drawn:
            (folder / "figures" / f"{figure.name}.png").write_bytes(figure.png)
    (folder / "report.html").write_text(html.render(record, figures=drawn), encoding="utf-8")
    (folder / "comparison.json").write_text(record.to_json() + "\n", encoding="utf-8")
    (folder / "summary.md").write_text(markdown.render(summarise(record)), encoding="utf-8")


def _rename(part: Path, parent: Path, name: str) -> Path:
    """Give the folder its name; a second one in the same second is numbered."""
    for number in range(1, 1000):
        final = parent / (name if number == 1 else f"{name}-{number}")
        try:
            part.rename(final)
        except OSError:
            if final.exists():
                continue
            raise
        return final
    raise InvalidInputError(f"output {parent} holds a thousand reports of this second.")
