"""Rows are read in batches, typed as the models say, the same from every format, and damage is told with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abtest.errors import InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NO_TYPES: Mapping[str, pa.DataType] = {}


def rows_of(
    source: str | Path | pd.DataFrame, *columns: str, types: Mapping[str, pa.DataType] = NO_TYPES, rows: int = 1000
) -> list[dict[str, Any]]:
    """Read all rows of some columns, or of all."""
    data = open_data(source)
    batches = data.batches(columns or data.columns, types, rows=rows)
    return [row for batch in batches for row in batch.to_pylist()]


def write(name: str, content: str | bytes) -> str:
    """Write a file into the test's folder."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


# ---- CSV


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x\n2,y\n",
        "a,b\n1,x\n2,y",
        "a,b\r\n1,x\r\n2,y\r\n",
        "\ufeffa,b\n1,x\n2,y\n",
        '"a","b"\n"1","x"\n"2","y"\n',
        "a,b\n1,x\n\n2,y\n\n",
    ],
    ids=["plain", "no last line end", "Windows", "byte-order mark", "quoted", "blank lines"],
)
def test_csv_as_programs_write_it(content: str) -> None:
    """Line ends, quotes, blank lines and a byte-order mark change nothing."""
    assert rows_of(write("t.csv", content)) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_csv_with_text_in_it() -> None:
    """Quoted line ends, delimiters and quotes, and any script, are read as they stand."""
    write("t.csv", 'größe (cm),"a,b"\n"zwei\nZeilen","say ""x"", y"\n北京,é\n')
    assert rows_of("t.csv") == [
        {"größe (cm)": "zwei\nZeilen", "a,b": 'say "x", y'},
        {"größe (cm)": "北京", "a,b": "é"},
    ]


@pytest.mark.parametrize("name", ["t.tsv", "t.TSV"])
def test_tabs(name: str) -> None:
    """A .tsv file is cut at tabs."""
    assert rows_of(write(name, "a\tb\n1,5\tx\n")) == [{"a": "1,5", "b": "x"}]


def test_missing_values_in_text() -> None:
    """What pandas takes for missing is missing, in numbers as in text."""
    write("t.csv", "a,b\n1,\n,x\nNA,nan\n")
    assert rows_of("t.csv") == [{"a": 1, "b": None}, {"a": None, "b": "x"}, {"a": None, "b": None}]


def test_text_is_read_as_the_signature_says() -> None:
    """Types come from the signature, and not from the first rows: 007 stays text, 1 is a double."""
    write("t.csv", "code,x,flag,day\n007,1,True,2024-02-29\n8,2.5,false,2024-03-01 12:00:00\n")
    types = {"code": pa.string(), "x": pa.float64(), "flag": pa.bool_(), "day": pa.timestamp("ns")}
    first, second = rows_of("t.csv", types=types)
    assert (first["code"], first["x"], first["flag"]) == ("007", 1.0, True)
    assert (second["code"], second["x"], second["flag"]) == ("8", 2.5, False)
    assert [pd.Timestamp(first["day"]), pd.Timestamp(second["day"])] == [
        pd.Timestamp("2024-02-29"), pd.Timestamp("2024-03-01 12:00"),
    ]  # fmt: skip


def test_a_late_fraction_is_read_as_the_signature_says() -> None:
    """A double that looks like whole numbers for a million rows is a double from the first."""
    write("t.csv", "x\n" + "1\n" * 1_000_000 + "1.5\n")
    assert rows_of("t.csv", types={"x": pa.float64()}, rows=500_000)[-1] == {"x": 1.5}


