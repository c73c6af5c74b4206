"""The words: what a comparison says, before anything lays it out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.reporter import explained
from abtest.reporter.summary import TONE_MARKS, cleaned, shown, summarise
from tests.examples import HOSTILE
from tests.examples import SITUATIONS as OFFLINE
from tests.known import known
from tests.live.examples import SITUATIONS as LIVE

SITUATIONS = {**OFFLINE, **LIVE}

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


LESS_IS_BETTER = ("Cost per row", "Log loss", "Brier score", "RMSE", "MAE")


@every_situation
def test_every_row_is_told(situation: str) -> None:
    """Every metric and every class of the record has its row, in the record's order."""
    record = SITUATIONS[situation]()
    summary = summarise(record)
    assert len(summary.metrics) == len(record.metrics)
    assert sum(len(found.rows) for found in summary.classes) == len(record.per_class)
    labels = [shown(label) for label in known(record.confusion).labels] if record.per_class else []
    assert [found.label for found in summary.classes] == labels


@every_situation
def test_sign_tone_and_mark_agree(situation: str) -> None:
    """What is better has a plus and a mark upwards, what is worse a minus and one downwards; costs have it reversed."""
    record = SITUATIONS[situation]()
    summary = summarise(record)
    groups = (*summary.classes, *(group for found in summary.segments.values() for group in found))
    for row in (*summary.metrics, *(row for group in groups for row in group.rows)):
        more, less = ("worse", "better") if row.name in LESS_IS_BETTER else ("better", "worse")
        sign = {"+": more, "−": less}.get(row.effect[0], "same")
        if row.name != "Bias":  # which is better nearer to 0, from either side
            assert row.tone == sign or row.effect.strip("0.") == ""
        assert row.mark == TONE_MARKS[row.tone]
        assert row.known or not row.sure or record.live  # of which a test may be known at every look, and no interval


@pytest.mark.parametrize(
    ("situation", "verdict", "tone"),
    [
        ("two", "PROMOTE", "better"),
        ("three", "KEEP_CHAMPION", "worse"),
        ("ten", "INSUFFICIENT_EVIDENCE", "same"),
        ("conditional", "CONDITIONAL", "same"),
        ("one_row", "INSUFFICIENT_EVIDENCE", "same"),
    ],
)
def test_each_verdict_has_its_words(situation: str, verdict: str, tone: str) -> None:
    """Each verdict has a tone, a title, a headline with both accuracies, and advice."""
    summary = summarise(SITUATIONS[situation]())
    assert summary.verdict == verdict
    assert summary.tone == tone
    assert {row.name: row for row in summary.metrics}["Accuracy"].challenger in summary.headline
    assert summary.advice.endswith(".")


def test_a_side_is_not_named_twice() -> None:
    """A side that is called after its role is named once."""
    assert summarise(SITUATIONS["unregistered"]()).sides[0] == "champion"
    assert summarise(SITUATIONS["two"]()).sides == ("champion v1", "challenger v2")


@given(st.text())
def test_labels_can_be_shown(text: str) -> None:
    """Whatever a label holds, what is shown of it is something, encodes, and controls nothing."""
    label = shown(text)
    assert label
    assert label.encode("utf-8")
    assert not any(unicodedata.category(c) in {"Cc", "Cs"} for c in label)
    assert shown(label) == label


def test_ordinary_labels_stay_as_they_are() -> None:
    """Letters of every script, and what joins them, are left alone."""
    for label in ("naïve", "日本語", "क्‍ष", "👩‍🔬", "a | b", "<b>"):
        assert shown(label) == cleaned(label) == label
    assert "\x00" not in shown(HOSTILE[3])


@pytest.mark.parametrize("situation", OFFLINE)
def test_the_method_names_its_sources(situation: str) -> None:
    """The method names the test that was used, and who it is after."""
    record = SITUATIONS[situation]()
    told = {part.term: part for part in explained.method(record)}
    if record.task == "regression":
        assert "Student (1908)" in told["Are the errors different?"].references
        assert "Efron" in told["How large is the difference?"].references
        return
    assert "Fagerland" in told["Is the accuracy different?"].references
    assert "Tango (1998)" in told["How large is the difference?"].references
    assert ("The other metrics" in told) == (len(record.metrics) > 1)
    assert ("Many classes at once" in told) == bool(record.per_class)
