"""`compare-predictions --sql-url` as it is typed and set: the same as a file, and nobody's password in anything."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.cli import shell

if TYPE_CHECKING:
    from tests.conftest import Cli
    from tests.databases import Store

ROWS: dict[str, list[Any]] = {
    "y": ["cat", "dog", "dog", "cat", "dog", "dog"],
    "old": ["cat", "dog", "cat", "cat", "dog", "cat"],
    "new": ["cat", "dog", "dog", "dog", "dog", "dog"],
    "region": ["EU", "EU", "US", "US", None, "EU"],
}
COLUMNS = ("--target", "y", "--champion", "old", "--challenger", "new", "--resamples", "100", "--no-save-plot")
COMMAND = ("compare-predictions", *COLUMNS)
SECRET, QUOTED = "hunter2'\" $(x)", "hunter2%27%22%20%24%28x%29"


def told(text: str) -> dict[str, Any]:
    """A comparison, without when and from where it came."""
    found: dict[str, Any] = json.loads(text)
    for key in ("created_at", "data", "provenance"):
        del found[key]
    del found["settings"]["batch_size"]
    return found


def test_the_command_tells_what_a_file_tells(cli: Cli, store: Store) -> None:
    """A table, a query and a file of the same rows give the same comparison, and reports of the same."""
    store.fill(ROWS)
    pd.DataFrame(ROWS).to_parquet("rows.parquet")
    options = ("--segments", "region", "--format", "json", *COLUMNS)
    file = told(cli("compare-predictions", "rows.parquet", *options).out)
    for which in (("--table", "t"), ("--query", "SELECT * FROM t")):
        out = cli("compare-predictions", "--sql-url", store.url, *which, *options).out
        assert told(out) == file
        assert json.loads(out)["data"]["path"].endswith(
            ", table t" if which[0] == "--table" else ", query SELECT * FROM t"
        )
    assert len(list(Path("reports").glob("*/report.html"))) == 3


def test_the_url_may_be_set(cli: Cli, sqlite: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """ABTEST_SQL_URL, or abtest.toml beside the database, names it; a file that is given wins over both."""
    sqlite.fill(ROWS)
    pd.DataFrame(ROWS).to_csv("rows.csv", index=False)
    Path("deeper").mkdir()
    Path("abtest.toml").write_text('[compare]\nsql_url = "sqlite:///sqlite.db"\n', encoding="utf-8")
    monkeypatch.chdir("deeper")
    expected = cli(*COMMAND, "--table", "t", "--quiet").out
    assert cli(*COMMAND, "../rows.csv", "--quiet").out == expected
    monkeypatch.setenv("ABTEST_SQL_URL", "sqlite:///nowhere.db")
    assert cli(*COMMAND, "--table", "t", code=1).error == "sql-url sqlite:///nowhere.db does not exist."
    assert cli(*COMMAND, "../rows.csv", "--quiet").out == expected


USAGE = {
    "nothing": ((), "name a file, or a database by --sql-url"),
    "no database": (("--table", "t"), "name the database, here or as ABTEST_SQL_URL"),
    "nothing of it": (("--sql-url", "sqlite:///x.db"), "name one of the two"),
    "a table and a query": (
        ("--sql-url", "sqlite:///x.db", "--table", "t", "--query", "SELECT 1"),
        "name one of the two",
    ),
    "a file and a database": (("rows.csv", "--sql-url", "sqlite:///x.db", "--table", "t"), "nothing beside a FILE"),
    "rows at a time": (("--sql-url", "sqlite:///x.db", "--table", "t", "--batch-size", "9"), "no rows are read"),
    "a file and a table": (("rows.csv", "--table", "t"), "nothing beside a FILE"),
}


@pytest.mark.parametrize("case", USAGE)
def test_one_place_is_named(cli: Cli, case: str) -> None:
    """Where the predictions are is said once, and whole; else nothing is looked at."""
    options, said = USAGE[case]
    assert said in " ".join(cli(*COMMAND, *options, code=2).err.replace("│", " ").split())


def test_no_password_is_on_record(cli: Cli, postgresql: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password, however odd, is in no output, report or record, whether it was typed or set."""
    postgresql.fill(ROWS)
    url = postgresql.url.replace("postgres:@", f"postgres:{QUOTED}@")
    typed = cli(*COMMAND, "--sql-url", url, "--table", "t", "--junit", "junit.xml", "--format", "json")
    joined = cli(*COMMAND, f"--sql-url={url}", "--table", "t", "--format", "markdown")
    monkeypatch.setenv("ABTEST_SQL_URL", url)
    by_variable = cli(*COMMAND, "--query", "SELECT * FROM t", "--format", "json")
    wrong = cli(*COMMAND, "--table", "none_such", "--junit", "error.xml", code=1)
    said = [text for one in (typed, joined, by_variable, wrong) for text in (one.out, one.err)]
    written = [
        path.read_text(encoding="utf-8")
        for path in Path().rglob("*")
        if path.suffix in (".html", ".json", ".md", ".xml")
    ]
    assert len(written) == 3 * 3 + 2
    assert not [text for text in (*said, *written) if "hunter2" in text]
    assert "--sql-url '***'" in json.loads(typed.out)["provenance"]["command"]


def test_no_password_in_what_fails() -> None:
    """A server that is not there is told in a line, with --debug too, and without the password."""
    pytest.importorskip("psycopg2")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in (f"postgresql://me:{QUOTED}@127.0.0.1:{port}/db", f"postgresql://me:{QUOTED}:x@127.0.0.1:y/db"):
        for debug in ((), ("--debug",)):
            told_ = shell.run(*COMMAND, "--sql-url", url, "--table", "t", *debug)
            assert told_.returncode == 1
            assert "hunter2" not in told_.stdout + told_.stderr
            assert debug or len(told_.stderr.splitlines()) == 1


def test_what_is_refused_writes_nothing(cli: Cli, sqlite: Store) -> None:
    """A refused comparison is one line, exit code 1 with --gate too, and no report."""
    sqlite.fill({**ROWS, "new": [*ROWS["new"][:5], None]})
    where = ("--sql-url", sqlite.url)
    cases = {
        ("--table", "tt"): "has no table tt. Hint: did you mean 't'?",
        ("--table", "t"): "Prediction 'new' is missing in 1 row.",
        ("--query", "DROP TABLE t"): "query must be a SELECT, got DROP.",
        ("--table", "t", "--task", "regression"): "a database's sums are not exact",
    }
    for options, said in cases.items():
        refused = cli(*COMMAND, *where, *options, "--gate", code=1)
        assert said in refused.error
        assert refused.out == ""
    assert not list(Path("reports").glob("*"))
