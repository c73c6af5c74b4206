"""What figures over time lay out: the record's numbers, in the axis's unit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from abtest.errors import NotApplicableError
from abtest.reporter import looks
from tests.examples import SITUATIONS as OFFLINE
from tests.known import known
from tests.live.examples import SITUATIONS

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


@every_situation
def test_evidence_is_in_powers_of_ten(situation: str) -> None:
    """Ten to the power drawn is E, but where there is none to speak of; a split has no e-process."""
    record = SITUATIONS[situation]()
    found, reading = looks.evidence(record), known(record.live)
    if reading.log_better is None:
        assert found is None
        return
    for view, name in zip(known(found), ("log_better", "log_worse"), strict=True):
        logs = [getattr(look, name) for look in reading.looks]
        assert [power for _, power in view.points] == pytest.approx([max(-2, log / math.log(10)) for log in logs])
        assert [at for at, _ in view.points] == [look.at for look in reading.looks]
        assert view.now == getattr(reading, name)


@every_situation
def test_what_crossed_the_line_is_significant(situation: str) -> None:
    """Evidence in the direction of the effect has crossed its line where the anytime p-value is at most the level."""
    record = SITUATIONS[situation]()
    found, reading, alpha = looks.evidence(record), known(record.live), record.settings.policy.alpha
    if found is None:
        return
    side = found[0] if record.evaluation.tested.effect > 0 else found[1]
    assert (side.crossed is not None) == (known(reading.pvalue) <= alpha)
    if side.crossed is not None:
        before = [power for at, power in side.points if at < side.crossed]
        assert all(power < side.line for power in before)


@every_situation
def test_effects_are_those_of_the_looks(situation: str) -> None:
    """Every look with an interval is in one piece, in order, in points where it is a share; the others come before."""
    record = SITUATIONS[situation]()
    view, reading = looks.effect(record), known(record.live)
    factor = 100 if record.task == "classification" else 1
    drawn = [(it.at, it.lower, it.value, it.upper) for piece in view.looks for it in piece]
    told = [look for look in reading.looks if look.ci_lower is not None]
    for ends, look in zip(drawn, told, strict=True):
        assert ends[0] == look.at
        assert ends[1:] == pytest.approx([factor * known(end) for end in (look.ci_lower, look.effect, look.ci_upper)])
    assert all(at <= drawn[0][0] for at, _ in view.before) if drawn else view.before
    assert view.more_is_better == (record.task == "classification")


def test_a_gap_breaks_the_line() -> None:
    """Looks without an interval between others leave a gap."""
    record = SITUATIONS["split_better"]()
    reading = known(record.live)
    middle = replace(reading.looks[80], ci_lower=None, ci_upper=None)
    broken = replace(reading, looks=(*reading.looks[:80], middle, *reading.looks[81:]))
    assert len(looks.effect(record).looks) == 1
    assert len(looks.effect(replace(record, live=broken)).looks) == 2


def test_epochs_say_what_they_do() -> None:
    """A running epoch is told by its inclusion, another by its state, and a rollback is harm."""
    assert [turn.text for turn in looks.turns(SITUATIONS["shadow_harm"]())] == ["5.0 %", "25.0 %", "rolled back"]
    assert [turn.harm for turn in looks.turns(SITUATIONS["shadow_harm"]())] == [False, False, True]


def test_other_rows_have_no_looks() -> None:
    """A comparison on labelled rows has nothing over time."""
    with pytest.raises(NotApplicableError, match="not from live traffic"):
        looks.evidence(OFFLINE["two"]())
