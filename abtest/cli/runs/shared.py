"""What the commands of ``abtest runs`` and ``abtest experiments`` share: the registry, options, and how they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from abtest.cli import common
from abtest.cli.models import shared as s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.books.runs import LoggedRun
    from abtest.registry import RegistryClient

_WHICH = "Ids of runs, four or more of their first letters, or names."
Runs: TypeAlias = Annotated[list[str], typer.Argument(metavar="RUN…", help=_WHICH)]
MaybeRuns: TypeAlias = Annotated[list[str] | None, typer.Argument(metavar="RUN…", help=_WHICH)]
Filter: TypeAlias = Annotated[
    str | None,
    typer.Option("--filter", metavar="FILTER", help="MLflow's: \"metrics.accuracy > 0.9 and params.C = '1'\"."),
]
Experiments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--experiment", metavar="E", help="In this one, by name or id. Repeats. Default: all."),
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
_SHOWN = 20  # lines before "and more"
_LETTERS = 40  # of a cell


def connect(tracking_uri: str | None, registry_uri: str | None) -> RegistryClient:
    """The registry named on the command line, else in the settings, else MLflow's default."""
    from abtest.registry import RegistryClient as Connected  # noqa: PLC0415 - --help does not pay for it

    return Connected(*common.registry_uris(tracking_uri, registry_uri))


def plain(text: str | None, letters: int = _LETTERS) -> str:
    r"""Write what somebody logged as one line that fits a cell and steers no terminal.

    Example:
        >>> plain("a\x1b[2J\nb"), plain(""), plain("abcdef", 4)
        ('a�[2J b', '–', 'abc…')
    """
    line = " ".join((text or "").split())
    shown = "".join(letter if letter.isprintable() else "�" for letter in line)
    return (shown if len(shown) <= letters else shown[: letters - 1] + "…") or "–"


def value(it: float | str | None, letters: int = _LETTERS) -> str:
    """Write a metric, a parameter or a tag.

    Example:
        >>> value(0.123456), value(float("nan")), value(None), value("rbf")
        ('0.1235', 'nan', '–', 'rbf')
    """
    return f"{it:.4g}" if isinstance(it, float) else plain(it, letters)


def tell_runs(runs: Sequence[LoggedRun]) -> None:
    """Name the runs that something is about to be done to, a line each, on stderr."""
    for run in runs[:_SHOWN]:
        kind = f"  {plain(run.kind)}" if run.kind else ""
        name, experiment = plain(run.name), plain(run.experiment)
        common.tell(f"  {run.run_id[:12]}  {s.time(run.started_at)}  {name}  in '{experiment}'{kind}")
    if runs[_SHOWN:]:
        common.tell(f"  … and {len(runs) - _SHOWN} more")
