"""The frame of the benchmarks: what is measured is kept, and the page is written from what is kept; all of it runs."""

from __future__ import annotations

import doctest
import itertools
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as command
from benchmarks import drawing, page, spelling
from benchmarks.agreeing import must_agree
from benchmarks.machine import this_machine
from benchmarks.measured import RESULTS, Aim, Found, Measurement, Point, Rival, Spread, read_all
from benchmarks.timing import interleaved, launched, not_installed, recorded, report, side_by_side

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = st.floats(1e-9, 1e6)


def found(*measurements: Measurement, name: str = "trial") -> Found:
    """What a benchmark of this name would have found."""
    return Found(
        name=name,
        title="How fast?",
        about="Measured.",
        date="2026-11-01",
        quick=False,
        machine=this_machine(),
        measurements=measurements,
    )


def faster(times: float, **said: object) -> Measurement:
    """A measurement in which a rival takes so many times what ours does."""
    rival = Rival(name="theirs", values=(times, 2 * times, 3 * times))
    return Measurement(what="work", ours=(1.0, 2.0, 3.0), rivals=(rival,), **said)  # type: ignore[arg-type] # Measurement's own


@pytest.mark.parametrize(
    "name",
    [
        *("scoring", "tally", "columns", "intervals", "resampling", "growth", "delong", "areas"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                *("start_up", "whole", "segments", "registry", "sql", "memory", "caching"),
                *("serving", "live_costs", "monitoring", "predicting", "streaming", "training", "gallery"),
            )
        ),
    ],
)
def test_each_benchmark_runs_and_its_page_is_written_from_what_it_kept(name: str, tmp_path: Path) -> None:
    """A benchmark tried with small sizes keeps its measurements, and the page has a row for each, and its plots."""
    command.main([name, "--quick", "--into", str(tmp_path)])
    kept = read_all(tmp_path / "results")
    assert set(kept) == {name}
    assert kept[name].measurements
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert kept[name].title in text
    assert all(m.what in text for m in kept[name].measurements)
    drawn = {path.name for path in (tmp_path / "plots").glob("*.svg")}
    assert bool(drawn) == any(m.point or m.aims for m in kept[name].measurements)
    assert all(f"(plots/{file})" in text for file in drawn)


def test_a_page_written_again_is_the_same(tmp_path: Path) -> None:
    """Writing depends on what is kept and on nothing else."""
    point = Point(question="How does it grow?", along="rows", at=100)
    found(faster(3, point=point), faster(2, aims=(Aim(at_most=1, of="theirs"),))).write(tmp_path / "results")
    pages = []
    for _ in range(2):
        command.main(["--write", "--into", str(tmp_path)])
        pages.append({path.name: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()})
    assert pages[0] == pages[1]


def test_what_is_kept_is_read_as_it_was(tmp_path: Path) -> None:
    """A record comes back from its file equal to what was written."""
    one = found(
        faster(3, unit="MiB", note="a note", aims=(Aim(at_most=2),)),
        faster(2, point=Point(question="?", along="rows", at=1)),
    )
    one.write(tmp_path)
    assert read_all(tmp_path) == {"trial": one}


def test_losses_and_missed_aims_are_told(tmp_path: Path) -> None:
    """Where a rival is faster, the page says so before any detail; where an aim is missed, it says missed."""
    page.write([found(faster(0.5, aims=(Aim(at_most=1, of="theirs"),)))], tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    head, _, rest = text.partition("## How fast?")
    assert "0 of 1 aims were met, 1 missed" in head
    assert "**2.0 × slower**" in head.partition("## Where we lose")[2]
    assert "**missed**" in rest


def test_ours_against_ours_is_no_loss(tmp_path: Path) -> None:
    """What abtest itself does faster in another setting is not lost to anybody."""
    slower = replace(faster(0.5), rivals=(Rival(name="abtest, fewer rows", values=(0.5, 1.0, 1.5)),))
    page.write([found(slower)], tmp_path)
    assert "Nowhere on this page" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_rival_that_is_not_installed_is_told_and_its_aim_not_judged(tmp_path: Path) -> None:
    """A missing library neither fails a benchmark nor meets an aim."""
    absent = replace(faster(1, aims=(Aim(at_most=1, of="DuckDB"),)), rivals=not_installed("DuckDB"))
    page.write([found(absent)], tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| DuckDB | – | not installed | no slower | not measured |" in text
    assert "0 of 0 aims" in text


@given(times=st.floats(0.01, 100), at_most=st.floats(0.01, 100))
def test_an_aim_is_met_where_ours_takes_at_most_so_many_times_the_rivals(times: float, at_most: float) -> None:
    """Its verdict is that of the ratio of ours to theirs."""
    measured = faster(times, aims=(aim := Aim(at_most=at_most, of="theirs"),))
    assert measured.met(aim) == (1 / measured.times_ours(measured.rivals[0]).median <= at_most)


@given(values=st.lists(SECONDS, min_size=1, max_size=9))
def test_a_spread_encloses_its_median(values: list[float]) -> None:
    """The quartiles lie around the median, and all of them within the values."""
    s = Spread.of(tuple(values))
    assert min(values) <= s.low <= s.median <= s.high <= max(values)


@given(value=SECONDS)
def test_a_written_time_is_within_half_a_percent(value: float) -> None:
    """Three digits and a unit say a time to within half a per cent."""
    number, unit = spelling.quantity(value, "s").split()
    size = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}[unit]
    assert float(number.replace(",", "")) * size == pytest.approx(value, rel=0.0051)


def test_turns_are_taken_and_the_first_round_is_not_counted() -> None:
    """Each contender runs once a round, in turns, and once before."""
    order: list[str] = []
    rounds = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=4)
    assert order == ["a", "b"] * 5
    assert {name: len(seconds) for name, seconds in rounds.items()} == {"a": 4, "b": 4}


