"""Each format is read as programs write it, and damage is told with its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from tests.loaders.rows import rows_of, write

if TYPE_CHECKING:
    from collections.abc import Callable

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


MIXED: dict[str, tuple[pa.Array, str]] = {
    "text": (pa.array(["1", "2"]), "string"),
    "truth values": (pa.array([True, False]), "bool"),
    "dates": (pa.array([1, 2], pa.date32()), r"date32\[day\]"),
}


@pytest.mark.parametrize("other", MIXED)
def test_files_that_differ_in_what_they_hold(other: str) -> None:
    """Numbers in one file, and something else in another, are refused with the file, before the first row is read."""
    values, kind = MIXED[other]
    Path("d").mkdir()
    for name, column in (("1", pa.array([1, 2])), ("2", pa.nulls(2)), ("3", pa.array([0.5, 1.0])), ("4", values)):
        pq.write_table(pa.table({"a": column, "b": [1, 2]}), f"d/{name}.parquet")
    told = rf"Column 'a' of d/4\.parquet is of type {kind}, and of type int64 in 1\.parquet\. Hint: write all"
    with pytest.raises(InvalidInputError, match=told):
        next(open_data("d").batches(["a"], {}, rows=1))
    assert len(rows_of("d", "b")) == 8
    Path("d/4.parquet").unlink()
    assert [row["a"] for row in rows_of("d", "a")] == [1, 2, None, None, 0.5, 1.0]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half of it": lambda whole: whole[: len(whole) // 2],
    "but its end": lambda whole: whole[:-8],
    "holes in its pages": lambda whole: whole[:40] + bytes(40) + whole[80:],
    "another format": lambda whole: b"a,b\n" * len(whole),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_among_good_ones(damage: str) -> None:
    """A damaged file in the middle of a folder is named, and so is one whose footer alone is whole."""
    Path("d").mkdir()
    for name in "123":
        pq.write_table(pa.table({"a": list(range(1000))}), f"d/{name}.parquet")
    Path("d/2.parquet").write_bytes(DAMAGES[damage](Path("d/2.parquet").read_bytes()))
    with pytest.raises(
        InvalidInputError, match=r"d/2\.parquet cannot be read as Parquet: .* Hint: was it written compl"
    ):
        rows_of("d", "a")


def test_a_row_cut_off_in_the_middle_of_a_glob() -> None:
    """A CSV file that ends within a row is named, with that row."""
    for name in "123":
        write(f"{name}.csv", "a,b\n1,2\n3,4\n")
    write("2.csv", "a,b\n1,2\n3")
    with pytest.raises(InvalidInputError, match=r"Row 2 of 2\.csv has 1 value where the header names 2 columns"):
        rows_of("*.csv")


def test_two_columns_of_a_name_in_parquet() -> None:
    """A Parquet file with two columns of one name is refused, not read as either."""
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "t.parquet")
    with pytest.raises(InvalidInputError, match=r"t\.parquet has two columns named 'a'\. Hint: rename one\."):
        open_data("t.parquet")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_two_columns_of_a_name_in_a_later_file(ending: str) -> None:
    """Whichever file names two columns alike is refused by its name."""
    for name, columns in (("1", ["a", "b"]), ("2", ["a", "a", "b"])):
        table = pa.Table.from_arrays([pa.array([1, 2])] * len(columns), names=columns)
        pq.write_table(table, f"{name}.parquet")
        Path(f"{name}.csv").write_text("\n".join([",".join(columns)] + [",".join("1" * len(columns))] * 2))
    with pytest.raises(InvalidInputError, match=rf"^2\.{ending} has two columns named 'a'\. Hint: rename one\."):
        list(open_data(f"?.{ending}").batches(["a", "b"], {}))
