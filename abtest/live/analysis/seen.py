"""What one look at an experiment reads of the log: each count once, whoever asks for it first."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from abtest.live.experiment import Experiment
    from abtest.live.log import ArmGroup, ArmTraffic, ArmTries, PairGroup, Period
    from abtest.live.store import Store

_BUCKETS = 200  # of the picture over time


class Seen:
    """An experiment as one look sees it: a rollback, a verdict and a gauge are of the same counts.

    Args:
        store: The log.
        experiment: Which.
        until: The moment of looking.
    """

    def __init__(self, store: Store, experiment: Experiment, until: datetime) -> None:
        self.store = store
        self.experiment = experiment
        self.until = until

    @cached_property
    def traffic(self) -> tuple[ArmTraffic, ...]:
        """What each arm did, the champion first."""
        return self.store.traffic(self.experiment, until=self.until)

    @cached_property
    def tries(self) -> tuple[ArmTries, ...]:
        """How the first answers to units went, the champion first."""
        return self.store.tries(self.experiment, until=self.until)

    @cached_property
    def pairs(self) -> tuple[Period, tuple[PairGroup, ...]]:
        """Labelled pairs of shadow mode."""
        return self.store.pairs(self.experiment, until=self.until, buckets=_BUCKETS)

    @cached_property
    def arms(self) -> tuple[Period, tuple[ArmGroup, ...]]:
        """Labelled units of a split."""
        return self.store.arms(self.experiment, until=self.until, buckets=_BUCKETS)

    @cached_property
    def first_pairs(self) -> tuple[Period, tuple[PairGroup, ...]]:
        """Those that count: where one looks once, as many as were planned."""
        most = self._most
        return self.pairs if most is None else self.store.pairs(self.experiment, until=self.until, most=most)

    @cached_property
    def first_arms(self) -> tuple[Period, tuple[ArmGroup, ...]]:
        """Likewise of a split."""
        most = self._most
        return self.arms if most is None else self.store.arms(self.experiment, until=self.until, most=most)

    @property
    def _most(self) -> int | None:
        return self.experiment.planned_n if self.experiment.looking == "fixed" else None
