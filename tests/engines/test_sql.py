"""A database's own GROUP BY counts what reading the rows counts, and refuses what that refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.exc import NotSupportedError

import abtest
from abtest.errors import AbtestError, InvalidInputError
from abtest.workflow import compare_columns, compare_sql
from tests.strategies import Columns, label_columns

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.comparison import Comparison
    from tests.databases import Store

FAST: dict[str, Any] = {"target": "y", "champion": "a", "challenger": "b", "resamples": 100}
ROWS = {"y": [0, 1, 1, 0, 1, 1], "a": [0, 1, 0, 0, 1, 0], "b": [0, 1, 1, 1, 1, 1]}
MANY = hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def told(comparison: Comparison) -> dict[str, Any]:
    """Everything on record, without when, and where the rows were."""
    record = comparison.record.to_dict()
    for elsewhere in ("path", "digest"):
        del record["data"][elsewhere]
    del record["created_at"], record["settings"]["batch_size"]
    return record


def of_file(frame: pd.DataFrame, **options: Any) -> Comparison:
    """The same from a file."""
    frame.to_parquet("rows.parquet")
    return compare_columns("rows.parquet", **FAST, **options)


def refusal(store: Store, **options: Any) -> str:
    """What a comparison is refused with."""
    given = {"table": "t", **FAST, **options}
    if "query" in options:
        del given["table"]
    with pytest.raises(AbtestError) as error:
        compare_sql(store.url, **given)
    return str(error.value)


# ---- The same as from a file


def test_a_database_tells_what_a_file_tells(store: Store) -> None:
    """Labels, whole numbers or words, give the same record, to the last bit, from a table, a query and a file."""

    @given(columns=label_columns())
    @MANY
    def law(columns: Columns) -> None:
        frame = dict(zip("yab", columns, strict=True))
        store.fill(frame)
        file = told(of_file(pd.DataFrame(frame)))
        assert told(compare_sql(store.url, table="t", **FAST)) == file
        assert told(compare_sql(store.url, query="SELECT b, a, y FROM t ORDER BY a;", **FAST)) == file

    law()


@pytest.mark.parametrize("unit", [None, "user"])
def test_segments_and_units_of_a_database(store: Store, unit: str | None) -> None:
    """Segments of words and numbers, crossed, cut and missing, and units, are those of a file, to the last bit."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 3, 900)
    frame = pd.DataFrame({
        "y": y,
        "a": np.where(rng.random(900) < 0.7, y, 0),
        "b": np.where(rng.random(900) < 0.8, y, 1),
        "region": rng.choice(np.array(["EU", "US", None], dtype=object), 900),
        "age": rng.integers(18, 90, 900),
        "price": np.where(rng.random(900) < 0.1, np.nan, rng.normal(size=900).round(3)),
        "user": rng.integers(0, 60, 900),
    })  # fmt: skip
    store.fill({str(name): frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame})
    options: dict[str, Any] = {"segments": ["region", "age", "price", "region * age"], "unit": unit}
    assert told(compare_sql(store.url, table="t", **FAST, **options)) == told(of_file(frame, **options))


def test_quartiles_of_more_rows_than_a_sample(duckdb: Store) -> None:
    """Numbers of few values in many rows are cut where a file is cut, though a file of more values would be sampled."""
    ages = np.random.default_rng(3).integers(18, 90, 300)
    frame = pd.DataFrame({"y": [0, 1] * 50_000, "a": [0, 1, 1, 1] * 25_000, "b": [0, 1] * 50_000})
    frame["age"] = np.resize(ages, 100_000)
    frame.to_parquet("rows.parquet")
    duckdb.run("CREATE TABLE t AS SELECT * FROM 'rows.parquet'")
    file = compare_columns("rows.parquet", segments=["age"], **FAST)
    assert told(compare_sql(duckdb.url, table="t", segments=["age"], **FAST)) == told(file)


def test_an_engine_is_read_and_given_back_as_it_was(store: Store) -> None:
    """SQLAlchemy's engine will do in the place of a URL; it may write afterwards, as before."""
    store.fill(ROWS)
    engine = create_engine(store.url)  # whose connections are kept
    for _ in range(2):
        assert abtest.compare_sql(engine, table="t", **FAST).record.data.n == 6
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM t WHERE y = 0")
    assert abtest.compare_sql(engine, table="t", **FAST).record.data.n == 4
    engine.dispose()
    assert abtest.compare_sql(store.url, table="t", **FAST).record.data.n == 4


# ---- What a label is

