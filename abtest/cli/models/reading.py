"""``abtest models list | show | history | compare``: what there is."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s
from abtest.settings import listed

if TYPE_CHECKING:
    from abtest.lifecycle.records import LoggedComparison, ShownModel, ShownVersion
    from abtest.trail import Entry, History, Movement

_METRICS = 5  # columns
_RUN = 12  # letters of a run's id that tell it from others
_REASON = 100  # letters


def list_models(
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """List the registered models, and which versions they have in production and staging.

    Example:
        $ abtest models list
    """
    registry = s.connect(tracking_uri, registry_uri)
    models = registry.list_models()
    if s.json_or(form, [model.to_dict() for model in models]):
        return
    if not models:
        typer.echo("There are no registered models.")
    else:
        headers = ("model", "Production", "Staging", "aliases", "latest", "changed", "description")
        rows = [
            (
                model.name,
                _number(model.production),
                _number(model.staging),
                ", ".join(f"{alias} → {version}" for alias, version in model.aliases.items()) or "–",
                _number(model.latest),
                s.time(model.updated_at),
                textwrap.shorten(model.description or "–", _REASON, placeholder=" …"),
            )
            for model in models
        ]
        numbers, spare = ("Production", "Staging", "latest"), ("description", "changed", "latest")
        s.print_table(headers, rows, right=numbers, prose=("description",), spare=spare)
    common.tell(f"Registry  {registry}")


def show(
    name: s.MaybeName = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show a model's versions: stages, aliases, logged metrics, who and when, last verdicts.

    Example:
        $ abtest models show digits
    """
    wanted = s.model_name(name)
    registry = s.connect(tracking_uri, registry_uri)
    model = registry.show(wanted)
    if s.json_or(form, model.to_dict()):
        return
    _show(model)
    common.tell(f"Registry  {registry}")


def history(
    name: s.MaybeName = None,
    everything: Annotated[bool, typer.Option("--all", help="Attempts too that changed nothing.")] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Tell what was in production when, who moved it, why, and on which comparison.

    Example:
        $ abtest models history digits --all
    """
    wanted = s.model_name(name)
    registry = s.connect(tracking_uri, registry_uri)
    past = registry.history(wanted)
    if s.json_or(form, past.to_dict()):
        return
    _history(past, everything=everything)
    common.tell(f"Registry  {registry}")


def compare(
    name: s.Name,
    first: Annotated[str, typer.Argument(metavar="V1", help="A version's number, or latest.")],
    second: Annotated[str, typer.Argument(metavar="V2", help="The other's.")],
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="These alone. Repeats, or takes commas.")
    ] = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show two versions' logged metrics and parameters side by side.

    They were measured in training, maybe on different rows: 'abtest compare' is the evidence.

    Example:
        $ abtest models compare digits 1 2
    """
    found = s.connect(tracking_uri, registry_uri).compare_logged(name, first, second, listed(metric))
    if s.json_or(form, found.to_dict()):
        return
    _compared(found)


def _show(model: ShownModel) -> None:
    typer.echo(f"{model.name}  {model.description or ''}".rstrip())
    typer.echo("")
    if not model.versions:
        typer.echo("It has no versions.")
    names = _most_logged(model)
    headers = ("version", "stage", "aliases", *names, "trained by", "registered", "last verdict", "description")
    rows = [
        (
            str(shown.details.version.version),
            shown.details.version.stage or "–",
            ", ".join(shown.details.version.aliases) or "–",
            *(_value(shown.metrics.get(name)) for name in names),
            shown.user or "–",
            s.time(shown.details.created_at),
            _verdict(shown),
            textwrap.shorten(shown.details.description or "–", _REASON, placeholder=" …"),
        )
        for shown in reversed(model.versions)
    ]
    if rows:
        spare = ("description", "trained by", *reversed(names[1:]), "registered")
        s.print_table(headers, rows, right=("version", *names), prose=("description",), spare=spare)
    for notice in model.notices:
        typer.echo(f"Warning: {notice}")


def _most_logged(model: ShownModel) -> tuple[str, ...]:
    """The metrics that most versions have."""
    names: dict[str, int] = {}
    for shown in model.versions:
        for name in shown.metrics:
            names[name] = names.get(name, 0) + 1
    return tuple(sorted(names, key=lambda name: (-names[name], name))[:_METRICS])


def _verdict(shown: ShownVersion) -> str:
    if shown.verdict is None:
        return "–"
    return f"{shown.verdict} on its challenger" if shown.role == "champion" else shown.verdict


def _history(past: History, *, everything: bool) -> None:
    headers = ("since", "in production", "what", "by", "why", "comparison")
    if not past.entries:
        typer.echo(f"Nothing of '{past.model}' was ever in production, as far as is on record.")
    else:
        rows = [_entry(entry) for entry in reversed(past.entries)]
        s.print_table(headers, rows, prose=("why",), spare=("comparison", "by"))
    for number in past.missing:
        typer.echo(f"Warning: record {number} is missing: its run was deleted for good.")
    if past.entries and past.entries[-1].kind == "unrecorded":
        typer.echo("Warning: it was moved outside abtest since the last record, in MLflow's UI or by another program.")
    if everything and past.attempts:
        typer.echo("\nAttempts that changed nothing in the end, or have not ended:")
        rows = [(s.time(it.began_at), it.what, str(it.outcome), it.by, _ended(it)) for it in reversed(past.attempts)]
        s.print_table(("began", "what", "outcome", "by", "why"), rows, prose=("why",), spare=("by",))
    elif past.attempts:
        attempts = wording.plural(len(past.attempts), "attempt")
        common.tell(f"Next      --all shows {attempts}, too, that changed nothing or have not ended")


def _entry(entry: Entry) -> tuple[str, ...]:
    serving = " and ".join(map(str, entry.standing.serving)) or "nothing"
    it = entry.movement
    if it is None:
        since = "before the trail" if entry.kind == "found" else _between(entry)
        return since, serving, "found so" if entry.kind == "found" else "moved outside abtest", "–", "–", "–"
    approved = it.evidence.get("abtest.approved_by")
    who = f"{it.evidence['abtest.requested_by']}, approved by {approved}" if approved else it.by
    why = textwrap.shorten(it.why, _REASON, placeholder=" …")
    run = it.evidence.get("abtest.comparison_run_id")
    what = it.what if it.sequence is not None else f"{it.what} ({it.outcome})"
    return s.time(entry.at), serving, what, who, why, f"run {run[:_RUN]}" if run else "–"


def _ended(movement: Movement) -> str:
    told = [movement.why, *(movement.note or "").splitlines()[:1]]
    return textwrap.shorten(" → ".join(text for text in told if text), 2 * _REASON, placeholder=" …")


def _between(entry: Entry) -> str:
    until = "now" if entry.before is None else s.time(entry.before)
    return f"between {s.time(entry.after)} and {until}"


def _compared(found: LoggedComparison) -> None:
    headers = ("", *(f"version {number}" for number in found.versions), "")
    rows = [(row.name, _value(row.first), _value(row.second), "≠" if row.differs else "=") for row in found.rows]
    if not rows:
        typer.echo("Nothing was logged for either version.")
        return
    s.print_table(headers, rows, right=headers[1:3])
    versions = [f"--{side}-version={n}" for side, n in zip(("champion", "challenger"), found.versions, strict=True)]
    common.tell("Note: logged in training, maybe on different rows.")
    common.tell(f"Next      {shlex.join(['abtest', 'compare', f'--model-name={found.model}', *versions])}")


def _number(version: int | None) -> str:
    return "–" if version is None else str(version)


def _value(value: float | str | None) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:.4g}"
