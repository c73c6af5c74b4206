"""A report of monitoring as a folder of files, which appears whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.reporter import folder
from abtest.reporter.monitoring import markdown
from abtest.reporter.monitoring.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from abtest.record.monitored import MonitoringRecord
    from abtest.reporter.figures import Drawn


def write(record: MonitoringRecord, parent: Path, *, figures: bool = True) -> Path:
    """Write ``report.html``, ``monitoring.json``, ``summary.md`` and ``figures/*.png`` to a new folder.

    Args:
        record: What to report.
        parent: The folder is made in here, named after the model and the time.
        figures: Draw them; without, the HTML has tables alone.

    Returns:
        The new folder.

    Raises:
        InvalidInputError: It cannot be written; nothing is left behind.
    """
    return folder.write_folder(parent, record, lambda part: fill(part, record, figures=figures))


def page(record: MonitoringRecord, path: Path | None, *, figures: bool = True) -> str:
    """Render the HTML page, and write it whole if a path is given.

    Raises:
        InvalidInputError: The path cannot be written.
    """
    return folder.write_page(_page(record, _drawn(record) if figures else ()), path)


def fill(part: Path, record: MonitoringRecord, *, figures: bool) -> None:
    """Write the files of a report of monitoring into a folder."""
    drawn = _drawn(record) if figures else ()
    if figures:
        folder.paint(part / "figures", drawn)
    (part / "report.html").write_text(_page(record, drawn), encoding="utf-8")
    (part / "monitoring.json").write_text(record.to_json() + "\n", encoding="utf-8")
    (part / "summary.md").write_text(markdown.render(summarise(record)), encoding="utf-8")


def _drawn(record: MonitoringRecord) -> tuple[Drawn, ...]:
    from abtest.reporter.monitoring import drawing  # noqa: PLC0415 - a report of tables does not pay for figures

    return drawing.render(record)


def _page(record: MonitoringRecord, drawn: Sequence[Drawn]) -> str:
    from abtest.reporter.monitoring import html  # noqa: PLC0415 - who only prepares for a report does not pay for Jinja

    return html.render(record, drawn)
