"""``abtest predict --interactive | --demo | --values``: rows that are typed, or were logged with the model."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

import typer

from abtest.cli import common

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from abtest.bulk.choosing import Chosen
    from abtest.bulk.interactive import Answer, Teller
    from abtest.labels import Label

_MOST_FIELDS = 6  # of a row, in a table: --format json has all
Way: TypeAlias = Literal["--values", "--interactive", "--demo", "--stream"]


def way(*, values: str | None, interactive: bool, demo: bool, stream: bool) -> Way | None:
    """Read which of them is asked for, or a stream, if any."""
    given: dict[Way, bool] = {
        "--values": values is not None, "--interactive": interactive, "--demo": demo, "--stream": stream
    }  # fmt: skip
    ways = [name for name, is_given in given.items() if is_given]
    if len(ways) > 1:
        raise typer.BadParameter("name one of them.", param_hint=", ".join(ways))
    return ways[0] if ways else None


def refuse(how: Way, form: str, others: Mapping[str, object]) -> None:
    """Refuse options that are for files of rows."""
    for name, value in others.items():
        if value:
            raise typer.BadParameter(f"means nothing with {how}.", param_hint=name)
    if form == "markdown":
        raise typer.BadParameter(f"is table or json with {how}.", param_hint="--format")


def answer(chosen: Chosen, how: Way, form: str, values: str | None) -> None:
    """Predict such rows, and print what the model says: on standard output, and nothing else there."""
    from abtest.bulk.interactive import Teller, converse  # noqa: PLC0415 - --help does not pay for it
    from abtest.bulk.typed import in_one_line  # noqa: PLC0415 - see above
    from abtest.live.serving.served import ready  # noqa: PLC0415 - see above

    named = chosen.named
    with common.working():
        served = ready(
            chosen.model, named.uri or named.ref, name=chosen.name, version=named.version, run_id=named.run_id
        )
        teller = Teller(served, common.working)
    if how == "--values":
        for one in teller([in_one_line(served, values or "")]):
            _tell(one, form)
    elif how == "--demo":
        _show(teller, form)
    else:
        common.tell(f"{chosen.told}: type a row; an empty line ends it.")
        for one in converse(teller, _read, common.tell):
            _tell(one, form)


def _read(prompt: str) -> str:
    """Read a line; the prompt spoils no output."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - then a line can be edited; only a terminal needs it
        try:
            return input(prompt)
        except EOFError:
            common.tell("")  # what comes next begins a line of its own
            raise
    typer.echo(prompt, nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _tell(one: Answer, form: str) -> None:
    if form == "json":
        typer.echo(json.dumps(one.to_dict(), ensure_ascii=False))
        return
    shares = f"  ({_probable(one)})" if one.probabilities and sys.stdout.isatty() else ""
    typer.echo(f"{_spelled(one.prediction)}{shares}")


def _show(teller: Teller, form: str) -> None:
    answers = teller.demo()
    if form == "json":
        for one in answers:
            _tell(one, form)
        return
    common.print_rich(as_table(answers, teller.served.columns))


def as_table(answers: Sequence[Answer], columns: Sequence[str] | None) -> Table:
    """Lay out rows beside what the model says; of a wide row the first fields."""
    from rich.table import Table  # noqa: PLC0415 - only a table needs it
    from rich.text import Text  # noqa: PLC0415 - see above

    from abtest import wording  # noqa: PLC0415 - see above

    first = answers[0].row
    names = [*first] if hasattr(first, "keys") else columns or [str(at) for at in range(1, len(first) + 1)]
    shown, more = names[:_MOST_FIELDS], ["…"] if len(names) > _MOST_FIELDS else []
    table = Table(box=None, header_style="bold")
    for name in (*shown, *more, "prediction", *(["its probability"] if answers[0].probabilities else [])):
        table.add_column(Text(name))
    for one in answers:
        cells = ([*one.row.values()] if hasattr(one.row, "values") else [*one.row])[:_MOST_FIELDS]
        shares = [wording.percent(dict(one.probabilities).get(one.prediction))] if one.probabilities else []
        table.add_row(*(Text(text) for text in (*map(_spelled, cells), *more, _spelled(one.prediction), *shares)))
    return table


def _probable(one: Answer) -> str:
    from abtest import wording  # noqa: PLC0415 - --help does not need it

    shown = [f"{_spelled(label)} {wording.percent(share)}" for label, share in (one.probabilities or ())[:5]]
    return ", ".join(shown) + (", …" if len(one.probabilities or ()) > 5 else "")


def _spelled(value: Label | None) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
