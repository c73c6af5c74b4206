"""A logged model becomes a version of a registered one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abtest import mover, tracking
from abtest.errors import AbtestError, InvalidInputError, ModelNotFoundError, NotFoundError
from abtest.lifecycle.moving import carried_out
from abtest.lifecycle.records import Moved
from abtest.registry import LATEST, stage_name
from abtest.trail import Trail
from abtest.transitions import into_stage, onto_alias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion, RegistryClient
    from abtest.tracking import FoundRun
    from abtest.transitions import Plan

_RESERVED = ("abtest.", "mlflow.")  # begin the tags that verdicts, and MLflow's own words, are kept in


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a version's files come from, and what its run says of it.

    Attributes:
        uri: What MLflow is given as the source.
        run_id: The run that logged it.
        model_id: The logged model.
        tags: Framework, dataset and metrics.
    """

    uri: str
    run_id: str | None
    model_id: str | None
    tags: Mapping[str, str]


def register(
    registry: RegistryClient,
    name: str,
    *,
    run_id: str | None = None,
    model_uri: str | None = None,
    stage: str | None = None,
    alias: str | None = None,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Moved:
    """Register a logged model as a new version. See ``Registry.register``."""
    if (run_id is None) == (model_uri is None):
        raise InvalidInputError("Give one of run_id and model_uri.", hint="a run id, or runs:/…, models:/…, a path.")
    refuse_reserved(tuple(tags or ()))
    entered = refuse(registry, name, stage=stage, alias=alias)
    source = find(registry, run_id=run_id, model_uri=model_uri)
    registry.create_model(name)
    number = registry.create_version(
        name, source.uri, run_id=source.run_id, model_id=source.model_id,
        tags={**source.tags, **(tags or {})}, description=description,
    )  # fmt: skip

    def planner(versions: Sequence[ModelVersion]) -> Plan:
        steps = into_stage(number, entered, versions) if entered and entered != "None" else ()
        if alias and not any(step.kind == "alias" and step.name == alias for step in steps):
            steps = (*steps, *onto_alias(number, alias, versions))
        return steps

    where = " and ".join(
        text for text in (f"stage {entered}" if entered else "", f"alias {alias}" if alias else "") if text
    )
    request = mover.Request(
        kind="registration", model=name, version=number, planner=planner, why=f"registered for {where}"
    )
    try:
        moved = carried_out(registry, request) if entered or alias else Moved(model=name, version=number, plan=())
    except AbtestError as error:
        raise type(error)(
            f"Version {number} of '{name}' was registered, but not put into {where}: {error.message}", hint=error.hint
        ) from error
    return replace(moved, notices=(*moved.notices, *_left_out(source)))


def refuse(registry: RegistryClient, name: str, *, stage: str | None, alias: str | None) -> str | None:
    """Refuse what cannot come to be, before a version is made, or a model is trained for it.

    Returns:
        The stage, as MLflow spells it.

    Raises:
        InvalidInputError: MLflow knows no such stage, or takes no such name or alias.
        UnfinishedError: Another move of this model is under way.
    """
    entered = None if stage is None else stage_name(stage)
    _check_alias(alias)
    if not name.strip() or any(letter in name for letter in "/:"):
        raise InvalidInputError(f"name cannot be {name!r}.", hint="use letters, digits, - and _.")
    if entered or alias:
        _refuse_unfinished(registry, name)
    return entered


def find(registry: RegistryClient, *, run_id: str | None, model_uri: str | None) -> Source:
    """Find a logged model by its run or its URI, and read what it is.

    Raises:
        NotFoundError: There is no such run or model.
        InvalidInputError: The run logged several.
    """
    run = tracking.get_run(registry.client, run_id) if run_id is not None else None
    uri = _model_of(run) if run is not None else str(model_uri)
    info = registry.model_info(uri)
    model_id = getattr(info, "model_id", None)
    if run is None and info.run_id:
        with contextlib.suppress(NotFoundError):  # a model that was copied from elsewhere knows a run that is not here
            run = tracking.get_run(registry.client, info.run_id)
    return Source(
        uri=f"models:/{model_id}" if model_id else uri,
        run_id=run.run_id if run else None,
        model_id=model_id,
        tags={**_framework(info.flavors), **(_told_by(run) if run else {})},
    )


def _model_of(run: FoundRun) -> str:
    """The one model that a run logged."""
    if len(run.models) > 1:
        listed = ", ".join(f"models:/{name}" for name in run.models)
        raise InvalidInputError(f"Run {run.run_id} logged several models: {listed}.", hint="name one with --model-uri.")
    # As MLflow 2 logged it, by its usual name, where the run knows of none.
    return f"models:/{run.models[0]}" if run.models else f"runs:/{run.run_id}/model"


def _framework(flavors: Mapping[str, Any]) -> dict[str, str]:
    names = sorted(name for name in flavors if name != "python_function")
    return {"framework": names[0] if names else "python_function"}


def _told_by(run: FoundRun) -> dict[str, str]:
    tags = {f"metric.{name}": f"{value:g}" for name, value in sorted(run.metrics.items())}
    return {**tags, "dataset": ", ".join(run.datasets)} if run.datasets else tags


def _left_out(source: Source) -> tuple[str, ...]:
    if source.run_id is None:
        return ("The model knows no run here, so it has no metrics or dataset.",)
    return ()


def refuse_reserved(keys: Sequence[str]) -> None:
    """Refuse tags that would pass for a verdict.

    Raises:
        InvalidInputError: One is of those that abtest keeps its record in.
    """
    for key in keys:
        if key.startswith(_RESERVED):
            raise InvalidInputError(
                f"tag {key!r} is reserved: what begins with {' or '.join(_RESERVED)} is not set by hand."
            )


def _refuse_unfinished(registry: RegistryClient, name: str) -> None:
    """Refuse before a version is made that could not be moved."""
    with contextlib.suppress(ModelNotFoundError):
        mover.cleared(Trail(registry, name), registry.versions(name), ())


def _check_alias(alias: str | None) -> None:
    """Refuse an alias that MLflow would refuse, before anything is registered."""
    if alias is None:
        return
    if alias.lower() == LATEST or (alias[:1] in "vV" and alias[1:].isdecimal()):
        raise InvalidInputError(
            f"alias cannot be {alias!r}: MLflow reserves 'latest' and v<number>.", hint="try champion or challenger."
        )
    if not alias or not all((letter.isalnum() and letter.isascii()) or letter in "_-" for letter in alias):
        raise InvalidInputError(f"alias must be of letters, digits, _ and -, got {alias!r}.")
