"""Sample-ratio mismatch against worked values, SciPy, enumeration, and the exact chance of a false alarm."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.errors import InvalidInputError
from abtest.stats.mismatch import ALPHA, CONCENTRATION, mismatch_evidence, mismatch_evidence_by_look
from abtest.stats.sequential import anytime_pvalue

WEIGHTS = st.lists(st.floats(0.01, 1), min_size=2, max_size=4)


@pytest.mark.parametrize(
    ("counts", "weights", "log_e"),
    [((5200, 4800), (0.5, 0.5), 5.6136134118), ((8900, 1100), (0.9, 0.1), 2.9892518752)],
)
def test_worked_values(counts: tuple[int, int], weights: tuple[float, float], log_e: float) -> None:
    """The worked values come out, to the rounding of gamma functions of ten thousand units."""
    assert mismatch_evidence(counts, weights) == pytest.approx(log_e, abs=2e-10)


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 0), (5, 9, 2), (610, 290, 100), (6100, 2800, 1100)])
@pytest.mark.parametrize("concentration", [1.0, 30.0, 100.0])
def test_agrees_with_scipy(counts: tuple[int, ...], concentration: float) -> None:
    """E is the ratio of SciPy's Dirichlet-multinomial to its multinomial probability of the counts."""
    weights, n = np.array([0.6, 0.3, 0.1]), sum(counts)
    theirs = stats.dirichlet_multinomial.logpmf(counts, concentration * weights, [n])
    theirs = theirs - stats.multinomial.logpmf(counts, n, weights)
    ours = mismatch_evidence(counts, weights.tolist(), concentration=concentration)
    assert [ours] == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.9, 0.1), (0.6, 0.3, 0.1)])
@pytest.mark.parametrize("n", [1, 2, 7, 15])
def test_averages_to_one(weights: tuple[float, ...], n: int) -> None:
    """Over every way in which n units can fall by the planned shares, E is 1 on average."""
    ways = [w for w in itertools.product(range(n + 1), repeat=len(weights)) if sum(w) == n]
    chances = stats.multinomial.pmf(ways, n, weights)
    assert float(chances @ np.exp(mismatch_evidence_by_look(ways, weights))) == pytest.approx(1, rel=1e-10)


@given(st.data(), WEIGHTS)
def test_is_fair(data: st.DataObject, weights: list[float]) -> None:
    """Under the null the next unit leaves E what it is, on average: a martingale."""
    counts = data.draw(st.lists(st.integers(0, 2000), min_size=len(weights), max_size=len(weights)))
    shares = np.array(weights) / sum(weights)
    after = mismatch_evidence_by_look(np.array(counts) + np.eye(len(weights), dtype=int), weights)
    now = mismatch_evidence(counts, weights)
    assert np.log(shares @ np.exp(after - now)) == pytest.approx(0, abs=1e-8)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.01, 0.99))
def test_order_and_scale_do_not_matter(champion: int, challenger: int, share: float) -> None:
    """Arms may be listed in any order, and shares in any proportion."""
    log_e = mismatch_evidence((champion, challenger), (1 - share, share))
    assert mismatch_evidence((challenger, champion), (share, 1 - share)) == pytest.approx(log_e, abs=1e-9)
    assert mismatch_evidence((champion, challenger), (3 - 3 * share, 3 * share)) == pytest.approx(log_e, abs=1e-4)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=6))
def test_looks_are_single_looks(looks: list[tuple[int, int]]) -> None:
    """Many looks at once are each look alone, to the last bit; no units are no evidence."""
    found = mismatch_evidence_by_look([(0, 0), *looks], (0.9, 0.1)).tolist()
    assert found == [0.0, *(mismatch_evidence(look, (0.9, 0.1)) for look in looks)]


def ever_alarmed(share: float, *, units: int, planned: float) -> float:
    """Add up every path of units that crosses 1/ALPHA by then: the exact chance, looking after each unit."""
    alive, crossed = np.array([1.0]), 0.0
    for n in range(1, units + 1):
        alive = np.append(alive * (1 - share), 0) + np.append(0, alive * share)  # by how many are the challenger's
        c = np.arange(n + 1)
        alarm = mismatch_evidence_by_look(np.column_stack([n - c, c]), (1 - planned, planned)) >= -math.log(ALPHA)
        crossed, alive = crossed + alive[alarm].sum(), np.where(alarm, 0.0, alive)
    return float(crossed)


@pytest.mark.parametrize("planned", [0.5, 0.1])
def test_level_with_a_look_after_every_unit(planned: float) -> None:
    """Looking after each of 1,500 units, a split as planned raises the alarm in at most 0.1 % of all paths."""
    assert ALPHA / 10 <= ever_alarmed(planned, units=1500, planned=planned) <= ALPHA


def test_finds_a_mismatch() -> None:
    """Every third unit of one arm lost is found within 1,500 units, in 95 % of paths and more."""
    assert ever_alarmed(0.4, units=1500, planned=0.5) >= 0.95


def test_a_large_split_as_planned_is_no_mismatch() -> None:
    """A hundred million units at just the planned shares are strong evidence for the plan: E near √(k/N)."""
    log_e = mismatch_evidence((90_000_000, 10_000_000), (0.9, 0.1))
    assert log_e == pytest.approx(math.log(CONCENTRATION / (CONCENTRATION + 1e8)) / 2, abs=0.02)
    assert anytime_pvalue([log_e]) == 1.0


@pytest.mark.parametrize(
    ("counts", "weights", "concentration", "message"),
    [
        ((1, -2), (0.5, 0.5), 100.0, "counts must be at least 0, got -2."),
        ((1, 2), (1.0, 0.0), 100.0, "weights must be positive, got 0."),
        ((1, 2), (0.5, math.nan), 100.0, "weights must be positive, got nan."),
        ((1, 2), (0.5, 0.5), 0.0, "concentration must be positive, got 0."),
        (
            (1, 2, 3),
            (0.5, 0.5),
            100.0,
            "counts must have one column for each of two or more weights, got shapes (1, 3) and (2,).",
        ),
    ],
)
def test_no_mismatch_of_that(
    counts: tuple[int, ...], weights: tuple[float, ...], concentration: float, message: str
) -> None:
    """What cannot be is refused by name."""
    with pytest.raises(InvalidInputError) as refused:
        mismatch_evidence(counts, weights, concentration=concentration)
    assert str(refused.value) == message
