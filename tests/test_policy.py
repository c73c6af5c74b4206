"""A policy holds only what makes sense together, and is named by its content."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from abtest.errors import PolicyError
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from tests.decision import policies
from tests.known import known


def test_the_default() -> None:
    """By default: 95 %, mid-p, accuracy, precision, recall, F1, and three quarters of them."""
    policy = Policy()
    assert (policy.confidence, policy.alpha, policy.method) == (0.95, 0.05, "mid-p")
    assert policy.metrics == ("accuracy", "precision", "recall", "f1")
    assert (policy.promote_share, policy.conditional_share) == (0.75, 0.5)
    assert (policy.rule, policy.primary, policy.margin) == ("share", "accuracy", None)
    assert (policy.guardrails, policy.segments, dict(policy.costs)) == ((), (), {})
    assert Policy.from_mapping({}) == policy


NEEDS = "rule non-inferior needs a margin: how much worse may the challenger be? Hint: margin = 0.01 tolerates a loss"
COSTS = {"ok": {"fraud": 1.0}, "fraud": {"ok": 5.0}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"confidence": 95}, "confidence must be in (0, 1), got 95. Hint: 0.95 means 95 %."),
        ({"confidence": 0}, "confidence must be in (0, 1), got 0."),
        ({"confidence": 1.0}, "confidence must be in (0, 1), got 1."),
        ({"confidence": -0.5}, "confidence must be in (0, 1), got -0.5."),
        ({"confidence": float("nan")}, "confidence must be a number, got nan."),
        ({"confidence": "0.9"}, "confidence must be a number, got '0.9'."),
        ({"confidence": True}, "confidence must be a number, got True."),
        ({"promote_share": 0}, "promote_share must be in (0, 1], got 0."),
        ({"promote_share": 1.01}, "promote_share must be in (0, 1], got 1.01."),
        ({"promote_share": None}, "promote_share must be a number, got None."),
        ({"conditional_share": 0}, "conditional_share must be in (0, promote_share = 0.75], got 0."),
        ({"conditional_share": 0.8}, "conditional_share must be in (0, promote_share = 0.75], got 0.8."),
        ({"method": "midp"}, "method must be one of mid-p, exact, chi2, got 'midp'. Hint: did you mean 'mid-p'?"),
        ({"method": 3}, "method must be one of mid-p, exact, chi2, got 3."),
        ({"metrics": "accuracy"}, "metrics must be a list of names, got 'accuracy'."),
        ({"metrics": 3}, "metrics must be a list of names, got 3."),
        ({"metrics": [1]}, "metrics must be a list of names, got (1,)."),
        ({"metrics": []}, "metrics must contain accuracy"),
        ({"metrics": ["f1"]}, "metrics must contain accuracy, on which the test is. Hint: add 'accuracy' to metrics."),
        ({"metrics": ["accuracy", "presicion"]}, "did you mean 'precision'?"),
        ({"metrics": ["accuracy", "own:"]}, "or module:function, got 'own:'."),
        ({"metrics": ["accuracy", "own.py:gain"]}, None),
        ({"metrics": ["accuracy", "my own:gain"]}, "or module:function, got 'my own:gain'."),
        ({"metrics": ["accuracy", "cost"]}, "metrics has cost, but the policy has no costs. Hint: list them in [polic"),
        ({"promote_shere": 1}, "unknown key 'promote_shere'; known are rule, confidence"),
        ({"promote_shere": 1}, "did you mean 'promote_share'?"),
        ([], "must be a table, got []."),
        # rules
        ({"rule": "noninferior"}, "rule must be one of share, non-inferior, primary, got 'noninferior'. Hint: did you"),
        ({"rule": ["share"]}, "rule must be one of share, non-inferior, primary, got ['share']."),
        ({"rule": "non-inferior"}, NEEDS),
        ({"rule": "non-inferior", "margin": 2}, "margin must be below 1, got 2. Hint: 0.02 is 2 points."),
        ({"rule": "non-inferior", "margin": -0.01}, "margin must be above 0, got -0.01. Hint: 0.01 is 1 point"),
        ({"rule": "primary", "margin": 0}, "margin must be above 0, got 0."),
        ({"rule": "primary", "margin": "0.01"}, "margin must be a number, got '0.01'."),
        ({"rule": "primary", "margin": True}, "margin must be a number, got True."),
        ({"rule": "primary", "margin": float("nan")}, "margin must be a number, got nan."),
        ({"rule": "primary", "margin": 10**400}, "margin must be a number, got 1000"),
        ({"rule": "primary", "margin": 5}, "margin must be below 1, got 5. Hint: 0.05 is 5 points."),
        ({"primary": "f1"}, "primary means nothing under the rule share. Hint: remove primary, or let the rule be non"),
        ({"rule": "primary", "promote_share": 0.8}, "promote_share means nothing under the rule primary. Hint: remove"),
        ({"rule": "primary", "conditional_share": 0.5}, "conditional_share means nothing under the rule primary."),
        ({"rule": "primary", "primary": "acuracy"}, "got 'acuracy'. Hint: did you mean 'accuracy'?"),
        ({"rule": "primary", "primary": "f1", "metrics": ["accuracy"]}, "(accuracy), got 'f1'. Hint: add it to metric"),
        ({"rule": "primary", "primary": 3}, "primary must be among the policy's metrics (accuracy, precision, recall,"),
        ({"rule": "primary", "primary": ["f1"]}, "primary must be among the policy's metrics"),
        ({"rule": "primary", "primary": "rows"}, "got 'rows'."),
        ({"rule": "primary", "primary": "cost"}, "got 'cost'."),
        # guardrails
        ({"guardrails": {"metric": "f1"}}, "guardrails must be a list of tables, got {'metric': 'f1'}. Hint: write [["),
        ({"guardrails": [{"metric": "f1"}]}, "guardrails[0]: a guardrail on f1 needs a margin."),
        (
            {"metrics": ["accuracy"], "guardrails": [{"metric": "f1", "margin": 0.1}]},
            "guardrails[0]: f1 is not among the policy's metrics, so it is not computed. Hint: add 'f1' to metrics.",
        ),
        (
            {"metrics": ["accuracy"], "guardrails": [{"metric": "rows", "class": "*", "minimum": 9}]},
            "guardrails[0]: no metric of the policy has classes, so their rows are not counted. Hint: add 'recall' to",
        ),
        # costs
        ({"costs": 3}, "costs must be a table of tables, got 3. Hint: write [policy.costs], then one line a class"),
        ({"costs": {"ok": 3}}, "costs.ok must be a table, got 3."),
        ({"costs": {"ok": {"fraud": "3"}}}, "costs.ok.fraud must be a finite number, got '3'."),
        ({"costs": {"ok": {"fraud": True}}}, "costs.ok.fraud must be a finite number, got True."),
        ({"costs": {"ok": {"größer": float("inf")}}}, "costs.ok.größer must be a finite number, got inf."),
    ],
)  # fmt: skip
def test_refuses_what_makes_no_sense(values: Any, told: str | None) -> None:
    """A value out of range, or keys that contradict each other, are told with key, rule and value, and the file."""
    if told is None:  # a name that is well formed is looked for when it is needed
        assert Policy.from_mapping(values).metrics == ("accuracy", "own.py:gain")
        return
    with pytest.raises(PolicyError) as error:
        Policy.from_mapping(values, source="p.toml")
    assert str(error.value).startswith("p.toml")
    assert told in str(error.value)


def test_reads_toml() -> None:
    """The whole of a policy file, as TOML has it: classes of text and numbers, costs, several guardrails."""
    text = """
        rule = "non-inferior"
        primary = "cost"
        margin = 2
        metrics = ["accuracy", "recall", "f1_score"]
        [costs]
        ok = { "größer ✓" = 10 }
        "größer ✓" = { ok = -2.5 }
        [[guardrails]]
        metric = "recall"
        class = "größer ✓"
        margin = 0.02
        [[guardrails]]
        metric = "rows"
        segment = "region"
        minimum = 200
        severity = "warn"
    """
    policy = Policy.from_mapping(tomllib.loads(text))
    assert policy == Policy(
        rule="non-inferior",
        primary="cost",
        margin=2.0,
        metrics=("accuracy", "recall", "f1", "cost"),
        costs={"ok": {"größer ✓": 10.0}, "größer ✓": {"ok": -2.5}},
        guardrails=(
            Guardrail(metric="recall", class_="größer ✓", margin=0.02),
            Guardrail(metric="rows", segment="region", minimum=200, severity="warn"),
        ),
    )
    assert policy.segments == ("region",)


def test_costs_make_a_metric() -> None:
    """With costs, cost is among the metrics: where it was named, or at the end; its margin is in its own unit."""
    assert Policy(costs=COSTS).metrics == ("accuracy", "precision", "recall", "f1", "cost")
    assert Policy(costs=COSTS, metrics=("cost", "accuracy")).metrics == ("cost", "accuracy")
    policy = Policy(rule="primary", primary="cost", costs=COSTS, margin=25)
    assert policy.margin == 25.0
    assert Policy(costs=MappingProxyType(COSTS)).digest == Policy(costs=COSTS).digest


def test_guardrails_name_the_segments_they_need() -> None:
    """Each segmentation once, in the order of the guardrails; values are no matter."""
    rails = tuple(
        Guardrail(metric="accuracy", margin=0.1, segment=segment)
        for segment in ("device=phone", "region", None, "device", "region*device=EU × phone")
    )
    assert Policy(guardrails=rails).segments == ("device", "region", "region*device")


def test_the_digest_is_of_the_content() -> None:
    """Equal policies have one digest, however they are spelt; any change has another."""
    assert Policy().digest == Policy.from_mapping({"metrics": ["accuracy", "precision", "recall", "f1_score"]}).digest
    rail: dict[str, Any] = {"metric": "recall", "margin": 0.1}
    changes: list[dict[str, Any]] = [
        {}, {"confidence": 0.9}, {"method": "exact"}, {"metrics": ("accuracy",)}, {"promote_share": 0.8},
        {"rule": "primary"}, {"rule": "primary", "primary": "f1"}, {"margin": 0.01}, {"margin": 0.02},
        {"costs": COSTS}, {"costs": {**COSTS, "ok": {"fraud": 2.0}}},
        {"guardrails": (Guardrail(**rail),)}, {"guardrails": (Guardrail(**rail, class_="a"),)},
        {"guardrails": (Guardrail(**rail, segment="a"),)}, {"guardrails": (Guardrail(**rail, severity="warn"),)},
        {"guardrails": (Guardrail(**rail), Guardrail(**rail))},
    ]  # fmt: skip
    digests = {Policy(**change).digest for change in changes}
    assert len(digests) == len(changes)
    assert all(len(digest) == 16 and set(digest) <= set("0123456789abcdef") for digest in digests)


@pytest.mark.parametrize(
    ("spelt", "otherwise"),
    [
        ({"promote_share": 1}, {"promote_share": 1.0}),
        ({"costs": {"a": {"b": 1}, "b": {"a": 2}}, "margin": 1, "rule": "primary", "primary": "cost"},
         {"costs": {"a": {"b": 1.0}, "b": {"a": 2.0}}, "margin": 1.0, "rule": "primary", "primary": "cost"}),
        ({"guardrails": [{"metric": "latency", "margin": 2}]}, {"guardrails": [{"metric": "latency", "margin": 2.0}]}),
    ],
)  # fmt: skip
def test_a_whole_number_is_a_number(spelt: Any, otherwise: Any) -> None:
    """2 and 2.0 are one policy, with one hash and one digest."""
    one, other = Policy.from_mapping(spelt), Policy.from_mapping(otherwise)
    assert one == other
    assert hash(one) == hash(other)
    assert one.digest == other.digest


@given(policy=policies())
def test_goes_through_json_unchanged(policy: Policy) -> None:
    """A policy read back from JSON is the same, and has the same digest."""
    adapter = TypeAdapter(Policy)
    again = adapter.validate_json(adapter.dump_json(policy))
    assert again == policy
    assert again.digest == policy.digest


ERRORS = ("rmse", "mae", "r2", "bias")


def test_the_default_of_a_regression() -> None:
    """Asked for by its decisive metric, a regression has its own four, and RMSE decides."""
    policy = Policy(primary="rmse")
    assert (policy.metrics, policy.primary, policy.decisive, policy.task) == (ERRORS, "rmse", "rmse", "regression")
    assert Policy(metrics=("rmse",)).primary == "rmse"
    assert Policy(rule="non-inferior", primary="mae", margin=2.5).metrics == ERRORS
    assert (Policy().decisive, Policy().task) == ("accuracy", "classification")


@pytest.mark.parametrize(
    ("values", "decisive"),
    [
        ({}, "accuracy"),
        ({"rule": "primary", "primary": "f1"}, "f1"),
        ({"rule": "share", "primary": "f1"}, "accuracy"),
        ({"rule": "primary", "primary": "mae"}, "mae"),
        ({"metrics": ("mae", "rmse")}, "rmse"),
        ({"rule": "non-inferior", "primary": "bias", "margin": 1}, "bias"),
    ],
)
def test_what_a_verdict_hangs_on_first(values: Any, decisive: str) -> None:
    """The share rule hangs on accuracy or RMSE whatever is primary, the other rules on their primary metric."""
    assert Policy(**values).decisive == decisive


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"metrics": ["rmse", "f1"]}, "metrics must be of one task, got rmse (regression) and f1 (classification). Hi"),
        ({"metrics": ["mae"]}, "metrics must contain rmse, on which the test is. Hint: add 'rmse' to metrics."),
        ({"metrics": ["own:loss"]}, "must contain accuracy, or rmse of a regression, on which the test is."),
        ({"metrics": ["rmse"], "method": "exact"}, "method is McNemar's, and means nothing in a regress"),
        ({"metrics": ["rmse"], "rule": "primary", "primary": "mae"}, "(rmse), got 'mae'. Hint: add it to metrics."),
        ({"metrics": ["rmse"], "rule": "primary", "primary": "accuracy"}, "(rmse), got 'accuracy'."),
        ({"rule": "non-inferior", "primary": "rmse"}, "may the challenger be? Hint: it is in the unit of RMSE."),
        ({"rule": "non-inferior", "primary": "r2", "margin": float("inf")}, "margin must be a number, got inf."),
        ({"metrics": ["rmse"], "costs": COSTS}, "metrics must be of one task, got rmse (regression) and cost (class"),
        ({"metrics": ["rmse"], "guardrails": [{"metric": "accuracy", "margin": 0.1}]}, "accuracy is not among the po"),
        (
            {"metrics": ["rmse"], "guardrails": [{"metric": "rows", "class": "*", "minimum": 9}]},
            "no metric of the policy has classes, so their rows are not counted.",
        ),
    ],
)  # fmt: skip
def test_refuses_what_makes_no_sense_of_a_regression(values: Any, told: str) -> None:
    """Metrics of two tasks, or a rule on a metric that is not among them, are told with the key and a hint."""
    with pytest.raises(PolicyError) as error:
        Policy.from_mapping(values, source="p.toml")
    assert str(error.value).startswith("p.toml")
    assert told in str(error.value)


def test_a_margin_of_an_error_is_in_its_unit() -> None:
    """A margin of any size is one of an error; what matters of a share is no matter of an error, nor the other way."""
    policy = Policy(rule="non-inferior", primary="mae", margin=250)
    assert (policy.margin, policy.margin_that_matters("rmse"), policy.margin_that_matters("r2")) == (250.0, 250.0, None)
    assert Policy(primary="rmse").margin_that_matters("rmse") is None
    assert Policy().margin_that_matters("accuracy") == 0.01


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"confidence": 0.9, "promote_share": 0.8, "reuse": "spend"},
        {"rule": "primary"},
        {"guardrails": (Guardrail(metric="rows", minimum=9), Guardrail(metric="size", margin=1.0))},
    ],
    ids=str,
)
def test_a_policy_without_metrics_of_its_own_fits_both_tasks(values: Any) -> None:
    """For a regression it has that one's metrics, and is otherwise as it was; for its own task it is itself."""
    policy = Policy(**values)
    assert policy.for_task("classification") is policy
    fitted = policy.for_task("regression")
    assert (fitted.task, fitted.metrics, fitted.primary) == ("regression", ERRORS, "rmse")
    assert replace(fitted, metrics=policy.metrics, primary="") == policy
    assert fitted.for_task("regression") is fitted


