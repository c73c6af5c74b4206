"""The door to the log: every method is one transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from abtest.live.store import counting, experiments, late, predictions, schema
from abtest.live.store.connecting import DEFAULT_URL, Database
from abtest.live.store.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import TracebackType

    from abtest.labels import Label
    from abtest.live.experiment import Epoch, Experiment
    from abtest.live.log import (
        ArmGroup,
        ArmTraffic,
        ArmTries,
        DropGroup,
        Feedback,
        Logged,
        PairGroup,
        Period,
        Receipt,
        Server,
        Snapshot,
    )

_EXPERIMENTS = "experiments"  # the lock of those who start and turn them


class Store(Watching):
    """Experiments, epochs, exposures, predictions, outcomes and snapshots in one database, and what monitoring tracks.

    Every method is one transaction; it may be called from any thread, and from any number of processes and machines.
    A process that forks makes its stores in its children.

    Args:
        url: As SQLAlchemy takes it.
        create: Make the tables where they are missing; else they must be there.

    Raises:
        InvalidInputError: The URL is none, of a database that is not supported, or holds no log.
        NotFoundError: There is no such file.
        BackendError: The database does not answer. So may every method.
    """

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = True) -> None:
        super().__init__(Database(url, create=create))
        try:
            schema.prepare(self._database, create=create)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        """The URL without its password."""
        return str(self._database)

    def close(self) -> None:
        """Close its connections."""
        self._database.close()

    def ping(self) -> None:
        """Find out whether it answers."""
        self.unit_key()

    def unit_key(self) -> bytes:
        """The key that unit ids are hashed with: 32 bytes, made at random with the tables."""
        with self._database.reading() as connection:
            return schema.unit_key(connection)

    # Experiments and epochs

    def start(self, experiment: Experiment, *, inclusion: float, why: str) -> Epoch:
        """Put a plan and its first epoch on record.

        Raises:
            InvalidInputError: There is an experiment of that name, or another of the model goes on.
        """
        with self._database.writing(_EXPERIMENTS) as connection:
            return experiments.start(connection, experiment, inclusion=inclusion, why=why)

    def experiments(self, model_name: str | None = None) -> tuple[tuple[Experiment, Epoch], ...]:
        """Every plan with its last epoch, the latest first; of one model or all."""
        with self._database.reading() as connection:
            return experiments.plans(connection, model_name)

    def experiment(self, name: str) -> Experiment:
        """Read one plan.

        Raises:
            NotFoundError: There is none of that name; the hint has the nearest.
        """
        with self._database.reading() as connection:
            return experiments.plan(connection, name)

    def epochs(self, name: str) -> tuple[Epoch, ...]:
        """Every epoch of an experiment, in order.

        Raises:
            NotFoundError: There is no such experiment.
        """
        with self._database.reading() as connection:
            return experiments.epochs_of(connection, name)

    def turn(self, epoch: Epoch) -> Epoch:
        """Begin an epoch, if it is the next one: compare and set.

        Raises:
            NotFoundError: There is no such experiment.
            StaleChampionError: Another one has begun it first; the message says which.
            RefusedError: The experiment is over.
        """
        with self._database.writing(_EXPERIMENTS) as connection:
            return experiments.turn(connection, epoch)

    def active(self, model_name: str) -> tuple[Experiment, Epoch] | None:
        """The experiment of a model that is not over, if there is one, with its last epoch."""
        with self._database.reading() as connection:
            return experiments.active(connection, model_name)

    # Written by servers

    def write(self, rows: Sequence[Logged]) -> None:
        """Write predictions, and each unit's first exposure; rows that are there already change nothing.

        A request of an experiment is one row in a split, that of the arm it was assigned, failed or not; and in shadow
        mode one of each arm. Labels that wait for the rows find them.
        """
        with self._database.writing() as connection:
            predictions.write(self._database, connection, rows)
            found = late.waits(connection, ((row.server, row.sequence) for row in rows))
            late.find(self._database, connection, found)

    def serve(self, server: str, model_name: str | None) -> None:
        """Put on record which registered model a server serves; None of one outside the registry."""
        with self._database.writing() as connection:
            predictions.serve(self._database, connection, server, model_name)

    def beat(self, server: str, *, assigned: int, lost: int, closed: bool = False) -> None:
        """Put a server's sign of life on record."""
        with self._database.writing() as connection:
            predictions.beat(
                self._database, connection, server, at=time.time(), assigned=assigned, lost=lost, closed=closed
            )

    def servers(self) -> tuple[Server, ...]:
        """Every server, the latest first; ``assigned - logged`` of one that is gone is what was lost with it."""
        with self._database.reading() as connection:
            return predictions.seen(connection)

    # Labels

    def record(
        self, labels: Sequence[Feedback], *, experiment: str | None = None, received_at: float | None = None
    ) -> tuple[Receipt, ...]:
        """Record labels; when it returns, they are committed.

        A label is known by what it says and when it was observed: the same one again changes nothing, another one is
        appended, and one of a prediction that is not known is kept aside.

        Args:
            labels: What came, in order.
            experiment: Refuse labels of predictions of another one; what is not known yet waits all the same.
            received_at: When, in seconds since 1970; now when None.
        """
        now = time.time() if received_at is None else received_at
        with self._database.writing(late.LOCK) as connection:
            return late.record(self._database, connection, labels, experiment=experiment, received_at=now)

    def retry(self) -> int:
        """Try the labels again that were kept aside, and say how many found their prediction."""
        with self._database.writing(late.LOCK) as connection:
            return late.retry(self._database, connection)

    def waiting(self) -> int:
        """How many labels are kept aside."""
        with self._database.reading() as connection:
            return late.waiting_now(connection)

    # Read for analysis

    def traffic(self, experiment: Experiment, *, until: datetime) -> tuple[ArmTraffic, ...]:
        """What each arm did up to a moment, the champion first."""
        with self._database.reading() as connection:
            return counting.traffic(connection, experiment, until=until)

    def tries(self, experiment: Experiment, *, until: datetime) -> tuple[ArmTries, ...]:
        """How the first answers to units went, failed or not and how long, the champion first."""
        with self._database.reading() as connection:
            return counting.tries(connection, experiment, until=until)

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
        with self._database.reading() as connection:
            return counting.pairs(connection, experiment, until=until, buckets=buckets, most=most)

    def arms(
        self, experiment: Experiment, *, until: datetime, buckets: int = 200, most: int | None = None
    ) -> tuple[Period, tuple[ArmGroup, ...]]:
        """Count labelled, mature predictions of a split, one a unit; arguments as in ``pairs``."""
        with self._database.reading() as connection:
            return counting.arms(connection, experiment, until=until, buckets=buckets, most=most)

    def drops(self, experiment: Experiment, *, until: datetime) -> tuple[DropGroup, ...]:
        """Count labelled, mature units of shadow mode, one row a unit, by whether there is a pair of them."""
        with self._database.reading() as connection:
            return counting.drops(connection, experiment, until=until)

    def known_labels(self, name: str) -> tuple[Label, ...]:
        """What the models have predicted in an experiment, each label once."""
        with self._database.reading() as connection:
            return counting.known_labels(connection, name)

    def keep(self, snapshot: Snapshot) -> None:
        """Keep what a look showed."""
        with self._database.writing() as connection:
            experiments.keep(self._database, connection, snapshot)

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """Every look at an experiment that was kept, in order of time."""
        with self._database.reading() as connection:
            return experiments.looks(connection, name)
