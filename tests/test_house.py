"""The house is in order: format, lint, types and walls, as tests of the one test command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "format", "--check", "--diff", "."],
        ["ruff", "check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=["format", "lint", "types", "walls"],
)
def test_is_clean(command: list[str]) -> None:
    """Each linter of the house has nothing to say."""
    told = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - the linters of this environment
    assert told.returncode == 0, told.stdout + told.stderr


def test_help_imports_nothing_heavy() -> None:
    """`abtest --help` pays for no library but Typer."""
    heavy = ["mlflow", "pandas", "numpy", "scipy", "sklearn", "matplotlib", "pyarrow"]
    script = (
        "import sys; sys.argv = ['abtest', '--help']\n"
        "from abtest.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
    assert told.stderr.strip() == "[]"
    assert "compare" in told.stdout


def test_the_public_door_opens_every_name() -> None:
    """Every name of `abtest.__all__` is there, and no other comes through."""
    import abtest

    for name in abtest.__all__:
        assert getattr(abtest, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        abtest.nothing  # noqa: B018 - asking is the test
