"""``abtest compare``: score both models on the same rows, and say which one should serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from abtest.cli import common, deciding, pipeline
from abtest.cli import options as o
from abtest.settings import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.comparison import Comparison, Comparisons
    from abtest.registry import Reference


def compare(
    model_name: o.ModelName = None,
    champion_stage: o.Stage = None,
    champion_version: o.ChampionVersion = None,
    champion_alias: o.Alias = None,
    champion_uri: o.Uri = None,
    challenger_stage: o.ChallengerStage = None,
    challenger_version: o.ChallengerVersion = None,
    challenger_alias: o.ChallengerAlias = None,
    challenger_uri: o.ChallengerUri = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    test_data: o.TestData = None,
    train_data: o.TrainData = None,
    confirm_data: o.ConfirmData = None,
    target: o.Target = None,
    task: o.TaskOption = None,
    segments: o.Segments = None,
    unit: o.Unit = None,
    label_type: o.LabelTypeOption = None,
    drop_unlabelled: o.DropUnlabelled = None,
    batch_size: o.BatchSize = None,
    engine: o.EngineOption = None,
    spark_master: o.SparkMaster = None,
    cache: o.Cache = None,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    method: o.Method = None,
    resamples: o.Resamples = None,
    seed: o.Seed = None,
    policy: o.PolicyFile = None,
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
    """Score both models on the same rows, and say with evidence which one should serve.

    Each side is named by stage, version, alias or URI; several challengers are compared in one pass.
    Without any: Production and Staging, else the aliases champion and challenger.
    Defaults come from abtest.toml, or from tool.abtest in pyproject.toml.

    Example:
        $ abtest compare --champion-stage Production --challenger-stage Staging
    """
    given = {key: value for key, value in locals().items() if value is not None}
    from abtest import defaults  # noqa: PLC0415 - --help and usage errors do not pay for it
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    champion, challengers = _champion(given), _challengers(given)
    settings = Settings.load(Path.cwd(), os.environ)
    chosen: dict[str, Any] = {"output": "reports", **settings.compare, **given}
    given["segments"] = common.segments(segments, settings)
    default_champion, default_challengers = defaults.sides(settings)
    champion = champion or default_champion
    named: list[Reference | None] = [*(challengers or default_challengers)] or [None]
    _check_usage(given, chosen, [champion, *named])
    asked = defaults.options({"cache": chosen.get("cache", True), **given}, settings)
    passes = common.accepted(accept, asked=gate or junit is not None)
    from abtest import workflow  # noqa: PLC0415 - see above

    compared: Any = workflow.compare  # whichever of its forms
    comparison: Comparison | Comparisons
    with common.Bar(quiet=quiet) as progress, common.working():
        comparison = compared(
            champion,
            named[0] if len(named) == 1 else named,
            **asked,
            output=chosen["output"],
            command=common.command_line(),
            progress=progress,
            log="later" if chosen.get("log", True) else False,
        )
    try:
        comparison = deciding.logged(comparison, chosen)
    finally:  # a server that fails must not hide the verdict
        common.show(comparison, form, quiet=quiet)
        pipeline.announce(comparison, gate=gate, accept=passes)
    if asked["cache"] and asked["cache"].trouble:
        common.tell(f"Warning: {asked['cache'].trouble}", quiet=quiet)
    common.tell_where(comparison, settings, quiet=quiet)
    if chosen.get("auto_promote"):
        deciding.promote(comparison, chosen, quiet=quiet)
    elif (best := deciding.best(comparison)) and best.verdict == "PROMOTE" and best.versions and not quiet:
        common.tell("Next      the same command with --auto-promote --dry-run shows what promoting it would move")
    pipeline.finish(comparison, file=junit, accept=passes)
    if gate:
        raise typer.Exit(pipeline.exit_code(comparison.verdict, passes))


def _check_usage(given: dict[str, Any], chosen: dict[str, Any], named: Sequence[Reference | None]) -> None:
    """Refuse, before any work, what could not be carried out after it."""
    if "test_data" not in chosen:
        raise typer.BadParameter("name the labelled rows, here or in abtest.toml.", param_hint="--test-data")
    if given.get("spark_master") and chosen.get("engine") != "spark":
        raise typer.BadParameter("means nothing without --engine spark.", param_hint="--spark-master")
    if given.get("cache") and chosen.get("engine") == "spark":
        raise typer.BadParameter("means nothing with --engine spark.", param_hint="--cache")
    deciding.check_usage(given, chosen)
    if chosen.get("auto_promote") and common.is_unregistered(named):
        raise typer.BadParameter("needs two versions of a registered model.", param_hint="--auto-promote")


def _champion(given: dict[str, Any]) -> Reference | None:
    """Read the champion off its options; two of them contradict each other."""
    from abtest import defaults  # noqa: PLC0415 - --help does not need it

    kinds = defaults.kinds("champion", given)
    if len(kinds) > 1:
        both = " and ".join(f"--champion-{kind}" for kind in kinds)
        raise typer.BadParameter(f"{both} name the champion twice; give one of them.", param_hint="--champion-*")
    found = defaults.references("champion", given)
    return found[0] if found else None


def _challengers(given: dict[str, Any]) -> list[Reference]:
    """Read the challengers off their options."""
    from abtest import defaults  # noqa: PLC0415 - --help does not need it

    for kind in defaults.kinds("challenger", given):
        if not (given[f"challenger_{kind}"] if kind == "uri" else listed(given[f"challenger_{kind}"])):
            raise typer.BadParameter("must name a model.", param_hint=f"--challenger-{kind}")
    return defaults.references("challenger", given)
