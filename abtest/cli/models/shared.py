"""What the commands of ``abtest models`` share: the registry, the questions they ask, and how they print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from abtest.cli import common

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from abtest.lifecycle import Registry
    from abtest.lifecycle.records import Moved
    from abtest.transitions import Plan

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Registered model.")]
MaybeName: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Registered model. Default: that of the settings.")
]
Version: TypeAlias = Annotated[str, typer.Argument(metavar="VERSION", help="Its number, or latest.")]
MaybeVersion: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="VERSION", help="Its number, or latest. Default: the model itself.")
]
_PROSE = 24  # letters that prose takes at least
Form: TypeAlias = Annotated[
    Literal["table", "json"], typer.Option("--format", help="What is printed. Default: table.", show_default=False)
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Why: TypeAlias = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="For the record.")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Print what would move, and stop.")]
RequireApproval: TypeAlias = Annotated[
    bool, typer.Option("--require-approval", help="Move nothing until 'abtest models approve'.")
]


def model_name(given: str | None, option: str = "NAME") -> str:
    """The model named on the command line, else in the settings."""
    from abtest.settings import Settings  # noqa: PLC0415 - --help does not pay for it

    found = given or Settings.load(Path.cwd(), os.environ).registry.get("model_name")
    if found is None:
        raise typer.BadParameter("name a registered model, here or in abtest.toml.", param_hint=option)
    return found


def connect(tracking_uri: str | None, registry_uri: str | None) -> Registry:
    """The registry named on the command line, else in the settings, else MLflow's default."""
    from abtest.lifecycle import Registry  # noqa: PLC0415 - --help does not pay for it

    return Registry(*common.registry_uris(tracking_uri, registry_uri))


def sure(question: str, *, yes: bool) -> None:
    """Ask, unless told not to; where nobody can answer, the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can answer here, so it is needed to go on.", param_hint="--yes")
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, which is no answer
        raise typer.Exit(130) from None
    if not agreed:
        common.tell("Nothing was done.")
        raise typer.Exit(1)


def print_json(data: object) -> None:
    """Print plain data."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    prose: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table; a pipe has a width of its own.

    Args:
        headers: Of the columns.
        rows: Of cells.
        right: Columns that are aligned on the right.
        prose: Columns that may be broken into lines; no other is.
        spare: Columns to leave out where there is no room, the first first.
    """
    from rich.console import Console  # noqa: PLC0415 - only a table needs it
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    widths = {
        header: _PROSE if header in prose else max(len(header), *(len(row[i]) for row in rows))
        for i, header in enumerate(headers)
    }
    left_out = []
    for header in spare:
        if sum(widths.values()) + 2 * len(widths) <= console.width:
            break
        del widths[header]
        left_out.append(header)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in widths:
        table.add_column(Text(header), justify="right" if header in right else "left", no_wrap=header not in prose)
    for row in rows:
        # A text is no markup of rich's, whatever stands in brackets in it.
        table.add_row(*(Text(cell) for header, cell in zip(headers, row, strict=True) if header in widths))
    console.print(table)
    if left_out:
        common.tell(f"Note: {', '.join(left_out)} left out for want of room; --format json has all.")


def time(moment: datetime | None) -> str:
    """Write a time in UTC, to the second: moves may follow each other closely.

    Example:
        >>> from datetime import UTC, datetime
        >>> time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), time(None)
        ('2026-01-02 03:04:05 UTC', '–')
    """
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def told(moved: Moved, form: str, *, dry_run: bool = False, what: str) -> None:
    """Say what was moved, or would be; first where it is on record, in case the rest cannot be printed."""
    if moved.movement is not None:
        common.tell(f"Record    run {moved.movement.run_id} in experiment 'abtest/{moved.model}'")
    if form == "json":
        print_json(moved.to_dict())
        return
    from abtest import wording  # noqa: PLC0415 - --help does not need it

    if not moved.plan and moved.movement is None:
        typer.echo(f"Nothing to do: {what} already stands so.")
    else:
        print_plan(moved.plan, "Would move:" if dry_run else "Asked for:" if moved.awaits_approval else "Moved:")
    if moved.awaits_approval:
        common.tell(f"Next      {wording.command('models', 'approve', moved.model)} --reason …, or reject")
    for notice in moved.notices:
        common.tell(f"Note: {notice}")


def print_plan(plan: Plan, head: str) -> None:
    """Print transitions, one a line."""
    typer.echo(head)
    for step in plan:
        typer.echo(f"  {step}")


def pairs(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """Read ``key=value``, repeated.

    Example:
        >>> pairs(["team=risk", "note=a=b"], "--tag")
        {'team': 'risk', 'note': 'a=b'}
    """
    found: dict[str, str] = {}
    for value in values or ():
        key, sign, text = value.partition("=")
        if not sign or not key.strip():
            raise typer.BadParameter(f"must be key=value, got {value!r}.", param_hint=option)
        found[key.strip()] = text
    return found


def json_or(form: str, data: Any) -> bool:  # noqa: ANN401 - whatever is plain data
    """Print plain data where JSON was asked for, and say whether it was."""
    if form == "json":
        print_json(data)
    return form == "json"
