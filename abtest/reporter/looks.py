"""What figures over time lay out, counted beforehand: the evidence in powers of ten, the effect in the axis's unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import NotApplicableError
from abtest.metrics.catalogue import DECISIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.live import LiveReading, Look
    from abtest.record import ComparisonRecord

LEAST = -2.0  # powers of ten, below which there is no evidence to speak of
_TEN = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """Evidence for one direction, over time.

    Attributes:
        points: Moment, and the power of ten that E was; at ``LEAST`` where it was less.
        now: log E now.
        line: The power of ten at which it convinces.
        crossed: The first moment at which it did.
    """

    points: tuple[tuple[datetime, float], ...]
    now: float
    line: float
    crossed: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectLook:
    """The effect at one moment, of shares in points, with its interval."""

    at: datetime
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """The effect over time.

    Attributes:
        looks: Those with an interval, in unbroken pieces.
        before: The effect before there was an interval, up to the first look that has one.
        now: The last known effect.
        points: Whether it is in percentage points.
        more_is_better: Whether above zero is better.
    """

    looks: tuple[tuple[EffectLook, ...], ...]
    before: tuple[tuple[datetime, float], ...]
    now: float | None
    points: bool
    more_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnView:
    """The begin of an epoch, as it is written; ``harm`` is one that rolled back."""

    at: datetime
    text: str
    harm: bool


def reading_of(record: ComparisonRecord) -> LiveReading:
    """What live traffic shows.

    Raises:
        NotApplicableError: The rows are not from there.
    """
    if record.live is None:
        raise NotApplicableError("These rows are not from live traffic.")
    return record.live


def turns(record: ComparisonRecord) -> tuple[TurnView, ...]:
    """Lay out the begins of the epochs that are known."""
    return tuple(
        TurnView(
            at=turn.at,
            text=wording.percent(turn.inclusion) if turn.state == "running" else turn.state,
            harm=turn.state == "rolled back",
        )
        for turn in reading_of(record).turns
    )


def evidence(record: ComparisonRecord) -> tuple[EvidenceView, EvidenceView] | None:
    """Lay out the evidence that the challenger is better, and that it is worse; None where no look has any."""
    reading = reading_of(record)
    # Each direction has half of the level, as in a two-sided test.
    line = math.log10(2 / record.settings.policy.alpha)
    better = [(look.at, look.log_better) for look in reading.looks if look.log_better is not None]
    worse = [(look.at, look.log_worse) for look in reading.looks if look.log_worse is not None]
    return (_evidence(better, line), _evidence(worse, line)) if better and worse else None


def effect(record: ComparisonRecord) -> EffectView:
    """Lay out the effect and its interval."""
    reading, points = reading_of(record), record.task == "classification"
    factor = 100.0 if points else 1.0
    known = [look for look in reading.looks if look.effect is not None]
    pieces = [list(group) for has, group in groupby(known, key=_has_interval) if has]
    first = pieces[0][0].at if pieces else None
    return EffectView(
        looks=tuple(tuple(_effect_look(look, factor) for look in piece) for piece in pieces),
        before=tuple((look.at, factor * (look.effect or 0.0)) for look in known if first is None or look.at <= first),
        now=factor * (known[-1].effect or 0.0) if known else None,
        points=points,
        more_is_better=DECISIVE[record.task] == "accuracy",
    )


def _evidence(logs: Sequence[tuple[datetime, float]], line: float) -> EvidenceView:
    points = tuple((at, max(LEAST, log / _TEN)) for at, log in logs)
    return EvidenceView(
        points=points, now=logs[-1][1], line=line, crossed=next((at for at, power in points if power >= line), None)
    )


def _has_interval(look: Look) -> bool:
    return look.ci_lower is not None and look.ci_upper is not None


def _effect_look(look: Look, factor: float) -> EffectLook:
    value, lower, upper = (factor * (end or 0.0) for end in (look.effect, look.ci_lower, look.ci_upper))
    return EffectLook(at=look.at, value=value, lower=lower, upper=upper)
