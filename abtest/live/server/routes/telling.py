"""What a server says of itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from abtest.live.metering.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from starlette.requests import Request

    from abtest.live.experiment import Epoch, Experiment
    from abtest.live.routing import Routing
    from abtest.live.server.process import Process
    from abtest.live.server.watching import Loaded


async def live(_: Request) -> Response:
    """Say that the process answers, whether it has a model or not."""
    return JSONResponse({"status": "live"})


async def health(request: Request) -> Response:
    """Say whether requests may be sent here: once a model is loaded."""
    process: Process = request.app.state.process
    process.watcher.now.ready()
    return JSONResponse({"status": "ready"})


async def model_info(request: Request) -> Response:
    """Say what serves, where it stands in the registry, and which experiment it takes part in."""
    process: Process = request.app.state.process
    serving, routing = process.watcher.now, process.logbook.routing
    champion = serving.ready()
    return JSONResponse(
        {
            **_model(champion),
            "experiment": _experiment(routing, champion),
            "challenger": _model(serving.challenger) if serving.challenger else None,
            "epoch": routing.epoch.number if routing.epoch else None,
            "trouble": serving.trouble,
            "server": process.logbook.server,
        }
    )


async def metrics(request: Request) -> Response:
    """Tell Prometheus what was counted, and how the server stands."""
    process: Process = request.app.state.process
    text = await asyncio.to_thread(process.exposition.text)
    return Response(text, media_type=CONTENT_TYPE)


def _model(loaded: Loaded) -> dict[str, Any]:
    model, version = loaded.model, loaded.pinned.version
    return {
        "name": model.name,
        "version": model.version,
        "stage": version.stage if version else None,
        "aliases": list(version.aliases) if version else [],
        "run_id": model.run_id,
        "uri": loaded.pinned.shown_uri,
        "flavor": model.flavor,
        "signature": model.signature,
        "path": model.path,
    }


def _experiment(routing: Routing, champion: Loaded) -> dict[str, Any] | None:
    plan: Experiment | None = routing.experiment
    epoch: Epoch | None = routing.epoch
    if plan is None or epoch is None:
        return None
    return {
        "name": plan.name,
        "mode": plan.mode,
        "state": epoch.state.value,
        "inclusion": epoch.inclusion,
        "challenger_share": plan.challenger_share,
        "champion_version": plan.champion_version,
        "challenger_version": plan.challenger_version,
        "stale": routing.is_stale(champion.version),
    }
