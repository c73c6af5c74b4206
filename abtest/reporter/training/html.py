"""A report of training as one HTML page: no script, no network, nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.reporter import html
from abtest.reporter.training import explained
from abtest.reporter.training.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import TrainingRecord
    from abtest.reporter.figures import Drawn


def render(record: TrainingRecord, figures: Sequence[Drawn] = ()) -> str:
    """Render the page.

    Args:
        record: What to tell.
        figures: What ``drawing.render`` made of the same record; without any, the page has tables alone.
    """
    return html.environment().get_template("training.html.j2").render(
        summary=summarise(record),
        figures=figures,
        recipe=record.recipe,
        method=explained.method(record),
        provenance=explained.provenance(record),
        abtest_version=record.provenance.abtest_version,
    )  # fmt: skip
