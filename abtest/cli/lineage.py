"""``abtest lineage``: where a version comes from, and what became of it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.experiment.shared import connect
from abtest.cli.models import shared as s

if TYPE_CHECKING:
    from abtest.record.traced import LineageRecord
    from abtest.registry import Reference

Version: TypeAlias = Annotated[
    str, typer.Argument(metavar="VERSION", help="Its number, latest, @ALIAS, or a stage such as Production.")
]
_LETTERS = 300  # of a line; JSON and the page have all
_ENDINGS = {".json": "json", ".svg": "svg", ".html": "html", ".htm": "html"}


def lineage(
    name: s.Name,
    version: Version,
    form: Annotated[
        Literal["text", "json", "svg", "html"] | None,
        typer.Option("--format", help="What is made. Default: text, or as the file's name ends.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, and print nothing.")
    ] = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    debug: o.Debug = False,
) -> None:
    """Tell where a version comes from and what became of it: data, code, environment, run, comparisons, moves, and who.

    What is nowhere on record is told as unknown, and never guessed.

    Example:
        $ abtest lineage digits 2
        $ abtest lineage digits @champion --output lineage.html
    """
    from abtest.books.lineage import lineage as gathered  # noqa: PLC0415 - --help does not pay for it

    wanted = reference(version, "VERSION")
    registry = connect(tracking_uri, registry_uri)
    record = gathered(registry, name, wanted)
    kind = form or (_ENDINGS.get(output.suffix.lower(), "text") if output else "text")
    text = _rendered(record, kind)
    if output is None:
        typer.echo(text, nl=False)
    else:
        from abtest.reporter.files import write_whole  # noqa: PLC0415 - see above

        write_whole(output, text, "--output")
        common.tell(f"Written   {common.near(output)}")
    common.tell(f"Registry  {registry}")


def reference(text: str, name: str) -> Reference:
    """Read how a version is named: by number, alias or stage.

    Example:
        >>> str(reference("3", "V")), str(reference("@champion", "V")), str(reference("production", "V"))
        ('version 3', 'alias champion', 'stage Production')
    """
    from abtest.registry import STAGES, Reference  # noqa: PLC0415 - --help does not need it
    from abtest.registry.references import is_version  # noqa: PLC0415 - see above

    if is_version(text):
        return Reference(kind="version", value=text)
    if text.startswith("@") and text[1:]:
        return Reference(kind="alias", value=text[1:])
    for stage in STAGES:
        if text.lower() == stage.lower():
            return Reference(kind="stage", value=stage)
    raise typer.BadParameter(
        f"must be a number, latest, @ALIAS, or one of {', '.join(STAGES)}, got {text!r}.", param_hint=name
    )


def _rendered(record: LineageRecord, form: str) -> str:
    if form == "json":
        return record.to_json() + "\n"
    if form == "svg":
        from abtest.reporter.books import picture  # noqa: PLC0415 - --help does not pay for it

        return picture.render(record)
    if form == "html":
        from abtest import provenance  # noqa: PLC0415 - see above
        from abtest.reporter.books import page  # noqa: PLC0415 - see above

        return page.render(record, abtest_version=provenance.version()) + "\n"
    return _text(record)


def _text(record: LineageRecord) -> str:
    """Sections of terms and texts, the terms in one column."""
    from abtest.reporter.books import lineage as told  # noqa: PLC0415 - --help does not pay for it

    parts = [told.headline(record), told.missing(record)]
    for section in told.sections(record):
        parts += ["", section.title]
        width = max((len(line.term) for line in section.lines), default=0)
        parts += [
            f"  {line.term:{width}}  {textwrap.shorten(line.text, _LETTERS, placeholder=' …')}"
            for line in section.lines
        ]
        if not section.lines:
            parts.append(f"  {section.empty}")
    return "\n".join(parts) + "\n"
