"""A service run by Uvicorn, in this process or in several, until it is told to stop."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import socket
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from abtest.errors import BackendError, InvalidInputError
from abtest.lifecycle.registering import find
from abtest.live.metering.meters import shared
from abtest.live.server.app import build
from abtest.live.store import Store
from abtest.loaders.references import pin
from abtest.registry import Reference, RegistryClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.errors import AbtestError
    from abtest.live.server.process import Flag
    from abtest.live.server.service import Service

_BACKLOG = 2048  # connections that wait to be accepted
PATIENCE = 30  # seconds that requests have to be answered when the server is told to stop
_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "abtest": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}


def run(service: Service, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; what was accepted by then is answered.

    Args:
        service: What is served.
        ready: Is told the address once it is bound.

    Raises:
        AbtestError: There is no such model, the store or the registry does not answer, the address is taken, or the
            model does not load.
    """
    service = _checked(service)
    with contextlib.closing(_bound(service.host, service.port)) as listening:
        ready(_address(service.host, listening))
        if service.workers == 1:
            _run_alone(service, listening)
        else:
            _run_workers(service, listening)


def _checked(service: Service) -> Service:
    """Find what is wrong before anything is started, and the model that a run logged."""
    registry = RegistryClient(service.tracking_uri, service.registry_uri)
    if service.run_id is not None:
        uri = find(registry, run_id=service.run_id, model_uri=None).uri
        service = replace(service, reference=Reference(kind="uri", value=uri))
    elif service.model_name is not None:
        pin(registry, service.model_name, "champion", service.reference)
    if service.store is not None:
        Store(service.store).close()
    return service


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidInputError(f"host must be an address of this machine, got {host!r}: {error.strerror}.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            told = f"port {port} of {host} is taken."
            raise InvalidInputError(told, hint="--port names another one, --port 0 any that is free.") from error
        raise InvalidInputError(f"host {host}, port {port} cannot be listened on: {error.strerror}.") from error
    return listening


def _address(host: str, listening: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def _config(service: Service, began: Flag, fail: Callable[[AbtestError], None]) -> uvicorn.Config:
    return uvicorn.Config(
        partial(build, service, began, fail),
        factory=True,
        workers=service.workers,
        lifespan="on",
        log_config=_LOGGING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
    )


def _run_alone(service: Service, listening: socket.socket) -> None:
    failures: list[AbtestError] = []

    def fail(error: AbtestError) -> None:
        failures.append(error)
        server.should_exit = True

    server = uvicorn.Server(_config(service, threading.Event(), fail))
    with contextlib.suppress(KeyboardInterrupt):  # Uvicorn raises the signal again that it has ended upon
        server.run([listening])
    if failures:
        raise failures[0]


def _run_workers(service: Service, listening: socket.socket) -> None:
    began = multiprocessing.get_context("spawn").Event()
    supervisor = Multiprocess(_config(service, began, _cannot_happen), [listening])
    with shared():
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise BackendError("No worker could start; above it says why.")


def _cannot_happen(error: AbtestError) -> None:
    raise error
