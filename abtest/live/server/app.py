"""The application: what is asked where, who may ask, and how it starts and ends."""

from __future__ import annotations

import asyncio
import logging
from importlib import metadata
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from abtest.errors import AbtestError
from abtest.live.metering.metered import Metered
from abtest.live.server import replies
from abtest.live.server.guard import Guard
from abtest.live.server.openapi import document
from abtest.live.server.process import Process
from abtest.live.server.routes import labelling, mlflow, predicting, telling

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from abtest.live.server.process import Flag
    from abtest.live.server.service import Service
    from abtest.live.serving.served import Served

_logger = logging.getLogger(__name__)
ROUTES = (
    ("POST", "/predict", predicting.predict),
    ("POST", "/predict/batch", predicting.predict_batch),
    ("POST", "/feedback", labelling.feedback),
    ("GET", "/health", telling.health),
    ("GET", "/health/live", telling.live),
    ("GET", "/model/info", telling.model_info),
    ("GET", "/metrics", telling.metrics),
    ("GET", "/ping", mlflow.ping),
    ("GET", "/version", mlflow.version),
    ("POST", "/invocations", mlflow.invoke),
)


def build(service: Service, began: Flag, fail: Callable[[AbtestError], None]) -> ASGIApp:
    """Make the application of one process.

    Args:
        service: What it serves.
        began: See ``Process``.
        fail: Is told, where the service is of one process, that its model does not load.
    """
    version = metadata.version("mlflow-abtest")
    # No page for browsers: FastAPI's load scripts of other sites, which could then ask, and label, as this one's.
    app = FastAPI(title="abtest serve", version=version, docs_url=None, redoc_url=None)
    for method, path, handler in ROUTES:
        app.add_route(path, handler, methods=[method])
    app.openapi = lambda: document(service, _served(app), version=version)  # type: ignore[method-assign] # as FastAPI says
    app.add_exception_handler(AbtestError, replies.on_error)
    app.add_exception_handler(HTTPException, replies.on_http_error)
    app.add_exception_handler(ClientDisconnect, replies.on_disconnect)
    app.add_exception_handler(Exception, replies.on_bug)
    guarded = Guard(app, service.keys) if service.keys else app
    return Life(Metered(guarded, app, {path for _, path, _ in ROUTES}), app, service, began, fail)


def _served(app: FastAPI) -> Served | None:
    process: Process = app.state.process
    champion = process.watcher.now.champion
    return champion.model if champion else None


class Life:
    """Starts a process when its server starts, and closes it when that has answered all it accepted."""

    def __init__(
        self, asked: ASGIApp, app: FastAPI, service: Service, began: Flag, fail: Callable[[AbtestError], None]
    ) -> None:
        self._asked = asked
        self._app = app
        self._service = service
        self._began = began
        self._fail = fail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; live through the server's life."""
        if scope["type"] != "lifespan":
            await self._asked(scope, receive, send)
            return
        await receive()  # that it starts
        try:
            process = await asyncio.to_thread(Process, self._service, self._began)
            self._app.state.process = process
            loading = asyncio.create_task(self._load(process))
            if self._service.workers > 1:  # others answer meanwhile: what this one accepts, it can answer
                await loading
        except AbtestError as error:
            _logger.error("%s", error)  # noqa: TRY400 - a sentence of ours needs no traceback
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # that it has ended
        await asyncio.to_thread(process.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _load(self, process: Process) -> None:
        try:
            await asyncio.to_thread(process.load)
        except AbtestError as error:
            if self._service.workers > 1:
                raise
            self._fail(error)
