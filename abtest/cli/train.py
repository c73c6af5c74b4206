"""``abtest train``: candidates for a champion's place, from a file of rows."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.settings import listed

if TYPE_CHECKING:
    from abtest.training.recipe import Recipe
    from abtest.training.training import Trained

_DATA, _HOW, _OUTPUT, _ACTION = "Which rows", "What is trained, and how", "What comes out", "What follows"
_REPORTS = "reports"


def train(
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="CSV, Parquet or JSON Lines, with the truth.", rich_help_panel=_DATA),
    ] = None,
    target: o.TruthColumn = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Take these columns alone. Repeats, or takes commas.", rich_help_panel=_DATA
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Do not take this column. Repeats, or takes commas.", rich_help_panel=_DATA
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Rows with one value of this column belong together: hold-out and folds part between them.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    task: o.TaskOption = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="RandomForest, LogisticRegression, … or module:Class. Repeats, or takes commas.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    search: Annotated[
        Literal["none", "grid", "random"] | None,
        typer.Option(help="Search each one's parameters. Default: none.", rich_help_panel=_HOW),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Settings a random search tries. Default: 20.", rich_help_panel=_HOW)
    ] = None,
    folds: Annotated[
        int | None, typer.Option(metavar="N", help="Of the cross-validation. Default: 5.", rich_help_panel=_HOW)
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Rows, or units, that are held out. Default: 0.2.", rich_help_panel=_HOW),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="What ranks. Default: accuracy, or rmse.", rich_help_panel=_HOW)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of all that is drawn. Default: 0.", rich_help_panel=_HOW)
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="All of the above, in TOML; options win over it.", rich_help_panel=_HOW),
    ] = None,
    save_recipe: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write what was trained as such a file.", rich_help_panel=_OUTPUT)
    ] = None,
    output: o.Output = None,
    save_plot: o.SavePlot = None,
    log: Annotated[
        bool | None,
        typer.Option(
            "--log/--no-log",
            help="Log a run a candidate to MLflow, with its model. Default: yes.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="MLflow experiment. Default: abtest/MODEL, or abtest/training.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    register: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Register the best as a new version of this model.", rich_help_panel=_ACTION),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Put that version into it.", rich_help_panel=_ACTION)
    ] = None,
    alias: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Put this alias on it.", rich_help_panel=_ACTION)
    ] = None,
    form: o.Format = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the best one's name alone.", rich_help_panel=_OUTPUT)
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Train candidates on the same rows, rank them on the same folds, and keep each as an MLflow run with its model.

    A hold-out is split off first, which nothing of this sees; it is kept as test data for 'abtest compare'.

    Example:
        $ abtest train --data digits-test.csv --target digit --models SVM_RBF
    """
    given: dict[str, Any] = {
        "data": data, "target": target, "unit": unit, "task": task, "search": search, "trials": trials, "folds": folds,
        "holdout": holdout, "metric": metric, "seed": seed,
    }  # fmt: skip
    several = {"models": models, "features": features, "drop": drop}
    given |= {name: _several(name, values) for name, values in several.items() if values is not None}
    chosen = _chosen(recipe, {name: value for name, value in given.items() if value is not None}, quiet=quiet)
    _check_usage(register, stage, alias, log=log)
    from abtest.training.training import train as run  # noqa: PLC0415 - --help and usage errors do not pay for it

    tracking, registry = common.registry_uris(tracking_uri, registry_uri)
    with common.Bar(quiet=quiet) as progress, common.working():
        trained = run(
            chosen,
            str(chosen.data),
            model_name=register,
            stage=stage,
            alias=alias,
            tracking_uri=tracking,
            registry_uri=registry,
            experiment=experiment,
            output=Path(output or _REPORTS),
            log=log is not False,
            draw=save_plot is not False,
            command=common.command_line(),
            progress=progress,
        )
    if save_recipe is not None:
        _save(chosen, Path(save_recipe).expanduser())
    _show(trained, form, quiet=quiet)
    if not quiet:
        _tell_where(trained, stage, alias)
        common.tell(f"Next      {_next(trained, tracking, registry)}")


def _several(option: str, values: list[str]) -> tuple[str, ...]:
    found = listed(values)
    if not found:
        raise typer.BadParameter("must name one.", param_hint=f"--{option}")
    return found


