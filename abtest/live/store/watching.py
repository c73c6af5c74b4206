"""What monitoring asks of the log: files that are tracked, tallies, the log of servers counted, and acts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError
from abtest.live.store import acting, schema, served, tallied, tracking

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from abtest.labels import Label, Task
    from abtest.live.store.connecting import Database
    from abtest.live.store.served import Group
    from abtest.live.tracked import Act, Batch, TrackedRow
    from abtest.windows import Bucket, Sketched


class Watching:
    """The methods of ``Store`` for monitoring; in a log that was made before it nothing is tracked.

    Args:
        database: Where the log is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = secrets.token_hex(8)  # of the batches that are opened here
        self._tracks = False

    # Files

    def begin_batch(self, batch: Batch) -> bool:
        """Put a batch on record as open; False where a whole one of that name is there already.

        What an open one of that name left is removed first, some rows at a time. Nothing of an open batch is read.

        Raises:
            InvalidInputError: The log was made before monitoring, and opened to be read.
        """
        self._need_tables()
        return tracking.begin(self._database, batch, self._owner)

    def add_rows(self, batch: Batch, rows: Sequence[TrackedRow]) -> None:
        """Write rows of an open batch, in transactions of some thousand rows.

        Raises:
            InvalidInputError: An id of the model is there already, or comes twice; the message names the first.
            RefusedError: Another process has taken the batch over. So may ``end_batch`` and ``end_labels``.
        """
        tracking.add(self._database, batch, self._owner, rows)

    def end_batch(self, batch: Batch, buckets: Sequence[Bucket], sketches: Sequence[Sketched]) -> None:
        """Write the tallies of an open batch and make it whole."""
        with self._database.writing() as connection:
            tracking.end(connection, batch, self._owner, buckets, sketches)

    def append(
        self, batch: Batch, rows: Sequence[TrackedRow], buckets: Sequence[Bucket], sketches: Sequence[Sketched]
    ) -> None:
        """Add rows and tallies to a batch that grows, in one transaction: it is whole at every moment.

        Args:
            batch: Its name is nobody else's; ``n`` is of these rows.
            rows: Those that are remembered.
            buckets: Theirs, added to those of the batch.
            sketches: Likewise.

        Raises:
            InvalidInputError: As ``add_rows``; then nothing is added.
        """
        self._need_tables()
        tracking.append(self._database, batch, self._owner, rows, buckets=buckets, sketches=sketches)

    def drop_batch(self, batch: Batch) -> None:
        """Remove an open batch, some rows at a time."""
        if self._is_tracking():
            tracking.drop(self._database, batch, self._owner)

    def end_labels(self, batch: Batch, labels: Mapping[str, Label], buckets: Sequence[Bucket]) -> bool:
        """Set the labels of rows that wait, by their ids, add the tallies, and make the batch of labels whole.

        Returns:
            False, and nothing changed, where one of these rows has got a label since it was read.
        """
        try:
            with self._database.writing() as connection:
                tracking.end(connection, batch, self._owner, buckets, ())
                tracking.label(connection, batch.model_name, labels)
        except tracking.ChangedError:
            return False
        return True

    def batches(self, model_name: str) -> tuple[Batch, ...]:
        """Files that are tracked, the latest first."""
        if not self._is_tracking():
            return ()
        with self._database.reading() as connection:
            return tracking.whole(connection, model_name)

    def rows_of(self, model_name: str, ids: Sequence[str]) -> dict[str, TrackedRow]:
        """Tracked rows by their ids, those that are there."""
        if not self._is_tracking():
            return {}
        with self._database.reading() as connection:
            return tracking.rows_of(connection, model_name, ids)

    def waiting_rows(self, model_name: str) -> int:
        """How many tracked rows have no label."""
        if not self._is_tracking():
            return 0
        with self._database.reading() as connection:
            return tracking.waiting(connection, model_name)

    # Tallies

    def buckets(self, model_name: str, start: datetime, end: datetime) -> tuple[Bucket, ...]:
        """Hours that begin in a period, by time and version, added up over files and the log of servers.

        Raises:
            LabelMismatchError: What was told of an hour has labels of several types.
        """
        if not self._is_tracking():
            return ()
        with self._database.reading() as connection:
            return tallied.buckets(connection, model_name, start, end)

    def sketches(self, model_name: str, start: datetime, end: datetime) -> tuple[Sketched, ...]:
        """Days that begin in a period, likewise."""
        if not self._is_tracking():
            return ()
        with self._database.reading() as connection:
            return tallied.features(connection, model_name, start, end)

    def first_tracked(self, model_name: str) -> datetime | None:
        """The begin of the first hour with a prediction; None where nothing is tracked."""
        return self._ends(model_name)[0]

    def last_tracked(self, model_name: str) -> datetime | None:
        """The begin of the last hour with a prediction; None where nothing is tracked."""
        return self._ends(model_name)[1]

    def models_tracked(self) -> tuple[str, ...]:
        """Models of which something is tracked."""
        if not self._is_tracking():
            return ()
        with self._database.reading() as connection:
            return tallied.models(connection)

    # The log of servers

    def live_mark(self, model_name: str) -> float | None:
        """Up to when the log of servers was counted, in seconds since 1970; None where it never was."""
        mark = self._mark(model_name)
        return None if mark is None else mark[0]

    def live_task(self, model_name: str) -> Task | None:
        """As what it was counted."""
        mark = self._mark(model_name)
        return None if mark is None else mark[1]

    def put_live(
        self,
        model_name: str,
        buckets: Sequence[Bucket],
        sketches: Sequence[Sketched],
        *,
        hours: Sequence[datetime],
        mark: float,
        task: Task = "classification",
    ) -> None:
        """Replace these hours of the log of servers, and the days of the sketches; remember up to when it was counted.

        Where another process has counted up to a later moment, nothing changes.
        """
        self._need_tables()
        with self._database.writing(f"live {model_name}") as connection:
            tallied.put(connection, model_name, buckets, sketches, hours=hours, mark=(mark, task))

    def served_hours(self, model_name: str, *, rows_since: float, labels_since: float) -> tuple[dict[int, bool], bool]:
        """Hours of the log of servers in which something is new, in seconds since 1970.

        Args:
            model_name: Whose served predictions.
            rows_since: Compare the number of rows in hours since then with how many were counted.
            labels_since: Look for labels received since then.

        Returns:
            By hour, whether there are new rows, and not labels alone; and whether numbers with fractions are among the
            predictions or the labels of these hours.
        """
        self._need_tables()
        with self._database.reading() as connection:
            counted = tallied.counted(connection, model_name, rows_since)
            return served.changed(connection, model_name, counted, rows_since=rows_since, labels_since=labels_since)

    def served_groups(self, model_name: str, hours: Collection[int]) -> tuple[Group, ...]:
        """Count served predictions of some hours that are alike, by hour."""
        with self._database.reading() as connection:
            return served.groups(connection, model_name, hours)

    def served_features(self, model_name: str, start: int, end: int) -> tuple[tuple[int | None, str], ...]:
        """Versions and features, as JSON text, of predictions served in a period, where they were kept."""
        with self._database.reading() as connection:
            return served.features(connection, model_name, start, end)

    # Acts

    def claim(self, act: Act, every: float) -> Act | None:
        """Put an act on record as begun: of many processes one gets it.

        Args:
            act: What is to be done.
            every: None where one of its kind that is begun or done is younger than so many seconds.
        """
        self._need_tables()
        with self._database.writing(acting.LOCK) as connection:
            return acting.claim(self._database, connection, act, every)

    def settle(self, act: Act) -> None:
        """Put on record how an act ended; it is found by its model, kind and moment."""
        self._need_tables()
        with self._database.writing(acting.LOCK) as connection:
            acting.settle(self._database, connection, act)

    def acts(self, model_name: str) -> tuple[Act, ...]:
        """What was done about a model, the latest first."""
        if not self._is_tracking():
            return ()
        with self._database.reading() as connection:
            return acting.told(connection, model_name)

    def _is_tracking(self) -> bool:
        """Whether the tables of monitoring are there, which others may make at any time."""
        if not self._tracks:
            with self._database.reading() as connection:
                self._tracks = schema.tracks(connection)
        return self._tracks

    def _need_tables(self) -> None:
        if not self._is_tracking():
            raise InvalidInputError(
                f"The log in {self._database} was made before monitoring.", hint="'abtest monitor track' adds to it."
            )

    def _ends(self, model_name: str) -> tuple[datetime | None, datetime | None]:
        if not self._is_tracking():
            return None, None
        with self._database.reading() as connection:
            return tallied.ends(connection, model_name)

    def _mark(self, model_name: str) -> tuple[float, Task] | None:
        if not self._is_tracking():
            return None
        with self._database.reading() as connection:
            return tallied.read_mark(connection, model_name)
