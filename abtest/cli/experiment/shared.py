"""What the commands of ``abtest experiment`` share: where the log is, and how they write shares and times."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from abtest.cli import common

if TYPE_CHECKING:
    from abtest.live.store import Store
    from abtest.registry import RegistryClient

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="The experiment.")]
Inclusion: TypeAlias = Annotated[
    float, typer.Option(metavar="SHARE", help="Of all units, those that take part, in [0, 1].")
]
Why: TypeAlias = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="For the record.")]
_MADE_BY = "'abtest experiment start' makes it, and 'abtest serve'."
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 36_525 * 86_400  # seconds
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def open_store(url: str | None, *, create: bool = False, hint: str = _MADE_BY) -> Store:
    """Open the log named on the command line, else in the settings, else the one in this folder.

    Raises:
        NotFoundError: There is none; ``hint`` says who makes it, unless a name is near.
    """
    from abtest.errors import NotFoundError  # noqa: PLC0415 - --help does not need it
    from abtest.live.store import DEFAULT_URL, Store  # noqa: PLC0415 - see above
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    named = url or Settings.load(Path.cwd(), os.environ).live.get("store") or DEFAULT_URL
    try:
        return Store(named, create=create)
    except NotFoundError as error:
        raise NotFoundError(error.message, hint=error.hint or hint) from None


def connect(tracking_uri: str | None, registry_uri: str | None) -> RegistryClient:
    """The registry named on the command line, else in the settings, else MLflow's default."""
    from abtest.registry import RegistryClient  # noqa: PLC0415 - --help does not pay for it

    return RegistryClient(*common.registry_uris(tracking_uri, registry_uri))


def seconds(text: str, option: str | None = None) -> float:
    """Read a span of time: a number with s, m, h, d or w, or several of them.

    Example:
        >>> seconds("36h"), seconds("1d 12h"), seconds("90")
        (129600.0, 129600.0, 90.0)
    """
    given = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", given):
        found = float(given)
    elif re.fullmatch(rf"(?:{_SPAN.pattern}\s*)+", given):
        found = sum(float(number) * _SPANS[unit] for number, unit in _SPAN.findall(given))
    else:
        raise typer.BadParameter(f"must be a span of time such as 3d, 12h or 90s, got {text!r}.", param_hint=option)
    if found > _LONGEST:
        raise typer.BadParameter(f"must be at most 100 years, got {text!r}.", param_hint=option)
    return found


def share(value: float) -> str:
    """Write a share of units.

    Example:
        >>> share(0.05), share(0.0005), share(1.0)
        ('5 %', '0.05 %', '100 %')
    """
    return f"{100 * value:g} %"
