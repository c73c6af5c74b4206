"""Several comparisons as one record: which challenger is best, what is the verdict of all, and reading it again."""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import cochrans_q

from abtest.decision import Verdict
from abtest.errors import InvalidInputError
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.record import SCHEMA_FILE, ComparisonRecord, ComparisonsRecord, best_of
from tests.examples import measured, record
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Sequence

RIGHT = np.random.default_rng(0).random((120, 4)) < [0.6, 0.8, 0.9, 0.55]
Y = np.arange(120) % 2
SAID = np.where(RIGHT.T, Y, 1 - Y)
MAY = (Verdict.PROMOTE, Verdict.CONDITIONAL)


def of_classes() -> list[ComparisonRecord]:
    """Three challengers beside one champion."""
    found = [record(Y.tolist(), SAID[0].tolist(), said.tolist()) for said in SAID[1:]]
    return [
        replace(one, challenger=replace(one.challenger, version=2 + i), created_at=datetime(2026, 1, 2, tzinfo=UTC))
        for i, one in enumerate(found)
    ]


CLASSES = of_classes()


def together(records: Sequence[ComparisonRecord], **options: Any) -> ComparisonsRecord:
    """Put them on one record, any two of the challengers tallied."""
    between = {
        (i, j): PairedOutcomes.from_predictions(Y, SAID[1 + i], SAID[1 + j]).contingency()
        for i, j in itertools.combinations(range(len(records)), 2)
        if "between" not in options
    }
    given = {
        "confidence": 0.95,
        "adjustment": "holm",
        "between": between,
        "method": "mid-p",
        "best": best_of(records),
        **options,
    }
    return ComparisonsRecord.of(records, **given)


def decided(verdict: Verdict, improvement: float | None) -> ComparisonRecord:
    """A record with this verdict, and this improvement of accuracy; None where accuracy was not computed."""
    one = CLASSES[0]
    others = tuple(row for row in one.metrics if row.metric != "accuracy")
    rows = others
    if improvement is not None:
        rows = (replace(one.metrics[0], effect=improvement, improvement=improvement), *others)
    return replace(one, metrics=rows, decision=replace(one.decision, verdict=verdict))


GAINS = st.sampled_from([None, -0.1, 0.0, 0.05, 0.1, 0.2])
FOUND = st.lists(st.tuples(st.sampled_from(list(Verdict)), GAINS), min_size=1, max_size=6)


@given(found=FOUND)
def test_the_best_is_the_first_of_the_most_improved(found: list[tuple[Verdict, float | None]]) -> None:
    """PROMOTE comes before CONDITIONAL; then the greatest improvement, then the first of equals."""
    best, gains = best_of([decided(*one) for one in found]), [-np.inf if gain is None else gain for _, gain in found]
    order = sorted(
        (i for i, (verdict, _) in enumerate(found) if verdict in MAY),
        key=lambda i: (MAY.index(found[i][0]), -gains[i], i),
    )
    assert best == (order[0] if order else None)


@given(found=FOUND, locked=st.booleans())
def test_no_verdict_without_a_best_passes_a_gate(found: list[tuple[Verdict, float | None]], *, locked: bool) -> None:
    """The verdict of all is that of the best; where there is none, it lets no challenger serve."""
    records = [decided(*one) for one in found]
    best = None if locked else best_of(records)
    whole = together(records, between={}, best=best)
    if best is not None:
        assert whole.verdict is found[best][0]
        assert whole.recommended == records[best]
        return
    assert whole.recommended is None
    promising = any(verdict is not Verdict.KEEP_CHAMPION for verdict, _ in found)
    assert whole.verdict is (Verdict.INSUFFICIENT_EVIDENCE if promising else Verdict.KEEP_CHAMPION)


