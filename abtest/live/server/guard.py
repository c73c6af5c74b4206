"""Who may ask: a key for everything but health, where the server has keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.errors import NotPermittedError
from abtest.live.server.keys import sent_with
from abtest.live.server.replies import failure

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from abtest.live.server.keys import Keys

OPEN = ("/health", "/health/live", "/ping")  # asked by what has no key: a load balancer, an orchestrator


class Guard:
    """Answers 401 to who has no key; it stands before everything else."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or not."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._keys.accept(key := sent_with(scope["headers"])):
            await self._app(scope, receive, send)
            return
        told = "The API key is none of those that this server accepts." if key else "This server needs an API key."
        response = failure(NotPermittedError(told, hint="send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."))
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)
