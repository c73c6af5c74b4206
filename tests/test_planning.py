"""A plan answers what was asked with the numbers of ``stats.power``, and says them in words."""

from __future__ import annotations

import json
import re

import pytest

from abtest.errors import InvalidInputError
from abtest.planning import PowerPlan, answer, numbers, percent, plan, points
from abtest.stats.power import (
    detectable_effect,
    mcnemar_power,
    noninferiority_power,
    noninferiority_rows,
    provable_margin,
    rows_needed,
)


def test_rows_for_a_difference() -> None:
    """Without rows the answer is how many, and the power is that of just so many."""
    found = plan(discordance=0.15, effect=-0.05, power=0.9, confidence=0.99, method="exact")
    needed = rows_needed(0.15, 0.05, power=0.9, confidence_level=0.99, method="exact")
    assert (found.effect, found.size, found.rows_needed, found.rows) == (0.05, 0.05, needed, None)
    assert found.exact_power == mcnemar_power(needed, 0.15, 0.05, confidence_level=0.99, method="exact")
    assert found.detectable is None


def test_power_of_the_rows_there_are() -> None:
    """With a difference and rows, the answer is the rows it takes, the power there is, and what it suffices for."""
    found = plan(discordance=0.1, effect=0.01, rows=900)
    assert found.rows_needed == rows_needed(0.1, 0.01)
    assert found.exact_power == mcnemar_power(900, 0.1, 0.01)
    assert found.detectable == detectable_effect(900, 0.1)


def test_difference_for_rows() -> None:
    """With rows alone, the size asked about is the smallest that they find."""
    found = plan(discordance=0.1, rows=900)
    assert found.size == found.detectable == detectable_effect(900, 0.1)
    assert found.effect is None
    assert found.exact_power == pytest.approx(0.8, abs=1e-6)
    assert found.rows_needed is not None
    assert found.rows_needed <= 900


def test_too_few_rows_for_anything() -> None:
    """Rows that can find nothing have no curve, and say so."""
    found = plan(discordance=0.1, rows=10)
    assert (found.detectable, found.rows_needed, found.exact_power, found.curve) == (None, None, None, ())
    assert answer(found).startswith("10 rows are too few to find any difference with 80 % power")


def test_noninferiority() -> None:
    """Under the other rule, a margin takes the place of the difference, and Tango's interval that of the test."""
    found = plan(discordance=0.1, margin=0.02, rows=1500, rule="non-inferior")
    assert found.rows_needed == noninferiority_rows(0.1, 0.02)
    assert found.exact_power == noninferiority_power(1500, 0.1, 0.02)
    assert found.detectable == provable_margin(1500, 0.1)
    assert found.method is None
    assert [line.size for line in found.curve] == [0.01, 0.02, 0.04]


