"""What is found out before an hour of scoring, and not after; and what is delivered at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from abtest import honesty
from abtest.cache.store import Store, default_folder
from abtest.errors import InvalidInputError
from abtest.guardrail import LATENCY
from abtest.loaders.datasets import Dataset, open_data
from abtest.loaders.segments import columns_of
from abtest.metrics.catalogue import resolve
from abtest.metrics.errors import custom_losses
from abtest.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from abtest.comparison import Comparison, Comparisons
    from abtest.engines.catalogue import Engine
    from abtest.loaders.models import Model
    from abtest.registry import RegistryClient

Delivered = TypeVar("Delivered", "Comparison", "Comparisons")


def prepare(output: str | Path | None, policy: Policy) -> None:
    """Find out that a metric is not there or that a report cannot be written."""
    if policy.task == "regression":
        custom_losses(policy.metrics)
    else:
        resolve(policy.metrics, policy.costs)
    if output is not None:
        if not str(output):
            raise InvalidInputError("output must name a folder, got ''.")
        from abtest.reporter import folder  # noqa: PLC0415 - only who asks for a report pays

        folder.prepare(Path(output))


def asked_segments(asked: Sequence[str], policy: Policy | None) -> tuple[str, ...]:
    """The segmentations asked for, and those that guardrails need."""
    if isinstance(asked, str):
        raise InvalidInputError(f"segments must be a list of names, got {asked!r}.", hint=f"[{asked!r}]")
    return tuple(dict.fromkeys([*asked, *(policy.segments if isinstance(policy, Policy) else ())]))


def training_source(
    given: str | Path | pd.DataFrame | None, registry: RegistryClient | None, run_id: str | None
) -> str | Path | pd.DataFrame | None:
    """Find the training data."""
    if isinstance(given, str) and given == honesty.RUN:
        return honesty.logged_training(registry, run_id)
    if given is not None:
        open_data(given, "train-data")
    return given


def check_columns_of(
    data: Dataset, models: Iterable[Model], target: str, segments: Sequence[str], unit: str | None
) -> None:
    """Find out that other data lack a column, before PROMOTE is known."""
    if target not in data.columns:
        raise data.missing(target, "target column")
    aside = (*columns_of(segments, data.columns), *([unit] if unit else []))
    for model in models:
        model.columns(data.columns, target, aside)


def refuse_unrecognised(engine: Engine, name: str, train: object) -> None:
    """Refuse to look for rows that the engine does not recognise again.

    Raises:
        InvalidInputError: There are training data in which they would be looked for.
    """
    if train is not None and not engine.recognises_rows:
        raise InvalidInputError(
            f"train-data cannot be joined with --engine {name}, which keeps no trace of single rows.",
            hint="--engine local finds rows that are in both.",
        )


def kept_in(cache: bool | str | Path | Store, policy: Policy) -> Store | None:  # noqa: FBT001 - on, off, or where
    """Where predictions are kept; nowhere under a guardrail on latency: for that models are timed side by side."""
    if cache is False or any(guardrail.metric == LATENCY for guardrail in policy.guardrails):
        return None
    if isinstance(cache, Store):
        return cache
    return Store(default_folder(os.environ) if cache is True else Path(cache).expanduser())


def locked(data: Dataset, digest: str) -> tuple[Dataset, str]:
    """Take the digest of the locked test set; its rows stay unread."""
    found = data.digest()
    if found == digest:
        raise InvalidInputError("confirm-data is the test data again.", hint="keep a set apart that nobody looks at.")
    return data, found


def delivered(comparison: Delivered, output: str | Path | None, *, log: bool, figures: bool) -> Delivered:
    """Write and log what was asked for."""
    result: Any = comparison
    if output is not None:
        result = result.save(output, figures=figures)
    return result.log(figures=figures) if log else result  # type: ignore[no-any-return] # each gives its own kind
