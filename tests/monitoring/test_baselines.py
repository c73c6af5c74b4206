"""A baseline holds what tracking the same rows would have told, in a small file that is whole or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from abtest.errors import InvalidInputError, NotFoundError
from abtest.live.store import Store
from abtest.monitoring import baselines, tracking
from abtest.windows import Tallied, Window
from tests.monitoring.tracked import alike, held, plain, prices, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPTIONS: dict[str, Any] = {"prediction": "predicted", "target": "kind", "segments": ["shop"], "version": 3}


def without_time(frame: Any) -> Any:
    """Rows of which nobody knows when they were."""
    return frame.drop(columns=["time", "id"])


@pytest.mark.parametrize("make", [rows, prices])
def test_a_baseline_is_what_tracking_tells(make: Any, tmp_path: Path) -> None:
    """With times a baseline has the same hours and days as a store that tracked the rows."""
    window = baselines.from_data(make(), **OPTIONS, time_column="time", features=["weight", "colour"])
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as log:
        tracking.track(log, "shop", make(), **OPTIONS, time_column="time", features=["weight", "colour"])
        assert alike(plain(window), held(log))
    assert window.start == window.buckets[0].start
    assert window.versions() == (3,)


@pytest.mark.parametrize("make", [rows, prices])
def test_without_time_it_is_one_period(make: Any) -> None:
    """Without times all rows are one bucket: the sum of the hours that they would have been in."""
    one = baselines.from_data(without_time(make()), **OPTIONS)
    hours = baselines.from_data(make().drop(columns="id"), **OPTIONS, time_column="time")
    assert (one.start, one.end, len(one.buckets), len(one.sketches)) == (None, None, 1, 1)
    assert alike(one.whole().to_dict(), Tallied.sum(bucket.tallied for bucket in hours.buckets).to_dict())
    assert {name: sketch.to_dict() for name, sketch in one.features().items()} == {
        name: sketch.to_dict() for name, sketch in hours.features().items()
    }


@pytest.mark.parametrize("make", [rows, prices])
@pytest.mark.parametrize("time_column", ["time", None])
def test_what_was_written_is_read(make: Any, time_column: str | None, tmp_path: Path) -> None:
    """A window is read as it was written, and twenty thousand rows take no more room than a picture."""
    frame = make() if time_column else without_time(make(20_000, days=20))
    window = baselines.from_data(frame, **OPTIONS, time_column=time_column)
    path = tmp_path / "baseline.json"
    baselines.write(window, path, name="the test data")
    found = baselines.read(path)
    assert plain(found) == plain(window)
    assert (found.start, found.end) == (window.start, window.end)
    assert json.loads(path.read_text())["name"] == "the test data"
    assert path.stat().st_size < 200_000


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """A baseline replaces no file unless told to, and an empty window is none."""
    path = tmp_path / "baseline.json"
    path.write_text("mine")
    window = baselines.from_data(rows(), **OPTIONS)
    with pytest.raises(InvalidInputError, match="is there already"):
        baselines.write(window, path, name="x")
    with pytest.raises(InvalidInputError, match="must hold predictions"):
        baselines.write(Window(start=None, end=None, buckets=()), path, name="x", force=True)
    assert path.read_text() == "mine"
    baselines.write(window, path, name="x", force=True)
    assert baselines.read(path).whole().n == 600
    assert [each.name for each in tmp_path.iterdir()] == ["baseline.json"]


def changed(**parts: Any) -> Callable[[dict[str, Any]], object]:
    """A baseline with other parts."""
    return lambda data: {**data, **parts}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: [], "its kind is another"),
        (changed(kind="abtest policy"), "its kind is another"),
        (changed(version=2), "its version is 2"),
        (changed(more=1), "it must hold"),
        (changed(start="2026-03-01T00:00:00"), "are not as they must be"),
        (changed(buckets=None), "are not as they must be"),
        (changed(buckets=[{"start": None, "version": "1", "tallied": {}}]), "are not as they must be"),
        (changed(buckets=[{"start": None, "version": 1, "tallied": {"m": 1}}]), "A tally must hold some of"),
        (changed(sketches=[{"day": None, "version": 1, "features": {"x": {}}}]), "is no baseline"),
    ],
)
def test_what_is_none_is_refused(change: Callable[[dict[str, Any]], object], told: str, tmp_path: Path) -> None:
    """A file that is no baseline is refused in a sentence that says why, and how one is made."""
    path = tmp_path / "baseline.json"
    baselines.write(baselines.from_data(rows(), **OPTIONS), path, name="x")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InvalidInputError, match=told) as refused:
        baselines.read(path)
    assert "abtest monitor baseline" in str(refused.value)


def test_what_is_not_there_or_no_json_is_refused(tmp_path: Path) -> None:
    """A file that is not there is not found; one that is damaged is no baseline."""
    with pytest.raises(NotFoundError, match="does not exist"):
        baselines.read(tmp_path / "nowhere.json")
    (tmp_path / "bad.json").write_text('{"kind": ')
    with pytest.raises(InvalidInputError, match="is no baseline"):
        baselines.read(tmp_path / "bad.json")
    with pytest.raises(InvalidInputError, match="is no baseline"):
        baselines.read(tmp_path)
