"""The recipes do what they show: each begins with what one wants, and its commands print what the page says."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.guides import DOCS, typed

if TYPE_CHECKING:
    from pathlib import Path

RECIPES = DOCS / "recipes"
_ROWS = ("imbalance.md", "small-test-sets.md", "regression.md")
_DEMO = ("pre-merge-gate.md", "first-deployment.md", "aliases.md", "shadow.md", "rollback.md")
# The demo's files, without its comparison. They are put back for each recipe: models in them know the folder's path.
_MADE = """\
<!-- file: made.py -->
```python
from pathlib import Path
from abtest import demo

demo.build(Path("abtest-demo"))
```
```console
$ python made.py 2> made.log && cp -r abtest-demo fresh
$ cd abtest-demo
```
"""
_FRESH = "```console\n$ rm -rf -- * && cp -r ../fresh/. .\n```\n"


def _page(name: str) -> str:
    return (RECIPES / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page's commands print what it shows: those about rows without a registry, the others in a fresh demo."""
    monkeypatch.setenv("ABTEST_SAVE_PLOT", "false")  # figures are drawn in other tests
    pages = "".join([*map(_page, _ROWS), _MADE, *(_FRESH + _page(name) for name in _DEMO)])
    try:
        assert typed(pages, tmp_path) == len(re.findall(r"^ *\$ ", pages, re.MULTILINE))
    finally:
        pid = tmp_path / "abtest-demo" / "serve.pid"
        if pid.exists():
            subprocess.run(["/bin/kill", pid.read_text(encoding="utf-8").strip()], check=False)  # noqa: S603 - ours


def test_the_index_lists_every_recipe() -> None:
    """Each recipe is in the table and in the table of contents, and begins with what one wants."""
    there = {path.stem for path in RECIPES.glob("*.md")} - {"index"}
    assert {f"{name}.md" for name in there} == {*_ROWS, *_DEMO}
    index = _page("index.md")
    assert set(re.findall(r"\(([a-z-]+)\.md\)", index)) == there
    assert set(re.findall(r"^[a-z-]+$", index.partition(":hidden:")[2], re.MULTILINE)) == there
    assert all("**You want**" in _page(f"{name}.md").split("\n\n")[1] for name in there)
