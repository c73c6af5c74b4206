"""Guardrails, judged: each gives a reason, and the most favourable verdict that it still allows.

To add a kind of guardrail, write a function and enter it in ``_KINDS`` or ``_MODES``. What could not be evaluated does
not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision.reasons import Finding, Reason, Verdict
from abtest.errors import near
from abtest.evaluator import MetricRow
from abtest.evaluator.looks import NOT_YET, SEQUENCE
from abtest.evaluator.power import rows_by_width
from abtest.guardrail import ERROR_RATE, EVERY, LATENCY, ROWS, SIZE
from abtest.labels import Label, cast_label, kind_of
from abtest.metrics.catalogue import title, unit
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from abtest.decision.reasons import Operator
    from abtest.evaluator import Evaluation
    from abtest.guardrail import Guardrail, Mode
    from abtest.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a guardrail looks: all rows, a class or a segment.

    Attributes:
        name: As in a sentence.
        row: What is known of it; None where there is nothing to look at.
        class_: The class, as the data spell it where they have it.
        segment: The segment, as "region=EU".
        hint: Why there is nothing to look at.
        has_no_rows: Whether it was looked for among others, and no row is of it.
    """

    name: str
    row: MetricRow | None
    class_: Label | None = None
    segment: str | None = None
    hint: str = ""
    has_no_rows: bool = False


def guarded(guardrail: Guardrail, evaluation: Evaluation, policy: Policy) -> Iterator[Finding]:
    """Judge one guardrail, in every place it is about."""
    if guardrail.metric in _KINDS:
        yield from _KINDS[guardrail.metric](guardrail, evaluation)
        return
    for place in _places(guardrail, evaluation):
        if place.row is None:
            text = f"Guardrail: {_subject(guardrail, place)} could not be evaluated: {place.hint}."
            yield _finding(guardrail, place, None, ">", guardrail.margin or 0.0, text=text)
        else:
            yield _MODES[guardrail.mode or "proved-not-worse"](guardrail, place, place.row, policy)


def _proved_not_worse(guardrail: Guardrail, place: _Place, row: MetricRow, policy: Policy) -> Finding:
    """The interval must exclude a loss beyond the margin."""
    bound, likely = 0.0 - (guardrail.margin or 0.0), row.likely_improvement
    if likely is None:
        return _unknown(guardrail, place, row, ">", bound)
    held, worse = likely.lower > bound, likely.upper < bound
    how = "is proved not worse" if held else "is proved worse" if worse else "is not proved not to be worse"
    text = f"Guardrail: {_subject(guardrail, place)} {how} {_by(guardrail)}: {_evidence(row, policy)}."
    if not held and not worse:
        text += _rows_needed(guardrail, place, row, policy)
    verdict = Verdict.KEEP_CHAMPION if worse else Verdict.INSUFFICIENT_EVIDENCE
    return _finding(guardrail, place, likely.lower, ">", bound, text=text, held=held, verdict=verdict)


def _rows_needed(guardrail: Guardrail, place: _Place, row: MetricRow, policy: Policy) -> str:
    """Say how many rows would prove it between two equal models, as the interval's width tells."""
    likely = row.likely_improvement
    if not guardrail.margin or likely is None or row.ci_method == SEQUENCE:  # which narrows more slowly
        return ""
    needed = rows_by_width(row.n, likely.upper - likely.lower, guardrail.margin, confidence=policy.confidence)
    if needed <= row.n:
        return ""
    return f" About {wording.whole(needed)} rows{f' of {place.name}' if place.name else ''} would settle it."


def _not_proved_worse(guardrail: Guardrail, place: _Place, row: MetricRow, policy: Policy) -> Finding:
    """The interval must not lie beyond the margin; without a margin the test decides, and nothing is adjusted."""
    bound, likely, evidence = 0.0 - (guardrail.margin or 0.0), row.likely_improvement, _evidence(row, policy)
    waits = bool(guardrail.margin) and row.ci_method == NOT_YET  # a test of no loss says nothing of a margin
    if likely is None and (row.pvalue is None or waits):
        return _unknown(guardrail, place, row, ">=", bound)
    value = likely.upper if likely else row.improvement
    if not guardrail.margin and row.pvalue is not None:
        value, evidence = row.improvement, f"{evidence}, {wording.pvalue(row.pvalue)}"
        if value < 0:  # a loss holds as long as it may be chance
            value, bound = row.pvalue, policy.alpha
    held = value >= bound
    how = "is not proved worse" if held else "is proved worse"
    text = f"Guardrail: {_subject(guardrail, place)} {how} {_by(guardrail)}: {evidence}."
    return _finding(guardrail, place, value, ">=", bound, text=text, held=held, verdict=Verdict.KEEP_CHAMPION)


