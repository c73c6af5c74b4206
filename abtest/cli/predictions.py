"""``abtest compare-predictions``: compare two columns of predictions; no registry is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from abtest.cli import common, pipeline
from abtest.cli import options as o


def compare_predictions(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, Parquet or JSON Lines with the three columns.")],
    champion: Annotated[str, typer.Option(help="Column with the champion's predictions.")],
    challenger: Annotated[str, typer.Option(help="Column with the challenger's predictions.")],
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
    gate: o.Gate = False,
    accept: o.Accept = None,
    junit: o.Junit = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Compare two columns of predictions with the truth, all in one file."""
    given = {key: value for key, value in locals().items() if value is not None}
    from abtest import defaults, workflow  # noqa: PLC0415 - --help does not pay for it
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    chosen: dict[str, Any] = {"output": "reports", **settings.compare, **given}
    given["segments"] = common.segments(segments, settings)
    passes = common.accepted(accept, asked=gate or junit is not None)
    if "target" not in chosen:
        raise typer.BadParameter("name the column with the truth.", param_hint="--target")
    options = defaults.options(given, settings)
    with common.Bar(quiet=quiet) as progress, common.working():
        comparison = workflow.compare_columns(
            file,
            champion=champion,
            challenger=challenger,
            output=chosen["output"],
            command=common.command_line(),
            progress=progress,
            **{key: options[key] for key in _PASSED if key in options},
        )
    common.show(comparison, form, quiet=quiet)
    pipeline.announce(comparison, gate=gate, accept=passes)
    common.tell_where(comparison, settings, quiet=quiet)
    pipeline.finish(comparison, file=junit, accept=passes)
    if gate:
        raise typer.Exit(pipeline.exit_code(comparison.verdict, passes))


_PASSED = (
    "target", "task", "segments", "unit", "label_type", "average", "pos_label", "resamples", "seed", "batch_size",
    "drop_unlabelled", "save_plot", "policy",
)  # fmt: skip
