"""Figures of counts: both confusion matrices, their difference, and who was right where.

To add a figure, write a function that draws it and one that tells it, and enter both in ``FIGURES``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter import confusions, views
from abtest.reporter.canvas import DIAMOND, SQUARE, Canvas, Figure
from abtest.reporter.layout import CHARACTER, label_width, short
from abtest.reporter.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Box, Role
    from abtest.reporter.confusions import Bools, Floats, Ints

MOST_CLASSES = 100  # a larger matrix has cells of less than five pixels
_SHADES = 16


class _Grid:
    """How large the cells of a matrix are, and what fits in them."""

    def __init__(self, labels: Sequence[str], *, most: float) -> None:
        self.labels = [short(label) for label in labels]
        self.cell = min(92.0, most / len(labels))
        self.side = self.cell * len(labels)
        self.size = max(6.5, min(11.0, 0.8 * self.cell))
        self.margin = 12 + label_width(labels) * self.size / 11
        self.flat = all(len(label) * CHARACTER * self.size / 11 <= self.cell for label in self.labels)
        self.below = 24.0 if self.flat else self.margin  # what labels under it take
        self.gap = 1.5 if self.cell >= 17 else 0.0  # so that neighbours of one shade are still two cells
        self.counts = self.cell >= 17
        self.shares = self.cell >= 34

    def at(self, canvas: Canvas, x: float, y: float) -> _Matrix:
        """Place one on a canvas."""
        return _Matrix(grid=self, canvas=canvas, x=x, y=y)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matrix:
    """A grid in its place."""

    grid: _Grid
    canvas: Canvas
    x: float
    y: float

    def frame(self, *, labelled: bool = True) -> None:
        """Draw the outline, and each label that has room to be read."""
        canvas, grid, x, y = self.canvas, self.grid, self.x, self.y
        canvas.boxes([(x, y, grid.side, grid.side)], stroke="rule")
        for i in range(0, len(grid.labels), math.ceil(7 / grid.cell)):
            label, middle = grid.labels[i], grid.cell * (i + 0.5)
            if labelled:
                canvas.text(x - 8, y + middle, label, size=grid.size, align="right")
            if grid.flat:
                canvas.text(x + middle, y + grid.side + 12, label, size=grid.size, align="center")
            else:
                canvas.text(x + middle, y + grid.side + 8, label, size=grid.size, align="right", turned=True)

    def shade(self, depth: Floats, role: Role, *, where: Bools) -> None:
        """Fill cells by depth (0 to 1), by its square root, so that rare mistakes are seen beside common successes."""
        cell, gap, darkest = (
            self.grid.cell,
            self.grid.gap,
            0.5 if self.grid.counts else 0.95,
        )  # what is written in a cell has to be read
        levels: dict[int, list[Box]] = {}
        for i, j in zip(*where.nonzero(), strict=True):
            level = max(1, round(_SHADES * float(depth[i, j]) ** 0.5))
            corner = self.x + cell * float(j) + gap / 2, self.y + cell * float(i) + gap / 2
            levels.setdefault(level, []).append((*corner, cell - gap, cell - gap))
        for level, boxes in sorted(levels.items()):
            self.canvas.boxes(boxes, fill=role, opacity=darkest * level / _SHADES)

    def write(self, i: int, j: int, text: str, below: str = "") -> None:
        """Write in a cell: a count, and a share below it if there is room."""
        cell = self.grid.cell
        x, y = self.x + cell * (j + 0.5), self.y + cell * (i + 0.5)
        size = min(15.0, max(7.0, 0.28 * cell), cell / (0.66 * len(text)))
        if not (below and self.grid.shares):
            self.canvas.text(x, y, text, size=size, align="center")
            return
        self.canvas.text(x, y - 0.13 * cell, text, size=size, align="center")
        self.canvas.text(x, y + 0.22 * cell, below, size=max(7.0, 0.66 * size), align="center")


def _draw_confusion(record: ComparisonRecord) -> Canvas:
    found, words = confusions.matrices(record), summarise(record)
    grid = _Grid(found.labels, most=440)
    side, top = max(grid.side, 190), 58.0
    canvas = Canvas(grid.margin + 2 * side + 40, top + grid.side + grid.below + 6)
    sides: tuple[tuple[Role, str, Ints, Floats], ...] = (
        ("champion", words.sides[0], found.champion, found.champion_shares),
        ("challenger", words.sides[1], found.challenger, found.challenger_shares),
    )
    for number, (role, name, counts, shares) in enumerate(sides):
        x = grid.margin + number * (side + 36)
        canvas.mark((x + 6, 14), (SQUARE, DIAMOND)[number], role, size=5.5)
        canvas.text(x + 18, 14, short(name, 30), size=13, role=role, bold=True)
        canvas.text(x, 42, "truth ↓  predicted →", size=11, role="muted")
        matrix = grid.at(canvas, x, top)
        matrix.shade(shares, role, where=counts > 0)
        matrix.frame(labelled=not number)
        for i, j in zip(*counts.nonzero(), strict=True) if grid.counts else ():
            matrix.write(i, j, wording.whole(int(counts[i, j])), wording.percent(float(shares[i, j])))
    return canvas


def _draw_difference(record: ComparisonRecord) -> Canvas:
    found = confusions.matrices(record)
    grid, top = _Grid(found.labels, most=480), 34.0
    canvas = Canvas(grid.margin + max(grid.side, 200) + 4, top + grid.side + grid.below + 6)
    canvas.text(grid.margin, 16, "truth ↓  predicted →", size=11, role="muted")
    matrix = grid.at(canvas, grid.margin, top)
    matrix.shade(found.depth, "better", where=found.gains)
    matrix.shade(found.depth, "worse", where=found.losses)
    matrix.frame()
    if grid.cell >= 8:  # below, no sign would be read; the table of mistakes has them
        for i, j in zip(*found.difference.nonzero(), strict=True):
            change = float(found.difference[i, j])
            sign = "+" if change > 0 else wording.MINUS
            matrix.write(i, j, wording.signed(change, 0 if found.paired else 1) if grid.counts else sign)
    return canvas


def _draw_contingency(record: ComparisonRecord) -> Canvas:
    """Left: the four counts. Right: McNemar's question, whether the rows that differ split in halves."""
    table, words = views.contingency(record), summarise(record)
    canvas = Canvas(960, 226)
    x, y, width, height = 96.0, 52.0, 150.0, 84.0
    canvas.text(x, 16, short(words.sides[1], 36), role="challenger", bold=True)
    for j, text in enumerate(("right", "wrong")):
        canvas.text(x + width * (j + 0.5), y - 14, text, size=11, role="muted", align="center")
        canvas.text(x - 12, y + height * (j + 0.5) + 9, text, size=11, role="muted", align="right")
    for i in range(2):
        canvas.text(x - 12, y + height * (i + 0.5) - 9, "champion", size=11, role="champion", align="right", bold=True)
    cells: tuple[tuple[int, int, int, str, Role | None], ...] = (
        (0, 0, table.both, "both right", None),
        (0, 1, table.champion_only, "only the champion", "champion"),
        (1, 0, table.challenger_only, "only the challenger", "challenger"),
        (1, 1, table.neither, "both wrong", None),
    )
    for i, j, count, text, role in cells:
        box = x + width * j + 2, y + height * i + 2, width - 4, height - 4
        canvas.boxes([box], fill=role or "raised", opacity=0.16 if role else 1)
        if role:
            canvas.boxes([box], stroke=role)
        middle = x + width * (j + 0.5), y + height * (i + 0.5)
        canvas.text(
            middle[0], middle[1] - 9, wording.whole(count), size=22, role=role or "ink", align="center", bold=bool(role)
        )
        canvas.text(middle[0], middle[1] + 18, text, size=11, role="ink" if role else "muted", align="center")
    _draw_split(canvas, record, 480)
    return canvas


