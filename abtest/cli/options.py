"""Options that mean the same on every command that has them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import typer

from abtest.engines.catalogue import ENGINES

_MODELS, _DATA, _STATISTICS = "Which models", "Which rows", "How it is judged"
_OUTPUT, _ACTION = "What comes out", "What follows"


def _known_engine(name: str | None) -> str | None:
    if name is not None and name not in ENGINES:
        raise typer.BadParameter(f"must be one of {', '.join(ENGINES)}, got {name!r}.")
    return name


ModelName: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Registered model; inferred if only one fits.", rich_help_panel=_MODELS),
]
Stage: TypeAlias = Annotated[str | None, typer.Option(metavar="STAGE", help="By stage.", rich_help_panel=_MODELS)]
ChallengerStage: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE", help="By stage. Repeats for several challengers.", rich_help_panel=_MODELS),
]
ChallengerVersion: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N",
        help="By version number, or latest. Repeats, or takes commas, for several.",
        rich_help_panel=_MODELS,
    ),
]
OneVersion: TypeAlias = Annotated[
    str | None, typer.Option(metavar="N", help="By version number, or latest.", rich_help_panel=_MODELS)
]
ChampionVersion: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="By version number; 'baseline' is the majority-class predictor, or the mean.",
        rich_help_panel=_MODELS,
    ),
]
Alias: TypeAlias = Annotated[str | None, typer.Option(metavar="ALIAS", help="By alias.", rich_help_panel=_MODELS)]
ChallengerAlias: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="ALIAS", help="By alias. Repeats for several.", rich_help_panel=_MODELS),
]
Uri: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URI", help="runs:/…, models:/…, or a path.", rich_help_panel=_MODELS)
]
ChallengerUri: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="URI", help="runs:/…, models:/…, or a path. Repeats for several.", rich_help_panel=_MODELS),
]
TrackingUri: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URI", help="MLflow's tracking server or database.", rich_help_panel=_MODELS)
]
RegistryUri: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URI", help="MLflow's registry, if it is elsewhere.", rich_help_panel=_MODELS)
]
TestData: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="CSV, Parquet or JSON Lines: a file, a folder of Parquet, a glob. On Spark: Parquet, Delta, or a table.",
        rich_help_panel=_DATA,
    ),
]
TrainData: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Training data, to find rows that are in both; 'run': what the challenger's run logged.",
        rich_help_panel=_DATA,
    ),
]
ConfirmData: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="A locked test set, opened only after PROMOTE.", rich_help_panel=_DATA),
]
Target: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Column with the truth. Default: what neither model takes.", rich_help_panel=_DATA
    ),
]
TruthColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with the truth.", rich_help_panel=_DATA)
]
TaskOption: TypeAlias = Annotated[
    Literal["classification", "regression"] | None,
    typer.Option(help="What models predict: classes, or numbers. Default: inferred.", rich_help_panel=_DATA),
]
Segments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Tell segments apart by this column, or by columns crossed: region*device. Repeats, or takes commas.",
        rich_help_panel=_DATA,
    ),
]
Unit: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Rows with one value of this column (a user, a session) belong together: units are tested, not rows.",
        rich_help_panel=_DATA,
    ),
]
LabelTypeOption: TypeAlias = Annotated[
    Literal["int", "float", "str", "bool"] | None, typer.Option(help="Cast labels to this.", rich_help_panel=_DATA)
]
DropUnlabelled: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--drop-unlabelled/--no-drop-unlabelled",
        help="Leave out rows without a label, and count them.",
        rich_help_panel=_DATA,
    ),
]
SqlUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Database that counts the predictions itself: SQLite, PostgreSQL, DuckDB. Better set as ABTEST_SQL_URL.",
        rich_help_panel=_DATA,
    ),
]
Table: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TABLE", help="In that database: a table or view, or schema.table.", rich_help_panel=_DATA),
]
Query: TypeAlias = Annotated[
    str | None, typer.Option(metavar="SELECT", help="In that database: one SELECT.", rich_help_panel=_DATA)
]
StoreOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Log of live traffic, SQLite or PostgreSQL; default: sqlite:///abtest-live.db. Better as ABTEST_STORE.",
        rich_help_panel=_DATA,
    ),
]
Cache: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache",
        help="Do not ask a version again about rows that it has predicted. Default: yes; never on Spark.",
        rich_help_panel=_DATA,
    ),
]
BatchSize: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Rows in memory at a time. Default: 50000.", rich_help_panel=_DATA)
]
EngineOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(ENGINES),
        help="Where rows are scored. Default: local.",
        callback=_known_engine,
        autocompletion=lambda: list(ENGINES),
        rich_help_panel=_DATA,
    ),
]
SparkMaster: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where Spark runs: local[N], spark://HOST:PORT, yarn. Default: $SPARK_MASTER, else local[*].",
        rich_help_panel=_DATA,
    ),
]
AverageOption: TypeAlias = Annotated[
    Literal["macro", "weighted", "binary"] | None,
    typer.Option(help="Of precision, recall and F1 over classes. Default: macro.", rich_help_panel=_STATISTICS),
]
PosLabel: TypeAlias = Annotated[
    str | None, typer.Option(help="Positive label, for --average binary.", rich_help_panel=_STATISTICS)
]
Confidence: TypeAlias = Annotated[
    float | None, typer.Option(help="Of intervals and tests. Default: 0.95.", rich_help_panel=_STATISTICS)
]
Method: TypeAlias = Annotated[
    Literal["mid-p", "exact", "chi2"] | None,
    typer.Option(help="McNemar's test. Default: mid-p.", rich_help_panel=_STATISTICS),
]
Resamples: TypeAlias = Annotated[
    int | None, typer.Option(help="Of the paired bootstrap. Default: 10000.", rich_help_panel=_STATISTICS)
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(help="Of the paired bootstrap. Default: 0.", rich_help_panel=_STATISTICS)
]
PolicyFile: TypeAlias = Annotated[
    str | None, typer.Option("--policy", metavar="FILE", help="What must hold, in TOML.", rich_help_panel=_STATISTICS)
]
Output: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DIR", help="Folder for the report. Default: reports.", rich_help_panel=_OUTPUT)
]
SavePlot: TypeAlias = Annotated[
    bool | None,
    typer.Option("--save-plot/--no-save-plot", help="Draw figures. Default: yes.", rich_help_panel=_OUTPUT),
]
Log: TypeAlias = Annotated[
    bool | None, typer.Option("--log/--no-log", help="Log a run to MLflow. Default: yes.", rich_help_panel=_OUTPUT)
]
Experiment: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="MLflow experiment. Default: abtest/MODEL.", rich_help_panel=_OUTPUT)
]
AutoPromote: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--auto-promote/--no-auto-promote",
        help="On PROMOTE, move the challenger to production.",
        rich_help_panel=_ACTION,
    ),
]
PromoteOnOption: TypeAlias = Annotated[
    Literal["promote", "conditional"] | None,
    typer.Option(help="Least verdict that --auto-promote acts on. Default: promote.", rich_help_panel=_ACTION),
]
RequireApproval: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--require-approval/--no-require-approval",
        help="With --auto-promote: nothing moves until 'abtest models approve'.",
        rich_help_panel=_ACTION,
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print what --auto-promote would move, and stop.", rich_help_panel=_ACTION)
]
Gate: TypeAlias = Annotated[
    bool, typer.Option("--gate", help="Exit 0 on PROMOTE or --accept, else 3, 4 or 5.", rich_help_panel=_ACTION)
]
Accept: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="VERDICT",
        help="conditional or insufficient-evidence: passes the gate too. May repeat.",
        autocompletion=lambda: ["conditional", "insufficient-evidence"],
        rich_help_panel=_ACTION,
    ),
]
Junit: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="JUnit file for CI: a test case a rule, and one for the verdict.", rich_help_panel=_OUTPUT
    ),
]
Format: TypeAlias = Annotated[
    Literal["table", "json", "markdown"],
    typer.Option("--format", help="What is printed. Default: table.", show_default=False, rich_help_panel=_OUTPUT),
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the verdict alone.", rich_help_panel=_OUTPUT)
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", help="Show where an error comes from.", rich_help_panel=_OUTPUT)
]
