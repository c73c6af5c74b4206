"""The Bayesian reading against coin tosses in fractions, two-dimensional integrals, and a million draws."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.outcomes import Contingency
from abtest.stats.bayes import (
    Posterior,
    accuracy_posterior,
    better_probability,
    dirichlet_draws,
    drawn_posterior,
    smoothed,
)
from abtest.stats.mcnemar import mcnemar
from tests.stats.worked import BENTUR, NEWCOMBE
from tests.strategies import contingencies, swapped

Floats = npt.NDArray[np.float64]
MARGINS = st.sampled_from([0.0, 1e-6, 0.001, 0.02, 0.3, 1.0])


def table(b: int, c: int, rest: int) -> Contingency:
    """Spell a table by its discordant rows and the rest."""
    return Contingency(both=rest - rest // 3, champion_only=b, challenger_only=c, neither=rest // 3)


def mid_p_greater(b: int, c: int) -> Fraction:
    """One-sided mid-p of "challenger better", by counting coin tosses."""
    m = b + c
    above = sum(math.comb(m, k) for k in range(c + 1, m + 1))
    return Fraction(2 * above + math.comb(m, c), 2 ** (m + 1))


def draw(counts: npt.ArrayLike, draws: int, seed: int = 0) -> Floats:
    """Draw all weights into one array."""
    chunks = dirichlet_draws(np.asarray(counts, dtype=np.float64), draws=draws, rng=np.random.default_rng(seed))
    return np.concatenate([*chunks])


def test_identity_with_mid_p() -> None:
    """P(better) is 1 − the one-sided mid-p, for every table of up to 40 discordant rows, counted in fractions."""
    for m in range(41):
        for c in range(m + 1):
            ours = better_probability(table(m - c, c, 7))
            assert ours == pytest.approx(float(1 - mid_p_greater(m - c, c)), rel=1e-13), (m - c, c)


@pytest.mark.parametrize(("printed", "pvalue"), [(BENTUR, 0.0390625), (NEWCOMBE, 0.007385254)])
def test_published_values(printed: Contingency, pvalue: float) -> None:
    """The mid-p in print is twice the smaller posterior probability."""
    ours = better_probability(printed)
    assert 2 * min(ours, 1 - ours) == pytest.approx(pvalue, abs=6e-10)


@given(contingencies(min_n=0))
def test_two_sided_mid_p(drawn: Contingency) -> None:
    """At any size, twice the smaller posterior probability is McNemar's mid-p; at a tie it is 1/2."""
    ours = better_probability(drawn)
    if drawn.champion_only == drawn.challenger_only:
        assert ours == pytest.approx(0.5, abs=1e-12)
    elif drawn.challenger_only < drawn.champion_only:
        assert 2 * ours == pytest.approx(mcnemar(drawn).pvalue, rel=1e-9, abs=1e-300)
    else:
        assert 2 * (1 - ours) == pytest.approx(mcnemar(drawn).pvalue, abs=1e-12)


def integrated(b: int, c: int, rest: int, margin: float) -> tuple[float, float, float]:
    """Integrate the Dirichlet density of (champion only, challenger only): P(above), P(below), expected loss."""
    density = stats.dirichlet([b + 1, c + 1, rest])

    def over(low: float, *, wins: bool, loss: bool = False) -> float:
        def inner(less: float, gap: float) -> float:
            more = less + gap
            cells = [less, more] if wins else [more, less]
            return float(density.pdf([*cells, 1 - less - more])) * (gap if loss else 1)

        # Inside the simplex: 2 · less + gap < 1.
        value, _ = integrate.dblquad(inner, low, 1, 0, lambda gap: (1 - gap) / 2, epsabs=1e-10, epsrel=1e-10)
        return float(value)

    return over(margin, wins=True), over(margin, wins=False), over(0, wins=False, loss=True)


@pytest.mark.parametrize(
    ("b", "c", "rest", "margin"), [(0, 0, 3, 0.1), (0, 2, 4, 0.25), (4, 1, 6, 0.05), (5, 9, 20, 0.02), (3, 3, 2, 0.4)]
)
def test_integrals_in_two_dimensions(b: int, c: int, rest: int, margin: float) -> None:
    """P(better by margin), ROPE and expected loss are integrals of the Dirichlet density."""
    ours = accuracy_posterior(table(b, c, rest), margin=margin)
    above, below, loss = integrated(b, c, rest, margin)
    assert ours.better_by_margin == pytest.approx(above, abs=1e-8)
    assert ours.rope == pytest.approx(1 - above - below, abs=1e-8)
    assert ours.expected_loss == pytest.approx(loss, abs=1e-8)


