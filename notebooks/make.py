"""Run the notebooks and keep what they show: light, and the same wherever and whenever they run.

    python notebooks/make.py                     # all of them
    python notebooks/make.py first_comparison    # one

Each runs in an empty folder and a fresh kernel, which finds the modules beside the notebook. Of an output in several
forms the richest is kept; what was written to stderr is not, nor are counts, times and versions. A cell whose output
is another one each time has the tag ``varies``; the tests compare the words of all others with what is kept.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image  # Matplotlib brings it

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
VARIES = "varies"
_FORMS = ("image/svg+xml", "image/png", "text/html", "text/markdown", "text/plain")  # the richest first
_STYLE, _TAG = re.compile(r"<style.*?</style>", re.DOTALL), re.compile(r"<[^>]*>")


def executed(path: Path, folder: Path) -> Any:
    """Run a notebook in a folder, and give it with what it shows, cleaned."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(folder)}}
    ).execute(env={**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])})
    return cleaned(notebook)


def cleaned(notebook: Any) -> Any:
    """Leave what a reader looks at, and nothing that is another each time or on each machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [_light(one) for one in cell.outputs if one.get("name") != "stderr"]
    return nbformat.from_dict(notebook)


def _light(output: Any) -> Any:
    if "execution_count" in output:
        output.execution_count = None
    if "data" in output:
        form = next(form for form in _FORMS if form in output.data)
        output.metadata = {form: output.metadata[form]} if form in output.metadata else {}
        output.data = {form: _small(output.data[form]) if form == "image/png" else output.data[form]}
    return output


def _small(png: str) -> str:
    """A picture in few colours: plots have no more."""
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P":
        return png
    small = io.BytesIO()
    picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def words(cell: Any) -> list[str]:
    """What a cell shows, as words: no pictures, and of HTML the text."""
    shown = []
    for output in cell.get("outputs", []):
        data = output.get("data", {"text/plain": output.get("text", "")})
        if html := data.get("text/html"):
            shown.append(unescape(_TAG.sub(" ", _STYLE.sub("", html))))
        elif text := data.get("text/markdown") or data.get("text/plain"):
            shown.append(text)
    return [" ".join(text.split()) for text in shown]


def main() -> None:
    """Run those that are named, else all, and write them with what they show."""
    parser = argparse.ArgumentParser(description="Run notebooks and keep what they show.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="without .ipynb; default: all")
    names = parser.parse_args().names
    for path in NOTEBOOKS if not names else [FOLDER / f"{name}.ipynb" for name in names]:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(path, Path(folder)), path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
