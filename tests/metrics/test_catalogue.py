"""Metrics of the user's own: against scikit-learn, in every output, and refused in a sentence where they do not fit."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import sys
import textwrap
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef

from abtest.decision import Verdict, decide
from abtest.errors import AbtestError, InvalidInputError
from abtest.evaluator import Evaluation, evaluate
from abtest.guardrail import Guardrail
from abtest.metrics.catalogue import in_text, metric_names, resolve, title, unit
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.record import ComparisonRecord
from abtest.reporter import html, markdown, summary
from abtest.workflow import compare_predictions
from tests.decision import random_table
from tests.examples import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abtest.evaluator import MetricRow

    Module = Callable[[str], str]

OWN = """
    import numpy as np

    def _recalls(confusion):
        support = confusion.sum(axis=-1)
        return np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(support, 1), support > 0

    def balanced_accuracy(confusion, labels):
        recalls, there = _recalls(confusion)
        return (recalls * there).sum(axis=-1) / there.sum(axis=-1)

    def balanced_error(confusion, labels):
        return 1 - balanced_accuracy(confusion, labels)

    balanced_error.greater_is_better = False

    def matthews(confusion, labels):
        truth, said = confusion.sum(axis=-1, dtype=float), confusion.sum(axis=-2, dtype=float)
        n, hits = truth.sum(axis=-1), np.trace(confusion, axis1=-2, axis2=-1)
        top = hits * n - (truth * said).sum(axis=-1)
        bottom = np.sqrt((n**2 - (truth**2).sum(axis=-1)) * (n**2 - (said**2).sum(axis=-1)))
        return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)

    def net_profit(confusion, labels):
        gain = np.where(np.equal.outer(labels, labels), 5.0, -20.0)
        return (confusion * gain).sum(axis=(-2, -1)) / confusion.sum(axis=(-2, -1))

    def net_loss(confusion, labels):
        return -net_profit(confusion, labels)

    net_loss.greater_is_better = False

    def positive_rate(confusion, labels):
        assert all(isinstance(label, str) for label in labels)
        return confusion[..., :, list(labels).index("spam")].sum(axis=-1) / confusion.sum(axis=(-2, -1))
"""
_names = itertools.count()


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Module]:
    """Write a module of the user's own into the folder in which the test runs; it is forgotten afterwards."""
    written: list[str] = []

    def write(text: str) -> str:
        name = f"own_metrics_{next(_names)}"
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


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@pytest.mark.filterwarnings("ignore:The number of unique classes is greater:UserWarning")
@pytest.mark.parametrize("seed", range(15))
def test_values_are_scikit_learns(module: Module, seed: int) -> None:
    """Balanced accuracy and Matthews' correlation of both sides, over all rows and in each segment."""
    table, name = random_table(seed), module(OWN)
    evaluation = evaluated(table, f"{name}:balanced_accuracy", f"{name}:matthews")
    places: list[tuple[PairedOutcomes, dict[str, MetricRow]]]
    places = [(table, {row.metric: row for row in evaluation.metrics})]
    for segment in table.segments:
        rows = [row for row in evaluation.segments if (row.segment, row.value) == segment.key]
        places.append((table.of(segment), {row.metric: row for row in rows}))
    for part, found in places:
        y, *sides = rows_of(part)
        for function, oracle in (("balanced_accuracy", balanced_accuracy_score), ("matthews", matthews_corrcoef)):
            row = found[f"{name}:{function}"]
            assert (row.champion, row.challenger) == pytest.approx([oracle(y, side) for side in sides], abs=1e-12)
            assert row.n == part.n


@pytest.mark.parametrize("seed", range(10))
def test_a_function_of_the_package_given_as_ones_own_gives_the_same(module: Module, seed: int) -> None:
    """Accuracy and macro recall written once more have the values, effects and resampled limits of ours."""
    name = module(
        OWN + "\n    def hits(confusion, labels):\n"
        "        return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))\n"
    )
    evaluation = evaluated(random_table(seed), "cost", f"{name}:hits", costs=_one_each(random_table(seed)))
    own, cost = evaluation.metric(f"{name}:hits"), evaluation.metric("cost")
    accuracy = evaluation.metric("accuracy")
    assert own.champion == pytest.approx(accuracy.champion, abs=1e-15)
    assert own.effect == pytest.approx(accuracy.effect, abs=1e-15)
    assert own.pvalue == cost.pvalue
    assert own.likely_improvement is not None or cost.likely_improvement is None
    if own.likely_improvement and cost.likely_improvement:
        assert own.likely_improvement.lower == pytest.approx(cost.likely_improvement.lower, abs=1e-12)
        assert own.likely_improvement.upper == pytest.approx(cost.likely_improvement.upper, abs=1e-12)


def _one_each(table: PairedOutcomes) -> dict[str, dict[str, float]]:
    return {str(i): {str(j): 1.0 for j in table.labels if j != i} for i in table.labels}


