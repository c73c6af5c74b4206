"""What the commands of ``abtest monitor`` share: which model, which days, against what."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from abtest.cli import common
from abtest.cli.experiment import shared as s
from abtest.settings import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.live.store import Store
    from abtest.monitoring.how import Watch
    from abtest.record.monitored import MonitoringRecord
    from abtest.registry import RegistryClient

_WINDOWS, _JUDGED = "Which days", "How it is judged"

Days: TypeAlias = Annotated[str, typer.Option(metavar="SPAN", help="How far back.", rich_help_panel=_WINDOWS)]
Recent: TypeAlias = Annotated[
    str, typer.Option(metavar="SPAN", help="Window that is judged, at the end: 7d, 36h.", rich_help_panel=_WINDOWS)
]
Until: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The end, such as 2026-03-01T12:00Z. Default: now.", rich_help_panel=_WINDOWS),
]
Horizon: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="SPAN", help="How old a prediction must be to be judged: labels take time.", rich_help_panel=_WINDOWS
    ),
]
BaselineOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="first|before|promotion|FILE",
        help="The first days tracked, the days before, the comparison of the promotion, or a file.",
        rich_help_panel=_WINDOWS,
    ),
]
Metrics: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Default: accuracy,f1; of numbers mae,rmse.", rich_help_panel=_JUDGED),
]
Threshold: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="FALL", help="The fall that matters: of shares .05 is 5 points, else 5 %.", rich_help_panel=_JUDGED
    ),
]
DriftFloor: TypeAlias = Annotated[
    float,
    typer.Option(metavar="DISTANCE", help="How far apart is drift, from 0 to 1.", rich_help_panel=_JUDGED),
]
Sequential: TypeAlias = Annotated[
    bool, typer.Option("--sequential", help="Stay valid however often one looks.", rich_help_panel=_JUDGED)
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but what went wrong.", rich_help_panel="What comes out")
]
_PLAIN = ("baseline", "threshold", "drift_floor", "average", "pos_label", "confidence", "sequential")
_DAYS = re.compile(r"\d+(\.\d+)?")


def moment(text: str | None, option: str) -> datetime | None:
    """Read a moment; without a zone it is UTC.

    Example:
        >>> print(moment("2026-03-01", "--until"), moment("2026-03-01T12:00+02:00", "--until"))
        2026-03-01 00:00:00+00:00 2026-03-01 10:00:00+00:00
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"must be a moment such as 2026-03-01T12:00Z, got {text!r}.", param_hint=option
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def days(text: str, option: str | None = None) -> float:
    """Read a span of time as days; a bare number is days.

    Example:
        >>> days("7d"), days("36h"), days("30")
        (7.0, 1.5, 30.0)
    """
    return float(text) if _DAYS.fullmatch(text.strip()) else s.seconds(text, option) / 86400


def how(given: Mapping[str, Any]) -> Watch:
    """Read how the model is watched off a command's options; a recent window is never longer than the report."""
    from abtest.monitoring.how import Watch  # noqa: PLC0415 - --help does not pay for it

    shown, recent = days(given.get("days", "30"), "--days"), days(given["recent"], "--recent")
    return Watch(
        days=shown,
        recent=min(shown, recent) if "days" in given else recent,
        until=moment(given.get("until"), "--until"),
        horizon=s.seconds(given["horizon"], "--horizon"),
        metrics=metrics(given["metrics"]),
        **{name: given[name] for name in _PLAIN if given.get(name) is not None},
    )


def registry(tracking_uri: str | None, registry_uri: str | None) -> RegistryClient | None:
    """The registry that was named, or MLflow's default where there is one: watching a model does without."""
    from abtest.errors import AbtestError  # noqa: PLC0415 - --help does not need it
    from abtest.registry import RegistryClient  # noqa: PLC0415 - see above

    uris = common.registry_uris(tracking_uri, registry_uri)
    found = RegistryClient(*uris)
    try:
        found.check()
    except AbtestError:
        if any(uris):
            raise
        return None
    return found


def watched(
    how: Watch,
    model_name: str,
    *,
    store: str | None,
    registry: RegistryClient | None,
    quiet: bool = False,
    secrets: Sequence[str | None] = (),
) -> MonitoringRecord:
    """Read the log, and judge; what is in ``secrets`` is left out of the command on record."""
    from abtest.monitoring.watching import watch  # noqa: PLC0415 - --help does not pay for it

    with _there(store):
        pass  # who looks makes no log: a name that is mistyped is told
    with s.open_store(store, create=True) as log:  # one of before monitoring gains its tables
        record = watch(log, model_name, how, registry=registry, command=common.command_line(*secrets))
    for notice in record.monitored.notices:
        common.tell(f"Note: {notice}", quiet=quiet)
    return record


def _there(store: str | None) -> Store:
    """Open the log that is looked at: a look makes none."""
    return s.open_store(store, hint="'abtest monitor track' tracks predictions, and 'abtest serve' logs them.")


def metrics(given: list[str] | None) -> tuple[str, ...]:
    """Read ``--metrics``."""
    found = listed(given)
    if given is not None and not found:
        raise typer.BadParameter("must name a metric.", param_hint="--metrics")
    return found