def _improved(guardrail: Guardrail, place: _Place, row: MetricRow, policy: Policy) -> Finding:
    """The observed improvement must be worth having."""
    bound, likely = guardrail.margin or 0.0, row.likely_improvement
    held = row.improvement >= bound - NOISE  # .7 - .6 is .1, whatever floating subtraction makes of it
    too_small = likely is not None and likely.upper < bound
    kind = unit(row.metric)
    text = (
        f"Guardrail: {_subject(guardrail, place)} {'improved' if held else 'did not improve'} by at least the "
        f"{wording.size(bound, kind)} worth having: {_evidence(row, policy)}."
    )
    verdict = Verdict.KEEP_CHAMPION if too_small else Verdict.INSUFFICIENT_EVIDENCE
    return _finding(guardrail, place, row.improvement, ">=", bound, text=text, held=held, verdict=verdict)


def _rows(guardrail: Guardrail, evaluation: Evaluation) -> Iterator[Finding]:
    """Enough labelled rows, in all, of a class, or in a segment."""
    minimum = guardrail.minimum or 1
    for place in _places(guardrail, evaluation):
        if place.row is None and not place.has_no_rows:
            text = f"Guardrail: the labelled rows of {place.name} could not be counted: {place.hint}."
            yield _finding(guardrail, place, None, ">=", float(minimum), text=text)
            continue
        found = place.row.n if place.row else 0
        held = found >= minimum
        where = f" of {place.name}" if place.name else ""
        hint = f" ({place.hint})" if place.row is None else ""
        text = (
            f"Guardrail: {wording.plural(found, 'labelled row')}{where}{hint}, "
            f"{'at least' if held else 'short of'} the {wording.whole(minimum)} asked for."
        )
        yield _finding(guardrail, place, float(found), ">=", float(minimum), text=text, held=held)


def _footprint(guardrail: Guardrail, evaluation: Evaluation) -> Iterator[Finding]:
    """Latency or size of the challenger, as a multiple of the champion's."""
    what = {LATENCY: "prediction time per row", SIZE: "size on disk"}[guardrail.metric]
    pair = evaluation.latency if guardrail.metric == LATENCY else evaluation.size
    bound, place = 1 + (guardrail.margin or 0.0), _Place(name="", row=None)
    if pair is None or not pair.champion:
        text = f"Guardrail: the {what} could not be evaluated: it is not known of both models."
        yield _finding(guardrail, place, None, "<=", bound, text=text)
        return
    ratio = pair.challenger / pair.champion
    held = ratio <= bound + NOISE
    write = wording.duration if guardrail.metric == LATENCY else wording.size_on_disk
    text = (
        f"Guardrail: the challenger's {what} is {write(pair.challenger)}, {ratio:.4g} times the champion's "
        f"{write(pair.champion)}, {'at most' if held else 'more than'} the {bound:.4g} times tolerated."
    )
    yield _finding(guardrail, place, ratio, "<=", bound, text=text, held=held, verdict=Verdict.KEEP_CHAMPION)


def _error_rate(guardrail: Guardrail, evaluation: Evaluation) -> Iterator[Finding]:
    """Share of the challenger's predictions that failed, less the champion's."""
    live, bound, place = evaluation.live, guardrail.margin or 0.0, _Place(name="", row=None)
    champion, challenger = (arm.error_rate for arm in live.arms) if live else (None, None)
    if champion is None or challenger is None:
        text = "Guardrail: the share of predictions that fail could not be evaluated: only live traffic tells it."
        yield _finding(guardrail, place, None, "<=", bound, text=text)
        return
    excess = challenger - champion
    held = excess <= bound + NOISE
    text = (
        f"Guardrail: {wording.percent(challenger)} of the challenger's predictions failed, and "
        f"{wording.percent(champion)} of the champion's: {wording.effect(excess, 'share')}, "
        f"{'at most' if held else 'more than'} the {wording.size(bound, 'share')} tolerated."
    )
    yield _finding(guardrail, place, excess, "<=", bound, text=text, held=held, verdict=Verdict.KEEP_CHAMPION)


_NOT_ASKED = "its rows are too few or too much alike"
_KINDS: dict[str, Callable[[Guardrail, Evaluation], Iterator[Finding]]] = {
    ROWS: _rows,
    LATENCY: _footprint,
    SIZE: _footprint,
    ERROR_RATE: _error_rate,
}
_MODES: dict[Mode, Callable[[Guardrail, _Place, MetricRow, Policy], Finding]] = {
    "proved-not-worse": _proved_not_worse,
    "not-proved-worse": _not_proved_worse,
    "improved": _improved,
}


