"""Several challengers in one pass: each as if it were compared alone, at a level that allows for the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.contingency_tables import cochrans_q

from abtest.comparison import Comparison, Comparisons
from abtest.decision import Verdict
from abtest.errors import InvalidInputError
from abtest.policy import Policy
from abtest.registry import Reference
from abtest.workflow import compare
from tests import zoo
from tests.known import known
from tests.workflow import QUICK, better, fitted, plain, rents, worse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.record import ComparisonRecord
    from abtest.registry import RegistryClient

ACCURACY = Policy(metrics=("accuracy",))


class Says:
    """Predicts by a rule, and counts the rows it was asked about."""

    def __init__(self, rule: Callable[[pd.DataFrame], Any]) -> None:
        self.rule = rule
        self.rows = 0

    def predict(self, features: pd.DataFrame) -> Any:
        """Predict."""
        self.rows += len(features)
        return self.rule(features)


def columns_of(right: npt.NDArray[np.bool_]) -> tuple[list[Says], pd.DataFrame]:
    """Models that are right where told, shape (rows, models), and the rows."""
    frame = pd.DataFrame({"row": range(len(right)), "y": np.arange(len(right)) % 2})

    def says(model: int) -> Says:
        truth = frame["y"].to_numpy()
        return Says(lambda rows: np.where(right[rows["row"], model], truth[rows["row"]], 1 - truth[rows["row"]]))

    return [says(model) for model in range(right.shape[1])], frame


def several(champion: Any, challengers: Sequence[Any], data: pd.DataFrame, **options: Any) -> Comparisons:
    """Compare all of them."""
    return compare(champion, list(challengers), data=data, **{**QUICK, **options})


def stripped(record: ComparisonRecord) -> dict[str, Any]:
    """A record without moments, timings and the digest of the policy as asked."""
    found = record.to_dict()
    for key in ("created_at", "provenance"):
        del found[key]
    for side in ("champion", "challenger"):
        del found[side]["latency"]
    return found


def probabilities() -> tuple[Any, list[Any], dict[str, Any]]:
    """Classifiers with probabilities, on fruit."""
    frame = zoo.fruit(120).assign(region=["EU", "US", "Asia"] * 40)
    train = zoo.fruit(300)[150:]
    models = [
        LogisticRegression(C=c).fit(train[list(columns)], train["kind"])
        for c, columns in ((1.0, ["width"]), (0.01, zoo.FEATURES), (1.0, zoo.FEATURES), (9.0, ["height"]))
    ]
    policy = Policy(metrics=("accuracy", "f1", "roc_auc", "log_loss"))
    return models[0], models[1:], {"data": frame, "target": "kind", "segments": ["region"], "policy": policy}


def in_units() -> tuple[Any, list[Any], dict[str, Any]]:
    """Rules, on fruit that comes in crates."""
    frame = zoo.fruit(120).assign(crate=[i // 3 for i in range(120)])
    rules = [Says(zoo.linear), Says(zoo.better), Says(zoo.stranger)]
    return rules[0], rules[1:], {"data": frame, "target": "kind", "unit": "crate"}


def regressors() -> tuple[Any, list[Any], dict[str, Any]]:
    """Regressors, on rents."""
    models = [better(), worse(), fitted("rooms")]
    return plain(), models, {"data": rents(), "target": "rent", "segments": ["region"]}


def by_interval() -> tuple[Any, list[Any], dict[str, Any]]:
    """Regressors held to an interval."""
    champion, challengers, options = regressors()
    policy = Policy(rule="non-inferior", primary="mae", margin=3.0)
    return champion, challengers, {**options, "policy": policy, "unit": "house"}


@pytest.mark.parametrize("situation", [probabilities, in_units, regressors, by_interval])
def test_each_pair_is_as_if_compared_alone(situation: Callable[[], tuple[Any, list[Any], dict[str, Any]]]) -> None:
    """Counts, sums, p-values, intervals and verdict are, to the last bit, those of the pair at the same level alone."""
    champion, challengers, options = situation()
    together = several(champion, challengers, **options)
    assert len(together.comparisons) == len(challengers)
    for challenger, found in zip(challengers, together.record.comparisons, strict=True):
        level = found.settings.policy.confidence
        policy = replace(options.get("policy", Policy()), confidence=level)
        alone = compare(champion, challenger, **{**QUICK, **options, "policy": policy})
        assert isinstance(alone, Comparison)
        assert stripped(found) == stripped(alone.record)


def test_every_row_is_predicted_once() -> None:
    """However many challengers there are, each model is asked about each row once, whatever the batches."""
    models, frame = columns_of(np.random.default_rng(0).random((50, 5)) < 0.7)
    several(models[0], models[1:], frame, target="y", batch_size=7, policy=ACCURACY)
    assert [model.rows for model in models] == [50] * 5

    class Counting(LogisticRegression):  # type: ignore[misc] # scikit-learn ships no types
        asked = 0

        def predict_proba(self, features: Any) -> Any:
            type(self).asked += len(features)
            return super().predict_proba(features)

    champion, challengers, options = probabilities()
    counted = Counting().fit(zoo.fruit(200)[["width"]], zoo.fruit(200)["kind"])
    several(counted, challengers, **{**options, "policy": Policy(metrics=("accuracy", "log_loss"))})
    assert Counting.asked == 120
    assert champion is not counted


def test_the_best_is_recommended() -> None:
    """Of those that may serve it is the one that improves most, and the verdict of all is its own."""
    right = np.random.default_rng(5).random((200, 4)) < [0.6, 0.85, 0.97, 0.4]
    models, frame = columns_of(right)
    together = several(models[0], models[1:], frame, target="y")
    assert [one.verdict for one in together.comparisons] == [Verdict.PROMOTE, Verdict.PROMOTE, Verdict.KEEP_CHAMPION]
    assert (together.verdict, together.record.best, together.best) == (Verdict.PROMOTE, 1, together.comparisons[1])


def test_metrics_name_each_challenger(stocked: RegistryClient) -> None:
    """The frame of metrics has a row for each challenger and metric, by the challenger's name, with its value."""
    numbers = [Reference(kind="version", value=value) for value in ("2", "10")]
    options: dict[str, Any] = {"model_name": "fruit", "tracking_uri": stocked.tracking_uri, **QUICK}
    metrics = compare(None, numbers, data=zoo.fruit(), **options).metrics
    assert metrics.index.get_level_values(0).unique().tolist() == ["v2", "v10"]
    right = [float((rule(zoo.fruit()) == zoo.fruit()["kind"]).mean()) for rule in (zoo.better, zoo.stranger)]
    assert metrics["challenger"].xs("accuracy", level="metric").tolist() == right


