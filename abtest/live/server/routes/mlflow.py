"""As MLflow's own server is asked, so that its clients need not know that this is another."""

from __future__ import annotations

import asyncio
from importlib import metadata
from json import dumps
from typing import TYPE_CHECKING

from starlette.responses import Response

from abtest.live.server import bodies
from abtest.live.server.answering import Question
from abtest.live.serving import invocations
from abtest.live.serving.fields import FieldError
from abtest.live.serving.wire import LONGEST_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request

    from abtest.live.server.answering import Answer
    from abtest.live.server.process import Process

_JSON = "application/json"
_LARGE = 2**16  # bytes of a body that the event loop does not read
_UNIT = "X-Abtest-Unit"


async def ping(request: Request) -> Response:
    """Say whether a model is loaded."""
    process: Process = request.app.state.process
    process.watcher.now.ready()
    return Response("\n", media_type=_JSON)


async def version(_: Request) -> Response:
    """Say which MLflow this is."""
    return Response(metadata.version("mlflow"), media_type=_JSON)


async def invoke(request: Request) -> Response:
    """Predict rows in one of MLflow's formats; what MLflow's answer has no room for is in headers."""
    process: Process = request.app.state.process
    serving, service = process.watcher.now, process.service
    champion = serving.ready().model
    unit = _unit(request)
    body = await bodies.read(request, most=service.max_body)
    kind = request.headers.get("content-type")
    with bodies.understood():
        if len(body) < _LARGE:
            invoked = invocations.read(champion, body, kind, most=service.max_rows)
        else:
            invoked = await asyncio.to_thread(invocations.read, champion, body, kind, most=service.max_rows)
    question = Question(
        rows=invoked.rows,
        units=[unit] * len(invoked.rows),
        features=invoked.features,
        params=invoked.params,
    )
    answers = await process.answerer.answer(serving, question)
    told = dumps({"predictions": [answer.label for answer in answers]}, allow_nan=False)
    return Response(told, headers=_headers(answers), media_type=_JSON)


def _unit(request: Request) -> str | None:
    """What all rows are about; the same unit as in JSON, where it is no ASCII."""
    unit = request.headers.get(_UNIT, "").encode("latin-1").decode("utf-8", "surrogateescape")
    if len(unit) > LONGEST_UNIT:
        raise FieldError(f"{_UNIT} must have at most {LONGEST_UNIT} characters, got {len(unit):,}.", field=_UNIT)
    return unit or None


def _headers(answers: Sequence[Answer]) -> dict[str, str]:
    """The ids, of which those of many rows count by one, and who answered."""
    first, last = answers[0].prediction_id, answers[-1].prediction_id
    return {
        "X-Abtest-Prediction-Ids": first if first == last else f"{first}..{last}",
        "X-Abtest-Model-Version": _listed(answer.model_version for answer in answers),
        "X-Abtest-Arm": _listed(answer.arm for answer in answers),
        "X-Abtest-Epoch": _listed(answer.epoch for answer in answers),
    }


def _listed(values: Iterable[object]) -> str:
    return ",".join(str(value) for value in dict.fromkeys(values) if value is not None)
