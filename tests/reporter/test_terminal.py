"""The terminal: verdict, table and reasons, in words too."""

from __future__ import annotations

import io
from typing import Literal

import pytest
from rich.console import Console

from abtest.reporter import terminal
from abtest.reporter.palette import CHALLENGER
from abtest.reporter.summary import summarise
from tests.examples import SITUATIONS as OFFLINE
from tests.live.examples import SITUATIONS as LIVE

SITUATIONS = {**OFFLINE, **LIVE}


def printed(situation: str, *, width: int = 120, colour: bool = False) -> str:
    """What a console shows."""
    file = io.StringIO()
    system: Literal["truecolor"] | None = "truecolor" if colour else None
    console = Console(file=file, width=width, force_terminal=colour, color_system=system, highlight=False)
    console.print(terminal.render(summarise(SITUATIONS[situation]())))
    return file.getvalue()


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_terminal_tells_it_without_colour(situation: str) -> None:
    """Piped, there is no escape sequence, and verdict, metrics and reasons are all words."""
    text = printed(situation)
    summary = summarise(SITUATIONS[situation]())
    assert "\x1b" not in text
    assert text.startswith(summary.verdict)
    for row in summary.metrics:
        assert row.name in text
        assert f"{row.mark} {row.effect}" in text
    holding = [reason for reason in summary.reasons if reason.rule == "guardrail" and reason.held]
    assert text.count("✓") + text.count("✗") == len(summary.reasons) + len(summary.alarms) - len(holding) + bool(
        holding
    )
    if holding:
        hold = "1 guardrail holds" if len(holding) == 1 else f"{len(holding)} guardrails hold"
        assert f"✓ {hold}." in text


def test_users_texts_are_no_markup() -> None:
    """A name in brackets is no style of rich's."""
    assert "[link](javascript:alert(1))" not in printed("hostile"), "versions are named, not references"
    assert "a long name" in printed("unregistered", width=200)


def test_colours_follow_the_palette() -> None:
    """On a terminal the challenger's column has the challenger's colour."""
    red, green, blue = (int(CHALLENGER[i : i + 2], 16) for i in (1, 3, 5))
    assert f"38;2;{red};{green};{blue}" in printed("two", colour=True)
