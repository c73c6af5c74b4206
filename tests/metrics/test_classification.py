"""Accuracy, precision, recall and F1 against scikit-learn, and against plain loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.labels import SIDES, Side
from abtest.metrics.catalogue import ALIASES, TITLES, metric_names
from abtest.metrics.classification import (
    CATALOGUE,
    Average,
    class_values,
    overall,
    positive_index,
    same_as_accuracy,
)
from abtest.metrics.totals import totals
from abtest.outcomes import PairedOutcomes
from tests.strategies import paired_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from abtest.labels import Label

TABLES = paired_outcomes().filter(lambda table: table.n > 0)
BY_CLASS = [name for name, metric in CATALOGUE.items() if metric.by_class]
ORACLES: dict[str, Callable[..., Any]] = {
    "precision": sklearn_metrics.precision_score,
    "recall": sklearn_metrics.recall_score,
    "f1": sklearn_metrics.f1_score,
}


@st.composite
def tables(draw: st.DrawFn, *, classes: int | None = None, strangers: int = 2) -> PairedOutcomes:
    """Tables of 1 to 5 classes, in which up to two labels are only ever predicted."""
    k = draw(st.integers(1, 5)) if classes is None else classes
    truth, predicted = st.integers(0, k - 1), st.integers(0, k - 1 + strangers)
    cells = st.tuples(truth.map(str), predicted.map(str), predicted.map(str))
    return PairedOutcomes.from_counts(draw(st.dictionaries(cells, st.integers(1, 30), min_size=1, max_size=20)))


def rows_of(table: PairedOutcomes) -> tuple[npt.NDArray[Any], dict[Side, npt.NDArray[Any]]]:
    """Spell the table out, row by row: the truth, and each side's predictions."""
    labels = np.array(table.labels)
    y, a, b = (np.repeat(labels[table.cells[:, column]], table.counts) for column in range(3))
    return y, {"champion": a, "challenger": b}


@pytest.mark.parametrize("average", ["macro", "weighted"])
@given(table=tables())
def test_averages_are_scikit_learns(average: Average, table: PairedOutcomes) -> None:
    """Averages over the classes of the truth, 0/0 being 0, are scikit-learn's with `labels=` those classes."""
    y, predicted = rows_of(table)
    for side in SIDES:
        of = totals(table, side)
        for name in BY_CLASS:
            theirs = ORACLES[name](y, predicted[side], labels=list(table.classes), average=average, zero_division=0)
            assert float(overall(CATALOGUE[name], of, average=average)) == pytest.approx(theirs, abs=1e-12)
        accuracy = float(overall(CATALOGUE["accuracy"], of, average=average))
        assert accuracy == pytest.approx(sklearn_metrics.accuracy_score(y, predicted[side]), abs=1e-12)


@given(table=tables())
def test_values_by_class_are_scikit_learns(table: PairedOutcomes) -> None:
    """Every label, also one that is only ever predicted, has scikit-learn's value."""
    y, predicted = rows_of(table)
    for side in SIDES:
        for name in BY_CLASS:
            theirs = ORACLES[name](y, predicted[side], labels=list(table.labels), average=None, zero_division=0)
            assert class_values(CATALOGUE[name], totals(table, side)) == pytest.approx(theirs, abs=1e-12)


@given(table=tables(classes=2, strangers=0), data=st.data())
def test_binary_is_scikit_learns(table: PairedOutcomes, data: st.DataObject) -> None:
    """`average="binary"` is the value of the positive label, which is the greater one unless another is named."""
    y, predicted = rows_of(table)
    named = data.draw(st.sampled_from([None, *table.labels]))
    positive = positive_index(table, "binary", named)
    assert positive is not None
    assert table.labels[positive] == (table.labels[-1] if named is None else named)
    for side in SIDES:
        for name in BY_CLASS:
            theirs = ORACLES[name](
                y, predicted[side], labels=[table.labels[positive]], average="macro", zero_division=0
            )
            ours = overall(CATALOGUE[name], totals(table, side), average="binary", positive=positive)
            assert float(ours) == pytest.approx(theirs, abs=1e-12)


@given(table=TABLES, seed=st.integers(0, 99))
def test_many_tables_at_once_are_each_of_them_alone(table: PairedOutcomes, seed: int) -> None:
    """Totals and metrics of stacked counts equal those of plain loops over each set of counts."""
    counts = np.random.default_rng(seed).integers(0, 5, size=(2, 3, len(table.cells)))
    for side in SIDES:
        stacked = totals(table, side, counts)
        for at in np.ndindex(2, 3):
            predicted, hits, support = (dict.fromkeys(range(len(table.labels)), 0) for _ in range(3))
            for (y, *guesses, _), count in zip(table.cells.tolist(), counts[at].tolist(), strict=True):
                guess = guesses[SIDES.index(side)]
                predicted[guess] += count
                support[y] += count
                hits[y] += count if guess == y else 0
            assert stacked.predicted[at].tolist() == list(predicted.values())
            assert stacked.hits[at].tolist() == list(hits.values())
            assert stacked.support[at].tolist() == list(support.values())
            alone = totals(table, side, counts[at])
            for name in BY_CLASS:
                assert np.array_equal(class_values(CATALOGUE[name], stacked)[at], class_values(CATALOGUE[name], alone))
                for average in ("macro", "weighted"):
                    together = overall(CATALOGUE[name], stacked, average=average)
                    assert together.shape == (2, 3)
                    assert math.isclose(
                        together[at], float(overall(CATALOGUE[name], alone, average=average)), abs_tol=1e-15
                    )


