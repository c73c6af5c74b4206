"""GET /metrics: what a server counted, and how it stands, as Prometheus reads it.

What requests cost is counted by ``meters`` as they come; everything here is read when Prometheus asks.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import prometheus_client as prometheus
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from abtest.live.metering.followed import Followed
from abtest.live.metering.judged import told
from abtest.live.metering.meters import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from abtest.live.server.process import Process

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_EVERY = 1.0  # seconds after which the other workers know what this one has done


class Exposition:
    """Tells Prometheus of a process; with several workers, of what all of them counted.

    Args:
        process: Of what.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._folder = os.environ.get(FOLDER)
        self._registry = process.meters.registry
        self._followed = Followed(self._registry)
        if self._folder is not None:
            self._registry = prometheus.CollectorRegistry()
            MultiProcessCollector(self._registry, self._folder)  # type: ignore[no-untyped-call] # it has no types
        self._registry.register(_State(process))
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="abtest-exposition", daemon=True)
        if self._folder is not None:
            self._thread.start()

    def text(self) -> bytes:
        """Say how it stands now."""
        self._follow()
        if self._folder is not None:
            _forget_dead(Path(self._folder))
        return prometheus.generate_latest(self._registry)

    def close(self) -> None:
        """Tell what was counted to the end, and nothing more of how this process stands."""
        self._ended.set()
        if self._folder is not None:
            self._thread.join()
            self._follow()
            mark_process_dead(os.getpid(), self._folder)  # type: ignore[no-untyped-call] # it has no types

    def _follow(self) -> None:
        """Add what was counted elsewhere since."""
        with self._lock:
            self._followed.follow(self._process)

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            self._follow()


def _forget_dead(folder: Path) -> None:
    """Forget how processes stood that were killed; what they counted stays."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with contextlib.suppress(FileNotFoundError):  # another worker was asked at the same time
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call] # it has no types
        except PermissionError:
            continue


class _State:
    """How the process that is asked stands; the others stand alike, give or take a few seconds."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        """Say how it stands now."""
        process = self._process
        serving, logbook = process.watcher.now, process.logbook
        yield _info(
            "abtest_build_info", "This server's versions.",
            version=metadata.version("mlflow-abtest"), python=platform.python_version(),
        )  # fmt: skip
        yield _flag("abtest_ready", "Whether a model is loaded.", serving.champion is not None)
        yield self._models()
        yield _flag("abtest_registry_up", "Whether the registry answered last.", process.watcher.answered)
        yield _flag(
            "abtest_serving_as_registered", "Whether what serves is what the registry, and the experiment, say.",
            serving.trouble is None,
        )  # fmt: skip
        if logbook.writer is not None:
            up = logbook.writer.error is None and (logbook.router is None or logbook.router.error is None)
            yield _flag("abtest_store_up", "Whether the log's database answered last.", up)
        version = serving.champion.version if serving.champion else None
        yield from told(logbook.routing, version, process.judge)

    def _models(self) -> Metric:
        family = GaugeMetricFamily(
            "abtest_model_info", "What is loaded, and for which arm.", labels=("model", "version", "arm")
        )
        serving, name = self._process.watcher.now, self._process.service.model_name or ""
        experiment = self._process.logbook.routing.experiment
        found = {}
        if serving.champion is not None:
            found["champion"] = serving.champion.version
        if serving.challenger is not None:
            found["challenger"] = serving.challenger.version
        elif experiment is not None and serving.shadow is not None and serving.shadow.shadow.state().pid is not None:
            found["challenger"] = experiment.challenger_version
        for arm, version in found.items():
            family.add_metric((name, "" if version is None else str(version), arm), 1)
        return family


def _info(name: str, text: str, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), 1)
    return family


def _flag(name: str, text: str, holds: object) -> Metric:
    return GaugeMetricFamily(name, text, value=float(bool(holds)))
