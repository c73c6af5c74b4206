"""``abtest report index | redraw``: reports that are there already, on one page, and drawn again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.examples import App

if TYPE_CHECKING:
    from rich.table import Table

    from abtest.gallery.finding import Gallery

app = App(no_args_is_help=True, rich_markup_mode="rich")

_MOST_PRINTED = 20  # reports


@app.command("index")
def index(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Reports anywhere below it are found.")],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="The page. Default: DIR/index.html.")] = None,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Reports",
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="What is printed.")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
    debug: o.Debug = False,
) -> None:
    """Make one page over every report of a folder: newest first, verdicts at a glance, searchable.

    Example:
        $ abtest report index reports
    """
    from abtest.gallery import finding, indexing  # noqa: PLC0415 - --help does not pay for it
    from abtest.reporter.summary import cleaned  # noqa: PLC0415 - see above

    page = output or folder / "index.html"
    gallery = finding.find(folder)
    indexing.write(gallery, page, title=title)
    if form == "json":
        typer.echo(json.dumps(indexing.spelled(gallery), indent=2))
    elif not quiet:
        common.print_rich(_table(gallery))
    if gallery.unread:
        first = gallery.unread[0]
        told = f"{len(gallery.unread)} cannot be read; the first is {first.path}: {first.why}"
        common.tell(cleaned(told), quiet=quiet)
    common.tell(f"\nPage      {common.near(page)}", quiet=quiet)


@app.command("redraw")
def redraw(
    records: Annotated[
        list[Path],
        typer.Argument(metavar="RECORD...", help="A comparison.json, monitoring.json or training.json; or several."),
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The report's folder. Default: the record's.")
    ] = None,
    save_plot: Annotated[bool, typer.Option("--save-plot/--no-save-plot", help="Draw figures.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace another report.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
    debug: o.Debug = False,
) -> None:
    """Make reports again from their records alone, without models or data.

    Example:
        $ abtest report redraw reports/*/comparison.json
    """
    if output is not None and len(records) > 1:
        raise typer.BadParameter("takes one RECORD.", param_hint="--output")
    from abtest.gallery import redrawing  # noqa: PLC0415 - --help does not pay for it

    for record in records:
        folder = redrawing.redraw(record, output, figures=save_plot, force=force)
        common.tell(f"Report    {common.near(folder / 'report.html')}", quiet=quiet)


def _table(gallery: Gallery) -> Table:
    """Lay out the newest reports."""
    from rich.table import Table  # noqa: PLC0415 - only a table needs it
    from rich.text import Text  # noqa: PLC0415 - see above

    from abtest.reporter.gallery import page  # noqa: PLC0415 - --help does not pay for it
    from abtest.reporter.live import moment  # noqa: PLC0415 - see above

    more = len(gallery.shown) - _MOST_PRINTED
    table = Table(box=None, pad_edge=False, caption=f"and {more:,} more" if more > 0 else None, caption_justify="left")
    for heading in ("verdict", "report", "kind", "when"):
        table.add_column(heading)
    for heading in ("metric", "effect", "p"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for it in gallery.shown[:_MOST_PRINTED]:
        entry, numbers = it.entry, page.written(it.entry)
        cells = (
            f"{entry.verdict_mark} {entry.verdict_title}",
            " ".join(filter(None, (entry.model, entry.versions))),
            entry.kind,
            moment(entry.at),
            numbers["metric"],
            numbers["effect"],
            numbers["pvalue"],
        )
        table.add_row(*map(Text, cells))
    return table
