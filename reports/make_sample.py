"""Make ``reports/sample/`` anew: ``python reports/make_sample.py``.

The demo is run in a scratch folder and its report copied here; with Chromium about, the README's picture is taken too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
WIDTH, HEIGHT = 1200, 1350


def main() -> None:
    """Run the demo, keep its report, take its picture."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        subprocess.run([sys.executable, "-m", "abtest", "demo"], cwd=scratch, env=environment, check=True)
        (report,) = (Path(scratch) / "abtest-demo" / "reports").iterdir()
        shutil.rmtree(SAMPLE, ignore_errors=True)
        shutil.copytree(report, SAMPLE)
        _without_this_machine(Path(scratch).resolve())
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("No Chromium here: the picture in the README was not taken.")
    _take_picture(chromium)


def _without_this_machine(scratch: Path) -> None:
    """Name files as the reader of the sample would see them in a folder of their own."""
    for path in SAMPLE.rglob("*"):
        if path.suffix in {".html", ".json", ".md"}:
            path.write_text(path.read_text(encoding="utf-8").replace(f"{scratch}/", "/home/you/"), encoding="utf-8")


def _take_picture(chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto((SAMPLE / "report.html").as_uri())
        page.screenshot(path=SAMPLE / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
