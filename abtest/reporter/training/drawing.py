"""The figures of a report of training: how candidates rank, and how far each is behind the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.metrics.catalogue import in_text, unit
from abtest.reporter import figures
from abtest.reporter.axis import Axis
from abtest.reporter.canvas import DIAMOND, DOT, SQUARE, TRIANGLE_DOWN, TRIANGLE_UP, Canvas, Figure
from abtest.reporter.layout import Scale, label_width, reach, short, tick_texts
from abtest.reporter.summary import shown
from abtest.reporter.training import headline
from abtest.reporter.training.summary import spread_of
from abtest.reporter.views import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import Candidate, TrainingRecord
    from abtest.reporter.canvas import Point, Role
    from abtest.reporter.summary import Tone
    from abtest.reporter.training.headline import Gap

_WIDTH, _PITCH, _TOP = 960.0, 34.0, 52.0
_LETTERS, _SIZE, _MOST = 26, 13, 24  # of a name, and rows
_WRITTEN = 150.0  # pixels, of a mean and its spread at the end of a line
_EFFECT = 66.0  # pixels, of an effect likewise
_DOT = 3.5
_MARKS: dict[Tone, tuple[Point, ...]] = {"better": TRIANGLE_UP, "worse": TRIANGLE_DOWN, "same": SQUARE}


def render(record: TrainingRecord) -> tuple[figures.Drawn, ...]:
    """Give every figure that makes sense for a record, in the order they are read."""
    return figures.draw(record, CATALOGUE)


def _drawn(record: TrainingRecord) -> tuple[list[Candidate], int]:
    """The candidates that were trained, the best first, and how many more there are than are drawn."""
    found = [it for it in record.candidates if it.cross_validated is not None]
    return found[:_MOST], max(0, len(found) - _MOST)


def _names(rows: Sequence[Candidate]) -> float:
    """Room for the names."""
    return 40 + label_width([shown(it.name) for it in rows], least=60, most=_LETTERS) * _SIZE / 11


def _name(canvas: Canvas, y: float, it: Candidate) -> None:
    """Name a candidate; the best stands on a ground of its own."""
    best = it.rank == 1
    if best:
        canvas.boxes([(0, y - _PITCH / 2 + 2, canvas.width, _PITCH - 4)], fill="raised")
    canvas.text(20, y, str(it.rank), size=_SIZE, role="muted", align="right")
    canvas.text(32, y, short(shown(it.name), _LETTERS), size=_SIZE, bold=best)


def _ticks(canvas: Canvas, places: Sequence[float], texts: Sequence[str], bottom: float) -> None:
    for x, text in zip(places, texts, strict=True):
        canvas.line((x, _TOP - 6), (x, bottom))
        canvas.text(x, bottom + 13, text, size=11, role="muted", align="center")


def _left_out(canvas: Canvas, count: int, bottom: float) -> None:
    if count:
        canvas.text(
            0, bottom + 38, f"… and {wording.plural(count, 'candidate')} that rank lower", size=11, role="muted"
        )


def draw_rank(record: TrainingRecord) -> Canvas:
    """Each candidate's folds as dots, their mean as a diamond, the best first."""
    rows, left_out = _drawn(record)
    kind, names = unit(record.metric), _names(rows)
    by = 100.0 if kind == "share" else 1.0
    bottom = _TOP + _PITCH * len(rows)
    canvas = Canvas(_WIDTH, bottom + (52 if left_out else 28))
    _legend(canvas, names)
    values = [by * value for it in rows if it.cross_validated for value in it.cross_validated.by_fold]
    room = 0.04 * (max(values) - min(values))
    axis = Axis([min(values) - room, max(values) + room], names + 20, canvas.width - _WRITTEN)
    for i, it in enumerate(rows):
        _name(canvas, _TOP + _PITCH * (i + 0.5), it)
    _ticks(canvas, [axis(tick) for tick in axis.ticks], [f"{text} %" * (by > 1) or text for text in axis.texts], bottom)
    for i, it in enumerate(rows):
        _folds(canvas, axis, _TOP + _PITCH * (i + 0.5), it, by)
        canvas.text(canvas.width - 8, _TOP + _PITCH * (i + 0.5), _mean(it, record), size=12, align="right", bold=i == 0)
    _left_out(canvas, left_out, bottom)
    return canvas


def _legend(canvas: Canvas, left: float) -> None:
    canvas.mark((left + 26, 20), DOT, "champion", size=_DOT)
    canvas.text(left + 36, 20, "a fold", size=11, role="champion")
    canvas.mark((left + 92, 20), DIAMOND, "challenger", size=6)
    canvas.text(left + 104, 20, "mean", size=11, role="challenger", bold=True)
    told = "mean ± standard deviation over the folds"
    canvas.text(canvas.width - 8, 20, told, size=11, role="muted", align="right")


def _folds(canvas: Canvas, axis: Axis, y: float, it: Candidate, by: float) -> None:
    found = it.cross_validated
    if found is None:
        return
    places = [axis(by * value) for value in found.by_fold]
    canvas.line((min(places), y), (max(places), y), role="champion", width=1)
    for x in places:
        canvas.mark((x, y), DOT, "champion", size=_DOT)
    canvas.mark((axis(by * found.mean), y), DIAMOND, "challenger", size=6)


