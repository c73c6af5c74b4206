"""``abtest runs delete | restore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s
from abtest.cli.runs import shared as r

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.books.runs import LoggedRun

KEPT = "MLflow keeps what is deleted until 'abtest cleanup', or 'mlflow gc', removes it for good."


def delete(
    run: r.MaybeRuns = None,
    wanted: r.Filter = None,
    experiment: r.Experiments = None,
    dry_run: r.DryRun = False,
    yes: s.Yes = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Delete runs, all or none; those are refused that something in use stands on.

    That is what versions were made of that are staged, have an alias or were in production; the records of promotions;
    and what those refer to. 'abtest runs restore' brings back what was deleted.

    Example:
        $ abtest runs delete --filter 'metrics.train_accuracy < 0.5' --dry-run
    """
    from abtest.books import deleting, runs  # noqa: PLC0415 - --help does not pay for it

    if bool(run) == (wanted is not None) or (wanted is not None and not wanted.strip()):
        raise typer.BadParameter("name runs, or say which by a filter.", param_hint="RUN… / --filter")
    if run and experiment:
        raise typer.BadParameter("means nothing where runs are named.", param_hint="--experiment")
    registry = r.connect(tracking_uri, registry_uri)
    if run:
        found = [it for it in runs.find(registry, run) if not it.deleted]
    else:
        found = list(runs.search(registry, experiments=experiment or (), wanted=wanted).runs)
    deleting.refuse_used(registry, found)
    if found and not dry_run:
        if not yes:
            r.tell_runs(found)
        s.sure(f"Delete {wording.plural(len(found), 'run')}?", yes=yes)
        deleting.delete(registry, found)
    _told(found, form, "Would delete" if dry_run else "Deleted", "There is nothing to delete.")
    if found and not dry_run:
        common.tell(f"Note: {KEPT}")


def restore(
    run: r.Runs,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Bring deleted runs back, all or none; 'abtest runs list --deleted' shows them.

    Example:
        $ abtest runs restore 'logistic regression'
    """
    from abtest.books import deleting, runs  # noqa: PLC0415 - --help does not pay for it

    registry = r.connect(tracking_uri, registry_uri)
    found = [it for it in runs.find(registry, run) if it.deleted]
    deleting.restore(registry, found)
    _told(found, form, "Restored", "There is nothing to restore: none of these was deleted.")


def _told(found: Sequence[LoggedRun], form: str, done: str, nothing: str) -> None:
    if s.json_or(form, {"runs": [run.run_id for run in found]}):
        return
    if not found:
        typer.echo(nothing)
        return
    typer.echo(f"{done} {wording.plural(len(found), 'run')}:")
    for run in found:
        typer.echo(f"  {run.run_id}  {r.plain(run.name)}")
