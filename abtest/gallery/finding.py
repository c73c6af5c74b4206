"""Reports below a folder, found by the records they hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError, NotFoundError
from abtest.record.reading import FILES, read_file
from abtest.reporter.gallery.entries import Entry, entry

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORT = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A report that was found.

    Attributes:
        path: Its record.
        report: Its page; None where there is none.
        entry: What stands in it, in a line.
    """

    path: Path
    report: Path | None
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file that bears a record's name and cannot be read as one.

    Attributes:
        path: Which.
        why: In a sentence.
    """

    path: Path
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Every report below a folder.

    Attributes:
        folder: Which.
        shown: The reports, newest first.
        unread: Files that cannot be shown, by name.
    """

    folder: Path
    shown: tuple[Shown, ...]
    unread: tuple[Unread, ...]


def find(folder: Path) -> Gallery:
    """Find every report below a folder; what cannot be read is told, and stops nothing.

    Links to folders are not followed, nor are hidden folders looked into.

    Raises:
        NotFoundError: There is no such folder, or no report below it.
        InvalidInputError: It is no folder.
    """
    if not folder.exists():
        raise NotFoundError(f"DIR {folder} is not there.", hint="'abtest compare' writes reports to reports/.")
    if not folder.is_dir():
        raise InvalidInputError(f"DIR must be a folder, got the file {folder}.")
    closed: list[Unread] = []
    found = [_looked_at(path) for path in _records(folder, closed)]
    shown = [it for it in found if isinstance(it, Shown)]
    unread = [*closed, *(it for it in found if isinstance(it, Unread))]
    if not found:
        names = ", ".join(sorted(set(FILES.values())))
        raise NotFoundError(
            f"There is no report below {folder}: no {names}.",
            hint="'abtest compare', 'abtest monitor report' and 'abtest train' write reports, to reports/ by default.",
        )
    return Gallery(
        folder=folder,
        shown=tuple(sorted(shown, key=lambda it: (-it.entry.at.timestamp(), str(it.path)))),
        unread=tuple(sorted(unread, key=lambda it: str(it.path))),
    )


def _records(folder: Path, closed: list[Unread]) -> Iterator[Path]:
    """Give every file with a record's name; folders that may not be entered are noted."""

    def note(error: OSError) -> None:
        closed.append(Unread(path=Path(error.filename), why=f"It cannot be read: {error.strerror}."))

    names = set(FILES.values())
    for here, below, files in os.walk(folder, onerror=note):
        below[:] = [name for name in below if not name.startswith(".")]  # a report is hidden while it is written
        yield from (Path(here) / name for name in files if name in names)


def _looked_at(path: Path) -> Shown | Unread:
    try:
        found = entry(read_file(path))
    except InvalidInputError as error:
        return Unread(path=path, why=str(error))
    except Exception as error:  # noqa: BLE001 - one file, which anybody may have edited, must not hide a thousand others
        return Unread(path=path, why=f"What it holds does not fit together ({type(error).__name__}: {error}).")
    report = path.with_name(REPORT)
    return Shown(path=path, report=report if report.is_file() else None, entry=found)
