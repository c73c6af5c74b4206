"""Scores tallied batch by batch: losses as libraries have them, whatever the batches and the order of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.svm import LinearSVC

from abtest.engines.local import score
from abtest.engines.scores import ScoreTally
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from abtest.loaders.models import from_object
from abtest.loaders.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from abtest.labels import Label, Side
    from abtest.scores import PairedScores


@dataclass(frozen=True)
class Source:
    """What a tally asks of a scorer."""

    kind: str = "probability"


def shares(rows: int, classes: int, seed: int) -> npt.NDArray[np.float64]:
    """Random probabilities, shape (rows, classes)."""
    return np.random.default_rng(seed).dirichlet(np.ones(classes), rows)


def tallied(
    truth: npt.NDArray[Any],
    sides: Mapping[Side, tuple[npt.NDArray[np.float64], Sequence[Label]]],
    *,
    batch: int = 1000,
    codes: Mapping[str, npt.NDArray[np.int64]] | None = None,
    groups: Mapping[str, tuple[str, ...]] | None = None,
    labels: Sequence[Label] = (),
    kind: str = "probability",
    keep: int = 10**9,
) -> PairedScores:
    """Tally columns in batches."""
    source: Any = Source(kind)
    tally = ScoreTally(source, source, groups or {}, keep=keep)
    for start in range(0, len(truth), batch):
        rows = slice(start, start + batch)
        given: dict[Side, Scores] = {
            side: Scores(matrix=matrix[rows], classes=tuple(classes)) for side, (matrix, classes) in sides.items()
        }
        tally.add(truth[rows], given, {name: own[rows] for name, own in (codes or {}).items()})
    return tally.scores(labels)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_losses_are_scikit_learns(classes: int, batch: int) -> None:
    """Mean log loss and Brier score of either side are scikit-learn's, of two classes and of five, in any batches."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 300)
    names = list(range(classes))
    first, second = shares(300, classes, 1), shares(300, classes, 2)
    found = tallied(y, {"champion": (first, names), "challenger": (second, names)}, batch=batch)
    for matrix, side in ((first, "champion"), (second, "challenger")):
        brier = brier_score_loss(y, matrix if classes > 2 else matrix[:, 1])
        assert getattr(found.losses["log_loss"], side).mean == pytest.approx(
            log_loss(y, matrix, labels=names), rel=1e-12
        )
        assert getattr(found.losses["brier"], side).mean == pytest.approx(brier, rel=1e-12)
    assert np.array_equal(found.champion, first)
    assert np.array_equal(found.truth, y)


def test_columns_go_by_their_names() -> None:
    """Classes in another order, or as text where the truth has numbers, are the same classes."""
    y = np.random.default_rng(0).integers(0, 3, 200)
    matrix = shares(200, 3, 1)
    plain = tallied(y, {"champion": (matrix, [0, 1, 2]), "challenger": (matrix, [0, 1, 2])}, labels=(0, 1, 2))
    turned = tallied(
        y.astype(str),
        {"champion": (matrix[:, [2, 0, 1]], ["2", "0", "1"]), "challenger": (matrix, [0.0, 1.0, 2.0])},
        labels=(0, 1, 2),
    )
    assert set(turned.classes) == set(plain.classes) == {0, 1, 2}
    order = [turned.classes.index(label) for label in plain.classes]
    assert np.array_equal(turned.champion[:, order], plain.champion)
    assert [turned.classes[i] for i in turned.truth] == [plain.classes[i] for i in plain.truth]
    for name, moments in plain.losses.items():
        assert turned.losses[name].champion.mean == pytest.approx(moments.champion.mean, rel=1e-12)


def test_a_class_that_comes_late() -> None:
    """A class that neither model knows gets nothing from them: a column of zeros, and the whole Brier scale."""
    y = np.array(["a", "b"] * 20 + ["c"] * 2)
    matrix = shares(42, 2, 1)
    found = tallied(y, {"champion": (matrix, ["a", "b"]), "challenger": (matrix, ["a", "b"])}, batch=10)
    assert found.classes == ("a", "b", "c")
    assert found.champion.shape == (42, 3)
    assert not found.champion[:, 2].any()
    by_hand = np.square(np.eye(3)[found.truth] - found.champion).sum(axis=1).mean()
    assert found.losses["brier"].champion.mean == pytest.approx(by_hand, rel=1e-12)


