"""One model's answers about batches: recalled where they were kept, else asked for, and kept."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import wording
from abtest.cache.answers import Answer
from abtest.cache.keys import content, files_digest, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from abtest.cache.store import Store
    from abtest.loaders.models import Model


class Recaller:
    """Stands before a model.

    An object that somebody made has no files by which it could be known again: it is always asked.

    Args:
        model: The model.
        columns: The columns it is fed.
        store: Where answers are kept; None to ask always.
        scores: Whether it is asked for scores too.
    """

    def __init__(self, model: Model, columns: Sequence[str], store: Store | None, *, scores: bool) -> None:
        self._model, self._columns, self._scores = model, list(columns), scores
        self._store: Store | None = None
        self._identity = ""
        if store is not None and model.folder is not None:
            with contextlib.suppress(OSError):  # a file that cannot be read, or is gone: then nobody knows what it is
                self._identity = files_digest(model.folder)
                self._store = store
        self._batches = 0
        self._recalled: list[datetime] = []

    def answer(self, batch: pa.RecordBatch, ask: Callable[[], Answer]) -> Answer:
        """Recall the answer about a batch, or ask; one that was recalled says when it was made.

        Args:
            batch: The rows.
            ask: Asks the model.
        """
        if self._store is None:
            return ask()
        self._batches += 1
        key = key_of(self._identity, self._scores, self._columns, content(batch, self._columns))
        known = self._known(self._store, key, batch.num_rows)
        if known is not None and known.made_at is not None:
            self._recalled.append(known.made_at)
            for name, how in known.casts.items():
                self._model.note_cast(name, how)
            return known
        before, self._model.casts = self._model.casts, {}
        try:
            found = ask()
        finally:
            casts, self._model.casts = self._model.casts, before
            for name, how in casts.items():
                self._model.note_cast(name, how)
        body = replace(found, casts=casts, made_at=datetime.now(UTC)).to_bytes()
        if body is not None:
            self._store.write(key, body)
        return found

    def notice(self) -> str | None:
        """Say what was recalled, if anything was, and from when."""
        if not self._recalled:
            return None
        first, last = (f"{moment(self._recalled):%Y-%m-%d %H:%M}" for moment in (min, max))
        when = first if first == last else f"{first} to {last}"
        whole = len(self._recalled) == self._batches
        part = "" if whole else f" of {len(self._recalled)} of {wording.plural(self._batches, 'batch', 'batches')}"
        return (
            f"The {self._model.told}'s predictions{part} are those of {when} UTC, from the cache; "
            "its latency was measured then."
        )

    @staticmethod
    def _known(store: Store, key: str, rows: int) -> Answer | None:
        body = store.read(key)
        if body is None:
            return None
        found = Answer.from_bytes(body, rows=rows)
        if found is None:
            store.discard(key)
        return found
