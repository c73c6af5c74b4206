"""Pages that show commands: their files are written, their commands typed in order, their output compared."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import tempfile
from pathlib import Path

from tests import started

DOCS = Path(__file__).parent.parent / "docs"
_BLOCK = re.compile(
    r"(?:<!-- (?:file: (?P<file>\S+)|exit code: (?P<code>\d+)) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL
)


def guide(name: str, folder: Path) -> int:
    """Do what a page of docs/ shows, in a folder, and say how many commands that were."""
    return typed((DOCS / name).read_text(encoding="utf-8"), folder)


def typed(page: str, folder: Path) -> int:
    """Type a page's commands, in order; what one exports, and where it goes, holds for the next."""
    with tempfile.TemporaryDirectory() as programs, started.programs(Path(programs)) as path:
        return _in_order(page, folder, {"PATH": path})


def _in_order(page: str, tmp_path: Path, environ: dict[str, str]) -> int:
    """Type a page's commands; what one exports, and where it goes, holds for the next.

    Where a block is said to fail, its commands end with that exit code, and what they tell on standard error is shown.
    """
    typed = 0
    for block in _BLOCK.finditer(page):
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
                ["/bin/bash", "-c", command], cwd=tmp_path, env={**os.environ, **environ}, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if block["code"] else subprocess.PIPE, text=True, check=False,
                timeout=300,  # one that waits for what never comes
            )  # fmt: skip
            assert told.returncode == int(block["code"] or 0), f"$ {command}\n{told.stdout}{told.stderr}"
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert doctest.OutputChecker().check_output(shown, told.stdout, flags), f"$ {command}\n{told.stdout}"
            typed += 1
    return typed
