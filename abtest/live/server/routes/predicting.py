"""Rows are sent, predictions come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.live.server import bodies, replies
from abtest.live.server.answering import Question
from abtest.live.serving import wire

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from abtest.live.server.process import Process


async def predict(request: Request) -> Response:
    """Predict one row."""
    process: Process = request.app.state.process
    serving, service = process.watcher.now, process.service
    columns = serving.ready().model.columns
    asked = wire.single(await bodies.read_json(request, most=service.max_body), columns)
    (answer,) = await process.answerer.answer(serving, Question(rows=asked.rows, units=asked.units))
    return replies.one(answer)


async def predict_batch(request: Request) -> Response:
    """Predict many rows."""
    process: Process = request.app.state.process
    serving, service = process.watcher.now, process.service
    columns = serving.ready().model.columns
    asked = wire.batch(await bodies.read_json(request, most=service.max_body), columns, most=service.max_rows)
    return replies.many(await process.answerer.answer(serving, Question(rows=asked.rows, units=asked.units)))