def _places(guardrail: Guardrail, evaluation: Evaluation) -> Sequence[_Place]:
    """Find the rows of the evaluation that a guardrail is about."""
    if guardrail.class_ is not None:
        return _classes(guardrail, evaluation)
    if guardrail.segment is not None:
        return _segments(guardrail, evaluation)
    metric = evaluation.tested.metric if guardrail.metric == ROWS else guardrail.metric
    row = evaluation.find(metric)
    return [_Place(name="", row=row, hint="" if row else evaluation.why_not(metric))]


def _classes(guardrail: Guardrail, evaluation: Evaluation) -> Sequence[_Place]:
    asked, metric = guardrail.class_, None if guardrail.metric == ROWS else guardrail.metric
    rows = {row.class_: row for row in evaluation.per_class if row.n and metric in (None, row.metric)}
    if asked is None or not rows:
        name = "each class" if asked == EVERY else f"class {asked!r}"
        left_out = any(entry.what == metric for entry in evaluation.skipped)
        hint = evaluation.why_not(metric) if metric and left_out else "nothing is computed by class"
        return [_Place(name=name, row=None, class_=asked, hint=hint)]
    if asked == EVERY:
        there = dict.fromkeys(row.class_ for row in evaluation.per_class if row.n)
        return [_Place(name=f"class {label!r}", row=rows.get(label), class_=label, hint=_NOT_ASKED) for label in there]
    try:
        label = cast_label(asked, kind_of(list(rows)))
    except ValueError:  # no label of that type
        label = asked
    if label in rows:
        return [_Place(name=f"class {label!r}", row=rows[label], class_=label)]
    hint = f"no row is of class {asked!r}" + _near(str(asked), map(str, rows))
    return [_Place(name=f"class {asked!r}", row=None, class_=asked, hint=hint, has_no_rows=True)]


def _segments(guardrail: Guardrail, evaluation: Evaluation) -> Sequence[_Place]:
    asked, metric = guardrail.segmentation, guardrail.metric
    if metric == ROWS:
        metric = evaluation.tested.metric
    found = {row.value: row for row in evaluation.segments if row.segment == asked and row.metric == metric}
    value = guardrail.segment_value
    there = dict.fromkeys(row.value for row in evaluation.segments if row.segment == asked)
    if not there:
        hint = f"{asked} was not told apart" + _near(str(asked), {row.segment for row in evaluation.segments})
        return [_Place(name=guardrail.segment or "", row=None, segment=guardrail.segment, hint=hint)]
    if value is not None and value not in there:
        hint = f"no row has {asked} = {value}" + _near(value, there)
        name = f"{asked} = {value}"
        return [_Place(name=name, row=None, segment=f"{asked}={value}", hint=hint, has_no_rows=True)]
    return [
        _Place(name=f"{asked} = {own}", row=found.get(own), segment=f"{asked}={own}", hint=_NOT_ASKED)
        for own in there
        if value in (None, own)
    ]


def _near(name: str, known: Iterable[str]) -> str:
    close = near(name, known)
    return f" ({close})" if close else ""


def _finding(
    guardrail: Guardrail,
    place: _Place,
    value: float | None,
    operator: Operator,
    bound: float,
    *,
    text: str,
    held: bool = False,
    verdict: Verdict = Verdict.INSUFFICIENT_EVIDENCE,
) -> Finding:
    severity = guardrail.severity or "block"
    at_best = Verdict.PROMOTE if held else Verdict.CONDITIONAL if severity == "warn" else verdict
    reason = Reason(
        rule="guardrail",
        metric=guardrail.metric,
        class_=place.class_,
        segment=place.segment,
        value=value,
        operator=operator,
        bound=bound,
        held=held,
        severity=severity,
        text=text,
    )
    return Finding(reason=reason, at_best=at_best)


def _unknown(guardrail: Guardrail, place: _Place, row: MetricRow, operator: Operator, bound: float) -> Finding:
    text = f"Guardrail: {_subject(guardrail, place)} could not be evaluated: its interval is {row.ci_method}."
    return _finding(guardrail, place, None, operator, bound, text=text)


def _subject(guardrail: Guardrail, place: _Place) -> str:
    return title(guardrail.metric) + (f" of {place.name}" if place.name else "")


def _by(guardrail: Guardrail) -> str:
    if not guardrail.margin:
        return "at all"
    return f"by more than {wording.size(guardrail.margin, unit(guardrail.metric))}"


def _evidence(row: MetricRow, policy: Policy) -> str:
    kind, likely = unit(row.metric), row.likely_improvement
    found = f"improvement {wording.effect(row.improvement, kind)}"
    if likely is None:
        return f"{found}, {row.ci_method}"
    level, interval = wording.confidence(policy.confidence), wording.interval(likely.lower, likely.upper, kind)
    return f"{found}, {level} interval {interval}"
