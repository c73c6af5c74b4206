"""``abtest models describe | tag | download | delete``: looking after versions."""

from __future__ import annotations

from typing import Annotated

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s


def describe(
    name: s.Name,
    version: s.MaybeVersion = None,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="The description; '' removes it.")] = ...,  # type: ignore[assignment] # how Typer is told that an option is needed
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    debug: o.Debug = False,
) -> None:
    """Describe a version, or the model itself.

    Example:
        $ abtest models describe digits 2 --text 'a support vector machine'
    """
    s.connect(tracking_uri, registry_uri).describe(name, version, description=text)
    typer.echo(f"Described {_which(name, version)}.")


def tag(
    name: s.Name,
    version: s.MaybeVersion = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="K=V", help="Set this tag. Repeats.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="K", help="Remove this tag. Repeats.")] = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    debug: o.Debug = False,
) -> None:
    """Set and remove tags of a version, or of the model itself.

    Example:
        $ abtest models tag digits 2 --tag team=risk
    """
    if version is not None and "=" in version:
        raise typer.BadParameter(
            f"must be a version, got {version!r}; a tag is set by --tag {version}.", param_hint="VERSION"
        )
    tags = s.pairs(tag, "--tag")
    if set(tags) & set(remove or ()):
        raise typer.BadParameter("cannot name a tag that --tag sets.", param_hint="--remove")
    if not tags and not remove:
        raise typer.BadParameter("give a tag to set or to remove.", param_hint="--tag / --remove")
    s.connect(tracking_uri, registry_uri).tag(name, version, tags=tags, remove=remove or ())
    typer.echo(f"Tagged {_which(name, version)}.")


def download(
    name: s.Name,
    version: s.Version,
    output: Annotated[str, typer.Option(metavar="DIR", help="A folder that is not there yet.")],
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    debug: o.Debug = False,
) -> None:
    """Copy a version's files to a folder. Loading a model runs its code: trust it first.

    Example:
        $ abtest models download digits 2 --output digits-2
    """
    folder = s.connect(tracking_uri, registry_uri).download(name, version, output)
    typer.echo(f"Downloaded {_which(name, version)} to {folder}.")


def delete(
    name: s.Name,
    version: s.MaybeVersion = None,
    reason: s.Why = None,
    dry_run: s.DryRun = False,
    yes: s.Yes = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Delete a version, or a whole model; what is in Production or has an alias is refused.

    Example:
        $ abtest models delete digits 3 --yes
    """
    registry = s.connect(tracking_uri, registry_uri)
    planned = registry.delete(name, version, dry_run=True)
    if dry_run:
        s.told(planned, form, dry_run=True, what=_which(name, version))
        return
    if not yes:
        for step in planned.plan:
            common.tell(f"  {step}")
    s.sure(f"Delete {_which(name, version)}? This cannot be undone.", yes=yes)
    moved = registry.delete(name, None if version is None else str(planned.version), why=reason, shown=planned.plan)
    if moved.plan or form == "json":
        s.told(moved, form, what=_which(name, version))
    else:  # a model without versions: nothing of it is on record
        typer.echo(f"Deleted {_which(name, version)}.")


def _which(name: str, version: str | None) -> str:
    return f"'{name}'" if version is None else f"version {version} of '{name}'"
