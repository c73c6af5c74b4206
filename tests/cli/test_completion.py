"""The shell completes commands, options and what they may be, in a real bash, and in what other shells ask with."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli import shell

if TYPE_CHECKING:
    from pathlib import Path

MAIN = f"#!{sys.executable}\nfrom abtest.cli import main\nmain()\n"
# What bash does when Tab is pressed after what was typed, whose last word may be empty.
PRESS_TAB = """
eval "$(_ABTEST_COMPLETE=source_bash abtest)"
for typed in "$@"; do
  IFS=' ' read -ra COMP_WORDS <<< "$typed"; [ "${typed: -1}" = ' ' ] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _abtest_completion abtest
  echo "${COMPREPLY[*]//$'\\n'/ }"
done
complete -p abtest
"""
TYPED = {
    "abtest mod": "models",
    "abtest models rol": "rollback",
    "abtest compare --champion-st": "--champion-stage",
    "abtest compare --average ": "macro weighted binary",
    "abtest compare --engine s": "spark",
    "abtest models list --format ": "table json",
    "abtest compare --gate --accept cond": "conditional",
    "abtest compare --test-data ": "",  # a file, which the shell itself completes
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where this program is found by its name."""
    program = tmp_path / "bin" / "abtest"
    program.parent.mkdir()
    program.write_text(MAIN, encoding="utf-8")
    program.chmod(0o755)
    return f"{program.parent}:/usr/bin:/bin"


def _said(command: list[str], **variables: str) -> str:
    told = subprocess.run(  # noqa: S603 - a shell, and the program under test
        command, env=shell.environment(**variables), capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stderr == ""
    return told.stdout


def test_bash_completes(path: str) -> None:
    """After each of these bash offers what follows; where that is a file, it is left to bash."""
    *offered, how = _said(["/bin/bash", "--norc", "-c", PRESS_TAB, "bash", *TYPED], PATH=path).splitlines()
    assert dict(zip(TYPED, (line.strip() for line in offered), strict=True)) == TYPED
    assert how == "complete -o default -F _abtest_completion abtest"


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_are_answered(path: str, name: str) -> None:
    """Their script asks by variables, and what zsh and fish ask so is answered."""
    script = _said(["abtest"], PATH=path, _ABTEST_COMPLETE=f"source_{name}")
    assert "_TYPER_COMPLETE_ARGS" in script
    asked = {"_ABTEST_COMPLETE": f"complete_{name}", "_TYPER_COMPLETE_ARGS": "abtest models rol"}
    assert "rollback" in _said(["abtest"], PATH=path, _TYPER_COMPLETE_FISH_ACTION="get-args", **asked)
