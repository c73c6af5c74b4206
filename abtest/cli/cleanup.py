"""``abtest cleanup``: old versions and runs that nothing stands on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment.shared import connect, seconds
from abtest.cli.models import shared as s

if TYPE_CHECKING:
    from abtest.books.retention import Cleaned, CleanupPlan, Item

_MOST = 20  # lines of what goes


def cleanup(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One model, and the runs about it. Default: all.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="SPAN", help="What is younger stays, such as 90d.", show_default=False)
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="The newest N stay, of each model's versions and kind of run."),
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="Runs alone.")] = False,
    versions: Annotated[bool, typer.Option("--versions", help="Versions alone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete; without it, a plan is shown.")] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show which old versions and runs of abtest's nothing stands on, and with --yes delete them.

    Never what is in Production or Staging, has an alias or is in the history, nor a run that what stays stands on.
    Deleted runs can be restored until 'mlflow gc', deleted versions cannot. Live stores and caches are not touched.

    Example:
        $ abtest cleanup digits --older-than 90d --keep 10
    """
    if older_than is None and keep is None:
        raise typer.BadParameter("give one of them, or both: what is to stay?", param_hint="--older-than / --keep")
    span = None if older_than is None else timedelta(seconds=seconds(older_than, "--older-than"))
    from abtest.books import cleaning  # noqa: PLC0415 - --help does not pay for it
    from abtest.books.retention import Retention  # noqa: PLC0415 - see above

    registry = connect(tracking_uri, registry_uri)
    wanted = cleaning.Wanted(
        retention=Retention(older_than=span, keep=keep), model=name,
        versions=versions or not runs, runs=runs or not versions,
    )  # fmt: skip
    plan = cleaning.plan(registry, wanted)
    if not yes:
        if not s.json_or(form, {"plan": plan.to_dict(), "done": None}):
            _show(plan)
        common.tell(f"Registry  {registry}")
        return
    if form != "json":
        _show(plan, yes=True)
    with common.Bar(quiet=form == "json") as progress:
        done = cleaning.clean(registry, plan, progress=progress)
    if not s.json_or(form, {"plan": plan.to_dict(), "done": done.to_dict()}):
        _told(done)
    common.tell(f"Registry  {registry}")
    if done.failed:
        from abtest.errors import BackendError  # noqa: PLC0415 - see above

        raise BackendError(done.failed, hint="what was deleted until then is listed; try again for the rest.")


def _show(plan: CleanupPlan, *, yes: bool = False) -> None:
    if plan.going:
        typer.echo(f"{'To go' if yes else 'Would go'}: {_counted(plan.going)}.\n")
        going = [(it.what, s.time(it.at)) for it in plan.going[:_MOST]]
        s.print_table(("what", "since"), going, prose=("what",))
        if plan.going[_MOST:]:
            typer.echo(f"… and {len(plan.going) - _MOST} more; --format json has all.")
    else:
        typer.echo("Nothing would go.")
    if plan.staying:
        typer.echo(f"\nStays: {_counted(plan.staying)}.\n")
        rows = [(str(n), kind, why) for kind, why, n in plan.reasons()]
        s.print_table(("count", "what", "why"), rows, right=("count",), prose=("why",))
    for told in _notes(plan):
        common.tell(f"Note: {told}")
    if plan.going and not yes:
        common.tell("Next      --yes deletes what would go; a version cannot be brought back")


def _notes(plan: CleanupPlan) -> list[str]:
    notes = []
    if plan.deleted:
        count = wording.plural(len(plan.deleted), "deleted run", "deleted runs")
        notes.append(f"abtest's {count} can be restored until 'mlflow gc' frees their room")
    if plan.deleted_in_use:
        count = wording.plural(len(plan.deleted_in_use), "deleted run")
        listed = wording.command("runs", "restore", *(run_id[:12] for run_id in plan.deleted_in_use[:3]))
        notes.append(f"something stands on {count}, which 'mlflow gc' would not spare: {listed}")
    return notes


def _told(done: Cleaned) -> None:
    typer.echo(f"\nDeleted: {_counted(done.deleted) if done.deleted else 'nothing'}.")
    for it in done.spared:
        typer.echo(f"Stays after all: {it.what}: {'; '.join(it.because)}")
    if done.left:
        typer.echo(f"Not come to: {_counted(done.left)}.")


def _counted(items: tuple[Item, ...]) -> str:
    versions = sum(it.kind == "version" for it in items)
    runs = sum(len(it.run_ids) for it in items)
    told = [wording.plural(versions, "version")] if versions else []
    return " and ".join([*told, wording.plural(runs, "run")] if runs else told)
