"""Bodies of requests, read whole, and no larger than they may be."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from abtest.errors import InvalidInputError
from abtest.live.server.replies import RefusedRequestError
from abtest.live.serving import wire
from abtest.live.serving.fields import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request


async def read(request: Request, *, most: int) -> bytes:
    """Read a body.

    Args:
        request: Whose.
        most: Bytes that it may have.

    Raises:
        RefusedRequestError: It is encoded, or too large.
    """
    headers = request.headers
    encoding = headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise RefusedRequestError(415, f"Content-Encoding {encoding!r} is not read.", hint="send it as it is.")
    told = headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


async def read_json(request: Request, *, most: int) -> Any:  # noqa: ANN401 - as JSON has it
    """Read a body of JSON; arguments as of ``read``.

    Raises:
        RefusedRequestError: It is no JSON, or as of ``read``.
        MediaTypeError: It is said to be something else.
    """
    body = await read(request, most=most)
    with understood():
        return wire.read_json(body, request.headers.get("content-type"))


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Tell what is wrong with a whole body, as JSON or as another format, from a value that is at fault in it.

    Raises:
        RefusedRequestError: It cannot be read.
    """
    try:
        yield
    except (wire.MediaTypeError, wire.TooManyRowsError, FieldError):
        raise
    except InvalidInputError as error:
        raise RefusedRequestError(400, error.message, hint=error.hint) from None


def _too_large(most: int) -> RefusedRequestError:
    return RefusedRequestError(
        413,
        f"The body must have at most {most:,} bytes.",
        hint="send fewer rows at a time.",
        headers={"Connection": "close"},  # the rest of it is not waited for
    )
