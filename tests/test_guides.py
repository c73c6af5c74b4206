"""The guides do what they show: their files are written, their commands typed in order, their output compared."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from abtest.cli import app
from tests.engines import clusters
from tests.guides import DOCS, guide

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_ten_minutes(tmp_path: Path) -> None:
    """A newcomer gets from nothing to a promotion, a rollback and a candidate of their own."""
    assert guide("tutorial.md", tmp_path) == 14


@pytest.mark.slow
def test_the_four_workflows(tmp_path: Path) -> None:
    """Train, register, validate, promote; update; a batch; a rollback: each command prints what the page shows."""
    assert guide("workflows.md", tmp_path) == 12


def test_predictions_in_a_database(tmp_path: Path) -> None:
    """A table and a query of a database that the guide makes are compared as it shows."""
    assert guide("sql.md", tmp_path) == 4


@pytest.mark.slow
def test_training_candidates(tmp_path: Path) -> None:
    """Candidates are ranked, registered and compared with the champion, and trained by a recipe, as the guide shows."""
    assert guide("training.md", tmp_path) == 5


@pytest.mark.slow
def test_predicting_in_bulk(tmp_path: Path) -> None:
    """The demo's model predicts a file, and commands print what the guide shows."""
    assert guide("predict.md", tmp_path) == 10


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.skipif(bool(clusters.LACKS), reason=clusters.LACKS)
def test_scoring_on_spark(tmp_path: Path) -> None:
    """Models and rows that the guide makes are compared on Spark as here."""
    assert guide("spark.md", tmp_path) == 3


@pytest.mark.slow
def test_experiments_on_live_traffic(tmp_path: Path) -> None:
    """A server answers, a shadow is judged and a split is run as the guide shows."""
    try:
        assert guide("live.md", tmp_path) == 23
    finally:
        pid = tmp_path / "abtest-demo" / "serve.pid"
        if pid.exists():
            subprocess.run(["/bin/kill", pid.read_text(encoding="utf-8").strip()], check=False)  # noqa: S603 - ours


@pytest.mark.slow
def test_watching_a_model(tmp_path: Path) -> None:
    """Scans are tracked, labelled, checked, reported, drawn and exported as the guide shows."""
    assert guide("monitoring.md", tmp_path) == 13


@pytest.mark.slow
def test_lineage_environments_and_cleaning_up(tmp_path: Path) -> None:
    """A promoted version's lineage is told, environments are compared, and a cleanup is planned, as the guide shows."""
    assert guide("lineage.md", tmp_path) == 6


@pytest.mark.slow
def test_training_again(tmp_path: Path) -> None:
    """A model is trained on new rows, promoted by a second call, and the history shows it as the guide does."""
    assert guide("retraining.md", tmp_path) == 5


@pytest.mark.slow
def test_reports_again_and_all_together(tmp_path: Path) -> None:
    """The demo's report is put on a page, and drawn again from its record, as the guide shows."""
    assert guide("reports.md", tmp_path) == 6


@pytest.mark.slow
def test_the_books(tmp_path: Path) -> None:
    """Runs of the demo are listed, compared and kept, and experiments told, as the guide shows."""
    assert guide("books.md", tmp_path) == 6


@pytest.mark.parametrize(
    ("group", "guide"),
    [
        ("models", "registry.md"),
        ("experiment", "live.md"),
        ("monitor", "monitoring.md"),
        ("runs", "books.md"),
        ("experiments", "books.md"),
        ("report", "reports.md"),
    ],
)
def test_every_command_of_a_group_is_in_its_guide(group: str, guide: str) -> None:
    """An undocumented command is a failing test, and so is a documented one that is not there."""
    found = next(it.typer_instance for it in app.registered_groups if it.name == group)
    there = {str(command.name) for command in found.registered_commands}  # type: ignore[union-attr] # it is one
    page = (DOCS / guide).read_text(encoding="utf-8")
    assert set(re.findall(rf"abtest {group} ([a-z-]+)", page)) == there
