"""Workflow commands and outputs: GitHub's escapes, and nothing that a text could add."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.decision import passes
from abtest.reporter import github
from tests.examples import SITUATIONS as OFFLINE
from tests.live.examples import SITUATIONS as LIVE
from tests.reporter.test_several import made

SITUATIONS = {**OFFLINE, **LIVE}

COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)")


def unescaped(text: str) -> str:
    """Read as GitHub's runner does: the escapes of a property first, of % last."""
    for escape, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


@given(st.text(), st.text())
def test_a_command_is_one_line_and_says_what_it_was_given(message: str, title: str) -> None:
    """Whatever it holds, a message is one command of one line, from which GitHub reads it back."""
    match = COMMAND.fullmatch(github.command("error", message, title=title))
    assert match is not None
    assert unescaped(match[2]) == title
    assert match[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == message


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_levels_follow_the_gate(situation: str, gate: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Only a gate that is closed makes errors; each rule that does not hold is told, as far as GitHub shows them."""
    found = SITUATIONS[situation]()
    passed = passes(found.decision.verdict)
    lines = [COMMAND.fullmatch(line) for line in github.annotated(found, passed=passed, gate=gate)]
    levels = [match[1] for match in lines if match]
    assert len(levels) == len(lines)
    assert ("error" in levels) == (gate and not passed)
    unmet = sum(not reason.held for reason in found.decision.reasons)
    assert len(lines) == 1 + min(unmet, 10) or unmet > 9
    assert len(lines) <= 11


def test_of_several_challengers_the_recommended_ones_rules_are_told() -> None:
    """Where one may serve, what others lack is no annotation; where none may, each one's first lacks are."""
    one_may = made(0.7, 0.9, 0.5)
    assert not any(line.startswith("::error") for line in github.annotated(one_may, passed=True, gate=True))
    none_may = made(0.9, 0.7, 0.5)
    told = list(github.annotated(none_may, passed=False, gate=True))
    assert {"v2", "v3"} <= set(re.findall(r"v\d", " ".join(told)))


@given(st.text())
def test_an_output_is_one_line(value: str) -> None:
    """No value can set another output."""
    written = github.outputs({"report": value})
    assert written.count("\n") <= 1
    assert written == "" or (written.startswith("report=") and len(written.splitlines()) == 1)
