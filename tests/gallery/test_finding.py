"""Every report below a folder is found once, newest first; nothing that is found there stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError, NotFoundError
from abtest.gallery.finding import find
from tests.gallery.records import SITUATIONS, put

if TYPE_CHECKING:
    from pathlib import Path


def test_reports_are_newest_first(tmp_path: Path) -> None:
    """However deep and however named, reports stand by time, the newest first; of one time, by path."""
    record = SITUATIONS["offline-one_row"]()
    for name, hours in {"b": 0, "a": 0, "z/deep": 2, "c": -3}.items():
        put(replace(record, created_at=record.created_at + timedelta(hours=hours)), tmp_path / name)
    found = find(tmp_path)
    assert [it.path.parent.relative_to(tmp_path).as_posix() for it in found.shown] == ["z/deep", "a", "b", "c"]
    assert found.unread == ()


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_record_has_its_line(tmp_path: Path, situation: str) -> None:
    """A record of any kind, in any situation, is shown with its model, its verdict and its time."""
    record = SITUATIONS[situation]()
    put(record, tmp_path, page=False)
    found = find(tmp_path)
    (only,) = found.shown
    assert only.report is None
    assert only.entry.at == record.created_at
    kind = situation.partition("-")[0]
    told = {"monitoring": "monitoring", "training": "training", "live": "live experiment"}.get(kind, "comparison")
    assert only.entry.kind == told
    if kind in {"monitoring", "training"}:
        verdict = "TRAINED" if kind == "training" else record.health.status
    else:
        verdict = record.verdict if kind == "several" else record.decision.verdict
    assert only.entry.verdict == str(verdict)


def test_the_numbers_are_those_that_decided() -> None:
    """Of a comparison, the metric that the verdict hangs on; of monitoring, one that fell."""
    from abtest.reporter.gallery.entries import entry

    compared = SITUATIONS["offline-measured"]()
    row, found = compared.evaluation.find("rmse"), entry(compared).numbers
    assert found is not None
    assert (found.metric, found.before, found.after, found.effect) == ("rmse", row.champion, row.challenger, row.effect)
    assert found.tone == "better"  # though the effect is negative: of errors less is better
    fallen = entry(SITUATIONS["monitoring-degraded"]()).numbers
    assert fallen is not None
    assert fallen.tone == "worse"


def test_what_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """Damaged, foreign, older, newer and inconsistent files stand below with the reason; the others are shown."""
    put(SITUATIONS["offline-one_row"](), tmp_path / "good")
    several = SITUATIONS["several-two"]().to_dict()
    texts = {
        "cut": '{"schema_version": "1.0", "crea',
        "foreign": '{"accuracy": 0.9}',
        "older": '{"schema_version": "0.9", "created_at": "2020-01-01"}',
        "newer": '{"schema_version": "2.0", "created_at": "2040-01-01"}',
        "empty": json.dumps({**several, "comparisons": []}),
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "comparison.json").write_text(text, encoding="utf-8")
    (tmp_path / "folder" / "training.json").mkdir(parents=True)  # not a file at all
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "monitoring.json").symlink_to("nowhere")
    found = find(tmp_path)
    assert [it.path.parent.name for it in found.shown] == ["good"]
    told = {it.path.parent.name: it.why for it in found.unread}
    assert told.keys() == {*texts, "gone"}
    assert "older abtest" in told["older"]
    assert "newer abtest" in told["newer"]
    assert told["gone"] == "There is no such file."


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    """A record whose time was edited by hand is sorted among the others."""
    record = SITUATIONS["offline-one_row"]()
    path = put(record, tmp_path / "a")
    data = record.to_dict()
    data["created_at"] = "2026-01-02T03:04:06"
    path.write_text(json.dumps(data), encoding="utf-8")
    put(record, tmp_path / "b")
    assert [it.path.parent.name for it in find(tmp_path).shown] == ["a", "b"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    """A loop of links ends, and nothing is shown twice; a half-written report, which is hidden, is not shown."""
    put(SITUATIONS["offline-one_row"](), tmp_path / "reports" / "one")
    (tmp_path / "reports" / "one" / "loop").symlink_to(tmp_path)
    (tmp_path / "reports" / "twin").symlink_to(tmp_path / "reports" / "one")
    put(SITUATIONS["offline-one_row"](), tmp_path / "reports" / ".abtest-part")
    assert len(find(tmp_path).shown) == 1
    (tmp_path / "way").symlink_to(tmp_path / "reports")
    assert len(find(tmp_path / "way").shown) == 1  # the folder itself may be one


def test_where_there_is_nothing_to_show(tmp_path: Path) -> None:
    """A folder without reports, no folder, and a file each are told of, with what writes reports."""
    with pytest.raises(NotFoundError, match=r"no report below .*comparison\.json, monitoring\.json, training\.json"):
        find(tmp_path)
    with pytest.raises(NotFoundError, match="is not there"):
        find(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="must be a folder"):
        find(tmp_path / "file")
