"""Score all models in this process, batch by batch, each row once."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from abtest.engines.ahead import ahead
from abtest.engines.pairs import ClassPair, ErrorPair, Scored, look_of, new_pair
from abtest.engines.predicting import Predictions
from abtest.engines.reading import Reading, agreed_types
from abtest.errors import InvalidInputError
from abtest.loaders.columns import CODED_TEXT
from abtest.loaders.datasets import BATCH_ROWS, open_data
from abtest.loaders.fingerprints import MOST_ROWS_KEPT, Fingerprinter
from abtest.loaders.rowhash import Hasher
from abtest.loaders.segments import columns_of, find_segments
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abtest.cache.store import Store
    from abtest.labels import LabelType, Task
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

_OF_CHALLENGER = re.compile(r"\b[Cc]hallenger(?= predict| never | must )")


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """What one pass over the data gave of several challengers.

    Attributes:
        pairs: Each with the champion.
        between: Who is right where of any two challengers, by their numbers, the lower first; none of a regression, and
            none where rows come in units: what is tested between challengers takes rows for independent.
    """

    pairs: tuple[Scored, ...]
    between: Mapping[tuple[int, int], Contingency]


def score(champion: Model | None, challenger: Model, data: Dataset, *, target: str, **options: Any) -> Scored:  # noqa: ANN401 - those of score_several
    """Read the data once, let both models predict every row, and tally; options are those of ``score_several``.

    Raises:
        InvalidInputError: A column, a value, a label or a prediction is not as it must be.
    """
    return score_several(champion, [challenger], data, target=target, **options).pairs[0]


def score_several(
    champion: Model | None,
    challengers: Sequence[Model],
    data: Dataset,
    *,
    target: str,
    task: Task = "classification",
    losses: Sequence[str] = (),
    segments: Sequence[str] = (),
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    unit: str | None = None,
    scores: bool = False,
    marks: Sequence[int] = (),
    keep_rows: float = MOST_ROWS_KEPT,
    store: Store | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Several:
    """Read the data once, let all models predict every row, and tally each challenger beside the champion.

    Args:
        champion: The serving model; None for the baseline of this data: the majority class, or the mean.
        challengers: The others.
        data: Labelled rows.
        target: The column that holds the truth.
        task: Whether truth and predictions are classes or numbers.
        losses: The user's own losses by row, of a regression.
        segments: Columns whose values tell segments apart, or columns crossed by ``*``.
        label_type: Cast all labels to this type.
        batch_rows: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, counting them, instead of refusing.
        unit: The column that says which rows belong together.
        scores: Ask for probabilities too.
        marks: Row counts at which earlier data ended that these may extend.
        keep_rows: Up to so many rows, each row's fingerprint is kept.
        store: Where predictions are kept, and found again.
        seed: Of which rows of a large regression are resampled together.
        progress: Called with the number of rows done after each batch.

    Raises:
        InvalidInputError: A column, a value, a label or a prediction is not as it must be.
    """
    models = [*([champion] if champion else []), *challengers]
    if target not in data.columns:
        raise data.missing(target, "target column")
    aside = (*columns_of(segments, data.columns), *([unit] if unit else []))
    columns = [model.columns(data.columns, target, aside) for model in models]
    fed = {name for names in columns for name in names}
    types = dict(agreed_types(models, columns))
    if data.is_text:
        types |= dict.fromkeys([target, *(name for name in aside if name not in fed)], pa.string())
    if task == "classification" and target not in fed:
        types[target] = CODED_TEXT
    segmentation = find_segments(data, segments, target=target, types=types)
    wanted = [*(name for names in columns for name in names), *segmentation.columns, *aside, target]
    predictions = Predictions(
        champion,
        challengers,
        columns,
        segmentation.groups,
        classes=task == "classification",
        scores=scores,
        store=store,
    )
    truth = look_of(data, target)
    pairs = [
        new_pair(task, truth, segmentation, unit=unit, losses=losses, seed=seed, with_champion=champion is not None)
        for _ in challengers
    ]
    counted = () if task == "regression" or unit else itertools.combinations(range(len(pairs)), 2)
    between = {key: Tally() for key in counted}
    hashers = [
        _hasher([*models[: -len(challengers)], model], [*columns[: -len(challengers)], names], data, target)
        for model, names in zip(challengers, columns[-len(challengers) :], strict=True)
    ]
    readers = [Fingerprinter(hasher, marks=marks, keep=keep_rows) for hasher in _distinct(hashers)]
    read = Reading(ahead(data.batches(wanted, types, rows=batch_rows), partial(_show, readers)), target, segmentation,
                    unit=unit, drop=drop_unlabelled, progress=progress, numbers=task == "regression")  # fmt: skip
    for batch, numbers in read:
        ours, theirs = predictions.predict(batch, numbers)
        rows = read.rows(batch, numbers)
        for model, pair, predicted in zip(challengers, pairs, theirs, strict=True):
            with called(model):
                pair.add(rows, ours, predicted)
        for (one, other), tally in between.items():
            tally.add(rows.truth, theirs[one], theirs[other])
        predictions.take_in(rows.truth, rows.codes)
    read.refuse_nothing(data)
    given = read.dropped()

    def scored(at: int, pair: ClassPair | ErrorPair) -> Scored:
        if isinstance(pair, ErrorPair):
            found = pair.scored(unlabelled=read.unlabelled)
        else:
            with called(challengers[at]):
                found = pair.scored(
                    unlabelled=read.unlabelled,
                    label_type=label_type,
                    truth_is_text=data.is_text,
                    with_champion=champion is not None,
                )
        return replace(
            found,
            notices=(*predictions.notices(at, casts=not data.is_text), *given, *found.notices),
            latency=predictions.latency(at),
            fingerprints=next(found for found in prints if found.hasher == hashers[at]),
            scores=predictions.scores(at, found.outcomes.labels) if found.outcomes else None,
            unscored=predictions.unscored(at),
        )

    prints = [reader.fingerprints() for reader in readers]
    return Several(
        pairs=tuple(scored(at, pair) for at, pair in enumerate(pairs)),
        between={
            key: PairedOutcomes.from_tally(tally, label_type=label_type, truth_is_text=data.is_text)[0].contingency()
            for key, tally in between.items()
        },
    )


def _hasher(models: Sequence[Model], columns: Sequence[Sequence[str]], data: Dataset, target: str) -> Hasher:
    """What makes a row for one challenger and the champion: what both are fed, as both are fed it.

    So the same rows, told apart by other segments or shown to other challengers as well, are the same rows.
    """
    fed = {name for names in columns for name in names}
    names = [name for name in data.columns if name in fed]
    return Hasher(columns=names, target=target, types=dict(agreed_types(models, columns)))


def _show(readers: Sequence[Fingerprinter], batch: pa.RecordBatch) -> None:
    for reader in readers:
        reader.add(batch)


def _distinct(hashers: Sequence[Hasher]) -> list[Hasher]:
    """Challengers that are fed the same columns share what their rows are recognised by."""
    return [hasher for i, hasher in enumerate(hashers) if hasher not in hashers[:i]]


@contextlib.contextmanager
def called(model: Model) -> Iterator[None]:
    """Let what is wrong with a challenger's predictions be told with its name, where there are several."""
    try:
        yield
    except InvalidInputError as error:
        if not model.name:
            raise
        named = _OF_CHALLENGER.sub(lambda found: found[0] + model.told.removeprefix(model.side), error.message, count=1)
        raise type(error)(named, hint=error.hint) from error


class Engine:
    """This process."""

    recognises_rows = True
    open_data = staticmethod(open_data)
    score_several = staticmethod(score_several)

    def end(self) -> None:
        """Nothing was started."""
