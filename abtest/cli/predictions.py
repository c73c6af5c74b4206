"""``abtest compare-predictions``: compare two columns of predictions; no registry is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from abtest.cli import common, pipeline
from abtest.cli import options as o


def compare_predictions(
    champion: Annotated[str, typer.Option(help="Column with the champion's predictions.")],
    challenger: Annotated[str, typer.Option(help="Column with the challenger's predictions.")],
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="CSV, Parquet or JSON Lines with the three columns.")
    ] = None,
    sql_url: o.SqlUrl = None,
    table: o.Table = None,
    query: o.Query = None,
    target: o.TruthColumn = None,
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
    gate: o.Gate = False,
    accept: o.Accept = None,
    junit: o.Junit = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Compare two columns of predictions with the truth, all in one file or in one table of a database.

    Example:
        $ abtest compare-predictions said.csv --champion a --challenger b --target y
    """
    given = {key: value for key, value in locals().items() if value is not None}
    from abtest import defaults, workflow  # noqa: PLC0415 - --help does not pay for it
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    chosen: dict[str, Any] = {"output": "reports", **settings.compare, **given}
    given["segments"] = common.segments(segments, settings)
    passes = common.accepted(accept, asked=gate or junit is not None)
    if "target" not in chosen:
        raise typer.BadParameter("name the column with the truth.", param_hint="--target")
    url = None if file is not None else chosen.get("sql_url")
    _refuse_other_source(file, url, {"sql-url": sql_url, "table": table, "query": query})
    if file is None and batch_size is not None:
        raise typer.BadParameter("means nothing for a database: no rows are read.", param_hint="--batch-size")
    options = defaults.options(given, settings)
    passed = {key: options[key] for key in _PASSED if key in options}
    with common.Bar(quiet=quiet) as progress, common.working():
        shared: dict[str, Any] = {
            "champion": champion, "challenger": challenger, "output": chosen["output"], "progress": progress
        }  # fmt: skip
        if file is not None:
            comparison = workflow.compare_columns(file, command=common.command_line(), **shared, **passed)
        else:
            passed.pop("batch_size", None)  # no rows are read
            command = common.command_line(url)
            comparison = workflow.compare_sql(str(url), table=table, query=query, command=command, **shared, **passed)
    common.show(comparison, form, quiet=quiet)
    pipeline.announce(comparison, gate=gate, accept=passes)
    common.tell_where(comparison, settings, quiet=quiet)
    pipeline.finish(comparison, file=junit, accept=passes)
    if gate:
        raise typer.Exit(pipeline.exit_code(comparison.verdict, passes))


def _refuse_other_source(file: str | None, url: str | None, given: Mapping[str, str | None]) -> None:
    """Refuse what does not say where the predictions are, or says it twice."""
    if file is not None:
        for name, value in given.items():
            if value is not None:
                raise typer.BadParameter("means nothing beside a FILE.", param_hint=f"--{name}")
    elif url is None:
        if given["table"] is not None or given["query"] is not None:
            raise typer.BadParameter("name the database, here or as ABTEST_SQL_URL.", param_hint="--sql-url")
        raise typer.BadParameter("name a file, or a database by --sql-url.", param_hint="FILE")
    elif (given["table"] is None) == (given["query"] is None):
        raise typer.BadParameter(
            "name one of the two, and no more: it says what the database counts.", param_hint="--table, --query"
        )


_PASSED = (
    "target", "task", "segments", "unit", "label_type", "average", "pos_label", "resamples", "seed", "batch_size",
    "drop_unlabelled", "save_plot", "policy",
)  # fmt: skip