def by_share(b: int, c: int, rest: int, margin: float) -> float:
    """Integrate P(better by margin) the other way round: over the challenger's share, by SciPy's quadrature."""
    share, discordant = stats.beta(c + 1, b + 1), stats.beta(b + c + 2, rest)
    low, high = max((1 + margin) / 2, share.ppf(1e-17)), share.isf(1e-17)

    def integrand(s: float) -> float:
        return float(share.pdf(s) * discordant.sf(margin / (2 * s - 1)))

    return float(integrate.quad(integrand, low, high, epsabs=1e-13, limit=500)[0]) if low < high else 0.0


@pytest.mark.parametrize(
    ("b", "c", "rest", "margin"),
    [
        (0, 1, 10**6, 1e-6),
        (0, 0, 10**8, 1e-8),
        (30, 50, 920, 0.01),
        (3000, 3300, 93_700, 0.001),
        (49_000, 51_000, 10**6, 0.001),
        (5 * 10**6, 5_004_000, 10**8, 1e-5),
        (0, 1000, 1, 0.998),
    ],
)
def test_integral_at_any_size(b: int, c: int, rest: int, margin: float) -> None:
    """From one row to a hundred million, integrating the other way round gives the same to 1e-11."""
    ours = accuracy_posterior(table(b, c, rest), margin=margin)
    assert ours.better_by_margin == pytest.approx(by_share(b, c, rest, margin), abs=1e-11)
    below = by_share(c, b, rest, margin)
    assert ours.rope == pytest.approx(1 - ours.better_by_margin - below, abs=1e-11)


@pytest.mark.parametrize(("b", "c", "rest"), [(0, 0, 1), (3, 12, 85), (40, 2, 10), (500, 520, 9000), (7, 3, 0)])
def test_draws_agree(b: int, c: int, rest: int) -> None:
    """A hundred thousand Dirichlet draws say the same, to five of their standard errors."""
    margin = 0.01
    ours = accuracy_posterior(table(b, c, rest), margin=margin)
    weights = draw([rest, b + 1, c + 1], 100_000)
    drawn = drawn_posterior(weights[:, 2] - weights[:, 1], margin=margin)
    for name in ("better", "better_by_margin", "rope"):
        assert getattr(ours, name) == pytest.approx(getattr(drawn, name), abs=5 * drawn.monte_carlo_error)
    assert ours.expected_loss == pytest.approx(drawn.expected_loss, abs=5 * drawn.expected_loss_error)


def test_expected_loss_in_fractions() -> None:
    """The expected loss is the exact integral of a polynomial, for every table of up to 12 discordant rows."""
    for b in range(13):
        for c in range(13 - b):
            # ∫₀^½ (1 − 2s) s^c (1 − s)^b ds, expanded in powers of s, over the same up to 1.
            terms = [Fraction(math.comb(b, i) * (-1) ** i) for i in range(b + 1)]
            half, whole = Fraction(1, 2), Fraction(0)
            loss = Fraction(0)
            for i, term in enumerate(terms):
                k = c + i + 1
                loss += term * (half**k / k - 2 * half ** (k + 1) / (k + 1))
                whole += term / k
            expected = loss / whole * Fraction(b + c + 2, b + c + 7)
            ours = accuracy_posterior(table(b, c, 5)).expected_loss
            assert ours == pytest.approx(float(expected), rel=1e-11), (b, c)


