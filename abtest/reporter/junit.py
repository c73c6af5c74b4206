"""The comparison as a JUnit file, so that CI lists the rules and shows which failed: one test case a rule.

It agrees with the gate. Where the verdict passes no case is a failure, and rules that did not hold are skipped, with
their text. Where it does not, the verdict and the rules that block are failures; warnings are skipped.

The dialect is the one that Jenkins, GitLab and GitHub's reporters share: ``testsuites``, ``testsuite``, ``testcase``,
and in it at most one of ``skipped``, ``failure`` and ``error``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from abtest import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abtest.decision import Reason, Verdict
    from abtest.record import ComparisonRecord, ComparisonsRecord

VERDICT = "verdict"  # the case every file has, whatever became of it
UNFINISHED = "The comparison did not finish: whatever ended it left no word. Nothing has been decided."
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def render(record: ComparisonRecord | ComparisonsRecord, accept: Sequence[str] = ()) -> str:
    """Write a finished comparison: a suite for it, or one for each challenger after one for all of them.

    Args:
        record: What was found and decided.
        accept: What passes the gate beside PROMOTE.
    """
    from abtest.decision import passes  # noqa: PLC0415 - a file of one error is written before anything is imported
    from abtest.record import ComparisonRecord  # noqa: PLC0415 - see above
    from abtest.reporter import several, summary  # noqa: PLC0415 - see above

    name = record.model_name or "comparison"
    stamp = f"{record.created_at:%Y-%m-%dT%H:%M:%S}"
    if isinstance(record, ComparisonRecord):
        words, verdict = summary.summarise(record), record.decision.verdict
        passed = passes(verdict, accept)
        cases = [_verdict(f"abtest.{name}", verdict, words.headline, words.advice, passed=passed)]
        cases += _reasons(f"abtest.{name}", record.decision.reasons, passed=passed)
        return _written([_suite(words.title, cases, stamp)])
    told, passed = several.summarise(record), passes(record.verdict, accept)
    whole = _verdict(f"abtest.{name}", record.verdict, told.headline, told.advice, passed=passed)
    suites = [_suite(told.title, [whole], stamp)]
    for own_name, one, part in zip(record.names, record.comparisons, told.parts, strict=True):
        group, verdict = f"abtest.{name}.{own_name}", one.decision.verdict
        # Where another challenger passes, the gate does: what this one lacks fails nothing.
        case = _verdict(group, verdict, part.headline, "", passed=passes(verdict, accept), blocks=not passed)
        suites.append(_suite(part.title, [case, *_reasons(group, one.decision.reasons, passed=passed)], stamp))
    return _written(suites)


def render_error(message: str, kind: str = "unfinished") -> str:
    """Write that there is no verdict, and why: a file with one error.

    Args:
        message: What went wrong; credentials in it are hidden.
        kind: Of error, such as the name of its class.

    Example:
        >>> print(render_error("It broke."))
        <?xml version='1.0' encoding='utf-8'?>
        <testsuites name="abtest" tests="1" failures="0" errors="1" skipped="0" time="0">
          <testsuite name="abtest" tests="1" failures="0" errors="1" skipped="0" time="0">
            <testcase classname="abtest" name="verdict" time="0">
              <error message="It broke." type="unfinished">It broke.</error>
            </testcase>
          </testsuite>
        </testsuites>
        <BLANKLINE>
    """
    case = _case("abtest", VERDICT)
    _mark(case, "error", wording.redacted(message), kind)
    return _written([_suite("abtest", [case])])


def _verdict(
    group: str, verdict: Verdict, headline: str, advice: str, *, passed: bool, blocks: bool = True
) -> ET.Element:
    case = _case(group, VERDICT)
    text = " ".join(f"{verdict}: {headline} {advice}".split())
    if passed:
        ET.SubElement(case, "system-out").text = _clean(text)
    else:
        _mark(case, "failure" if blocks else "skipped", text, str(verdict))
    return case


def _reasons(group: str, reasons: Iterable[Reason], *, passed: bool) -> list[ET.Element]:
    cases, taken = [], {VERDICT: 1}
    for reason in reasons:
        name = _name(reason)
        taken[name] = taken.get(name, 0) + 1
        case = _case(group, name if taken[name] == 1 else f"{name} ({taken[name]})")
        if reason.held:
            ET.SubElement(case, "system-out").text = _clean(reason.text)
        else:
            _mark(case, "skipped" if passed or reason.severity == "warn" else "failure", reason.text, reason.rule)
        cases.append(case)
    return cases


def _name(reason: Reason) -> str:
    """Name a rule by what it asks about, and not by what it found: CI tells by the name what failed since last time."""
    metric = "" if reason.metric == reason.rule else reason.metric
    class_ = "" if reason.class_ is None else f"class {reason.class_}"
    return " ".join(part for part in (reason.rule, metric, class_, reason.segment) if part)


def _case(group: str, name: str) -> ET.Element:
    # Some readers insist on a time; a rule takes none.
    return ET.Element("testcase", classname=_clean(group), name=_clean(name), time="0")


def _mark(case: ET.Element, outcome: str, text: str, kind: str) -> None:
    told = _clean(text)
    ET.SubElement(case, outcome, message=told, type=_clean(kind)).text = told


def _suite(name: str, cases: Sequence[ET.Element], stamp: str = "") -> ET.Element:
    suite = _counted("testsuite", _clean(name), cases)
    if stamp:
        suite.set("timestamp", stamp)
    suite.extend(cases)
    return suite


def _counted(tag: str, name: str, cases: Sequence[ET.Element]) -> ET.Element:
    outcomes = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {key: str(sum(case.find(outcome) is not None for case in cases)) for key, outcome in outcomes.items()}
    return ET.Element(tag, {"name": name, "tests": str(len(cases)), **counts, "time": "0"})


def _written(suites: Sequence[ET.Element]) -> str:
    root = _counted("testsuites", "abtest", [case for suite in suites for case in suite])
    root.extend(suites)
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _clean(text: str) -> str:
    r"""Replace what XML cannot hold, not even escaped; line ends are written as every reader reads them.

    Example:
        >>> _clean("a\x00b\ud800")
        'a\ufffdb\ufffd'
    """
    return _FORBIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
