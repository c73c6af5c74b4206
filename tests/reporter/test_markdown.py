"""Markdown: one table, one list, and no markup from users."""

from __future__ import annotations

import re

import pytest

from abtest.reporter import markdown
from abtest.reporter.summary import summarise
from tests.examples import SITUATIONS as OFFLINE
from tests.live.examples import SITUATIONS as LIVE

SITUATIONS = {**OFFLINE, **LIVE}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_tables_have_as_many_cells_as_columns(situation: str) -> None:
    """Whatever a side or a metric is called, every row of a table has as many cells as its head."""
    summary = summarise(SITUATIONS[situation]())
    tables = [part.splitlines() for part in markdown.render(summary).split("\n\n") if part.startswith("|")]
    for rows in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    arms = [tables.pop(0)] if summary.live else []
    assert all(len(rows) == 4 for rows in arms)
    assert len(tables) == 1 + len(summary.segments)
    assert len(tables[0]) == 2 + len(summary.metrics)


def test_users_texts_are_text() -> None:
    """No tag, link, code or table cell can be made by a label, a name or a file."""
    text = markdown.render(summarise(SITUATIONS["hostile"]()))
    unescaped = re.sub(r"\\.", "", text)
    assert "<" not in unescaped.replace("p < ", "").replace("| < ", "")
    assert "[" not in unescaped
    assert "`" not in unescaped


def test_the_verdict_comes_first() -> None:
    """The heading holds the verdict; every reason is marked as held or not."""
    text = markdown.render(summarise(SITUATIONS["conditional"]()))
    assert text.splitlines()[0].endswith("CONDITIONAL")
    assert len(re.findall(r"^- [✓✗] ", text, flags=re.MULTILINE)) == len(summarise(SITUATIONS["conditional"]()).reasons)


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/#/experiments/7/runs/ab12"),
        ("https://me:p@ss@host/mlflow/", "https://host/mlflow/#/experiments/7/runs/ab12"),
        ("https://[::1]:5000?token=x#y", "https://[::1]:5000/#/experiments/7/runs/ab12"),
        ("https://host/a b)", "https://host/a%20b%29/#/experiments/7/runs/ab12"),
    ],
)
def test_the_run_is_linked_where_a_browser_can_follow(uri: str, link: str) -> None:
    """A tracking server's address leads to the run's page, without credentials and as one link."""
    assert markdown.run_line("ab12", "abtest/iris", uri, "7") == f"[MLflow run ab12]({link})"


@pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "databricks", "postgresql://me:pw@db/x", "mlruns"])
def test_elsewhere_the_run_is_named(uri: str) -> None:
    """Of a database there is no page to lead to, and of no address is anything told."""
    assert markdown.run_line("ab12", "abtest/iris", uri, "7") == "MLflow run ab12 in the experiment abtest/iris"
    assert "[" not in markdown.run_line("ab12", "abtest/iris", "https://host", None)