def _mean(it: Candidate, record: TrainingRecord) -> str:
    kind, found = unit(record.metric), it.cross_validated
    spread = "" if found is None else spread_of(found.by_fold, kind)
    written = wording.value(None if found is None else found.mean, kind)
    return f"{written} ± {spread}" if spread else written


def alt_rank(record: TrainingRecord) -> str:
    """Say what it shows."""
    rows, _ = _drawn(record)
    told = "; ".join(f"{it.rank}. {shown(it.name)} {_mean(it, record)}" for it in rows)
    return f"Candidates by {in_text(record.metric)} over folds: {told}."


def draw_behind(record: TrainingRecord) -> Canvas:
    """How far each is behind the best: over the folds on the left, on the rows held out on the right."""
    drawn, left_out = _drawn(record)
    rows, names = drawn[1:], _names(drawn[1:])
    bottom = _TOP + _PITCH * len(rows)
    canvas = Canvas(_WIDTH, bottom + (52 if left_out else 28))
    panel = (canvas.width - names) / 2
    for i, it in enumerate(rows):
        _name(canvas, _TOP + _PITCH * (i + 0.5), it)
    sides = (
        ("over the folds", [headline.gap(it) for it in rows]),
        (
            f"on {wording.plural(record.rows.n_holdout, 'row')} held out",
            [headline.holdout_gap(it, record.metric) for it in rows],
        ),
    )
    effects = [[_effect(gap, record) for gap in gaps] for _, gaps in sides]
    ends = reach([it for side in effects for it in side if it is not None])
    for i, (told, _) in enumerate(sides):
        left = names + panel * i + 24
        scale = Scale(ends, left, left + panel - 24 - _EFFECT, ticks=6)
        canvas.text(left, 12, told, size=12, bold=True)
        _side(canvas, scale, effects[i], bottom)
    _left_out(canvas, left_out, bottom)
    return canvas


def _side(canvas: Canvas, scale: Scale, effects: Sequence[Effect | None], bottom: float) -> None:
    _ticks(canvas, [scale(tick) for tick in scale.ticks], tick_texts(scale.ticks), bottom)
    canvas.line((scale(0), _TOP - 10), (scale(0), bottom), role="ink", width=1.2)
    canvas.text(scale(0) + 6, _TOP - 18, "behind →", size=11, role="muted")
    for i, effect in enumerate(effects):
        y = _TOP + _PITCH * (i + 0.5)
        if effect is None or effect.value is None:
            canvas.text(scale.right + _EFFECT - 14, y, "not known", size=11, role="muted", align="right")
            continue
        role: Role = "muted" if effect.tone == "same" else effect.tone
        if effect.lower is not None and effect.upper is not None:
            canvas.line((scale(effect.lower), y), (scale(effect.upper), y), role=role, width=2)
        canvas.mark((scale(effect.value), y), _MARKS[effect.tone], role, full=effect.sure, size=5.5)
        canvas.text(scale.right + _EFFECT - 14, y, effect.text, size=12, role=role, align="right", bold=effect.sure)


def _effect(gap: Gap | None, record: TrainingRecord) -> Effect | None:
    if gap is None:
        return None
    kind = unit(record.metric)
    by = 100.0 if kind == "share" else 1.0
    tone: Tone = "worse" if gap.behind > 0 else "better" if gap.behind < 0 else "same"
    return Effect(
        value=by * gap.behind,
        lower=None if gap.lower is None else by * gap.lower,
        upper=None if gap.upper is None else by * gap.upper,
        text=wording.effect(gap.behind, kind, spell_unit=False),
        tone=tone,
        sure=gap.sure,
    )


def alt_behind(record: TrainingRecord) -> str:
    """Say what it shows."""
    kind, rows = unit(record.metric), _drawn(record)[0][1:]

    def told(gap: Gap | None) -> str:
        if gap is None:
            return "not known"
        likely = "" if gap.lower is None or gap.upper is None else f" ({wording.interval(gap.lower, gap.upper, kind)})"
        return f"{wording.effect(gap.behind, kind)}{likely}"

    gaps = [(it, headline.gap(it), headline.holdout_gap(it, record.metric)) for it in rows]
    each = "; ".join(f"{shown(it.name)} {told(gap)}, on the rows held out {told(held)}" for it, gap, held in gaps)
    return f"What {shown(record.best.name)} is better by in {in_text(record.metric)}: {each}."


CATALOGUE = (
    Figure(
        name="rank",
        topic="numbers",
        title="How do the candidates rank?",
        caption="Every candidate was scored on the same folds: a dot is one, the diamond their mean, which ranks.",
        alt=alt_rank,
        draw=draw_rank,
    ),
    Figure(
        name="behind",
        topic="scores",
        title="How far behind the best?",
        caption=(
            "What the best is better by, of shares in points, with 95 % intervals: ▼ right of zero is worse than the "
            "best, ▲ left of it better. A filled mark is a significant difference; over the folds, after allowing for "
            "the number of candidates (Holm)."
        ),
        alt=alt_behind,
        draw=draw_behind,
        applies=lambda record: bool(headline.others(record)),
    ),
)
