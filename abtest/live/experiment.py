"""What an experiment is: a plan that is frozen at the start, and epochs of fixed weights.

An epoch is never changed: ramping, pausing, stopping and rolling back each begin the next one. Its number is what is
compared and set, so of two who turn at once one is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias, get_args

from abtest.errors import InvalidInputError, near
from abtest.guardrail import is_number
from abtest.labels import Label
from abtest.live.assignment import share_of
from abtest.metrics.classification import AVERAGES, Average
from abtest.policy import Policy

Mode: TypeAlias = Literal["shadow", "split"]
MODES: tuple[Mode, ...] = get_args(Mode)
Looking: TypeAlias = Literal["anytime", "fixed"]
LOOKINGS: tuple[Looking, ...] = get_args(Looking)
_MOST_PLANNED = 1_000_000_000  # of a mixture chosen for far more, rounding alone would pass for evidence
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class State(StrEnum):
    """What an epoch does with requests."""

    RUNNING = "running"
    PAUSED = "paused"  # nobody takes part; it may run again
    STOPPED = "stopped"  # for good
    ROLLED_BACK = "rolled back"  # for good, since the challenger did harm

    @property
    def is_over(self) -> bool:
        """Whether it never runs again."""
        return self in (State.STOPPED, State.ROLLED_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The plan of an experiment: nothing of it changes after the start.

    Attributes:
        name: Its own, of letters, digits, ``.``, ``_`` and ``-``.
        model_name: The registered model.
        mode: "shadow": the champion answers and the challenger predicts the same rows; "split": each serves its arm.
        champion_version: The version that serves.
        challenger_version: The version that is tried.
        challenger_share: Of the units that take part, those that the challenger serves; of a split.
        salt: Sets this experiment's assignment apart; random unless told.
        policy: What the challenger is held to: the same as offline, with the same four verdicts.
        average: How precision, recall and F1 are averaged.
        looking: "anytime": the evidence is valid at every look; "fixed": one look, at ``planned_n``.
        planned_n: Units that are planned in all; needed in a split, and where one looks once. The evidence is sharpest
            there.
        planned_discordant: Discordant pairs that are planned, in shadow mode; None where that is not known.
        horizon: Seconds after which the labels of a prediction's age are taken to be complete; younger ones wait.
        rollback_alpha: Level of the harm that rolls back, apart from the verdict's: of all kinds together, which share
            it evenly.
        auto_rollback: Whether harm, or a breached guardrail on error rate or latency, ends it.
        classes: What a label may be; None where the models do not say, and of a regression.
        created_at: In UTC.
        created_by: Who started it.

    Raises:
        InvalidInputError: A value is outside its range, or the values contradict each other.
    """

    name: str
    model_name: str
    mode: Mode
    champion_version: int
    challenger_version: int
    challenger_share: float = 0.5
    salt: str = ""
    policy: Policy = field(default_factory=Policy)
    average: Average = "macro"
    looking: Looking = "anytime"
    planned_n: int | None = None
    planned_discordant: int | None = None
    horizon: float = 0.0
    rollback_alpha: float = 0.05
    auto_rollback: bool = False
    classes: tuple[Label, ...] | None = None
    created_at: datetime
    created_by: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInputError(
                f"name must be 1 to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit, "
                f"got {self.name!r}."
            )
        for name, known in (("mode", MODES), ("looking", LOOKINGS), ("average", AVERAGES)):
            value = getattr(self, name)
            if value not in known:
                raise InvalidInputError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}.", hint=near(str(value), known)
                )
        share_of(self.challenger_share, "challenger-share")
        self._check_sides()
        self._check_plan()

    def _check_sides(self) -> None:
        if self.champion_version == self.challenger_version:
            raise InvalidInputError(f"Both sides are version {self.champion_version}.", hint="name another challenger.")
        if self.mode == "split" and not 0 < self.challenger_share < 1:
            raise InvalidInputError(
                f"challenger-share must be in (0, 1) in a split, got {self.challenger_share:g}.",
                hint="pause the experiment to send nothing to the challenger.",
            )

    def _check_plan(self) -> None:
        for option, count in (("planned-n", self.planned_n), ("planned-discordant", self.planned_discordant)):
            if count is not None and (isinstance(count, bool) or not 1 <= count <= _MOST_PLANNED):
                raise InvalidInputError(f"{option} must be a whole number from 1 to {_MOST_PLANNED:,}, got {count!r}.")
        if self.planned_n is None and (self.mode == "split" or self.looking == "fixed"):
            what = "a split" if self.mode == "split" else "a fixed look"
            raise InvalidInputError(f"{what} needs planned-n: how many units are planned in all.", hint="abtest power")
        if not is_number(self.horizon) or self.horizon < 0:
            raise InvalidInputError(f"horizon must be at least 0 seconds, got {self.horizon!r}.")
        if not 0 < self.rollback_alpha < 0.5:
            raise InvalidInputError(f"rollback-alpha must be in (0, 0.5), got {self.rollback_alpha:g}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A period of fixed weights.

    Attributes:
        experiment: The experiment's name.
        number: From 1, without gaps.
        state: What it does with requests.
        inclusion: Of all units, those that take part; 0 unless it runs.
        began_at: In UTC.
        by: Who began it.
        why: The reason given.
        evidence: What it rests on, where it was a rollback.
    """

    experiment: str
    number: int
    state: State
    inclusion: float
    began_at: datetime
    by: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        share_of(self.inclusion, "inclusion")
