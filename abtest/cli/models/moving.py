"""``abtest models register | promote | auto-promote | rollback | archive | migrate-stages``: what moves."""

from __future__ import annotations

from typing import Annotated

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s


def register(
    name: s.Name,
    run_id: Annotated[str | None, typer.Option(metavar="RUN", help="The run that logged the model.")] = None,
    model_uri: Annotated[
        str | None, typer.Option(metavar="URI", help="Or where it is: runs:/…, models:/…, a path.")
    ] = None,
    stage: Annotated[str | None, typer.Option(metavar="STAGE", help="Put it into this stage.")] = None,
    alias: Annotated[str | None, typer.Option(metavar="ALIAS", help="Put this alias on it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Tag it. Repeats.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="Describe it.")] = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Register a logged model as a new version; framework, dataset and metrics become tags.

    Example:
        $ abtest models register digits --model-uri models:/digits/2 --alias next
    """
    if (run_id is None) == (model_uri is None):
        raise typer.BadParameter("give one of them.", param_hint="--run-id / --model-uri")
    moved = s.connect(tracking_uri, registry_uri).register(
        name, run_id=run_id, model_uri=model_uri, stage=stage, alias=alias, tags=s.pairs(tag, "--tag"),
        description=description,
    )  # fmt: skip
    if form == "json":
        s.told(moved, form, what=f"'{name}'")
        return
    typer.echo(f"Registered version {moved.version} of '{name}'.")
    if moved.plan or moved.notices:
        s.told(moved, form, what=f"'{name}'")


def promote(
    name: s.Name,
    version: s.Version,
    from_stage: Annotated[str | None, typer.Option(metavar="STAGE", help="Only if it is in this stage.")] = None,
    to_stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Where to. Default: production, by stage or alias.")
    ] = None,
    archive: Annotated[bool, typer.Option("--archive/--no-archive", help="Archive what is in that stage.")] = True,
    reason: s.Why = None,
    require_approval: s.RequireApproval = False,
    dry_run: s.DryRun = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Put a version into production by hand: no comparison stands behind it, and the record says so.

    Example:
        $ abtest models promote digits 2 --reason 'ticket 42'
    """
    moved = s.connect(tracking_uri, registry_uri).promote(
        name, version, from_stage=from_stage, to_stage=to_stage, archive=archive, why=reason,
        require_approval=require_approval, dry_run=dry_run,
    )  # fmt: skip
    s.told(moved, form, dry_run=dry_run, what=f"version {moved.version} of '{name}'")


def auto_promote(
    name: s.Name,
    version: s.Version,
    metric: Annotated[str, typer.Option(metavar="NAME", help="A metric that was logged in training.")],
    threshold: Annotated[float, typer.Option(metavar="VALUE", help="It must be at least this.")],
    to_stage: Annotated[str, typer.Option(metavar="STAGE", help="Staging or Production.")] = "Staging",
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="It must be at most that.")] = False,
    no_compare: Annotated[
        bool, typer.Option("--no-compare", help="Do not ask that it beats the version that serves.")
    ] = False,
    require_approval: s.RequireApproval = False,
    dry_run: s.DryRun = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Promote a version if a logged metric is good enough, and better than that of the version that serves.

    A weaker gate than 'abtest compare': logged metrics were measured in training, maybe on different rows.

    Example:
        $ abtest models auto-promote digits 2 --metric train_accuracy --threshold 0.9
    """
    moved = s.connect(tracking_uri, registry_uri).auto_promote(
        name, version, metric=metric, threshold=threshold, to_stage=to_stage, lower_is_better=lower_is_better,
        compare=not no_compare, require_approval=require_approval, dry_run=dry_run,
    )  # fmt: skip
    s.told(moved, form, dry_run=dry_run, what=f"version {moved.version} of '{name}'")
    common.tell("Note: logged metrics are weaker evidence than 'abtest compare', which scores both on the same rows.")


def rollback(
    name: s.Name,
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Default: what was in production before, by the history.")
    ] = None,
    reason: s.Why = None,
    dry_run: s.DryRun = False,
    yes: s.Yes = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Bring back what was in production before; what serves now is archived.

    Example:
        $ abtest models rollback digits --dry-run
    """
    registry = s.connect(tracking_uri, registry_uri)
    planned = registry.rollback(name, to=to, why=reason, dry_run=True)
    if dry_run or not planned.plan:
        s.told(planned, form, dry_run=dry_run, what=f"version {planned.version} of '{name}'")
        return
    if not yes:
        for step in planned.plan:
            common.tell(f"  {step}")
    s.sure(f"Roll '{name}' back to version {planned.version}?", yes=yes)
    moved = registry.rollback(name, to=planned.version, why=reason, shown=planned.plan)
    s.told(moved, form, what=f"version {moved.version} of '{name}'")


def archive(
    name: s.Name,
    version: s.Version,
    reason: s.Why = None,
    dry_run: s.DryRun = False,
    yes: s.Yes = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Take a version out of use: into Archived, and off the aliases champion and challenger.

    Example:
        $ abtest models archive digits 2 --reason 'a newer one comes'
    """
    registry = s.connect(tracking_uri, registry_uri)
    planned = registry.archive(name, version, dry_run=True)
    if dry_run or not planned.plan:
        s.told(planned, form, dry_run=dry_run, what=f"version {planned.version} of '{name}'")
        return
    if planned.version in registry.serving(name):
        s.sure(f"Version {planned.version} of '{name}' serves, and nothing takes its place. Archive it?", yes=yes)
    moved = registry.archive(name, str(planned.version), why=reason, shown=planned.plan)
    s.told(moved, form, what=f"version {moved.version} of '{name}'")


def migrate_stages(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Registered model. Default: all that use stages.")
    ] = None,
    dry_run: s.DryRun = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Give each staged version the alias that stands for its stage: champion, challenger. Stages stay.

    Example:
        $ abtest models migrate-stages --dry-run
    """
    moved = s.connect(tracking_uri, registry_uri).migrate_stages(name, dry_run=dry_run)
    if s.json_or(form, [one.to_dict() for one in moved]):
        return
    rows = [
        (one.model, "; ".join(map(str, one.plan)) or "nothing to do", "; ".join(one.notices) or "–") for one in moved
    ]
    if not rows:
        typer.echo("No model has a version in Production or Staging.")
        return
    moves = "would move" if dry_run else "moved"
    s.print_table(("model", moves, "left as it is"), rows, prose=(moves, "left as it is"))
