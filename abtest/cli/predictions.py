"""``abtest compare-predictions``: compare two columns of predictions; no registry is needed."""

from __future__ import annotations

from typing import Annotated

import typer

from abtest.cli import options as o


def compare_predictions(
    file: Annotated[str, typer.Argument(help="CSV, Parquet or JSON Lines with the three columns.")],
    target: Annotated[str, typer.Option(help="Column with the truth.")],
    champion: Annotated[str, typer.Option(help="Column with the champion's predictions.")],
    challenger: Annotated[str, typer.Option(help="Column with the challenger's predictions.")],
    label_type: o.LabelTypeOption = None,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    method: o.Method = None,
    resamples: o.Resamples = None,
    seed: o.Seed = None,
    policy: o.PolicyFile = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Compare two columns of predictions with the truth, all in one file."""
