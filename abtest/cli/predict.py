"""``abtest predict``: a file of rows in, a file of predictions out."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from abtest.cli import by_hand, common, streaming
from abtest.cli import options as o
from abtest.settings import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.bulk.choosing import Chosen
    from abtest.bulk.predicted import Predicted
    from abtest.registry import Reference

_MODEL, _DATA, _OUTPUT = "Which model", "Which rows", "What comes out"
_TRACKED = "What is tallied"
_STDOUT = "-"


def predict(
    model_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Registered model.", rich_help_panel="Which models")
    ] = None,
    stage: o.Stage = None,
    version: o.OneVersion = None,
    alias: o.Alias = None,
    run_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Instead: the model that this run logged.", rich_help_panel="Which models"),
    ] = None,
    model_uri: o.Uri = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="PATH",
            help="CSV, Parquet or JSON Lines: a file, a folder of Parquet, a glob.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    values: Annotated[
        str | None,
        typer.Option(
            metavar="ROW",
            help="Instead: this row, as 5.1,3.5 in the columns' order or name=value,…",
            rich_help_panel=_DATA,
        ),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Instead: rows typed field by field.", rich_help_panel=_DATA)
    ] = False,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Instead: the input example that was logged with it.", rich_help_panel=_DATA),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Instead: JSON Lines from standard input, answered as they come.", rich_help_panel=_DATA
        ),
    ] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Rows in memory at a time. Default: 50000; with --stream 100.", rich_help_panel=_DATA
        ),
    ] = None,
    max_wait: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            min=0,
            help="With --stream: how long a line waits for others. Default: 10.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    engine: o.EngineOption = None,
    spark_master: o.SparkMaster = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Ends in .csv, .parquet or .jsonl; on Spark, a folder of Parquet. Default: CSV to standard output.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output if it is there.", rich_help_panel=_OUTPUT)
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Write this column of the input too, as it is; 'all' for all. Repeats, or takes commas.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    proba: Annotated[
        bool,
        typer.Option("--proba", help="Write probability_CLASS too, a column a class.", rich_help_panel=_OUTPUT),
    ] = False,
    show_sample: Annotated[
        int, typer.Option(metavar="N", min=0, help="Print the first rows.", rich_help_panel=_OUTPUT)
    ] = 0,
    log_to_mlflow: Annotated[
        bool,
        typer.Option("--log-to-mlflow", help="Log a run: data, output, distribution.", rich_help_panel=_OUTPUT),
    ] = False,
    experiment: o.Experiment = None,
    track: Annotated[
        bool, typer.Option("--track", help="With --stream: tally for 'abtest monitor'.", rich_help_panel=_TRACKED)
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where: SQLite or PostgreSQL; default: sqlite:///abtest-live.db. Better as ABTEST_STORE.",
            rich_help_panel=_TRACKED,
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="COLUMN", help="Names a row, for labels that come later.", rich_help_panel=_TRACKED
        ),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option("--time", metavar="COLUMN", help="When it was predicted. Default: now.", rich_help_panel=_TRACKED),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Its label, in lines that have it.", rich_help_panel=_TRACKED),
    ] = None,
    form: o.Format = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.", rich_help_panel=_OUTPUT)] = False,
    debug: o.Debug = False,
) -> None:
    """Predict every row of a file, with a registered model: the version in Production, else with the alias champion.

    With --stream, lines of JSON on standard input are answered as they come, a line each, bad ones with an error.

    The file that is written is whole or not there at all, and rows keep their order. What is printed is the
    distribution of what was predicted: on standard output, or on standard error where rows go there.

    Example:
        $ abtest predict --stage Production --input digits-test.csv --output out.csv
    """
    how = by_hand.way(values=values, interactive=interactive, demo=demo, stream=stream)
    tracked = {"--store": store, "--id": id_column, "--time": time_column, "--target": target}
    if how == "--stream":
        streaming.refuse(
            form,
            {"--input": input_, "--output": output not in {None, _STDOUT}, "--show-sample": show_sample,
             "--log-to-mlflow": log_to_mlflow, "--force": force, "--engine": engine, "--spark-master": spark_master,
             "--experiment": experiment},
            tracked, track=track,
        )  # fmt: skip
        named = common.reference({"stage": stage, "version": version, "alias": alias})
        streaming.answer(
            choose(model_name, named, run_id, model_uri, tracking_uri, registry_uri),
            keep=keep, proba=proba, batch_size=batch_size, max_wait=max_wait, quiet=quiet, track=track, store=store,
            columns={"id_column": id_column, "time_column": time_column, "target": target},
        )  # fmt: skip
        return
    streaming.refuse_alone({"--max-wait": max_wait, "--track": track, **tracked}, "--stream")
    if how is not None:
        by_hand.refuse(
            how, form,
            {"--input": input_, "--output": output, "--keep": keep, "--proba": proba, "--show-sample": show_sample,
             "--log-to-mlflow": log_to_mlflow, "--force": force, "--batch-size": batch_size, "--engine": engine,
             "--experiment": experiment},
        )  # fmt: skip
        named = common.reference({"stage": stage, "version": version, "alias": alias})
        by_hand.answer(choose(model_name, named, run_id, model_uri, tracking_uri, registry_uri), how, form, values)
        return
    if input_ is None:
        raise typer.BadParameter(
            "name the rows to predict, or type one: --values, --interactive, --stream.", param_hint="--input"
        )
    piped = output is None or output == _STDOUT
    named = common.reference({"stage": stage, "version": version, "alias": alias})
    which = _named(model_name, named, run_id, model_uri, tracking_uri, registry_uri)
    _refuse(form, which, piped=piped, quiet=quiet, log_to_mlflow=log_to_mlflow, experiment=experiment)
    bulk = _way(input_, None if piped else output, engine, spark_master, force=force)
    chosen = _loaded(which)
    given: dict[str, Any] = {"batch_rows": batch_size} if batch_size is not None else {}
    rows = sys.stdout.buffer if piped else output
    with common.Bar(quiet=quiet) as progress, common.working():
        done = bulk(
            chosen,
            input_,
            rows,
            keep=listed(keep),
            proba=proba,
            sample=show_sample,
            digest=log_to_mlflow,
            progress=progress,
            **given,
        )
    try:
        if log_to_mlflow:
            done = _logged(done, chosen, experiment)
    finally:  # a server that takes no run must not hide what was done
        if not quiet:
            _show(done, form, to_stderr=piped)
    if done.run_id is not None:
        common.tell(f"MLflow    run {done.run_id} in experiment '{done.experiment}'", quiet=quiet)


def choose(
    model_name: str | None,
    named: Reference | None,
    run_id: str | None,
    model_uri: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
) -> Chosen:
    """Find the model that was named, here or in the settings, and load it."""
    return _loaded(_named(model_name, named, run_id, model_uri, tracking_uri, registry_uri))


def _named(
    model_name: str | None,
    named: Reference | None,
    run_id: str | None,
    model_uri: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
) -> dict[str, Any]:
    """Read which model is meant, from here and from the settings; it is looked for later."""
    from abtest.settings import Settings  # noqa: PLC0415 - --help does not pay for it

    known = Settings.load(Path.cwd(), os.environ).registry
    for hint, other in (("--run-id", run_id), ("--model-uri", model_uri)):
        if other is not None and (named is not None or model_name is not None):
            raise typer.BadParameter("names a model of its own.", param_hint=hint)
    if run_id is not None and model_uri is not None:
        raise typer.BadParameter("name one of them.", param_hint="--run-id, --model-uri")
    if run_id is None and model_uri is None:
        model_name = model_name or known.get("model_name")
        if model_name is None:
            raise typer.BadParameter("name a registered model, here or in abtest.toml.", param_hint="--model-name")
    return {
        "model_name": model_name,
        "reference": named,
        "run_id": run_id,
        "model_uri": model_uri,
        "tracking_uri": tracking_uri or known.get("tracking_uri"),
        "registry_uri": registry_uri or known.get("registry_uri"),
    }


def _loaded(which: dict[str, Any]) -> Chosen:
    from abtest.bulk import choosing  # noqa: PLC0415 - --help does not pay for it

    with common.working():
        return choosing.choose(**which)


def _way(
    input_: str, output: str | None, engine: str | None, spark_master: str | None, *, force: bool
) -> Callable[..., Predicted]:
    """Find out where rows are predicted, and that their file cannot come to be: before a model is loaded."""
    from abtest.engines.catalogue import LOCAL  # noqa: PLC0415 - --help does not pay for it

    if (engine or LOCAL) == LOCAL:
        if spark_master is not None:
            raise typer.BadParameter("means nothing without --engine spark.", param_hint="--spark-master")
        from abtest.bulk import predicting  # noqa: PLC0415 - see above

        predicting.checked(input_, None if output is None else Path(output).expanduser(), force=force)
        return partial(predicting.predict, force=force)
    if output is None:
        raise typer.BadParameter("name a folder: --engine spark writes no rows here.", param_hint="--output")
    from abtest.bulk import on_spark  # noqa: PLC0415 - see above

    on_spark.refuse_folder(output)
    return partial(_on_spark, spark_master)


def _on_spark(master: str | None, *given: Any, progress: object, **options: Any) -> Predicted:  # noqa: ANN401 - those of predict
    from abtest.bulk import on_spark  # noqa: PLC0415 - --help does not pay for it

    del progress  # Spark tells none
    return on_spark.predict(*given, spark_master=master, **options)


def _refuse(
    form: str, which: dict[str, Any], *, piped: bool, quiet: bool, log_to_mlflow: bool, experiment: str | None
) -> None:
    if piped and form == "json" and not quiet:
        raise typer.BadParameter("needs --output FILE: rows go to standard output.", param_hint="--format")
    if experiment is not None and not log_to_mlflow:
        raise typer.BadParameter("means nothing without --log-to-mlflow.", param_hint="--experiment")
    from abtest.bulk.choosing import needs_registry  # noqa: PLC0415 - --help does not pay for it

    uri = which["model_uri"]
    if log_to_mlflow and uri is not None and not needs_registry(uri, which["tracking_uri"]):
        raise typer.BadParameter("needs a tracking server.", param_hint="--tracking-uri")


def _show(done: Predicted, form: str, *, to_stderr: bool) -> None:
    from abtest.bulk import showing  # noqa: PLC0415 - --help does not need it

    if form == "json":
        typer.echo(done.to_json())
    elif form == "markdown":
        typer.echo(showing.markdown(done), nl=False, err=to_stderr)
    else:
        from rich.console import Console  # noqa: PLC0415 - only a table needs it

        stream = sys.stderr if to_stderr else sys.stdout
        width = None if stream.isatty() else 120  # a pipe has no width of its own
        Console(file=stream, width=width, highlight=False).print(showing.render(done))
    if done.output:
        common.tell(f"\nOutput    {done.output}")


def _logged(done: Predicted, chosen: Chosen, experiment: str | None) -> Predicted:
    """Log a run; a server that takes none changes nothing about the file, and that is said."""
    from abtest.bulk import logging  # noqa: PLC0415 - --help does not need it
    from abtest.errors import AbtestError  # noqa: PLC0415 - see above

    assert chosen.registry is not None  # noqa: S101 - it was looked at before any row was read
    try:
        return logging.log(done, chosen.registry, experiment=experiment, command=common.command_line())
    except AbtestError as error:
        where = f"{done.output} is written, but its run is not" if done.output else "Rows were written, but no run"
        raise type(error)(f"{where}: {error.message}", hint=error.hint) from error
