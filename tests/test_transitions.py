"""Plans move what a model uses and nothing else, can be taken back, and lead where they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, RefusedError
from abtest.registry import ModelVersion
from abtest.transitions import (
    Plan,
    Standing,
    Transition,
    deletion,
    into_production,
    into_stage,
    migration,
    onto_alias,
    out_of_use,
)

STAGES = st.sampled_from([None, "Staging", "Production", "Archived"])


def version(number: int, stage: str | None = None, *aliases: str) -> ModelVersion:
    """A version of one model."""
    return ModelVersion(name="m", version=number, run_id=None, stage=stage, aliases=tuple(sorted(aliases)))


def applied(versions: list[ModelVersion], steps: Plan) -> list[ModelVersion]:
    """What a registry would hold after the steps: the oracle, which moves one thing at a time."""
    stage = {v.version: v.stage for v in versions}
    alias = {name: v.version for v in versions for name in v.aliases}
    for step in steps:
        if step.kind == "stage" and step.version is not None:
            stage[step.version] = None if step.name == "None" else step.name
        elif step.kind == "deletion" and step.version is not None:
            del stage[step.version]
            alias = {name: on for name, on in alias.items() if on != step.version}
        elif step.version is None:
            alias.pop(step.name, None)
        else:
            alias[step.name] = step.version
    return [version(n, s, *(name for name, on in alias.items() if on == n)) for n, s in stage.items()]


@st.composite
def registries(draw: st.DrawFn) -> list[ModelVersion]:
    """Two to five versions in any stages, with the two aliases anywhere or nowhere."""
    count = draw(st.integers(2, 5))
    holders = {alias: draw(st.sampled_from([None, *range(1, count + 1)])) for alias in ("champion", "challenger")}
    return [version(n, draw(STAGES), *(a for a, on in holders.items() if on == n)) for n in range(1, count + 1)]


@st.composite
def planned(draw: st.DrawFn) -> tuple[list[ModelVersion], Plan]:
    """A registry and any plan that may be made of it."""
    versions = draw(registries())
    number = draw(st.integers(1, len(versions)))
    makers = [
        lambda: into_production(number, versions, archive=draw(st.booleans())),
        lambda: into_stage(number, draw(st.sampled_from(["Production", "Staging", "Archived", "None"])), versions),
        lambda: out_of_use(number, versions),
        lambda: onto_alias(number, draw(st.sampled_from(["champion", "challenger", "canary"])), versions),
        lambda: migration(versions)[0],
        lambda: deletion(number, versions),
    ]
    try:
        return versions, draw(st.sampled_from(makers))()
    except RefusedError:
        return versions, ()


@given(planned())
def test_a_plan_leads_where_it_says(it: tuple[list[ModelVersion], Plan]) -> None:
    """The standing predicted from a plan is that of a registry after it, and the plan then holds."""
    versions, steps = it
    after = applied(versions, steps)
    assert Standing.of(versions).after(steps) == Standing.of(after)
    assert all(step.holds_in(after) for step in steps)


@given(planned())
def test_every_step_fits_when_its_turn_comes(it: tuple[list[ModelVersion], Plan]) -> None:
    """Before each step the registry stands as the step says, and not yet as after it."""
    versions, steps = it
    for i, step in enumerate(steps):
        now = applied(versions, steps[:i])
        assert step.applies_in(now)
        assert not step.holds_in(now)


@given(planned())
def test_what_was_done_can_be_taken_back(it: tuple[list[ModelVersion], Plan]) -> None:
    """From wherever a plan was cut off, the inverse of what was made leads back, and each step of it fits."""
    versions, steps = it
    if any(step.kind == "deletion" for step in steps):
        return
    for cut in range(len(steps) + 1):
        now, back = applied(versions, steps[:cut]), tuple(step.inverse for step in reversed(steps[:cut]))
        for i, step in enumerate(back):
            assert step.applies_in(applied(now, back[:i]))
        assert applied(now, back) == versions
        assert all(step.inverse.inverse == step for step in steps)


@given(planned())
def test_survives_being_written(it: tuple[list[ModelVersion], Plan]) -> None:
    """Transitions and standings come back from plain data as they went in."""
    versions, steps = it
    assert all(Transition(**step.to_dict()) == step for step in steps)
    standing = Standing.of(versions)
    assert Standing.from_dict(standing.to_dict()) == standing


@given(registries(), st.integers(1, 5))
def test_production_is_never_empty_on_the_way(versions: list[ModelVersion], number: int) -> None:
    """Cut off after any step, a model that had something in production still has; at the end exactly this serves."""
    if number > len(versions):
        return
    steps = into_production(number, versions)
    for cut in range(len(steps) + 1):
        assert Standing.of(applied(versions, steps[:cut])).serving or not Standing.of(versions).serving
    after = applied(versions, steps)
    assert Standing.of(after).serving == (number,)
    assert into_production(number, after) == ()


@pytest.mark.parametrize(
    ("versions", "stage", "expected"),
    [
        ([version(1), version(2)], "Staging", ["version 2: stage None → Staging"]),
        ([version(1, None, "champion"), version(2)], "Staging", ["alias challenger: version none → 2"]),
        ([version(1, "Production"), version(2)], "Staging", ["version 2: stage None → Staging"]),
        ([version(1, None, "champion"), version(2)], "Production", ["alias champion: version 1 → 2"]),
        (
            [version(1, "Staging", "challenger"), version(2)],
            "Staging",
            [
                "version 2: stage None → Staging",
                "alias challenger: version 1 → 2",
                "version 1: stage Staging → Archived",
            ],
        ),
        ([version(1, "Production"), version(2, "Staging")], "Archived", ["version 2: stage Staging → Archived"]),
        ([version(1, None, "champion"), version(2, None, "challenger")], "Archived",
         ["alias challenger: removed from version 2"]),
        ([version(1, "Archived"), version(2, "Archived")], "Archived", []),
        ([version(1, "Production"), version(2, "Staging")], "None", ["version 2: stage Staging → None"]),
    ],
    ids=["new model: the stage", "aliases only: the alias", "stages only", "aliases only, production", "both",
         "archived", "archived with aliases only", "archived already", "out of any stage"],
)  # fmt: skip
def test_a_stage_is_entered_by_what_the_model_uses(
    versions: list[ModelVersion], stage: str, expected: list[str]
) -> None:
    """Stage and alias move together, each only where the model uses it."""
    assert [str(step) for step in into_stage(2, stage, versions)] == expected


def test_archiving_what_is_there_can_be_left_out() -> None:
    """Without archiving, two versions share the stage."""
    steps = into_production(2, [version(1, "Production"), version(2)], archive=False)
    assert [str(step) for step in steps] == ["version 2: stage None → Production"]


def test_production_is_not_emptied_by_staging() -> None:
    """What serves does not leave production for Staging, by stage or by alias."""
    for one in (version(1, "Production"), version(1, None, "champion")):
        with pytest.raises(RefusedError, match="nothing would be there if it moved to Staging"):
            into_stage(1, "Staging", [one, version(2)])


@pytest.mark.parametrize(
    ("one", "told"),
    [(version(1, "Production"), "is in Production"), (version(1, None, "canary"), "has the alias 'canary'")],
    ids=["in Production", "aliased"],
)
def test_what_is_used_is_not_deleted(one: ModelVersion, told: str) -> None:
    """A version in Production, or on any alias, is not deleted."""
    with pytest.raises(RefusedError, match=told):
        deletion(1, [one])


def test_a_deletion_cannot_be_taken_back() -> None:
    """The inverse of a deletion is refused."""
    (step,) = deletion(1, [version(1, "Staging"), version(2)])
    assert str(step) == "version 1: deleted"
    with pytest.raises(RefusedError, match="cannot be undone"):
        step.inverse  # noqa: B018 - asking is the test


def test_migration_says_what_it_leaves() -> None:
    """Each staged version gets its alias, once; where that is not clear it is left, and said."""
    clear = [version(1, "Production"), version(2, "Staging"), version(3, "Archived")]
    steps, left = migration(clear)
    assert ([str(s) for s in steps], left) == (
        ["alias champion: version none → 1", "alias challenger: version none → 2"],
        (),
    )
    assert migration(applied(clear, steps)) == ((), ())
    steps, left = migration([version(1, "Production"), version(2, "Production"), version(3, "Staging"),
                             version(4, None, "challenger")])  # fmt: skip
    assert steps == ()
    assert left == (
        "versions 1, 2 are all in Production: archive all but one",
        "version 3 is in Staging, but the alias 'challenger' is on version 4",
    )


def test_a_version_that_is_not_there() -> None:
    """A version that is not there is refused."""
    with pytest.raises(InvalidInputError, match="There is no version 9"):
        into_production(9, [version(1)])


def test_a_standing_in_words() -> None:
    """A standing names each role that is held."""
    assert str(Standing(production=(1, 2), staging=(3,), champion=2)) == (
        "version 1 in Production, version 2 in Production, version 3 in Staging, champion on version 2"
    )
    assert str(Standing()) == "nothing in production or staging"
