"""What is done with what was trained, step by step: refused ahead, written, logged, registered."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.errors import AbtestError, InvalidInputError, NotFoundError
from abtest.lifecycle import Registry, registering
from abtest.registry import RegistryClient
from abtest.reporter.folder import prepare
from abtest.training import folder, logging
from abtest.wording import command as typed
from abtest.wording import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.training.training import Trained

_NO_REGISTRY = (
    "'mlflow db upgrade sqlite:///mlflow.db' makes an empty one here; --tracking-uri names another; --no-log trains "
    "without."
)


def prepared(
    *,
    model_name: str | None,
    stage: str | None,
    alias: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
    output: Path | None,
    log: bool,
) -> RegistryClient | None:
    """Refuse what cannot come to be, before hours of work, and connect to where it is logged.

    Raises:
        InvalidInputError: The options contradict each other, or the folder cannot be written to.
        NotFoundError: There is no registry.
    """
    if model_name is None and (stage or alias):
        raise InvalidInputError(f"{'stage' if stage else 'alias'} means nothing without a model to register.")
    if model_name is not None and not log:
        raise InvalidInputError("A model that is not logged cannot be registered.", hint="leave --no-log out.")
    if output is not None:
        prepare(output)
    if not log:
        return None
    registry = RegistryClient(tracking_uri, registry_uri)
    try:
        registry.check()
    except NotFoundError as error:
        raise NotFoundError(error.message, hint=_NO_REGISTRY) from error
    if model_name is not None:
        registering.refuse(registry, model_name, stage=stage, alias=alias)
    return registry


def named(trained: Trained, model_name: str | None, registry: RegistryClient | None, command: str | None) -> Trained:
    """Put on record what it was trained for, and how it was asked for."""
    record = trained.record
    source = replace(
        record.provenance,
        registry=None if registry is None else str(registry),
        command=None if command is None else redacted(command),
    )
    return replace(trained, record=replace(record, model_name=model_name, provenance=source))


@contextlib.contextmanager
def folder_for(output: Path | None) -> Iterator[Path]:
    """Where the report goes: into what was named, else for as long as it takes to log it."""
    if output is not None:
        yield output
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def logged(trained: Trained, registry: RegistryClient, *, experiment: str | None, draw: bool, kept: bool) -> Trained:
    """Log what was trained; where that fails, the models are saved in the report's folder.

    Raises:
        AbtestError: It could not be logged; the message says where everything is.
    """
    assert trained.report is not None  # noqa: S101 - it was written
    try:
        return logging.log(trained, registry, trained.report, experiment=experiment, draw=draw)
    except AbtestError as error:
        if not kept:
            raise
        raise type(error)(
            f"The candidates are trained, and in {trained.report}{_saved(trained)}, but not logged: {error.message}",
            hint=error.hint,
        ) from error
    except KeyboardInterrupt as stop:
        if kept:
            stop.add_note(f"The candidates are trained, and told of in {trained.report}.")
        raise


def _saved(trained: Trained) -> str:
    """Save the models too, now that they are logged nowhere; what went wrong first is what is told."""
    assert trained.report is not None  # noqa: S101 - it was written
    try:
        folder.save_models(trained, trained.report)
    except (AbtestError, OSError):  # a full disk, as it may be
        return ""
    return " with their models"


def registered(
    trained: Trained, registry: RegistryClient, name: str, *, stage: str | None, alias: str | None, draw: bool
) -> Trained:
    """Register the best candidate, and say so on record.

    Raises:
        AbtestError: It could not be registered; the message says how to do it later.
    """
    assert trained.report is not None  # noqa: S101 - it was written
    record = trained.record
    run_id = str(record.best.run_id)
    lifecycle = Registry(registry.tracking_uri, registry.registry_uri)
    try:
        moved = lifecycle.register(name, run_id=run_id, stage=stage, alias=alias)
    except AbtestError as error:
        later = typed("models", "register", "--run-id", run_id, name)
        raise type(error)(
            f"The candidates are trained, and logged in run {record.run_id}, but {record.best.name} is not registered: "
            f"{error.message}",
            hint=f"{error.hint} Later: {later}" if error.hint else f"later: {later}",
        ) from error
    done = replace(trained, record=replace(record, version=moved.version, notices=(*record.notices, *moved.notices)))
    logging.tell_again(done, registry, trained.report, draw=draw)
    return done