def test_improvement_is_of_what_decides() -> None:
    """Under a rule of one metric it is that metric's improvement that ranks; of an error, less is more."""
    policy = Policy(rule="primary", primary="f1")
    ranked = [
        replace(
            one,
            settings=replace(one.settings, policy=policy),
            decision=replace(one.decision, verdict=Verdict.PROMOTE),
            metrics=tuple(replace(row, improvement=gain) if row.metric == "f1" else row for row in one.metrics),
        )
        for one, gain in zip(CLASSES, (0.1, 0.3, 0.2), strict=True)
    ]
    assert best_of(ranked) == 1
    errors = [measured(300, challenger=challenger, segments=False) for challenger in (50.0, 40.0, 45.0)]
    assert {one.decision.verdict for one in errors} == {Verdict.PROMOTE}
    assert best_of(errors) == int(np.argmin([one.evaluation.metric("rmse").challenger for one in errors])) == 1


def test_cochran_is_of_all_models() -> None:
    """Champion and challengers are in Cochran's Q, each pair once."""
    whole = together(CLASSES)
    theirs = cochrans_q(RIGHT.astype(int))
    assert known(whole.cochran).statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert known(whole.cochran).degrees_of_freedom == 3
    assert [(it.first, it.second) for it in whole.between] == [(0, 1), (0, 2), (1, 2)]
    assert together(CLASSES, between={}).cochran is None


def test_what_is_of_all_is_of_the_first() -> None:
    """Champion, rows, model and task are those that all have in common; the name tells how many there are."""
    whole = together(CLASSES)
    first = CLASSES[0]
    assert (whole.champion, whole.data, whole.model_name, whole.task) == (
        first.champion, first.data, first.model_name, first.task,
    )  # fmt: skip
    assert whole.name == f"{first.name}-and-2-more"
    assert together(CLASSES[:1], between={}).name == first.name
    assert whole.created_at.microsecond == 0
    assert whole.created_at.tzinfo is not None


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_goes_through_json_unchanged(task: str) -> None:
    """``from_dict(to_dict(x)) == x`` with the reader's numbers, and the shipped schema admits it."""
    if task == "classification":
        whole = together(CLASSES)
    else:
        errors = [measured(100, challenger=challenger) for challenger in (50.0, 70.0)]
        whole = together(errors, adjustment="bonferroni", between={}, method="exact", best=None)
    data = json.loads(whole.to_json())
    assert data == whole.to_dict()
    assert ComparisonsRecord.from_dict(data) == whole
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    assert list(data)[:2] == ["schema_version", "created_at"]
    for inner, one in zip(data["comparisons"], whole.comparisons, strict=True):
        assert ComparisonRecord.from_dict(inner) == one


def broken(**values: Any) -> dict[str, Any]:
    """A record with values that it cannot have, by the path to them."""
    data = copy.deepcopy(together(CLASSES).to_dict())
    for path, value in values.items():
        *way, last = path.split("__")
        place: Any = data
        for step in way:
            place = place[int(step) if step.isdecimal() else step]
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "schema_version must be 1.0, got None."),
        ([], "schema_version must be 1.0, got None."),
        (CLASSES[0].to_dict(), "The comparisons's "),
        (broken(schema_version="2.0"), "schema_version must be 1.0, got '2.0'."),
        (broken(verdict="MAYBE"), "verdict cannot be read"),
        (broken(best="first"), "best cannot be read"),
        (broken(adjustment="none"), "adjustment cannot be read"),
        (broken(more=1), "more cannot be read"),
        (broken(comparisons__1__decision__verdict="MAYBE"), "comparisons.1.decision.verdict cannot be read"),
        (broken(comparisons__0__metrics__0__effect=float("nan")), "comparisons.0.metrics.0.effect cannot be read"),
    ],
    ids=["none", "list", "single", "version", "verdict", "best", "adjustment", "more", "inner", "nan"],
)  # fmt: skip
def test_what_is_no_record_is_refused(data: Any, told: str) -> None:
    """Another version, another shape or a value that is none is refused, and the first such field is named."""
    with pytest.raises(InvalidInputError) as error:
        ComparisonsRecord.from_dict(data)
    assert told in str(error.value)
