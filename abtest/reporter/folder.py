"""A record as a folder of files, which appears whole or not at all: here a comparison."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from abtest.errors import InvalidInputError
from abtest.record import ComparisonsRecord
from abtest.reporter import forest, markdown, sentences, several
from abtest.reporter.files import write_whole
from abtest.reporter.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.record import ComparisonRecord, TrainingRecord
    from abtest.record.monitored import MonitoringRecord
    from abtest.reporter.figures import Drawn

    Record: TypeAlias = ComparisonRecord | ComparisonsRecord
    Named: TypeAlias = Record | MonitoringRecord | TrainingRecord


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


def write(record: Record, parent: Path, *, figures: bool = True) -> Path:
    """Write ``report.html``, ``comparison.json``, ``summary.md`` and ``figures/*.png`` to a new folder.

    Args:
        record: What to report: one comparison, or several, whose figures have a folder for each challenger.
        parent: The folder is made in here, named after the models and the time.
        figures: Draw them; without, the HTML has tables alone.

    Returns:
        The new folder.

    Raises:
        InvalidInputError: It cannot be written; nothing is left behind.
    """
    return write_folder(parent, record, lambda folder: fill(folder, record, figures=figures))


def write_folder(parent: Path, record: Named, fill: Callable[[Path], None]) -> Path:
    """Make a folder of a record's files, named after it and the time, that appears whole or not at all.

    Args:
        parent: The folder is made in here.
        record: Whose name and time it bears.
        fill: Writes the files.

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
        fill(part)
        part.chmod(0o755)  # mkdtemp makes it private
        return _rename(part, parent, f"{record.name}-{record.created_at:%Y%m%dT%H%M%SZ}")
    except OSError as error:
        raise InvalidInputError(f"output {parent} cannot be written: {error.strerror}.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def page(record: Record, path: Path | None, *, figures: bool = True) -> str:
    """Render the HTML page, and write it whole if a path is given.

    Raises:
        InvalidInputError: The path cannot be written.
    """
    return write_page(_page(record, _drawn(record) if figures else ()), path)


def write_page(text: str, path: Path | None) -> str:
    """Write a page whole if a path is given, and give it back.

    Raises:
        InvalidInputError: The path cannot be written.
    """
    if path is not None:
        prepare(path.parent)
        write_whole(path, text)
    return text


def _drawn(record: Record) -> tuple[tuple[Drawn, ...], ...]:
    """Draw the figures of each comparison."""
    from abtest.reporter.figures import render  # noqa: PLC0415 - a report of tables does not pay for matplotlib

    return tuple(render(one) for one in (record.comparisons if isinstance(record, ComparisonsRecord) else [record]))


def _page(record: Record, drawn: Sequence[Sequence[Drawn]]) -> str:
    from abtest.reporter import html  # noqa: PLC0415 - who only prepares for a report does not pay for Jinja

    if isinstance(record, ComparisonsRecord):
        return html.render_several(record, figures=drawn)
    return html.render(record, figures=drawn[0] if drawn else ())


def fill(folder: Path, record: Record, *, figures: bool) -> None:
    """Write the files of a report of a comparison into a folder."""
    drawn = _drawn(record) if figures else ()
    if isinstance(record, ComparisonsRecord):
        note = markdown.render_several(several.summarise(record))
        if drawn:
            paint(folder / "figures", forest.drawn(record))
            for name, own in zip(_folders(record), drawn, strict=True):
                paint(folder / "figures" / name, own)
    else:
        note = markdown.render(summarise(record))
        if drawn:
            paint(folder / "figures", drawn[0])
    (folder / "report.html").write_text(_page(record, drawn), encoding="utf-8")
    (folder / "comparison.json").write_text(record.to_json() + "\n", encoding="utf-8")
    (folder / "summary.md").write_text(note, encoding="utf-8")


def paint(folder: Path, drawn: Sequence[Drawn]) -> None:
    """Write figures to a new folder, as PNG."""
    folder.mkdir()
    for figure in drawn:
        (folder / f"{figure.name}.png").write_bytes(figure.png)


def _folders(record: ComparisonsRecord) -> list[str]:
    """Name a folder for each challenger after it: of a name, what means nothing in a path; each another, in any case.

    Windows and macOS take "V2" and "v2" for one.
    """
    found: list[str] = []
    for name in sentences.names_of(record):
        plain = re.sub(r"[^\w.]+", "-", name)[-60:].strip("-.") or "challenger"
        taken = {other.casefold() for other in found} | {f"{forest.NAME}.png"}
        numbered = (plain if number == 1 else f"{plain}-{number}" for number in itertools.count(1))
        found.append(next(one for one in numbered if one.casefold() not in taken))
    return found


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
