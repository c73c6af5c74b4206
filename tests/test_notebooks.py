"""Every notebook runs from top to bottom, and the year of flights tells what it says of the whole year."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    """A notebook as nbformat's untyped node."""
    import nbformat

    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat is typed in part


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell raises, in an empty folder and a fresh kernel, which finds the modules beside the notebook."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path.parent), os.environ.get("PYTHONPATH", "")]))
    notebook = read(path)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_without_outputs(path: Path) -> None:
    """Outputs are made, not kept: a diff shows what changed."""
    cells = read(path).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.year
def test_the_whole_year(tmp_path: Path) -> None:
    """Of all flights the notebook's story holds: recall falls in April and July, and not after the promotion."""
    told = subprocess.run(  # noqa: S603 - ours
        [sys.executable, NOTEBOOKS[0].parent / "flights.py", "--whole", "--folder", tmp_path / "year"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    spring, promoted, autumn = told.partition("PROMOTE: The challenger should replace the champion")
    fell = re.compile(r"– \d+ (\w+) +DEGRADED +recall [^;]* fallen;")
    assert promoted
    assert (fell.findall(spring), fell.findall(autumn)) == (["Apr", "Jul"], [])
    assert (told.count("DEGRADED"), autumn.count("SUSPECT")) == (2, 5)
    assert not re.search(r"accuracy [^;]* fallen", told)
    assert (tmp_path / "year" / "year.png").stat().st_size > 10_000
