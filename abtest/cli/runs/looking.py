"""``abtest runs show | compare``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli import options as o
from abtest.cli.models import shared as s
from abtest.cli.runs import shared as r

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.books.comparing import Compared, Row
    from abtest.books.showing import ShownRun

_CELL = 60  # letters


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, four or more first letters of it, or its name.")],
    everything: Annotated[bool, typer.Option("--all", help="MLflow's own tags, too.")] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show a run: when, who, from which code; what it read and logged, what was made of it, and what uses it.

    Example:
        $ abtest runs show 'logistic regression'
    """
    from abtest.books.showing import shown  # noqa: PLC0415 - --help does not pay for it

    registry = r.connect(tracking_uri, registry_uri)
    found = shown(registry, run)
    if not s.json_or(form, found.to_dict()):
        _show(found, everything=everything)
        for notice in found.notices:
            common.tell(f"Note: {notice}")
    common.tell(f"Registry  {registry}")


def _show(found: ShownRun, *, everything: bool) -> None:
    run = found.run
    code = (found.code.get(it) for it in ("commit", "repository", "program"))
    lines = {
        "run": run.run_id,
        "name": r.plain(run.name),
        "experiment": r.plain(run.experiment),
        "status": run.status.lower() + (", deleted" if run.deleted else ""),
        "began": s.time(run.started_at),
        "ended": s.time(run.ended_at),
        "by": r.plain(run.by),
        "kind": r.plain(run.kind),
        "code": r.plain(" of ".join(filter(None, code)), 160),
    }
    typer.echo("\n".join(f"{name:<11} {told}" for name, told in lines.items()))
    tags = sorted(
        ((k, v) for k, v in run.tags.items() if everything or not k.startswith("mlflow.")),
        key=lambda tag: (not tag[0].startswith("abtest."), tag[0]),
    )
    _section(("metric", "value"), [(name, r.value(it)) for name, it in sorted(run.metrics.items())], right="value")
    _section(("parameter", "value"), [(name, r.plain(it, _CELL)) for name, it in sorted(run.params.items())])
    _section(("tag", "value"), [(name, r.plain(it, _CELL)) for name, it in tags])
    _section(("dataset", "digest", "for"), [(it.name, it.digest, it.context or "–") for it in run.datasets])
    _section(
        ("version", "of", "stage", "aliases"),
        [(str(it.version), it.name, it.stage or "–", ", ".join(it.aliases) or "–") for it in found.versions],
    )
    _section(("logged model",), [(it,) for it in run.models])
    sizes = [(it.path, "–" if it.bytes is None else wording.size_on_disk(it.bytes)) for it in found.artifacts]
    _section(("artifact", "size"), sizes, right="size")
    _section(
        ("nested run", "name", "status", "began"),
        [(it.run_id[:12], it.name, it.status.lower(), s.time(it.started_at)) for it in found.children],
    )
    _section(("in use, so it cannot be deleted:",), [(why,) for why in found.used], letters=200)


def _section(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "", letters: int = _CELL) -> None:
    if rows:
        typer.echo()
        cells = [[r.plain(cell, letters) for cell in row] for row in rows]
        s.print_table(headers, cells, right=[right], prose=headers[-1:] if letters > _CELL else ())


def compare(
    run: r.Runs,
    everything: Annotated[bool, typer.Option("--all", help="What is the same, too.")] = False,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    form: s.Form = "table",
    debug: o.Debug = False,
) -> None:
    """Show runs side by side: parameters, metrics, data, code and environment; what differs.

    Logged metrics are no evidence, since nobody knows on which rows they were measured: 'abtest compare' is.

    Example:
        $ abtest runs compare 'logistic regression' 'support vector machine'
    """
    from abtest.books.comparing import compared  # noqa: PLC0415 - --help does not pay for it

    registry = r.connect(tracking_uri, registry_uri)
    found = compared(registry, run)
    if not s.json_or(form, found.to_dict()):
        _compare(found, everything=everything)
    for notice in found.notices:
        common.tell(f"Note: {notice}")
    if any(row.kind == "metric" for row in found.rows):
        common.tell("Note: logged metrics are no evidence: nothing tells that they were measured on the same rows.")
        if found.models:
            first, *others = found.models
            sides = [f"--champion-uri={first}", *(f"--challenger-uri={it}" for it in others)]
            common.tell(f"Next      {shlex.join(['abtest', 'compare', *sides])} --test-data …")
    common.tell(f"Registry  {registry}")


def _compare(found: Compared, *, everything: bool) -> None:
    from abtest.books.runs import short_ids  # noqa: PLC0415 - --help does not pay for it

    short = short_ids(found.runs)
    sides = [short[run.run_id] for run in found.runs]
    same = [row for row in found.rows if not row.differs]
    shown = found.rows if everything else [row for row in found.rows if row.differs]
    if shown:
        names = tuple(r.plain(run.name, _CELL // 2) for run in found.runs)
        rows = [("", "name", *names, ""), *(_row(row) for row in shown)]
        s.print_table(("what", "of which", *sides, "≠"), rows)
    else:
        typer.echo("Nothing that was logged differs.")
    if same and not everything:
        common.tell(f"Note: {wording.plural(len(same), 'value')} {'is' if len(same) == 1 else 'are'} the same; --all.")


def _row(row: Row) -> tuple[str, ...]:
    cells = []
    for value, effect, better in zip(row.values, row.effects, row.better, strict=True):
        cell = r.value(value, _CELL // 2)
        if row.kind == "metric" and effect is not None:
            how = {True: ", better", False: ", worse", None: ""}[better]
            cell += f" ({'+' if effect > 0 else wording.MINUS if effect < 0 else ''}{abs(effect):.4g}{how})"
        cells.append(cell)
    return (row.kind, r.plain(row.name, 48), *cells, "≠" if row.differs else "=")
