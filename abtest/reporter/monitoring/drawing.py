"""The figures of a report of monitoring: entered here, drawn next door."""

from __future__ import annotations
from typing import TYPE_CHECKING
from abtest.reporter import figures

if TYPE_CHECKING:
    from abtest.record.monitored import MonitoringRecord
CATALOGUE = ()


def render(record: MonitoringRecord) -> tuple[figures.Drawn, ...]:
    """Give every figure that makes sense for a record, in the order they are read."""
    return figures.draw(record, CATALOGUE)
