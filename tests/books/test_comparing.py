"""Runs side by side tell each difference, with its sign, and claim nothing that was not logged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from abtest.books.comparing import compared, greater_is_better
from abtest.errors import InvalidInputError
from tests.books.ledger import log

if TYPE_CHECKING:
    from abtest.registry import RegistryClient


def test_runs_that_trained(trained: tuple[RegistryClient, tuple[str, ...]]) -> None:
    """Values, effects and what is better are those logged; what is the same comes last; models can be compared."""
    registry, (first, second, third, two_models) = trained
    found = compared(registry, [first, second, third])
    rows = {row.name: row for row in found.rows}
    assert rows["depth"].values == ("1", "2", "3")
    assert rows["accuracy"].effects[0] is None
    assert rows["accuracy"].effects[1:] == pytest.approx([0.05, -0.05])
    assert rows["accuracy"].better == (None, True, False)
    assert rows["loss"].better == (None, None, None)  # nobody knows which loss
    assert not rows["seed"].differs
    assert not rows["training"].differs
    assert [row.differs for row in found.rows] == sorted((row.differs for row in found.rows), reverse=True)
    assert rows["mlflow"].kind == "environment"
    assert len(found.models) == 3
    assert compared(registry, [first, two_models]).models == ()  # which of its two models?


def test_the_environment_that_was_written_down(registry: RegistryClient) -> None:
    """What a run wrote down counts, or the training around it; where one run has none, nothing is said of either."""
    client = registry.client
    experiment = client.create_experiment("training")
    parent = log(client, experiment)
    client.log_text(parent, "python==3.11.7\nscipy==1.13.0\n", "environment.txt")
    child = log(client, experiment, tags={"mlflow.parentRunId": parent})
    other = log(client, experiment)
    client.log_text(other, "python==3.11.7\nscipy==1.14.0\n", "environment.txt")
    rows = {row.name: row for row in compared(registry, [child, other]).rows if row.kind == "environment"}
    assert (rows["scipy"].values, rows["python"].differs) == (("1.13.0", "1.14.0"), False)
    bare = compared(registry, [child, log(client, experiment)])
    assert not any(row.kind == "environment" for row in bare.rows)
    assert "is not on record" in bare.notices[0]


def test_values_that_are_no_numbers(registry: RegistryClient) -> None:
    """NaN beside NaN is the same, beside a number it differs, and neither has an effect."""
    experiment = registry.client.create_experiment("odd")
    metrics = {"accuracy": math.nan, "f1": math.nan, "rmse": math.inf}
    one = log(registry.client, experiment, metrics=metrics)
    other = log(registry.client, experiment, metrics={**metrics, "f1": 0.5})
    rows = {row.name: row for row in compared(registry, [one, other]).rows}
    assert [rows[name].differs for name in ("accuracy", "f1", "rmse")] == [False, True, False]
    assert [rows[name].effects[1] for name in ("accuracy", "f1", "rmse")] == [None, None, None]
    assert rows["f1"].to_dict()["values"] == [None, 0.5]


def test_one_run_is_not_two(registry: RegistryClient) -> None:
    """A run beside itself is refused."""
    one = log(registry.client, registry.client.create_experiment("one"))
    with pytest.raises(InvalidInputError, match="Only run"):
        compared(registry, [one, one[:12]])


@pytest.mark.parametrize(
    ("name", "greater"),
    [("holdout.f1", True), ("val_rmse", False), ("train_accuracy", True), ("brier_score", False), ("r2", True),
     ("bias", None), ("loss", None), ("cost", False)],
)  # fmt: skip
def test_directions_are_the_catalogues(name: str, greater: bool | None) -> None:  # noqa: FBT001 - an expectation
    """More is better of what we know so; of a bias, and of what we do not know, neither."""
    assert greater_is_better(name) is greater
