"""What Spark asks each model: labels, and probabilities where they are wanted; after a look at some rows here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest.coded import Coded
from abtest.engines.spark.features import features
from abtest.engines.spark.models import Function, LabelType, as_function
from abtest.engines.spark.scores import MOST_CLASSES, as_probabilities
from abtest.engines.spark.session import told_as_ours
from abtest.errors import InvalidInputError
from abtest.labels import Label, Side, reconcile
from abtest.loaders.columns import label_column
from abtest.loaders.models import Model
from abtest.loaders.scores import Scorer, Unavailable, scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.engines.spark.session import Session
    from abtest.engines.spark.tables import Column, Frame

_LOOK_ROWS = 1_000  # are predicted here too: they tell the type of each model's labels, and what is wrong with them
_NO_CHAMPION = "there is no champion whose probabilities could be compared."
_ONLY_RANKS = "It only ranks, and --engine spark takes probabilities."
_TOO_MANY = f"--engine spark takes those of at most {MOST_CLASSES} classes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One model, as Spark asks it.

    Attributes:
        model: The model.
        columns: What it is fed.
        labels: How its labels come back.
        ask: Features in, labels out.
        classes: Of its probabilities, where they are wanted.
        score: Features in, probabilities out; likewise.
        why_not: Why it has none that could be added up.
        notice: What is to be said about them.
    """

    model: Model
    columns: tuple[str, ...]
    labels: LabelType
    ask: Function
    classes: tuple[Label, ...] = ()
    score: Function | None = None
    why_not: str = ""
    notice: str | None = None

    def keys(self, at: int, frame: Frame) -> dict[str, Column]:
        """What is asked of a frame's rows, by the names of the columns that answer."""
        fed = features(frame, self.model, self.columns)
        answers = {label_name(at): self.ask(fed)}
        return answers if self.score is None else {**answers, score_name(at): self.score(fed)}


def label_name(at: int) -> str:
    """The column of a model's labels."""
    return f"model {at}"


def score_name(at: int) -> str:
    """The column of a model's probabilities."""
    return f"scores {at}"


def asked(
    fed: Sequence[tuple[Model, tuple[str, ...]]],
    frames: Sequence[Frame],
    target: str,
    session: Session,
    *,
    with_champion: bool,
    scores: bool,
) -> list[Asked]:
    """Let each model predict some rows here, and make it a function of Spark.

    Args:
        fed: Each model with its columns, the champion first.
        frames: Labelled rows.
        target: The column with the truth.
        session: Spark's.
        with_champion: Whether the first is the champion.
        scores: Ask for probabilities too.

    Raises:
        InvalidInputError: A model fails, predicts no labels or other ones than the truth's, or cannot be sent.
    """
    batch = _head(frames)
    looks = [Look.of(model, columns, batch) for model, columns in fed]
    truth = Coded.of(label_column(batch.column(target), target)).decoded()
    distinct = [list(dict.fromkeys(look.labels.tolist())) for look in looks]
    for own in distinct[int(with_champion) :]:
        reconcile(list(dict.fromkeys(truth.tolist())), distinct[0] if with_champion else [], own)
    return [look.asked(session, scores=scores and with_champion) for look in looks]


def unscored(champion: Asked | None, challenger: Asked) -> tuple[str, ...]:
    """Why two models have no probabilities that could be compared; empty where they have."""
    if champion is None:
        return (_NO_CHAMPION,)
    sides: dict[Side, Asked] = {"champion": champion, "challenger": challenger}
    return tuple(f"the {side} has no probabilities. {one.why_not}" for side, one in sides.items() if one.why_not)


def _head(frames: Sequence[Frame]) -> pa.RecordBatch:
    with told_as_ours("Spark could not read the rows"):
        table = next((found for frame in frames if (found := frame.limit(_LOOK_ROWS).toArrow()).num_rows), None)
    if table is None:
        raise InvalidInputError("The data hold no rows, so there is nothing to predict.")
    (batch,) = table.combine_chunks().to_batches(max_chunksize=_LOOK_ROWS)
    return batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a model makes of some rows.

    Attributes:
        model: The model.
        columns: What it is fed.
        labels: What it predicts of them, shape (rows,).
        found: Where its probabilities come from.
        batch: The rows.
    """

    model: Model
    columns: tuple[str, ...]
    labels: npt.NDArray[Any]
    found: Scorer | Unavailable
    batch: pa.RecordBatch

    @classmethod
    def at(cls, model: Model, columns: tuple[str, ...], frames: Sequence[Frame]) -> Look:
        """Let a model predict the first rows of frames.

        Raises:
            InvalidInputError: There are none, or it fails.
        """
        return cls.of(model, columns, _head(frames))

    @classmethod
    def of(cls, model: Model, columns: tuple[str, ...], batch: pa.RecordBatch) -> Look:
        """Let a model predict some rows.

        Raises:
            InvalidInputError: It fails.
        """
        found, numbers = scorer(model), np.arange(1, batch.num_rows + 1)
        if isinstance(found, Scorer) and not found.predicts_labels:
            labels = Coded.of(found.score(batch, columns, numbers).labels).decoded()
        else:
            labels = model.predict(batch, columns, numbers)
        return cls(model=model, columns=columns, labels=labels, found=found, batch=batch)

    def asked(self, session: Session, *, scores: bool) -> Asked:
        """Make it a function of Spark.

        Raises:
            InvalidInputError: It cannot be sent there.
        """
        found = self.found
        if isinstance(found, Unavailable) or (found.predicts_labels and not scores):
            why = found.why if isinstance(found, Unavailable) else ""
            return self._labelled(session, why_not=why)
        classes = found.score(self.batch, self.columns, np.arange(1, self.batch.num_rows + 1)).classes
        score = as_probabilities(found, session)
        why_not = _ONLY_RANKS if found.kind != "probability" else _TOO_MANY if len(classes) > MOST_CLASSES else ""
        told: dict[str, Any] = {"notice": found.notice, "why_not": why_not}
        if scores and not why_not:
            told |= {"classes": classes, "score": score}
        if found.predicts_labels:
            return self._labelled(session, **told)
        return Asked(
            model=self.model,
            columns=self.columns,
            labels=LabelType(name="long", read=lambda place: classes[place - 1], stored=_class_at(classes)),
            ask=_greatest(score),
            **told,
        )

    def _labelled(self, session: Session, **told: Any) -> Asked:  # noqa: ANN401 - what Asked holds
        kind = LabelType.of(self.labels)
        ask = as_function(self.model, kind.name, session)
        return Asked(model=self.model, columns=self.columns, labels=kind, ask=ask, **told)


def _class_at(classes: Sequence[Label]) -> Callable[[Column], Column]:
    """The class at a place, from 1."""

    def at(place: Column) -> Column:
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see below

        return F.element_at(F.array(*map(F.lit, classes)), place.cast("int"))

    return at


def _greatest(score: Function) -> Callable[[Column], Column]:
    """The place of the greatest value, from 1; the first of equals."""

    def ask(fed: Column) -> Column:
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

        given = score(fed)
        return F.array_position(given, F.array_max(given))

    return ask
