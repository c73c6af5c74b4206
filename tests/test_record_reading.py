"""Records of every kind are read again; what an earlier abtest wrote too, and what none wrote is refused by name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from abtest.errors import InvalidInputError
from abtest.record import ComparisonRecord
from abtest.record.reading import read, read_file
from tests.gallery.records import SITUATIONS

EARLIEST = Path(__file__).parent / "gallery" / "earliest.json"
LATER = ("power", "bayes", "growth", "confirmation", "differences", "scores", "errors", "live")
PLAIN = {"schema_version": "1.0", "created_at": "2026-01-02T03:04:05Z"}


def test_the_earliest_comparison_is_read() -> None:
    """The first sample that was committed, of which half of today's fields were unknown, says today what it said."""
    record, told = read_file(EARLIEST), json.loads(EARLIEST.read_text(encoding="utf-8"))
    assert isinstance(record, ComparisonRecord)
    assert str(record.decision.verdict) == told["decision"]["verdict"] == str(record.decision.by_rule)
    assert [row.effect for row in record.metrics] == [row["effect"] for row in told["metrics"]]
    assert record.confusion is not None
    assert record.confusion.labels == tuple(told["outcomes"]["labels"])
    assert all(getattr(record, name) is None for name in LATER)


@pytest.mark.parametrize("lacks", [*LATER, "task", "labels", "by_rule"])
def test_what_came_later_is_filled_in(lacks: str) -> None:
    """Without a field that comparisons of 1.0 did not have from the first, a record is read as if it knew nothing."""
    record = SITUATIONS["offline-two"]()
    data = record.to_dict()
    within = {"labels": data["confusion"], "by_rule": data["decision"]}.get(lacks, data)
    known = {"task": record.task, "labels": record.confusion.labels, "by_rule": record.decision.by_rule}.get(lacks)
    del within[lacks]
    found: Any = read(data)
    assert getattr({"labels": found.confusion, "by_rule": found.decision}.get(lacks, found), lacks) == known


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"schema_version": "0.9"}, "Schema 0.9 was written by an older abtest; this abtest reads 1.0."),
        ({"schema_version": "2.0"}, "Schema 2.0 was written by a newer abtest; this abtest reads 1.0."),
        ({"schema_version": "1.1"}, "Schema 1.1 was written by a newer abtest; this abtest reads 1.0."),
        ({"schema_version": "one"}, "It is no record of abtest's: its schema_version is 'one'."),
        ({"schema_version": "1.0.0"}, "It is no record of abtest's: its schema_version is '1.0.0'."),
        ({"schema_version": 1.0}, "It is no record of abtest's: its schema_version is 1.0."),
        ({"schema_version": None}, "It is no record of abtest's: its schema_version is None."),
        ({}, "The comparison's model_name cannot be read: Field required."),
        ({"kind": "monitoring"}, "The monitoring's model_name cannot be read: Field required."),
        ({"kind": "training"}, "The training's task cannot be read: Field required."),
        ({"comparisons": []}, "The comparisons's task cannot be read: Field required."),
        ({"comparisons": [1]}, "The comparisons's task cannot be read: Field required."),
    ],
)
def test_what_is_no_record_of_ours_is_refused(data: dict[str, Any], told: str) -> None:
    """A version that is not read, and a record that is none, are named."""
    with pytest.raises(InvalidInputError) as refused:
        read(PLAIN | data)
    assert refused.value.message == told


@pytest.mark.parametrize("data", [None, [], "1.0", 3, {}, {"schema_version": "1.0"}, {"created_at": 1}])
def test_other_json_is_refused(data: object) -> None:
    """JSON that is something else is told from a record that is damaged."""
    with pytest.raises(InvalidInputError, match=r"^It is no record of abtest's\.$"):
        read(data)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": "1.0", "created'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: bytes) -> None:
    """What is no JSON, of another encoding, cut off, or nested without end, is refused in a sentence."""
    (tmp_path / "comparison.json").write_bytes(text)
    with pytest.raises(InvalidInputError, match="It holds no JSON, or not all of it"):
        read_file(tmp_path / "comparison.json")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe (which would be waited for), a link that leads nowhere, and nothing at all are no file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(InvalidInputError, match=r"It is a folder\. Hint: name the record in it"):
        read_file(tmp_path)
    for name in ("pipe", "link", "nothing"):
        with pytest.raises(InvalidInputError, match="There is no such file"):
            read_file(tmp_path / name)
