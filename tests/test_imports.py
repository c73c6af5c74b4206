"""What each command imports, each in a process of its own: nothing before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from abtest import demo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DRAWING = {"matplotlib", "seaborn", "PIL"}
NEVER = {"seaborn", "statsmodels", "scipy.stats", "scipy.optimize", "sklearn", "shap"}  # of ours; a model may
REGISTRY = {"mlflow", "sqlalchemy", "requests", "alembic"}
SERVER = {"fastapi", "starlette", "uvicorn", "prometheus_client"}
NUMBERS = {"numpy", "scipy", "pandas", "pyarrow"}

_WATCHED = """
import atexit, gc, json, sys
file, sys.argv = sys.argv[1], ["abtest", *sys.argv[2:]]
@atexit.register  # before the command does, and so it is called after
def tell():
    whole, frozen = gc.get_stats()[2]["collections"], gc.get_freeze_count()
    with open(file, "w") as stream:
        json.dump({"modules": sorted(sys.modules), "whole": whole, "frozen": frozen}, stream)
from abtest.cli import main
main()
"""


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """A file of predictions."""
    path = tmp_path / "predicted.csv"
    path.write_text("truth,old,new\n" + "a,a,a\nb,a,b\n" * 30, encoding="utf-8")
    return path


def watched(folder: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Type a command, and tell how it stood when it ended."""
    file = folder / "watched.json"
    command = [sys.executable, "-c", _WATCHED, str(file), *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)  # noqa: S603 - this interpreter
    assert told.returncode == code, told.stdout + told.stderr
    return dict(json.loads(file.read_text(encoding="utf-8")))


def imported(folder: Path, *arguments: str, code: int = 0) -> set[str]:
    """Type a command, and tell what it imported."""
    names: list[str] = watched(folder, *arguments, code=code)["modules"]
    return set(names)


@pytest.mark.parametrize(
    "command", [[], ["compare"], ["compare-predictions"], ["power"], ["demo"], ["models"], ["serve"]]
)
def test_help_imports_what_prints_it(tmp_path: Path, command: Sequence[str]) -> None:
    """Help pays for what prints it, and for nothing that compares."""
    assert not imported(tmp_path, *command, "--help") & (NEVER | REGISTRY | NUMBERS | SERVER | DRAWING | {"jinja2"})


@pytest.mark.parametrize(
    "command",
    [["compare", "--nonsense"], ["compare"], ["compare-predictions"], ["models", "show"], ["serve"], ["nonsense"]],
)
def test_a_usage_error_imports_nothing_that_compares(tmp_path: Path, command: Sequence[str]) -> None:
    """What was typed wrongly is told at once: without MLflow, figures and pages, and without a registry's database."""
    assert not imported(tmp_path, *command, code=2) & (NEVER | REGISTRY | SERVER | {"pandas"} | DRAWING | {"jinja2"})


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "--test-data", "none.csv"],
        ["compare", "--test-data", "predicted.csv", "--target", "nothing"],
        ["compare", "--test-data", "predicted.csv", "--policy", "none.toml"],
        ["compare", "--test-data", "predicted.csv", "--tracking-uri", "sqlite:///none.db", "--champion-version", "x"],
        ["compare", "--test-data", "predicted.csv", "--tracking-uri", "sqlite:///none.db"],
        ["compare-predictions", "none.csv", "--champion", "old", "--challenger", "new", "--target", "truth"],
        ["models", "list", "--tracking-uri", "sqlite:///none.db"],
        ["serve", "--tracking-uri", "sqlite:///none.db", "--model-name", "none"],
    ],
)
def test_an_error_does_not_wait_for_mlflow(tmp_path: Path, predictions: Path, command: Sequence[str]) -> None:
    """A file, a column, a policy, a reference or a registry that is not there is told without MLflow and its kin."""
    assert predictions.exists()
    assert not imported(tmp_path, *command, code=1) & (NEVER | {"mlflow", "alembic", "pandas"} | DRAWING | {"jinja2"})


def test_predictions_are_compared_without_a_registry(tmp_path: Path, predictions: Path) -> None:
    """To compare columns takes no MLflow, no scikit-learn and no scipy.stats; without figures, nothing that draws."""
    command = ["compare-predictions", str(predictions), "--champion", "old", "--challenger", "new", "--target", "truth"]
    plain = imported(tmp_path, *command, "--no-save-plot")
    assert not plain & (NEVER | REGISTRY | DRAWING)
    assert "rich" not in imported(tmp_path, *command, "--no-save-plot", "--quiet")
    drawn = imported(tmp_path, *command)
    assert not drawn & (NEVER | REGISTRY)
    assert "matplotlib.pyplot" not in drawn
    assert "matplotlib" in drawn


def test_a_comparison_without_figures_imports_nothing_that_draws(tmp_path: Path) -> None:
    """A comparison of registered models that is logged without figures draws nothing, and is never searched whole."""
    demo.build(tmp_path)
    found = watched(tmp_path, "compare", "--no-save-plot")
    modules = set(found["modules"])
    assert {"mlflow", "sklearn"} <= modules
    assert not modules & {"matplotlib", "seaborn", "statsmodels"}
    assert found["whole"] == 0
    assert found["frozen"]
