"""``abtest experiment analyze``: from live traffic to a verdict, and to what follows from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from abtest.cli import common, deciding, pipeline
from abtest.cli import options as o
from abtest.cli.experiment import shared as s

if TYPE_CHECKING:
    from abtest.comparison import Comparison


def analyze(
    name: s.Name,
    store: o.StoreOption = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    output: o.Output = None,
    save_plot: o.SavePlot = None,
    log: o.Log = None,
    experiment: o.Experiment = None,
    auto_promote: o.AutoPromote = None,
    promote_on: o.PromoteOnOption = None,
    require_approval: o.RequireApproval = None,
    dry_run: o.DryRun = False,
    gate: o.Gate = False,
    accept: o.Accept = None,
    junit: o.Junit = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Say, with evidence that may be looked at as often as one likes, which model should serve.

    The policy is the one that was frozen at the start. Under --auto-rollback of the experiment, harm ends it.

    Example:
        $ abtest experiment analyze spring
    """
    given = {key: value for key, value in locals().items() if value is not None}
    from abtest.settings import Settings  # noqa: PLC0415 - --help does not pay for it

    settings = Settings.load(Path.cwd(), os.environ)
    shared = ("output", "save_plot", "log", "experiment")
    chosen: dict[str, Any] = {
        "output": "reports", **{key: settings.compare[key] for key in shared if key in settings.compare}, **given
    }  # fmt: skip
    deciding.check_usage(given, chosen)
    passes = common.accepted(accept, asked=gate or junit is not None)
    from abtest.live import analysis  # noqa: PLC0415 - see above

    with s.open_store(store) as kept:
        found = analysis.look(kept, name, registry=s.connect(tracking_uri, registry_uri), command=common.command_line())
        comparison = found.comparison
        if chosen["output"]:
            comparison = comparison.save(chosen["output"], figures=chosen.get("save_plot", True))
        try:
            comparison = deciding.logged(comparison, chosen)
        finally:  # a server that fails must not hide the verdict
            common.show(comparison, form, quiet=quiet)
            pipeline.announce(comparison, gate=gate, accept=passes)
        common.tell_where(comparison, settings, quiet=quiet)
        if found.rolled_back is not None:
            common.tell(f"Rolled back (epoch {found.rolled_back.number}): {found.rolled_back.why}", quiet=quiet)
    if chosen.get("auto_promote"):
        _promote(name, comparison, chosen, store=store, quiet=quiet)
    elif comparison.verdict == "PROMOTE" and not quiet:
        common.tell("Next      the same command with --auto-promote --dry-run shows what promoting it would move")
    pipeline.finish(comparison, file=junit, accept=passes)
    if gate:
        raise typer.Exit(pipeline.exit_code(comparison.verdict, passes))


def _promote(name: str, comparison: Comparison, chosen: dict[str, Any], *, store: str | None, quiet: bool) -> None:
    """Promote, unless a server rolled the challenger back since the look: drawing and logging take their time."""
    from abtest.live.experiment import State  # noqa: PLC0415 - --help does not pay for it

    with s.open_store(store) as kept:
        last = kept.epochs(name)[-1]
    if last.state is State.ROLLED_BACK:
        common.tell(f"Not promoted. It is rolled back (epoch {last.number}): {last.why}", quiet=quiet)
    else:
        deciding.promote(comparison, chosen, quiet=quiet)
