"""What live traffic shows of an experiment, beside the numbers that any comparison has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from abtest.labels import Side

CheckName: TypeAlias = Literal["sample ratio", "label coverage", "shadow drops"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReading:
    """One arm's traffic, and how well it did.

    Attributes:
        arm: Which side.
        version: The version that served.
        exposed: Units that it was exposed to; in shadow mode both have all.
        predictions: Rows predicted.
        failed: Of them, those that failed.
        dropped: Shadow rows that were never scored.
        mature: First predictions of a unit that are older than the horizon.
        labelled: Of them, those with a label.
        corrected: Of them, those whose label was corrected later.
        analysed: Rows that the numbers are of.
        value: Accuracy, or of a regression the mean squared error, over them; None where there are none.
        seconds: Mean time of a row's prediction; None where there is none.
    """

    arm: Side
    version: int | None
    exposed: int
    predictions: int
    failed: int
    dropped: int
    mature: int
    labelled: int
    corrected: int
    analysed: int
    value: float | None
    seconds: float | None

    @property
    def error_rate(self) -> float | None:
        """Share of its predictions that failed; None where there is none."""
        return self.failed / self.predictions if self.predictions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The evidence as it stood at one moment.

    Attributes:
        at: In UTC.
        n: Pairs, or units of both arms, known by then.
        log_better: log E that the challenger is better; None of a split.
        log_worse: log E that it is worse; None of a split.
        effect: On accuracy, or of a regression on mean squared error; None before there are rows on both sides.
        ci_lower: Of the interval valid at every look; None before its burn-in.
        ci_upper: Likewise.
    """

    at: datetime
    n: int
    log_better: float | None
    log_worse: float | None
    effect: float | None
    ci_lower: float | None
    ci_upper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The begin of an epoch: what happens to requests from then on.

    Attributes:
        at: In UTC.
        epoch: Its number.
        state: What it does: "running", "paused", "stopped" or "rolled back".
        inclusion: Of all units, those that take part.
    """

    at: datetime
    epoch: int
    state: str
    inclusion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A test of the experiment itself, looked at on every read: one that fails stops every verdict.

    Attributes:
        name: "sample ratio" (units by arm as planned), "label coverage" (labels by arm alike), or "shadow drops" (the
            champion is right as often on pairs that were dropped).
        held: Whether nothing is wrong.
        log_evidence: log E against it, where it has one.
        pvalue: Valid at every look.
        text: In a sentence.
    """

    name: CheckName
    held: bool
    log_evidence: float | None
    pvalue: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReading:
    """What live traffic shows of an experiment.

    Attributes:
        experiment: Its name.
        mode: "shadow": both models predicted the same rows; "split": each served its arm.
        looking: "anytime": valid at every look; "fixed": one look, at ``planned_n``.
        epoch: The last one's number.
        state: The last one's state.
        inclusion: The last one's.
        challenger_share: Of the units that take part.
        planned_n: Units planned in all.
        planned_discordant: Discordant pairs planned.
        horizon: Seconds after which labels are taken to be complete.
        started_at: In UTC.
        until: The moment of looking.
        arms: The champion and the challenger.
        looks: The evidence over time; the last one is now. None of a fixed look.
        log_better: log E that the challenger is better; None of a split, and of a fixed look.
        log_worse: log E that it is worse; likewise.
        pvalue: Two-sided, of no effect: valid at every look, or of the one fixed look.
        pvalue_worse: One-sided, that it is no worse; what a rollback goes by.
        rollback_alpha: The level of that: a share of the rollback's where failures or time are held to theirs.
        test: How both were found.
        checks: Whether the experiment can be trusted.
        waiting: Labels kept aside, of predictions that are not known.
        turns: Every epoch's begin, in order.
    """

    experiment: str
    mode: Literal["shadow", "split"]
    looking: Literal["anytime", "fixed"]
    epoch: int
    state: str
    inclusion: float
    challenger_share: float
    planned_n: int | None
    planned_discordant: int | None
    horizon: float
    started_at: datetime
    until: datetime
    arms: tuple[ArmReading, ArmReading]
    looks: tuple[Look, ...]
    log_better: float | None
    log_worse: float | None
    pvalue: float | None
    pvalue_worse: float | None
    rollback_alpha: float
    test: str
    checks: tuple[Check, ...]
    waiting: int = 0
    turns: tuple[Turn, ...] = ()

    @property
    def harmed(self) -> bool:
        """Whether the challenger is worse, at the level of a rollback."""
        return self.pvalue_worse is not None and self.pvalue_worse < self.rollback_alpha