def test_expected_loss_of_many_rows() -> None:
    """At ten million discordant rows the expected loss is that of the normal distribution it tends to."""
    m, n = 10**7, 10**8
    for z in (-2.0, 0.0, 1.0, 3.0):
        gap = round(z * math.sqrt(m) / 2) * 2
        ours = accuracy_posterior(table((m - gap) // 2, (m + gap) // 2, n - m)).expected_loss
        spread, z_exact = math.sqrt(m) / n, gap / math.sqrt(m)
        normal = spread * (stats.norm.pdf(z_exact) - z_exact * stats.norm.sf(z_exact))
        assert ours == pytest.approx(normal, rel=1e-3)


@given(contingencies(), MARGINS)
def test_laws(drawn: Contingency, margin: float) -> None:
    """The three outcomes share out all belief, swapping sides swaps them, and gain less loss is the mean effect."""
    ours, theirs = accuracy_posterior(drawn, margin=margin), accuracy_posterior(swapped(drawn), margin=margin)
    assert ours.better + theirs.better == pytest.approx(1, abs=1e-9)
    assert ours.better_by_margin + ours.rope + theirs.better_by_margin == pytest.approx(1, abs=1e-9)
    assert ours.rope == pytest.approx(theirs.rope, abs=1e-12)
    assert 0 <= ours.better_by_margin <= ours.better + 1e-9 <= 1 + 1e-9
    assert 0 <= ours.rope <= 1
    assert 0 <= ours.expected_loss <= 1
    mean = (drawn.challenger_only - drawn.champion_only) / (drawn.n + 2)
    assert theirs.expected_loss - ours.expected_loss == pytest.approx(mean, abs=1e-9)
    if margin == 0:
        assert ours.better_by_margin == pytest.approx(ours.better, rel=1e-12, abs=1e-300)
        assert ours.rope == 0
    if margin == 1:
        assert (ours.better_by_margin, ours.rope) == (0, 1)


@given(contingencies())
def test_a_wider_margin_is_met_less_often(drawn: Contingency) -> None:
    """A wider margin is never likelier to be exceeded."""
    believed = [accuracy_posterior(drawn, margin=margin) for margin in (0.0, 0.001, 0.01, 0.1, 0.5)]
    assert np.all(np.diff([posterior.better_by_margin for posterior in believed]) <= 1e-12)
    assert np.all(np.diff([posterior.rope for posterior in believed]) >= -1e-12)


def test_one_discordant_row_is_not_certain() -> None:
    """One discordant row makes its side better with probability 3/4, not 1."""
    assert better_probability(table(0, 1, 50)) == 0.75
    assert better_probability(table(1, 0, 50)) == pytest.approx(0.25, rel=1e-15)


def test_drawn_posterior_counts() -> None:
    """Shares of draws are counts; draws at zero, or within noise of it, are half for each side."""
    draws = np.array([0.3, 0.1, 0.0, 1e-13, -0.1, -0.4, 0.2, 0.05])
    expected_loss = 0.5 / 8
    spread = math.sqrt((0.1**2 + 0.4**2) / 8 - expected_loss**2)
    assert drawn_posterior(draws, margin=0.1) == Posterior(
        better=(4 + 1) / 8,
        better_by_margin=2 / 8,
        rope=5 / 8,
        expected_loss=pytest.approx(expected_loss),  # type: ignore[arg-type] # pytest compares it
        margin=0.1,
        monte_carlo_error=pytest.approx(0.5 / math.sqrt(8)),  # type: ignore[arg-type]
        expected_loss_error=pytest.approx(spread / math.sqrt(8)),  # type: ignore[arg-type]
    )
    same = drawn_posterior(np.zeros(10))
    assert (same.better, same.better_by_margin, same.rope, same.expected_loss) == (0.5, 0, 1, 0)


@pytest.mark.parametrize("counts", [[3.0, 1.0, 6.0], [0.5, 2.25, 0.0, 90.0]])
def test_draws_are_dirichlet(counts: list[float]) -> None:
    """Each share's draws have SciPy's Beta distribution, and every pair the Dirichlet's covariance."""
    drawn, total = draw(counts, 50_000), sum(counts)
    assert drawn.sum(axis=1) == pytest.approx(1, abs=1e-12)
    for share, count in zip(drawn.T, counts, strict=True):
        if not count:
            assert not share.any()
            continue
        assert stats.kstest(share, stats.beta(count, total - count).cdf).pvalue > 1e-4
    p = np.array(counts) / total
    covariance = (np.diag(p) - np.outer(p, p)) / (total + 1)
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=6 * math.sqrt(2 / 50_000) * covariance.max())


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any), st.integers(1, 40), st.integers(0, 2**32))
def test_draws_are_shares(counts: list[int], draws: int, seed: int) -> None:
    """Weights sum to one, no empty cell has any, and the same seed draws the same."""
    drawn = draw(counts, draws, seed)
    assert drawn.shape == (draws, len(counts))
    assert drawn.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (drawn >= 0).all()
    assert not drawn[:, np.array(counts) == 0].any()
    assert np.array_equal(drawn, draw(counts, draws, seed))


