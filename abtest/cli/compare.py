"""``abtest compare``: score both models on the same rows, and say which one should serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from abtest.cli import common
from abtest.cli import options as o

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.comparison import Comparison, Comparisons
    from abtest.registry import Reference
    from abtest.settings import Settings

_KINDS = ("stage", "version", "alias", "uri")
_PASSED = (
    "train_data", "confirm_data", "target", "task", "segments", "unit", "label_type", "average", "pos_label",
    "resamples", "seed", "batch_size", "drop_unlabelled", "save_plot", "experiment",
)  # fmt: skip


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
    require_approval: o.RequireApproval = False,
    dry_run: o.DryRun = False,
    gate: o.Gate = False,
    accept: o.Accept = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Score both models on the same rows, and say with evidence which one should serve.

    Each side is named by stage, version, alias or URI; several challengers are compared in one pass.
    Without any: Production and Staging, else the aliases champion and challenger.
    Defaults come from abtest.toml, or from tool.abtest in pyproject.toml.
    """
    given = {key: value for key, value in locals().items() if value is not None}
    champion, challengers = _reference("champion", given), _challengers(given)
    from abtest import workflow  # noqa: PLC0415 - --help and usage errors do not pay for it
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    chosen: dict[str, Any] = {"output": "reports", **settings.compare, **given}
    chosen["segments"] = common.segments(segments, settings)
    champion = champion or _from_settings("champion", settings)
    if not challengers:
        _from_settings("challenger", settings)  # refuses two kinds of reference
        challengers = _challengers(dict(settings.compare)) or [None]
    _check_usage(given, chosen, [champion, *challengers])
    passes = common.accepted(accept, gate=gate)
    compared: Any = workflow.compare  # whichever of its forms
    comparison: Comparison | Comparisons
    with common.Bar(quiet=quiet) as progress, common.working():
        comparison = compared(
            champion,
            challengers[0] if len(challengers) == 1 else challengers,
            data=chosen["test_data"],
            policy=common.policy_from(given, settings),
            model_name=model_name or settings.registry.get("model_name"),
            tracking_uri=tracking_uri or settings.registry.get("tracking_uri"),
            registry_uri=registry_uri or settings.registry.get("registry_uri"),
            output=chosen["output"],
            command=common.command_line(),
            progress=progress,
            log="later" if chosen.get("log", True) else False,
            **{key: chosen[key] for key in _PASSED if key in chosen},
        )
    common.show(comparison, form, quiet=quiet)  # before it is logged: a server that fails must not hide the verdict
    comparison = _logged(comparison, chosen)
    common.tell_where(comparison, settings, quiet=quiet)
    if chosen.get("auto_promote"):
        _promote(comparison, chosen, quiet=quiet)
    elif (best := _best(comparison)) and best.verdict == "PROMOTE" and best.versions and not quiet:
        common.tell("Next      the same command with --auto-promote --dry-run shows what promoting it would move")
    if gate:
        raise typer.Exit(common.gate_code(comparison.verdict, passes))


def _best(comparison: Comparison | Comparisons) -> Comparison | None:
    """The comparison that a promotion would carry out; of several, that with the best challenger."""
    from abtest.comparison import Comparisons  # noqa: PLC0415 - --help does not need it

    return comparison.best if isinstance(comparison, Comparisons) else comparison


def _logged(comparison: Comparison | Comparisons, chosen: dict[str, Any]) -> Comparison | Comparisons:
    """Log where asked to, or where there is a registry and nobody said no."""
    if not chosen.get("log", comparison.registry is not None):
        return comparison
    for unfinished in comparison.unfinished_promotions():
        common.tell(f"Warning: {unfinished}")
    return comparison.log(figures=chosen.get("save_plot", True))


