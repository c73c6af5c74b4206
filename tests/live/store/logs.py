"""What tests of the log write into it: plans, rows and labels."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abtest.live.experiment import Epoch, Experiment, State
from abtest.live.log import Feedback, Logged

if TYPE_CHECKING:
    from abtest.labels import Label, Side
    from abtest.live.experiment import Mode

START = 1_700_000_000.0  # where the clocks of these tests begin


def moment(seconds: float) -> datetime:
    """So many seconds after the start, as a time."""
    return datetime.fromtimestamp(START + seconds, UTC)


def plan(name: str | None = None, *, mode: Mode = "shadow", **others: Any) -> Experiment:
    """A plan of a model of its own, unless told."""
    name = name or f"e{uuid.uuid4().hex}"
    values: dict[str, Any] = {"model_name": f"model of {name}", "champion_version": 1, "challenger_version": 2,
                              "planned_n": 1000, "created_at": moment(0), "created_by": "somebody"}  # fmt: skip
    return Experiment(name=name, mode=mode, **(values | others))


def following(epoch: Epoch, state: State = State.RUNNING, *, inclusion: float = 1.0, **others: Any) -> Epoch:
    """The epoch after another."""
    return replace(epoch, number=epoch.number + 1, state=state, inclusion=inclusion, **others)


def row(
    sequence: int, *, server: str = "ab12", at: float = 0.0, arm: Side = "champion", prediction: Label | None = 1,
    **others: Any,
) -> Logged:  # fmt: skip
    """A row of the log; times from the start."""
    values: dict[str, Any] = {"served": True, "model_version": 1, "seconds": 0.001}
    return Logged(server=server, sequence=sequence, at=START + at, arm=arm, prediction=prediction, **(values | others))


def label(sequence: int, truth: Any, *, server: str = "ab12", observed_at: float | None = None) -> Feedback:
    """A label of a row."""
    return Feedback(prediction_id=f"{server}-{sequence}", label=truth, observed_at=observed_at)
