"""A promotion moves what it must, once, and never on an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest import workflow
from abtest.errors import RefusedError
from abtest.promoter import check_verdict, plan
from abtest.registry import ModelVersion

if TYPE_CHECKING:
    from abtest.transitions import Transition

STAGES = st.sampled_from([None, "Staging", "Production", "Archived"])


def version(number: int, stage: str | None = None, *aliases: str) -> ModelVersion:
    """A version of one model."""
    return ModelVersion(name="m", version=number, run_id=None, stage=stage, aliases=aliases)


def applied(versions: list[ModelVersion], steps: tuple[Transition, ...]) -> list[ModelVersion]:
    """What a registry would hold after the steps."""
    state: dict[int, dict[str, Any]] = {v.version: {"stage": v.stage, "aliases": set(v.aliases)} for v in versions}
    for step in steps:
        if step.kind == "stage" and step.version is not None:
            state[step.version]["stage"] = step.name
            continue
        for entry in state.values():
            entry["aliases"].discard(step.name)
        if step.version is not None:
            state[step.version]["aliases"].add(step.name)
    return [version(n, e["stage"], *sorted(e["aliases"])) for n, e in state.items()]


@st.composite
def registries(draw: st.DrawFn) -> list[ModelVersion]:
    """Two to four versions in any stages, with the two aliases anywhere or nowhere."""
    count = draw(st.integers(2, 4))
    holders = {alias: draw(st.sampled_from([None, *range(1, count + 1)])) for alias in ("champion", "challenger")}
    return [
        version(n, draw(STAGES), *sorted(alias for alias, holder in holders.items() if holder == n))
        for n in range(1, count + 1)
    ]


def test_moves_stages_and_aliases_along() -> None:
    """Challenger to Production, champion archived, alias champion moved, alias challenger removed."""
    steps = plan(2, 1, [version(1, "Production", "champion"), version(2, "Staging", "challenger")])
    assert [str(step) for step in steps] == [
        "version 2: stage Staging → Production",
        "alias champion: version 1 → 2",
        "version 1: stage Production → Archived",
        "alias challenger: removed from version 2",
    ]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([version(1, "Production"), version(2, "Staging")], ["stage", "stage"]),
        ([version(1, None, "champion"), version(2, None, "challenger")], ["alias", "alias"]),
        ([version(1), version(2)], ["alias"]),
    ],
    ids=["stages only", "aliases only", "neither: the alias champion"],
)
def test_moves_only_what_the_model_uses(versions: list[ModelVersion], expected: list[str]) -> None:
    """A model without aliases gets none, a model without stages enters none."""
    assert [step.kind for step in plan(2, 1, versions)] == expected


def test_the_first_deployment_archives_nobody() -> None:
    """With the baseline for a champion the challenger enters Production and nothing leaves it."""
    assert [str(step) for step in plan(1, None, [version(1, "Staging")])] == ["version 1: stage Staging → Production"]


@pytest.mark.parametrize("champion", [1, None])
def test_refuses_where_another_version_serves(champion: int | None) -> None:
    """A version that was not compared is never pushed out of production."""
    versions = [version(1, "Archived"), version(2, "Staging"), version(3, "Production")]
    with pytest.raises(RefusedError, match="version 3 is in production"):
        plan(2, champion, versions)


@given(registries())
def test_applying_twice_equals_once(versions: list[ModelVersion]) -> None:
    """After a plan is applied there is nothing left to plan, and exactly the challenger serves."""
    try:
        steps = plan(2, 1, versions)
    except RefusedError:
        return
    after = applied(versions, steps)
    assert plan(2, 1, after) == ()
    serving = {v.version for v in after if v.stage == "Production" or "champion" in v.aliases}
    assert serving == {2}


@given(registries())
def test_something_serves_at_every_step(versions: list[ModelVersion]) -> None:
    """Cut off after any step, a model that had something in Production still has."""
    try:
        steps = plan(2, 1, versions)
    except RefusedError:
        return
    for cut in range(len(steps) + 1):
        before = [v for v in versions if v.stage == "Production"]
        after = [v for v in applied(versions, steps[:cut]) if v.stage == "Production"]
        assert after or not before


def test_only_promote_promotes() -> None:
    """No other verdict promotes; CONDITIONAL only where allowed, and never where accuracy did not rise."""
    same = workflow.compare_predictions([0, 1] * 20, [0, 1] * 20, [0, 1] * 20).record
    with pytest.raises(RefusedError, match="INSUFFICIENT_EVIDENCE"):
        check_verdict(same)
    with pytest.raises(RefusedError, match="INSUFFICIENT_EVIDENCE"):
        check_verdict(same, "conditional")
    better = workflow.compare_predictions([0, 1] * 20, [0, 0] * 20, [0, 1] * 20).record
    check_verdict(better)
    worse = workflow.compare_predictions([0, 1] * 20, [0, 1] * 20, [0, 0] * 20).record
    with pytest.raises(RefusedError, match="KEEP_CHAMPION"):
        check_verdict(worse, "conditional")


def test_conditional_with_accuracy_down_is_never_promoted() -> None:
    """Prevalence 5 %, recall .4 → .7 at more false alarms: better on other metrics, worse on accuracy, refused."""
    y = [1] * 100 + [0] * 1900
    champion = [1] * 40 + [0] * 60 + [1] * 200 + [0] * 1700
    challenger = [1] * 70 + [0] * 30 + [1] * 260 + [0] * 1640
    record = workflow.compare_predictions(y, champion, challenger).record
    assert (record.decision.verdict, record.evaluation.metric("accuracy").improved) == ("CONDITIONAL", False)
    with pytest.raises(RefusedError, match="accuracy did not rise"):
        check_verdict(record, "conditional")
