"""A report is made again from its record alone, to the byte, and never over another."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError, RefusedError
from abtest.gallery.redrawing import redraw
from abtest.record import ComparisonRecord, ComparisonsRecord, MonitoringRecord
from abtest.reporter import folder as compared
from abtest.reporter.monitoring import folder as monitored
from abtest.reporter.training import folder as trained
from tests.gallery.records import SITUATIONS, put
from tests.test_record_reading import EARLIEST

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.record.reading import AnyRecord


def written(record: AnyRecord, parent: Path, *, figures: bool) -> Path:
    """A report, as the commands that make one write it."""
    if isinstance(record, ComparisonRecord | ComparisonsRecord):
        return compared.write(record, parent, figures=figures)
    if isinstance(record, MonitoringRecord):
        return monitored.write(record, parent, figures=figures)
    return trained.write(record, parent, figures=figures)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_report_without_figures_is_made_again(tmp_path: Path, situation: str) -> None:
    """From the record of any report, whatever it tells, every file of the report comes again, byte for byte."""
    report = written(SITUATIONS[situation](), tmp_path, figures=False)
    (record,) = report.glob("*.json")
    assert files(redraw(record, tmp_path / "again", figures=False)) == files(report)


def test_figures_are_made_again(tmp_path: Path) -> None:
    """So do the figures, on the page and beside it, where the report was and elsewhere; what else is there stays."""
    report = written(SITUATIONS["offline-accuracy_alone"](), tmp_path, figures=True)
    record, before = report / "comparison.json", files(report)
    again = redraw(record, tmp_path / "new" / "again")
    assert files(again) == before
    (again / "report.html").write_text("spoilt", encoding="utf-8")
    (again / "figures" / "old.png").write_bytes(b"of an earlier version")
    (again / "notes.txt").write_text("mine", encoding="utf-8")
    assert redraw(again / record.name) == again
    assert files(again) == before | {"notes.txt": b"mine"}


def test_the_record_stays_as_it_was_written(tmp_path: Path) -> None:
    """What an earlier abtest wrote is drawn as it is read today, and its record is kept as it is."""
    again = redraw(EARLIEST, tmp_path / "again", figures=False)
    assert (again / "comparison.json").read_bytes() == EARLIEST.read_bytes()
    told = json.loads(EARLIEST.read_text(encoding="utf-8"))
    assert told["model_name"] in (again / "summary.md").read_text(encoding="utf-8")


def test_another_report_is_kept(tmp_path: Path) -> None:
    """Another report is replaced by force alone, and then whole; a folder of other files never is."""
    record = put(SITUATIONS["offline-one_row"](), tmp_path / "one")
    other = written(SITUATIONS["monitoring-lone"](), tmp_path, figures=False)
    (other / "figures").mkdir()
    (other / "figures" / "old.png").touch()
    before = files(other)
    with pytest.raises(RefusedError, match="holds another report"):
        redraw(record, other, figures=False)
    assert files(other) == before
    redraw(record, other, figures=False, force=True)
    assert set(files(other)) == {"report.html", "comparison.json", "summary.md"}
    thesis = tmp_path / "thesis"
    (thesis / "figures").mkdir(parents=True)
    (thesis / "figures" / "mine.png").touch()
    for force in (False, True):
        with pytest.raises(RefusedError, match="holds no report, but other files"):
            redraw(record, thesis, figures=False, force=force)
    assert set(files(thesis)) == {"figures/mine.png"}


@pytest.mark.parametrize("mine", ["figures/mine.png", "training.json"])
def test_what_lies_beside_a_record_is_kept(tmp_path: Path, mine: str) -> None:
    """A record alone is drawn where it lies; not over figures, or another record, that somebody put there."""
    record = put(SITUATIONS["offline-one_row"](), tmp_path / "thesis")
    (tmp_path / "thesis" / "report.html").unlink(missing_ok=True)
    (tmp_path / "thesis" / mine).parent.mkdir(exist_ok=True)
    (tmp_path / "thesis" / mine).write_text("mine", encoding="utf-8")
    before = files(tmp_path)
    with pytest.raises(RefusedError, match="beside the record"):
        redraw(record)
    assert files(tmp_path) == before
    redraw(record, figures=False, force=True)
    assert set(files(tmp_path / "thesis")) == {"report.html", "comparison.json", "summary.md"}


def test_what_does_not_fit_together_is_a_sentence(tmp_path: Path) -> None:
    """A record that was edited, can be read and makes no sense is told so, and leaves nothing."""
    record = put(SITUATIONS["offline-one_row"](), tmp_path / "one")
    edited = json.loads(record.read_text(encoding="utf-8"))
    edited["metrics"][0]["metric"] = "another"
    record.write_text(json.dumps(edited), encoding="utf-8")
    before = files(tmp_path)
    with pytest.raises(InvalidInputError, match="does not fit together"):
        redraw(record, tmp_path / "again", figures=False)
    edited["schema_version"] = f"1.{'9' * 5_000}"
    record.write_text(json.dumps(edited), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="It is no record of abtest's"):
        redraw(record, tmp_path / "again", figures=False)
    assert before.keys() == files(tmp_path).keys()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """A folder that is there and empty is as good as a new one."""
    record = put(SITUATIONS["offline-one_row"](), tmp_path / "one")
    (tmp_path / "empty").mkdir()
    assert (redraw(record, tmp_path / "empty", figures=False) / "report.html").exists()


def test_what_cannot_be_drawn_leaves_nothing(tmp_path: Path) -> None:
    """No record, another version, a file in the way: a sentence each, and no folder."""
    record = put(SITUATIONS["offline-one_row"](), tmp_path / "one")
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="file is a file"):
        redraw(record, tmp_path / "file" / "new")
    with pytest.raises(InvalidInputError, match=r"RECORD .*nothing cannot be drawn: There is no such file\."):
        redraw(tmp_path / "nothing")
    record.write_text('{"schema_version": "0.9", "created_at": ""}', encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"Schema 0\.9 was written by an older abtest"):
        redraw(record, tmp_path / "again")
    shutil.rmtree(tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
