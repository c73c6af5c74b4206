"""``abtest experiment start | ramp | pause | resume | stop``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment import shared as s
from abtest.settings import listed

if TYPE_CHECKING:
    from abtest.live.experiment import Epoch

_PLAN, _TRAFFIC, _HARM = "The plan, frozen at the start", "Who takes part", "Harm"
_PLANNED = ("challenger_share", "planned_n", "planned_discordant", "looking", "rollback_alpha", "auto_rollback")


def start(
    name: s.Name,
    mode: Annotated[
        Literal["shadow", "split"],
        typer.Option(
            help="shadow: the champion answers, the challenger predicts the same rows. split: each serves its arm.",
            rich_help_panel=_PLAN,
        ),
    ],
    model_name: o.ModelName = None,
    champion_stage: o.Stage = None,
    champion_version: o.ChampionVersion = None,
    champion_alias: o.Alias = None,
    challenger_stage: o.Stage = None,
    challenger_version: o.OneVersion = None,
    challenger_alias: o.Alias = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    store: o.StoreOption = None,
    inclusion: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Of all units, those that take part at first.", rich_help_panel=_TRAFFIC),
    ] = 1.0,
    challenger_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of those, the challenger's, in a split. Default: 0.5.",
            rich_help_panel=_TRAFFIC,
        ),
    ] = None,
    salt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Of the assignment. Default: random.", rich_help_panel=_TRAFFIC),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="What is computed and counted. Repeats, or takes commas.", rich_help_panel=_PLAN
        ),
    ] = None,
    policy: o.PolicyFile = None,
    confidence: o.Confidence = None,
    average: o.AverageOption = None,
    planned_n: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Units planned in all; a split, and a fixed look, need it.", rich_help_panel=_PLAN
        ),
    ] = None,
    planned_discordant: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="In shadow mode: pairs on which one side alone is right.", rich_help_panel=_PLAN
        ),
    ] = None,
    looking: Annotated[
        Literal["anytime", "fixed"] | None,
        typer.Option(
            help="anytime: valid at every look. fixed: one look, at --planned-n. Default: anytime.",
            rich_help_panel=_PLAN,
        ),
    ] = None,
    horizon: Annotated[
        str,
        typer.Option(
            metavar="SPAN",
            help="How long labels take to be complete: 3d, 12h, 90s. Default: 0s.",
            show_default=False,
            rich_help_panel=_PLAN,
        ),
    ] = "0s",
    auto_rollback: Annotated[
        bool | None,
        typer.Option(
            "--auto-rollback/--no-auto-rollback",
            help="End it where the challenger does harm, or fails or slows more than a guardrail allows.",
            rich_help_panel=_HARM,
        ),
    ] = None,
    rollback_alpha: Annotated[
        float | None, typer.Option(help="Level of harm. Default: 0.05.", rich_help_panel=_HARM)
    ] = None,
    why: s.Why = None,
    debug: o.Debug = False,
) -> None:
    """Start an experiment; servers that log to the same store take it up within seconds.

    Its plan is frozen from now on. Both models are loaded once, to find out now whether they can be.

    Example:
        $ abtest experiment start summer --mode shadow --model-name digits
    """
    given = {key: value for key, value in locals().items() if value is not None}
    from abtest import defaults  # noqa: PLC0415 - --help does not pay for it
    from abtest.errors import PolicyError  # noqa: PLC0415 - see above
    from abtest.live import managing  # noqa: PLC0415 - see above
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    held_to = defaults.policy(given, settings)
    if metric is not None:
        from dataclasses import replace  # noqa: PLC0415 - see above

        if not listed(metric):
            raise PolicyError("metric must name a metric.", hint="--metric accuracy,f1")
        held_to = replace(held_to, metrics=listed(metric))
    sides: list[Any] = []
    for side in ("champion", "challenger"):
        kinds = defaults.kinds(side, given)
        if len(kinds) > 1:
            raise typer.BadParameter(f"names the {side} twice; give one option.", param_hint=f"--{side}-{kinds[1]}")
        sides.append(next(iter(defaults.references(side, given)), None))
    registry = s.connect(tracking_uri, registry_uri)
    registry.check()  # before a log is made
    with common.working(), s.open_store(store, create=True) as log:
        started = managing.start(
            log,
            registry,
            name,
            model_name=model_name or settings.registry.get("model_name"),
            champion=sides[0],
            challenger=sides[1],
            policy=held_to,
            inclusion=inclusion,
            why=why or "started",
            salt=salt,
            mode=mode,
            horizon=s.seconds(horizon, "--horizon"),
            average=average or "macro",
            **{key: given[key] for key in _PLANNED if key in given},
        )
    plan = started.experiment
    typer.echo(
        f"Started {plan.mode} experiment '{name}' of '{plan.model_name}': version {plan.challenger_version} against "
        f"{plan.champion_version}, {s.share(started.epoch.inclusion)} of the units."
    )
    for notice in started.notices:
        common.tell(f"Note: {notice}")
    common.tell(f"Log       {log}")
    common.tell(f"Next      abtest serve --model-name {plan.model_name}, then abtest experiment status {name}")


def ramp(
    name: s.Name, inclusion: s.Inclusion, store: o.StoreOption = None, why: s.Why = None, debug: o.Debug = False
) -> None:
    """Let more units take part; none that was assigned moves.

    Example:
        $ abtest experiment ramp spring --inclusion 0.5
    """
    from abtest.live import managing  # noqa: PLC0415 - --help does not pay for it

    with s.open_store(store) as log:
        _told(managing.ramp(log, name, inclusion, why=why or "ramped"))


def pause(name: s.Name, store: o.StoreOption = None, why: s.Why = None, debug: o.Debug = False) -> None:
    """Let nobody take part for a while; the champion answers everything.

    Example:
        $ abtest experiment pause spring --reason 'a bug'
    """
    _turned(name, "PAUSED", store, why or "paused")


def resume(
    name: s.Name,
    inclusion: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of all units. Default: as it last ran.")
    ] = None,
    store: o.StoreOption = None,
    why: s.Why = None,
    debug: o.Debug = False,
) -> None:
    """Go on after a pause: units keep their arms.

    Example:
        $ abtest experiment resume spring
    """
    _turned(name, "RUNNING", store, why or "resumed", inclusion)


def stop(name: s.Name, store: o.StoreOption = None, why: s.Why = None, debug: o.Debug = False) -> None:
    """End an experiment for good; labels still come in, and it can be analysed.

    Example:
        $ abtest experiment stop spring --reason 'we know enough'
    """
    _turned(name, "STOPPED", store, why or "stopped")


def _turned(name: str, state: str, store: str | None, why: str, inclusion: float | None = None) -> None:
    from abtest.live import managing  # noqa: PLC0415 - --help does not pay for it
    from abtest.live.experiment import State  # noqa: PLC0415 - see above

    with s.open_store(store) as log:
        _told(managing.turn(log, name, State[state], inclusion=inclusion, why=why))


def _told(epoch: Epoch) -> None:
    part = f", {s.share(epoch.inclusion)} of the units take part" if epoch.inclusion else ""
    typer.echo(f"Experiment '{epoch.experiment}' is {epoch.state}{part} (epoch {epoch.number}).")
