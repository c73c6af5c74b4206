"""How the documentation is built: ``sphinx-build -W docs site``."""

import shutil
from importlib.metadata import version as _version
from pathlib import Path
from typing import Any

project = "abtest"
author = "The abtest authors"
copyright = "The abtest authors"  # noqa: A001 - Sphinx's name
release = _version("mlflow-abtest")

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["*.py"]
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
suppress_warnings = ["misc.highlighting_failure"]  # JSON, CSV and consoles with … for what is left out
nitpicky = True
smartquotes = False  # -- is an option, not a dash

html_theme = "furo"
html_title = "abtest"
html_static_path = ["static"]
html_css_files = ["abtest.css"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None  # the same sources make the same site
_LIGHT, _DARK = ("#1b5e9b", "#123f68"), ("#7db8ea", "#a9d1f3")
html_theme_options = {
    "light_css_variables": {"color-brand-primary": _LIGHT[0], "color-brand-content": _LIGHT[0]},
    "dark_css_variables": {"color-brand-primary": _DARK[0], "color-brand-content": _DARK[0]},
}


def setup(app: Any) -> None:
    """Put the sample reports beside the pages."""
    app.connect("build-finished", _gallery)


def _gallery(app: Any, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        samples = Path(app.srcdir).parent / "reports" / "sample"
        shutil.copytree(samples, Path(app.outdir) / "gallery", dirs_exist_ok=True)
