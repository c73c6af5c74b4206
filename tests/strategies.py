"""What Hypothesis draws: contingency tables, columns of labels, paired outcomes, and their segments."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st

from abtest.labels import Label
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.tally import Tally

# A busy machine is no counterexample: how long an example takes is the benchmarks' business.
settings.register_profile("abtest", deadline=None)
settings.load_profile("abtest")

Columns: TypeAlias = tuple[list[Label], list[Label], list[Label]]

Codes: TypeAlias = npt.NDArray[np.int64]
Segmented: TypeAlias = tuple[Columns, dict[str, Codes]]

SEGMENTS = {"region": ("Asia", "EU", "(missing)"), "region*tier": ("1 × a", "1 × b", "2 × a", "2 × b")}
_WORDS = ("ant", "bee", "cat", "dog", "élan")


@st.composite
def contingencies(draw: st.DrawFn, *, min_n: int = 1, most: int = 60) -> Contingency:
    """Draw a contingency table, its zeros and huge counts included."""
    count = st.one_of(st.just(0), st.integers(0, most), st.integers(0, most), st.integers(0, 10**8))
    counts = [draw(count) for _ in range(4)]
    if sum(counts) < min_n:
        counts[draw(st.integers(0, 3))] += min_n
    return Contingency(both=counts[0], champion_only=counts[1], challenger_only=counts[2], neither=counts[3])


@st.composite
def vocabularies(draw: st.DrawFn) -> tuple[Label, ...]:
    """Draw one to five classes, all numbers or all words."""
    classes = draw(st.integers(1, 5))
    numbers = st.lists(st.integers(-3, 12), min_size=classes, max_size=classes, unique=True)
    words = st.permutations(_WORDS).map(lambda all_words: all_words[:classes])
    return tuple(draw(st.one_of(numbers, words)))


@st.composite
def label_columns(draw: st.DrawFn, labels: tuple[Label, ...] | None = None, *, max_rows: int = 40) -> Columns:
    """Draw truth, champion and challenger over the same rows; in the first all agree, so no side is a stranger."""
    vocabulary = labels or draw(vocabularies())
    one = st.sampled_from(vocabulary)
    rows = draw(st.lists(st.tuples(one, one, one), max_size=max_rows - 1))
    first = draw(one)
    return (
        [first, *(y for y, _, _ in rows)],
        [first, *(a for _, a, _ in rows)],
        [first, *(b for _, _, b in rows)],
    )


@st.composite
def paired_outcomes(draw: st.DrawFn) -> PairedOutcomes:
    """Draw paired outcomes over one to five classes; an empty table is one of them."""
    label = st.sampled_from(draw(vocabularies()))
    return PairedOutcomes.from_counts(
        draw(st.dictionaries(st.tuples(label, label, label), st.integers(1, 1000), max_size=30))
    )


@st.composite
def segmented_columns(draw: st.DrawFn, labels: tuple[Label, ...] | None = None, *, max_rows: int = 40) -> Segmented:
    """Draw three columns, and for each segmentation of ``SEGMENTS`` the index of each row's value."""
    columns = draw(label_columns(labels, max_rows=max_rows))
    n = len(columns[0])
    return columns, {
        name: np.array(draw(st.lists(st.integers(0, len(values) - 1), min_size=n, max_size=n)), dtype=np.int64)
        for name, values in SEGMENTS.items()
    }


def segmented_outcomes() -> st.SearchStrategy[PairedOutcomes]:
    """Draw paired outcomes with segments, some of which may have no row."""
    return segmented_columns().map(tallied)


def tallied(*parts: Segmented) -> PairedOutcomes:
    """Tally columns with segments, batch by batch."""
    tally = Tally(SEGMENTS)
    for columns, codes in parts:
        tally.add(*as_arrays(columns), codes)
    return PairedOutcomes.from_tally(tally)[0]


def as_arrays(columns: Columns) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    """Spell columns as arrays, for what counts batches."""
    truth, champion, challenger = columns
    return np.asarray(truth), np.asarray(champion), np.asarray(challenger)


def swapped(table: Contingency) -> Contingency:
    """Let the sides change places."""
    return Contingency(
        both=table.both,
        champion_only=table.challenger_only,
        challenger_only=table.champion_only,
        neither=table.neither,
    )
