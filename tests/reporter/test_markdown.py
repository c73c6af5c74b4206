"""Markdown: one table, one list, and no markup from users."""

from __future__ import annotations

import re

import pytest

from abtest.reporter import markdown
from abtest.reporter.summary import summarise
from tests.examples import SITUATIONS


@pytest.mark.parametrize("situation", SITUATIONS)
def test_tables_have_as_many_cells_as_columns(situation: str) -> None:
    """Whatever a side or a metric is called, every row of the table has as many cells as its head."""
    text = markdown.render(summarise(SITUATIONS[situation]()))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert len(rows) == 2 + len(SITUATIONS[situation]().metrics)


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
