"""A request answered: by whom it is to be, by whom it can be, and written down.

Quick models are asked on the event loop, slow ones and batches in a thread, so that a server says that it is well while
they think. A challenger is always asked in a thread: if it hangs, the champion answers for it.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from json import dumps
from typing import TYPE_CHECKING, Any

from abtest.errors import AbtestError, BackendError
from abtest.live.aside import Aside, BusyError
from abtest.live.log import Logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label, Side
    from abtest.live.assignment import Assignment
    from abtest.live.logbook import Logbook
    from abtest.live.serving import ServedModel
    from abtest.live.watching import Loaded, Serving, Watcher

_SLOW = 0.005  # seconds that a request may keep the event loop
_MANY = 100  # rows that are not read there either
_THREADS, _MOST = 4, 64  # of a side: calls under way, and with those that wait


class NotReadyError(BackendError):
    """No model is loaded yet."""


class OverloadedError(BackendError):
    """So many requests wait that another one is not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is told of the rows of one request.

    Attributes:
        labels: What was predicted, one a row.
        ids: The predictions' ids.
        model_version: The version that predicted; None of a model outside the registry.
        arm: Which side predicted.
        epoch: Of the experiment that the request takes part in; None where it takes part in none.
        sticky: Whether the request named its unit, which then has the same arm next time.
    """

    labels: Sequence[Label]
    ids: Sequence[str]
    model_version: int | None
    arm: Side
    epoch: int | None
    sticky: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of asking a model: labels, or why there are none."""

    labels: Sequence[Label] | None
    seconds: float  # a row
    error: str | None = None
    cause: AbtestError | None = None


