"""What a server process writes down and goes by: its store, the writer to it, and the experiment that goes on."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import BackendError
from abtest.live.routing import Router, Routing
from abtest.live.units import UnitHasher
from abtest.live.writing.writer import Sequence, Writer

if TYPE_CHECKING:
    from collections.abc import Sequence as Rows

    from abtest.live.log import Feedback, Logged, Receipt
    from abtest.live.metering.meters import Meters
    from abtest.live.store import Store

_NONE = Routing()
_logger = logging.getLogger(__name__)


class Logbook:
    """The log of one server process; without a store it only numbers predictions.

    Args:
        store: Where to write; None for nowhere.
        model_name: The registered model whose experiments are followed; None of a model outside the registry.
        meters: What counts what is written.

    Attributes:
        server: The process's name.
        sequence: Numbers its predictions.
        writer: What writes; None without a store.
        router: What reads which experiment goes on; None without a store.
    """

    def __init__(self, store: Store | None, model_name: str | None, meters: Meters) -> None:
        self._store = store
        self._meters = meters
        self.writer = Writer(store, model_name=model_name) if store is not None else None
        self.router = Router(store, model_name) if store is not None and model_name is not None else None
        self.server = self.writer.server if self.writer else secrets.token_hex(8)
        self.sequence = self.writer.sequence if self.writer else Sequence()
        self._hashed = UnitHasher(store.unit_key()) if store is not None else None

    @property
    def routing(self) -> Routing:
        """Which requests take part in what, now."""
        return self.router.routing if self.router else _NONE

    def hashed(self, unit: str | None) -> str | None:
        """A unit as the log keeps it."""
        return None if unit is None or self._hashed is None else self._hashed(unit)

    def log(self, rows: Rows[Logged]) -> None:
        """Write rows soon."""
        self._meters.rows(rows)
        if self.writer is not None:
            self.writer.log(rows)

    async def commit(self, rows: Rows[Logged]) -> None:
        """Write rows before this returns.

        Raises:
            BackendError: The database does not take them in time.
        """
        if self.writer is not None:
            await asyncio.wrap_future(self.writer.durable(rows))
        self._meters.rows(rows)

    async def record(self, labels: Rows[Feedback]) -> tuple[Receipt, ...]:
        """Record labels; when it returns, they are committed.

        Raises:
            BackendError: The database does not take them in time, or there is none.
        """
        if self.writer is None:
            raise BackendError("This server keeps no log, so it takes no labels.", hint="start it with --store URL.")
        receipts = await asyncio.wrap_future(self.writer.feedback(labels))
        self._meters.labels(receipts)
        return receipts

    def close(self) -> None:
        """Write what is still to be written, tell the log that this process ended in order, and close it."""
        if self.router is not None:
            self.router.close()
        if self.writer is not None:
            counters = self.writer.close()
            if missing := counters.lost + counters.queued:
                rows = wording.plural(missing, "row")
                _logger.warning("Not in the log: %s, which the database did not take in time.", rows)
        if self._store is not None:
            self._store.close()