def test_less_may_be_better(module: Module) -> None:
    """``greater_is_better = False`` on the function turns improvement, test direction and guardrails round."""
    table, name = random_table(3), module(OWN)
    up, down = f"{name}:net_profit", f"{name}:net_loss"
    evaluation = evaluated(table, up, down)
    profit, loss = evaluation.metric(up), evaluation.metric(down)
    assert profit.champion != profit.challenger
    assert (loss.champion, loss.effect, loss.improvement) == (-profit.champion, -profit.effect, profit.improvement)
    assert (profit.greater_is_better, loss.greater_is_better) == (True, False)
    assert profit.likely_improvement == loss.likely_improvement
    for margin in (0.01, 1.0, 3.0, 100.0):
        rails = [Guardrail(metric=metric, margin=margin) for metric in (up, down)]
        decision = decide(evaluation, Policy(metrics=("accuracy", up, down), guardrails=tuple(rails)))
        one, other = (reason for reason in decision.reasons if reason.rule == "guardrail")
        assert (one.held, one.value) == (other.held, other.value)


def test_the_labels_come_with_the_tables(module: Module) -> None:
    """The function is told which label an axis stands for."""
    name = module(OWN)
    table = PairedOutcomes.from_predictions(["ham", "spam", "spam"], ["ham", "spam", "ham"], ["spam", "spam", "spam"])
    row = evaluated(table, f"{name}:positive_rate").metric(f"{name}:positive_rate")
    assert (row.champion, row.challenger) == pytest.approx((1 / 3, 1.0))


def test_has_a_place_in_every_output(module: Module, tmp_path: Path) -> None:
    """comparison.json, the page, Markdown, segments and reasons have it, and nothing further is to be done."""
    metric = f"{module(OWN)}:balanced_accuracy"
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    a, b = (np.where(rng.random(900) < right, y, rng.integers(0, 3, 900)) for right in (0.6, 0.8))
    rail = Guardrail(metric=metric, segment="region", margin=0.3, mode="not-proved-worse")
    comparison = compare_predictions(
        y, a, b,
        segments={"region": rng.choice(["EU", "US"], 900)},
        policy=Policy(metrics=("accuracy", metric), guardrails=(rail,)),
        resamples=200, output=tmp_path / "reports", save_plot=False,
    )  # fmt: skip
    assert comparison.verdict is Verdict.PROMOTE
    assert comparison.report is not None
    data = json.loads((comparison.report / "comparison.json").read_text(encoding="utf-8"))
    (row,) = [row for row in data["metrics"] if row["metric"] == metric]
    assert row["challenger"] == pytest.approx(balanced_accuracy_score(y, b))
    assert row["ci_lower"] < row["effect"] < row["ci_upper"]
    assert [(s["value"], s["n"]) for s in data["segments"] if s["metric"] == metric] == [
        (s["value"], s["n"]) for s in data["segments"] if s["metric"] == "accuracy"
    ]
    told = [r for r in data["decision"]["reasons"] if r["rule"] == "guardrail"]
    assert [(r["metric"], r["segment"], r["held"]) for r in told] == [
        (metric, "region=EU", True), (metric, "region=US", True),
    ]  # fmt: skip
    for file in ("report.html", "summary.md"):
        text = (comparison.report / file).read_text(encoding="utf-8")
        assert text.count("Balanced accuracy") >= 3  # among the metrics, the segments and the reasons
    # A p-value of 200 resamples is at least 2/201.
    assert re.search(r"^\| Balanced accuracy \|.*\|.*\|.*\|.*\| 0\.010 \|$", text, re.MULTILINE)


def test_a_record_is_read_and_drawn_without_the_module(module: Module) -> None:
    """Reading comparison.json back, and drawing its report again, never imports what it names."""
    name = module(OWN)
    policy = Policy(metrics=("accuracy", f"{name}:matthews"), rule="primary", primary=f"{name}:matthews")
    written = record([0, 1, 1] * 9, [0, 1, 0] * 9, [0, 1, 1] * 9, policy=policy).to_json()
    assert name in sys.modules
    del sys.modules[name]
    Path(f"{name}.py").write_text("raise SystemExit('it was imported')", encoding="utf-8")
    again = ComparisonRecord.from_dict(json.loads(written))
    assert "Matthews" in html.render(again, [])
    assert "Matthews" in markdown.render(summary.summarise(again))
    assert decide(again.evaluation, again.settings.policy) == again.decision
    assert name not in sys.modules


BROKEN = {
    "raises": ("return confusion.no_such_thing", "failed: AttributeError: 'numpy.ndarray' object has no attribute"),
    "raises a page": ("raise ValueError('first\\nsecond')", "failed: ValueError: first. Hint: it is given confusion"),
    "exits": ("raise SystemExit", "failed: SystemExit. Hint: "),
    "one number": ("return 1.0", "must return one number a table, of shape (100,), got ()."),
    "by label": ("return confusion.sum(axis=-1)", "must return one number a table, of shape (100,), got (100, 3)."),
    "nothing": ("return None", "must return one number a table, of shape (100,), got ()."),
    "text": ("return 'high'", "failed: ValueError: could not convert string to float"),
    "nan": ("return confusion[..., 0, 0] * float('nan')", "must return finite numbers. Hint: say what 0/0 is to be."),
    "infinite": ("return confusion[..., 0, 0] + float('inf')", "must return finite numbers."),
    "writes": ("confusion[..., 0, 0] = 0; return confusion[..., 0, 0]", "failed: ValueError: assignment destination i"),
    "too few": ("return confusion[1:, 0, 0]", "must return one number a table, of shape (100,), got (99,)."),
}  # fmt: skip


