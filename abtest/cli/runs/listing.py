"""``abtest runs list``."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s
from abtest.cli.runs import shared as r
from abtest.settings import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.books.columns import Column
    from abtest.books.runs import LoggedRun

Form: TypeAlias = Annotated[
    Literal["table", "json", "csv"],
    typer.Option("--format", help="What is printed. Default: table.", show_default=False),
]
_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)  # what would talk to a terminal; a cell may have lines and tabs
_FIXED = ("run_id", "name", "experiment", "status", "deleted", "started_at", "ended_at", "by", "kind")  # of a CSV


def list_runs(
    experiment: r.Experiments = None,
    wanted: r.Filter = None,
    order_by: Annotated[
        list[str] | None,
        typer.Option(metavar="ORDER", help="Such as 'metrics.accuracy DESC'. Repeats. Default: the latest first."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="As many as there are.")] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="C", help="metrics.…, params.… or tags.…; repeats, or takes commas. Default: what varies."
        ),
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted, instead.")] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: Form = "table",
    debug: o.Debug = False,
) -> None:
    """List runs, with the metrics and parameters in which they differ.

    Filter and order are MLflow's own language. It keeps a metric that is no number as 0, and finds it as such.

    Example:
        $ abtest runs list --filter 'metrics.train_accuracy > 0.9'
    """
    from abtest.books import columns as chosen  # noqa: PLC0415 - --help does not pay for it
    from abtest.books import runs as books  # noqa: PLC0415 - see above

    asked = chosen.asked_for(listed(columns))
    registry = r.connect(tracking_uri, registry_uri)
    with common.Bar(quiet=not everything) as progress:
        found = books.search(
            registry, experiments=experiment or (), wanted=wanted, order_by=order_by or (),
            limit=None if everything else limit, deleted=deleted, progress=progress,
        )  # fmt: skip
    if form == "csv":
        typer.echo(_csv(found.runs, asked), nl=False)
    elif not s.json_or(form, [run.to_dict() for run in found.runs]):
        _print(found.runs, asked or chosen.varying(found.runs))
        for column in asked:
            if found.runs and all(column.of(run) is None for run in found.runs):
                common.tell(f"Note: no run that is shown has {column}.")
    if found.more:
        common.tell(f"Note: there are more than these {wording.plural(len(found.runs), 'run')}; --limit, or --all.")
    common.tell(f"Registry  {registry}")


def _print(runs: Sequence[LoggedRun], columns: Sequence[Column]) -> None:
    from abtest.books.runs import short_ids  # noqa: PLC0415 - --help does not pay for it

    if not runs:
        typer.echo("There are no such runs.")
        return
    short = short_ids(runs)
    cells = {
        "run": [short[run.run_id] for run in runs],
        "name": [r.plain(run.name, 32) for run in runs],
        "experiment": [r.plain(run.experiment, 32) for run in runs],
        "status": [run.status.lower() for run in runs],
        "began": [s.time(run.started_at) for run in runs],
        "by": [r.plain(run.by, 16) for run in runs],
        "kind": [r.plain(run.kind, 16) for run in runs],
    }
    if not any(run.kind for run in runs):
        del cells["kind"]
    heads = {column: _head(column, [*cells, *(it.name for it in columns)]) for column in columns}
    cells |= {head: [r.value(column.of(run), 20) for run in runs] for column, head in heads.items()}
    numbers = [head for column, head in heads.items() if column.source == "metrics"]
    texts = [head for head in heads.values() if head not in numbers]
    spare = ["by", *reversed(texts), "experiment", "kind", "status", *reversed(numbers[1:])]
    rows = list(zip(*cells.values(), strict=True))
    s.print_table(list(cells), rows, right=numbers, spare=[head for head in spare if head in cells])


def _head(column: Column, taken: Sequence[str]) -> str:
    """A column's name, and where it comes from if it is not the only one of that name."""
    return str(column) if taken.count(column.name) > 1 else r.plain(column.name, len(column.name))


def _csv(runs: Sequence[LoggedRun], asked: Sequence[Column]) -> str:
    from abtest.books.columns import Column as One  # noqa: PLC0415 - --help does not pay for it

    metrics = sorted({name for run in runs for name in run.metrics})
    params = sorted({name for run in runs for name in run.params})
    columns = asked or [
        *(One(source="metrics", name=name) for name in metrics), *(One(source="params", name=name) for name in params)
    ]  # fmt: skip
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*_FIXED, *map(str, columns)])
    for run in runs:
        fixed = run.to_dict()
        row = [*(fixed[name] for name in _FIXED), *(column.of(run) for column in columns)]
        writer.writerow([_STEERING.sub("\N{REPLACEMENT CHARACTER}", it) if isinstance(it, str) else it for it in row])
    return written.getvalue()
