"""How a model does, and what to do about it: read off what watching showed, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abtest.evaluator.monitored import Monitored


class Status(StrEnum):
    """How a model does, from best to worst; ``INSUFFICIENT_DATA`` is an answer."""

    STABLE = "STABLE"
    SUSPECT = "SUSPECT"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    DEGRADED = "DEGRADED"


class Action(StrEnum):
    """What is recommended."""

    NOTHING = "nothing"
    LOOK = "look"
    RETRAIN = "retrain"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that was looked at.

    Attributes:
        rule: "metric", "segment", "drift", "prediction-drift", "schema", "sequential", "labels", "rows", "failures".
        name: The metric, the feature; with the segment where it is of one.
        held: Whether all is well with it; None where nobody can say.
        text: In a sentence, with its numbers.
    """

    rule: str
    name: str
    held: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the model does.

    Attributes:
        status: In a word.
        action: What is recommended.
        why: Why that action, in a sentence.
        missing: What an answer lacks, in a sentence; None where it lacks nothing.
        signs: All that was looked at, what is not well first.
    """

    status: Status
    action: Action
    why: str
    missing: str | None
    signs: tuple[Sign, ...]


def judge(monitored: Monitored) -> Health:
    """Say how the model does."""
    raise NotImplementedError
