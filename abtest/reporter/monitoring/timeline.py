"""What figures over time have in common: the axis, the windows that were compared, and who served when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.reporter.layout import CHARACTER, Trace, short
from abtest.reporter.monitoring.inputs import version
from abtest.reporter.summary import shown
from abtest.reporter.timeaxis import TimeAxis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.monitored import Monitored, Reign
    from abtest.reporter.canvas import Canvas, Role

WIDTH, LEFT, RIGHT = 960.0, 62.0, 800.0
BOTTOM = 44.0  # pixels below a plot, for the axis of time
_CLEAR = 44.0  # pixels from the last tick, whose text it must not touch, to the zone
_LANE = 16.0
_WORD = 18  # letters of one that users chose
_ROLLED_BACK = "rolled back"


class Timeline:
    """Time across a figure."""

    def __init__(self, seen: Monitored) -> None:
        self.seen = seen
        self.x = TimeAxis(seen.start, seen.end, LEFT, RIGHT)
        self._lanes = self._placed()

    def header(self) -> float:
        """How many pixels it takes above the plots."""
        return _LANE * len(self._lanes) + 26

    def _placed(self) -> list[list[Reign]]:
        """Put the names of reigns into as few lanes as they fit in, the last ones first."""
        lanes: list[tuple[float, list[Reign]]] = []
        for reign in reversed(self.seen.reigns):
            left = self._begin(reign)
            right = left + CHARACTER * len(self._text(reign)) + 12
            for i, (free, lane) in enumerate(lanes):
                if right <= free:
                    lanes[i] = (left, [*lane, reign])
                    break
            else:
                lanes.append((left, [reign]))
        return [lane for _, lane in lanes]

    def _begin(self, reign: Reign) -> float:
        return max(LEFT, self.x(reign.start))

    def _text(self, reign: Reign) -> str:
        return f"{version(reign.version)} {short(shown(reign.how), _WORD)}" if reign.how else version(reign.version)

    def grounds(self, canvas: Canvas, top: float, bottom: float) -> None:
        """Tint every other reign, and draw the two windows that were compared as bars above the plots."""
        for reign in self.seen.reigns[1::2]:
            left, right = self._begin(reign), self.x(reign.end) if reign.end else RIGHT
            canvas.boxes([(left, 0, right - left, bottom)], fill="rule", opacity=0.35)
        windows = [(self.seen.recent_start, self.seen.recent_end, "recent")]
        baseline = self.seen.baseline
        if baseline is not None and baseline.start is not None and baseline.end is not None:
            windows.insert(0, (baseline.start, baseline.end, "baseline"))
        free = 0.0
        for start, end, text in windows:
            left, right = max(LEFT, self.x(start)), min(RIGHT, self.x(end))
            if right > left:  # else it is before the report
                canvas.boxes([(left, top - 3, right - left, 4)], fill="ink", opacity=0.55)
                canvas.text(max(left, free), top - 12, text, size=11, role="muted")
                free = max(left, free) + CHARACTER * len(text) + 8

    def moves(self, canvas: Canvas, panels: Sequence[tuple[float, float]]) -> None:
        """Name the reigns at the top, and draw a line through the panels where a move began one."""
        for i, lane in enumerate(self._lanes):
            y = _LANE * i + 8
            for reign in lane:
                harm = reign.how == _ROLLED_BACK
                role: Role = "worse" if harm else "ink" if reign.how else "muted"
                left = self._begin(reign)
                canvas.text(left + 4, y, self._text(reign), size=11, role=role, bold=harm)
                if reign.how and left > LEFT + 1:
                    for top, bottom in ((y - 6, self.header() - 18), *panels):
                        canvas.lines(Trace([(left, top), (left, bottom)]).dashes(2, 3), role=role, width=1.2)

    def ticks(self, canvas: Canvas, bottom: float) -> None:
        """Draw the axis, and name its zone."""
        canvas.line((LEFT, bottom), (RIGHT, bottom), role="muted")
        for tick in self.x.ticks:
            at = self.x(tick.at)
            canvas.line((at, bottom), (at, bottom + 5), role="muted")
            canvas.text(at, bottom + 15, tick.text, size=11, role="muted", align="center")
            canvas.text(at, bottom + 31, tick.under, size=11, role="muted", align="center")
        canvas.text(RIGHT + _CLEAR, bottom + 15, "UTC", size=11, role="muted")
