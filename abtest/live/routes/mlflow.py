"""As MLflow's own server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

    from abtest.live.process import Process


async def ping(request: Request) -> Response:
    """Say whether a model is loaded, as MLflow does."""
    process: Process = request.app.state.process
    process.watcher.now.ready()
    return Response("\n", media_type="application/json")


async def version(_: Request) -> Response:
    """Say which MLflow this is."""
    from mlflow.version import VERSION

    return Response(VERSION, media_type="application/json")


async def invocations(request: Request) -> Response:
    raise NotImplementedError
