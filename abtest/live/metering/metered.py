"""Requests counted and timed, by their paths as far as these are ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OTHER = "other"  # a path that is none of ours: whoever asks may not make a series of it


class Metered:
    """Counts and times requests; it stands before everything else, so that who may not ask is counted too.

    Args:
        asked: What answers.
        app: Whose state has the process, which has the meters.
        routes: Paths that are told apart.
    """

    def __init__(self, asked: ASGIApp, app: Starlette, routes: Collection[str]) -> None:
        self._asked = asked
        self._app = app
        self._routes = frozenset(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        began, status = time.perf_counter(), "500"

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._asked(scope, receive, sent)
        finally:
            route = scope["path"] if scope["path"] in self._routes else OTHER
            self._app.state.process.meters.request(route, status, time.perf_counter() - began)
