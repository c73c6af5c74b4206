"""What one server process counts while it answers: a few additions a request, never of a unit or a prediction's id.

Several workers of one server count together, in files of a folder that they share: whichever of them is asked tells of
all. Prometheus' client does that where ``PROMETHEUS_MULTIPROC_DIR`` names the folder when it is first imported.
"""

from __future__ import annotations

from collections import Counter as Tally
from contextlib import contextmanager
from os import environ
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import prometheus_client as prometheus

from abtest.live.log import NEVER_SCORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abtest.labels import Side
    from abtest.live.log import Logged, Receipt

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAGS = (1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 1_209_600.0, 2_592_000.0)
_MODEL = ("model", "version", "arm")
_TOLD = {True: "true", False: "false"}

Add: TypeAlias = "Callable[[float], None]"
_Kind: TypeAlias = "tuple[int | None, Side, bool, str | None]"


class Meters:
    """Counts what one process answers, and what it is told.

    Args:
        model_name: The registered model; empty of a model outside the registry.

    Attributes:
        registry: Where the meters are read.
    """

    def __init__(self, model_name: str) -> None:
        # When a series began is a line more each, that nobody asks for.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call] # it has no types
        self.registry = prometheus.CollectorRegistry()
        self._model = model_name
        self._requests = self._counter("abtest_requests", "Requests answered.", "route", "status")
        self._request_seconds = self._histogram(
            "abtest_request_duration_seconds", "Seconds from a request to the end of its answer.", SECONDS, "route"
        )
        self._predictions = self._counter("abtest_predictions", "Rows predicted.", *_MODEL, "served")
        self._failures = self._counter(
            "abtest_prediction_failures", "Rows without a prediction, by what went wrong.", *_MODEL, "kind"
        )
        self._prediction_seconds = self._histogram(
            "abtest_prediction_duration_seconds", "Seconds that a model took for a row: once a request.", SECONDS, "arm"
        )
        self._labels = self._counter("abtest_labels", "Labels told, by what happened to them.", "received")
        self._lag = self._histogram("abtest_label_lag_seconds", "Seconds from a prediction to its first label.", LAGS)

        self._rollbacks = self._counter("abtest_rollbacks", "Rollbacks that this server saw.")
        # Meters by what they are of: to look them up by their labels takes longer than to add.
        self._of_request: dict[tuple[str, str], tuple[Callable[[], None], Add]] = {}
        self._of_kind: dict[_Kind, tuple[Add, Add | None]] = {}

    def request(self, route: str, status: str, seconds: float) -> None:
        """Count a request."""
        found = self._of_request.get((route, status))
        if found is None:
            found = self._requests.labels(route, status).inc, self._request_seconds.labels(route).observe
            self._of_request[route, status] = found
        count, observe = found
        count()
        observe(seconds)

    def rows(self, rows: Sequence[Logged]) -> None:
        """Count the rows of a request, or those that a shadow predicted."""
        if len(rows) == 1:  # as most have
            row = rows[0]
            self._count((row.model_version, row.arm, row.served, row.error), 1, row.seconds)
            return
        alike = Tally([(row.model_version, row.arm, row.served, row.error, row.seconds) for row in rows])
        for (*kind, seconds), n in alike.items():
            self._count(tuple(kind), n, seconds)  # type: ignore[arg-type] # the same four

    def _count(self, kind: _Kind, n: int, seconds: float) -> None:
        found = self._of_kind.get(kind)
        if found is None:
            found = self._of_kind[kind] = self._made(kind)
        count, observe = found
        count(n)
        if observe is not None:
            observe(seconds)

    def _made(self, kind: _Kind) -> tuple[Add, Add | None]:
        """Find the meters of rows of a kind."""
        number, arm, served, error = kind
        model = (self._model, "" if number is None else str(number), arm)
        counter = self._failures.labels(*model, error) if error else self._predictions.labels(*model, _TOLD[served])
        return counter.inc, None if error in NEVER_SCORED else self._prediction_seconds.labels(arm).observe

    def labels(self, receipts: Sequence[Receipt]) -> None:
        """Count labels."""
        for receipt in receipts:
            self._labels.labels(receipt.received.value).inc()
            if receipt.lag is not None:
                self._lag.observe(max(receipt.lag, 0.0))

    def rolled_back(self) -> None:
        """Count a rollback."""
        self._rollbacks.inc()

    def _counter(self, name: str, text: str, *labels: str) -> prometheus.Counter:
        return prometheus.Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> prometheus.Histogram:
        return prometheus.Histogram(name, text, labels, buckets=buckets, registry=self.registry)


@contextmanager
def shared() -> Iterator[None]:
    """Let processes that are started meanwhile count together, in a folder that goes when they have."""
    before = environ.get(FOLDER)
    with TemporaryDirectory(prefix="abtest-meters-") as folder:
        environ[FOLDER] = folder
        try:
            yield
        finally:
            del environ[FOLDER]
            if before is not None:
                environ[FOLDER] = before