def _draw_split(canvas: Canvas, record: ComparisonRecord, left: float) -> None:
    table, width, top = views.contingency(record), canvas.width - left, 108.0
    if not table.discordant:
        canvas.text(left, top, "No row tells the two apart.", size=13, bold=True)
        return
    rows = wording.plural(table.discordant, "row tells", "rows tell")
    canvas.text(left, 66, f"{rows} the two apart", size=13, bold=True)
    cut = width * table.champion_only / table.discordant
    canvas.boxes([(left, top, cut, 30)], fill="champion")
    canvas.boxes([(left + cut, top, width - cut, 30)], fill="challenger")
    canvas.line((left + width / 2, top - 10), (left + width / 2, top + 40), role="ink", width=1.5)
    canvas.text(left + width / 2, top + 52, "half: no difference", size=11, role="muted", align="center")
    canvas.text(left, top - 14, f"champion {wording.whole(table.champion_only)}", role="champion", bold=True)
    challenger = f"challenger {wording.whole(table.challenger_only)}"
    canvas.text(left + width, top - 14, challenger, role="challenger", align="right", bold=True)
    canvas.text(left, top + 82, views.pair_test(record))


def _alt_confusion(record: ComparisonRecord) -> str:
    both, found = confusions.matrices(record), confusions.mistakes(record)
    rights = [wording.whole(int(counts.trace())) for counts in (both.champion, both.challenger)]
    sums = [wording.whole(int(counts.sum())) for counts in (both.champion, both.challenger)]
    of = "" if both.paired else f" of {sums[1]}"
    right = f"The champion is right on {rights[0]} of {sums[0]} rows, the challenger on {rights[1]}{of}."
    if not found:
        return f"Two confusion matrices. {right} Neither makes a mistake."
    most = found[0]
    return (
        f"Two confusion matrices. {right} The most frequent mistake: {most.truth} taken for {most.predicted}, "
        f"by the champion on {most.texts[0]} row{'' if most.texts[0] == '1' else 's'}, by the challenger on "
        f"{most.texts[1]}."
    )