@given(table=TABLES, seed=st.integers(0, 99))
def test_the_classes_stay_when_a_resample_misses_one(table: PairedOutcomes, seed: int) -> None:
    """A class that a resample leaves out counts 0 in the macro average: the set of classes is the table's."""
    weights = np.random.default_rng(seed).integers(0, 3, size=len(table.cells))
    of = totals(table, "challenger", weights)
    by_hand = [class_values(CATALOGUE["recall"], of)[table.labels.index(label)] for label in table.classes]
    assert float(overall(CATALOGUE["recall"], of, average="macro")) == pytest.approx(np.mean(by_hand), abs=1e-12)


@given(table=TABLES)
def test_recall_is_called_accuracy_only_where_it_is(table: PairedOutcomes) -> None:
    """Where recall is said to be accuracy, it is; on unequal classes macro recall is never said to be."""
    supports = table.truth_support[table.truth_support > 0]
    assert (same_as_accuracy(table, "macro") is not None) == (len(set(supports.tolist())) == 1)
    assert same_as_accuracy(table, "weighted") is not None
    for average in ("macro", "weighted"):
        if same_as_accuracy(table, average):
            for side in SIDES:
                recall, accuracy = (
                    float(overall(CATALOGUE[name], totals(table, side), average=average))
                    for name in ("recall", "accuracy")
                )
                assert recall == pytest.approx(accuracy, abs=1e-12)


def test_on_unequal_classes_macro_recall_is_not_accuracy() -> None:
    """One class of two rows and one of one: macro recall and accuracy part, and nothing else is said."""
    table = PairedOutcomes.from_predictions([0, 0, 1], [0, 1, 1], [0, 0, 0])
    recall, accuracy = (
        float(overall(CATALOGUE[name], totals(table, "champion"), average="macro")) for name in ("recall", "accuracy")
    )
    assert (recall, accuracy) == pytest.approx((3 / 4, 2 / 3))
    assert same_as_accuracy(table, "macro") is None
    assert same_as_accuracy(table, "binary") is None


@pytest.mark.parametrize(
    ("labels", "given_label", "index"),
    [
        ((0, 1), "1", 1),
        ((0, 1), True, 1),
        ((0.0, 1.0), "0", 0),
        ((0.0, 1.0), 1, 1),
        ((False, True), "true", 1),
        ((False, True), 0, 0),
        (("0", "1"), 1, 1),
        (("no", "yes"), "no", 0),
    ],
)
def test_the_positive_label_may_be_spelled_as_on_a_command_line(
    labels: tuple[Label, Label], given_label: Label, index: int
) -> None:
    """A positive label is found by what it means, whatever type it was written in."""
    table = PairedOutcomes.from_predictions(labels, labels, labels[::-1])
    assert table.labels == labels
    assert positive_index(table, "binary", given_label) == index


@pytest.mark.parametrize("label", ["2", 2, "yes", "", 0.5])
def test_a_positive_label_that_is_none_is_refused(label: Label) -> None:
    """A positive label that is not among the labels is refused, and they are named."""
    table = PairedOutcomes.from_predictions([0, 1], [0, 1], [1, 0])
    with pytest.raises(InvalidInputError, match=r"^pos_label must be one of 0, 1, got .*\.$"):
        positive_index(table, "binary", label)


def test_binary_is_for_two_labels() -> None:
    """With three labels, of which one may be only predicted, `binary` is refused with what to use instead."""
    table = PairedOutcomes.from_predictions([0, 1], [0, 1], [0, 2])
    with pytest.raises(InvalidInputError, match="macro or weighted for more than two classes, got binary with 3"):
        positive_index(table, "binary", 1)
    assert positive_index(table, "macro", 1) is None


def test_metric_names_have_one_spelling() -> None:
    """Aliases are spelled as the catalogue does and repeats are dropped, in the order given."""
    assert metric_names(["recall", "f1_score", "accuracy", "f1"]) == ("recall", "f1", "accuracy")
    assert set(ALIASES.values()) <= set(TITLES)
    assert all(name == metric.name for name, metric in CATALOGUE.items())


def test_an_unknown_metric_is_refused_with_a_near_name() -> None:
    """A name in no catalogue is refused; the nearest one is the hint."""
    with pytest.raises(InvalidInputError, match="got 'presicion'") as caught:
        metric_names(["accuracy", "presicion"])
    assert caught.value.hint == "did you mean 'precision'?"


def test_accuracy_has_no_value_by_class() -> None:
    """A metric without classes says so instead of answering something else."""
    table = PairedOutcomes.from_predictions([0, 1], [0, 1], [1, 0])
    with pytest.raises(NotApplicableError, match=r"^accuracy has no value by class\.$"):
        class_values(CATALOGUE["accuracy"], totals(table, "champion"))
