"""Runs as MLflow keeps them: found by its own filter language or by an id's first letters, each told in a line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest import wording
from abtest.errors import InvalidInputError, NotFoundError, near
from abtest.lifecycle.logged import unclipped
from abtest.lifecycle.records import finite
from abtest.talking import all_pages, is_invalid, quoted, told_as_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlflow.entities import Experiment
    from mlflow.entities import Run as MlflowRun
    from mlflow.store.entities import PagedList

    from abtest.registry import RegistryClient

    Progress: TypeAlias = Callable[[str, int, int | None], None]

EXAMPLE = "metrics.accuracy > 0.9 and params.kind = 'x'"
_ORDER = "metrics.accuracy DESC"
_A_PAGE = 1000
_PREFIX = re.compile(r"[0-9A-Za-z]+")  # of an id; no _, which matches anything in a filter
_FEWEST = 4  # letters of an id that are taken for it: "delete 3" may mean a version, and no run that begins so
_AN_ID = 32  # letters
_A_FEW = 4  # that one of them may be
_SHORTEST = 8  # letters of an id that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows that a run read.

    Attributes:
        name: As it was logged.
        digest: Likewise; MLflow's own is of the first rows.
        context: What it was read for, such as "training".
    """

    name: str
    digest: str
    context: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """A run in a line.

    Attributes:
        run_id: Its id.
        name: What it is called; empty where it is not.
        experiment_id: Where it is logged.
        experiment: Its name.
        status: MLflow's word for how it ended, or RUNNING.
        deleted: Whether it was deleted; MLflow keeps it until ``mlflow gc``.
        started_at: In UTC, by the clock of whoever began it.
        ended_at: Likewise; None of one that has not ended.
        by: Who ran it.
        params: Its parameters, without anybody's password.
        metrics: The last value of each.
        tags: All of them, likewise.
        datasets: What it read.
        models: Ids of the models it logged.
    """

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    status: str
    deleted: bool
    started_at: datetime | None
    ended_at: datetime | None
    by: str | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    models: tuple[str, ...]

    @classmethod
    def of(cls, run: MlflowRun, experiment: str) -> LoggedRun:
        """Read it off MLflow's."""
        info, data = run.info, run.data
        return cls(
            run_id=info.run_id,
            name=info.run_name or "",
            experiment_id=str(info.experiment_id),
            experiment=experiment,
            status=info.status,
            deleted=info.lifecycle_stage == "deleted",
            started_at=_time(info.start_time),
            ended_at=_time(info.end_time),
            by=data.tags.get("mlflow.user") or info.user_id or None,
            params=_told(data.params),
            metrics={name: unclipped(value) for name, value in data.metrics.items()},
            tags=_told(data.tags),
            datasets=tuple(
                Dataset(
                    name=it.dataset.name,
                    digest=it.dataset.digest,
                    context=next((tag.value for tag in it.tags if tag.key == "mlflow.data.context"), None),
                )
                for it in (run.inputs.dataset_inputs if run.inputs else ())
            ),
            models=tuple(it.model_id for it in run.outputs.model_outputs) if run.outputs else (),
        )

    @property
    def kind(self) -> str | None:
        """What it is, where abtest logged it: a comparison, a training, a promotion, and so on."""
        return self.tags.get("abtest.kind")

    @property
    def title(self) -> str:
        """Name it in a sentence."""
        return f"run {self.run_id[:12]}" + (f" '{self.name}'" if self.name else "")

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON; a metric that is no number is null."""
        return {
            "run_id": self.run_id,
            "name": self.name,
            "experiment_id": self.experiment_id,
            "experiment": self.experiment,
            "status": self.status,
            "deleted": self.deleted,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "by": self.by,
            "kind": self.kind,
            "params": dict(self.params),
            "metrics": {name: finite(value) for name, value in self.metrics.items()},
            "tags": {name: value for name, value in self.tags.items() if not name.startswith("mlflow.")},
            "datasets": [{"name": it.name, "digest": it.digest, "context": it.context} for it in self.datasets],
            "models": list(self.models),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Runs that were found.

    Attributes:
        runs: In the order that was asked for; by default the latest first.
        more: Whether there are more than were asked for.
    """

    runs: tuple[LoggedRun, ...]
    more: bool


def search(
    registry: RegistryClient,
    *,
    experiments: Sequence[str] = (),
    wanted: str | None = None,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    deleted: bool = False,
    progress: Progress | None = None,
) -> Found:
    """Find runs by MLflow's own filter language.

    Args:
        registry: Whose tracking server is asked.
        experiments: Names or ids; all by default.
        wanted: MLflow's filter.
        order_by: What MLflow sorts by, such as ``metrics.accuracy DESC``; by default the latest come first.
        limit: How many at most; None is all.
        deleted: Those that were deleted, instead of those that were not.
        progress: Told how many were read.

    Raises:
        InvalidInputError: MLflow does not take the filter, or the order.
        NotFoundError: There is no such experiment.
    """
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who looks pays for MLflow

    known = named_experiments(registry, experiments) if experiments else all_experiments(registry, deleted=deleted)
    view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    runs: list[LoggedRun] = []
    token: str | None = None

    def ask(size: int, order: Sequence[str] = ()) -> PagedList[MlflowRun]:
        with told_as_ours("The runs could not be read"):
            return registry.client.search_runs(
                list(known), wanted or "", run_view_type=view, max_results=size, order_by=list(order) or None,
                page_token=token,
            )  # fmt: skip

    while known:
        with _understood(wanted, order_by, alone=lambda: ask(1)):
            page = ask(_A_PAGE if limit is None else min(_A_PAGE, limit - len(runs)), order_by)
        runs += [LoggedRun.of(run, known[str(run.info.experiment_id)]) for run in page]
        token = page.token
        if progress is not None:
            progress("runs", len(runs), limit)
        if not token or len(runs) == limit:
            break
    return Found(runs=tuple(runs), more=bool(token))


