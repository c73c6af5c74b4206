"""A request answered: by whom each row is to be, by whom it can be, and written down."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abtest.labels import Label, Side
from abtest.live.log import Logged
from abtest.live.server.asking import Asker, Outcome, Params
from abtest.live.serving.fields import Row
from abtest.live.serving.values import spelled
from abtest.live.shadow.shadowed import ShadowRequest

if TYPE_CHECKING:
    from abtest.live.assignment import Assignment
    from abtest.live.server.logbook import Logbook
    from abtest.live.server.watching import Loaded, Serving
    from abtest.live.shadow.shadow import Shadow


@dataclass(slots=True, kw_only=True)
class Question:
    """What one request asks.

    Attributes:
        rows: Of JSON, at least one.
        units: What each is about; None makes a row a unit of its own.
        features: The rows as the champion's ``predict`` takes them, where they were read into that already.
        params: What models are told beside them.
    """

    rows: Sequence[Row]
    units: Sequence[str | None]
    features: Any = None
    params: Params = None


@dataclass(slots=True, kw_only=True)
class Answer:
    """What is told of one row.

    Attributes:
        label: What was predicted.
        prediction_id: What a label is to name it by.
        model_version: The version that predicted; None of a model outside the registry.
        arm: Which side predicted.
        epoch: Of the experiment that the row takes part in; None where it takes part in none.
        sticky: Whether the request named the unit, which then has the same arm next time.
    """

    label: Label
    prediction_id: str
    model_version: int | None
    arm: Side
    epoch: int | None
    sticky: bool


@dataclass(slots=True, kw_only=True)
class _Done:
    """What one side did about one row."""

    arm: Side
    version: int | None
    outcome: Outcome
    place: int = 0  # of its label

    @property
    def label(self) -> Label | None:
        return None if self.outcome.labels is None else self.outcome.labels[self.place]


class Answerer:
    """Answers requests with what serves, and writes down what it answered.

    Args:
        logbook: Where answers are written; knows which experiment goes on.
        deadline: Seconds that a challenger has.
        durable: Whether to answer only after what is written is committed.
        log_features: Share of the rows whose features are kept.
    """

    def __init__(self, logbook: Logbook, *, deadline: float, durable: bool, log_features: float) -> None:
        self._logbook = logbook
        self._asker = Asker(deadline=deadline)
        self._durable = durable
        self._log_features = log_features

    async def answer(self, serving: Serving, question: Question) -> list[Answer]:
        """Answer one request.

        Args:
            serving: What serves; held on to, since what is swapped in meanwhile answers the next request.
            question: The request.

        Returns:
            An answer a row.

        Raises:
            InvalidInputError: A row does not fit the model, or the champion fails.
            NotReadyError: No model is loaded yet.
            OverloadedError: Too many requests wait.
            BackendError: The log does not take predictions that are to be durable.
        """
        champion, rows, units = serving.ready(), question.rows, question.units
        features = question.features
        if features is None:
            features = await self._asker.parse(champion, rows)
        routing, numbers = self._logbook.routing, self._logbook.sequence.next(len(rows))
        version = serving.version_in(routing.experiment)
        ids = [f"{self._logbook.server}-{number}" for number in numbers]
        assigned = [routing.assign(unit, own, version) for unit, own in zip(units, ids, strict=True)]
        done, failed = await self._ask(serving, champion, question, features, assigned)
        by_arm = [
            failed if failed is not None and assignment.arm == "challenger" else did
            for assignment, did in zip(assigned, done, strict=True)
        ]
        broken = next((did.outcome for did in done if did.outcome.cause is not None), None)
        logged = self._logged(question, numbers, assigned, by_arm, served=broken is None)
        if self._durable:
            await self._logbook.commit(logged)
        else:
            self._logbook.log(logged)
        if serving.shadow is not None and broken is None:
            self._offer(serving.shadow.shadow, champion, rows, logged, assigned)
        if broken is not None and broken.cause is not None:
            raise broken.cause
        return [
            Answer(
                label=did.outcome.labels[did.place],  # type: ignore[index] # nothing is broken: there are labels
                prediction_id=own,
                model_version=did.version,
                arm=did.arm,
                epoch=assignment.epoch,
                sticky=assignment.sticky,
            )
            for did, own, assignment in zip(done, ids, assigned, strict=True)
        ]

    async def _ask(
        self,
        serving: Serving,
        champion: Loaded,
        question: Question,
        features: Any,  # noqa: ANN401 - what the champion's parse gave
        assigned: Sequence[Assignment],
    ) -> tuple[list[_Done], _Done | None]:
        """Ask each side about its rows, and the champion about all that the challenger failed."""
        rows, params = question.rows, question.params
        done: dict[int, _Done] = {}
        failed = None
        tried = [index for index, assignment in enumerate(assigned) if assignment.arm == "challenger"]
        if tried and serving.challenger is not None:
            outcome = await self._asker.challenger(
                serving.challenger, [rows[index] for index in tried], params, columns=champion.model.columns
            )
            side = _Done(arm="challenger", version=serving.challenger.version, outcome=outcome)
            if outcome.labels is None:
                failed = side
            else:
                done = {index: replace(side, place=place) for place, index in enumerate(tried)}
        left = [index for index in range(len(rows)) if index not in done]
        if left:
            if done:
                features = await self._asker.parse(champion, [rows[index] for index in left])
            outcome = await self._asker.champion(champion, features, len(left), params)
            for place, index in enumerate(left):
                done[index] = _Done(arm="champion", version=champion.version, outcome=outcome, place=place)
        return [done[index] for index in range(len(rows))], failed

    def _logged(
        self,
        question: Question,
        numbers: Sequence[int],
        assigned: Sequence[Assignment],
        by_arm: Sequence[_Done],
        *,
        served: bool,
    ) -> list[Logged]:
        """What the arms did that rows were assigned to."""
        logbook, at = self._logbook, time.time()
        return [
            Logged(
                server=logbook.server,
                sequence=number,
                at=at,
                arm=did.arm,
                served=served and did.outcome.labels is not None,
                model_version=did.version,
                prediction=did.label,
                seconds=did.outcome.seconds,
                error=did.outcome.error,
                experiment=assignment.experiment,
                epoch=assignment.epoch,
                unit=logbook.hashed(unit),
                features=self._kept(row),
            )
            for row, unit, number, assignment, did in zip(
                question.rows, question.units, numbers, assigned, by_arm, strict=True
            )
        ]

    def _offer(
        self,
        shadow: Shadow,
        champion: Loaded,
        rows: Sequence[Row],
        logged: Sequence[Logged],
        assigned: Sequence[Assignment],
    ) -> None:
        """Hand the challenger what it is to predict too: the rows of a unit together."""
        by_unit: dict[str | None, list[int]] = {}
        for index, assignment in enumerate(assigned):
            if assignment.shadowed:
                by_unit.setdefault(logged[index].unit, []).append(index)
        for unit, indices in by_unit.items():
            first = logged[indices[0]]
            shadow.offer(
                ShadowRequest(
                    server=first.server,
                    sequences=[logged[index].sequence for index in indices],
                    rows=[rows[index] for index in indices],
                    at=first.at,
                    experiment=str(first.experiment),
                    epoch=first.epoch or 0,
                    unit=unit,
                    columns=champion.model.columns,
                )
            )

    def _kept(self, row: Row) -> str | None:
        if self._log_features and random.random() < self._log_features:  # noqa: S311 - a sample, not a secret
            return spelled(row)
        return None
