"""``abtest label``: labels that came later, from a file into the log of live traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment import shared as s

if TYPE_CHECKING:
    from abtest.live.labelling import Labelled


def label(
    input_: Annotated[str, typer.Option("--input", metavar="PATH", help="CSV, Parquet or JSON Lines: a row a label.")],
    store: o.StoreOption = None,
    id_column: Annotated[str, typer.Option(metavar="COLUMN", help="Names the prediction.")] = "prediction_id",
    label_column: Annotated[str, typer.Option(metavar="COLUMN", help="The truth.")] = "label",
    time_column: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="When it was observed. Default: observed_at, where that is a column."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Refuse labels of predictions of another experiment.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what went wrong.")] = False,
    debug: o.Debug = False,
) -> None:
    """Record labels of predictions that were served; the same file twice changes nothing.

    A correction is kept beside what it corrects; a label of a prediction that is not in the log is kept aside, and
    tried again. Exit code 1 where a label was refused or its prediction is not known.

    Example:
        $ abtest label --input labels.csv
    """
    from abtest.live import labelling  # noqa: PLC0415 - --help does not pay for it

    with s.open_store(store) as log, common.Bar(quiet=quiet) as progress:
        done = labelling.label_file(
            log,
            input_,
            id_column=id_column,
            label_column=label_column,
            time_column=time_column,
            experiment=experiment,
            progress=progress,
        )
    if not quiet:
        typer.echo(_told(done))
    for problem in done.problems:
        common.tell(f"Warning: {problem}")
    if done.problems:
        raise typer.Exit(1)


def _told(done: Labelled) -> str:
    parts = [
        f"{wording.whole(count)} {name}"
        for name, count in (
            ("recorded", done.recorded),
            ("unchanged", done.unchanged),
            ("corrected", done.corrected),
            ("kept aside", done.waiting),
            ("refused", done.refused),
        )
        if count
    ]
    return f"{wording.plural(done.n, 'label')}: {', '.join(parts) or 'nothing to do'}."
