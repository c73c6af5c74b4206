"""Labels are sent, and answered once they are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from abtest.errors import InvalidInputError
from abtest.live.log import Feedback, Receipt, Received
from abtest.live.server import bodies
from abtest.live.serving import wire

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from abtest.live.server.process import Process

_STATUS = {
    Received.RECORDED: 201,
    Received.UNCHANGED: 200,
    Received.CORRECTED: 200,
    Received.WAITING: 202,
    Received.REFUSED: 422,
}
_MANY = 207


async def feedback(request: Request) -> Response:
    """Record one label, or many: each is answered for by itself."""
    process: Process = request.app.state.process
    body = await bodies.read_json(request, most=process.service.max_body)
    read = wire.feedback(body, most=process.service.max_rows)
    labels = [label for label in read if isinstance(label, Feedback)]
    receipts = iter(await process.logbook.record(labels))
    told = [next(receipts) if isinstance(label, Feedback) else label for label in read]
    if isinstance(body, list) or "feedback" in body:
        return JSONResponse({"results": [_told(receipt) for receipt in told]}, _MANY)
    (receipt,) = told
    if receipt.received is Received.REFUSED:
        raise InvalidInputError(str(receipt.why))
    return JSONResponse(_told(receipt), _STATUS[receipt.received])


def _told(receipt: Receipt) -> dict[str, Any]:
    return {
        "prediction_id": receipt.prediction_id,
        "received": receipt.received.value,
        "status": _STATUS[receipt.received],
        "error": receipt.why,
    }
