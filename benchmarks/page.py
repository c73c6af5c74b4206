"""The page: benchmarks/README.md, written from what was kept, and from nothing else."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks import drawing, spelling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.machine import Machine
    from benchmarks.measured import Aim, Found, Measurement, Rival

_HEAD = """# Benchmarks

Is abtest faster than what a user would pick instead, how does it grow, and where does it lose? One command measures all
of it and writes this page; it takes about an hour on two quiet cores:

```sh
pip install -e ".[serve,benchmarks]" && python -m benchmarks
```

`python -m benchmarks tally whole` measures some, `--quick` tries all with small sizes, `--write` writes the page again
from what is kept in `results/`. Evidently needs older libraries than ours: `python -m benchmarks evidently` makes it an
environment of its own; servers are asked by wrk where it is installed.

Contenders take turns, round by round, after one round to warm up, in their own defaults: so a noisy minute is shared.
A time is the median of the rounds, with the quartiles; a ratio is the median of the rounds' own ratios, with theirs.
Each benchmark first makes sure that both sides give the same numbers. Aims were set before measuring. Whole processes
are measured from start to end, with their peak memory.
"""


def write(found: Sequence[Found], folder: Path) -> None:
    """Write the page and its plots, and remove plots that are no longer on it."""
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, str] = {}
    text = "\n".join(_page(found, drawn))
    for path in plots.glob("*.svg"):
        if path.name not in drawn:
            path.unlink()
    for name, svg in drawn.items():
        (plots / name).write_text(svg, encoding="utf-8")
    (folder / "README.md").write_text(text + "\n", encoding="utf-8")


def _page(found: Sequence[Found], drawn: dict[str, str]) -> Iterator[str]:
    yield _HEAD
    if not found:
        yield "Nothing was measured yet."
        return
    usual = found[0].machine
    yield from (f"{usual.hardware}.", f"{usual.software}.", "")
    if any(one.quick for one in found):
        yield "**A trial with small sizes (`--quick`): nothing is to be concluded from it.**\n"
    yield from _at_a_glance(found, drawn)
    for one in found:
        yield from _section(one, usual, drawn)


def _at_a_glance(found: Sequence[Found], drawn: dict[str, str]) -> Iterator[str]:
    """All aims, and every loss, before any detail."""
    aimed = [(m, aim) for one in found for m in one.measurements for aim in m.aims]
    told = [verdict for m, aim in aimed if (verdict := m.met(aim)) is not None]
    yield "## What was aimed at, and what came of it\n"
    yield f"{sum(told)} of {len(told)} aims were met, {len(told) - sum(told)} missed.\n"
    judged = [(m, aim) for m, aim in aimed if aim.of and m.met(aim) is not None]
    if judged:
        drawn["aims.svg"], alt = drawing.aims(judged)
        yield f"![{alt}](plots/aims.svg)\n"
    yield from _table(("what", "aim", "measured", ""), (_aim_row(m, aim) for m, aim in aimed))
    lost = [(m, rival) for one in found for m in one.measurements for rival in m.rivals if _is_lost(m, rival)]
    yield "## Where we lose\n"
    if not lost:
        yield "Nowhere on this page.\n"
        return
    yield from _table(
        ("what", "against", "abtest is"),
        ((m.what, rival.name, f"**{spelling.against(rival, m)}**") for m, rival in lost),
    )


def _is_lost(measurement: Measurement, rival: Rival) -> bool:
    return bool(rival.values) and not rival.is_ours and spelling.is_loss(measurement.times_ours(rival))


def _aim_row(measurement: Measurement, aim: Aim) -> tuple[str, ...]:
    rival = next((rival for rival in measurement.rivals if rival.name == aim.of), None)
    measured = spelling.spread(measurement.ours, measurement.unit)
    if rival is not None:
        measured = spelling.against(rival, measurement)
    return measurement.what, spelling.aim(aim, measurement.unit, named=True), measured, _verdict(measurement, aim)


def _verdict(measurement: Measurement, aim: Aim) -> str:
    return {True: "met", False: "**missed**", None: "not measured"}[measurement.met(aim)]


def _section(one: Found, usual: Machine, drawn: dict[str, str]) -> Iterator[str]:
    yield f"## {one.title}\n"
    if one.about:
        yield f"{one.about}\n"
    yield f"`python -m benchmarks {one.name}`, {one.date}.{_elsewhere(one.machine, usual)}\n"
    placed = [m for m in one.measurements if m.point]
    for number, (question, points) in enumerate(groupby(placed, lambda m: m.point.question if m.point else "")):
        name = f"{one.name}-{number + 1}.svg" if number else f"{one.name}.svg"
        drawn[name], alt = drawing.growth(question, [*points])
        yield f"![{alt}](plots/{name})\n"
    heads = ("what", "abtest", "against", "takes", "abtest is", "aim", "")
    yield from _table(heads, (row for m in one.measurements for row in _rows(m)))
    notes = dict.fromkeys(note for m in one.measurements for note in _notes(m))
    yield from (f"- {note}" for note in notes)
    if notes:
        yield ""


def _elsewhere(machine: Machine, usual: Machine) -> str:
    """Name what is not as on the rest of the page."""
    told = ""
    if machine.hardware != usual.hardware:
        told += f" On {machine.hardware}."
    if machine.software != usual.software:
        told += f" With {machine.software}."
    return told


def _rows(measurement: Measurement) -> Iterator[tuple[str, ...]]:
    """A row a rival; what was done and ours are written once."""
    unit = measurement.unit
    begun = (measurement.what, spelling.spread(measurement.ours, unit))
    alone = [aim for aim in measurement.aims if not aim.of]
    if alone or not measurement.rivals:
        aims = "; ".join(spelling.aim(aim, unit) for aim in alone)
        yield *begun, "", "", "", aims, "; ".join(_verdict(measurement, aim) for aim in alone)
        begun = ("", "")
    for rival in measurement.rivals:
        own = [aim for aim in measurement.aims if aim.of == rival.name]
        stands = spelling.against(rival, measurement)
        yield (
            *begun,
            rival.name,
            spelling.spread(rival.values, unit) if rival.values else "–",
            f"**{stands}**" if _is_lost(measurement, rival) else stands,
            "; ".join(spelling.aim(aim, unit) for aim in own),
            "; ".join(_verdict(measurement, aim) for aim in own),
        )
        begun = ("", "")


def _notes(measurement: Measurement) -> Iterator[str]:
    if measurement.note:
        yield measurement.note
    for rival in measurement.rivals:
        if rival.note:
            yield f"{rival.name}: {rival.note}"


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
