"""The comparison as one HTML page for the analyst who was not there: no script, no network, nothing beside it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from abtest import wording
from abtest.reporter import confusions, explained, forest, palette, several, views
from abtest.reporter.summary import TONE_MARKS, TONE_WORDS, cleaned, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import ComparisonRecord, ComparisonsRecord
    from abtest.reporter.figures import Drawn

MOST_CLASSES_OPEN = 50  # a longer table waits folded
MOST_CLASSES_IN_A_TABLE = 12  # columns of a confusion matrix that can still be read
_BREAKS = re.compile(r"\d %|\bp [<=] \d")
_FIGURE_SPACE = "\u2007"  # as wide as a digit


def render(record: ComparisonRecord, figures: Sequence[Drawn] = ()) -> str:
    """Render the page.

    Args:
        record: What to tell.
        figures: What ``figures.render`` made of the same record; without any, the page has tables alone.
    """
    return environment().get_template("report.html.j2").render(
        summary=summarise(record),
        record=record,
        body=_body(record, figures),
        abtest_version=record.provenance.abtest_version,
    )  # fmt: skip


def render_several(record: ComparisonsRecord, figures: Sequence[Sequence[Drawn]] = ()) -> str:
    """Render one page of several challengers, each with its ordinary report.

    Args:
        record: What to tell.
        figures: What ``figures.render`` made of each comparison; without any, the page has tables alone.
    """
    found = figures or [() for _ in record.comparisons]
    return environment().get_template("several.html.j2").render(
        summary=several.summarise(record),
        drawn=forest.drawn(record) if figures else (),
        bodies=[
            _body(one, drawn, within=f"challenger-{i}")
            for i, (one, drawn) in enumerate(zip(record.comparisons, found, strict=True), start=1)
        ],
        abtest_version=record.comparisons[0].provenance.abtest_version,
    )  # fmt: skip


def fragment(record: ComparisonRecord) -> str:
    """Render verdict, reasons and metrics for a notebook's cell, on whatever background it has."""
    return environment().get_template("fragment.html.j2").render(summary=summarise(record))


def fragment_of_several(record: ComparisonsRecord) -> str:
    """Render verdict, challengers and reasons for a notebook's cell, likewise."""
    return environment().get_template("fragment_several.html.j2").render(summary=several.summarise(record))


def _body(record: ComparisonRecord, figures: Sequence[Drawn], within: str = "") -> Markup:
    """Render all that is said of one comparison; on a page of several, ``within`` begins its ids."""
    mistakes, summary = confusions.mistakes(record), summarise(record)
    labels = record.confusion.labels if record.confusion is not None else ()
    matrices = confusions.matrices(record) if 0 < len(labels) <= MOST_CLASSES_IN_A_TABLE else None
    text = environment().get_template("body.html.j2").render(
        at=f"{within}-" if within else "",
        within=f"{within}-name " if within else "",
        level=3 if within else 2,
        summary=summary,
        record=record,
        figures=figures,
        method=explained.method(record),
        provenance=explained.provenance(record),
        scores_about=explained.about_scores(record),
        mistakes=mistakes[: confusions.MOST_MISTAKES],
        mistakes_left_out=max(0, len(mistakes) - confusions.MOST_MISTAKES),
        matrices=matrices,
        has_mistakes=bool(labels or mistakes),
        pair_test=views.pair_test(record),
        folded=len(summary.classes) > MOST_CLASSES_OPEN,
        bands=views.band_views(record),
    )  # fmt: skip
    return Markup(text)  # noqa: S704 - a template of ours has escaped everything in it


def aligned(numbers: Sequence[str]) -> list[str]:
    """Pad a right-aligned column of written numbers, so that their decimal points stand in line.

    Example:
        >>> [text.replace("\u2007", "·") for text in aligned(["+0.04", "+12.3", "–"])]
        ['+0.04', '+12.3·', '–']
    """
    decimals = [len(text.partition(".")[2].rstrip(" %")) if "." in text else 0 for text in numbers]
    most = max(decimals, default=0)
    return [
        text + _FIGURE_SPACE * (most - count) if "." in text else text
        for text, count in zip(numbers, decimals, strict=True)
    ]


def unbroken(text: str) -> str:
    """Keep numbers and their units, and p and its value, on one line.

    Example:
        >>> unbroken("95 % of them, p < 0.001").replace("\u00a0", "·")
        '95·% of them, p·<·0.001'
    """
    return _BREAKS.sub(lambda found: found.group(0).replace(" ", "\u00a0"), text)


@cache
def environment() -> jinja2.Environment:
    """Where templates are, and what they may use; everything they print is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("abtest.reporter"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_showable,
    )
    environment.filters |= {
        "whole": wording.whole,
        "percent": wording.percent,
        "pvalue": wording.pvalue,
        "aligned": aligned,
        "unbroken": unbroken,
        "capitalised": wording.capitalised,
        "drawing": Markup,  # SVG of our own making, its texts escaped there
    }
    environment.globals |= {
        "light": Markup(palette.LIGHT.as_css()),  # noqa: S704 - constants of ours
        "dark": Markup(palette.DARK.as_css()),  # noqa: S704 - constants of ours
        "anywhere": palette,
        "tone_words": TONE_WORDS,
        "tone_marks": TONE_MARKS,
    }
    return environment


def _showable(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """Keep control characters of users' texts off the page."""
    return cleaned(value) if isinstance(value, str) and not isinstance(value, Markup) else value
