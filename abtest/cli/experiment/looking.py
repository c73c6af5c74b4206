"""``abtest experiment list | status``: which experiments there are, and how one stands."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment import shared as s
from abtest.cli.models import shared as m

if TYPE_CHECKING:
    from abtest.live.experiment import Epoch, Experiment
    from abtest.live.log import ArmTraffic, Server


def list_experiments(
    model_name: o.ModelName = None, store: o.StoreOption = None, form: m.Form = "table", debug: o.Debug = False
) -> None:
    """List the experiments, the latest first.

    Example:
        $ abtest experiment list
    """
    with s.open_store(store) as log:
        found = log.experiments(model_name)
        if m.json_or(
            form, [{**_plan(plan), "state": str(epoch.state), "epoch": epoch.number} for plan, epoch in found]
        ):
            return
        if not found:
            typer.echo("There are no experiments.")
        else:
            headers = ("experiment", "model", "mode", "champion", "challenger", "state", "takes part", "started", "by")
            rows = [
                (
                    plan.name, plan.model_name, plan.mode, str(plan.champion_version), str(plan.challenger_version),
                    str(epoch.state), s.share(epoch.inclusion), m.time(plan.created_at), plan.created_by,
                )
                for plan, epoch in found
            ]  # fmt: skip
            m.print_table(headers, rows, right=("champion", "challenger", "takes part"), spare=("by", "started"))
        common.tell(f"Log       {log}")


def status(
    name: s.Name,
    store: o.StoreOption = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: m.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show how an experiment stands: its plan, epochs, traffic and labels, and what was lost; no outcome.

    Example:
        $ abtest experiment status spring
    """
    with s.open_store(store) as log:
        plan, now = log.experiment(name), datetime.now(UTC)
        epochs, traffic = log.epochs(name), log.traffic(plan, until=now)
        servers, waiting = log.servers(), log.waiting()
        if m.json_or(form, _status(plan, epochs, traffic, servers, waiting)):
            return
        _tell_plan(plan, epochs, traffic)
        _tell_traffic(plan, traffic)
        _tell_epochs(epochs)
        _tell_losses(servers, waiting)
        if not epochs[-1].state.is_over:
            _tell_stale(plan, tracking_uri, registry_uri)
        common.tell(f"Log       {log}")
        common.tell(f"Next      {wording.command('experiment', 'analyze', name)}")


def _plan(plan: Experiment) -> dict[str, Any]:
    return {**asdict(plan), "created_at": plan.created_at.isoformat()}


def _status(
    plan: Experiment,
    epochs: tuple[Epoch, ...],
    traffic: tuple[ArmTraffic, ...],
    servers: tuple[Server, ...],
    waiting: int,
) -> dict[str, Any]:
    return {
        "plan": _plan(plan),
        "epochs": [{**asdict(it), "state": str(it.state), "began_at": it.began_at.isoformat()} for it in epochs],
        "traffic": [asdict(arm) for arm in traffic],
        "servers": [
            {**asdict(it), "began_at": it.began_at.isoformat(), "seen_at": it.seen_at.isoformat()} for it in servers
        ],
        "waiting": waiting,
    }


def _tell_plan(plan: Experiment, epochs: tuple[Epoch, ...], traffic: tuple[ArmTraffic, ...]) -> None:
    last = epochs[-1]
    typer.echo(f"{plan.name}: {plan.mode} of '{plan.model_name}', {last.state} (epoch {last.number})")
    typer.echo(
        f"Version {plan.challenger_version} against {plan.champion_version}; {s.share(last.inclusion)} of the units "
        "take part"
        + (f", the challenger has {s.share(plan.challenger_share)} of them." if plan.mode == "split" else ".")
    )
    seen = sum(arm.exposed for arm in traffic) if plan.mode == "split" else traffic[0].exposed
    planned = (
        f"{wording.whole(seen)} of the {wording.whole(plan.planned_n)} units planned have come"
        if plan.planned_n
        else f"{wording.plural(seen, 'unit has', 'units have')} come, and no number is planned"
    )
    look = "one look, when they are there" if plan.looking == "fixed" else "valid at every look"
    typer.echo(f"Labels are complete after {wording.span(plan.horizon)}; {planned}; {look}.")
    typer.echo("")


def _tell_traffic(plan: Experiment, traffic: tuple[ArmTraffic, ...]) -> None:
    headers = ("arm", "units", "predictions", "failed", "dropped", "old enough", "labelled", "corrected", "mean time")
    rows = [
        (
            arm.arm,
            *map(wording.whole, (arm.exposed, arm.predictions, arm.failed, arm.dropped, arm.mature, arm.labelled)),
            wording.whole(arm.corrected),
            wording.duration(arm.seconds / arm.predictions) if arm.predictions else wording.MISSING,
        )
        for arm in traffic
    ]
    hidden = ("dropped",) if plan.mode == "split" else ()
    keep = [i for i, header in enumerate(headers) if header not in hidden]
    m.print_table(
        [headers[i] for i in keep],
        [[row[i] for i in keep] for row in rows],
        right=[headers[i] for i in keep[1:]],
    )


def _tell_epochs(epochs: tuple[Epoch, ...]) -> None:
    typer.echo("")
    rows = [(str(it.number), m.time(it.began_at), str(it.state), s.share(it.inclusion), it.by, it.why) for it in epochs]
    m.print_table(
        ("epoch", "began", "state", "takes part", "by", "why"), rows, right=("epoch", "takes part"), prose=("why",)
    )


def _tell_losses(servers: tuple[Server, ...], waiting: int) -> None:
    now = datetime.now(UTC)
    lost = sum(server.missing(now) for server in servers)
    if lost:
        common.tell(
            f"Warning: {wording.plural(lost, 'prediction is', 'predictions are')} missing from the log: a server "
            "was killed, or could not write."
        )
    if waiting:
        common.tell(
            f"Note: {wording.plural(waiting, 'label names', 'labels name')} a prediction that is not in the log; "
            "kept aside."
        )


def _tell_stale(plan: Experiment, tracking_uri: str | None, registry_uri: str | None) -> None:
    """Say where the champion serves no more: nobody takes part then. A registry that does not answer tells nothing."""
    from abtest.errors import AbtestError  # noqa: PLC0415 - --help does not pay for it
    from abtest.transitions import Standing  # noqa: PLC0415 - see above

    with contextlib.suppress(AbtestError):
        serving = Standing.of(s.connect(tracking_uri, registry_uri).versions(plan.model_name)).serving
        if serving and plan.champion_version not in serving:
            now = " and ".join(map(str, serving))
            common.tell(
                f"Warning: version {now} is in production, and the champion here is version {plan.champion_version}: "
                "nobody takes part on servers that follow production."
            )
