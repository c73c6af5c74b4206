"""The gallery as one HTML page: readable and in order without its script, which only searches; nothing beside it."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from abtest import wording
from abtest.reporter import html
from abtest.reporter.gallery.entries import Entry
from abtest.reporter.summary import TONE_MARKS, TONE_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

GENERATOR = "abtest report index"  # what the page says it was made by


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A report as the page shows it.

    Attributes:
        entry: What stands in it.
        link: Of its page, relative and percent-encoded; None where there is none.
        folder: Where it is, for people.
    """

    entry: Entry
    link: str | None
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshown:
    """A file that is no report, and why."""

    path: str
    why: str


def render(title: str, lines: Sequence[Line], unread: Sequence[Unshown], version: str) -> str:
    """Render the page.

    Args:
        title: Of the page.
        lines: The reports, in order.
        unread: What could not be read.
        version: Of abtest.
    """
    environment = html.environment()
    script = environment.get_template("gallery.js").render()
    entries = [line.entry for line in lines]
    counts = Counter((it.tone, it.verdict_mark, it.verdict_title) for it in entries)
    return environment.get_template("gallery.html.j2").render(
        title=title,
        generator=GENERATOR,
        script=Markup(script),  # noqa: S704 - a constant of ours
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        lines=lines,
        unread=unread,
        counts=counts.most_common(),
        verdicts=sorted({it.verdict_title for it in entries}),
        kinds=sorted({it.kind for it in entries}),
        models=sorted({it.model for it in entries if it.model}),
        numbers=[written(it) for it in entries],
        abtest_version=version,
    )  # fmt: skip


def written(it: Entry) -> dict[str, str]:
    """What decided, as it is printed."""
    found = it.numbers
    if found is None:
        return dict.fromkeys(("metric", "before", "after", "effect", "pvalue", "mark", "word", "tone"), "")
    known = found.effect is not None
    return {
        "metric": found.name,
        "before": wording.value(found.before, found.unit),
        "after": wording.value(found.after, found.unit),
        "effect": wording.effect(found.effect, found.unit, spell_unit=False),
        "pvalue": wording.pvalue(found.pvalue).removeprefix("p = ").removeprefix("p "),
        "mark": TONE_MARKS[found.tone] if known else "",
        "word": TONE_WORDS[found.tone] if known else "",
        "tone": found.tone,
    }
