"""``abtest env``: what differs between two versions' environments, and from this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment.shared import connect
from abtest.cli.lineage import Version, reference
from abtest.cli.models import shared as s

if TYPE_CHECKING:
    from abtest.books.environments import Environments, Row

_UNMET = 3  # the exit code of --check


def env(
    name: s.Name,
    first: Version,
    second: Annotated[str | None, typer.Argument(metavar="V2", help="Another, named likewise.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Libraries too that do not differ.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 3 where what is installed here is not what a version requires.")
    ] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show what differs between the environments of two versions, and from this one: Python and libraries.

    They are those that training wrote down, else what the model's own files ask for.

    Example:
        $ abtest env digits 1 2
    """
    from abtest.books import environments  # noqa: PLC0415 - --help does not pay for it

    wanted = [reference(text, at) for text, at in ((first, "VERSION"), (second, "V2")) if text is not None]
    registry = connect(tracking_uri, registry_uri)
    versions = [registry.resolve(name, one) for one in wanted]
    found = environments.compared(registry, tuple({it.version: it for it in versions}.values()))
    if not s.json_or(form, found.to_dict()):
        _show(found, everything=everything)
    common.tell(f"Registry  {registry}")
    if check and found.unmet:
        names = ", ".join(row.library for row in found.unmet)
        common.tell(f"Here is not what is required: {names}.")
        raise typer.Exit(_UNMET)


def _show(found: Environments, *, everything: bool) -> None:
    shown = (found.python, *found.rows) if everything else found.differing
    rows = [_cells(row) for row in shown]
    names = tuple(f"version {number}" for number in found.versions)
    if rows:
        s.print_table(("", *names, "here", "differs"), rows)
    else:
        typer.echo("Nothing differs.")
    same = 1 + len(found.rows) - len(shown)
    if same:
        common.tell(f"Note: {wording.plural(same, 'line')} of what does not differ left out; --all shows them.")
    for name, it in zip(names, found.environments, strict=True):
        common.tell(f"Note: {name}: {it.source if it else 'nothing is on record of its environment'}.")
        for line in it.left_out if it else ():
            common.tell(f"Note: {name} asks for {line}, which names no library of an index.")


def _cells(row: Row) -> tuple[str, ...]:
    told: list[str] = [row.between] if row.between else []
    told += [f"here {row.from_here}"] if row.from_here else []
    told += ["required"] if row.unmet else []
    return (row.library, *(it or wording.MISSING for it in row.versions), row.here or wording.MISSING, ", ".join(told))