@pytest.mark.parametrize("rule", ["share", "non-inferior", "primary"])
def test_a_margin_is_never_read_in_another_unit(rule: Any) -> None:
    """A margin of accuracy is none of RMSE: the policy has to name the metric that it is of."""
    with pytest.raises(PolicyError, match=r"^The policy's margin is one of accuracy, and this is regression\."):
        Policy(rule=rule, margin=0.01).for_task("regression")


def test_a_guardrail_tells_the_task() -> None:
    """A guardrail on an error makes the policy one of a regression, with that one's metrics."""
    rails = [{"metric": "bias", "margin": 1.0}]
    assert Policy.from_mapping({"guardrails": rails}).metrics == ERRORS


@pytest.mark.parametrize(
    ("policy", "task"),
    [
        (Policy(metrics=("accuracy", "f1")), "regression"),
        (Policy(costs=COSTS), "regression"),
        (Policy(rule="primary", primary="f1"), "regression"),
        (Policy(guardrails=(Guardrail(metric="recall", margin=0.1),)), "regression"),
        (Policy(metrics=("accuracy", "own:loss")), "regression"),
        (Policy(primary="rmse"), "classification"),
        (Policy(metrics=("rmse", "own:loss")), "classification"),
    ],
)
def test_a_policy_of_one_task_is_none_of_the_other(policy: Policy, task: Any) -> None:
    """One that names metrics is refused for the other task, with metrics that would do: these are a policy of it."""
    with pytest.raises(PolicyError) as error:
        policy.for_task(task)
    assert error.value.message.endswith(f"are of {policy.task}, and this is {task}.")
    hinted = tomllib.loads(known(error.value.hint))
    assert Policy.from_mapping(hinted).task == task
