"""What watching a model showed, in words and written numbers: the one summary that every output renders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision.health import Action, Status
from abtest.reporter.monitoring import headline, inputs, numbers
from abtest.reporter.monitoring.inputs import WrittenDrift, WrittenReign, WrittenSchema, WrittenSequential
from abtest.reporter.monitoring.numbers import WrittenChange, WrittenGroup, WrittenMetric
from abtest.reporter.summary import Tone, cleaned, shown

if TYPE_CHECKING:
    from abtest.decision.health import Sign
    from abtest.record.monitored import MonitoringRecord

_MARKS = {True: "✓", False: "✗", None: "?"}
_WORDS = {True: "In order:", False: "Not in order:", None: "Not known:"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSign:
    """A sign of health as it is printed: with a mark, and a word for readers who listen."""

    rule: str
    held: bool | None
    text: str

    @property
    def mark(self) -> str:
        """Whether all is well, as a sign."""
        return _MARKS[self.held]

    @property
    def word(self) -> str:
        """The same as a word."""
        return _WORDS[self.held]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringSummary:
    """A report of monitoring in words.

    Attributes:
        title: The model, and from when to when it was watched.
        status: How it does.
        verdict_title: The same as it is printed, where a page has its verdict.
        verdict_mark: The same as a shape.
        headline: The same in a sentence.
        action: What is recommended.
        advice: The same in words, with why, and what is missing.
        following: What to type next; empty where there is nothing to do.
        tone: How the status looks.
        confidence: Of intervals and tests.
        signs: All that was looked at, what is not well first.
        volume: What was seen, by term and text.
        windows: What was compared with what, in a sentence.
        metrics: Each metric over the periods.
        period: What a period is.
        slope: What trends are told over.
        changes: Each metric over all rows, recent against baseline.
        segments: The same by segment, the worst first.
        fallen: Segments that surely got worse, in sentences, the worst first.
        weakest: Segments that surely do worse than the rest of the rows, in sentences, the worst first.
        previous: Against the version before, where there is one.
        previous_name: What that is.
        drift: Predictions and features, the farthest apart first.
        drift_about: What that says, in a sentence; empty where nothing was looked at.
        schema: Ways in which rows are shaped otherwise.
        sequential: The evidence where one looks every hour.
        reigns: Who served when.
        notices: What else is to be said.
        skipped: What was left out.
    """

    title: str
    status: Status
    verdict_title: str
    verdict_mark: str
    headline: str
    action: Action
    advice: str
    following: str
    tone: Tone
    confidence: str
    signs: tuple[WrittenSign, ...]
    volume: tuple[tuple[str, str], ...]
    windows: str
    metrics: tuple[WrittenMetric, ...]
    period: str
    slope: str
    changes: tuple[WrittenChange, ...]
    segments: tuple[WrittenGroup, ...]
    fallen: tuple[str, ...]
    weakest: tuple[str, ...]
    previous: tuple[WrittenChange, ...]
    previous_name: str
    drift: tuple[WrittenDrift, ...]
    drift_about: str
    schema: tuple[WrittenSchema, ...]
    sequential: tuple[WrittenSequential, ...]
    reigns: tuple[WrittenReign, ...]
    notices: tuple[str, ...]
    skipped: tuple[str, ...]


def summarise(record: MonitoringRecord) -> MonitoringSummary:
    """Put a report of monitoring into words."""
    seen, health = record.monitored, record.health
    return MonitoringSummary(
        title=f"{shown(record.model_name)}, watched {numbers.between(seen.start, seen.end)}",
        status=health.status,
        verdict_title=headline.STATUS_TITLES[health.status],
        verdict_mark=headline.STATUS_MARKS[health.status],
        headline=cleaned(headline.headline(record)),
        action=health.action,
        advice=cleaned(headline.advice(record)),
        following=cleaned(headline.following(record)),
        tone=headline.STATUS_TONES[health.status],
        confidence=wording.confidence(seen.confidence),
        signs=tuple(_sign(sign) for sign in health.signs),
        volume=tuple(numbers.volume(seen)),
        windows=cleaned(numbers.windows(seen)),
        metrics=tuple(numbers.metrics(seen)),
        period=wording.span(seen.period).removeprefix("1 "),
        slope="a day" if numbers.slope_days(seen) == 1 else f"in {numbers.slope_days(seen)} days",
        changes=tuple(numbers.write_change(it) for it in seen.changes if it.segment is None),
        segments=numbers.groups(seen),
        fallen=tuple(cleaned(text) for text in numbers.fallen(seen)),
        weakest=tuple(cleaned(text) for text in numbers.weakest(seen)),
        previous=tuple(numbers.write_change(it) for it in seen.previous_changes),
        previous_name=shown(seen.previous.name) if seen.previous else "",
        drift=tuple(inputs.write_drift(it) for it in seen.drift),
        drift_about=inputs.about(record),
        schema=tuple(inputs.write_schema(it) for it in seen.schema),
        sequential=tuple(inputs.write_sequential(it) for it in seen.sequential),
        reigns=tuple(inputs.write_reign(it) for it in seen.reigns),
        notices=tuple(cleaned(text) for text in seen.notices),
        skipped=tuple(cleaned(f"{it.what}: {it.why}") for it in seen.skipped),
    )


def _sign(sign: Sign) -> WrittenSign:
    return WrittenSign(rule=sign.rule, held=sign.held, text=cleaned(sign.text))
