"""What is written of predictions that are tracked for monitoring: batches, and rows that wait for their label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from abtest.labels import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A file of rows that was tracked, of predictions or of labels.

    Attributes:
        model_name: The model.
        batch: Its name: the first hex digits of a digest of the file and of how it was read, so that the same again is
            known; ``windows.LIVE`` of what is counted in the log of a server.
        kind: What it holds.
        source: The file's name, for people.
        n: Its rows.
        received_at: In UTC.
    """

    model_name: str
    batch: str
    kind: Literal["predictions", "labels"]
    source: str
    n: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRow:
    """A prediction that waits for its label, or is remembered by its id.

    Attributes:
        id: What a label names it by; unique in its model. Of a row without an id: ``#`` with batch and position.
        at: When it was made, in seconds since 1970 (UTC).
        version: The version that predicted.
        prediction: What it predicted.
        segments: By the name of each segmentation, its value.
        label: The first label; None while it waits.
    """

    id: str
    at: float
    version: int | None
    prediction: Label
    segments: dict[str, str]
    label: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What was done about a degradation, or about to be.

    Attributes:
        model_name: The model.
        what: "rollback" or "notify".
        at: In UTC.
        status: What the check said.
        outcome: "begun", "done", or "failed"; "withheld" where another was done shortly before.
        text: What was done, or why not.
    """

    model_name: str
    what: Literal["rollback", "notify"]
    at: datetime
    status: str
    outcome: Literal["begun", "done", "failed", "withheld"]
    text: str