def test_a_trial_of_one_round_is_that_round() -> None:
    """Where one round is asked for, each contender runs once, and that is counted."""
    order: list[str] = []
    rounds = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=1)
    assert order == ["a", "b"]
    assert {name: len(seconds) for name, seconds in rounds.items()} == {"a": 1, "b": 1}


def test_a_budget_leaves_three_rounds() -> None:
    """However little time there is, a median is of three."""
    assert len(interleaved({"a": lambda: None}, rounds=9, budget=0)["a"]) == 3


def test_a_process_is_measured_by_its_own_memory() -> None:
    """The peak is that of the process, and not of what started it; both numbers are of the whole process."""
    ballast = b"x" * (300 << 20)
    small = launched([sys.executable, "-S", "-c", "pass"])
    large = launched([sys.executable, "-S", "-c", "b'x' * (100 << 20)"])
    assert small["mib"] < len(ballast) >> 20
    assert large["mib"] - small["mib"] == pytest.approx(100, abs=5)
    assert small["seconds"] > 0


def test_a_process_that_fails_is_told() -> None:
    """What a failed process said is in the error."""
    with pytest.raises(RuntimeError, match="no luck"):
        launched([sys.executable, "-c", "raise SystemExit('no luck')"])


def test_scripts_report_what_they_find() -> None:
    """The two calls that short benchmarks use keep every round, scaled where they scale it, and read the aim."""
    recorded()
    ours, theirs = side_by_side(lambda: None, lambda: None, rounds=3)
    report("work", ours, theirs / 5 * 10, aim="at most 1/20 at most times", rival="theirs")
    (measured,) = recorded()
    assert measured.aims == (Aim(at_most=0.05, of="theirs"),)
    assert len(measured.ours) == len(measured.rivals[0].values) == 3
    assert float(theirs / 5 * 10) == pytest.approx(2 * theirs)


def test_disagreement_is_refused() -> None:
    """Nothing is timed that gives other numbers."""
    must_agree([1.0, 2.0], [1.0, 2.0 + 1e-12], within=1e-9)
    with pytest.raises(AssertionError):
        must_agree([1.0], [1.1], within=1e-9)


def test_plots_are_files_that_stand_alone() -> None:
    """Each is well-formed, with its title, both themes, and words for who does not see it."""
    point = Point(question="How does it <grow>?", along="rows", at=100)
    measured = faster(3, point=point, aims=(Aim(at_most=1, of="theirs"),))
    larger = replace(measured, point=replace(point, at=1e6))
    for svg, alt in (
        drawing.growth("How does it <grow>?", [measured, larger]),
        drawing.aims([(measured, measured.aims[0])]),
    ):
        root = ET.fromstring(svg)  # noqa: S314 - ours
        assert root.find(".//*[@role='img']").attrib["aria-label"] == alt  # type: ignore[union-attr] # it is there, or this fails
        assert "prefers-color-scheme: dark" in svg


def test_labels_at_the_lines_do_not_overlap() -> None:
    """However close lines end, their names stand apart, in their order."""
    point = Point(question="?", along="rows", at=10)
    rivals = tuple(Rival(name=f"rival {i}", values=(1 + i / 1000,)) for i in range(6))
    measured = [Measurement(what="w", ours=(1.0,), rivals=rivals, point=replace(point, at=at)) for at in (10.0, 100.0)]
    root = ET.fromstring(drawing.growth("?", measured)[0])  # noqa: S314 - ours
    texts = [it for it in root.iter() if it.tag.endswith("text")]
    heights = sorted(float(it.attrib["y"]) for it in texts if (it.text or "").startswith(("rival", "abtest")))
    assert len(heights) == 7
    assert all(b - a >= 14 for a, b in itertools.pairwise(heights))


def test_the_committed_page_is_written_from_the_committed_results(tmp_path: Path) -> None:
    """Nobody edits the page: what is committed is what the results give."""
    committed = read_all()
    if not committed:
        pytest.skip("nothing was measured yet")
    page.write(command.in_order(committed), tmp_path)
    for path in tmp_path.rglob("*.*"):
        assert path.read_bytes() == (RESULTS.parent / path.relative_to(tmp_path)).read_bytes()


def test_the_examples_of_how_numbers_are_written_hold() -> None:
    """Each doctest of the spelling runs."""
    assert doctest.testmod(spelling).failed == 0
