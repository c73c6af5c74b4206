"""A guardrail holds only what means something, however it came: from Python, from TOML, from a record."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from abtest.errors import InvalidInputError, PolicyError
from abtest.guardrail import MODES, Guardrail, is_number
from abtest.policy import Policy
from tests.decision import COSTS, guardrails


def read(text: str) -> Guardrail:
    """Read one guardrail as it stands in a policy file."""
    (rail,) = Policy.from_mapping(tomllib.loads(f"[[guardrails]]\n{text}"), source="p.toml").guardrails
    return rail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('metric = "accuracy"\nmargin = 0.02', Guardrail(metric="accuracy", margin=0.02, mode="proved-not-worse")),
        ('metric = "f1_score"\nmode = "not-proved-worse"', Guardrail(metric="f1", margin=0, mode="not-proved-worse")),
        ('metric = "recall"\nclass = "fraud"\nmargin = 0.02', Guardrail(metric="recall", class_="fraud", margin=0.02)),
        ('metric = "recall"\nclass = 3\nmargin = 0.02', Guardrail(metric="recall", class_=3, margin=0.02)),
        ('metric = "recall"\nclass = true\nmargin = 0.02', Guardrail(metric="recall", class_=True, margin=0.02)),
        ('metric = "f1"\nclass = "größer ✓"\nmargin = 0.1', Guardrail(metric="f1", class_="größer ✓", margin=0.1)),
        ('metric = "f1"\nsegment = "région=É"\nmargin = 0.1', Guardrail(metric="f1", segment="région=É", margin=0.1)),
        ('metric = "rows"\nminimum = 500', Guardrail(metric="rows", minimum=500, severity="block")),
        ('metric = "latency"\nmargin = 2', Guardrail(metric="latency", margin=2.0, severity="warn")),
        ('metric = "latency"\nmargin = 0\nseverity = "block"', Guardrail(metric="latency", margin=0, severity="block")),
        ('metric = "size"\nmargin = 0.5', Guardrail(metric="size", margin=0.5, severity="block")),
        ('metric = "error_rate"\nmargin = 0', Guardrail(metric="error_rate", margin=0, severity="block")),
        ('metric = "f1"\nmargin = 0.01\nmode = "improved"', Guardrail(metric="f1", margin=0.01, mode="improved")),
    ],
)  # fmt: skip
def test_reads_toml(text: str, expected: Guardrail) -> None:
    """A table of TOML is the guardrail that Python writes, its defaults filled in."""
    found = read(text)
    assert found == expected
    assert type(found.class_) is type(expected.class_)
    assert found.severity is not None


QUALITY = {"metric": "recall", "margin": 0.02}
ROWS = {"metric": "rows", "minimum": 10}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "a guardrail needs a metric. Hint: metric = \"recall\""),
        ("recall", "a guardrail must be a table, got 'recall'. Hint: write [[policy.guardrails]]."),
        ({"metric": "recal", "margin": 0.1}, "metric must be among accuracy, precision, "),
        ({"metric": "recal", "margin": 0.1}, "got 'recal'. Hint: did you mean 'recall'?"),
        ({"metric": "latncy", "margin": 0.1}, "Hint: did you mean 'latency'?"),
        ({"metric": 3, "margin": 0.1}, "got 3."),
        ({"metric": ["recall"], "margin": 0.1}, "got ['recall']."),
        ({**QUALITY, "margn": 1}, "unknown key 'margn'; known are metric, class, segment, margin, mode, severity, min"),
        ({**QUALITY, "margn": 1}, "Hint: did you mean 'margin'?"),
        ({**QUALITY, "class_": "a"}, "unknown key 'class_'"),
        ({**QUALITY, "class_": "a"}, "Hint: did you mean 'class'?"),
        ({**QUALITY, "mode": "proved_not_worse"}, "mode must be one of proved-not-worse, not-proved-worse, improved,"),
        ({**QUALITY, "mode": "proved_not_worse"}, "Hint: did you mean 'proved-not-worse'?"),
        ({**QUALITY, "mode": ["improved"]}, "mode must be one of"),
        ({**QUALITY, "severity": "wran"}, "severity must be one of block, warn, got 'wran'. Hint: did you mean 'warn'"),
        ({**QUALITY, "class": ["a"]}, "class must be text, a number, true or false, got ['a']. Hint: class = "),
        ({**QUALITY, "class": float("nan")}, "class must be text, a number, true or false, got nan."),
        ({**QUALITY, "segment": 3}, "segment must be 'column' or 'column=value', got 3."),
        ({**QUALITY, "segment": ""}, "segment must be 'column' or 'column=value', got ''."),
        ({**QUALITY, "segment": "=EU"}, "segment must be 'column' or 'column=value', got '=EU'."),
        ({**QUALITY, "segment": "region="}, "segment must be 'column' or 'column=value', got 'region='."),
        ({**QUALITY, "segment": "region", "class": "a"}, "class and segment cannot be joined in one guardrail."),
        ({"metric": "accuracy", "class": "a", "margin": 0.1}, "accuracy has no class. Hint: the accuracy on a class's"),
        ({"metric": "error_rate", "margin": 1}, "margin must be below 1, got 1. Hint: 0.01 is 1 points."),
        ({"metric": "error_rate"}, "a guardrail on error_rate needs a margin."),
        ({"metric": "error_rate", "class": "a", "margin": 0.1}, "error_rate is measured over all rows: it has no "),
        ({"metric": "latency", "class": "a", "margin": 0.1}, "latency is measured over all rows: it has no class or s"),
        ({"metric": "size", "segment": "a", "margin": 0.1}, "size is measured over all rows: it has no class or segme"),
        ({"metric": "size", "mode": "improved", "margin": 0.1}, "mode means nothing for size, which is held to its ma"),
        ({"metric": "recall"}, "a guardrail on recall needs a margin. Hint: margin = 0.02"),
        ({"metric": "recall", "mode": "improved"}, "a guardrail on recall needs a margin."),
        ({"metric": "latency"}, "a guardrail on latency needs a margin."),
        ({"metric": "recall", "margin": "2 %"}, "margin must be a number, got '2 %'. Hint: margin = 0.02"),
        ({"metric": "recall", "margin": True}, "margin must be a number, got True."),
        ({"metric": "recall", "margin": float("inf")}, "margin must be a number, got inf."),
        ({"metric": "recall", "margin": 10**400}, "margin must be a number, got 1000"),
        ({"metric": "recall", "margin": -0.02}, "margin must be at least 0, got -0.02. Hint: write the harm tolerated"),
        ({"metric": "recall", "margin": 0}, "margin must be above 0 for proved-not-worse: no data can prove that"),
        ({"metric": "recall", "margin": 0.0, "mode": "improved"}, "margin must be above 0 for improved: it would ask"),
        ({"metric": "recall", "margin": 2}, "margin must be below 1, got 2. Hint: 0.02 is 2 points."),
        ({**QUALITY, "minimum": 3}, "minimum is for rows; recall has a margin. Hint: margin = 0.02"),
        ({"metric": "rows"}, "minimum must be a whole number of rows from 1, got None. Hint: minimum = 1000"),
        ({**ROWS, "minimum": 0}, "minimum must be a whole number of rows from 1, got 0."),
        ({**ROWS, "minimum": 10.5}, "minimum must be a whole number of rows from 1, got 10.5."),
        ({**ROWS, "minimum": True}, "minimum must be a whole number of rows from 1, got True."),
        ({**ROWS, "margin": 0.1}, "rows has a minimum, and neither margin nor mode. Hint: minimum = 1000"),
        ({**ROWS, "mode": "improved"}, "rows has a minimum, and neither margin nor mode."),
    ],
)  # fmt: skip
def test_refuses_what_means_nothing(values: Any, told: str) -> None:
    """Each is told in a sentence with key, rule and value; in a policy, with the file and which guardrail it is."""
    with pytest.raises(PolicyError) as error:
        Guardrail.from_mapping(values)
    assert told in str(error.value)
    with pytest.raises(PolicyError) as error:
        Policy.from_mapping({"guardrails": [QUALITY, values]}, source="p.toml")
    assert str(error.value).startswith("p.toml: guardrails[1]: ")
    assert told in str(error.value)


@given(rail=guardrails())
def test_goes_through_json_unchanged(rail: Guardrail) -> None:
    """What is written as JSON reads back as the same guardrail; a policy of it keeps its digest."""
    adapter = TypeAdapter(Guardrail)
    assert adapter.validate_json(adapter.dump_json(rail)) == rail
    policies = TypeAdapter(Policy)
    policy = Policy(guardrails=(rail,), costs=COSTS)
    again = policies.validate_json(policies.dump_json(policy))
    assert again == policy
    assert again.digest == policy.digest


def test_defaults() -> None:
    """Quality is to be proved, and blocks; latency warns; a loss that must not be proved needs no margin."""
    assert Guardrail(metric="recall", margin=0.1).mode == MODES[0] == "proved-not-worse"
    assert Guardrail(metric="recall", mode="not-proved-worse").margin == 0.0
    severities = {metric: Guardrail(metric=metric, margin=0.1).severity for metric in ("recall", "size", "latency")}
    assert severities == {"recall": "block", "size": "block", "latency": "warn"}
    assert Guardrail(metric="latency", margin=0.1).mode is None


@pytest.mark.parametrize(
    ("segment", "name", "value"),
    [
        ("region", "region", None),
        ("region=EU", "region", "EU"),
        (" region = EU ", "region", "EU"),
        ("a=b=c", "a", "b=c"),
        ("région*âge=É × 7", "région*âge", "É × 7"),
        (None, None, None),
    ],
)
def test_a_segment_is_a_column_and_a_value(segment: str | None, name: str | None, value: str | None) -> None:
    """The first equals sign parts them; spaces around either mean nothing."""
    rail = Guardrail(metric="f1", segment=segment, margin=0.1)
    assert (rail.segmentation, rail.segment_value) == (name, value)


@pytest.mark.parametrize("value", [0, -1, 2.5, 10**300])
def test_a_number_is_finite(value: object) -> None:
    """Numbers are numbers, and neither text, nor booleans, nor what no float holds."""
    assert is_number(value)
    assert not any(is_number(other) for other in (str(value), None, float("inf"), -float("inf"), 10**400, False))


def test_is_an_input_error() -> None:
    """Who catches invalid input catches a guardrail that is none."""
    with pytest.raises(InvalidInputError):
        Guardrail(metric="recall")
