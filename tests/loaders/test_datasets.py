"""Rows come in batches of one size, the same from every format, however often they are read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from abtest.errors import InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data

if TYPE_CHECKING:
    from collections.abc import Callable

from tests.loaders.rows import rows_of, write


def test_a_data_frame() -> None:
    """A data frame is read as it is, whatever its index, its column names and its object columns."""
    frame = pd.DataFrame({1: [1, 2], "b": pd.Series(["x", None], dtype=object)}).set_axis([7, 7])
    assert open_data(frame).columns == ("1", "b")
    assert rows_of(frame) == [{"1": 1, "b": "x"}, {"1": 2, "b": None}]
    assert open_data(frame).row_count() == 2


def test_a_data_frame_of_mixed_parts() -> None:
    """An object column that is all missing for the first rows is read on when it is not."""
    frame = pd.DataFrame({"a": pd.Series([None] * 60_000 + ["x"], dtype=object)})
    assert rows_of(frame, rows=50_000)[-1] == {"a": "x"}


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pd.DataFrame({"a": []}), "the data frame holds no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the data frame has two columns named 'a'"),
        (pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}), "the data frame has a column of mixed types"),
    ],
)
def test_a_data_frame_that_is_none(frame: pd.DataFrame, told: str) -> None:
    """No rows, two columns of a name, or a column of mixed types are refused."""
    with pytest.raises(InvalidInputError, match=told):
        rows_of(frame)


def _writers() -> dict[str, Callable[[pd.DataFrame], str]]:
    def csv(frame: pd.DataFrame) -> str:
        frame.to_csv("t.csv", index=False)
        return "t.csv"

    def tsv(frame: pd.DataFrame) -> str:
        frame.to_csv("t.tsv", index=False, sep="\t")
        return "t.tsv"

    def parquet(frame: pd.DataFrame) -> str:
        frame.to_parquet("t.parquet")
        return "t.parquet"

    def folder(frame: pd.DataFrame) -> str:
        Path("folder").mkdir()
        step = len(frame) // 4 + 1
        for part, start in enumerate(range(0, len(frame), step)):
            frame[start : start + step].to_parquet(f"folder/part-{part}.parquet")
        return "folder"

    def pattern(frame: pd.DataFrame) -> str:
        frame[:5].to_csv("g1.csv", index=False)
        frame[5:].to_csv("g2.csv", index=False)
        return "g*.csv"

    def lines(frame: pd.DataFrame) -> str:
        frame.to_json("t.jsonl", orient="records", lines=True)
        return "t.jsonl"

    return {"csv": csv, "tsv": tsv, "parquet": parquet, "folder": folder, "glob": pattern, "jsonl": lines}


WRITERS = _writers()


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("rows", [1, 4, 50])
def test_every_format_gives_the_same_rows(writer: Callable[[pd.DataFrame], str], rows: int) -> None:
    """Every format gives the same rows, in batches of exactly the size asked for but the last, any number of times."""
    frame = pd.DataFrame({"a": np.arange(23), "b": np.arange(23) / 2, "c": ["x", "y, z"] * 11 + ["ü"]})
    data = open_data(writer(frame))
    assert data.columns == ("a", "b", "c")
    for _ in range(2):
        batches = list(data.batches(["c", "a"], {}, rows=rows))
        assert {batch.num_rows for batch in batches[:-1]} <= {rows}
        read = [row for batch in batches for row in batch.to_pylist()]
        assert read == frame[["c", "a"]].to_dict("records")


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_the_digest_names_the_content(writer: Callable[[pd.DataFrame], str]) -> None:
    """The digest is the same for the same rows and changes with the last of them; MLflow takes its length."""
    frame = pd.DataFrame({"a": np.arange(20_000)})
    first = open_data(writer(frame)).digest()
    assert open_data(frame).digest() == open_data(frame.copy()).digest()
    frame.loc[19_999, "a"] = -1
    if Path("folder").exists():
        for path in Path("folder").iterdir():
            path.unlink()
        Path("folder").rmdir()
    assert open_data(writer(frame)).digest() != first
    assert len(first) <= 36
    assert set(first) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere.csv", "test-data nowhere.csv does not exist."),
        ("t.cvs", "test-data t.cvs does not exist. Hint: did you mean 't.csv'"),
        ("no*.csv", r"test-data no\*.csv does not exist"),
        ("bare", "test-data bare is a folder without Parquet files. Hint: name a file or a glob."),
        ("t.xlsx", "test-data t.xlsx is of no known format. Hint: known endings are .csv, .tsv, .parquet"),
        ("t.*", "matches files of several formats|is of no known format"),
    ],
)
def test_sources_that_are_none(source: str, told: str) -> None:
    """A source that is not there, or of no known format, is said with what would do."""
    write("t.csv", "a\n1\n")
    write("t.xlsx", "PK")
    Path("bare").mkdir()
    with pytest.raises((NotFoundError, InvalidInputError), match=told):
        open_data(source)


def test_refuses_no_rows_at_a_time_and_unknown_columns() -> None:
    """A batch has at least one row, and a column that is not there is named with those that are."""
    data = open_data(write("t.csv", "alpha,beta\n1,2\n"))
    with pytest.raises(InvalidInputError, match="batch_size must be at least 1, got 0"):
        data.batches(["alpha"], {}, rows=0)
    with pytest.raises(InvalidInputError, match=r"t.csv has no column 'alhpa'. Hint: did you mean 'alpha'"):
        data.batches(["alhpa"], {})
    with pytest.raises(InvalidInputError, match=r"t.csv has no column 'x'. Hint: its columns are alpha, beta."):
        data.batches(["x"], {})


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read where Linux tells it")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_is_flat_in_rows(ending: str) -> None:
    """Reading ten times the rows takes no more memory."""
    peaks = []
    for rows in (200_000, 2_000_000):
        frame = pd.DataFrame({f"x{i}": np.arange(rows) * (i + 0.5) for i in range(6)} | {"y": np.arange(rows) % 3})
        name = f"{rows}.{ending}"
        frame.to_csv(name, index=False) if ending == "csv" else frame.to_parquet(name, row_group_size=100_000)
        script = (
            "from pathlib import Path\n"
            "from abtest.loaders.datasets import open_data\n"
            f"data = open_data({name!r})\n"
            "n = sum(batch.num_rows for batch in data.batches(data.columns, {}))\n"
            "data.digest()\n"
            "print(n, Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
        )
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
        n, peak = json.loads(f"[{told.stdout.replace(' ', ',')}]")
        assert n == rows
        peaks.append(peak / 1024)
    assert peaks[1] - peaks[0] < 100, peaks  # MB, which is what Arrow reads ahead


def test_a_joined_frame() -> None:
    """A data frame that was joined from others, whose text then lies in pieces, is read like any other."""
    parts = [pd.DataFrame({"x": ["a", "b"], "y": [1, 2]}), pd.DataFrame({"x": ["c"], "y": [3]})]
    [batch] = open_data(pd.concat(parts)).batches(["x", "y"], {})
    assert batch.to_pydict() == {"x": ["a", "b", "c"], "y": [1, 2, 3]}
