"""``abtest monitor track | baseline``: rows of a file, tallied once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment import shared as s
from abtest.cli.models import shared as m
from abtest.cli.monitor import shared as w
from abtest.settings import listed

if TYPE_CHECKING:
    from abtest.loaders.models import Model
    from abtest.monitoring.tracking import Tracked
    from abtest.registry import Reference

_MODELS, _DATA = "Which models", "Which rows"
ModelName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Registered model. Default: that of the settings.", rich_help_panel="Which models"
    ),
]
Prediction: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Its predictions, where they are there already.", rich_help_panel=_DATA),
]
IdColumn: TypeAlias = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Names a row, for labels that come later.", rich_help_panel=_DATA),
]
TimeColumn: TypeAlias = Annotated[
    str | None,
    typer.Option("--time", metavar="COLUMN", help="When it was predicted. Default: now.", rich_help_panel=_DATA),
]
Features: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="Watched for drift. Default: what the model takes, or all others.", rich_help_panel=_DATA
    ),
]


def track(
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="PATH", help="Rows that were predicted, or are now.", rich_help_panel=_DATA),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Their truth, now or later: by id, else by position.", rich_help_panel=_DATA),
    ] = None,
    model_name: ModelName = None,
    stage: o.Stage = None,
    version: o.OneVersion = None,
    alias: o.Alias = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    store: o.StoreOption = None,
    prediction: Prediction = None,
    target: o.TruthColumn = None,
    label_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The truth in --labels.", rich_help_panel=_DATA)
    ] = None,
    id_column: IdColumn = None,
    time_column: TimeColumn = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When all rows were predicted, without --time.", rich_help_panel=_DATA),
    ] = None,
    segments: o.Segments = None,
    features: Features = None,
    task: o.TaskOption = None,
    label_type: o.LabelTypeOption = None,
    batch_size: o.BatchSize = None,
    quiet: w.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Take in predictions, their features and labels, each row once; the same file again changes nothing.

    Rows are scored with the model, or --prediction names a column that holds its predictions. Labels may come later.
    What 'abtest serve' logs is there already. Exit code 1 where a label is of a prediction that nobody tracked.

    Example:
        $ abtest monitor track --input digits-test.csv --target digit
    """
    if input_ is None and labels is None:
        raise typer.BadParameter("name rows, or labels of rows.", param_hint="--input, --labels")
    if input_ is None and id_column is None:
        raise typer.BadParameter("needs --id where it comes without --input.", param_hint="--labels")
    name = m.model_name(model_name, "--model-name")
    named = common.reference({"stage": stage, "version": version, "alias": alias})
    from abtest.monitoring import tracking  # noqa: PLC0415 - --help does not pay for it

    with common.Bar(quiet=quiet) as progress, common.working():
        # Who is asked is found out before a log is made.
        model, number = (None, None) if input_ is None else _who(name, named, tracking_uri, registry_uri, prediction)
        with s.open_store(store, create=True) as log:
            done = tracking.track(
                log,
                name,
                input_,
                model=model,
                version=number,
                prediction=prediction,
                target=target,
                labels=labels,
                id_column=id_column,
                label_column=label_column,
                time_column=time_column,
                at=w.moment(at, "--at"),
                segments=listed(segments),
                features=listed(features) or None,
                task=task,
                label_type=label_type,
                progress=progress,
                **({"batch_rows": batch_size} if batch_size else {}),
            )
    for notice in done.notices:
        common.tell(f"Note: {notice}", quiet=quiet)
    if not quiet:
        typer.echo(_told(done))
    if done.unknown:
        common.tell(f"Warning: {wording.plural(done.unknown, 'label is', 'labels are')} of predictions nobody tracked.")
        raise typer.Exit(1)


def baseline(
    input_: Annotated[
        str, typer.Option("--input", metavar="PATH", help="Rows, with labels or not.", rich_help_panel=_DATA)
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where it goes: a small JSON file.")],
    model_name: ModelName = None,
    stage: o.Stage = None,
    version: o.OneVersion = None,
    alias: o.Alias = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    prediction: Prediction = None,
    target: o.TruthColumn = None,
    segments: o.Segments = None,
    features: Features = None,
    task: o.TaskOption = None,
    label_type: o.LabelTypeOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    quiet: w.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Make a baseline of a file, such as the test data of the day the model was promoted: for --baseline FILE.

    Example:
        $ abtest monitor baseline --input digits-test.csv --output baseline.json
    """
    name = m.model_name(model_name, "--model-name")
    named = common.reference({"stage": stage, "version": version, "alias": alias})
    from abtest.monitoring import baselines  # noqa: PLC0415 - --help does not pay for it

    with common.Bar(quiet=quiet) as progress, common.working():
        model, number = _who(name, named, tracking_uri, registry_uri, prediction)
        made: Any = baselines.from_data(
            input_,
            model=model,
            version=number,
            prediction=prediction,
            target=target,
            segments=listed(segments),
            features=listed(features) or None,
            task=task,
            label_type=label_type,
            progress=progress,
        )
        baselines.write(made, output, name=f"{name}: {Path(input_).name}", force=force)
    whole = made.whole()
    common.tell(
        f"{output}: {wording.plural(whole.n, 'row')}, {wording.whole(whole.labelled)} labelled, "
        f"{wording.plural(len(made.features()), 'feature')}.",
        quiet=quiet,
    )


def _who(
    name: str,
    named: Reference | None,
    tracking_uri: str | None,
    registry_uri: str | None,
    prediction: str | None,
) -> tuple[Model | None, int | None]:
    """The model to ask, where it is to be asked, and its version; of predictions that are there who made them."""
    from abtest.errors import ModelNotFoundError  # noqa: PLC0415 - --help does not need it
    from abtest.loaders.models import from_uri  # noqa: PLC0415 - see above
    from abtest.loaders.references import pin  # noqa: PLC0415 - see above

    if prediction is not None and named is not None and named.kind == "version" and named.value.isdecimal():
        return None, int(named.value)
    registry = s.connect(tracking_uri, registry_uri) if prediction is None else w.registry(tracking_uri, registry_uri)
    if registry is None:
        return None, None
    try:
        pinned = pin(registry, name, "champion", named)
    except ModelNotFoundError:
        if prediction is None or named is not None:
            raise
        return None, None
    number = pinned.version.version if pinned.version else None
    if prediction is not None:
        common.tell(f"Note: the predictions are taken to be of version {number}, which serves now.")
        return None, number
    return from_uri("champion", pinned.uri or "", registry), number


def _told(done: Tracked) -> str:
    parts = [
        f"{wording.whole(count)} {name}"
        for name, count in (
            ("tracked", done.tracked),
            ("labelled", done.labelled),
            ("unchanged", done.unchanged),
            ("corrected", done.corrected),
            ("unknown", done.unknown),
            ("wait for a label", done.waiting),
        )
        if count
    ]
    when = ""
    if done.start is not None and done.end is not None:
        when = f" From {done.start:%Y-%m-%d %H:%M} to {done.end:%Y-%m-%d %H:%M} UTC."
    return f"{wording.plural(done.n, 'row')}: {', '.join(parts) or 'nothing to do'}.{when}"
