"""``abtest monitor report | check | plot | export``: how a model does, told, acted upon, drawn, and scraped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment import shared as s
from abtest.cli.models import shared as m
from abtest.cli.monitor import shared as w
from abtest.cli.monitor.taking_in import ModelName

if TYPE_CHECKING:
    from abtest.record.monitored import MonitoringRecord
    from abtest.registry import RegistryClient

_ACTION, _OUTPUT = "What follows", "What comes out"
_FORMS: dict[str, Literal["png", "svg"]] = {".png": "png", ".svg": "svg"}


def report(
    model_name: ModelName = None,
    days: w.Days = "30",
    recent: w.Recent = "7d",
    until: w.Until = None,
    horizon: w.Horizon = "0",
    baseline: w.BaselineOption = "first",
    metrics: w.Metrics = None,
    threshold: w.Threshold = 0.05,
    drift_floor: w.DriftFloor = 0.1,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    sequential: w.Sequential = False,
    store: o.StoreOption = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    output: o.Output = None,
    save_plot: o.SavePlot = None,
    log: o.Log = None,
    experiment: o.Experiment = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Report how a model did: metrics over time, trend, labels, what fell, what drifted, and what to do.

    Predictions come from 'abtest monitor track', and from the log of 'abtest serve'.

    Example:
        $ abtest monitor report --days 30
    """
    given = locals()
    from abtest.reporter.folder import prepare  # noqa: PLC0415 - --help does not pay for it
    from abtest.reporter.monitoring import folder, run  # noqa: PLC0415 - see above
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    where = output or settings.compare.get("output", "reports")
    prepare(Path(where))
    registry, name = w.registry(tracking_uri, registry_uri), m.model_name(model_name, "--model-name")
    if log and registry is None:
        raise typer.BadParameter("needs an MLflow server or database to log to.", param_hint="--log")
    how = w.how(given)
    told_below = quiet or form == "table"  # a table has the notices
    record = w.watched(how, name, store=store, registry=registry, quiet=told_below)
    figures = settings.compare.get("save_plot", True) if save_plot is None else save_plot
    written = folder.write(record, Path(where), figures=figures)
    try:
        logged = None
        if registry is not None and log is not False:
            logged = run.log(record, registry, experiment=experiment, report=written)
    finally:  # a server that fails must not hide the report
        show(record, form, quiet=quiet)
    common.tell(f"\nReport    {common.near(written / 'report.html')}", quiet=quiet)
    if logged is not None:
        common.tell(f"MLflow    run {logged} in experiment '{experiment or f'abtest/{name}'}'", quiet=quiet)


