"""Losses of probabilities against their definitions, scikit-learn, and names that change places."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.metrics.probability import (
    align,
    all_classes,
    average_precision,
    brier_rows,
    check_probabilities,
    log_loss_rows,
)

Floats = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int64]
SCORE = st.one_of(st.integers(-2, 2).map(float), st.floats(-1e6, 1e6, allow_subnormal=False))


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Indexes, Floats]:
    """Draw truths and rows of probabilities over two to five classes, certainty and zeros among them."""
    classes, rows = draw(st.integers(2, 5)), draw(st.integers(1, 20))
    weight = st.one_of(st.just(0.0), st.just(1.0), st.floats(1e-3, 10))
    raw = np.array(draw(st.lists(st.lists(weight, min_size=classes, max_size=classes), min_size=rows, max_size=rows)))
    raw[raw.sum(axis=1) == 0, 0] = 1.0
    y = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return np.array(y), raw / raw.sum(axis=1, keepdims=True)


def one_by_one(y: Indexes, probabilities: Floats) -> tuple[list[float], list[float]]:
    """Both losses from their definitions, a row and a class at a time."""
    log_losses, briers = [], []
    for truth, row in zip(y.tolist(), probabilities.tolist(), strict=True):
        log_losses.append(-math.log(min(max(row[truth], 2**-52), 1 - 2**-52)))
        squares = sum((p - (k == truth)) ** 2 for k, p in enumerate(row))
        briers.append(squares / 2 if len(row) == 2 else squares)
    return log_losses, briers


@given(predictions())
def test_agrees_with_definitions_and_scikit_learn(drawn: tuple[Indexes, Floats]) -> None:
    """Each row's loss is its definition's, and their means are scikit-learn's, binary and multiclass."""
    y, probabilities = drawn
    labels = [*range(probabilities.shape[1])]
    log_losses, briers = one_by_one(y, probabilities)
    assert log_loss_rows(y, probabilities) == pytest.approx(log_losses, rel=1e-12, abs=1e-15)
    assert brier_rows(y, probabilities) == pytest.approx(briers, rel=1e-12, abs=1e-15)
    theirs = sklearn_metrics.log_loss(y, probabilities, labels=labels)
    assert log_loss_rows(y, probabilities).mean() == pytest.approx(theirs, rel=1e-12, abs=1e-15)
    theirs = sklearn_metrics.brier_score_loss(y, probabilities, labels=labels)
    assert brier_rows(y, probabilities).mean() == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_binary_brier_is_the_positive_class() -> None:
    """With two classes the score is scikit-learn's of the positive column alone."""
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.random(50)
    ours = brier_rows(y, np.column_stack([1 - p, p]))
    assert ours == pytest.approx((p - y) ** 2, rel=1e-12)
    assert ours.mean() == pytest.approx(sklearn_metrics.brier_score_loss(y, p), rel=1e-12)


def test_brier_1950() -> None:
    """Rain forecast for ten days, in Brier's first table: the score is 0.19."""
    rain = np.array([0.7, 0.9, 0.8, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0, 0.1])
    happened = np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    ours = brier_rows(happened, np.column_stack([1 - rain, rain]))
    assert 2 * ours.mean() == pytest.approx(0.19, abs=1e-12)


def test_certain_mistakes_are_finite_and_alike() -> None:
    """A certain mistake costs 36.04 in double and in single precision; a certain hit costs nothing to speak of."""
    for kind in (np.float32, np.float64):
        certain = check_probabilities(np.array([[1, 0], [1, 0]], dtype=kind), "champion")
        assert log_loss_rows([1, 0], certain) == pytest.approx([52 * math.log(2), 2.0**-52], rel=1e-12)


def test_the_matrix_is_left_as_it_was() -> None:
    """A loss does not write into its matrix."""
    matrix = np.array([[0.2, 0.8], [0.5, 0.5]])
    log_loss_rows([0, 1], matrix)
    brier_rows([0, 1], matrix)
    assert matrix.tolist() == [[0.2, 0.8], [0.5, 0.5]]


@given(predictions(), st.randoms(use_true_random=False))
def test_classes_are_found_by_name(drawn: tuple[Indexes, Floats], shuffle: object) -> None:
    """A model whose columns stand in another order has the same matrix once aligned."""
    _, probabilities = drawn
    names = [f"class {k}" for k in range(probabilities.shape[1])]
    order = [*range(len(names))]
    shuffle.shuffle(order)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    aligned, missing = align(probabilities[:, order], [names[k] for k in order], names)
    assert missing == ()
    assert np.array_equal(aligned, probabilities)


def test_missing_and_extra_classes() -> None:
    """A class a model lacks has probability 0 and is told; one the truth never shows keeps what it was given."""
    classes = all_classes(["a", "b", "c"], ["b", "a"], ["a", "b", "c", "z"])
    assert classes == ("a", "b", "c", "z")
    champion, missing = align(np.array([[0.7, 0.3]]), ["b", "a"], classes)
    assert champion.tolist() == [[0.3, 0.7, 0, 0]]
    assert missing == ("c", "z")
    challenger, missing = align(np.array([[0.1, 0.2, 0.3, 0.4]]), ["a", "b", "c", "z"], classes)
    assert missing == ()
    assert brier_rows([2], challenger) == pytest.approx([0.01 + 0.04 + 0.49 + 0.16])
    assert log_loss_rows([2], champion) == pytest.approx([52 * math.log(2)])
    assert sklearn_metrics.log_loss([2], challenger, labels=[0, 1, 2, 3]) == pytest.approx(-math.log(0.3))


