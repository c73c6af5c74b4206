"""A cleanup on real registries: nothing that is staged, has an alias or is in the history goes, nor its runs."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest import tracking
from abtest.books import cleaning
from abtest.books.cleaning import Wanted
from abtest.books.retention import Retention
from abtest.errors import BackendError, ModelNotFoundError
from abtest.lifecycle import Registry
from abtest.registry import RegistryClient
from abtest.trail import Trail
from tests import zoo

if TYPE_CHECKING:
    from abtest.books.retention import CleanupPlan

LATER = datetime.now(UTC) + timedelta(days=100)
ALL = Wanted(retention=Retention(keep=0))


def run(registry: RegistryClient, kind: str, *, model: str | None = "m", within: str | None = None, **tags: str) -> str:
    """Log a run of abtest's that has ended."""
    told = {"abtest.kind": kind, **({"abtest.model_name": model} if model else {}), **tags}
    told |= {"mlflow.parentRunId": within} if within else {}
    run_id = tracking.begin_run(registry.client, "books", kind, told)
    registry.client.set_terminated(run_id)
    return run_id


def stocked(registry: RegistryClient, count: int) -> dict[str, list[str]]:
    """Register so many versions of "m", each of a candidate of a training of its own and with a comparison."""
    registry.create_model("m")
    made: dict[str, list[str]] = {"training": [], "candidate": [], "comparison": []}
    for number in range(1, count + 1):
        made["training"].append(run(registry, "training"))
        made["candidate"].append(run(registry, "candidate", model=None, within=made["training"][-1]))
        registry.client.create_model_version("m", "/nowhere", run_id=made["candidate"][-1])
        made["comparison"].append(run(registry, "comparison"))
        registry.set_tags("m", number, {"abtest.comparison_run_id": made["comparison"][-1]})
    return made


def there(registry: RegistryClient) -> tuple[set[int], set[str]]:
    """Numbers of the versions and ids of the runs that are not deleted."""
    experiment = registry.client.get_experiment_by_name("books")
    runs = registry.client.search_runs([experiment.experiment_id]) if experiment else []
    return {it.version for it in registry.versions("m")}, {it.info.run_id for it in runs}


def named(plan: CleanupPlan) -> tuple[set[int], set[str]]:
    """Numbers of the versions and ids of the runs that would go."""
    return (
        {it.version for it in plan.going if it.version is not None},
        {run_id for it in plan.going for run_id in it.run_ids},
    )


MOVES = st.lists(
    st.tuples(st.sampled_from(["promote", "stage", "alias", "archive"]), st.integers(1, 3)), max_size=3
)  # fmt: skip


@settings(max_examples=5)
@given(
    MOVES,
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, 0, 50, 200]),
    st.sampled_from(["both", "versions", "runs"]),
)
def test_never_what_is_in_use(
    templates: Path, moves: list[tuple[str, int]], keep: int | None, days: int | None, which: str
) -> None:
    """Whatever was moved and asked for: what is in use stays, the plan is what is done, and is done once."""
    if keep is None and days is None:
        keep = 0
    with tempfile.TemporaryDirectory() as folder:
        registry = RegistryClient(zoo.copy(templates / "empty.db", Path(folder)))
        books, made = Registry(registry.tracking_uri), stocked(registry, 3)
        for what, number in moves:
            if what == "promote":
                books.promote("m", number)
            elif what == "stage":
                registry.set_stage("m", number, "Staging")
            elif what == "alias":
                registry.set_alias("m", f"of-{number}", number)
            elif number not in books.serving("m"):
                books.archive("m", number)
        in_history = {n for entry in books.history("m").entries for n in entry.standing.serving}
        moved = {it.version for it in Trail(registry, "m").read() if it.kind != "archiving"}
        held = {it.version for it in registry.versions("m") if it.stage in ("Production", "Staging") or it.aliases}
        precious = held | in_history | moved
        retention = Retention(keep=keep, older_than=None if days is None else timedelta(days=days))
        wanted = Wanted(retention=retention, versions=which != "runs", runs=which != "versions")
        before = there(registry)
        plan = cleaning.plan(registry, wanted, now=LATER)
        assert there(registry) == before
        done = cleaning.clean(registry, plan)
        versions, runs = there(registry)
        assert (done.failed, done.spared, done.deleted) == (None, (), plan.going)
        assert (before[0] - versions, before[1] - runs) == named(plan)
        assert precious <= versions
        stands_on = [made[kind][number - 1] for kind in made for number in versions]
        assert set(stands_on) <= runs
        assert cleaning.plan(registry, wanted, now=LATER).going == ()