@pytest.mark.parametrize(
    ("content", "types", "told"),
    [
        ("a,b\n1,x\n2,3\n", {"b": pa.int64()}, "Column 'b' of t.csv must be int64, got 'x' in row 1. Hint: mend the"),
        ("a,b\n1,1\n2, 3.5\n", {"b": pa.int64()}, "Column 'b' of t.csv must be int64, got '3.5' in row 2."),
        ("a,b\n1,yes\n", {"b": pa.bool_()}, "Column 'b' of t.csv must be bool, got 'yes' in row 1."),
        ("a,b\n" + "1,1\n" * 300_000 + "1,x\n", {}, "got 'x' in row 300,001. Hint: log the models with a signature"),
        ("a,b\n1,2\n1\n", {}, "Row 2 of t.csv has 1 value where the header names 2 columns."),
        ("a,b\n1,2\n1,2,3\n1\n", {}, "Row 2 of t.csv has 3 values where the header names 2 columns."),
        ('a,b\n"x\ny",2\n1,2,3\n', {}, "Row 2 of t.csv has 3 values"),
        ("a,a\n1,2\n", {}, "t.csv has two columns named 'a'. Hint: rename one."),
        ("a,b", {}, "t.csv holds no rows."),
        ("\n\n", {}, "t.csv holds no rows."),
        ("", {}, "t.csv is empty."),
        ("a,b\né,2\n".encode("latin-1"), {}, "Column 'a' of t.csv is not UTF-8 text. Hint: save the file as UTF-8."),
        ("a,b\né,2\n".encode("latin-1"), {"a": pa.string()}, "t.csv cannot be read as CSV: .*UTF8"),
        ("a,b\nx,2\n".encode("utf-16"), {}, "t.csv"),
        ("a,b\n1,2\n", {"c": pa.int64()}, "t.csv has no column 'c'"),
    ],
)  # fmt: skip
def test_damaged_csv(content: str | bytes, types: dict[str, pa.DataType], told: str) -> None:
    """Damage is told with column and row, where there is one."""
    write("t.csv", content)
    with pytest.raises(InvalidInputError, match=told.replace("(", r"\(")) as error:
        rows_of("t.csv", *(types if "c" in types else ()), types=types)
    assert len(str(error.value)) < 400


def test_a_long_row() -> None:
    """A row may be long, but not longer than what is read at a time."""
    write("t.csv", f"a,b\n1,{'x' * 500_000}\n2,y\n")
    assert [row["a"] for row in rows_of("t.csv", "a")] == [1, 2]
    write("t.csv", f"a,b\n1,{'x' * 5_000_000}\n2,y\n")
    with pytest.raises(InvalidInputError, match=r"t\.csv has a row longer than 1,048,576 bytes.*is a quote left open"):
        rows_of("t.csv", "a")


def test_a_quote_left_open() -> None:
    """A quote that is never closed swallows the rows after it, so it is refused; a sign for inches is none."""
    for content in ('a,b\n1,"x\n2,y\n3,z\n', 'a,b\n1,"x\n2,y\n3,"z"\n', 'a,b\n1,"x\n' + "2,y\n" * 500_000):
        write("t.csv", content)
        with pytest.raises(
            InvalidInputError, match=r"t\.csv leaves a quote open: 'b' of row 1 is the rest of the file"
        ):
            rows_of("t.csv", "a")
    assert rows_of(write("t.csv", 'a,b\n1,5"\n2,y\n')) == [{"a": 1, "b": '5"'}, {"a": 2, "b": "y"}]


# ---- JSON Lines


def test_json_lines_may_lack_keys() -> None:
    """A key that some lines lack is missing there, whichever lines they are."""
    write("t.jsonl", '\ufeff{"a": 1}\n\n{"b": "x", "a": 2}\n{"a": null, "b": "y"}')
    assert rows_of("t.jsonl") == [{"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": None, "b": "y"}]


def test_json_lines_keep_their_types() -> None:
    """Numbers, booleans and text are read as such, a date stays text, and 1 among 1.5 is a number."""
    write("t.jsonl", '{"a": 1, "b": true, "c": "2024-01-01"}\n{"a": 1.5, "b": false, "c": "7"}\n')
    assert rows_of("t.jsonl") == [{"a": 1.0, "b": True, "c": "2024-01-01"}, {"a": 1.5, "b": False, "c": "7"}]


