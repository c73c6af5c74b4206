"""What of a record stands in a gallery: one line, with the numbers that decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import singledispatch
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest.metrics.catalogue import title, unit
from abtest.record import ComparisonRecord, ComparisonsRecord, MonitoringRecord
from abtest.record.trained import TrainingRecord
from abtest.reporter import sentences
from abtest.reporter.monitoring.headline import STATUS_MARKS, STATUS_TITLES, STATUS_TONES
from abtest.reporter.summary import VERDICT_MARKS, VERDICT_TITLES, Tone, shown, tone_of, verdict_tone

if TYPE_CHECKING:
    from abtest.decision import Verdict
    from abtest.evaluator import MetricRow
    from abtest.record.reading import AnyRecord
    from abtest.wording import Unit

Kind: TypeAlias = Literal["comparison", "live experiment", "monitoring", "training"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What decided.

    Attributes:
        metric: Its name in the catalogue.
        before: The champion's value, or the baseline's; None where there is none.
        after: The challenger's, the recent window's, or the best candidate's.
        effect: The latter minus the former.
        pvalue: Of the test that decided, or of no fall.
        tone: Whether the latter is better.
    """

    metric: str
    before: float | None
    after: float | None
    effect: float | None
    pvalue: float | None
    tone: Tone

    @property
    def name(self) -> str:
        """The metric as it is printed."""
        return title(self.metric)

    @property
    def unit(self) -> Unit:
        """How its values are written."""
        return unit(self.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A report in one line.

    Attributes:
        kind: What was done.
        model: The registered model; empty where no registry was asked.
        versions: Which of it, in words.
        verdict: As the record spells it: of monitoring a status, of training "TRAINED".
        verdict_title: The same as words.
        verdict_mark: The same as a shape.
        tone: The same as a tone.
        at: When, in UTC.
        n: Rows.
        numbers: What decided; None where nothing could be computed.
        held_back: The verdict that guardrails did not let stand, in words; None where they changed nothing.
    """

    kind: Kind
    model: str
    versions: str
    verdict: str
    verdict_title: str
    verdict_mark: str
    tone: Tone
    at: datetime
    n: int
    numbers: Numbers | None
    held_back: str | None = None


@singledispatch
def entry(record: AnyRecord) -> Entry:
    """Put a record of any kind into one line."""
    raise TypeError(type(record))


@entry.register
def _comparison(record: ComparisonRecord) -> Entry:
    return _compared(record, record.decision.verdict, f"{shown(record.challenger.short)} against {_champion(record)}")


@entry.register
def _several(record: ComparisonsRecord) -> Entry:
    """The challenger that is told of first, and how many more there are."""
    first = sentences.ranking(record)[0]
    one, more = record.comparisons[first], len(record.comparisons) - 1
    others = f" and {more} more" if more else ""
    told = _compared(one, record.verdict, f"{shown(record.names[first])}{others} against {_champion(one)}")
    return replace(told, at=_utc(record.created_at))


@entry.register
def _monitoring(record: MonitoringRecord) -> Entry:
    seen, status = record.monitored, record.health.status
    served = sorted({version for point in seen.points for version in point.versions if version is not None})
    return Entry(
        kind="monitoring",
        model=shown(record.model_name),
        versions=f"v{', v'.join(map(str, served))}" if served else "",
        verdict=str(status),
        verdict_title=STATUS_TITLES[status],
        verdict_mark=STATUS_MARKS[status],
        tone=STATUS_TONES[status],
        at=_utc(record.created_at),
        n=seen.n,
        numbers=_watched(record),
    )


@entry.register
def _training(record: TrainingRecord) -> Entry:
    best, count = record.best, len(record.candidates)
    version = f"v{record.version}: " if record.version is not None else ""
    over = best.cross_validated
    return Entry(
        kind="training",
        model=shown(record.model_name) if record.model_name else "",
        versions=f"{version}{shown(best.name)}{f', best of {count}' if count > 1 else ''}",
        verdict="TRAINED",
        verdict_title="Trained",
        verdict_mark="●",
        tone="same",
        at=_utc(record.created_at),
        n=record.rows.n_train,
        numbers=_alone(record.metric, over.mean) if over is not None else None,
    )


def _compared(record: ComparisonRecord, verdict: Verdict, versions: str) -> Entry:
    row, decision = sentences.decisive_row(record), record.decision
    return Entry(
        kind="comparison" if record.live is None else "live experiment",
        model=shown(record.model_name) if record.model_name else "",
        versions=versions,
        verdict=str(verdict),
        verdict_title=VERDICT_TITLES[verdict],
        verdict_mark=VERDICT_MARKS[verdict],
        tone=verdict_tone(verdict),
        at=_utc(record.created_at),
        n=record.data.n,
        numbers=None if row is None else _decisive(row, sentences.tested(record)),
        held_back=VERDICT_TITLES[decision.by_rule] if decision.by_rule != decision.verdict else None,
    )


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)  # one edited by hand may have no zone


def _champion(record: ComparisonRecord) -> str:
    return shown(record.champion.short)


def _watched(record: MonitoringRecord) -> Numbers | None:
    """A metric that fell, else the first; without a baseline, its value alone."""
    seen = record.monitored
    changes = sorted((it for it in seen.changes if it.segment is None), key=lambda it: it.trend != "fallen")
    if changes:
        it = changes[0]
        tone: Tone = "worse" if it.fall > 0 else "better" if it.fall < 0 else "same"
        return Numbers(
            metric=it.metric,
            before=it.baseline,
            after=it.recent,
            effect=it.effect,
            pvalue=it.pvalue_adjusted,
            tone=tone,
        )
    if seen.summaries:
        return _alone(seen.summaries[0].metric, seen.summaries[0].value)
    return None


def _decisive(row: MetricRow, pvalue: float | None) -> Numbers:
    return Numbers(
        metric=row.metric,
        before=row.champion,
        after=row.challenger,
        effect=row.effect,
        pvalue=pvalue,
        tone=tone_of(row),
    )


def _alone(metric: str, value: float) -> Numbers:
    return Numbers(metric=metric, before=None, after=value, effect=None, pvalue=None, tone="same")