def test_align_refuses() -> None:
    """Names that do not fit the columns, repeat, or are unknown are refused."""
    matrix = np.array([[0.5, 0.5]])
    with pytest.raises(InvalidInputError, match="probabilities must have a column for each of 3 classes, got 2"):
        align(matrix, ["a", "b", "c"], ["a", "b", "c"])
    with pytest.raises(InvalidInputError, match="model_classes must not repeat"):
        align(matrix, ["a", "a"], ["a", "b"])
    with pytest.raises(InvalidInputError, match=r"got none named 'z'\. Hint: use all_classes"):
        align(matrix, ["a", "z"], ["a", "b"])


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        (
            [[0.5, 0.5], [1.2, -0.2], [2.0, -1.0]],
            r"be in \[0, 1\], got 1\.2 \(first: row 2; 2 rows in all\)\. Hint: are",
        ),
        ([[0.5, 0.5], [math.nan, 0.5]], r"in \[0, 1\], got nan \(first: row 2; 1 row in all\)"),
        ([[0.5, 0.4], [0.5, 0.5], [0.9, 0.2]], r"sum to 1 in every row, got 0\.9 \(first: row 1; 2 rows in all\)"),
        ([[0.5, 0.500002]], r"sum to 1 in every row, got 1\.000002"),
        ([0.5, 0.5], r"have a row a row and a column a class, got \(2,\)"),
        ([["a", "b"]], r"a matrix of numbers"),
    ],
)
def test_no_probabilities(matrix: list[list[float]], told: str) -> None:
    """What is no probability is refused with its side, a count and the first row."""
    with pytest.raises(InvalidInputError, match=f"^challenger probabilities must .*{told}"):
        check_probabilities(matrix, "challenger")


@given(predictions())
def test_probabilities_pass(drawn: tuple[Indexes, Floats]) -> None:
    """Rows that sum to one within single precision are accepted as they are."""
    _, probabilities = drawn
    assert np.array_equal(check_probabilities(probabilities, "champion"), probabilities)
    single = probabilities.astype(np.float32)
    assert np.array_equal(check_probabilities(single, "champion"), single)


@pytest.mark.parametrize(
    ("y", "told"),
    [
        ([0, 2], r"y_index must be in \[0, 1\], got 2 \(first: row 2; 1 row in all\)"),
        ([-1, 0], r"got -1 \(first: row 1"),
        ([0], r"a whole number for each of 2 rows, got int64 of shape \(1,\)"),
        ([0.0, 1.0], r"got float64"),
    ],
)
def test_no_truth(y: list[int], told: str) -> None:
    """A truth that points at no column is refused."""
    for losses in (log_loss_rows, brier_rows):
        with pytest.raises(InvalidInputError, match=told):
            losses(y, np.array([[0.5, 0.5], [0.5, 0.5]]))


def walked(truth: list[bool], scores: list[float]) -> float:
    """Average precision by its definition: down the distinct scores, precision times what recall gains."""
    total = recall = 0.0
    for cut in sorted(set(scores), reverse=True):
        found = [y for y, score in zip(truth, scores, strict=True) if score >= cut]
        gained = sum(found) / sum(truth)
        total += (gained - recall) * sum(found) / len(found)
        recall = gained
    return total


@given(st.lists(st.tuples(st.booleans(), SCORE), min_size=1, max_size=50).filter(lambda rows: any(y for y, _ in rows)))
def test_average_precision(rows: list[tuple[bool, float]]) -> None:
    """It is the definition's and scikit-learn's, ties and all, in any order of the rows, and in (0, 1]."""
    truth, scores = [y for y, _ in rows], [score for _, score in rows]
    ours = average_precision(truth, scores)
    assert ours == pytest.approx(walked(truth, scores), rel=1e-12)
    assert ours == pytest.approx(sklearn_metrics.average_precision_score(truth, scores), rel=1e-12)
    assert average_precision(truth[::-1], scores[::-1]) == pytest.approx(ours, rel=1e-12)
    assert 0 < ours <= 1 + 1e-12


def test_average_precision_ends() -> None:
    """Perfect is 1; a constant score has the base rate; no positive row is not applicable."""
    assert average_precision([0, 1, 1], [0.1, 0.2, 0.3]) == 1
    assert average_precision([0, 1, 1, 0], [0.5] * 4) == 0.5
    with pytest.raises(NotApplicableError, match="needs a positive row"):
        average_precision([0, 0], [0.1, 0.2])
    with pytest.raises(InvalidInputError, match=r"scores must be finite, got nan \(first: row 2"):
        average_precision([0, 1], [0.1, math.nan])
