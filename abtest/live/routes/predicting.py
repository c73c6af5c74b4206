"""Rows are sent, predictions come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.live import bodies, replies, wire

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from abtest.live.process import Process


async def predict(request: Request) -> Response:
    """Predict one row."""
    process: Process = request.app.state.process
    body = await bodies.read_json(request, most=process.service.max_body)
    asked = wire.single(body, process.watcher.now.ready().model.columns)
    (answer,) = await process.answerer.answer(asked.rows, asked.units)
    return replies.one(answer)


async def predict_batch(request: Request) -> Response:
    """Predict many rows."""
    process: Process = request.app.state.process
    body = await bodies.read_json(request, most=process.service.max_body)
    asked = wire.batch(body, process.watcher.now.ready().model.columns, most=process.service.max_rows)
    return replies.many(await process.answerer.answer(asked.rows, asked.units))