class Answerer:
    """Answers requests with what serves, and writes down what it answered.

    Args:
        watcher: Knows what serves.
        logbook: Where answers are written; knows which experiment goes on.
        deadline: Seconds that a challenger has.
        durable: Whether to answer only after what is written is committed.
        log_features: Share of the rows whose features are kept.
    """

    def __init__(
        self, watcher: Watcher, logbook: Logbook, *, deadline: float, durable: bool, log_features: float
    ) -> None:
        self._watcher = watcher
        self._logbook = logbook
        self._deadline = deadline
        self._durable = durable
        self._log_features = log_features
        self._champions = Aside("abtest-champion", threads=_THREADS, most=_MOST)
        self._challengers = Aside("abtest-challenger", threads=_THREADS, most=_MOST)

    async def answer(self, rows: Sequence[Any], unit: str | None) -> Answer:
        """Answer the rows of one request; they share an arm.

        Args:
            rows: Of JSON, at least one.
            unit: What the request is about; None makes it a unit of its own.

        Raises:
            InvalidInputError: A row does not fit the model, or the champion fails.
            NotReadyError: No model is loaded yet.
            OverloadedError: Too many requests wait.
            BackendError: The log does not take a prediction that is to be durable.
        """
        serving = self._watcher.now
        champion = serving.champion
        if champion is None:
            raise NotReadyError("No model is loaded yet.", hint="try again in a moment.")
        features = await self._parsed(champion, rows)
        numbers = self._logbook.sequence.next(len(rows))
        ids = [f"{self._logbook.server}-{number}" for number in numbers]
        routing = self._logbook.routing
        assignment = routing.assign(unit, ids[0], serving.version_in(routing.experiment))
        asked: tuple[Side, Loaded] = ("champion", champion)
        failed = None
        if assignment.arm == "challenger" and serving.challenger is not None:
            outcome = await self._ask_challenger(serving.challenger.model, rows)
            if outcome.labels is None:
                failed, outcome = outcome, await self._ask_champion(champion, features, len(rows))
            else:
                asked = ("challenger", serving.challenger)
        else:
            outcome = await self._ask_champion(champion, features, len(rows))
        await self._write(rows, unit, numbers, assignment, serving, failed or outcome)
        if outcome.labels is None:
            raise outcome.cause or RuntimeError(outcome.error)
        return Answer(
            labels=outcome.labels,
            ids=ids,
            model_version=asked[1].version,
            arm=asked[0],
            epoch=assignment.epoch,
            sticky=assignment.sticky,
        )

    async def _parsed(self, champion: Loaded, rows: Sequence[Any]) -> Any:  # noqa: ANN401 - what its predict takes
        if len(rows) <= _MANY:
            return champion.model.parse(rows)
        return await self._aside(champion.model.parse, rows)

    async def _ask_champion(self, champion: Loaded, features: Any, n: int) -> _Outcome:  # noqa: ANN401 - what parse gave
        usual = champion.pace.seconds
        if usual is not None and usual * n < _SLOW:
            outcome = _asked(champion.model, features, n)
        else:
            outcome = await self._aside(_asked, champion.model, features, n)
        if n == 1:
            champion.pace.note(outcome.seconds)
        return outcome

    async def _aside(self, function: Any, *arguments: object) -> Any:  # noqa: ANN401 - whatever that gives
        try:
            return await self._champions.call(function, *arguments)
        except BusyError:
            raise OverloadedError(
                f"{_MOST} requests wait for the model already.", hint="try again in a moment."
            ) from None

    async def _ask_challenger(self, model: ServedModel, rows: Sequence[Any]) -> _Outcome:
        began = time.perf_counter()
        try:
            return await self._challengers.call(_parsed_and_asked, model, rows, deadline=self._deadline)
        except TimeoutError:
            error = "deadline"
        except BusyError:
            error = "dropped"
        except Exception:  # noqa: BLE001 - whatever a challenger does, the champion answers
            error = "raised"
        return _Outcome(labels=None, seconds=(time.perf_counter() - began) / len(rows), error=error)

    async def _write(
        self,
        rows: Sequence[Any],
        unit: str | None,
        numbers: range,
        assignment: Assignment,
        serving: Serving,
        outcome: _Outcome,
    ) -> None:
        """Write down what the arm did that the request was assigned to."""
        logbook, at = self._logbook, time.time()
        loaded = serving.challenger if assignment.arm == "challenger" else serving.champion
        if len(numbers) > 1 and unit is None:
            unit = f"{logbook.server}-{numbers[0]}"  # its rows are one unit, not as many
        hashed = logbook.hashed(unit)
        logged = [
            Logged(
                server=logbook.server,
                sequence=number,
                at=at,
                arm=assignment.arm,
                served=outcome.labels is not None,
                model_version=loaded.version if loaded else None,
                prediction=outcome.labels[index] if outcome.labels is not None else None,
                seconds=outcome.seconds,
                error=outcome.error,
                experiment=assignment.experiment,
                epoch=assignment.epoch,
                unit=hashed,
                features=self._kept(rows[index]),
            )
            for index, number in enumerate(numbers)
        ]
        await logbook.write(logged, durable=self._durable)

    def _kept(self, row: Any) -> str | None:  # noqa: ANN401 - a row of JSON
        if self._log_features and random.random() < self._log_features:  # noqa: S311 - a sample, not a secret
            return dumps(row)
        return None


def _parsed_and_asked(model: ServedModel, rows: Sequence[Any]) -> _Outcome:
    return _asked(model, model.parse(rows), len(rows))


def _asked(model: ServedModel, features: Any, n: int) -> _Outcome:  # noqa: ANN401 - what parse gave
    """Ask a model; whatever it raises is its failure."""
    began = time.perf_counter()
    try:
        labels = model.predict(features)
    except AbtestError as error:
        # A model that raised is the cause of the sentence; one that returned something odd has none.
        failure = "shape" if error.__cause__ is None else "raised"
        return _Outcome(labels=None, seconds=(time.perf_counter() - began) / n, error=failure, cause=error)
    return _Outcome(labels=labels, seconds=(time.perf_counter() - began) / n)
