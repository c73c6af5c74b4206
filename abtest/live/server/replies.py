"""What is sent back: JSON made by hand where it is made often, and every error as one sentence with a hint."""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from abtest.errors import AbtestError, BackendError, InvalidInputError, NotPermittedError
from abtest.live.serving.wire import MediaTypeError, TooManyRowsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from abtest.live.server.answering import Answer

_JSON = "application/json"
_STATUS: tuple[tuple[type[AbtestError], int], ...] = (
    (NotPermittedError, 401),
    (MediaTypeError, 415),
    (TooManyRowsError, 413),
    (InvalidInputError, 422),
    (BackendError, 503),
)


class RefusedRequestError(InvalidInputError):
    """A request that cannot be read, whatever the model.

    Attributes:
        status: HTTP's number for it.
        headers: What is sent with the answer.
    """

    def __init__(
        self, status: int, message: str, *, hint: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.headers = headers


def failure(error: AbtestError) -> JSONResponse:
    """Tell an error: what it is, what to do, and where it is."""
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    headers = getattr(error, "headers", None)
    if status == 503:
        headers = {"Retry-After": "1"}
    return JSONResponse(
        _told(error.message, error.hint, getattr(error, "field", None), getattr(error, "row", None)),
        getattr(error, "status", status),
        headers,
    )


async def on_error(_: Request, error: Exception) -> Response:
    """Answer for an error of ours."""
    assert isinstance(error, AbtestError)  # noqa: S101 - what it is registered for
    return failure(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer for a path, or a method, that is not there."""
    status = getattr(error, "status_code", 500)
    told = {
        404: (f"There is no {request.url.path} here.", "GET /openapi.json tells what there is."),
        405: (f"{request.url.path} is not asked by {request.method}.", "GET /openapi.json tells how."),
    }.get(status, (str(getattr(error, "detail", error)), None))
    return JSONResponse(_told(*told), status, getattr(error, "headers", None))


async def on_disconnect(_: Request, __: Exception) -> Response:
    """Answer for a request that was cut off; nobody hears it."""
    return JSONResponse(_told("The request was cut off.", None), 400)


async def on_bug(_: Request, __: Exception) -> Response:
    """Answer for an error that nobody foresaw: told without its traceback, which the server logs."""
    return JSONResponse(_told("The server failed unexpectedly.", "its log says where; please report it."), 500)


def _told(message: str, hint: str | None, field: str | None = None, row: int | None = None) -> dict[str, Any]:
    return {"error": message, "hint": hint, "field": field, "row": row}


def one(answer: Answer) -> Response:
    """Tell a prediction."""
    return Response(_entry(answer), media_type=_JSON)


def many(answers: Sequence[Answer]) -> Response:
    """Tell the predictions of a batch."""
    return Response(f'{{"predictions":[{",".join(map(_entry, answers))}]}}', media_type=_JSON)


def _entry(answer: Answer) -> str:
    version = "null" if answer.model_version is None else answer.model_version
    epoch = "null" if answer.epoch is None else answer.epoch
    return (
        f'{{"prediction":{dumps(answer.label, allow_nan=False)},"prediction_id":"{answer.prediction_id}",'
        f'"model_version":{version},"arm":"{answer.arm}","epoch":{epoch},'
        f'"sticky":{"true" if answer.sticky else "false"}}}'
    )
