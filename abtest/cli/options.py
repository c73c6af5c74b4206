"""Options that mean the same on every command that has them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import typer

_MODELS, _DATA, _STATISTICS, _OUTPUT = "Which models", "Which rows", "How it is judged", "What comes out"

ModelName: TypeAlias = Annotated[
    str | None, typer.Option(help="Registered model; inferred if only one fits.", rich_help_panel=_MODELS)
]
Stage: TypeAlias = Annotated[str | None, typer.Option(metavar="STAGE", help="By stage.", rich_help_panel=_MODELS)]
Version: TypeAlias = Annotated[
    str | None, typer.Option(metavar="N", help="By version number.", rich_help_panel=_MODELS)
]
ChampionVersion: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="By version number; 'baseline' is the majority-class predictor.", rich_help_panel=_MODELS
    ),
]
Alias: TypeAlias = Annotated[str | None, typer.Option(metavar="ALIAS", help="By alias.", rich_help_panel=_MODELS)]
Uri: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URI", help="runs:/…, models:/…, or a path.", rich_help_panel=_MODELS)
]
TrackingUri: TypeAlias = Annotated[
    str | None, typer.Option(help="MLflow's tracking server or database.", rich_help_panel=_MODELS)
]
RegistryUri: TypeAlias = Annotated[
    str | None, typer.Option(help="MLflow's registry, if it is elsewhere.", rich_help_panel=_MODELS)
]
TestData: TypeAlias = Annotated[
    str | None,
    typer.Option(help="CSV, Parquet or JSON Lines: a file, a folder of Parquet, a glob.", rich_help_panel=_DATA),
]
Target: TypeAlias = Annotated[
    str | None, typer.Option(help="Column with the truth; the one neither model takes.", rich_help_panel=_DATA)
]
LabelTypeOption: TypeAlias = Annotated[
    Literal["int", "float", "str", "bool"] | None, typer.Option(help="Cast labels to this.", rich_help_panel=_DATA)
]
DropUnlabelled: TypeAlias = Annotated[
    bool | None,
    typer.Option("--drop-unlabelled", help="Leave out rows without a label, and count them.", rich_help_panel=_DATA),
]
BatchSize: TypeAlias = Annotated[
    int | None, typer.Option(help="Rows in memory at a time. [default: 50000]", rich_help_panel=_DATA)
]
AverageOption: TypeAlias = Annotated[
    Literal["macro", "weighted", "binary"] | None,
    typer.Option(help="Of precision, recall and F1 over classes. [default: macro]", rich_help_panel=_STATISTICS),
]
PosLabel: TypeAlias = Annotated[
    str | None, typer.Option(help="Positive label, for --average binary.", rich_help_panel=_STATISTICS)
]
Confidence: TypeAlias = Annotated[
    float | None, typer.Option(help="Of intervals and tests. [default: 0.95]", rich_help_panel=_STATISTICS)
]
Method: TypeAlias = Annotated[
    Literal["mid-p", "exact", "chi2"] | None,
    typer.Option(help="McNemar's test. [default: mid-p]", rich_help_panel=_STATISTICS),
]
Resamples: TypeAlias = Annotated[
    int | None, typer.Option(help="Of the paired bootstrap. [default: 10000]", rich_help_panel=_STATISTICS)
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(help="Of the paired bootstrap. [default: 0]", rich_help_panel=_STATISTICS)
]
PolicyFile: TypeAlias = Annotated[
    str | None, typer.Option("--policy", help="TOML file: what must hold.", rich_help_panel=_STATISTICS)
]
Output: TypeAlias = Annotated[
    str | None, typer.Option(help="Folder for the report. [default: reports]", rich_help_panel=_OUTPUT)
]
SavePlot: TypeAlias = Annotated[
    bool | None,
    typer.Option("--save-plot/--no-save-plot", help="Draw figures. [default: yes]", rich_help_panel=_OUTPUT),
]
Format: TypeAlias = Annotated[
    Literal["table", "json", "markdown"], typer.Option("--format", help="What is printed.", rich_help_panel=_OUTPUT)
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the verdict alone.", rich_help_panel=_OUTPUT)
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", help="Show where an error comes from.", rich_help_panel=_OUTPUT)
]
