"""``abtest power``: how many rows a test takes, and what the rows there are can show."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from abtest.cli import common
from abtest.cli import options as o

if TYPE_CHECKING:
    from abtest.planning import PowerPlan
    from abtest.record import ComparisonRecord

_ASKED, _OUTPUT = "What is asked", "What comes out"
_NO_DISCORDANCE = (
    "say on what share of the rows exactly one side is right: from an earlier comparison with --comparison FILE, or "
    "as a guess with --discordance SHARE. It is never more than the two error rates together."
)


def power(
    discordance: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of rows on which exactly one side is right; at most the two error rates together.",
            rich_help_panel=_ASKED,
        ),
    ] = None,
    comparison: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A comparison.json: its discordance, rows, confidence and method.",
            rich_help_panel=_ASKED,
        ),
    ] = None,
    effect: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Difference to find; 0.01 is one point.", rich_help_panel=_ASKED),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(metavar="N", help="Rows there are: what can they show?", rich_help_panel=_ASKED)
    ] = None,
    rule: Annotated[
        Literal["share", "non-inferior"],
        typer.Option(help="Find a difference, or prove the challenger not worse.", rich_help_panel=_ASKED),
    ] = "share",
    margin: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Loss tolerated, with --rule non-inferior.", rich_help_panel=_ASKED),
    ] = None,
    target_power: Annotated[
        float, typer.Option("--power", metavar="SHARE", help="Chance to show it.", rich_help_panel=_ASKED)
    ] = 0.8,
    confidence: o.Confidence = None,
    method: o.Method = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for power.svg and power.png.", rich_help_panel=_OUTPUT),
    ] = None,
    form: o.Format = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the number alone.", rich_help_panel=_OUTPUT)
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Find how many rows a test takes, or what the rows there are can show.

    Before a test: --discordance and --effect.
    After one that lacked evidence: --comparison, with --effect for how many rows it would have taken.

    Example:
        $ abtest power --discordance 0.05 --effect 0.01
    """
    if (discordance is None) == (comparison is None):
        told = _NO_DISCORDANCE if discordance is None else "give one of them: the comparison has its own discordance."
        raise typer.BadParameter(told, param_hint="--discordance / --comparison")
    from abtest import planning  # noqa: PLC0415 - --help does not pay for it

    if output is not None:
        from abtest.reporter import folder  # noqa: PLC0415 - see above

        folder.prepare(Path(output))
    given = {key: value for key, value in (("confidence", confidence), ("method", method)) if value is not None}
    asked = _from_comparison(comparison) if comparison is not None else {"discordance": discordance, **_settings()}
    if rows is not None:
        asked["rows"] = rows
    notes = asked.pop("notes", [])
    plan = planning.plan(**{**asked, **given}, effect=effect, margin=margin, rule=rule, power=target_power)
    if form == "json":
        typer.echo(plan.to_json())
    elif form == "markdown":
        typer.echo(_markdown(plan, notes), nl=False)
    elif quiet:
        typer.echo(_number(plan))
    else:
        _print(plan, notes)
    if output is not None:
        _write(plan, Path(output), quiet=quiet)
    common.tell(f"Next      {_next(plan)}", quiet=quiet)


def _settings() -> dict[str, Any]:
    """Confidence and method of the policy in abtest.toml, if there is one."""
    from abtest import defaults  # noqa: PLC0415 - --help does not need it
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    policy = defaults.policy({}, Settings.load(Path.cwd(), os.environ))
    return {"confidence": policy.confidence, "method": policy.method}


def _from_comparison(path: str) -> dict[str, Any]:
    """What a comparison found and how: where no row was discordant, the most that the discordance may be."""
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it
    from abtest.planning import percent  # noqa: PLC0415 - see above
    from abtest.stats.power import discordance_limit  # noqa: PLC0415 - see above

    record = _read(Path(path).expanduser())
    policy, table = record.settings.policy, record.contingency
    if table is None and record.task == "classification":
        raise InvalidInputError(
            "comparison is a split of live traffic, and this plans tests on the same rows.",
            hint="an experiment in shadow mode has them.",
        )
    if table is None:
        raise InvalidInputError(
            "comparison is a regression, and this plans tests of accuracy.",
            hint="its report says how many rows its errors would take.",
        )
    limit = discordance_limit(table.n, table.discordant, confidence_level=policy.confidence)
    if table.discordant:
        share = table.discordant / table.n
        note = f"{table.discordant:,} of {table.n:,} rows were discordant; it may be up to {percent(limit)} of them."
    else:
        share = limit
        note = f"None of {table.n:,} rows was discordant; {percent(limit)} is the most that it may be."
    return {
        "discordance": share,
        "rows": table.n,
        "confidence": policy.confidence,
        "method": policy.method,
        "notes": [note],
    }


