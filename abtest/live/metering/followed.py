"""What others count for themselves, followed now and then: the log's writer, the shadow, the looks that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from abtest.live.server.process import Process
    from abtest.live.shadow.shadow import Shadow
    from abtest.live.writing.writer import Writer

_DROPPED = ("full", "late", "down", "closed")


class Followed:
    """Meters that take up what was counted elsewhere.

    Args:
        registry: Where they are read.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def rising(name: str, text: str) -> Rising:
            return Rising(Counter(name, text, registry=registry))

        def standing(name: str, text: str) -> Gauge:
            return Gauge(name, text, registry=registry, multiprocess_mode="livesum")

        self._written = rising("abtest_log_rows_written", "Rows that are in the log.")
        self._lost = rising("abtest_log_rows_lost", "Rows that are not, and will not be: the queue was full.")
        self._log_failures = rising("abtest_log_failures", "How often the log's database failed.")
        self._queued = standing("abtest_log_rows_queued", "Rows that are still to be written.")
        self._registry_failures = rising("abtest_registry_failures", "Looks at the registry that failed.")
        self._judging_failures = rising("abtest_judging_failures", "Looks at an experiment that failed.")
        self._offered = rising("abtest_shadow_rows_offered", "Rows handed to the challenger in shadow mode.")
        self._scored = rising("abtest_shadow_rows_scored", "Of them, those with a prediction.")
        self._failed = rising("abtest_shadow_rows_failed", "Of them, those that the challenger failed.")
        dropped = Counter(
            "abtest_shadow_rows_dropped", "Of them, those that it never got to score.", ("reason",), registry=registry
        )
        self._dropped = {reason: Rising(dropped.labels(reason)) for reason in _DROPPED}
        self._restarts = rising("abtest_shadow_restarts", "How often the challenger's process was started again.")
        self._waiting = standing("abtest_shadow_rows_waiting", "Rows in the shadow's queue, or with the challenger.")
        self._resident = standing("abtest_shadow_resident_memory_bytes", "Memory of the challenger's process.")

    def follow(self, process: Process) -> None:
        """Take up what was counted since; one at a time."""
        watcher, judge = process.watcher, process.judge
        self._registry_failures.follow(watcher, watcher.failures)
        if judge is not None:
            self._judging_failures.follow(judge, judge.failures)
        if process.logbook.writer is not None:
            self._follow_writer(process.logbook.writer)
        self._follow_shadow(watcher.now.shadow.shadow if watcher.now.shadow else None)

    def _follow_writer(self, writer: Writer) -> None:
        counters = writer.counters
        self._written.follow(writer, counters.written)
        self._lost.follow(writer, counters.lost)
        self._log_failures.follow(writer, counters.failures)
        self._queued.set(counters.queued)

    def _follow_shadow(self, shadow: Shadow | None) -> None:
        if shadow is None:
            self._waiting.set(0)
            self._resident.set(0)
            return
        state = shadow.state()
        self._offered.follow(shadow, state.offered)
        self._scored.follow(shadow, state.scored)
        self._failed.follow(shadow, state.failed)
        for reason, rising in self._dropped.items():
            rising.follow(shadow, getattr(state, reason))
        self._restarts.follow(shadow, state.restarts)
        self._waiting.set(state.waiting)
        self._resident.set(state.resident)


class Rising:
    """Follows a total that starts at 0 where what counts it is another one than before."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._of: object = None
        self._last = 0

    def follow(self, of: object, total: int) -> None:
        """Take up a total."""
        if of is not self._of:
            self._of, self._last = of, 0
        if total > self._last:
            self._counter.inc(total - self._last)
            self._last = total
