"""Numbers are written one way everywhere, and no secret is ever shown."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest import wording


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wording.percent(0.12345), "12.3 %"),
        (wording.percent(1.0), "100.0 %"),
        (wording.percent(-0.0), "0.0 %"),
        (wording.percent(None), "–"),
        (wording.points(0.021), "+2.1 points"),
        (wording.points(-0.021), "−2.1 points"),
        (wording.points(0.0), "0.0 points"),
        (wording.points(0.0002), "+0.02 points"),
        (wording.points(-1e-9), "0.00 points"),
        (wording.points(None), "–"),
        (wording.points(0.1, unit=""), "+10.0"),
        (wording.pvalue(0.05), "p = 0.050"),
        (wording.pvalue(0.001), "p = 0.001"),
        (wording.pvalue(0.00099), "p < 0.001"),
        (wording.pvalue(0.0), "p < 0.001"),
        (wording.pvalue(1.0, name="q"), "q = 1.000"),
        (wording.pvalue(None), "–"),
        (wording.whole(1234567), "1,234,567"),
        (wording.plural(0, "row"), "0 rows"),
        (wording.plural(1, "class", "classes"), "1 class"),
        (wording.signed(float("inf")), "+inf"),
    ],
)
def test_spellings(written: str, expected: str) -> None:
    """Percentages to one decimal, points with a sign, p-values to three decimals, thousands separated."""
    assert written == expected


@given(st.floats(-1, 1))
def test_a_sign_means_a_difference(effect: float) -> None:
    """The sign written is the effect's own, and what is written as zero has none."""
    text = wording.points(effect)
    if re.fullmatch(r"0\.0+ points", text):
        assert abs(effect) < 0.0005
    else:
        assert text[0] == ("+" if effect > 0 else "−")
        assert not math.isclose(effect, 0, abs_tol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:hunter2@db/mlflow",
        "https://me:hunter2@host:5000/path?x=1",
        "sqlite:///a.db?password=hunter2",
        "abtest compare --tracking-uri postgresql+psycopg2://me:hunter2@db/m --seed 1",
        "https://host/?api_key=hunter2&sig=hunter2",
        "AWS_SECRET_ACCESS_KEY=hunter2",
        "postgresql://me:hunter2/hunter2@db/mlflow",
        "postgresql://me:hunter2@hunter2@db/mlflow",
        "s3://AKIA:hunter2@bucket/model",
        "https://host/?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2",
    ],
)
def test_hides_secrets(text: str) -> None:
    """Passwords, tokens and keys are hidden wherever a URI or a command is shown."""
    shown = wording.redacted(text)
    assert "hunter2" not in shown
    assert "***" in shown
    assert wording.redacted(shown) == shown


def test_leaves_the_rest_alone() -> None:
    """A URI or a path without secrets is shown as it is."""
    for text in ("sqlite:////tmp/mlflow.db", "models:/iris@champion", "http://host:5000", "a@b.c"):
        assert wording.redacted(text) == text


def test_quotes_foreign_errors_in_one_line() -> None:
    """Of a foreign error one line is quoted, without its full stop, its array, or its passwords."""
    assert wording.first_line(ValueError("bad value.\n[[1 2 3]]")) == "bad value"
    assert wording.first_line(KeyError()) == "KeyError"
    assert wording.first_line(OSError("no such://me:hunter2@host")) == "no such://***@host"
    assert len(wording.first_line(ValueError("x" * 100_000))) < 310
