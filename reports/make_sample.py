"""Make ``reports/sample/`` anew: ``python reports/make_sample.py``, in half a minute.

The models are trained, compared, tried and watched in a scratch folder, and the reports written here; with Chromium
about, the README's picture is taken too. ``--redraw`` draws the reports again from their records, after a change to how
reports look; names make those samples alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from abtest.gallery import finding, indexing, redrawing
from abtest.record.reading import FILES

HERE = Path(__file__).parent
SAMPLE = HERE / "sample"
TITLE = "Sample reports"
PICTURED = "binary"
WIDTH, HEIGHT = 1200, 1350


def main() -> None:
    """Make the samples named, or all; then the page over them, and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--redraw", action="store_true", help="draw them again, and train nothing")
    options = parser.parse_args()
    if not options.redraw:
        make(options.names)
    for path in records(SAMPLE):
        redrawing.redraw(path)
    indexing.write(finding.find(SAMPLE), SAMPLE / "index.html", title=TITLE)
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("No Chromium here: the picture in the README was not taken.")
    _take_picture(chromium)


def make(names: list[str]) -> None:
    """Make records."""
    import samples  # beside this file

    for name in names or samples.SAMPLES:
        with tempfile.TemporaryDirectory() as scratch:
            record = samples.lean(samples.SAMPLES[name](Path(scratch).resolve()), name)
        folder = SAMPLE / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / FILES[type(record)]).write_text(record.to_json() + "\n", encoding="utf-8")


def records(folder: Path) -> list[Path]:
    """Every record below a folder."""
    return sorted(path for name in set(FILES.values()) for path in folder.glob(f"*/{name}"))


def _take_picture(chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto((SAMPLE / PICTURED / "report.html").as_uri())
        page.screenshot(path=SAMPLE / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
