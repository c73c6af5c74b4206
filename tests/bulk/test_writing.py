"""A file is there whole or not at all, and nothing is replaced that may not be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest

from abtest.bulk.writing import opened, refuse_in_the_way
from abtest.errors import InvalidInputError
from tests.live.disks import small_disk  # noqa: F401 - a fixture
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.bulk.writing import Writer

ENDINGS = (".csv", ".parquet", ".jsonl")
ROWS = pa.record_batch({"id": [1, 2, 3], "prediction": ["a", "b", "a"]})


def read(path: Path) -> pd.DataFrame:
    """Read a file back, by pandas."""
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True)
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, *batches: pa.RecordBatch, force: bool = False) -> None:
    """Write batches to a file."""
    with opened(path, force=force) as writer:
        for batch in batches:
            writer.write(batch)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_reads_back(tmp_path: Path, ending: str) -> None:
    """Batches one after another are one file, of the permissions that the umask leaves."""
    path = tmp_path / f"out{ending}"
    before = os.umask(0o027)
    try:
        write(path, ROWS, ROWS.slice(1))
    finally:
        os.umask(before)
    assert read(path).to_dict("list") == {"id": [1, 2, 3, 2, 3], "prediction": ["a", "b", "a", "b", "a"]}
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_goes_wrong_leaves_nothing(tmp_path: Path, ending: str, error: type[BaseException]) -> None:
    """After an error or an interruption no file is there; one that was there is there still."""
    there, path = tmp_path / f"there{ending}", tmp_path / f"out{ending}"
    there.write_text("kept")

    def interrupted(writer: Writer) -> None:
        writer.write(ROWS)
        raise error

    for target in (there, path):
        with pytest.raises(error), opened(target, force=True) as writer:
            interrupted(writer)
    assert names(tmp_path) == [there.name]
    assert there.read_text() == "kept"


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    """Not what was there before, nor what comes to be while rows are predicted."""
    path = tmp_path / "out.csv"
    with pytest.raises(InvalidInputError, match=r"has come to be meanwhile\. Hint: --force"), opened(path, force=False):
        path.write_text("another's")
    assert path.read_text() == "another's"
    with pytest.raises(InvalidInputError, match=r"is there already\. Hint: --force"):
        refuse_in_the_way(path, [], None, force=False)
    write(path, ROWS, force=True)
    assert len(read(path)) == 3
    assert names(tmp_path) == ["out.csv"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a link leads to is written."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "file.csv")
    write(tmp_path / "link.csv", ROWS, force=True)
    assert (tmp_path / "link.csv").is_symlink()
    assert len(read(tmp_path / "file.csv")) == 3


def test_what_is_read_is_never_written(tmp_path: Path) -> None:
    """Whatever way it is named, and whatever is forced."""
    data = tmp_path / "in.csv"
    data.write_text("a\n1\n")
    (tmp_path / "soft.csv").symlink_to(data)
    os.link(data, tmp_path / "hard.csv")
    for name in ("in.csv", "soft.csv", "hard.csv"):
        with pytest.raises(InvalidInputError, match="is what is read"):
            refuse_in_the_way(tmp_path / name, [data], None, force=True)
    with pytest.raises(InvalidInputError, match="lies in the folder that is read"):
        refuse_in_the_way(tmp_path / "out.parquet", [data], tmp_path, force=True)


def test_what_cannot_be_a_file(tmp_path: Path) -> None:
    """A folder in its place and a folder that is not there are told before any work."""
    (tmp_path / "folder.csv").mkdir()
    for name, says in (("folder.csv", "is no file"), ("none/out.csv", "there is no folder")):
        with pytest.raises(InvalidInputError, match=says):
            refuse_in_the_way(tmp_path / name, [], None, force=True)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk(request: pytest.FixtureRequest, ending: str) -> None:
    """It is told in a sentence, and nothing is left on it."""
    disk: Path = request.getfixturevalue("small_disk")
    many = pa.record_batch({"prediction": [f"class {i}" for i in range(300_000)]})
    with pytest.raises(InvalidInputError, match=r"out.* cannot be written: No space left on device"):
        write(disk / f"out{ending}", many, many)
    assert names(disk) == []


KILLED = """
import pathlib, sys, time
import pyarrow as pa
from abtest.bulk.writing import opened
with opened(pathlib.Path("out.parquet"), force=False) as writer:
    for _ in range(4):
        writer.write(pa.record_batch({"prediction": [1.5] * 100_000}))
    pathlib.Path("half").touch()
    time.sleep(60)
"""


def test_killed_in_the_middle(tmp_path: Path) -> None:
    """A process that is killed leaves no file by that name."""
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path)  # noqa: S603 - our own
    try:
        until((tmp_path / "half").exists)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "out.parquet").exists()


def test_parquet_columns_have_one_type(tmp_path: Path) -> None:
    """A later batch is cast where nothing is lost; else it is told from which row on, and in text it is no matter."""
    whole, broken = pa.record_batch({"a": [1, 2]}), pa.record_batch({"a": [1.0, 2.5]})
    write(tmp_path / "cast.parquet", pa.record_batch({"a": [0.5]}), whole)
    assert read(tmp_path / "cast.parquet")["a"].tolist() == [0.5, 1.0, 2.0]
    for first, then in ((whole, broken), (pa.record_batch({"a": pa.nulls(2)}), whole)):
        with pytest.raises(InvalidInputError, match=r"Column 'a' is of type \w+ at first, and of type \w+ from row 3"):
            write(tmp_path / "out.parquet", first, then)
        write(tmp_path / "out.csv", first, then, force=True)
    rounded = pa.record_batch({"a": pa.array([0.5], pa.float32())}), pa.record_batch({"a": [0.1]})
    with pytest.raises(InvalidInputError, match="of type float at first, and of type double from row 2"):
        write(tmp_path / "out.parquet", *rounded)