def test_segments_are_their_rows() -> None:
    """A segment's losses and scores are those of its rows tallied alone."""
    rng = np.random.default_rng(0)
    y, code = rng.integers(0, 2, 300), rng.integers(0, 2, 300)
    sides: dict[Side, tuple[npt.NDArray[np.float64], Sequence[Label]]] = {
        "champion": (shares(300, 2, 1), [0, 1]),
        "challenger": (shares(300, 2, 2), [0, 1]),
    }
    found = tallied(y, sides, batch=17, codes={"s": code}, groups={"s": ("p", "q", "never")})
    assert set(found.segments) == {("s", "p"), ("s", "q")}
    for i, value in enumerate("pq"):
        rows = code == i
        alone = tallied(y[rows], {side: (matrix[rows], names) for side, (matrix, names) in sides.items()})
        own = found.segments["s", value]
        assert own.n == alone.n == rows.sum()
        assert np.array_equal(own.challenger, alone.challenger)
        assert own.losses["log_loss"].effect == pytest.approx(alone.losses["log_loss"].effect, rel=1e-12)


@pytest.mark.parametrize("kind", ["probability", "score"])
def test_what_does_not_fit_becomes_histograms(kind: str) -> None:
    """Beyond what is kept, areas are known within the histogram's bound, and losses as before."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    matrix = shares(2000, 2, 1) if kind == "probability" else rng.normal(y[:, None] * [-1, 1], 1)
    sides: dict[Side, tuple[npt.NDArray[np.float64], Sequence[Label]]] = {
        "champion": (matrix, [0, 1]),
        "challenger": (matrix, [0, 1]),
    }
    kept = tallied(y, sides, batch=300, kind=kind)
    beyond = tallied(y, sides, batch=300, kind=kind, keep=1000)
    assert kept.are_kept
    assert not beyond.are_kept
    for histogram in (beyond.histograms[1].champion, beyond.histograms[1].challenger):
        assert abs(histogram.auc - roc_auc_score(y, matrix[:, 1])) <= histogram.error_bound
        assert int(histogram.positives.sum() + histogram.negatives.sum()) == 2000
    for name, moments in kept.losses.items():
        assert beyond.losses[name] == moments
    assert bool(kept.losses) == (kind == "probability")


def test_a_late_class_in_histograms() -> None:
    """Rows that came before a class are among those that are not of it."""
    y = np.array(["a", "b"] * 50 + ["c"] * 20)
    matrix = shares(120, 2, 1)
    found = tallied(y, {"champion": (matrix, "ab"), "challenger": (matrix, "ab")}, batch=30, keep=10)
    late = found.histograms[2].champion
    assert (late.positives.sum(), late.negatives.sum()) == (20, 100)


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        ([[0.5, 0.6]], "must sum to 1 in every row, got 1.1 (first: row 1;"),
        ([[1.2, -0.2]], "[0, 1]"),
        ([[np.nan, 1.0]], "got nan"),
    ],
)
def test_what_are_no_probabilities(matrix: list[list[float]], told: str) -> None:
    """Rows that do not add up to one, shares outside [0, 1] and NaN are refused in a sentence."""
    good = np.array([[0.5, 0.5]])
    with pytest.raises(InvalidInputError) as error:
        tallied(np.array([0]), {"champion": (good, [0, 1]), "challenger": (np.array(matrix), [0, 1])})
    assert "challenger" in str(error.value)
    assert told in str(error.value)


def test_real_models_in_one_pass() -> None:
    """Labels and probabilities of the same pass are the models' own; a side without them says why."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    kind = np.where(frame["a"] + rng.normal(size=300) > 0, "yes", "no")
    first, second = LogisticRegression().fit(frame, kind), RandomForestClassifier(random_state=0).fit(frame, kind)
    data = open_data(frame.assign(kind=kind))
    scored = score(
        from_object("champion", first),
        from_object("challenger", second),
        data,
        target="kind",
        scores=True,
        batch_rows=70,
    )
    assert scored.scores is not None
    assert scored.unscored == ()
    assert np.array_equal(scored.scores.side("champion"), first.predict_proba(frame))
    assert np.array_equal(scored.scores.side("challenger"), second.predict_proba(frame))
    assert (
        scored.outcomes
        == score(from_object("champion", first), from_object("challenger", second), data, target="kind").outcomes
    )
    lacking = LinearSVC(dual=False).fit(frame, np.arange(300) % 3)
    numbers = LogisticRegression().fit(frame, np.arange(300) % 3)
    data = open_data(frame.assign(kind=np.arange(300) % 3))
    scored = score(
        from_object("champion", numbers), from_object("challenger", lacking), data, target="kind", scores=True
    )
    assert scored.scores is None
    assert scored.unscored == ("the challenger has no probabilities. LinearSVC has no predict_proba.",)