def _read(path: Path) -> ComparisonRecord:
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it
    from abtest.record import ComparisonRecord  # noqa: PLC0415 - see above

    hint = "abtest compare writes a comparison.json into each report's folder."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"comparison {path} cannot be read: {error.strerror}.", hint=hint) from error
    except ValueError as error:
        raise InvalidInputError(f"comparison {path} is no JSON.", hint=hint) from error
    try:
        return ComparisonRecord.from_dict(data)
    except InvalidInputError as error:
        raise InvalidInputError(f"comparison {path}: {error.message}", hint=error.hint or hint) from error


def _table(plan: PowerPlan) -> tuple[list[str], list[list[str]]]:
    """Head and rows: half the size, the size asked about, and double it."""
    from abtest import planning, wording  # noqa: PLC0415 - --help does not need it

    head = ["margin, points" if plan.margin is not None else "difference, points", "rows needed"]
    if plan.rows is not None:
        head.append(f"power with {wording.plural(plan.rows, 'row')}")
    sizes = planning.numbers([line.size for line in plan.curve])
    rows = [[size, wording.whole(line.rows_needed)] for size, line in zip(sizes, plan.curve, strict=True)]
    if plan.rows is not None:
        for row, line in zip(rows, plan.curve, strict=True):
            row.append(wording.percent(line.exact_power))
    return head, rows


def _print(plan: PowerPlan, notes: list[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only a table needs it
    from rich.table import Table  # noqa: PLC0415 - see above

    from abtest import planning  # noqa: PLC0415 - see above

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)
    console.print(planning.answer(plan))
    if plan.curve:
        head, rows = _table(plan)
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in head:
            table.add_column(name, justify="right")
        for row, line in zip(rows, plan.curve, strict=True):
            table.add_row(*row, style="bold" if line.size == plan.size else None)
        console.print()
        console.print(table)
    console.print()
    for note in (*notes, _how(plan)):
        console.print(f"Note: {note}", style="dim")


def _markdown(plan: PowerPlan, notes: list[str]) -> str:
    from abtest import planning  # noqa: PLC0415 - --help does not need it

    head, rows = _table(plan)
    lines = [f"**{planning.answer(plan)}**", ""]
    if rows:
        lines += ["| " + " | ".join(row) + " |" for row in (head, ["--:"] * len(head), *rows)] + [""]
    return "\n".join([*lines, *(f"> {note}  " for note in (*notes, _how(plan)))]) + "\n"


def _how(plan: PowerPlan) -> str:
    if plan.method is None:
        return f"Tango's interval at {100 * plan.confidence:g} % confidence, of two equally accurate sides."
    return f"McNemar's test ({plan.method}) at {100 * plan.confidence:g} % confidence, two-sided."


def _number(plan: PowerPlan) -> str:
    """The answer alone: rows for a size, else the size for rows."""
    if plan.effect is not None or plan.margin is not None:
        return str(plan.rows_needed)
    return "none" if plan.detectable is None else f"{plan.detectable:.4g}"


def _next(plan: PowerPlan) -> str:
    from abtest import wording  # noqa: PLC0415 - --help does not need it

    if plan.rows_needed is None or (plan.effect is None and plan.margin is None):
        return "the same command with --effect SHARE tells how many rows the difference that matters takes"
    missing = plan.rows_needed - (plan.rows or 0)
    if missing <= 0:
        return "the rows there are suffice: abtest compare --test-data FILE"
    more = "" if plan.rows is None else "more "
    return (
        f"label {wording.whole(missing)} {more}rows, then compare once (abtest compare --test-data FILE): "
        "comparing as they come raises false alarms"
    )


def _write(plan: PowerPlan, folder: Path, *, quiet: bool) -> None:
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it
    from abtest.reporter import power_curve  # noqa: PLC0415 - see above

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "power.svg").write_text(power_curve.svg_file(plan), encoding="utf-8")
        (folder / "power.png").write_bytes(power_curve.png_file(plan))
    except OSError as error:
        raise InvalidInputError(f"output {folder} cannot be written: {error.strerror}.") from error
    common.tell(f"Figure    {folder / 'power.png'} and power.svg", quiet=quiet)
