"""``abtest doctor``: what is installed, reachable and missing here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as m

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.doctor import Finding

_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗", "optional": "–", "skipped": "–"}
_STYLES = {"ok": "green", "warning": "yellow", "problem": "red", "optional": "dim", "skipped": "dim"}


def doctor(
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    store: o.StoreOption = None,
    form: m.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Look what is installed, reachable and missing here, and say what to do about it; nothing is changed.

    Exit code 1 where something is a problem.

    Example:
        $ abtest doctor
    """
    from abtest.doctor import Asked, State, examine  # noqa: PLC0415 - --help does not pay for it

    asked = Asked(
        folder=Path.cwd(), environ=os.environ, tracking_uri=tracking_uri, registry_uri=registry_uri, store=store
    )
    with common.working():
        found = examine(asked)
    if not m.json_or(form, [finding.to_dict() for finding in found]):
        _print(found)
    if any(finding.state is State.PROBLEM for finding in found):
        raise typer.Exit(1)


def _print(found: Sequence[Finding]) -> None:
    from rich.table import Table  # noqa: PLC0415 - only a table needs it
    from rich.text import Text  # noqa: PLC0415 - see above

    table = Table(box=None, pad_edge=False, show_header=False)
    for one in found:
        told = Text(one.told)
        if one.hint is not None:
            told.append(f"\nHint: {one.hint}", style="dim")
        table.add_row(Text(_SIGNS[one.state], style=_STYLES[one.state]), Text(one.check), told)
    common.print_rich(table)
