"""Every notebook runs from top to bottom and shows what is kept; the year of flights is told of the whole year too."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAKE = runpy.run_path(str(FOLDER / "make.py"))  # a script beside the notebooks, in no package
MOST = 200_000  # bytes

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    """A notebook as nbformat's untyped node."""
    import nbformat

    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat is typed in part


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem == "first_comparison" else pytest.mark.slow)
        for path in NOTEBOOKS
    ],
)
def test_shows_what_is_kept(path: Path, tmp_path: Path) -> None:
    """No cell raises, in an empty folder and a fresh kernel, and each says what is kept, but for those that vary.

    What is kept is renewed by `python notebooks/make.py`.
    """
    for kept, shown in zip(read(path).cells, MAKE["executed"](path, tmp_path).cells, strict=True):
        if MAKE["VARIES"] not in kept.metadata.get("tags", []):
            assert MAKE["words"](shown) == MAKE["words"](kept), kept.source


@every_notebook
def test_is_kept_light(path: Path) -> None:
    """A notebook is small, is as it is when made, and holds no folder of the machine that it was made on."""
    notebook, text = read(path), path.read_text(encoding="utf-8")
    assert MAKE["cleaned"](read(path)) == notebook
    assert any(cell.get("outputs") for cell in notebook.cells)
    assert len(text.encode()) <= MOST
    assert not re.search(r"/(?:tmp|home|root|work|Users)/", text)


def test_a_kept_program_ends_with_its_keeper() -> None:
    """Of a process that is killed at once, the program that it kept ends too: nobody holds its output open any more."""
    code = "import os, signal, traffic; traffic.kept(['sleep', '600']); os.kill(os.getpid(), signal.SIGKILL)"
    ended = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == -9, ended.stderr


@pytest.mark.year
def test_the_whole_year(tmp_path: Path) -> None:
    """Of all flights the notebook's story holds: recall falls in April and July, and not after the promotion."""
    told = subprocess.run(  # noqa: S603 - ours
        [sys.executable, FOLDER / "flights.py", "--whole", "--folder", tmp_path / "year"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    spring, promoted, autumn = told.partition("PROMOTE: The challenger should replace the champion")
    fell = re.compile(r"– \d+ (\w+) +DEGRADED +recall [^;]* fallen;")
    assert promoted
    assert (fell.findall(spring), fell.findall(autumn)) == (["Apr", "Jul"], [])
    assert (told.count("DEGRADED"), autumn.count("SUSPECT")) == (2, 5)
    assert not re.search(r"accuracy [^;]* fallen", told)
    assert (tmp_path / "year" / "year.png").stat().st_size > 10_000