LABELS: dict[str, tuple[str, list[Any]]] = {
    "smallint": ("SMALLINT", [0, 1]),
    "whole decimals": ("NUMERIC(5,0)", [Decimal(0), Decimal(1)]),
    "whole numbers as decimals": ("NUMERIC(8,2)", [Decimal("0.00"), Decimal("1.00")]),
    "doubles": ("DOUBLE PRECISION", [0.0, 1.0]),
    "text": ("VARCHAR(9)", ["0", "1"]),
    "padded text": ("CHAR(9)", ["0", "1"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_truth_and_predictions_of_other_types(store: Store, kind: str) -> None:
    """Whatever type spells a whole number, it is the class that the predictions name as one."""
    spelled, labels = LABELS[kind]
    store.fill({**ROWS, "y": [labels[at] for at in ROWS["y"]]}, types={"y": spelled})
    found = compare_sql(store.url, table="t", **FAST).record
    store.fill(ROWS)
    assert found.outcomes == compare_sql(store.url, table="t", **FAST).record.outcomes


def test_text_is_told_apart_letter_by_letter(store: Store) -> None:
    """A collation to which 'a' is 'A' merges no classes, segments or units."""
    collated = {"sqlite": "TEXT COLLATE NOCASE", "duckdb": "VARCHAR COLLATE NOCASE", "postgresql": "TEXT COLLATE ci"}
    if store.kind == "postgresql":
        try:
            store.run("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        except NotSupportedError as error:
            pytest.skip(f"in PostgreSQL only ICU has such collations: {error.orig}")
    rows: dict[str, list[Any]] = {"y": ["a", "A"] * 4, "a": ["a", "A", "a", "a"] * 2, "b": ["a", "A"] * 4}
    rows["s"] = ["x", "x", "X", "X"] * 2
    store.fill(rows, types=dict.fromkeys(rows, collated[store.kind]))
    found = compare_sql(store.url, table="t", segments=["s"], **FAST)
    assert told(found) == told(of_file(pd.DataFrame(rows), segments=["s"]))
    assert found.record.outcomes is not None
    assert found.record.outcomes.labels == ("A", "a")


def test_booleans_and_enums(store: Store) -> None:
    """A database's booleans are booleans, and its enums text."""
    if store.kind == "sqlite":
        pytest.skip("SQLite has neither")
    store.run("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    for kind, labels in (("BOOLEAN", (False, True)), ("mood", ("glad", "sad"))):
        rows = {name: [labels[at] for at in values] for name, values in ROWS.items()}
        store.fill(rows, types=dict.fromkeys(rows, kind))
        found = compare_sql(store.url, table="t", **FAST)
        assert told(found) == told(of_file(pd.DataFrame(rows)))


NAMES = [
    'say "y"',
    "y b",
    "Y",
    "50%",
    "%s",
    "a:b",
    ":y",
    "a::b",
    "?",
    "$1",
    "select",
    "größe",
    "y.z",
    "it's",
    r"back\slash",
    "--",
    ";",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name(store: Store, name: str) -> None:
    """A table and columns are found by their exact names, whatever these are; nothing in them is SQL."""
    store.fill({name: ROWS["y"], "a": ROWS["a"], "b": ROWS["b"], f"{name}2": ROWS["a"]}, table=f"{name} t")
    quoted = '"' + name.replace('"', '""') + ' t"'
    options: dict[str, Any] = {**FAST, "target": name, "segments": [f"{name}2"]}
    assert compare_sql(store.url, table=quoted, **options).record.data.n == 6
    if ";" not in name:
        query = f"SELECT * FROM {quoted} -- by its name"  # noqa: S608 - what is tested
        assert compare_sql(store.url, query=query, **options).record.data.n == 6


@given(text=st.text(alphabet=":%\\'ab1", max_size=12))
@hypothesis_settings(MANY, max_examples=30)
def test_text_in_a_query_is_what_it_was(sqlite: Store, text: str) -> None:
    """Colons, percent signs and backslashes of a query are parameters to nobody."""
    sqlite.fill(ROWS)
    spelled = text.replace("'", "''")
    query = f"SELECT y, a, b, '{spelled}' AS s FROM t"  # noqa: S608 - what is tested
    outcomes = compare_sql(sqlite.url, query=query, segments=["s"], **FAST).record.outcomes
    assert outcomes is not None
    (segment,) = outcomes.segments
    assert segment.value == (text or "") or text in {"nan", "NaN"}


def test_a_schema_and_a_view(store: Store) -> None:
    """A table of another schema, and a view, are read like any."""
    schema = "main" if store.kind == "sqlite" else "Sales old"
    store.fill(ROWS)
    if store.kind != "sqlite":
        store.run('CREATE SCHEMA "Sales old"', 'CREATE TABLE "Sales old".t AS SELECT * FROM t')
    store.run("CREATE VIEW seen AS SELECT * FROM t WHERE y = 1")
    assert compare_sql(store.url, table=f"{schema}.t", **FAST).record.data.n == 6
    assert compare_sql(store.url, table="seen", **FAST).record.data.n == 4
    assert (
        compare_sql(store.url, query="WITH w AS (SELECT * FROM t) SELECT * FROM w LIMIT 5", **FAST).record.data.n == 5
    )


# ---- Missing values


def test_rows_without_a_label(store: Store) -> None:
    """Rows without a label are refused with their count, or dropped and counted; NaN is missing like NULL."""
    for missing in (None, float("nan")):
        rows: dict[str, list[Any]] = {**ROWS, "y": [float(y) for y in ROWS["y"][:4]] + [missing, None]}
        store.fill(rows, types={"y": "DOUBLE PRECISION"})
        assert refusal(store) == (
            "Target 'y' is missing in 2 rows. Hint: --drop-unlabelled leaves such rows out and counts them."
        )
        frame = pd.DataFrame(rows)
        dropped = compare_sql(store.url, table="t", drop_unlabelled=True, **FAST)
        assert told(dropped) == told(of_file(frame, drop_unlabelled=True))
        assert "2 rows without a label were dropped." in dropped.record.notices


@pytest.mark.parametrize("column", ["a", "b"])
def test_rows_without_a_prediction(store: Store, column: str) -> None:
    """A row without a prediction is refused, with how many there are."""
    store.fill({**ROWS, column: [*ROWS[column][:5], None]})
    assert refusal(store).startswith(f"Prediction '{column}' is missing in 1 row.")


def test_rows_without_a_unit(store: Store) -> None:
    """A row without a unit is refused, and rows are counted, not groups."""
    store.fill({**ROWS, "user": [1, 2, 3, None, None, 4]})
    assert refusal(store, unit="user").startswith("unit must be there in every row, got 2 rows without one.")


def test_no_rows(store: Store) -> None:
    """An empty table, and one without any label, have nothing to compare on."""
    store.fill({name: [] for name in ROWS}, types=dict.fromkeys(ROWS, "INTEGER"))
    assert refusal(store) == "table t has nothing to compare on: it holds no rows."
    store.fill({**ROWS, "y": [None] * 6}, types={"y": "INTEGER"})
    assert refusal(store, drop_unlabelled=True) == "table t has nothing to compare on: all 6 rows lack a label."


# ---- What is refused


def test_columns_that_are_not_there(store: Store) -> None:
    """A column that is not there is told with the nearest, or else with those that are; its name's case counts."""
    store.fill({**ROWS, "region": ["x"] * 6})
    assert refusal(store, target="Y") == "table t has no target column 'Y'. Hint: did you mean 'y'?"
    assert refusal(store, challenger="c") == (
        "table t has no challenger column 'c'. Hint: its columns are y, a, b, region."
    )
    assert "no segment column 'regoin'. Hint: did you mean 'region'?" in refusal(store, segments=["regoin"])
    assert "no unit column 'user'" in refusal(store, unit="user")
    assert "segments must not be the target 'y'" in refusal(store, segments=["y"])
    assert "champion must be a column of its own, got 'y', which is the target too" in refusal(store, champion="y")


def test_tables_that_are_not_there(store: Store) -> None:
    """A table that is not there is told with one that is, and without the user's name."""
    store.fill(ROWS, table="predictions")
    said = refusal(store, table="predicitons")
    assert "has no table predicitons. Hint: did you mean 'predictions'?" in said
    assert "postgres:@" not in said
    assert "nowhere.predictions" in refusal(store, table="nowhere.predictions")
    for odd in ("", "a.b.c", '"a', "a..b"):
        assert refusal(store, table=odd).startswith(f"table must be a name, or schema.name, got {odd!r}.")


QUERIES = {
    "DELETE FROM t": "query must be a SELECT, got DELETE. Hint: nothing is ever written.",
    "  drop table t": "query must be a SELECT, got DROP.",
    "": "query must be a SELECT, got ''.",
    "SELECT 1; DROP TABLE t": "query must be one SELECT without a semicolon.",
    "SELECT 1) AS x; COMMIT; DROP TABLE t --": "query must be one SELECT without a semicolon.",
    "SELECT nonsense FROM t": "The query cannot be read: ",
    "SELECT * FROM": "The query cannot be read: ",
    "WITH gone AS (DELETE FROM t RETURNING y) SELECT * FROM gone": "The query cannot be read: ",
    "SELECT y, a AS y, b FROM t": "",
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_that_are_none(store: Store, query: str) -> None:
    """What is no SELECT, several statements, or not understood, is refused, and the table is as it was."""
    store.fill(ROWS)
    assert refusal(store, query=query).startswith(QUERIES[query])
    assert compare_sql(store.url, table="t", **FAST).record.data.n == 6


def test_a_table_or_a_query(sqlite: Store) -> None:
    """A table and a query, or neither, is one too many or too few."""
    for table, query, got in ((None, None, "neither"), ("t", "SELECT 1", "both")):
        with pytest.raises(InvalidInputError, match=f"Either table or query must say what to read, got {got}"):
            compare_sql(sqlite.url, table=table, query=query, **FAST)


def test_neither_a_url_nor_an_engine(sqlite: Store) -> None:
    """What is no database, such as an open connection, is refused by its name."""
    sqlite.fill(ROWS)
    engine = create_engine(sqlite.url)
    with engine.connect() as connection:
        for source, name in ((connection, "Connection"), (7, "int"), (None, "NoneType")):
            with pytest.raises(InvalidInputError, match=f"must be a URL or an engine of SQLAlchemy, got {name}"):
                compare_sql(source, table="t", **FAST)  # type: ignore[arg-type] # that is the point
    engine.dispose()


def test_numbers(store: Store) -> None:
    """A continuous truth, and a regression asked for, are refused, with what would do."""
    store.fill({**ROWS, "y": [0.5, 1.5, 2.0, 3.0, 4.0, 5.0]})
    wanted = "numbers to compare, and a database's sums are not exact. Hint: export"
    assert refusal(store).startswith(f"The target 'y' holds {wanted}")
    assert refusal(store, task="regression").startswith(f"A regression has {wanted}")
    assert "is continuous" in refusal(store, task="classification")
    assert "task must be one of" in refusal(store, task="regresion")


def test_labels_that_are_none(store: Store) -> None:
    """Dates and bytes are no labels, and a column of several types has none."""
    store.fill({**ROWS, "y": ["2024-01-01"] * 6}, types={"y": "DATE" if store.kind != "sqlite" else "BLOB"})
    if store.kind != "sqlite":
        assert "is of type date32[day], which holds no class labels" in refusal(store)
    store.run("DROP TABLE t", "CREATE TABLE t AS SELECT y, a, b FROM (SELECT 1 AS y, 1 AS a, 1 AS b) AS x")
    if store.kind == "sqlite":
        store.run("INSERT INTO t VALUES (x'00', 1, 1)")
        assert refusal(store).startswith("Column 'y' of table t holds bytes and int, which are no labels of one type.")


def test_more_than_fit(duckdb: Store) -> None:
    """More classes than fit, and more combinations than are worth a count, are noticed before they travel."""
    query = "SELECT i AS y, i % 2 AS a, i % 2 AS b, i AS i, i / 7 AS x FROM range(1100000) AS r(i)"
    assert refusal(duckdb, query=query).startswith(
        "The target has more than 65,536 distinct values, too many for classes."
    )
    query = query.replace("i AS y", "i % 2 AS y")
    assert refusal(duckdb, query=query, champion="i").startswith(
        "The query has more than 1,048,576 combinations of y, i, b, too many to count apart."
    )
    query = query.replace("1100000", "200000")
    assert refusal(duckdb, query=query, champion="i").startswith("The champion predicts more than 65,536 distinct")
    assert refusal(duckdb, query=query, segments=["x"]).startswith(
        "segments: 'x' has more than 65,536 different numbers, of which a file's quartiles would be those of a sample."
    )
    named = query.replace("i / 7 AS x", "'n' || i AS x")
    assert "'x' has more than 200 values" in refusal(duckdb, query=named, segments=["x"])
    rare = query.replace("i % 2 AS y", "i % 1500 AS y").replace("200000", "2900")
    assert "1,500 distinct values in 2,900 rows, too many for classes" in refusal(duckdb, query=rare)


def test_nothing_is_written(sqlite: Store, tmp_path: Path) -> None:
    """A comparison leaves the database's file as it was, and nothing beside it."""
    sqlite.fill(ROWS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    compare_sql(sqlite.url, table="t", **FAST)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