def test_chunks_are_bounded_and_do_not_matter() -> None:
    """Many cells come in chunks of at most 32 MiB; cutting them elsewhere changes no number."""
    counts = np.random.default_rng(1).integers(0, 4, 55_000)
    rng, again = np.random.default_rng(2), np.random.default_rng(2)
    chunks = [*dirichlet_draws(counts, draws=90, rng=rng)]
    assert len(chunks) > 1
    assert all(chunk.nbytes <= 32 << 20 for chunk in chunks)
    pieces = [piece for size in (1, 29, 60) for piece in dirichlet_draws(counts, draws=size, rng=again)]
    assert np.array_equal(np.concatenate(chunks), np.concatenate(pieces))


def test_cells_of_a_table_have_the_posterior_of_accuracy() -> None:
    """However the four counts are cut into cells, smoothed draws of accuracy have the posterior in closed form."""
    counts = np.array([40, 30, 3, 1, 0, 5, 4, 0, 6, 11])
    champion_only, challenger_only = np.zeros(10, dtype=bool), np.zeros(10, dtype=bool)
    champion_only[2:5] = True
    challenger_only[5:8] = True
    ours = accuracy_posterior(table(4, 9, 87), margin=0.03)
    weights = draw(smoothed(counts, champion_only, challenger_only), 100_000)
    effects = weights[:, challenger_only].sum(axis=1) - weights[:, champion_only].sum(axis=1)
    drawn = drawn_posterior(effects, margin=0.03)
    assert drawn.better == pytest.approx(ours.better, abs=5 * drawn.monte_carlo_error)
    assert drawn.better_by_margin == pytest.approx(ours.better_by_margin, abs=5 * drawn.monte_carlo_error)
    assert drawn.rope == pytest.approx(ours.rope, abs=5 * drawn.monte_carlo_error)
    assert drawn.expected_loss == pytest.approx(ours.expected_loss, abs=5 * drawn.expected_loss_error)


@given(st.lists(st.integers(0, 50), min_size=4, max_size=9), st.integers(1, 3))
def test_pseudo_rows(counts: list[int], cut: int) -> None:
    """Each side's cells gain one row in all, in proportion to their rows, and no other cell gains any."""
    held = np.array(counts)
    champion_only = np.arange(held.size) < cut
    challenger_only = np.arange(held.size) == cut
    result = smoothed(held, champion_only, challenger_only)
    for cells in (champion_only, challenger_only):
        assert result[cells].sum() == pytest.approx(held[cells].sum() + 1, rel=1e-12)
        if held[cells].any():
            assert result[cells] * held[cells].sum() == pytest.approx(held[cells] * (held[cells].sum() + 1), rel=1e-12)
    rest = ~(champion_only | challenger_only)
    assert np.array_equal(result[rest], held[rest])


def test_refusals() -> None:
    """What cannot be asked is refused by name."""
    rng, none = np.random.default_rng(0), np.array([], dtype=bool)
    with pytest.raises(InvalidInputError, match=r"margin must be in \[0, 1\], got 1\.5\. Hint: 0\.01 is one point\."):
        accuracy_posterior(BENTUR, margin=1.5)
    with pytest.raises(InvalidInputError, match=r"margin must be in \[0, 1\], got nan"):
        accuracy_posterior(BENTUR, margin=math.nan)
    with pytest.raises(NotApplicableError, match="no rows"):
        accuracy_posterior(table(0, 0, 0))
    with pytest.raises(InvalidInputError, match="draws must be at least 1, got 0"):
        dirichlet_draws(np.array([1]), draws=0, rng=rng)
    with pytest.raises(InvalidInputError, match="counts must be at least 0"):
        dirichlet_draws(np.array([1, -1]), draws=1, rng=rng)
    with pytest.raises(NotApplicableError, match="no rows"):
        dirichlet_draws(np.array([0, 0]), draws=1, rng=rng)
    with pytest.raises(InvalidInputError, match="margin must be at least 0, got -1"):
        drawn_posterior(np.zeros(3), margin=-1)
    with pytest.raises(InvalidInputError, match="improvements must be finite"):
        drawn_posterior(np.array([math.nan]))
    with pytest.raises(NotApplicableError, match="no draws"):
        drawn_posterior(np.array([]))
    with pytest.raises(NotApplicableError, match="no cell in which only the champion is right"):
        smoothed(np.array([], dtype=np.int64), none, none)