def check(
    model_name: ModelName = None,
    threshold: w.Threshold = 0.05,
    recent: w.Recent = "7d",
    until: w.Until = None,
    horizon: w.Horizon = "0",
    baseline: w.BaselineOption = "first",
    metrics: w.Metrics = None,
    drift_floor: w.DriftFloor = 0.1,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    sequential: w.Sequential = False,
    on_degradation: Annotated[
        Literal["rollback", "notify"] | None,
        typer.Option(
            help="rollback: bring the version before back, where that is what is recommended. notify: tell.",
            rich_help_panel=_ACTION,
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Is sent JSON. Better set as ABTEST_WEBHOOK.", rich_help_panel=_ACTION),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="Is run without a shell, with JSON on its input.", rich_help_panel=_ACTION
        ),
    ] = None,
    at_most_every: Annotated[
        str, typer.Option(metavar="SPAN", help="How often it acts at most.", rich_help_panel=_ACTION)
    ] = "1d",
    store: o.StoreOption = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Log a run to MLflow.", rich_help_panel=_OUTPUT)] = False,
    experiment: o.Experiment = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Check the recent window against a baseline: exit code 0 STABLE, 3 SUSPECT, 4 DEGRADED, 5 INSUFFICIENT_DATA.

    A check that runs every hour sees a fall by chance some day: with --sequential it does not.

    Example:
        $ abtest monitor check --threshold 0.05 --recent 7d
    """
    given = locals()
    for hint, way in (("--webhook", webhook), ("--command", command)):
        if on_degradation is None and way is not None:
            raise typer.BadParameter("means nothing without --on-degradation.", param_hint=hint)
    webhook = webhook or os.environ.get("ABTEST_WEBHOOK")
    if on_degradation == "notify" and webhook is None and command is None:
        raise typer.BadParameter("needs --webhook or --command.", param_hint="--on-degradation notify")
    from abtest.monitoring import acting  # noqa: PLC0415 - --help does not pay for it

    told, every = acting.Told(webhook=webhook, command=command), s.seconds(at_most_every, "--at-most-every")
    registry, name = w.registry(tracking_uri, registry_uri), m.model_name(model_name, "--model-name")
    if log and registry is None:
        raise typer.BadParameter("needs an MLflow server or database to log to.", param_hint="--log")
    how = w.how(given)
    told_below = quiet or form == "table"  # a table has the notices
    record = w.watched(how, name, store=store, registry=registry, quiet=told_below, secrets=(webhook, command))
    show(record, form, quiet=quiet)
    if on_degradation is not None:  # before a run is logged: a server that takes none must not hold it up
        with s.open_store(store) as kept:
            acts = acting.act(kept, record, on_degradation, registry=registry, told=told, every=every)
        for act in acts:
            common.tell(f"{act.what.capitalize():<9} {act.outcome}: {act.text}")
    if log and registry is not None:
        _log(record, registry, experiment, quiet=quiet)
    raise typer.Exit(record.health.status.exit_code)


def plot(
    model_name: ModelName = None,
    metrics: w.Metrics = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .png or .svg. Default: NAME-over-time.png.", rich_help_panel=_OUTPUT),
    ] = None,
    days: w.Days = "30",
    recent: w.Recent = "7d",
    until: w.Until = None,
    horizon: w.Horizon = "0",
    baseline: w.BaselineOption = "first",
    threshold: w.Threshold = 0.05,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    store: o.StoreOption = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    quiet: w.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Draw metrics over time, with intervals, the versions' reigns, promotions, rollbacks, and where it degraded.

    Example:
        $ abtest monitor plot --output digits.png
    """
    given = locals()
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it
    from abtest.record.spelled import slug  # noqa: PLC0415 - see above
    from abtest.reporter.files import write_whole  # noqa: PLC0415 - see above
    from abtest.reporter.folder import prepare  # noqa: PLC0415 - see above
    from abtest.reporter.monitoring import drawing  # noqa: PLC0415 - see above

    name = m.model_name(model_name, "--model-name")
    output = output or Path(f"{slug(name)}-over-time.png")
    form = _FORMS.get(output.suffix.lower())
    if form is None:
        raise InvalidInputError(f"output must end in .png or .svg, got '{output.name}'.")
    prepare(output.parent)
    how = w.how(given)
    registry = w.registry(tracking_uri, registry_uri)
    record = w.watched(how, name, store=store, registry=registry, quiet=quiet)
    write_whole(output, drawing.plot(record, form=form))
    common.tell(f"Plot      {output}", quiet=quiet)


def export(
    output: Annotated[Path, typer.Option(metavar="FILE", help="A .prom in the textfile collector's folder.")],
    model_name: ModelName = None,
    recent: w.Recent = "7d",
    horizon: w.Horizon = "0",
    baseline: w.BaselineOption = "first",
    metrics: w.Metrics = None,
    threshold: w.Threshold = 0.05,
    drift_floor: w.DriftFloor = 0.1,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    sequential: w.Sequential = False,
    store: o.StoreOption = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    quiet: w.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Write how a model does for Prometheus: node exporter's textfile collector reads it.

    Example:
        $ abtest monitor export --output digits.prom
    """
    given = locals()
    from abtest.monitoring import exporting  # noqa: PLC0415 - --help does not pay for it

    how = w.how(given)
    registry = w.registry(tracking_uri, registry_uri)
    record = w.watched(how, m.model_name(model_name, "--model-name"), store=store, registry=registry, quiet=quiet)
    with s.open_store(store) as kept:
        exporting.write(record, output, kept.acts(record.model_name))
    common.tell(f"Metrics   {output}: {record.health.status}", quiet=quiet)


def show(record: MonitoringRecord, form: str, *, quiet: bool) -> None:
    """Print a report on stdout."""
    from abtest.reporter.monitoring import markdown, summary, terminal  # noqa: PLC0415 - --help does not need it

    if form == "json":
        typer.echo(record.to_json())
    elif form == "markdown":
        typer.echo(markdown.render(summary.summarise(record)), nl=False)
    elif quiet:
        typer.echo(str(record.health.status))
    else:
        common.print_rich(terminal.render(summary.summarise(record)))


def _log(record: MonitoringRecord, registry: RegistryClient, experiment: str | None, *, quiet: bool) -> None:
    from abtest.reporter.monitoring import run  # noqa: PLC0415 - only who logs pays

    where = experiment or f"abtest/{record.model_name}"
    logged = run.log(record, registry, experiment=where)
    common.tell(f"MLflow    run {logged} in experiment '{where}'", quiet=quiet)
