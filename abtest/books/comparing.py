"""Runs side by side: parameters, metrics, data, code and environment; what differs first.

Nothing here is evidence for one model over another: nobody knows on which rows logged metrics were measured.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest import tracking
from abtest.books.environments import WRITTEN, parsed
from abtest.books.runs import LoggedRun, find
from abtest.books.showing import code_of
from abtest.errors import AbtestError, InvalidInputError, NotFoundError
from abtest.lifecycle.records import finite
from abtest.metrics.catalogue import ALIASES, TITLES
from abtest.metrics.costs import COST
from abtest.tracking import PARENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.registry import RegistryClient

Kind: TypeAlias = Literal["parameter", "metric", "dataset", "code", "environment"]
Value: TypeAlias = float | str | None
_SMALLER = ("log_loss", "brier", "rmse", "mae", COST)
_WHERE = re.compile(r"^(train(ing)?|val(id(ation)?)?|test|eval|cv|holdout)_")
_NO_DIRECTION = ("bias",)  # its size matters, and its sign is no better one way


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was logged, in each run.

    Attributes:
        kind: What it is.
        name: Its name.
        values: One a run; None where it was not logged.
    """

    kind: Kind
    name: str
    values: tuple[Value, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return len({str(value) for value in self.values}) > 1  # as text, since NaN is unlike itself

    @property
    def effects(self) -> tuple[float | None, ...]:
        """Of a metric, each run's value less the first's; None of the first, and where either is no number."""
        return (None, *(_less(value, self.values[0]) for value in self.values[1:]))

    @property
    def better(self) -> tuple[bool | None, ...]:
        """Of a metric that we know, whether each run's value is better than the first's; None where neither is."""
        known = greater_is_better(self.name) if self.kind == "metric" else None
        return tuple(None if known is None or not it else (it > 0) == known for it in self.effects)

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "values": [finite(value) for value in self.values],
            "effects": [finite(value) for value in self.effects],
            "better": list(self.better),
            "differs": self.differs,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Runs side by side.

    Attributes:
        runs: Which, in the order given.
        rows: What differs first; then by kind and name.
        models: The one model of each run, as ``abtest compare`` takes it; empty unless every run logged one.
        notices: What could not be read.
    """

    runs: tuple[LoggedRun, ...]
    rows: tuple[Row, ...]
    models: tuple[str, ...]
    notices: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "runs": [run.run_id for run in self.runs],
            "rows": [row.to_dict() for row in self.rows],
            "models": list(self.models),
            "notices": list(self.notices),
        }


def compared(registry: RegistryClient, run_ids: Sequence[str]) -> Compared:
    """Hold runs side by side.

    Args:
        registry: Whose tracking server is asked.
        run_ids: Two or more ids, or first letters of them.

    Raises:
        NotFoundError: A run is not there.
        InvalidInputError: Fewer than two are named.
    """
    runs = find(registry, run_ids)
    if len(runs) < 2:
        raise InvalidInputError(
            f"Only {runs[0].title} is named." if runs else "No run is named.", hint="name two runs or more."
        )
    notices: list[str] = []
    environments = [_environment(registry, run, notices) for run in runs]
    for run, environment in zip(runs, environments, strict=True):
        if not environment and any(environments) and not notices:
            notices.append(f"The environment of {run.title} is not on record, so environments are not compared.")
    by_kind: dict[Kind, list[Mapping[str, Any]]] = {
        "parameter": [run.params for run in runs],
        "metric": [run.metrics for run in runs],
        "dataset": [_datasets(run) for run in runs],
        "code": [code_of(run) for run in runs],
        # What only one run has on record says nothing about how the two differ.
        "environment": [*environments] if all(environments) else [],
    }
    rows = [
        Row(kind=kind, name=name, values=tuple(side.get(name) for side in sides))
        for kind, sides in by_kind.items()
        for name in sorted({name for side in sides for name in side})
    ]
    rows.sort(key=lambda row: not row.differs)  # stable: by kind and name within
    models = tuple(f"models:/{run.models[0]}" for run in runs if len(run.models) == 1)
    return Compared(
        runs=runs, rows=tuple(rows), models=models if len(models) == len(runs) else (), notices=tuple(notices)
    )


def greater_is_better(name: str) -> bool | None:
    """Whether more of a logged metric is better, where its name is one that we know.

    Example:
        >>> greater_is_better("cv.accuracy"), greater_is_better("val_rmse"), greater_is_better("speed")
        (True, False, None)
    """
    own = _WHERE.sub("", name.rpartition(".")[2])
    own = ALIASES.get(own, own)
    if own not in TITLES or own in _NO_DIRECTION:
        return None
    return own not in _SMALLER


def _less(value: Value, first: Value) -> float | None:
    if isinstance(value, float) and isinstance(first, float) and math.isfinite(value) and math.isfinite(first):
        return value - first
    return None


def _datasets(run: LoggedRun) -> dict[str, str]:
    """What a run read, by what for."""
    found: dict[str, str] = {}
    for it in run.datasets:
        key = it.context or "dataset"
        found[key] = ", ".join(filter(None, (found.get(key), f"{it.name} ({it.digest})")))
    return found


def _environment(registry: RegistryClient, run: LoggedRun, notices: list[str]) -> dict[str, str]:
    """Libraries that a run had: what it wrote down, or the training around it, else what its model asks for."""
    try:
        for run_id in filter(None, (run.run_id, run.tags.get(PARENT))):
            try:
                return _pinned(tracking.read_artifact(registry.client, run_id, WRITTEN))
            except NotFoundError:
                continue
        return _pinned(tracking.requirements_of(registry.client, run.models[0])) if run.models else {}
    except AbtestError as error:
        notices.append(str(error))
        return {}


def _pinned(text: str) -> dict[str, str]:
    """Read what is installed, or asked for, and Python itself."""
    libraries, python, _ = parsed(text)
    found = {name: asked.removeprefix("==") or "any" for name, asked in libraries.items()}
    return {**({"python": python} if python else {}), **found}
