"""What goes wrong is told as docs/troubleshooting.md shows it."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import TYPE_CHECKING

import pytest
from mlflow.exceptions import RestException

from abtest.errors import NotPermittedError
from abtest.talking import told_as_ours
from tests.guides import DOCS, guide

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_goes_wrong(tmp_path: Path) -> None:
    """Each mistake that the page makes ends with the exit code and the sentence that it shows."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", 8766)):  # the port that is taken
        assert guide("troubleshooting.md", tmp_path) == 34


def test_a_permission_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's 403 is what a server's refusal is told as."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    what = "The registry http://127.0.0.1:5000 could not be changed"
    with pytest.raises(NotPermittedError) as refused, told_as_ours(what):
        raise RestException({"error_code": "PERMISSION_DENIED"})  # type: ignore[no-untyped-call] # MLflow types it not
    assert f"Error: {refused.value}" in " ".join(PAGE.split())


def test_every_trouble_is_in_the_contents() -> None:
    """The list at the top leads to every heading below a heading, and nowhere else."""
    contents = PAGE.partition("## First")[0]
    headings = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert re.findall(r"\]\(#([\w-]+)\)", contents) == ["first-abtest-doctor", *slugs]