def _chosen(path: str | None, given: dict[str, Any], *, quiet: bool) -> Recipe:
    """Read the recipe; what was typed wins over it, and that is said."""
    from abtest.training.recipe import Recipe  # noqa: PLC0415 - --help does not pay for it

    if path is None:
        for name, what in (("data", "the rows"), ("target", "the column with the truth"), ("models", "the candidates")):
            if name not in given:
                raise typer.BadParameter(f"name {what}, here or in a --recipe.", param_hint=f"--{name}")
        return Recipe(**given)
    read = Recipe.load(Path(path).expanduser())
    if "models" in given:  # what is said of others is said of nobody
        asked = {name.lower() for name in given["models"]}
        kept = {name: it for name, it in read.parameters.items() if name.lower() in asked}
        read, before = replace(read, models=given["models"], parameters=kept), read
    else:
        before = read
    chosen = replace(read, **given)
    if chosen.data is None:
        raise typer.BadParameter("name the rows: the recipe names none.", param_hint="--data")
    for it in fields(chosen):
        old, new = getattr(before, it.name), getattr(chosen, it.name)
        if it.name in given and old != new and old is not None:
            common.tell(f"Note: --{it.name} {_told(new)} wins over the recipe's {_told(old)}.", quiet=quiet)
    return chosen


def _told(value: object) -> str:
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def _check_usage(register: str | None, stage: str | None, alias: str | None, *, log: bool | None) -> None:
    """Refuse, before any work, what could not be carried out after it."""
    for option, value in (("--stage", stage), ("--alias", alias)):
        if value is not None and register is None:
            raise typer.BadParameter("means nothing without --register NAME.", param_hint=option)
    if register is not None and log is False:
        raise typer.BadParameter(
            "cannot be joined with --no-log: what is registered is logged first.", param_hint="--register"
        )


def _save(recipe: Recipe, path: Path) -> None:
    """Write the recipe; its data are relative to its folder."""
    from abtest.reporter.files import write_whole  # noqa: PLC0415 - --help does not pay for it

    data = str(recipe.data)
    if "://" not in data:
        data = os.path.relpath(Path(data).expanduser().resolve(), path.resolve().parent)
    write_whole(path, replace(recipe, data=data).to_toml(), "save-recipe")


def _show(trained: Trained, form: str, *, quiet: bool) -> None:
    from abtest.reporter.training import markdown, summary, terminal  # noqa: PLC0415 - --help does not pay for it

    if form == "json":
        typer.echo(trained.record.to_json())
    elif form == "markdown":
        typer.echo(markdown.render(summary.summarise(trained.record)), nl=False)
    elif quiet:
        typer.echo(trained.record.best.name)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120  # a pipe has none of its own
        common.print_rich(terminal.render(summary.summarise(trained.record), width))


def _tell_where(trained: Trained, stage: str | None, alias: str | None) -> None:
    """Say where the report, the runs and the version are."""
    record = trained.record
    common.tell("")
    if record.provenance.registry is not None:
        common.tell(f"Registry  {record.provenance.registry}")
    if trained.report is not None:
        common.tell(f"Report    {common.near(trained.report / 'report.html')}")
    if record.run_id is not None:
        common.tell(f"MLflow    run {record.run_id} in experiment '{record.experiment}'")
    if record.version is not None:
        where = " ".join(text for text in (f"in {stage}" if stage else "", f"as {alias}" if alias else "") if text)
        common.tell(f"Model     version {record.version} of '{record.model_name}' {where}".rstrip())


def _next(trained: Trained, tracking: str | None, registry: str | None) -> str:
    """What to type next: hold what was registered against what serves, else register it, else try it out."""
    from abtest.training.folder import models_of  # noqa: PLC0415 - --help does not pay for it
    from abtest.wording import command  # noqa: PLC0415 - see above

    record, best = trained.record, trained.record.best
    if record.version is not None:
        name = str(record.model_name)
        champion = _champion(name, tracking, registry)
        if champion == str(record.version):
            return command("predict", "--model-name", name, "--input", "FILE")
        rows = str(common.near(trained.holdout_file)) if trained.holdout_file else "FILE"
        first = ("--champion-version", champion) if champion == "baseline" else ()
        return command(
            "compare", "--model-name", name, *first, "--challenger-version", str(record.version),
            "--test-data", rows, "--target", record.rows.target,
        )  # fmt: skip
    if best.run_id is not None:
        return command("models", "register", "--run-id", best.run_id, "--stage", "Staging", "NAME")
    model = models_of(trained)[best.name]
    return command("predict", "--model-uri", str(common.near(model)), "--input", "FILE")


def _champion(name: str, tracking: str | None, registry: str | None) -> str | None:
    """The version that serves, or the baseline where none does; None where 'abtest compare' has to say more of it."""
    from abtest.errors import AbtestError, ModelNotFoundError  # noqa: PLC0415 - --help does not pay for it
    from abtest.loaders.references import pin  # noqa: PLC0415 - see above
    from abtest.registry import RegistryClient  # noqa: PLC0415 - see above

    try:
        version = pin(RegistryClient(tracking, registry), name, "champion", None).version
    except ModelNotFoundError:
        return "baseline"
    except AbtestError:
        return None
    return None if version is None else str(version.version)
