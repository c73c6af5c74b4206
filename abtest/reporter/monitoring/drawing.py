"""The figures of a report of monitoring, and the one of metrics over time as a file of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.reporter import figures, svg
from abtest.reporter.layout import short
from abtest.reporter.monitoring import bars, fallen, series, views
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record.monitored import MonitoringRecord

Form: TypeAlias = Literal["png", "svg"]
CATALOGUE = (series.FIGURE, fallen.FIGURE, series.SEGMENTS, bars.INPUTS, bars.LABELS)
_NAME = 40  # letters


def render(record: MonitoringRecord) -> tuple[figures.Drawn, ...]:
    """Give every figure that makes sense for a record, in the order they are read."""
    return figures.draw(record, CATALOGUE)


def plot(record: MonitoringRecord, metrics: Sequence[str] = (), form: Form = "png") -> bytes:
    """Draw metrics over time as a file.

    Args:
        record: What to draw.
        metrics: Which of its metrics; all of them by default.
        form: As a picture, or as a drawing that scales.

    Raises:
        InvalidInputError: The record does not have such a metric.
        NotApplicableError: No row has a label.
    """
    known = views.metrics_of(record.monitored)
    if not known:
        raise NotApplicableError(
            f"There is nothing to plot: no prediction of '{record.model_name}' in this period has a label.",
            hint="labels are added by 'abtest monitor track --labels'.",
        )
    for name in metrics:
        if name not in known:
            raise InvalidInputError(f"metrics must be among {', '.join(known)}, got {name!r}.")
    figure = replace(
        series.FIGURE,
        title=f"How well does {short(shown(record.model_name), _NAME)} predict over time?",
        draw=partial(series.draw, metrics=metrics),
        alt=partial(series.alt, metrics=metrics),
    )
    drawn = figures.Drawn(figure=figure, record=record)
    return drawn.png if form == "png" else svg.render_file(drawn.canvas, drawn.title, drawn.alt).encode()
