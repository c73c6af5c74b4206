"""Draw the pictures of "How abtest decides" from the numbers they show: ``python docs/make_pictures.py``.

All of them are computed, by the program's own statistics where it has them; the tests say when they are out of date.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from scipy import stats

from abtest.outcomes import Contingency
from abtest.reporter import svg
from abtest.reporter.canvas import DOT, SQUARE, TRIANGLE_UP, Canvas, Point, Role
from abtest.stats.proportions import tango_interval
from abtest.stats.sequential import log_evidence_by_look

PICTURES = Path(__file__).parent / "pictures"
DIGITS = Contingency(both=862, champion_only=2, challenger_only=28, neither=7)
ALPHA, LOOKS, PAIRS, REPEATS = 0.05, 40, 20, 4_000

_WIDTH = 740.0


def rows() -> Canvas:
    """Every row of the demo's test set, by who is right on it."""
    across, step = 45, 15.0
    kinds: list[tuple[int, Role, tuple[Point, ...], bool, str]] = [
        (DIGITS.both, "rule", DOT, True, "both are right"),
        (DIGITS.neither, "muted", DOT, False, "neither is right"),
        (DIGITS.champion_only, "champion", SQUARE, True, "only the champion is right"),
        (DIGITS.challenger_only, "challenger", TRIANGLE_UP, True, "only the challenger is right"),
    ]
    order = [kind for kind, (count, *_) in enumerate(kinds) for _ in range(count)]
    order = [order[i] for i in np.random.default_rng(1).permutation(len(order))]
    canvas = Canvas(_WIDTH, step * math.ceil(len(order) / across) + 64)
    for i, kind in enumerate(order):
        _, role, shape, full, _ = kinds[kind]
        at = (14 + step * (i % across), 12 + step * (i // across))
        canvas.mark(at, shape, role, full=full, size=(3.2, 4.2, 5.5, 5.5)[kind])
    x, y = 14.0, canvas.height - 26
    for count, role, shape, full, told in kinds:
        canvas.mark((x, y), shape, role, full=full, size=5.5)
        words = f"{count} {told}"
        canvas.text(x + 13, y, words, size=12)
        x += 32 + 6.6 * len(words)
    return canvas


def coin() -> Canvas:
    """How often 30 fair coins show each number of heads, with what is at least as far out as 28."""
    n, seen = DIGITS.champion_only + DIGITS.challenger_only, DIGITS.challenger_only
    shares = stats.binom.pmf(np.arange(n + 1), n, 0.5)
    canvas = Canvas(_WIDTH, 290)
    left, bottom, high, step = 40.0, 226.0, 200.0, 21.6
    canvas.line((left - 6, bottom), (left + step * (n + 1), bottom), role="muted")
    for k, share in enumerate(shares):
        far = abs(k - n / 2) >= abs(seen - n / 2)
        canvas.boxes([(left + step * k, bottom, step - 4, 0)] if share == 0 else
                     [(left + step * k, bottom - high * share / shares.max(), step - 4, high * share / shares.max())],
                     fill="challenger" if far else "rule")  # fmt: skip
        if k % 5 == 0:
            canvas.text(left + step * (k + 0.4), bottom + 15, str(k), role="muted", align="center")
    canvas.text(left + step * (n + 1) / 2, bottom + 36, "rows of 30 on which the challenger is the one that is right",
                role="muted", align="center")  # fmt: skip
    x = left + step * (seen + 0.4)
    canvas.line((x, bottom - 66), (x, bottom - 6), role="challenger", width=1.5)
    canvas.mark((x, bottom - 72), TRIANGLE_UP, "challenger")
    canvas.text(x + 6, bottom - 92, "28: what was seen", role="challenger", align="right", bold=True)
    canvas.text(left + step * 1.2, bottom - 92, "by luck alone: 15 or so", role="muted")
    return canvas


CASES = (  # both, champion only, challenger only, neither; each of a thousand rows
    (Contingency(both=870, champion_only=20, challenger_only=60, neither=50), "PROMOTE", "better"),
    (Contingency(both=902, champion_only=12, challenger_only=16, neither=70), "not worse by a point", "muted"),
    (Contingency(both=860, champion_only=45, challenger_only=50, neither=45), "not enough evidence", "muted"),
    (Contingency(both=870, champion_only=60, challenger_only=20, neither=50), "KEEP_CHAMPION", "worse"),
)


def intervals() -> Canvas:
    """Four comparisons of a thousand rows, their effects on accuracy with Tango's intervals."""
    canvas = Canvas(_WIDTH, 282)
    left, right, top, step = 190.0, 560.0, 34.0, 46.0

    def place(points: float) -> float:
        return left + (points + 7) / 14 * (right - left)

    bottom = top + step * len(CASES) - 12
    canvas.area([(place(-1), top - 22), (place(0), top - 22), (place(0), bottom), (place(-1), bottom)], "rule",
                opacity=0.5)  # fmt: skip
    canvas.line((place(0), top - 22), (place(0), bottom), role="muted", width=1.5)
    for tick in (-6, -4, -2, 0, 2, 4, 6):
        text = "0" if tick == 0 else f"{'+' if tick > 0 else '−'}{abs(tick)}"
        canvas.text(place(tick), bottom + 14, text, role="muted", align="center")
    canvas.text(place(0), bottom + 36, "points of accuracy, challenger minus champion", role="muted", align="center")
    canvas.text(place(-0.5), bottom + 58, "▲ the margin: one point", role="muted", align="center", size=11)
    for i, (table, told, role) in enumerate(CASES):
        y = top + step * i
        interval = tango_interval(table)
        effect = 100 * (table.challenger_only - table.champion_only) / table.n
        low, high = 100 * interval.lower, 100 * interval.upper
        colour: Role = role  # type: ignore[assignment] # one of the roles
        canvas.text(left - 16, y, f"{table.challenger_only} won, {table.champion_only} lost", align="right")
        canvas.line((place(low), y), (place(high), y), role=colour, width=3)
        canvas.mark((place(effect), y), DOT, colour, size=6)
        canvas.text(right + 20, y, told, role=colour if colour != "muted" else "ink", bold=colour != "muted")
    return canvas


def alarms() -> tuple[np.ndarray, np.ndarray]:
    """Share of equal challengers ever called different by each look: by a plain test, and by evidence."""
    rng = np.random.default_rng(0)
    wins = rng.binomial(PAIRS, 0.5, size=(REPEATS, LOOKS)).cumsum(axis=1)
    pairs = PAIRS * np.arange(1, LOOKS + 1)
    plain = np.abs(wins - pairs / 2) / np.sqrt(pairs / 4) > stats.norm.isf(ALPHA / 2)
    logs = np.array([log_evidence_by_look(pairs - row, row) for row in wins])
    found = [np.maximum.accumulate(it, axis=1).mean(axis=0) for it in (plain, logs > math.log(1 / ALPHA))]
    return found[0], found[1]


def looks() -> Canvas:
    """How the false alarms of a test grow that is looked at forty times, and how those of evidence do not."""
    canvas = Canvas(_WIDTH, 280)
    left, right, bottom, high = 60.0, 470.0, 216.0, 210.0

    def place(look: int, share: float) -> Point:
        return left + (right - left) * look / LOOKS, bottom - high * share / 0.32

    for share in (0, 0.1, 0.2, 0.3):
        canvas.line(place(0, share), place(LOOKS, share))
        canvas.text(left - 10, place(0, share)[1], f"{share:.0%}".replace("%", " %"), role="muted", align="right")
    for look in (0, 10, 20, 30, 40):
        canvas.text(place(look, 0)[0], bottom + 16, str(look), role="muted", align="center")
    canvas.text((left + right) / 2, bottom + 40, "looks, each after 20 more discordant rows", role="muted",
                align="center")  # fmt: skip
    told: tuple[tuple[str, Role], ...] = (
        ("a test made for one look", "worse"),
        ("evidence, as abtest counts", "better"),
    )
    for shares, (name, role) in zip(alarms(), told, strict=True):
        points = tuple(place(look, float(share)) for look, share in enumerate(shares, 1))
        canvas.lines(((*points, *reversed(points)),), role=role, width=2.5)
        canvas.mark(points[-1], TRIANGLE_UP if role == "worse" else DOT, role, size=5)
        percent = f"{shares[-1]:.0%}".replace("%", " %")
        canvas.text(right + 14, points[-1][1], f"{name}: {percent}", role=role, bold=True)
    x, y = place(0, ALPHA)
    canvas.line((x, y), (right, y), role="muted")
    canvas.text(right + 14, y - 4, "what was promised: 5 %", role="muted")
    return canvas


def house() -> Canvas:
    """The road from rows to a transition."""
    canvas = Canvas(_WIDTH, 226)
    wide, high, gap = 104.0, 52.0, 52.0

    def box(column: float, row: float, name: str, told: str, role: Role = "ink") -> None:
        x, y = 4 + column * (wide + gap), 8 + row * 98
        canvas.boxes([(x, y, wide, high)], fill="raised", stroke=role)
        canvas.text(x + wide / 2, y + 19, name, align="center", bold=True, role=role)
        canvas.text(x + wide / 2, y + 37, told, align="center", size=10.5, role="muted")

    def arrow(start: Point, end: Point, told: str = "") -> None:
        across = start[1] == end[1]
        canvas.line(start, end, role="muted", width=1.5)
        head = 1 if end[0] > start[0] else -1
        x, y = end
        if across:
            canvas.area([(x, y), (x - 8 * head, y - 5), (x - 8 * head, y + 5)], "muted")
            canvas.text((start[0] + x) / 2, y - 10, told, align="center", size=10.5, role="muted")
        else:
            canvas.area([(x, y), (x - 5, y - 8), (x + 5, y - 8)], "muted")
            canvas.text(x - 8, (start[1] + y) / 2, told, align="right", size=10.5, role="muted")

    def right(column: float, row: float, told: str = "") -> None:
        y = 8 + row * 98 + high / 2
        arrow((4 + column * (wide + gap) + wide + 4, y), (4 + (column + 1) * (wide + gap) - 4, y), told)

    box(0, 0, "loaders", "files, registry", "champion")
    box(1, 0, "engine", "here, Spark, SQL", "champion")
    box(2, 0, "outcomes", "counts, not rows", "challenger")
    box(3, 0, "evaluator", "metrics, tests")
    box(4, 0, "decision", "under a policy")
    for column, told in enumerate(("batches", "counts", "sums", "evidence")):
        right(column, 0, told)
    box(1, 1, "live", "shadow, split", "champion")
    box(2, 1, "monitoring", "windows of time", "champion")
    box(3, 1, "reporter", "people, CI, MLflow")
    box(4, 1, "promoter", "plan, then move")
    middle = 4 + 4 * (wide + gap) + wide / 2
    arrow((middle, 8 + high + 4), (middle, 8 + 98 - 4), "verdict")
    arrow((4 + 4 * (wide + gap) - 4, 8 + 98 + high / 2), (4 + 3 * (wide + gap) + wide + 4, 8 + 98 + high / 2), "record")
    up = 4 + 2 * (wide + gap) + wide / 2
    canvas.line((up, 8 + 98 - 4), (up, 8 + high + 12), role="muted", width=1.5)
    canvas.area([(up, 8 + high + 4), (up - 5, 8 + high + 12), (up + 5, 8 + high + 12)], "muted")
    canvas.text(up + 10, 8 + high + 22, "the same counts", size=10.5, role="muted")
    y = 8 + 98 + high / 2
    arrow((4 + (wide + gap) + wide + 4, y), (4 + 2 * (wide + gap) - 4, y), "tallies")
    told = "Pure: outcomes, metrics, stats, evaluator, decision. At the edges: MLflow, files, databases, servers."
    canvas.text(4, 188, told, role="muted", size=11.5)
    canvas.text(4, 208, "Each arrow is a frozen record.", role="muted", size=11.5)
    return canvas


DRAWN = {
    "rows": (rows, "On which rows do the two models differ?",
             "899 rows: on 862 both models are right, on 7 neither, on 2 only the champion, on 28 the challenger."),
    "coin": (coin, "Could 28 of 30 be luck?",
             "Heads among 30 fair coins: mostly 10 to 20. 28 or more, or 2 or fewer, is far out in the tails."),
    "intervals": (intervals, "What does an interval say?",
                  "Four intervals of the effect on accuracy: above zero, above minus one point, across both, below."),
    "looks": (looks, "What does it cost to look again and again?",
              "Equal challengers called different: a test made for one look rises, evidence does not."),
    "house": (house, "What calls what?",
              "Loaders, engine, outcomes, evaluator, decision, promoter, reporter; live traffic joins at outcomes."),
}  # fmt: skip


def pictures() -> dict[str, str]:
    """Every picture by its file's name."""
    return {f"{name}.svg": svg.render_file(draw(), title, alt) for name, (draw, title, alt) in DRAWN.items()}


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for file, text in pictures().items():
        (PICTURES / file).write_text(text, encoding="utf-8")
