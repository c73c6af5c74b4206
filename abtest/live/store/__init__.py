"""The log of live traffic in a database: SQLite by default, PostgreSQL by URL.

The only room of ``live`` that knows SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import TracebackType

    from abtest.live.experiment import Epoch, Experiment
    from abtest.live.log import (
        ArmGroup,
        ArmTraffic,
        Feedback,
        Logged,
        PairGroup,
        Period,
        Receipt,
        Server,
        Snapshot,
    )

DEFAULT_URL = "sqlite:///abtest-live.db"


class Store:
    """Experiments, epochs, exposures, predictions, outcomes and snapshots in one database.

    Every method is one transaction; it may be called from any thread, and from any number of processes and machines.

    Args:
        url: As SQLAlchemy takes it.
        create: Make the tables where they are missing; else they must be there.

    Raises:
        InvalidInputError: The URL is none, of a database that is not supported, or holds no log.
        BackendError: The database does not answer. So may every method.
    """

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = True) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        """The URL without its password."""
        raise NotImplementedError

    def close(self) -> None:
        """Close its connections."""
        raise NotImplementedError

    def ping(self) -> None:
        """Find out whether it answers."""
        raise NotImplementedError

    def unit_key(self) -> bytes:
        """The key that unit ids are hashed with: 32 bytes, made at random with the tables."""
        raise NotImplementedError

    # Experiments and epochs

    def start(self, experiment: Experiment, *, inclusion: float, why: str) -> Epoch:
        """Put a plan and its first epoch on record.

        Raises:
            InvalidInputError: There is an experiment of that name, or another of the model goes on.
        """
        raise NotImplementedError

    def experiments(self, model_name: str | None = None) -> tuple[tuple[Experiment, Epoch], ...]:
        """Every plan with its last epoch, the latest first; of one model or all."""
        raise NotImplementedError

    def experiment(self, name: str) -> Experiment:
        """Read one plan.

        Raises:
            NotFoundError: There is none of that name; the hint has the nearest.
        """
        raise NotImplementedError

    def epochs(self, name: str) -> tuple[Epoch, ...]:
        """Every epoch of an experiment, in order."""
        raise NotImplementedError

    def turn(self, epoch: Epoch) -> Epoch:
        """Begin an epoch, if it is the next one: compare and set.

        Raises:
            StaleChampionError: Another one has begun it first; the message says which.
            RefusedError: The experiment is over.
        """
        raise NotImplementedError

    def active(self, model_name: str) -> tuple[Experiment, Epoch] | None:
        """The experiment of a model that is not over, if there is one, with its last epoch."""
        raise NotImplementedError

    # Written by servers

    def write(self, rows: Sequence[Logged]) -> None:
        """Write predictions, and each unit's first exposure; rows that are there already change nothing."""
        raise NotImplementedError

    def beat(self, server: str, *, assigned: int, lost: int, closed: bool = False) -> None:
        """Put a server's sign of life on record."""
        raise NotImplementedError

    def servers(self) -> tuple[Server, ...]:
        """Every server, the latest first; ``assigned - logged`` of one that is gone is what was lost with it."""
        raise NotImplementedError

    # Labels

    def record(self, labels: Sequence[Feedback], *, experiment: str | None = None) -> tuple[Receipt, ...]:
        """Record labels; when it returns, they are committed.

        The same label twice changes nothing, another one is appended, and one of a prediction that is not known is
        kept aside.
        """
        raise NotImplementedError

    def retry(self) -> int:
        """Try the labels again that were kept aside, and say how many found their prediction."""
        raise NotImplementedError

    def waiting(self) -> int:
        """How many labels are kept aside."""
        raise NotImplementedError

    # Read for analysis

    def traffic(self, experiment: Experiment, *, until: datetime) -> tuple[ArmTraffic, ...]:
        """What each arm did up to a moment, the champion first."""
        raise NotImplementedError

    def pairs(
        self, experiment: Experiment, *, until: datetime, buckets: int = 200, most: int | None = None
    ) -> tuple[Period, tuple[PairGroup, ...]]:
        """Count labelled, mature pairs of shadow mode, one a unit.

        Args:
            experiment: Which.
            until: The moment of looking: a prediction is mature when it is older than the horizon then.
            buckets: Periods to count in; a pair falls into that in which it became known, which is when it was both
                mature and labelled.
            most: Only so many, those that became known first; of a look that is fixed.
        """
        raise NotImplementedError

    def arms(
        self, experiment: Experiment, *, until: datetime, buckets: int = 200, most: int | None = None
    ) -> tuple[Period, tuple[ArmGroup, ...]]:
        """Count labelled, mature predictions of a split, one a unit; arguments as in ``pairs``."""
        raise NotImplementedError

    def keep(self, snapshot: Snapshot) -> None:
        """Keep what a look showed."""
        raise NotImplementedError

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """Every look at an experiment that was kept, in order of time."""
        raise NotImplementedError