@pytest.mark.parametrize(("body", "told"), BROKEN.values(), ids=BROKEN)
def test_a_function_that_does_not_fit_is_refused(module: Module, body: str, told: str) -> None:
    """What it does wrong is said in one line, with its name and what to do."""
    name = module(f"def gain(confusion, labels):\n    {body}\n")
    with pytest.raises(InvalidInputError) as error:
        evaluated(random_table(2), f"{name}:gain")
    assert str(error.value).startswith(f"metrics: '{name}:gain' ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


MISSING = {
    "function": ("def net_profit(c, l): ...", "net_porfit", "has no function 'net_porfit'. Hint: did you mean 'net_pr"),
    "no function": ("gain = 3", "gain", "has no function 'gain'."),
    "broken": ("import nowhere_at_all", "gain", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at"),
    "no Python": ("def gain(:", "gain", "cannot be imported: SyntaxError: "),
    "raises": ("raise RuntimeError('a\\nb')", "gain", "cannot be imported: RuntimeError: a. Hint: the module must be "),
    "exits": ("import sys; sys.exit()", "gain", "cannot be imported: SystemExit. Hint: "),
}  # fmt: skip


@pytest.mark.parametrize(("text", "function", "told"), MISSING.values(), ids=MISSING)
def test_what_cannot_be_imported_is_told_before_any_row_is_read(
    module: Module, text: str, function: str, told: str
) -> None:
    """The error comes before the columns are looked at, which are none; in one line."""
    name = module(text)
    with pytest.raises(AbtestError) as error:
        compare_predictions([], [0, 1], [[0]], policy=Policy(metrics=("accuracy", f"{name}:{function}")))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_module_that_is_not_there() -> None:
    """A module that is nowhere is told, and where it may lie; the path is as it was."""
    before = list(sys.path)
    with pytest.raises(InvalidInputError) as error:
        resolve(["nowhere_at_all:gain"], {})
    assert str(error.value) == (
        "metrics: 'nowhere_at_all:gain' cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'. "
        "Hint: the module must be installed, or lie in this folder."
    )
    assert sys.path == before


def test_a_policy_imports_nothing() -> None:
    """Naming a metric of one's own is no reason to import it: only evaluating is."""
    assert Policy(metrics=("accuracy", "nowhere_at_all:gain")).metrics[1] == "nowhere_at_all:gain"


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("own:gain", True),
        ("shop.metrics:net_profit", True),
        ("größe:gewinn", True),
        ("own:", False),
        (":gain", False),
        ("own:a:b", False),
        ("own-metrics:gain", False),
        ("own.:gain", False),
        ("own:net profit", False),
        ("../own:gain", False),
    ],
)
def test_names_of_ones_own_metrics(name: str, *, fits: bool) -> None:
    """module:function, each of names as Python has them; anything else is in no catalogue."""
    if fits:
        assert metric_names([name]) == (name,)
        assert unit(name) == "number"
    else:
        with pytest.raises(InvalidInputError, match="or module:function, got"):
            metric_names([name])


@pytest.mark.parametrize(
    ("name", "written", "within"),
    [
        ("accuracy", "Accuracy", "accuracy"),
        ("f1", "F1", "F1"),
        ("cost", "Cost per row", "cost per row"),
        ("shop.metrics:net_profit", "Net profit", "net profit"),
        ("own:MCC_2", "MCC 2", "MCC 2"),
        ("own:_hidden", "Hidden", "hidden"),
    ],
)
def test_titles(name: str, written: str, within: str) -> None:
    """A metric is called by its function's name, with spaces; within a sentence, without a capital."""
    assert (title(name), in_text(name)) == (written, within)


def test_hundreds_of_labels_fit_in_memory(module: Module) -> None:
    """The tables of a thousand resamples of 300 labels are made a few at a time, and the values are those of all."""
    name = module(OWN)
    rng = np.random.default_rng(0)
    y, a = rng.integers(0, 300, (2, 1500))
    table = PairedOutcomes.from_predictions(y, a, y)
    policy = Policy(metrics=("accuracy", "recall", f"{name}:balanced_accuracy"))
    tracemalloc.start()
    evaluation = evaluate(table, policy, resamples=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000 * 300 * 300 * 8 / 2
    own = evaluation.metric(f"{name}:balanced_accuracy")
    assert own.champion == pytest.approx(evaluation.metric("recall").champion, abs=1e-12)
    assert own.challenger == 1.0
    assert own.ci_lower is not None
    assert own.ci_lower < own.effect
