"""A request in shadow mode, what is logged of it, and how a shadow is doing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abtest.live.log import Logged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.labels import Label

_LONGEST_WHY = 500  # characters
_LABELS = (str, int, float)  # a bool is an int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRequest:
    """What the challenger is to predict: the rows of one request.

    Attributes:
        server: Names the process that answered.
        sequences: The rows' numbers in that process.
        rows: As JSON had them.
        at: When the request was answered, in seconds since 1970 (UTC).
        experiment: The experiment the request takes part in.
        epoch: Its epoch.
        unit: The keyed hash of the unit.
        columns: The champion's, which rows that are lists are in the order of; None where it names none.
    """

    server: str
    sequences: Sequence[int]
    rows: Sequence[Any]
    at: float
    experiment: str
    epoch: int
    unit: str | None = None
    columns: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowState:
    """How a shadow is doing; rows are counted from its start, and ``offered`` is the sum of all that follow.

    Attributes:
        offered: Rows handed over.
        scored: Rows with a prediction.
        failed: Rows that the challenger failed: it raised, hung, crashed, or returned something odd.
        full: Rows dropped since the queue was full.
        late: Rows dropped since they waited longer than the deadline.
        down: Rows dropped since the challenger does not load.
        closed: Rows dropped since the shadow was closed.
        waiting: Rows in the queue, or with the challenger.
        restarts: How often its process was started again.
        pid: Its process; None while there is none that is ready.
        resident: Bytes of memory that the process has resident.
        last_error: What went wrong last, in a sentence.
    """

    offered: int = 0
    scored: int = 0
    failed: int = 0
    full: int = 0
    late: int = 0
    down: int = 0
    closed: int = 0
    waiting: int = 0
    restarts: int = 0
    pid: int | None = None
    resident: int = 0
    last_error: str | None = None

    @property
    def dropped(self) -> int:
        """Rows that the challenger never got to score, whatever the reason."""
        return self.full + self.late + self.down + self.closed


def pieces(request: ShadowRequest, rows: int) -> Iterator[ShadowRequest]:
    """Cut a request of many rows into some of at most so many."""
    if len(request.rows) <= rows:
        yield request
        return
    for start in range(0, len(request.rows), rows):
        part = slice(start, start + rows)
        yield replace(request, sequences=request.sequences[part], rows=request.rows[part])


def read(request: ShadowRequest, answer: Any, version: int) -> tuple[list[Logged], str | None]:  # noqa: ANN401 - whatever a process sent that nobody trusts
    """Read what the challenger's process answered: what is to be logged, and what went wrong in a sentence."""
    answer = answer if isinstance(answer, dict) else {}
    seconds = answer.get("seconds")
    if not isinstance(seconds, float) or not 0 <= seconds < math.inf:
        seconds = 0.0
    labels = answer.get("labels")
    if isinstance(labels, list) and len(labels) == len(request.sequences) and all(map(_is_label, labels)):
        return _logged(request, labels, None, version, seconds), None
    error = "raised" if answer.get("error") == "raised" else "shape"
    why = str(answer.get("why") or "It did not return one label or finite number a row.")[:_LONGEST_WHY]
    return unscored(request, version, error, seconds), why


def unscored(request: ShadowRequest, version: int, error: str, seconds: float = 0.0) -> list[Logged]:
    """Give what is logged of rows without a prediction."""
    return _logged(request, [None] * len(request.sequences), error, version, seconds)


def _logged(
    request: ShadowRequest, labels: Sequence[Label | None], error: str | None, version: int, seconds: float
) -> list[Logged]:
    return [
        Logged(
            server=request.server,
            sequence=sequence,
            at=request.at,
            arm="challenger",
            served=False,
            model_version=version,
            prediction=label,
            seconds=seconds,
            error=error,
            experiment=request.experiment,
            epoch=request.epoch,
            unit=request.unit,
        )
        for sequence, label in zip(request.sequences, labels, strict=True)
    ]


def _is_label(value: object) -> bool:
    return isinstance(value, _LABELS) and (not isinstance(value, float) or math.isfinite(value))
