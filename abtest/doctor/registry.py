"""The registry: whether it answers, its schema, who holds which role, what waits, and what we may do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from abtest import mover, wording
from abtest.doctor.findings import Asked, Finding, State
from abtest.registry import database
from abtest.talking import all_pages, is_missing, told_as_ours
from abtest.trail import Trail, experiment_of
from abtest.transitions import ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.registry.versions import ModelOverview

_NOBODYS = str(2**31 - 1)  # a version that there is none of


def answers(asked: Asked) -> Finding:
    """Whether it is there and answers within seconds."""
    asked.registry.check()
    registry, tracking = map(wording.redacted, (asked.registry.registry_uri, asked.registry.tracking_uri))
    beside = "" if registry == tracking else f", and so does {tracking}"
    return Finding(State.OK, f"{registry} answers{beside}.")


def schema(asked: Asked) -> Finding:
    """Whether its database is of this MLflow; one that is older would be changed by merely being opened."""
    uris = [uri for uri in dict.fromkeys((asked.registry.registry_uri, asked.registry.tracking_uri))
            if database.is_database(uri)]  # fmt: skip
    if not uris:
        return Finding(State.OK, "No database is opened from here: its schema is the server's affair.")
    for uri in uris:
        found = database.revision(uri)
        shown = wording.redacted(uri)
        if found.is_newer:
            told = f"{shown} is of a newer MLflow than the one here (schema {found.found})."
            return Finding(State.PROBLEM, told, "pip install --upgrade mlflow")
        if not found.is_current:
            told = f"{shown} is of an older MLflow (schema {found.found or 'unknown'}, this one's is {found.wanted})."
            hint = f"back it up, stop who uses it, then: mlflow db upgrade {shown}. Opened, it may be upgraded unasked."
            return Finding(State.PROBLEM, told, hint)
        if (letters := _letters(uri)) is not None:
            return letters
    return Finding(State.OK, f"The database has the schema of this MLflow ({found.wanted}).")


def _letters(uri: str) -> Finding | None:
    """Whether a MySQL database keeps all letters, and tells small ones from capitals."""
    collation, shown = database.collation(uri), wording.redacted(uri)
    hint = "a new database, CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, keeps and tells apart all of them."
    if collation is None or collation.endswith(("_bin", "_cs")):
        return None
    if not collation.startswith("utf8"):
        return Finding(State.PROBLEM, f"{shown} keeps no letters beyond those of {collation}: logging fails.", hint)
    return Finding(State.WARNING, f"{shown} takes Iris and iris for one name ({collation}).", hint)


def roles(asked: Asked) -> Finding:
    """Which models use stages, which aliases; two names of one role on different versions is ambiguous."""
    models = asked.registry.overview()
    if not models:
        return Finding(State.OK, "There are no registered models yet.")
    torn = [told for model in models for told in _torn(model)]
    if torn:
        more = f", and {wording.plural(len(torn) - 1, 'more')}" if torn[1:] else ""
        return Finding(
            State.WARNING, f"{torn[0]}{more}.", "name the side by --champion-stage or --champion-alias, or move one."
        )
    staged = sum(any(stage in model.stages for stage in ALIASES) for model in models)
    aliased = sum(any(alias in model.aliases for alias in ALIASES.values()) for model in models)
    return Finding(
        State.OK, f"{wording.plural(len(models), 'model')}: {staged} with stages, {aliased} with aliases in use."
    )


def _torn(model: ModelOverview) -> Iterator[str]:
    for stage, alias in ALIASES.items():
        in_stage, on_alias = model.stages.get(stage), model.aliases.get(alias)
        if in_stage is not None and on_alias is not None and in_stage != on_alias:
            yield f"Stage {stage} of '{model.name}' holds version {in_stage} but alias '{alias}' is on {on_alias}"


def moves(asked: Asked) -> Finding:
    """Whether a move was cut off, or waits for approval."""
    cut_off, waiting = [], []
    for name in _with_trail(asked):
        trail = Trail(asked.registry, name)
        movements = trail.read()
        cut_off += [it for it in mover.unfinished(movements, asked.registry.versions(name)) if it.cut_off]
        waiting += [(name, it) for it in mover.awaiting(movements)]
    if cut_off:
        error = cut_off[0].error()
        return Finding(State.WARNING, error.message, error.hint)
    if waiting:
        name, first = waiting[0]
        told = f"{wording.plural(len(waiting), 'move waits', 'moves wait')} for approval, first a {first.title}."
        return Finding(State.WARNING, told, f"{wording.command('models', 'approve', name)}, or reject")
    return Finding(State.OK, "None was cut off, and none waits for approval.")


def _with_trail(asked: Asked) -> Sequence[str]:
    """Registered models of which a move is on record."""
    known = {experiment_of(model.name): model.name for model in asked.registry.overview()}
    with told_as_ours("The experiments could not be read", anything=True):
        there = [it.name for it in all_pages(asked.registry.keeper.search_experiments)]
    return [known[name] for name in there if name in known]


def writing(asked: Asked) -> Finding:
    """Whether we may write: asked for what changes nothing, even where it is allowed."""
    uri = asked.registry.registry_uri
    if database.is_database(uri):
        database.try_writing(uri)
        return Finding(State.OK, "The database takes what is written.")
    if not uri.startswith(("http://", "https://")):
        return _folder(Path(unquote(urlsplit(uri).path)), "The registry")
    model = asked.settings.registry.get("model_name") or next(iter(asked.registry.models()), None)
    if model is None:
        return Finding(State.SKIPPED, "Not looked at: the server is asked about a model, and there is none.")
    with told_as_ours(f"The server cannot be written to for '{model}'", anything=True):
        try:
            asked.registry.client.set_model_version_tag(model, _NOBODYS, "abtest.doctor", "never set")
        except Exception as error:
            if not is_missing(error):  # that there is no such version is told to who may write it only
                raise
    return Finding(State.OK, f"The server lets us write to '{model}'.")


def artifacts(asked: Asked) -> Finding:
    """Whether reports can be put where runs of this registry keep their files."""
    model = asked.settings.registry.get("model_name")
    names = ([experiment_of(model)] if model else []) + ["Default"]
    with told_as_ours("The experiments could not be read", anything=True):
        found = [it for name in names if (it := asked.registry.client.get_experiment_by_name(name)) is not None]
    if not found:
        return Finding(State.SKIPPED, "Not looked at: there is no experiment yet.")
    spelled = urlsplit(found[0].artifact_location)
    if spelled.scheme not in {"", "file"}:
        return Finding(State.OK, f"Files are kept by {spelled.scheme}:, which is not tried from here.")
    return _folder(Path(unquote(spelled.path)), "Runs' files")


def _folder(folder: Path, what: str) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if os.access(there, os.W_OK):
        return Finding(State.OK, f"{what} can be written in {folder}.")
    return Finding(State.PROBLEM, f"{what} cannot be written in {folder}.", "whose folder is it?")