def test_what_nothing_stands_on_goes(registry: RegistryClient) -> None:
    """Of three versions the unused go with their trainings, comparisons and other runs; what is kept says why."""
    made = stocked(registry, 3)
    Registry(registry.tracking_uri).promote("m", 2)
    loose = [run(registry, kind) for kind in ("monitoring", "prediction", "comparisons")]
    compared = run(registry, "comparison")
    others = [compared, run(registry, "mine"), run(registry, "retraining", **{"abtest.comparison_run_id": compared})]
    plan = cleaning.plan(registry, ALL)
    assert named(plan) == ({1, 3}, {made[kind][i] for kind in made for i in (0, 2)} | set(loose))
    (kept,) = [it for it in plan.staying if it.kind == "version"]
    assert (kept.version, kept.reason) == (2, "has the alias champion")
    assert ("run", "is in use", 3) in plan.reasons()
    kinds = [it.kind for it in plan.going]
    assert kinds == sorted(kinds, reverse=True)  # versions go before the runs that they stand on
    trainings = [it for it in plan.going if len(it.run_ids) > 1]
    assert [it.run_ids for it in trainings] == [(made["candidate"][i], made["training"][i]) for i in (0, 2)]
    cleaning.clean(registry, plan)
    assert there(registry)[1] == {made[kind][1] for kind in made} | set(others)
    assert len(cleaning.plan(registry, ALL).deleted) == len(named(plan)[1])


def test_what_is_staged_or_referred_to_since_the_plan_stays(registry: RegistryClient) -> None:
    """A plan is not trusted: each thing is looked at again, and what it would have taken along stays too."""
    made = stocked(registry, 3)
    free = run(registry, "comparison")
    plan = cleaning.plan(registry, ALL)
    assert named(plan)[0] == {1, 2, 3}
    registry.set_stage("m", 1, "Staging")
    registry.set_alias("m", "canary", 2)
    registry.set_tags("m", 1, {"abtest.comparison_run_id": free})
    done = cleaning.clean(registry, plan)
    versions, runs = there(registry)
    assert versions == {1, 2}
    assert {free, *(made[kind][i] for kind in ("training", "candidate") for i in (0, 1))} <= runs
    assert {made[kind][2] for kind in made} & runs == set()
    spared = {it.what: it.because for it in done.spared}
    assert spared["version 1 of 'm'"] == ("is in Staging",)
    assert spared["version 2 of 'm'"] == ("has the alias canary",)


def test_another_move_of_the_model_holds_its_versions(registry: RegistryClient) -> None:
    """While a move is not settled the model's versions are left alone, and the rest goes on."""
    stocked(registry, 2)
    plan = cleaning.plan(registry, ALL)
    Registry(registry.tracking_uri).promote("m", 2, require_approval=True)
    done = cleaning.clean(registry, plan)
    assert 2 in there(registry)[0]
    assert done.failed is None


def test_what_a_retraining_goes_on_with_stays(registry: RegistryClient) -> None:
    """A version that a retraining has registered and not compared yet is left alone until it has ended."""
    stocked(registry, 1)
    going_on = run(registry, "retraining", **{"abtest.version": "1", "abtest.outcome": "pending"})
    assert named(cleaning.plan(registry, ALL))[0] == set()
    registry.client.set_tag(going_on, "abtest.outcome", "kept")
    assert named(cleaning.plan(registry, ALL))[0] == {1}


def test_stops_where_mlflow_fails(registry: RegistryClient) -> None:
    """Where the database goes away it stops, and says what was done and what was not come to."""
    stocked(registry, 1)
    plan = cleaning.plan(registry, ALL)
    Path(registry.tracking_uri.removeprefix("sqlite:///")).write_bytes(b"no database any more")
    done = cleaning.clean(registry, plan)
    assert done.deleted == ()
    assert done.left == plan.going
    assert done.failed is not None
    assert done.failed.startswith("Version 1 of 'm' could not be deleted: ")


def test_an_unreadable_record_frees_nothing(registry: RegistryClient) -> None:
    """Where the trail cannot be read, nobody knows what is in the history: an error, and nothing is planned."""
    stocked(registry, 2)
    Registry(registry.tracking_uri).promote("m", 1)
    (record,) = Trail(registry, "m").read()
    registry.client.delete_tag(record.run_id, "abtest.movement")
    with pytest.raises(BackendError, match="cannot be read"):
        cleaning.plan(registry, ALL)


def test_one_model_and_what_is_about_it(registry: RegistryClient) -> None:
    """Another model's runs are left alone, and so is a run that goes on; a model there is none of is an error."""
    stocked(registry, 1)
    other = run(registry, "comparison", model="other")
    going_on = tracking.begin_run(
        registry.client, "books", "going on", {"abtest.kind": "training", "abtest.model_name": "m"}
    )
    plan = cleaning.plan(registry, Wanted(retention=Retention(keep=0), model="m"))
    assert not {other, going_on} & named(plan)[1]
    assert ("run", "is under way", 1) in plan.reasons()
    assert named(cleaning.plan(registry, Wanted(retention=Retention(keep=0), model="other"))) == (set(), {other})
    with pytest.raises(ModelNotFoundError, match="No registered model 'nobody'"):
        cleaning.plan(registry, Wanted(retention=Retention(keep=0), model="nobody"))
