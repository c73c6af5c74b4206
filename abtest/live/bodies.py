"""Bodies of requests, as far as they are sent: of a known type, whole, and no larger than they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.live.replies import RefusedRequestError

if TYPE_CHECKING:
    from starlette.requests import Request

_CLOSE = {"Connection": "close"}  # the rest of the body is not waited for
JSON = "application/json"
CSV = "text/csv"


async def read(request: Request, *, most: int, types: tuple[str, ...] = (JSON,)) -> tuple[str, bytes]:
    """Read a body, and say of which type it is.

    Args:
        request: Whose.
        most: Bytes that it may have.
        types: That it may be of.

    Raises:
        RefusedRequestError: It is of another type, encoded, too large, or was cut off.
    """
    kind = _kind(request, types)
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return kind, bytes(body)


def _kind(request: Request, types: tuple[str, ...]) -> str:
    given = request.headers.get("content-type", "")
    kind, _, parameters = given.partition(";")
    kind = kind.strip().lower()
    if kind not in types:
        what = f"got {given!r}" if given else "got none"
        raise RefusedRequestError(415, f"Content-Type must be {' or '.join(types)}, {what}.")
    charset = parameters.lower().replace(" ", "").replace('"', "")
    if charset and charset != "charset=utf-8":
        raise RefusedRequestError(415, f"Content-Type must be in UTF-8, got {given!r}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedRequestError(
            415, f"Content-Encoding {request.headers['content-encoding']!r} is not read.", hint="send it uncompressed."
        )
    return kind


def _too_large(most: int) -> RefusedRequestError:
    return RefusedRequestError(
        413, f"The body must have at most {most:,} bytes.", hint="send fewer rows at a time.", headers=_CLOSE
    )
