"""The engines by name: where models score rows. A new one is a module with an ``Engine``, and a line in the table."""

from __future__ import annotations

import contextlib
import importlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from abtest.errors import InvalidInputError, near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from abtest.engines.local import Several
    from abtest.loaders.datasets import Dataset

LOCAL = "local"
ENGINES = {LOCAL: "abtest.engines.local", "spark": "abtest.engines.spark"}

_ENDINGS: ContextVar[contextlib.ExitStack] = ContextVar("endings")


class Engine(Protocol):
    """Where rows are scored.

    Attributes:
        recognises_rows: Whether it leaves fingerprints, by which rows are found again in other data.
        score_several: As ``engines.local.score_several``.
    """

    recognises_rows: bool

    @property
    def score_several(self) -> Callable[..., Several]:
        """Score all models on the same rows."""

    def open_data(self, source: str | Path | pd.DataFrame, what: str = "test-data") -> Dataset:
        """Open what it reads rows from; ``what`` it is called in messages."""

    def end(self) -> None:
        """End what was started for it."""


def check_engine(name: str) -> None:
    """Refuse an engine that there is not.

    Raises:
        InvalidInputError: There is none of that name.

    Example:
        >>> check_engine("sparc")
        Traceback (most recent call last):
        abtest.errors.InvalidInputError: engine must be one of local, spark, got 'sparc'. Hint: did you mean 'spark'?
    """
    if name not in ENGINES:
        raise InvalidInputError(
            f"engine must be one of {', '.join(ENGINES)}, got {name!r}.", hint=near(str(name), ENGINES)
        )


def start(name: str, *, spark_master: str | None = None) -> Engine:
    """Make an engine ready; what it starts itself, ends with the innermost ``ended``.

    Raises:
        InvalidInputError: There is none of that name, or an option is another engine's.
    """
    check_engine(name)
    if spark_master is not None and name != "spark":
        raise InvalidInputError(f"spark_master means nothing with engine {name!r}.", hint="--engine spark")
    options: dict[str, Any] = {"master": spark_master} if name == "spark" else {}
    engine: Engine = importlib.import_module(ENGINES[name]).Engine(**options)
    if (endings := _ENDINGS.get(None)) is not None:
        endings.callback(engine.end)
    return engine


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """End at the end what engines have started within, such as a Spark session."""
    with contextlib.ExitStack() as endings:
        token = _ENDINGS.set(endings)
        try:
            yield
        finally:
            _ENDINGS.reset(token)
