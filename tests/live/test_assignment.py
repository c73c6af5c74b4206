"""Assignment is a pure function: worked values, an oracle in exact arithmetic, and laws over many units."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.errors import InvalidInputError
from abtest.live.assignment import Assigner, position, share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS = [f"user-{number}" for number in range(40_000)]
TEXTS = st.text(st.characters(), max_size=20)  # lone surrogates too, as JSON may hold them
SHARES = st.floats(0, 1)


def exact(experiment: str, salt: str, unit: str) -> Fraction:
    """Place a unit as the convention says, in hexadecimal and without rounding."""
    text = f"{experiment}\x1f{salt}\x1f{unit}"
    return Fraction(int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16], 16), 2**64)


@pytest.mark.parametrize(
    ("unit", "placed"), [("user-1", 0.416515532677), ("user-2", 0.770197011734), ("user-3", 0.302817311777)]
)
def test_worked_values(unit: str, placed: float) -> None:
    """The positions of INTERFACES.md come out to their twelve digits."""
    assert position("exp-a", "", unit) == pytest.approx(placed, abs=5e-13)


@given(experiment=TEXTS, salt=TEXTS, unit=TEXTS)
def test_position_is_the_hash_as_a_share(experiment: str, salt: str, unit: str) -> None:
    """A position is the exact one, rounded to a float once."""
    assert position(experiment, salt, unit) == float(exact(experiment, salt, unit))


@given(salt=TEXTS.filter(str.isprintable), unit=TEXTS, share=SHARES, inclusion=SHARES)
def test_assigner_compares_positions(salt: str, unit: str, share: float, inclusion: float) -> None:
    """A unit takes part below the inclusion, and is the challenger's below its share, each by a salt of its own."""
    assign = Assigner("exp-a", salt, challenger_share=share, inclusion=inclusion)
    included = inclusion == 1 or position("exp-a", f"{salt}/inclusion", unit) < inclusion
    arm = "challenger" if position("exp-a", salt, unit) < share else "champion"
    assert assign(unit) == (arm if included else None)


@given(unit=TEXTS, share=SHARES, inclusions=st.lists(SHARES, min_size=2, max_size=5))
def test_ramp_moves_and_drops_nobody(unit: str, share: float, inclusions: list[float]) -> None:
    """Whoever takes part at one inclusion takes part at every higher one, in the same arm."""
    arms = [Assigner("exp-a", "s", challenger_share=share, inclusion=each)(unit) for each in sorted(inclusions)]
    assigned = [arm for arm in arms if arm is not None]
    assert arms == [None] * (len(arms) - len(assigned)) + assigned
    assert len(set(assigned)) <= 1


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("inclusion", [0.05, 0.5])
def test_shares_come_out_right(share: float, inclusion: float) -> None:
    """Of many units, inclusion and challenger's share are those asked for, as far as chance allows."""
    assign = Assigner("exp-a", "", challenger_share=share, inclusion=inclusion)
    arms = Counter(map(assign, UNITS))
    included = arms["champion"] + arms["challenger"]
    assert stats.binomtest(included, len(UNITS), inclusion).pvalue > 1e-4
    assert stats.binomtest(arms["challenger"], included, share).pvalue > 1e-4


def test_arm_is_independent_of_inclusion() -> None:
    """Who is included says nothing about the arm: a chi-square over many units sees no dependence."""
    arms = Assigner("exp-a", "", challenger_share=0.5, inclusion=1)
    deciles = [int(position("exp-a", "/inclusion", unit) * 10) for unit in UNITS]
    assert _dependence(deciles, [arms(unit) for unit in UNITS]) > 1e-4


def test_experiments_are_independent() -> None:
    """A unit's arm in one experiment says nothing about its arm in another, nor under another salt."""
    first, second, salted = (
        [Assigner(name, salt, challenger_share=0.5, inclusion=1)(unit) for unit in UNITS]
        for name, salt in (("exp-a", ""), ("exp-b", ""), ("exp-a", "salt"))
    )
    assert _dependence(first, second) > 1e-4
    assert _dependence(first, salted) > 1e-4


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), float("inf")])
def test_shares_outside_are_refused(value: float) -> None:
    """A share that is none is refused by the name it was typed as."""
    with pytest.raises(InvalidInputError, match=r"inclusion must be in \[0, 1\]"):
        Assigner("exp-a", "", challenger_share=0.5, inclusion=value)


def test_percent_is_explained() -> None:
    """A share typed as percent is told how it is typed."""
    with pytest.raises(InvalidInputError) as refused:
        share_of(5, "inclusion")
    assert refused.value.hint == "0.05 means 5 %."


def _dependence(one: Sequence[object], other: Sequence[object]) -> float:
    """Give the p-value of a chi-square test over the table of both."""
    counts = Counter(zip(one, other, strict=True))
    rows, columns = sorted({str(x) for x in one}), sorted({str(y) for y in other})
    by_name = {(str(x), str(y)): n for (x, y), n in counts.items()}
    table = [[by_name.get((row, column), 0) for column in columns] for row in rows]
    return float(stats.chi2_contingency(table).pvalue)
