"""``abtest retrain``: train again on new rows, and let what comes of it challenge the champion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from abtest.cli import common, deciding, pipeline
from abtest.cli import options as o
from abtest.cli.models import shared as m

if TYPE_CHECKING:
    from abtest.retraining import Request, Retrained
    from abtest.settings import Settings

_MODELS, _DATA, _ACTION = "Which models", "Which rows", "What follows"
_OWN = ("data", "target", "unit", "task", "policy", "model_name", "tracking_uri", "registry_uri", "experiment")


def retrain(
    name: m.MaybeName = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What to train, as 'abtest train' leaves it.", rich_help_panel=_MODELS),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The new rows. Default: those of the recipe.", rich_help_panel=_DATA),
    ] = None,
    test_data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Compare on these rows. Default: those held out of the new.", rich_help_panel=_DATA
        ),
    ] = None,
    train_data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Training data, to find test rows in. Default: what the champion's run logged; with --test-data: "
            "the new rows.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    confirm_data: o.ConfirmData = None,
    segments: o.Segments = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    policy: o.PolicyFile = None,
    output: o.Output = None,
    save_plot: o.SavePlot = None,
    auto_promote: o.AutoPromote = None,
    promote_on: o.PromoteOnOption = None,
    require_approval: o.RequireApproval = None,
    again: Annotated[
        bool, typer.Option("--again", help="Do it though it was done on the same rows.", rich_help_panel=_ACTION)
    ] = False,
    lock_hours: Annotated[
        float,
        typer.Option(
            metavar="N",
            min=0.01,
            show_default=False,
            help="How long one on another machine is taken to go on, if it does not end. Default: 12.",
            rich_help_panel=_ACTION,
        ),
    ] = 12.0,
    gate: o.Gate = False,
    accept: o.Accept = None,
    junit: o.Junit = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Train a model again on new rows, register it, and compare it with the champion under the policy.

    With --auto-promote a verdict of PROMOTE moves it into production. One retraining of a model goes on at a time; what
    was done on the same rows by the same recipe is told and not done again; a failure leaves production as it was.

    Example:
        $ abtest retrain digits --recipe recipe.toml --data digits-test.csv
    """
    given = {key: value for key, value in locals().items() if value is not None}
    from abtest.decision import Verdict  # noqa: PLC0415 - --help does not pay for it
    from abtest.errors import NotFoundError  # noqa: PLC0415 - see above
    from abtest.registry import RegistryClient  # noqa: PLC0415 - see above
    from abtest.retraining import retrain as done_again  # noqa: PLC0415 - see above
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    chosen = {**settings.compare, **given}
    deciding.check_usage(given, chosen)
    passes = common.accepted(accept, asked=gate or junit is not None)
    request = _request(m.model_name(name), given, chosen, settings)
    registry = RegistryClient(*common.registry_uris(tracking_uri, registry_uri))
    with common.Bar(quiet=quiet) as progress, common.working():
        done = done_again(
            request,
            registry,
            command=common.command_line(),
            tell=lambda text: common.tell(f"Note: {text}", quiet=quiet),
            progress=progress,
        )
    _show(done, request, settings, form, quiet=quiet)
    if done.comparison is not None:
        pipeline.announce(done.comparison, gate=gate, accept=passes)
        pipeline.finish(done.comparison, file=junit, accept=passes)
    elif junit is not None:
        raise NotFoundError(
            f"The comparison of run {done.audit.run_id} can no longer be read, so junit has nothing to say.",
            hint="--again does it anew.",
        )
    if gate:
        raise typer.Exit(pipeline.exit_code(Verdict(str(done.audit.verdict)), passes))


def _request(name: str, given: dict[str, Any], chosen: dict[str, Any], settings: Settings) -> Request:
    """Put together what is asked for: what was given wins over the settings, and the recipe over both."""
    from abtest import defaults  # noqa: PLC0415 - --help does not pay for it
    from abtest.retraining import Request  # noqa: PLC0415 - see above
    from abtest.training.recipe import Recipe  # noqa: PLC0415 - see above

    if "recipe" not in given:
        raise typer.BadParameter("name the recipe; 'abtest train' leaves one in its folder.", param_hint="--recipe")
    recipe = Recipe.load(given["recipe"])
    data = given.get("data") or recipe.data
    if data is None:
        raise typer.BadParameter("name the new rows, here or in the recipe.", param_hint="--data")
    given["segments"] = common.segments(given.get("segments"), settings)
    options = defaults.options({"cache": True, **given}, settings)
    options["train_data"] = given.get("train_data")  # those of the settings were other models'
    if recipe.task is not None:
        options["task"] = recipe.task
    from datetime import timedelta  # noqa: PLC0415 - see above

    return Request(
        model=name,
        recipe=recipe,
        data=data,
        champion=defaults.sides(settings)[0],
        test_data=given.get("test_data"),
        policy=options["policy"],
        options={key: value for key, value in options.items() if key not in _OWN},
        promote_on=chosen.get("promote_on", "promote") if chosen.get("auto_promote") else None,
        require_approval=chosen.get("require_approval", False),
        again=given["again"],
        lease=timedelta(hours=given["lock_hours"]),
        output=chosen.get("output", "reports"),
    )


def _show(done: Retrained, request: Request, settings: Settings, form: str, *, quiet: bool) -> None:
    """Print the comparison, and say what came of it and what to type next."""
    it = done.audit
    if done.before:
        common.tell(f"Done before, on the same rows by the same recipe: nothing was changed (run {it.run_id}).")
    if done.comparison is not None:
        common.show(done.comparison, form, quiet=quiet)
        common.tell_where(done.comparison, settings, quiet=quiet)
    else:
        typer.echo(str(it.verdict))
    common.tell(f"Record    run {it.run_id} in experiment 'abtest/{it.model}'", quiet=quiet)
    _tell_what_followed(done, request, quiet=quiet)


def _tell_what_followed(done: Retrained, request: Request, *, quiet: bool) -> None:
    """Say whether its version serves, or waits, or what makes it serve."""
    from abtest import wording  # noqa: PLC0415 - --help does not pay for it

    it = done.audit
    version = f"version {it.version} of '{it.model}'"
    if done.asked_for == "awaiting approval":
        settles = wording.command("models", "approve", it.model)
        common.tell(f"Not promoted yet: run {it.promotion_run_id} waits for approval ({settles}).", quiet=quiet)
    elif it.awaits_approval and not done.serves:
        common.tell(
            f"{wording.capitalised(version)} does not serve: its promotion, asked for in run {it.promotion_run_id}, is "
            f"{done.asked_for or 'no longer on record'}. --again does it anew.",
            quiet=quiet,
        )
    elif done.promotion is not None and it.step == "promoted":
        for step in done.promotion.transitions:
            common.tell(f"  {step}", quiet=quiet)
        common.tell(f"Promoted {version}; recorded in run {it.promotion_run_id}.", quiet=quiet)
    elif it.step == "promoted":
        common.tell(f"It promoted {version}; recorded in run {it.promotion_run_id}.", quiet=quiet)
    elif done.serves:
        common.tell(f"By now {version} serves.", quiet=quiet)
    elif request.promote_on is not None:
        common.tell(f"Not promoted. The verdict is {it.verdict}; {version} is in no stage.", quiet=quiet)
    elif it.verdict == "PROMOTE":
        common.tell(
            f"Next      {version} is in no stage: the same command with --auto-promote promotes it", quiet=quiet
        )