@contextlib.contextmanager
def _understood(wanted: str | None, order_by: Sequence[str], *, alone: Callable[[], object]) -> Iterator[None]:
    """Tell what MLflow does not take of a filter, or of an order, as the user's to mend.

    Args:
        wanted: The filter.
        order_by: The order.
        alone: Asks with the filter alone, which tells whose fault it was.
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error
        # Of some values MLflow raises Python's own errors: what it cannot read is what was typed.
        if not isinstance(cause, Exception) or not (is_invalid(cause) or isinstance(cause, ValueError | TypeError)):
            raise
        if order_by:
            with _understood(wanted, (), alone=alone):
                alone()
            raise InvalidInputError(
                f"order-by cannot be {', '.join(order_by)!r}: {_said(cause)}.", hint=f"write it so: {_ORDER!r}."
            ) from cause
        if not wanted:
            raise
        raise InvalidInputError(
            f"filter {wanted!r} is not one that MLflow takes: {_said(cause)}.", hint=f'write it so: "{EXAMPLE}".'
        ) from cause


def _said(error: Exception) -> str:
    """What MLflow says in short: it goes on with all that it would take."""
    said = wording.first_line(error).partition(". Valid ")[0]
    return said.removeprefix("INVALID_PARAMETER_VALUE: ")  # as a server begins


def find(registry: RegistryClient, named: Sequence[str]) -> tuple[LoggedRun, ...]:
    """Find runs by their ids, four or more of their first letters, or their names; each once, in that order.

    Deleted ones are found too.

    Raises:
        NotFoundError: There is none.
        InvalidInputError: There are several.
    """
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who looks pays for MLflow

    known = {str(it.experiment_id): it.name for it in _experiments(registry, ViewType.ALL)}

    def asked(one: str, wanted: str) -> list[LoggedRun]:
        with told_as_ours(f"The run {one!r} could not be read", typed=True):
            page = registry.client.search_runs(list(known), wanted, run_view_type=ViewType.ALL, max_results=_A_FEW)
        return [LoggedRun.of(run, known[str(run.info.experiment_id)]) for run in page]

    found: dict[str, LoggedRun] = {}
    for one in named:
        is_id = _FEWEST <= len(one) <= _AN_ID and _PREFIX.fullmatch(one)
        runs = asked(one, f"attributes.run_id LIKE '{one.lower()}%'") if is_id else []
        if (len(one) < _AN_ID or not runs) and not ('"' in one and "'" in one):  # which MLflow's filter cannot write
            others = asked(one, f"attributes.run_name = {quoted(one)}")
            runs += [run for run in others if run.run_id not in {it.run_id for it in runs}]
        if not runs:
            raise NotFoundError(
                f"There is no run {one!r}.",
                hint=f"'abtest runs list' shows them, with --deleted others; of an id {_FEWEST} letters are needed.",
            )
        if len(runs) > 1:
            length = max(len(short) for short in short_ids(runs).values())
            listed = ", ".join(run.run_id[:length] for run in runs[:3]) + (", …" if len(runs) > 3 else "")
            raise InvalidInputError(f"run {one!r} may be any of {listed}.", hint="type more letters of its id.")
        found[runs[0].run_id] = runs[0]
    return tuple(found.values())


def all_experiments(registry: RegistryClient, *, deleted: bool = False) -> dict[str, str]:
    """Names of experiments by their ids; of deleted ones, too, only where that is asked for."""
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who looks pays for MLflow

    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    return {str(it.experiment_id): it.name for it in _experiments(registry, view)}


def named_experiments(registry: RegistryClient, named: Sequence[str]) -> dict[str, str]:
    """Find experiments by their names, or else by their ids; deleted ones too.

    Raises:
        NotFoundError: There is no such experiment.
    """
    known = all_experiments(registry, deleted=True)
    ids = {name: number for number, name in known.items()}
    found = {}
    for one in named:
        number = ids.get(one, one)
        if number not in known:
            raise NotFoundError(
                f"There is no experiment '{one}'.", hint=near(one, ids) or "'abtest experiments list' shows them."
            )
        found[number] = known[number]
    return found


def _experiments(registry: RegistryClient, view: int) -> list[Experiment]:
    with told_as_ours("The experiments could not be read"):
        return list(all_pages(registry.client.search_experiments, view_type=view, max_results=_A_PAGE))


def short_ids(runs: Sequence[LoggedRun]) -> dict[str, str]:
    """The first letters of ids, as few of them as tell these runs apart.

    Example:
        >>> short_ids([])
        {}
    """
    ids = {run.run_id for run in runs}
    length = _SHORTEST
    while len({run_id[:length] for run_id in ids}) < len(ids):
        length += 1
    return {run_id: run_id[:length] for run_id in ids}


def _told(logged: Mapping[str, str]) -> dict[str, str]:
    return {name: wording.redacted(value) for name, value in logged.items()}


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
