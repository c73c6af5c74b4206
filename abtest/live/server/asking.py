"""A model asked about rows: on the event loop where it is quick, else in a thread, and what became of it.

So a server says that it is well while a slow model thinks. A challenger is asked in a thread, with a deadline: if it
hangs, the champion answers for it. Only scikit-learn's own estimators, which do not hang, are asked on the event loop
as challengers too, where they are quick: a thread would take longer than they do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest.errors import AbtestError, BackendError
from abtest.labels import Label
from abtest.live.server.aside import Aside, BusyError
from abtest.live.serving.handing import handed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abtest.live.server.watching import Loaded
    from abtest.live.serving.fields import Row
    from abtest.live.serving.served import Served

Params: TypeAlias = "Mapping[str, Any] | None"
_SLOW = 0.005  # seconds that a request may keep the event loop
_MANY = 100  # rows that are not read there either
_THREADS, _MOST = 4, 64  # of a side: calls under way, and with those that wait


class OverloadedError(BackendError):
    """So many requests wait that another one is not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of asking a model.

    Attributes:
        labels: One a row; None where it failed.
        seconds: That each row took.
        error: Why there are none, as the log has it.
        cause: What was raised then.
    """

    labels: Sequence[Label] | None
    seconds: float
    error: str | None = None
    cause: Exception | None = None


class Asker:
    """Asks the champion and the challenger.

    Args:
        deadline: Seconds that a challenger has.
    """

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._champions = Aside("abtest-champion", threads=_THREADS, most=_MOST)
        self._challengers = Aside("abtest-challenger", threads=_THREADS, most=_MOST)

    async def parse(self, champion: Loaded, rows: Sequence[Row]) -> Any:  # noqa: ANN401 - what its predict takes
        """Hold rows against the champion's signature.

        Raises:
            InvalidInputError: A row does not fit.
            OverloadedError: Too many requests wait.
        """
        if len(rows) <= _MANY:
            return champion.model.parse(rows)
        return await self._aside(champion.model.parse, rows)

    async def champion(self, champion: Loaded, features: Any, n: int, params: Params) -> Outcome:  # noqa: ANN401 - what parse gave
        """Ask the champion about rows that were parsed."""
        if _is_quick(champion, n):
            outcome = _asked(champion.model, features, n, params)
        else:
            try:
                outcome = await self._aside(_asked, champion.model, features, n, params)
            except OverloadedError as error:
                return Outcome(labels=None, seconds=0.0, error="dropped", cause=error)
        if n == 1:
            champion.pace.note(outcome.seconds)
        return outcome

    async def challenger(
        self, challenger: Loaded, rows: Sequence[Row], params: Params, *, columns: Sequence[str] | None = None
    ) -> Outcome:
        """Ask the challenger; whatever it does, this returns once its deadline has passed.

        Args:
            challenger: Who is asked.
            rows: That fit the champion.
            params: What it is told beside them.
            columns: The champion's, which rows that are lists are in the order of; None where it names none.
        """
        began = time.perf_counter()
        try:
            if challenger.model.path == "array" and len(rows) <= _MANY and _is_quick(challenger, len(rows)):
                outcome = _read_and_asked(challenger.model, rows, params, columns)
            else:
                outcome = await self._challengers.call(
                    _read_and_asked, challenger.model, rows, params, columns, deadline=self._deadline
                )
        except TimeoutError:
            error = "deadline"
        except BusyError:
            error = "dropped"
        except Exception:  # noqa: BLE001 - the champion answers for it
            error = "raised"
        else:
            if len(rows) == 1:
                challenger.pace.note(outcome.seconds)
            return outcome
        return Outcome(labels=None, seconds=(time.perf_counter() - began) / len(rows), error=error)

    async def _aside(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - what that gives
        try:
            return await self._champions.call(function, *arguments)
        except BusyError:
            told = f"{_MOST} requests wait for the model already."
            raise OverloadedError(told, hint="try again in a moment.") from None


def _is_quick(model: Loaded, n: int) -> bool:
    """Whether it keeps nobody waiting, as far as is known."""
    usual = model.pace.seconds
    return usual is not None and usual * n < _SLOW


def _read_and_asked(model: Served, rows: Sequence[Row], params: Params, columns: Sequence[str] | None) -> Outcome:
    return _asked(model, model.parse(handed(rows, columns, model)), len(rows), params)


def _asked(model: Served, features: Any, n: int, params: Params) -> Outcome:  # noqa: ANN401 - what parse gave
    began = time.perf_counter()
    try:
        labels = model.predict(features, params)
    except Exception as error:  # noqa: BLE001 - it is raised again for whoever asked, once it is written down
        # A model that raised is the cause of the sentence; one that returned something odd has none.
        failure = "shape" if isinstance(error, AbtestError) and error.__cause__ is None else "raised"
        return Outcome(labels=None, seconds=(time.perf_counter() - began) / n, error=failure, cause=error)
    return Outcome(labels=labels, seconds=(time.perf_counter() - began) / n)