def test_json_lines_do_not_fail_late() -> None:
    """Far down, a key never seen is left out, a whole column may turn out fractional, and neither is an error."""
    write("t.jsonl", '{"a": 1}\n' * 20_000 + '{"a": 2.5, "z": 1}\n')
    assert open_data("t.jsonl").columns == ("a",)
    assert rows_of("t.jsonl", rows=7_000)[-1] == {"a": 2.5}
    with pytest.raises(InvalidInputError, match=r"no column 'z'.*A key must appear in the first 10,000 lines"):
        rows_of("t.jsonl", "z")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"a": 1}]', "Line 1 of t.jsonl must be a JSON object, got list. Hint: each line must be one JSON object."),
        ('{"a": 1}\n{"a":', "Line 2 of t.jsonl is not JSON: Expecting value."),
        ('{\n"a": 1\n}', "Line 1 of t.jsonl is not JSON"),
        ('{"a": 1}\n{"a": 2}\n{"a": "x"}\n', "Column 'a' of t.jsonl is int at first, got 'x' in row 3."),
        ('{"a": true}\n{"a": 2}\n', "Column 'a' of t.jsonl is bool at first, got '2' in row 2."),
        (b'{"a": "\xe9"}\n', "t.jsonl cannot be read as JSON Lines"),
    ],
)
def test_damaged_json_lines(content: str | bytes, told: str) -> None:
    """Damage is told with its line, or with column and row."""
    write("t.jsonl", content)
    with pytest.raises(InvalidInputError, match=told):
        rows_of("t.jsonl")


# ---- Parquet


def test_parquet_keeps_its_types() -> None:
    """A Parquet file's own types are kept: nothing is guessed, and text that looks like a number stays text."""
    table = pa.table(
        {"a": pa.array([1, 2], pa.int32()), "b": ["1", None], "c": pa.array(["x", "x"]).dictionary_encode()}
    )
    pq.write_table(table, "t.parquet")
    assert rows_of("t.parquet", types={"b": pa.int64()}) == table.to_pylist()
    assert open_data("t.parquet").row_count() == 2


def test_a_folder_is_read_in_the_order_of_its_names() -> None:
    """A folder of Parquet, nested or not, is one table; Spark's leavings beside it are none of it."""
    for name, values in [("d/b.parquet", [3]), ("d/a.parquet", [1, 2]), ("d/sub/c.pq", [4])]:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"a": values}), name)
    for name in ("d/_temporary/x.parquet", "d/.hidden.parquet", "d/_SUCCESS", "d/notes.txt"):
        write(name, "no Parquet at all")
    assert [row["a"] for row in rows_of("d")] == [1, 2, 3, 4]
    assert open_data("d").row_count() == 4
    assert [row["a"] for row in rows_of("d/*.parquet")] == [1, 2, 3]
    assert [row["a"] for row in rows_of("d/**/c.pq")] == [4]


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_files_may_differ_in_types_and_order(rows: int) -> None:
    """Files of one folder may store a column as different types, in another order, with more beside it."""
    Path("d").mkdir()
    pq.write_table(pa.table({"a": pa.array([1, 2, 3], pa.int32()), "b": ["x", "y", "z"]}), "d/1.parquet")
    pq.write_table(pa.table({"more": [0.0], "b": pa.array(["x"]).dictionary_encode(), "a": [1.5]}), "d/2.parquet")
    schema = pa.schema([pa.field("a", pa.float64(), nullable=False), ("b", pa.large_string())])
    pq.write_table(pa.table({"a": [2.5], "b": ["y"]}, schema=schema), "d/3.parquet")
    read = rows_of("d", "a", "b", rows=rows)
    assert [(row["a"], row["b"]) for row in read] == [(1, "x"), (2, "y"), (3, "z"), (1.5, "x"), (2.5, "y")]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_file_that_lacks_a_column(ending: str) -> None:
    """Where one file of several lacks a column, that file is named."""
    Path("d").mkdir()
    frames = {"1": pd.DataFrame({"a": [1], "b": [2]}), "2": pd.DataFrame({"a": [1]})}
    for name, frame in frames.items():
        if ending == "parquet":
            frame.to_parquet(f"d/{name}.{ending}")
        elif ending == "csv":
            frame.to_csv(f"d/{name}.{ending}", index=False)
        else:
            frame.to_json(f"d/{name}.{ending}", orient="records", lines=True)
    with pytest.raises(InvalidInputError, match=rf"d/2\.{ending} has no column 'b', which 1\.{ending} has\."):
        rows_of(f"d/*.{ending}")


def test_two_columns_of_a_name_in_parquet() -> None:
    """A Parquet file with two columns of one name is refused, not read as either."""
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "t.parquet")
    with pytest.raises(InvalidInputError, match=r"t\.parquet has two columns named 'a'\. Hint: rename one\."):
        open_data("t.parquet")


# ---- Data frames


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


# ---- All formats


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
