"""``abtest models approve | reject | recover``: what waits, and what was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s

if TYPE_CHECKING:
    from abtest.mover import Recovery

Settled = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes on record.")]
Waiting = Annotated[
    int | None, typer.Option("--version", metavar="N", help="Only if it is this version that waits.", min=1)
]


def approve(
    name: s.Name,
    reason: Settled,
    version: Waiting = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Carry out a promotion that waits for approval, if the registry still stands as it did.

    Example:
        $ abtest models approve digits --reason 'I read the report'
    """
    done = s.connect(tracking_uri, registry_uri).approve(name, why=reason, version=version)
    if s.json_or(form, done.to_dict()):
        return
    s.print_plan(done.plan, f"Approved the {done.title}, which {done.evidence['abtest.requested_by']} asked for:")
    common.tell(f"Record    run {done.run_id} in experiment 'abtest/{name}'")


def reject(
    name: s.Name,
    reason: Settled,
    version: Waiting = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Reject a promotion that waits for approval; nothing moves.

    Example:
        $ abtest models reject digits --reason 'too slow'
    """
    settled = s.connect(tracking_uri, registry_uri).reject(name, why=reason, version=version)
    if s.json_or(form, settled.to_dict()):
        return
    typer.echo(f"Rejected the {settled.title}, which {settled.by} asked for. Nothing was moved.")
    common.tell(f"Record    run {settled.run_id} in experiment 'abtest/{name}'")


def recover(
    name: s.Name,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was moved, instead of finishing it.")] = False,
    leave: Annotated[bool, typer.Option("--leave", help="Leave it as it stands, and say so on record.")] = False,
    yes: s.Yes = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Finish a move that was cut off: says what was done and what is missing, and asks.

    Example:
        $ abtest models recover digits
    """
    if undo and leave:
        raise typer.BadParameter("cannot be joined with --undo.", param_hint="--leave")
    how: Recovery = "undo" if undo else "leave" if leave else "finish"
    registry = s.connect(tracking_uri, registry_uri)
    found = registry.unfinished(name)
    for one in found:
        common.tell(str(one))
    if any(one.cut_off for one in found):
        question = {"finish": "Finish it?", "undo": "Take it back?", "leave": "Leave it as it stands?"}[how]
        s.sure(question, yes=yes)
    settled = registry.recover(name, how, shown=found)
    if s.json_or(form, [movement.to_dict() for movement in settled]):
        return
    if not settled:
        typer.echo(f"Nothing of '{name}' was cut off.")
    for movement in settled:
        typer.echo(f"{movement.title.capitalize()}: {movement.outcome}. {movement.note or ''}".rstrip())
