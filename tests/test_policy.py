"""A policy holds only what makes sense together, and is named by its content."""

from __future__ import annotations

from typing import Any

import pytest

from abtest.errors import PolicyError
from abtest.policy import Policy


def test_the_default() -> None:
    """By default: 95 %, mid-p, accuracy, precision, recall, F1, and three quarters of them."""
    policy = Policy()
    assert (policy.confidence, policy.alpha, policy.method) == (0.95, 0.05, "mid-p")
    assert policy.metrics == ("accuracy", "precision", "recall", "f1")
    assert (policy.promote_share, policy.conditional_share) == (0.75, 0.5)
    assert Policy.from_mapping({}) == policy


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"confidence": 95}, "confidence must be in (0, 1), got 95. Hint: 0.95 means 95 %."),
        ({"confidence": 0}, "confidence must be in (0, 1), got 0."),
        ({"confidence": 1.0}, "confidence must be in (0, 1), got 1."),
        ({"confidence": -0.5}, "confidence must be in (0, 1), got -0.5."),
        ({"confidence": float("nan")}, "confidence must be in (0, 1), got nan."),
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
        ({"promote_shere": 1}, "unknown key 'promote_shere'; known are rule, confidence"),
        ({"promote_shere": 1}, "did you mean 'promote_share'?"),
        ([], "must be a table, got []."),
    ],
)
def test_refuses_what_makes_no_sense(values: Any, told: str) -> None:
    """A value out of range, or keys that contradict each other, are told with key, rule and value, and the file."""
    with pytest.raises(PolicyError) as error:
        Policy.from_mapping(values, source="p.toml")
    assert str(error.value).startswith("p.toml")
    assert told in str(error.value)


def test_the_digest_is_of_the_content() -> None:
    """Equal policies have one digest, however they are spelt; any change has another."""
    assert Policy().digest == Policy.from_mapping({"metrics": ["accuracy", "precision", "recall", "f1_score"]}).digest
    digests = {
        Policy(**change).digest
        for change in ({}, {"confidence": 0.9}, {"method": "exact"}, {"metrics": ("accuracy",)}, {"promote_share": 0.8})
    }
    assert len(digests) == 5
    assert all(len(digest) == 16 and set(digest) <= set("0123456789abcdef") for digest in digests)