def _check_usage(given: dict[str, Any], chosen: dict[str, Any], named: Sequence[Reference | None]) -> None:
    """Refuse, before any work, what could not be carried out after it."""
    if "test_data" not in chosen:
        raise typer.BadParameter("name the labelled rows, here or in abtest.toml.", param_hint="--test-data")
    if not chosen.get("auto_promote"):
        idle = [option for option in ("dry_run", "promote_on", "require_approval") if given.get(option)]
        if idle:
            raise typer.BadParameter(
                "means nothing without --auto-promote.", param_hint=f"--{idle[0].replace('_', '-')}"
            )
        return
    if chosen.get("log") is False:
        raise typer.BadParameter(
            "cannot be joined with --no-log: a promotion is recorded.", param_hint="--auto-promote"
        )
    if common.is_unregistered(named):
        raise typer.BadParameter("needs two versions of a registered model.", param_hint="--auto-promote")


def _promote(comparison: Comparison | Comparisons, chosen: dict[str, Any], *, quiet: bool) -> None:
    """Carry the verdict out, or say why it is not; a verdict that promotes nothing is no error."""
    best = _best(comparison)
    if best is None:
        common.tell(f"Not promoted. The verdict is {comparison.verdict}, which promotes nothing.", quiet=quiet)
        return
    comparison = best
    from abtest import promoter  # noqa: PLC0415 - only a promotion needs it
    from abtest.errors import RefusedError  # noqa: PLC0415 - see above

    promote_on = chosen.get("promote_on", "promote")
    try:
        promoter.check_verdict(comparison.record, promote_on)
    except RefusedError as refusal:
        common.tell(f"Not promoted. {refusal}", quiet=quiet)
        return
    plan = comparison.promote(promote_on=promote_on, dry_run=True)
    common.tell("Plan:" if plan.transitions else "Nothing to promote: the registry already stands so.", quiet=quiet)
    for step in plan.transitions:
        common.tell(f"  {step}", quiet=quiet)
    if chosen["dry_run"] or not plan.transitions:
        return
    done = comparison.promote(promote_on=promote_on, require_approval=chosen["require_approval"])
    if done.awaits_approval:
        name = comparison.record.model_name
        common.tell(
            f'Not promoted yet: run {done.run_id} waits for approval (abtest models approve "{name}").', quiet=quiet
        )
        return
    common.tell(f"Promoted version {comparison.record.challenger.version}; recorded in run {done.run_id}.", quiet=quiet)


def _challengers(options: dict[str, Any]) -> list[Reference | None]:
    """Read the challengers off their options, in the order of the kinds of reference."""
    from abtest.registry import Reference  # noqa: PLC0415 - --help does not need it

    found: list[Reference | None] = []
    for kind in _KINDS:
        given = options.get(f"challenger_{kind}")
        if given is None:
            continue
        given = [given] if isinstance(given, str) else given
        values = tuple(given) if kind == "uri" else common.listed(given)  # a URI may hold commas
        if not values:
            raise typer.BadParameter("must name a model.", param_hint=f"--challenger-{kind}")
        found += [Reference(kind=kind, value=value) for value in values]  # type: ignore[arg-type] # one of the four
    return found


def _reference(side: str, options: dict[str, Any]) -> Reference | None:
    """Read a side's reference off its options; two of them contradict each other."""
    named = {kind: options[f"{side}_{kind}"] for kind in _KINDS if f"{side}_{kind}" in options}
    if len(named) > 1:
        both = " and ".join(f"--{side}-{kind}" for kind in named)
        raise typer.BadParameter(f"{both} name the {side} twice; give one of them.", param_hint=f"--{side}-*")
    if not named:
        return None
    from abtest.registry import Reference  # noqa: PLC0415 - --help does not need it

    ((kind, value),) = named.items()
    return Reference(kind=kind, value=value)  # type: ignore[arg-type] # one of the four kinds


def _from_settings(side: str, settings: Settings) -> Reference | None:
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it

    try:
        return _reference(side, dict(settings.compare))
    except typer.BadParameter:
        named = " and ".join(f"{side}_{kind}" for kind in _KINDS if f"{side}_{kind}" in settings.compare)
        raise InvalidInputError(f"The settings name the {side} twice, by {named}.", hint="keep one.") from None
