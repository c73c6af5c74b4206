"""The dialect of JUnit that Jenkins, GitLab and GitHub's reporters share, written as checks, and a reader of it.

After Jenkins's schema (junit-10.xsd of its xUnit plugin) and what GitLab's parser takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import junitparser

if TYPE_CHECKING:
    from pathlib import Path

OUTCOMES = {"skipped": "skipped", "failure": "failures", "error": "errors"}
_COUNTS = {"tests", *OUTCOMES.values()}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Case:
    """A test case as CI shows it."""

    suite: str
    group: str
    name: str
    outcome: str
    text: str


def read(source: str | Path) -> list[Case]:
    """Read a file that is held to the dialect, and that another library reads the same."""
    text = source if isinstance(source, str) else source.read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - our own file
    assert root.tag == "testsuites"
    assert set(root.attrib) == {"name", "time", *_COUNTS}
    cases: list[Case] = []
    for suite in root:
        assert suite.tag == "testsuite"
        assert set(suite.attrib) - {"timestamp"} == {"name", "time", *_COUNTS}
        assert _STAMP.fullmatch(suite.get("timestamp", "2026-01-01T00:00:00"))
        own = [_case(suite.attrib["name"], element) for element in suite]
        _check_counts(suite, own)
        cases += own
    _check_counts(root, cases)
    assert len({(case.group, case.name) for case in cases}) == len(cases)
    _second_opinion(text, cases)
    return cases


def _case(suite: str, element: ET.Element) -> Case:
    assert element.tag == "testcase"
    assert set(element.attrib) == {"classname", "name", "time"}
    assert float(element.attrib["time"]) >= 0
    assert len(element) == 1
    child = element[0]
    if child.tag != "system-out":
        assert child.tag in OUTCOMES
        assert set(child.attrib) == {"message", "type"}
        assert child.attrib["message"] == (child.text or "")
    outcome = "passed" if child.tag == "system-out" else child.tag
    return Case(suite, element.attrib["classname"], element.attrib["name"], outcome, child.text or "")


def _check_counts(element: ET.Element, cases: list[Case]) -> None:
    assert int(element.attrib["tests"]) == len(cases) > 0
    for outcome, key in OUTCOMES.items():
        assert int(element.attrib[key]) == sum(case.outcome == outcome for case in cases)


def _second_opinion(text: str, cases: list[Case]) -> None:
    found = junitparser.JUnitXml.fromroot(junitparser.JUnitXml.fromstring(text.encode())._elem)  # noqa: SLF001 - it reads one suite as another class
    kinds = {junitparser.Skipped: "skipped", junitparser.Failure: "failure", junitparser.Error: "error"}
    other = [
        (suite.name, case.classname, case.name, kinds[type(case.result[0])] if case.result else "passed")
        for suite in found
        for case in suite
    ]
    assert other == [(case.suite, case.group, case.name, case.outcome) for case in cases]
