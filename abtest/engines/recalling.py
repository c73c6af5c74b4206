"""One model's answers about batches: recalled where they were kept, else asked for, and kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import wording
from abtest.cache.kept import Kept
from abtest.cache.keys import content, files_digest, key_of
from abtest.engines.asking import Answer
from abtest.loaders.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.cache.store import Store
    from abtest.engines.asking import Source
    from abtest.loaders.feeding import Fed
    from abtest.loaders.models import Model


class Recalled:
    """Stands before a model.

    Args:
        source: Where answers come from that were not kept.
        told: What messages call the model.
        store: Where answers are kept.
        asked: What they depend on beside the rows, as plain data.
        columns: The columns that the model is fed.
    """

    def __init__(
        self, source: Source, told: str, store: Store, asked: Sequence[object], columns: Sequence[str]
    ) -> None:
        self._source, self._told, self._store = source, told, store
        self._asked, self._columns = [*asked], [*columns]
        self._batches = 0
        self._recalled: list[datetime] = []

    @classmethod
    def of(
        cls, source: Source, model: Model, columns: Sequence[str], store: Store, *, scores: bool, code: str
    ) -> Source:
        """Stand before a model whose files are known; an object that somebody made is always asked itself."""
        if model.folder is None:
            return source
        try:
            digest = files_digest(model.folder)
        except OSError:  # a file that cannot be read, is gone, or lies elsewhere: nobody knows what the model is
            return source
        return cls(source, model.told, store, [digest, code, scores], columns)

    def answer(self, fed: Fed) -> Answer:
        """Recall the answer about a batch, or ask and keep it."""
        self._batches += 1
        key = key_of(self._asked, self._columns, content(fed.batch, self._columns))
        known = self._known(key, fed.batch.num_rows)
        if known is not None:
            self._recalled.append(known.made_at)
            scores = None if known.matrix is None else Scores(matrix=known.matrix, classes=known.classes)
            return Answer(labels=known.labels, scores=scores, seconds=known.seconds, casts=known.casts)
        answer = self._source.answer(fed)
        body = Kept(
            labels=answer.labels,
            matrix=answer.scores.matrix if answer.scores else None,
            classes=answer.scores.classes if answer.scores else (),
            seconds=answer.seconds,
            casts=answer.casts,
            made_at=datetime.now(UTC),
        ).to_bytes()
        if body is not None:
            self._store.write(key, body)
        return answer

    def notices(self) -> tuple[str, ...]:
        """What the model's own source says, and what was recalled, if anything was, and from when."""
        own = self._source.notices()
        if not self._recalled:
            return own
        first, last = (f"{moment(self._recalled):%Y-%m-%d %H:%M}" for moment in (min, max))
        when = first if first == last else f"{first} to {last}"
        whole = len(self._recalled) == self._batches
        part = "" if whole else f" of {len(self._recalled)} of {wording.plural(self._batches, 'batch', 'batches')}"
        said = f"The {self._told}'s predictions{part} are those of {when} UTC, from the cache"
        return (*own, f"{said}; its latency was measured then.")

    def _known(self, key: str, rows: int) -> Kept | None:
        body = self._store.read(key)
        if body is None:
            return None
        found = Kept.from_bytes(body, rows=rows)
        if found is None:
            self._store.discard(key)
        return found