@pytest.mark.parametrize("rows", [None, 1, 900, 40_000, 10**9])
def test_curves(rows: int | None) -> None:
    """Each curve is power by rows over the same rows, holds the rows needed, and ends where power is nearly certain."""
    found = plan(discordance=0.1, effect=0.01, rows=rows)
    assert [line.size for line in found.curve] == [0.005, 0.01, 0.02]
    for line in found.curve:
        assert line.rows_needed == rows_needed(0.1, line.size)
        counts = [n for n, _ in line.points]
        assert counts == sorted(set(counts))
        assert line.rows_needed in counts
        assert counts[0] == found.curve[0].points[0][0]
        for n, power in line.points[:: len(counts) // 4]:
            assert power == mcnemar_power(n, 0.1, line.size)
        assert line.points[-1][1] > 0.99
        assert all(power <= 0.999 or n <= line.rows_needed for n, power in line.points[:-1])


def test_double_is_left_out_where_it_cannot_be() -> None:
    """No difference is larger than the discordance, and no margin is 1 or more."""
    assert [line.size for line in plan(discordance=0.15, effect=0.1).curve] == [0.05, 0.1]
    assert [line.size for line in plan(discordance=0.15, margin=0.5, rule="non-inferior").curve] == [0.25, 0.5]


@pytest.mark.parametrize(
    "found",
    [
        plan(discordance=0.1, effect=0.05),
        plan(discordance=0.1, rows=10),
        plan(discordance=0.1, margin=0.1, rule="non-inferior", rows=200),
    ],
)
def test_json(found: PowerPlan) -> None:
    """A plan is plain data, field for field, and its JSON says the same."""
    plain = found.to_dict()
    assert json.loads(found.to_json()) == plain
    assert list(plain) == list(PowerPlan.__dataclass_fields__)
    assert plain["rows_needed"] == found.rows_needed
    assert [tuple(map(tuple, line["points"])) for line in plain["curve"]] == [line.points for line in found.curve]


def test_answers() -> None:
    """The answer names the difference, the power, the discordance and the rows."""
    when = "with 80 % power when 10.0 % of the rows are discordant"
    assert answer(plan(discordance=0.1, effect=0.01)) == f"To find a difference of 1.0 point {when} takes 7,839 rows."
    told = answer(plan(discordance=0.1, effect=0.01, rows=900))
    assert told.endswith("900 rows find it with 15.5 % power; with 80 % power they find 2.93 points or more.")
    told = answer(plan(discordance=0.1, effect=0.01, rows=10))
    assert told.endswith("with 80 % power they find nothing.")
    told = answer(plan(discordance=0.1, margin=0.02, rows=1500, rule="non-inferior"))
    assert told == (
        f"To prove that an equally accurate challenger is not worse by 2.0 points {when} takes 1,994 rows. "
        "1,500 rows prove it with 68.2 % power; with 80 % power they prove 2.3 points or more."
    )


@pytest.mark.parametrize("share", [1.0, 0.5, 0.123456, 0.0101, 0.00999, 0.0005, 1e-6])
def test_numbers_are_written_near(share: float) -> None:
    """What is written is within half a percent of what is meant, whatever its size."""
    for text in (points(share), percent(share), *numbers([share, 1.0])[:1]):
        written = re.match(r"[\d.]+", text)
        assert written
        assert float(written[0]) == pytest.approx(100 * share, rel=0.0051)
    assert points(0.01) == "1.0 point"
    assert points(0.011) == "1.1 points"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, r"effect and rows are both missing\. Hint: .*0\.01 for 1 point"),
        ({"rows": 0}, r"rows must be at least 1, got 0\."),
        ({"rows": -5, "effect": 0.01}, r"rows must be at least 1, got -5\."),
        ({"effect": 2}, r"effect must be at most the discordance, 0\.1, got 2\. Hint: 0\.02 means 2 points\."),
        ({"effect": 0}, r"effect must be at least 0\.000001"),
        ({"effect": 0.01, "power": 80}, r"power must be in \[0\.5, 1\), got 80\. Hint: 0\.8 means 80 %\."),
        ({"effect": 0.01, "confidence": 95}, r"confidence must be in \(0, 1\), got 95\. Hint: 0\.95 means 95 %\."),
        ({"effect": 0.01, "discordance": 0}, r"discordance must be in \(0, 1\], got 0\."),
        ({"margin": 0.01}, r"margin means nothing under the rule share\. Hint:"),
        ({"rule": "non-inferior"}, r"margin is missing: the rule non-inferior needs one\. Hint:"),
        ({"rule": "non-inferior", "effect": 0.1}, r"effect means nothing under the rule non-inferior\. Hint:"),
        ({"rule": "non-inferior", "margin": -0.01}, r"margin must be in .*, got -0\.01\. Hint: 0\.01 tolerates"),
        ({"rule": "noninferior"}, r"rule must be one of share, non-inferior, got 'noninferior'\. Hint: did you mean"),
        ({"effect": 0.01, "method": "x"}, r"method must be one of mid-p, exact, chi2, got 'x'\."),
    ],
)
def test_what_cannot_be_planned(asked: dict[str, object], told: str) -> None:
    """What is missing, out of range or contradictory is refused by name."""
    with pytest.raises(InvalidInputError, match=f"^{told}"):
        plan(**{"discordance": 0.1, **asked})  # type: ignore[arg-type]  # the mistakes under test