def test_a_baseline_champion() -> None:
    """All are compared with the majority class, which is said of each."""
    frame = zoo.fruit(61)
    record = several("baseline", [Says(zoo.linear), Says(zoo.better)], frame, target="kind").record
    majority = frame["kind"].value_counts().idxmax()
    always = frame["kind"].to_numpy() == majority
    for one, rule in zip(record.comparisons, (zoo.linear, zoo.better), strict=True):
        right = rule(frame) == frame["kind"].to_numpy()
        table = known(one.contingency)
        assert (table.champion_only, table.challenger_only) == ((always & ~right).sum(), (right & ~always).sum())
        assert f"The champion is the majority-class predictor: it always says '{majority}'." in one.notices
    matrix = np.column_stack([always, zoo.linear(frame) == frame["kind"], zoo.better(frame) == frame["kind"]])
    assert known(record.cochran).statistic == pytest.approx(cochrans_q(matrix.astype(int)).statistic, rel=1e-9)


def test_a_list_of_one() -> None:
    """One challenger in a list has the whole level, and is called by its own name."""
    models, frame = columns_of(np.random.default_rng(0).random((60, 2)) < [0.6, 0.95])
    together = several(models[0], models[1:], frame, target="y", output="reports", save_plot=False)
    alone = compare(models[0], models[1], data=frame, target="y", **QUICK)
    assert stripped(together.record.comparisons[0]) == stripped(alone.record)
    assert (together.verdict, together.record.best) == (Verdict.PROMOTE, 0)
    assert known(together.report).name.startswith(f"{alone.record.name}-2")


def test_what_is_no_list_of_challengers() -> None:
    """No challenger, one named twice, and the baseline as a challenger are refused before any row is predicted."""
    models, frame = columns_of(np.ones((10, 3), dtype=bool))
    with pytest.raises(InvalidInputError, match=r"^challenger must name at least one model, got an empty list\.$"):
        several(models[0], [], frame, target="y")
    with pytest.raises(
        InvalidInputError, match=r"^The challengers name Says twice\. Hint: name each challenger once\.$"
    ):
        several(models[0], [models[1], models[2], models[1]], frame, target="y")
    with pytest.raises(
        InvalidInputError, match="challenger-version must be a number: only the champion can be the base"
    ):
        several(models[0], [models[1], "baseline"], frame, target="y")
    assert {model.rows for model in models} == {0}
