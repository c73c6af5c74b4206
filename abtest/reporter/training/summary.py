"""What training found, in words and written numbers: the one summary that every output renders."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.metrics.catalogue import in_text, unit
from abtest.reporter.summary import Tone, Toned, cleaned, shown
from abtest.reporter.training import headline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.record import Candidate, TrainingRecord
    from abtest.wording import Unit

_WHOLE_SECONDS = 10.0  # from here on, no decimal
_PARTS = ("precision", "recall")  # which F1 joins


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCandidate(Toned):
    """A candidate as it is printed.

    Attributes:
        rank: From 1; a cross of one that failed.
        name: As the recipe names it.
        estimator: Its class.
        mean: Of the ranking metric over the folds.
        spread: Standard deviation over the folds.
        behind: What the best is better by; empty of the best.
        interval: Of that.
        pvalue: Of no difference, adjusted.
        holdout: A value a metric of the hold-out.
        holdout_behind: What the best is better by on the rows held out, in the ranking metric.
        holdout_interval: Of that.
        holdout_pvalue: Of no difference there.
        seconds: Search and fit.
        tried: How many settings were cross-validated.
        parameters: Those that were set or chosen, in one line.
        repeats: Why it may not repeat; empty where it does.
        failed: Why it could not be trained; empty where it was.
        tone: The same for the best, and for all that are not surely worse.
        sure: Whether it is surely worse than the best.
    """

    rank: str
    name: str
    estimator: str
    mean: str
    spread: str
    behind: str
    interval: str
    pvalue: str
    holdout: tuple[str, ...]
    holdout_behind: str
    holdout_interval: str
    holdout_pvalue: str
    seconds: str
    tried: str
    parameters: str
    repeats: str
    failed: str
    tone: Tone
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """A report of training in words.

    Attributes:
        title: What the candidates are for.
        best: The best candidate's name.
        verdict_title: Whether it is surely the best, where a page has its verdict.
        verdict_mark: The same as a shape.
        headline: Who is best, and whether that is sure, in a sentence.
        advice: How it does on the rows held out.
        tone: How that looks.
        metric: What ranks.
        points: Whether differences in it are in percentage points.
        folds: How many.
        holdout_metrics: What ``holdout`` of each candidate is of.
        candidates: By rank, those that failed last.
        volume: What was trained on, by term and text.
        not_repeatable: Who may not repeat and why, in sentences.
        failed: Who could not be trained and why, likewise.
        notices: What else is to be said.
        skipped: What was left out.
    """

    title: str
    best: str
    verdict_title: str
    verdict_mark: str
    headline: str
    advice: str
    tone: Tone
    metric: str
    points: bool
    folds: str
    holdout_metrics: tuple[str, ...]
    candidates: tuple[WrittenCandidate, ...]
    volume: tuple[tuple[str, str], ...]
    not_repeatable: tuple[str, ...]
    failed: tuple[str, ...]
    notices: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def compares(self) -> bool:
        """Whether there is anybody to be held against the best."""
        return any(row.behind for row in self.candidates)


def summarise(record: TrainingRecord) -> TrainingSummary:
    """Put what training found into words."""
    metrics = tuple(sorted(record.best.holdout, key=lambda name: (name != record.metric, name in _PARTS)))
    sure = headline.is_surely_best(record)
    written = tuple(_candidate(it, record, metrics) for it in record.candidates)
    return TrainingSummary(
        title=f"Candidates for {shown(record.model_name or record.rows.target)}",
        best=shown(record.best.name),
        verdict_title=headline.standing(record),
        verdict_mark="▲" if sure else "◆",
        headline=cleaned(headline.headline(record)),
        advice=cleaned(headline.advice(record)),
        tone="better" if sure else "same",
        metric=in_text(record.metric),
        points=unit(record.metric) == "share",
        folds=wording.plural(headline.folds(record), "fold"),
        holdout_metrics=tuple(in_text(name) for name in metrics),
        candidates=written,
        volume=tuple(_volume(record)),
        not_repeatable=tuple(
            f"{it.name} may be another model when it is trained again. {it.repeats}." for it in written if it.repeats
        ),
        failed=tuple(f"{it.name} could not be trained. {it.failed}." for it in written if it.failed),
        notices=tuple(cleaned(text) for text in record.notices),
        skipped=tuple(cleaned(f"{it.what}: {it.why}") for it in record.skipped),
    )


def _candidate(it: Candidate, record: TrainingRecord, metrics: tuple[str, ...]) -> WrittenCandidate:
    kind, found = unit(record.metric), it.cross_validated
    gap = headline.holdout_gap(it, record.metric)
    sure = headline.is_surely_behind(it)
    return WrittenCandidate(
        rank="✗" if it.rank is None else str(it.rank),
        name=shown(it.name),
        estimator=shown(it.estimator),
        mean=wording.value(None if found is None else found.mean, kind),
        spread="" if found is None else spread_of(found.by_fold, kind),
        behind="" if found is None or found.behind is None else wording.effect(found.behind, kind, spell_unit=False),
        interval="" if found is None else _interval(found.ci_lower, found.ci_upper, kind),
        pvalue="" if found is None else _pvalue(found.pvalue),
        holdout=tuple(wording.value(it.holdout.get(name), unit(name)) for name in metrics),
        holdout_behind="" if gap is None else wording.effect(gap.behind, kind, spell_unit=False),
        holdout_interval="" if gap is None else _interval(gap.lower, gap.upper, kind),
        holdout_pvalue="" if gap is None else _pvalue(gap.pvalue),
        seconds="" if it.failed else f"{it.seconds:,.{0 if it.seconds >= _WHOLE_SECONDS else 1}f}",
        tried=wording.whole(it.settings_tried),
        parameters=shown(", ".join(f"{name}={value}" for name, value in it.parameters.items()) or "as they come"),
        repeats=_clause(it.not_repeatable),
        failed=_clause(it.failed),
        tone="worse" if sure else "same",
        sure=sure,
    )


def _clause(text: str | None) -> str:
    return "" if text is None else wording.capitalised(shown(text).rstrip("."))


def spread_of(values: tuple[float, ...], kind: Unit) -> str:
    """Write the standard deviation over folds; of shares, in points."""
    if len(values) < 2:
        return ""
    spread = statistics.stdev(values)
    return f"{100 * spread:.1f}" if kind == "share" else wording.value(spread, kind)


def _interval(lower: float | None, upper: float | None, kind: Unit) -> str:
    return "" if lower is None or upper is None else wording.interval(lower, upper, kind, spell_unit=False)


def _pvalue(value: float | None) -> str:
    return "" if value is None else wording.pvalue(value).removeprefix("p = ").removeprefix("p ")


def _volume(record: TrainingRecord) -> Iterator[tuple[str, str]]:
    rows = record.rows
    yield "Data", shown(rows.path)
    yield "Target", shown(rows.target)
    yield "Trained on", wording.plural(rows.n_train, "row")
    yield "Held out", wording.plural(rows.n_holdout, "row")
    if rows.n_unlabelled:
        yield "Left out", f"{wording.plural(rows.n_unlabelled, 'row')} without truth"
    if rows.unit is not None:
        yield "Unit", shown(rows.unit)
    yield "Features", f"{wording.whole(len(rows.features))}: {shown(', '.join(rows.features))}"
