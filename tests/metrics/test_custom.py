"""Losses of the user's own by row: their means over a table of counts are those of the rows; else one sentence."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, zero_one_loss

from abtest.decision import Verdict, decide
from abtest.errors import InvalidInputError
from abtest.evaluator import Evaluation, evaluate
from abtest.guardrail import Guardrail
from abtest.metrics.custom import CustomLoss, custom_loss, custom_metric, is_by_row, is_custom
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.workflow import compare_predictions
from tests.decision import random_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    Module = Callable[[str], str]

OWN = """
    import numpy as np

    def wrong(y_true, y_pred):
        return y_true != y_pred

    def right(y_true, y_pred):
        return y_true == y_pred

    right.greater_is_better = True

    def apart(y_true, y_pred):
        return np.abs(y_true - y_pred)
"""
_names = itertools.count()


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Module]:
    """Write a module of the user's own into the folder in which the test runs; it is forgotten afterwards."""
    written: list[str] = []

    def write(text: str) -> str:
        name = f"own_losses_{next(_names)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        importlib.invalidate_caches()
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def evaluated(table: PairedOutcomes, *metrics: str, **policy: Any) -> Evaluation:
    """Evaluate accuracy and these."""
    return evaluate(table, Policy(metrics=("accuracy", *metrics), **policy), resamples=100)


def rows_of(table: PairedOutcomes) -> tuple[Any, Any, Any]:
    """Truth, champion and challenger, row by row."""
    labels = np.array(table.labels)
    y, a, b = (np.repeat(labels[table.cells[:, column]], table.counts) for column in range(3))
    return y, a, b


