"""What was predicted, told to people: in a terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from abtest import wording
from abtest.bulk.distribution import MOST_SHOWN
from abtest.reporter.palette import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from abtest.bulk.distribution import Spread
    from abtest.bulk.predicted import Cell, Predicted

_BAR = 24  # characters of a share of 1
_WIDEST = 12  # columns of the sample
_BESIDE = 8  # columns beside each other


def headline(predicted: Predicted) -> str:
    """Say in a sentence what was done.

    Example:
        >>> from tests.bulk.examples import predicted
        >>> headline(predicted())
        'iris version 3 predicted 150 rows in 1.25 s (120 rows a second).'
    """
    rate = f" ({wording.whole(round(predicted.n / predicted.seconds))} rows a second)" if predicted.seconds else ""
    return f"{predicted.told} predicted {wording.plural(predicted.n, 'row')} in {_seconds(predicted.seconds)}{rate}."


def render(predicted: Predicted) -> RenderableType:
    """Lay out what was done, how predictions are distributed, and the sample."""
    numbers = predicted.distribution.numbers
    sample: list[RenderableType] = [Text(), _sample(predicted)] if predicted.sample else []
    return Group(
        Text(headline(predicted)),
        Text(),
        _classes(predicted) if numbers is None else _numbers(numbers),
        *sample,
        *(Text(f"Note: {notice}", style="dim") for notice in predicted.notices),
    )


def markdown(predicted: Predicted) -> str:
    """Write the same as Markdown."""
    numbers = predicted.distribution.numbers
    if numbers is None:
        rows = [(_code(name), n, share) for name, n, share in _class_rows(predicted)]
        table = _as_markdown(("prediction", "rows", "share"), rows)
    else:
        table = _as_markdown(("", "prediction"), _number_rows(numbers))
    columns = _sampled(predicted)
    sample = [tuple(_code(_cell(row[name])) for name in columns) for row in predicted.sample]
    parts = [headline(predicted), table]
    if sample:
        parts.append(_as_markdown([_code(name) for name in columns], sample))
    parts += [f"> {notice}" for notice in predicted.notices]
    return "\n\n".join(parts) + "\n"


def _classes(predicted: Predicted) -> Table:
    table = _table("prediction", "rows", "share")
    table.add_column("")
    shares = [it.share for it in predicted.distribution.classes] + [1.0]
    for (name, n, share), part in zip(_class_rows(predicted), shares, strict=False):
        bar = "█" * round(_BAR * part) if name != _others(predicted) else ""
        table.add_row(Text(name), n, share, Text(bar, style=CHAMPION))
    return table


def _class_rows(predicted: Predicted) -> list[tuple[str, str, str]]:
    found = predicted.distribution
    rows = [(str(it.label), wording.whole(it.n), wording.percent(it.share)) for it in found.classes]
    if found.others:
        rows.append((_others(predicted), wording.whole(found.others), wording.percent(found.others / predicted.n)))
    return rows


def _others(predicted: Predicted) -> str:
    return f"other than these {min(MOST_SHOWN, len(predicted.distribution.classes))}"


def _numbers(spread: Spread) -> Table:
    table = _table("", "prediction")
    for name, value in _number_rows(spread):
        table.add_row(name, value)
    return table


def _number_rows(spread: Spread) -> list[tuple[str, str]]:
    values = {
        "mean": spread.mean,
        "std": spread.std,
        "min": spread.min,
        "25 %": spread.first_quartile,
        "50 %": spread.median,
        "75 %": spread.third_quartile,
        "max": spread.max,
    }
    rows = [(name, wording.MISSING if it is None else wording.value(it, "number")) for name, it in values.items()]
    return [*rows, *([("infinite", wording.plural(spread.infinite, "row"))] if spread.infinite else [])]


def _sample(predicted: Predicted) -> Table:
    columns = _sampled(predicted)
    table = Table(box=None, pad_edge=False, header_style="dim")
    if len(columns) > _BESIDE >= len(predicted.sample):  # few rows of many columns read better the other way about
        table.add_column("row")
        for number in range(1, len(predicted.sample) + 1):
            table.add_column(str(number))
        for name in columns:
            table.add_row(Text(name), *(Text(_cell(row[name])) for row in predicted.sample))
        return table
    for name in columns:
        table.add_column(Text(name))
    for row in predicted.sample:
        table.add_row(*(Text(_cell(row[name])) for name in columns))
    return table


def _sampled(predicted: Predicted) -> tuple[str, ...]:
    """The columns of the sample: of many the last, among which is what was predicted."""
    return predicted.columns[-_WIDEST:]


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _cell(value: Cell) -> str:
    if value is None:
        return wording.MISSING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(text: str) -> str:
    """Write what data hold as code, in which nothing is a link or a heading."""
    return "`" + text.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s"
