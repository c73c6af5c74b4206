"""``abtest experiments``: MLflow's folders of runs; ``abtest experiment`` is the one on live traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.examples import App
from abtest.cli.models import shared as s
from abtest.cli.runs import shared as r
from abtest.cli.runs.deleting import KEPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.books.experiments import ListedExperiment

app = App(no_args_is_help=True, rich_markup_mode="rich")
Named: TypeAlias = Annotated[list[str], typer.Argument(metavar="EXPERIMENT…", help="Their names, or ids.")]


@app.command("list")
def list_experiments(
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted, instead.")] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """List MLflow's experiments: how many runs of which kind each holds, and when something last happened.

    Example:
        $ abtest experiments list
    """
    from abtest.books import experiments  # noqa: PLC0415 - --help does not pay for it

    registry = r.connect(tracking_uri, registry_uri)
    with common.Bar(quiet=False) as progress:
        found = experiments.listing(registry, deleted=deleted, progress=progress)
    if s.json_or(form, [it.to_dict() for it in found]):
        return
    if not found:
        typer.echo("There are no such experiments.")
    else:
        rows = [
            (it.experiment_id, r.plain(it.name, 60), wording.whole(it.runs), s.time(it.last_activity), _kinds(it))
            for it in found
        ]
        headers = ("id", "experiment", "runs", "last activity", "kinds")
        s.print_table(headers, rows, right=("id", "runs"), prose=("kinds",), spare=("id",))
    common.tell(f"Registry  {registry}")


@app.command("delete")
def delete(
    experiment: Named,
    dry_run: r.DryRun = False,
    yes: s.Yes = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Delete MLflow experiments with their runs; refused where one is in use, as by 'abtest runs delete'.

    Example:
        $ abtest experiments delete Default --dry-run
    """
    from abtest.books import experiments  # noqa: PLC0415 - --help does not pay for it

    registry = r.connect(tracking_uri, registry_uri)
    found = experiments.planned(registry, experiment, deleted=False)
    experiments.refuse_used(registry, found)
    if found and not dry_run:
        if not yes:
            for it in found:
                common.tell(f"  {_told(it)}")
        s.sure(f"Delete {wording.plural(len(found), 'experiment')}?", yes=yes)
        experiments.delete(registry, found)
    _done(found, form, "Would delete" if dry_run else "Deleted", "There is nothing to delete.")
    if found and not dry_run:
        common.tell(f"Note: {KEPT}")


@app.command("restore")
def restore(
    experiment: Named,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Bring deleted MLflow experiments back with all their runs, those too that were deleted before: so MLflow does.

    Example:
        $ abtest experiments restore 'digits training'
    """
    from abtest.books import experiments  # noqa: PLC0415 - --help does not pay for it

    registry = r.connect(tracking_uri, registry_uri)
    found = experiments.planned(registry, experiment, deleted=True)
    experiments.restore(registry, found)
    _done(found, form, "Restored", "There is nothing to restore: none of these was deleted.")


def _done(found: Sequence[ListedExperiment], form: str, done: str, nothing: str) -> None:
    if s.json_or(form, {"experiments": [it.to_dict() for it in found]}):
        return
    typer.echo("\n".join(f"{done} {_told(it)}." for it in found) or nothing)


def _told(it: ListedExperiment) -> str:
    return f"experiment '{r.plain(it.name, 200)}' with {wording.plural(it.runs, 'run')}"


def _kinds(it: ListedExperiment) -> str:
    return ", ".join(f"{r.plain(kind)} {number}" for kind, number in it.kinds.items()) or "–"
