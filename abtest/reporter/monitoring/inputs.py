"""Drift, shapes of rows, the evidence over time and who served when, as they are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter.live import moment, odds
from abtest.reporter.summary import Tone, cleaned, shown

if TYPE_CHECKING:
    from abtest.evaluator.monitored import Drift, Reign, SchemaChange, Sequential
    from abtest.record.monitored import MonitoringRecord

_TESTS = {"Kolmogorov-Smirnov": "KS", "chi-squared": "χ²"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDrift:
    """A feature in the recent window against the baseline, as it is printed."""

    name: str
    kind: str
    distance: str
    psi: str
    js: str
    test: str
    pvalue: str
    missing: str
    direction: str
    drifted: bool
    tone: Tone

    @property
    def mark(self) -> str:
        """Whether it drifted, as a sign."""
        return "✗" if self.drifted else "✓"

    @property
    def word(self) -> str:
        """The same as a word."""
        return "drifted" if self.drifted else "as before"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSchema:
    """A way in which rows are shaped otherwise, as it is printed."""

    name: str
    what: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSequential:
    """Evidence that a share of right predictions has fallen, as it is printed."""

    label: str
    evidence: str
    pvalue: str
    since: str
    recent: str
    tolerable: str
    n: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReign:
    """Who served from when to when, as it is printed."""

    version: str
    start: str
    end: str
    how: str


def write_drift(it: Drift) -> WrittenDrift:
    """Write a feature's drift."""
    missing = f"{wording.percent(it.missing_baseline)} → {wording.percent(it.missing_recent)}"
    return WrittenDrift(
        name="the predictions" if it.kind == "prediction" else shown(it.feature),
        kind=it.kind,
        distance=_number(it.distance),
        psi=_number(it.psi),
        js=_number(it.js),
        test=_TESTS.get(it.test, it.test),
        pvalue=wording.pvalue(it.pvalue_adjusted).removeprefix("p = ").removeprefix("p "),
        missing=missing,
        direction=cleaned(it.direction),
        drifted=it.drifted,
        tone="worse" if it.drifted else "same",
    )


def about(record: MonitoringRecord) -> str:
    """Say how many of them drifted; nothing where none was looked at."""
    rows = [it for it in record.monitored.drift if it.kind != "prediction"]
    if not record.monitored.drift:
        return ""
    drifted = sum(it.drifted for it in rows)
    told = [f"{drifted} of {wording.plural(len(rows), 'feature')} drifted."] if rows else []
    predicted = next((it for it in record.monitored.drift if it.kind == "prediction"), None)
    if predicted is not None:
        told.append(f"The predictions {'drifted too' if predicted.drifted and drifted else _drifted(predicted)}.")
    return " ".join(told)


def _drifted(it: Drift) -> str:
    return "drifted" if it.drifted else "did not drift"


def write_schema(it: SchemaChange) -> WrittenSchema:
    """Write a change of the schema."""
    return WrittenSchema(name=shown(it.feature), what=it.what, text=cleaned(it.text))


def write_sequential(it: Sequential) -> WrittenSequential:
    """Write the evidence."""
    return WrittenSequential(
        label="all rows" if it.segment is None else f"{shown(it.segment)} = {shown(it.value or '')}",
        evidence=odds(it.log_evidence) if math.isfinite(it.log_evidence) else wording.MISSING,
        pvalue=wording.pvalue(it.pvalue_adjusted).removeprefix("p = ").removeprefix("p "),
        since=moment(it.since) if it.since else wording.MISSING,
        recent=wording.percent(it.recent),
        tolerable=wording.percent(1 - it.null),
        n=wording.whole(it.n),
    )


def version(number: int | None) -> str:
    """Name a version as briefly as a figure does.

    Example:
        >>> version(3), version(None)
        ('v3', 'no version')
    """
    return "no version" if number is None else f"v{number}"


def write_reign(it: Reign) -> WrittenReign:
    """Write who served when."""
    by = f" by {shown(it.by)}" if it.by else ""
    return WrittenReign(
        version=version(it.version),
        start=moment(it.start),
        end=moment(it.end) if it.end else "still",
        how=f"{shown(it.how)}{by}" if it.how else wording.MISSING,
    )


def _number(value: float | None) -> str:
    """Two decimals: what distances are told apart by."""
    return wording.MISSING if value is None else f"{value:.2f}"