def _alt_difference(record: ComparisonRecord) -> str:
    found = confusions.mistakes(record)
    fewer = sum(it.tone == "better" for it in found)
    more = sum(it.tone == "worse" for it in found)
    return (
        "The challenger's confusion matrix minus the champion's. It makes "
        f"{wording.plural(fewer, 'kind')} of mistake less often, and {wording.plural(more, 'kind')} more often."
    )


def _alt_contingency(record: ComparisonRecord) -> str:
    table, test = views.contingency(record), views.pair_test(record)
    return (
        f"Both sides right on {wording.plural(table.both, 'row')}, only the champion on "
        f"{wording.whole(table.champion_only)}, only the challenger on {wording.whole(table.challenger_only)}, "
        f"neither on {wording.whole(table.neither)}. {test}."
    )


def _has_matrices(record: ComparisonRecord) -> bool:
    return record.confusion is not None and len(record.confusion.labels) <= MOST_CLASSES


def _has_pairs(record: ComparisonRecord) -> bool:
    return record.contingency is not None


FIGURES = (
    Figure(
        name="confusion",
        topic="mistakes",
        title="What does each side mistake for what?",
        caption=(
            "Rows are the truth, columns the prediction; the diagonal is right. Both share one scale: the darker, the "
            "larger the share of its row (by its square root, so that rare mistakes can be seen)."
        ),
        alt=_alt_confusion,
        draw=_draw_confusion,
        applies=_has_matrices,
    ),
    Figure(
        name="confusion-difference",
        topic="mistakes",
        title="Which mistakes changed?",
        caption=(
            "Rows each cell gained (+) or lost (−) from champion to challenger; of two arms, points of the share of "
            "its row. Teal is better: more on the diagonal, fewer off it. Vermilion is worse."
        ),
        alt=_alt_difference,
        draw=_draw_difference,
        applies=_has_matrices,
    ),
    Figure(
        name="contingency",
        topic="rows",
        title="Who was right where?",
        caption=(
            "Only rows on which exactly one side is right tell the two apart. Were they equally accurate, those rows "
            "would split about in halves."
        ),
        alt=_alt_contingency,
        draw=_draw_contingency,
        applies=_has_pairs,
    ),
)
