"""The guides do what they show: their files are written, their commands typed in order, their output compared."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from abtest.cli import app
from tests.engines import clusters

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


@pytest.mark.slow
def test_the_four_workflows(tmp_path: Path) -> None:
    """Train, register, validate, promote; update; a batch; a rollback: each command prints what the page shows."""
    assert _typed("workflows.md", tmp_path) == 12


def test_predictions_in_a_database(tmp_path: Path) -> None:
    """A table and a query of a database that the guide makes are compared as it shows."""
    assert _typed("sql.md", tmp_path) == 4


@pytest.mark.slow
def test_predicting_in_bulk(tmp_path: Path) -> None:
    """The demo's model predicts a file, and commands print what the guide shows."""
    assert _typed("predict.md", tmp_path) == 10


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.skipif(bool(clusters.LACKS), reason=clusters.LACKS)
def test_scoring_on_spark(tmp_path: Path) -> None:
    """Models and rows that the guide makes are compared on Spark as here."""
    assert _typed("spark.md", tmp_path) == 3


@pytest.mark.slow
def test_experiments_on_live_traffic(tmp_path: Path) -> None:
    """A server answers, a shadow is judged and a split is run as the guide shows."""
    try:
        assert _typed("live.md", tmp_path) == 23
    finally:
        pid = tmp_path / "abtest-demo" / "serve.pid"
        if pid.exists():
            subprocess.run(["/bin/kill", pid.read_text(encoding="utf-8").strip()], check=False)  # noqa: S603 - ours


@pytest.mark.slow
def test_watching_a_model(tmp_path: Path) -> None:
    """Scans are tracked, labelled, checked, reported, drawn and exported as the guide shows."""
    assert _typed("monitoring.md", tmp_path) == 13


def _typed(guide: str, tmp_path: Path) -> int:
    """Do what a guide shows, in order, and say how many commands that were.

    What one exports, and where it goes, holds for the next.
    """
    page = (DOCS / guide).read_text(encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    typed = 0
    for block in BLOCK.finditer(page):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"], encoding="utf-8")
        if block["kind"] != "console":
            continue
        for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if exported := re.fullmatch(r"export (\w+)=(\S+)", command):
                environ[exported[1]] = exported[2]
            if entered := re.fullmatch(r"cd (\S+)", command):
                tmp_path, command = tmp_path / entered[1], "true"
            told = subprocess.run(  # noqa: S603 - the guide's own commands
                ["/bin/bash", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
            )
            assert told.returncode == 0, f"$ {command}\n{told.stdout}{told.stderr}"
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert doctest.OutputChecker().check_output(shown, told.stdout, flags), f"$ {command}\n{told.stdout}"
            typed += 1
    return typed


@pytest.mark.parametrize(
    ("group", "guide"), [("models", "registry.md"), ("experiment", "live.md"), ("monitor", "monitoring.md")]
)
def test_every_command_of_a_group_is_in_its_guide(group: str, guide: str) -> None:
    """An undocumented command is a failing test, and so is a documented one that is not there."""
    found = next(it.typer_instance for it in app.registered_groups if it.name == group)
    there = {str(command.name) for command in found.registered_commands}  # type: ignore[union-attr] # it is one
    page = (DOCS / guide).read_text(encoding="utf-8")
    assert set(re.findall(rf"abtest {group} ([a-z-]+)", page)) == there
