"""A report of training as a folder of files, which appears whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.reporter import folder
from abtest.reporter.files import write_whole
from abtest.reporter.training import markdown
from abtest.reporter.training.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abtest.record import TrainingRecord
    from abtest.reporter.figures import Drawn


def write(
    record: TrainingRecord, parent: Path, *, figures: bool = True, beside: Callable[[Path], None] = lambda _: None
) -> Path:
    """Write ``report.html``, ``training.json``, ``summary.md``, ``recipe.toml`` and ``figures/*.png`` to a new folder.

    Args:
        record: What to report.
        parent: The folder is made in here, named after the model, or the target, and the time.
        figures: Draw them; without, the HTML has tables alone.
        beside: Writes what else belongs into the folder.

    Returns:
        The new folder.

    Raises:
        InvalidInputError: It cannot be written; nothing is left behind.
    """

    def fill_all(part: Path) -> None:
        fill(part, record, figures=figures)
        beside(part)

    return folder.write_folder(parent, record, fill_all)


def fill(part: Path, record: TrainingRecord, *, figures: bool) -> None:
    """Write the files of a report of training into a folder."""
    drawn = _drawn(record) if figures else ()
    if figures:
        folder.paint(part / "figures", drawn)
    (part / "recipe.toml").write_text(record.recipe, encoding="utf-8")
    _tell(part, record, drawn)


def rewrite(record: TrainingRecord, report: Path, *, figures: bool = True) -> None:
    """Write what a folder tells anew, when it is known where its record was logged and registered.

    Raises:
        InvalidInputError: It cannot be written.
    """
    _tell(report, record, _drawn(record) if figures else ())


def page(record: TrainingRecord, path: Path | None, *, figures: bool = True) -> str:
    """Render the HTML page, and write it whole if a path is given.

    Raises:
        InvalidInputError: The path cannot be written.
    """
    return folder.write_page(_page(record, _drawn(record) if figures else ()), path)


def _tell(report: Path, record: TrainingRecord, drawn: Sequence[Drawn]) -> None:
    write_whole(report / "report.html", _page(record, drawn))
    write_whole(report / "training.json", record.to_json() + "\n")
    write_whole(report / "summary.md", markdown.render(summarise(record)))


def _drawn(record: TrainingRecord) -> tuple[Drawn, ...]:
    from abtest.reporter.training import drawing  # noqa: PLC0415 - a report of tables does not pay for figures

    return drawing.render(record)


def _page(record: TrainingRecord, drawn: Sequence[Drawn]) -> str:
    from abtest.reporter.training import html  # noqa: PLC0415 - who only prepares for a report does not pay for Jinja

    return html.render(record, drawn)
