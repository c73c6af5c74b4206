"""What is written of each prediction, of each label, and read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from abtest.labels import Label, Side

NEVER_SCORED = ("dropped",)  # errors of a shadow's row that say nothing of the model; the others are its own


GONE = 60.0  # seconds without a sign of life, after which a server is taken to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One prediction of one row by one model.

    Attributes:
        server: Names the process that answered; random, of hex digits.
        sequence: The row's number in that process, from 1 and without gaps.
        at: When it was answered, in seconds since 1970 (UTC).
        arm: Which side predicted.
        served: Whether this is what was answered; a shadow's prediction is not.
        model_version: The version that predicted; None of a run.
        prediction: What it predicted; None where it failed.
        seconds: How long the prediction took, by row.
        error: Why there is no prediction: "raised", "deadline", "dropped", "crashed", "shape"; None where there is one.
        experiment: The experiment the request took part in.
        epoch: Its epoch.
        unit: The keyed hash of the unit, as hex digits; None where the request named none.
        features: The row as JSON text, where it was to be kept.
    """

    server: str
    sequence: int
    at: float
    arm: Side
    served: bool
    model_version: int | None
    prediction: Label | None
    seconds: float
    error: str | None = None
    experiment: str | None = None
    epoch: int | None = None
    unit: str | None = None
    features: str | None = None

    @property
    def prediction_id(self) -> str:
        """What a label names it by."""
        return f"{self.server}-{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A label that came later.

    Attributes:
        prediction_id: Of the prediction it is about.
        label: The truth.
        observed_at: When it was observed, in seconds since 1970 (UTC).
    """

    prediction_id: str
    label: Label
    observed_at: float | None = None


class Received(StrEnum):
    """What happened to a label."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"  # the same label of the same prediction was there
    CORRECTED = "corrected"  # another label was there; both are kept
    WAITING = "waiting"  # no such prediction is known yet; it is kept aside and tried again
    REFUSED = "refused"  # it cannot be a label of this prediction; nothing was kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What happened to one label.

    Attributes:
        prediction_id: As it was sent.
        received: What happened.
        why: Why it was refused, or that it was corrected since.
        lag: Seconds from the prediction to its first label, where this was it.
    """

    prediction_id: str
    received: Received
    why: str | None = None
    lag: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairGroup:
    """Pairs of shadow mode that are alike, one a unit: the first it was part of.

    Attributes:
        bucket: Which period of time they became known in, from 0.
        label: The truth.
        champion: The champion's prediction; None where it failed.
        challenger: The challenger's; None where it failed. What was dropped is no pair.
        n: How many.
    """

    bucket: int
    label: Label
    champion: Label | None
    challenger: Label | None
    n: int

    @property
    def is_whole(self) -> bool:
        """Whether neither side failed."""
        return self.champion is not None and self.challenger is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropGroup:
    """Labelled, mature units of shadow mode that are alike, by whether there is a pair of them.

    Attributes:
        dropped: Whether the challenger never had its turn: its row was dropped, or is missing.
        label: The truth.
        champion: The champion's prediction; None where it failed.
        n: How many.
    """

    dropped: bool
    label: Label
    champion: Label | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmGroup:
    """Labelled predictions of a split that are alike, one a unit: the first it was exposed to.

    Attributes:
        bucket: Which period of time they became known in, from 0.
        arm: Who served.
        label: The truth.
        prediction: What was predicted; None where it failed.
        n: How many.
    """

    bucket: int
    arm: Side
    label: Label
    prediction: Label | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTraffic:
    """What an arm did in an experiment, labelled or not.

    Attributes:
        arm: Which side.
        exposed: Units that it was exposed to; in shadow mode those of the champion are all.
        predictions: Rows that it had its turn at.
        failed: Of them, those that failed.
        dropped: Shadow rows beside them that were never scored: dropped on overload, or missing.
        mature: First predictions of a unit that are older than the horizon; of a shadow those of pairs.
        labelled: Of them, those with a label.
        corrected: Of them, those whose label was corrected later.
        seconds: Sum of the seconds that its predictions took.
        squares: Sum of their squares.
    """

    arm: Side
    exposed: int
    predictions: int
    failed: int
    dropped: int
    mature: int
    labelled: int
    corrected: int
    seconds: float
    squares: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTries:
    """How an arm's first answers to units went: what harm is told by.

    A unit that sends many requests says little more than its first, and rows that are predicted together fail together
    and take as long: each answer is one.

    Attributes:
        arm: Which side.
        n: Answers.
        failed: Of them, those of which a row failed.
        seconds: Sum of their seconds, each the mean of its rows.
        squares: Sum of their squares.
    """

    arm: Side
    n: int
    failed: int
    seconds: float
    squares: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The periods that groups count into: equal ones, from the first exposure to the moment of looking."""

    start: datetime
    end: datetime
    buckets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one look at an experiment showed, as it was kept.

    Attributes:
        experiment: Which.
        at: When, in UTC.
        n: Units or pairs looked at.
        log_better: log E that the challenger is better; None of a split.
        log_worse: log E that it is worse; None of a split.
        effect: Challenger's accuracy minus the champion's, or of a regression of its mean loss; None where unknown.
        ci_lower: Of the interval that is valid at every look.
        ci_upper: Likewise.
        verdict: What the policy said.
    """

    experiment: str
    at: datetime
    n: int
    log_better: float | None
    log_worse: float | None
    effect: float | None
    ci_lower: float | None
    ci_upper: float | None
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A process that answers requests, as the log knows it.

    Attributes:
        server: Its name.
        began_at: In UTC.
        seen_at: Its last sign of life.
        closed: Whether it was shut down in order.
        assigned: The last sequence number it told that it had given out.
        logged: How many of its sequence numbers are in the log.
        lost: Rows it knows it could not log, since its queue was full.
    """

    server: str
    began_at: datetime
    seen_at: datetime
    closed: bool
    assigned: int
    logged: int
    lost: int

    def missing(self, now: datetime) -> int:
        """How many of its predictions are not in the log, and will not be: those of one that is gone."""
        is_gone = self.closed or (now - self.seen_at).total_seconds() > GONE
        return max(0, self.assigned - self.logged) if is_gone else 0
