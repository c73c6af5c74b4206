"""``abtest runs list``."""

from __future__ import annotations

import csv
import io
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
_HEADERS = ("run", "name", "experiment", "status", "began", "by", "kind")
_SPARE = ("by", "experiment", "kind", "status")


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
    taken = [*_HEADERS, *(column.name for column in columns)]
    heads = [str(it) if taken.count(it.name) > 1 else it.name for it in columns]
    rows = [
        (
            short[run.run_id],
            r.plain(run.name, 32),
            r.plain(run.experiment, 32),
            run.status.lower(),
            s.time(run.started_at),
            r.plain(run.by, 16),
            r.plain(run.kind, 16),
            *(r.value(column.of(run), 20) for column in columns),
        )
        for run in runs
    ]
    numbers = [head for head, column in zip(heads, columns, strict=True) if column.source == "metrics"]
    labels = [head for head in heads if head not in numbers]
    shown = [r.plain(head, 32) for head in heads]
    renamed = dict(zip(heads, shown, strict=True)) if len(set(shown)) == len(shown) else {}
    s.print_table(
        [*_HEADERS, *(renamed.get(head, head) for head in heads)],
        rows,
        right=[renamed.get(head, head) for head in numbers],
        spare=[renamed.get(it, it) for it in ("by", *reversed(labels), *_SPARE[1:], *reversed(numbers[1:]))],
    )


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
        writer.writerow([*(fixed[name] for name in _FIXED), *(column.of(run) for column in columns)])
    return written.getvalue()


_FIXED = ("run_id", "name", "experiment", "status", "deleted", "started_at", "ended_at", "by", "kind")
