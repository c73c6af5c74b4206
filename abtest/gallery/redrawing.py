"""A report made again from its record alone, without models or data."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import AbtestError, InvalidInputError, RefusedError
from abtest.record import MonitoringRecord
from abtest.record.reading import FILES, read_file
from abtest.record.trained import TrainingRecord
from abtest.reporter import folder as compared
from abtest.reporter.monitoring import folder as monitored
from abtest.reporter.training import folder as trained

if TYPE_CHECKING:
    from abtest.record.reading import AnyRecord

_PAGE, _FIGURES = "report.html", "figures"


def redraw(path: Path, output: Path | None = None, *, figures: bool = True, force: bool = False) -> Path:
    """Make the folder of a report again: page, summary and figures as they were, and the record as it is.

    Args:
        path: The record.
        output: The report's folder; the one that the record is in by default.
        figures: Draw them; without, the page has tables alone.
        force: Replace another report.

    Returns:
        The folder.

    Raises:
        InvalidInputError: It is no record, one of another version, or the folder cannot be written.
        RefusedError: Another report, or something else, is there.
    """
    try:
        record = read_file(path)
    except InvalidInputError as error:
        raise InvalidInputError(f"RECORD {path} cannot be drawn: {error.message}", hint=error.hint) from error
    folder, name, text = output or path.absolute().parent, FILES[type(record)], path.read_bytes()
    _check(folder, name, text, force=force)
    compared.prepare(folder)
    part = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".abtest-", dir=folder.parent))
        _fill(part, record, figures=figures)
        (part / name).write_bytes(text)
        _put(part, folder)
    except OSError as error:
        raise InvalidInputError(f"output {folder} cannot be written: {error.strerror}.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _check(folder: Path, name: str, text: bytes, *, force: bool) -> None:
    """Refuse to write over what is not this report; what is no report at all is never written over."""
    there = {it.name for it in folder.iterdir()} if folder.is_dir() else set()
    is_record_of_it = (folder / name).is_file() and (folder / name).read_bytes() == text
    # A record that somebody put beside figures of his own, without its page, is no report.
    others = there & ({_FIGURES, *FILES.values()} - {name})
    if not there or (is_record_of_it and (not others or (_PAGE in there and others == {_FIGURES}))):
        return
    if is_record_of_it and not force:
        what = " and ".join(sorted(others))
        raise RefusedError(
            f"output {folder} holds {what} beside the record, which would be replaced.",
            hint="--output names a new folder, or --force replaces it.",
        )
    if not there & {*FILES.values(), _PAGE}:
        raise RefusedError(f"output {folder} holds no report, but other files.", hint="--output names a new folder.")
    if not force:
        raise RefusedError(
            f"output {folder} holds another report.", hint="--output names a new folder, or --force replaces it."
        )


def _fill(part: Path, record: AnyRecord, *, figures: bool) -> None:
    """Draw it; a record that anybody may have edited can be read, and name what is not in it."""
    try:
        _drawn(part, record, figures=figures)
    except (AbtestError, OSError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {wording.first_line(error)}"
        raise InvalidInputError(f"What the record holds does not fit together ({said}).") from error


def _drawn(part: Path, record: AnyRecord, *, figures: bool) -> None:
    if isinstance(record, MonitoringRecord):
        monitored.fill(part, record, figures=figures)
    elif isinstance(record, TrainingRecord):
        trained.fill(part, record, figures=figures)
    else:
        compared.fill(part, record, figures=figures)


def _put(part: Path, folder: Path) -> None:
    """Give a new folder its name; in one that is there, replace what a report is made of, and that alone."""
    part.chmod(0o755)  # mkdtemp makes it private
    if not folder.exists():
        part.rename(folder)
        return
    old = folder / _FIGURES
    if old.is_symlink() or old.is_file():
        old.unlink()
    elif old.exists():
        shutil.rmtree(old)
    for name in set(FILES.values()) - {it.name for it in part.iterdir()}:
        (folder / name).unlink(missing_ok=True)
    for it in part.iterdir():
        it.replace(folder / it.name)