@pytest.mark.parametrize("seed", range(12))
def test_a_mean_over_cells_is_that_of_the_rows(module: Module, seed: int) -> None:
    """Over all rows, by class and by segment the mean of a zero-one loss is scikit-learn's of the rows."""
    table, name = random_table(seed), f"{module(OWN)}:wrong"
    evaluation = evaluated(table, name)
    y, *sides = rows_of(table)
    row = evaluation.metric(name)
    assert [row.champion, row.challenger] == pytest.approx([zero_one_loss(y, side) for side in sides], abs=1e-12)
    assert (row.greater_is_better, row.improvement) == (False, -row.effect)
    for part in [part for part in evaluation.per_class if part.metric == name and part.n]:
        mine = y == part.class_
        losses = [float((side[mine] != y[mine]).mean()) for side in sides]
        assert [part.champion, part.challenger] == pytest.approx(losses, abs=1e-12)
    for segment in table.segments:
        truth, *inside = rows_of(table.of(segment))
        (found,) = [s for s in evaluation.segments if (s.segment, s.value) == segment.key and s.metric == name]
        assert [found.champion, found.challenger] == pytest.approx([zero_one_loss(truth, x) for x in inside], abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_one_that_is_accuracy_has_its_values(module: Module, seed: int) -> None:
    """Being right, as a loss of which more is better, has accuracy's values; being wrong, the same improvement."""
    name = module(OWN)
    evaluation = evaluated(random_table(seed), f"{name}:right", f"{name}:wrong")
    accuracy, right, wrong = evaluation.metrics
    assert right.greater_is_better
    assert (right.champion, right.challenger) == pytest.approx((accuracy.champion, accuracy.challenger), abs=1e-15)
    assert right.improvement == pytest.approx(wrong.improvement, abs=1e-15)
    assert right.pvalue == wrong.pvalue
    limits = [row.likely_improvement for row in (right, wrong)]
    assert (limits[0] is None) == (limits[1] is None)
    if limits[0] and limits[1]:
        assert (limits[0].lower, limits[0].upper) == pytest.approx((limits[1].lower, limits[1].upper), abs=1e-12)


def test_labels_come_as_they_are(module: Module) -> None:
    """Whole numbers are given as numbers, so that a distance is one; scikit-learn agrees."""
    name = f"{module(OWN)}:apart"
    rng = np.random.default_rng(0)
    y, a, b = rng.integers(1, 6, (3, 300))
    comparison = compare_predictions(y, a, b, policy=Policy(metrics=("accuracy", name)), resamples=100)
    row = comparison.evaluation.metric(name)
    expected = (mean_absolute_error(y, a), mean_absolute_error(y, b))
    assert (row.champion, row.challenger) == pytest.approx(expected, abs=1e-12)
    by_class = comparison.per_class.xs(name, level="metric")
    assert by_class.index.tolist() == [1, 2, 3, 4, 5]
    assert by_class["champion"].to_numpy() == pytest.approx([np.abs(a - y)[y == k].mean() for k in range(1, 6)])


@pytest.mark.parametrize(("margin", "verdict"), [(0.5, Verdict.PROMOTE), (0.001, Verdict.KEEP_CHAMPION)])
def test_a_guardrail_holds_a_loss(module: Module, margin: float, verdict: Verdict) -> None:
    """A loss that grew beyond its margin keeps the champion, whatever became of accuracy."""
    name = f"{module(OWN)}:apart"
    y = np.array([1, 2, 3, 9] * 500)
    champion = np.where(np.arange(2000) % 2, y, y + 1)  # often a little wrong
    challenger = np.where(np.arange(2000) % 10, y, y + 8)  # seldom, and then by far
    rail = Guardrail(metric=name, margin=margin)
    policy = Policy(metrics=("accuracy", name), rule="primary", guardrails=(rail,))
    table = PairedOutcomes.from_predictions(y, champion, challenger)
    decision = decide(evaluate(table, policy, resamples=200), policy)
    assert decision.by_rule is Verdict.PROMOTE
    assert decision.verdict is verdict
    assert np.abs(challenger - y).mean() - np.abs(champion - y).mean() == pytest.approx(0.3)


@given(
    y=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    shift=st.floats(-1e3, 1e3),
    scale=st.sampled_from([0, 1, 2.5]),
)
def test_rows_are_the_functions_own(y: list[float], shift: float, scale: float) -> None:
    """What the function gives of arrays is taken as it is, as doubles, and the arrays are left alone."""
    truth = np.array(y)
    loss = CustomLoss(name="own:loss", function=lambda y_true, y_pred: scale * (y_pred - y_true))
    given_to = truth.copy()
    found = loss.rows(given_to, truth + shift)
    assert found.dtype == np.float64
    assert found.tolist() == (scale * ((truth + shift) - truth)).tolist()
    assert (given_to == truth).all()
    assert given_to.flags.writeable


def _writes(y_true: npt.NDArray[Any], y_pred: npt.NDArray[Any]) -> object:
    y_true[0] = 0
    return y_pred


def _exits(*_: object) -> object:
    raise SystemExit(3)


BROKEN: dict[str, tuple[Callable[..., object], str]] = {
    "raises": (lambda y_true, _: y_true.nothing, "failed: AttributeError: 'numpy.ndarray' object has no attribute"),
    "exits": (_exits, "failed: SystemExit: 3. Hint: it is given the truth and one side's predictions, each of shape"),
    "writes": (_writes, "failed: ValueError: assignment destination is read-only."),
    "one number": (lambda y_true, _: y_true.mean(), "must return one loss a row, of shape (3,), got (). Hint: leave"),
    "too few": (lambda y_true, _: y_true[1:], "must return one loss a row, of shape (3,), got (2,)."),
    "text": (lambda y_true, _: ["high"] * len(y_true), "failed: ValueError: could not convert string to float"),
    "NaN": (lambda y_true, _: y_true * np.nan, "must return finite numbers. Hint: say what the loss of such a row is"),
    "infinite": (lambda y_true, _: y_true + np.inf, "must return finite numbers."),
    "nothing": (lambda *_: None, "must return one loss a row, of shape (3,), got ()."),
}  # fmt: skip


@pytest.mark.parametrize(("function", "told"), BROKEN.values(), ids=BROKEN)
def test_a_function_that_does_not_fit_is_refused(function: Callable[..., object], told: str) -> None:
    """What it does wrong is said in one line, with its name and what to do."""
    with pytest.raises(InvalidInputError) as error:
        CustomLoss(name="own:loss", function=function).rows(np.arange(3.0), np.arange(3.0))
    assert str(error.value).startswith("metrics: 'own:loss' ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("function", "by_row"),
    [
        (lambda y_true, y_pred: 0, True),  # noqa: ARG005 - the names are the point
        (lambda y_true, y_pred, weight=1: 0, True),  # noqa: ARG005 - see above
        (lambda y_pred, y_true: 0, False),  # noqa: ARG005 - see above
        (lambda confusion, labels: 0, False),  # noqa: ARG005 - see above
        (lambda y_true: 0, False),  # noqa: ARG005 - see above
        (zero_one_loss, True),
        (max, False),  # has no signature
    ],
)
def test_the_parameters_names_tell_the_kinds_apart(function: Callable[..., object], *, by_row: bool) -> None:
    """A function whose first two parameters are y_true and y_pred, in this order, is one of rows."""
    assert is_by_row(function) is by_row


def test_less_is_better_of_a_loss_unless_it_says_so(module: Module) -> None:
    """A loss is better when less, a function of tables when more; ``greater_is_better`` wins over both."""
    name = module(OWN + "\n    def of_tables(confusion, labels):\n        return confusion.sum(axis=(-2, -1))\n")
    assert [custom_metric(f"{name}:{own}").greater_is_better for own in ("wrong", "right", "of_tables")] == [
        False, True, True,
    ]  # fmt: skip
    assert [custom_loss(f"{name}:{own}").greater_is_better for own in ("wrong", "right")] == [False, True]


def test_what_is_no_name_of_a_function(module: Module) -> None:
    """A name is a module and a function; one that is not there is named with what is near."""
    assert [is_custom(name) for name in ("own:loss", "a.b:c", "loss", "own:", ":loss", "a:b:c", "a b:c")] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
    with pytest.raises(InvalidInputError, match=r"has no function 'wrnog'\. Hint: did you mean 'wrong'\?$"):
        custom_loss(f"{module(OWN)}:wrnog")


def test_a_guardrail_may_stand_on_a_class(module: Module) -> None:
    """A loss of rows has a value by class, which a guardrail can hold; a function of tables has none, and fails it."""
    body = OWN + "\n    def of_tables(confusion, labels):\n        return np.trace(confusion, axis1=-2, axis2=-1)\n"
    name = module(body)
    y, better = np.repeat([0, 1], 200), np.repeat([0, 1, 1, 0], 100)
    for own, verdict in (("wrong", "PROMOTE"), ("of_tables", "INSUFFICIENT_EVIDENCE")):
        metric = f"{name}:{own}"
        rails = (Guardrail(metric=metric, margin=0.1, class_="1"),)
        policy = Policy(rule="primary", metrics=("accuracy", metric), guardrails=rails)
        found = compare_predictions(y, better[::-1], y, policy=policy, resamples=200)
        assert found.verdict == verdict
