"""JUnit: the dialect CI reads, agreeing with the gate whatever was found."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.decision import ACCEPTABLE, passes
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from abtest.reporter import junit
from tests import dialect
from tests.examples import HOSTILE, record
from tests.examples import SITUATIONS as OFFLINE
from tests.live.examples import SITUATIONS as LIVE
from tests.reporter.test_several import made

if TYPE_CHECKING:
    from abtest.record import ComparisonRecord, ComparisonsRecord

SITUATIONS = {**OFFLINE, **LIVE}

ACCEPTS = [(), ("conditional",), ("insufficient-evidence",), ACCEPTABLE]


@pytest.mark.parametrize("accept", ACCEPTS, ids=str)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_agrees_with_the_gate(situation: str, accept: tuple[str, ...]) -> None:
    """There is a failure if and only if the verdict does not pass; then the verdict's case is one; none is an error."""
    found = SITUATIONS[situation]()
    cases = dialect.read(junit.render(found, accept))
    passed = passes(found.decision.verdict, accept)
    assert {case.outcome for case in cases} <= ({"passed", "skipped"} if passed else {"passed", "skipped", "failure"})
    assert cases[0].name == junit.VERDICT
    assert cases[0].outcome == ("passed" if passed else "failure")
    assert cases[0].text.startswith(f"{found.decision.verdict}: ")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_rule_is_a_case(situation: str) -> None:
    """A rule that held passes, one that warns is skipped, one that blocks fails; each says what was found."""
    found = SITUATIONS[situation]()
    _, *cases = dialect.read(junit.render(found))
    passed = passes(found.decision.verdict)
    assert len(cases) == len(found.decision.reasons)
    for case, reason in zip(cases, found.decision.reasons, strict=True):
        unmet = "skipped" if passed or reason.severity == "warn" else "failure"
        assert case.outcome == ("passed" if reason.held else unmet)
        assert case.name.startswith(reason.rule)


def test_warnings_are_skipped_where_the_gate_is_closed() -> None:
    """Of a challenger that is held back, a guardrail that only warns fails no test."""
    policy = Policy(guardrails=(Guardrail(metric="recall", class_="b", margin=0.01, severity="warn"),))
    found = record(["a", "b"] * 40, ["a", "b"] * 40, ["a", "a"] * 40, policy=policy)
    outcomes = {case.name: case.outcome for case in dialect.read(junit.render(found))}
    assert outcomes["verdict"] == "failure"
    assert outcomes["guardrail recall class b"] == "skipped"


@pytest.mark.parametrize(
    "found",
    [
        made(0.7, 0.9, 0.7, 0.5),
        made(0.9, 0.7, 0.5),
        made(0.7, 0.9, 0.86, refuted=True),
        made(0.7, 0.9, 0.5, names=HOSTILE[:2]),
    ],
    ids=["one may serve", "none may", "the locked set refutes the best", "hostile"],
)
def test_several_challengers_have_a_suite_each(found: ComparisonsRecord) -> None:
    """After a suite with the verdict on all; where that passes nothing fails, where it does not something does."""
    cases = dialect.read(junit.render(found))
    suites = list(dict.fromkeys(case.suite for case in cases))
    assert len(suites) == 1 + len(found.comparisons)
    failed = [case for case in cases if case.outcome == "failure"]
    assert bool(failed) == (not passes(found.verdict))
    assert cases[0].outcome == ("passed" if passes(found.verdict) else "failure")


def test_names_do_not_depend_on_what_was_found() -> None:
    """CI tells by the name what failed since last time: the same policy gives the same cases, whatever the numbers."""
    policy = Policy(guardrails=(Guardrail(metric="recall", class_="b", margin=0.01),))
    better = record(["a", "b"] * 40, ["a", "a"] * 40, ["a", "b"] * 40, policy=policy)
    worse = record(["a", "b"] * 40, ["a", "b"] * 40, ["a", "a"] * 40, policy=policy)
    named = [[(case.group, case.name) for case in dialect.read(junit.render(it))] for it in (better, worse)]
    assert named[0] == named[1]


@given(st.text())
def test_any_text_is_well_formed(text: str) -> None:
    """Whatever an error or a rule says can be read back; only what XML cannot hold is replaced."""
    (case,) = dialect.read(junit.render_error(text or "x", text or "x"))
    assert case.outcome == "error"
    found: ComparisonRecord = SITUATIONS["two"]()
    reasons = tuple(replace(reason, text=text, rule=text or "rule", held=False) for reason in found.decision.reasons)
    told = dialect.read(junit.render(replace(found, decision=replace(found.decision, reasons=reasons))))
    expected = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    assert all(" ".join(case.text.split()) == " ".join(expected.split()) for case in told[1:])


def test_credentials_stay_out_of_errors() -> None:
    """An error's text has no password."""
    text = junit.render_error("https://me:hunter2@host does not answer; token=hunter2")
    assert "hunter2" not in text
    assert "***@host" in text
