"""What serves is moved last, by the verdict alone; what went before is on record, and is gone on with."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from abtest import tracking
from abtest.errors import AbtestError, InvalidInputError, ModelNotFoundError
from abtest.lifecycle import Registry
from abtest.loaders.references import BASELINE
from abtest.policy import Policy
from abtest.registry import Reference
from abtest.retraining import Audit, retrain
from abtest.retraining.audit import RUN
from abtest.retraining.honest import seen_by_champion
from abtest.retraining.request import champion_of
from abtest.trail import Outcome, Trail
from abtest.trail.process import UNDER_WAY
from tests import trails, zoo
from tests.retraining import examples
from tests.retraining.examples import request

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

UNMEASURED = Policy.from_mapping({"guardrails": [{"metric": "accuracy", "segment": "shop", "margin": 0.1}]})


def serving(registry: RegistryClient) -> tuple[int, ...]:
    """Versions of fruit in production."""
    return Registry(registry.tracking_uri).serving("fruit")


def runs(registry: RegistryClient) -> int:
    """How many runs there are of fruit."""
    found = registry.client.get_experiment_by_name("abtest/fruit")
    assert found is not None
    return len(registry.client.search_runs([found.experiment_id]))


def counted(frame: pd.DataFrame) -> Counter[tuple[object, ...]]:
    """How often each row occurs."""
    return Counter(frame.itertuples(index=False, name=None))


def test_a_new_version_is_judged_and_moves_nothing(retrained: RegistryClient) -> None:
    """Without leave to promote there is a version in no stage, a verdict on record, and nothing else has changed."""
    (audit,) = Audit(retrained, "fruit").read()
    assert (audit.outcome, audit.step, audit.verdict) == ("done", "compared", "PROMOTE")
    assert (audit.champion, audit.version, audit.promotion_run_id) == ("1", 12, None)
    versions = retrained.versions("fruit")
    assert [version.stage for version in versions[:2]] == ["Production", "Staging"]
    assert (versions[11].stage, versions[11].aliases) == (None, ())
    compared = retrained.client.get_run(str(audit.comparison_run_id)).data.tags
    assert (compared["abtest.kind"], compared["abtest.challenger_version"]) == ("comparison", "12")
    trained = retrained.client.get_run(str(audit.training_run_id)).data.tags
    assert trained["abtest.data_digest"] == audit.data_digest
    assert trained["abtest.recipe_digest"] == audit.recipe_digest
    assert audit.tags["abtest.note"] == "Version 12 of 'fruit' against 1: PROMOTE. Nothing was promoted."


def test_twice_is_once(retrained: RegistryClient) -> None:
    """What was done before is told with its evidence, and nothing is written; ``again`` does it again."""
    before = runs(retrained)
    done = retrain(request(), retrained)
    assert done.before
    assert done.comparison is not None
    assert str(done.comparison.verdict) == done.audit.verdict == "PROMOTE"
    assert (runs(retrained), len(retrained.versions("fruit"))) == (before, 12)


def test_promotion_goes_on_from_what_was_judged_and_leads_back(retrained: RegistryClient) -> None:
    """With leave to promote nothing is trained again; the record of the move leads here; a rollback is not undone."""
    told: list[str] = []
    done = retrain(request(promote_on="promote"), retrained, tell=told.append)
    assert (done.before, done.audit.step, done.audit.version) == (False, "promoted", 12)
    assert "Version 12 was trained before" in told[0]
    assert serving(retrained) == (12,)
    assert len(retrained.versions("fruit")) == 12
    (move,) = Trail(retrained, "fruit").read()
    assert move.evidence[RUN] == done.audit.run_id
    assert move.run_id == done.audit.promotion_run_id
    assert move.evidence["abtest.comparison_run_id"] == done.audit.comparison_run_id
    trails.forsake(retrained, done.audit.run_id)  # as if it had been killed before it could say so
    tags = {"abtest.outcome": "pending", "abtest.step": "compared", "abtest.promotion_run_id": ""}
    tracking.tag_run(retrained.client, done.audit.run_id, tags)
    twice = retrain(request(promote_on="promote"), retrained)
    assert (twice.before, twice.audit.outcome, twice.audit.step) == (True, "done", "promoted")
    assert twice.audit.promotion_run_id == move.run_id
    Registry(retrained.tracking_uri).rollback("fruit", to=1)
    assert retrain(request(promote_on="promote"), retrained).before
    assert serving(retrained) == (1,)


def test_one_that_was_killed_after_its_promotion_was_done(retrained: RegistryClient) -> None:
    """Where its version serves, whoever put that on record, there is nothing left to do but to say so."""
    audit = Audit(retrained, "fruit")
    trails.forsake(retrained, audit.read()[0].run_id)
    tracking.tag_run(retrained.client, audit.read()[0].run_id, {"abtest.outcome": "pending"})
    Registry(retrained.tracking_uri).promote("fruit", 12)
    done = retrain(request(promote_on="promote"), retrained)
    assert (done.before, done.serves) == (True, True)
    (one,) = audit.read()
    assert (one.outcome, one.step) == ("done", "compared")  # it was promoted by hand
    assert one.tags["abtest.note"] == "It was cut off after its last step."
    assert serving(retrained) == (12,)


def test_what_waits_for_approval_is_not_asked_for_twice(retrained: RegistryClient) -> None:
    """A request is left once, and nothing moves until it is approved; what became of it is told."""
    done = retrain(request(promote_on="promote", require_approval=True), retrained)
    assert done.audit.awaits_approval
    again = retrain(request(promote_on="promote", require_approval=True), retrained)
    assert (again.before, again.asked_for, serving(retrained)) == (True, Outcome.AWAITING, (1,))
    Registry(retrained.tracking_uri).approve("fruit", why="a test")
    assert serving(retrained) == (12,)
    Registry(retrained.tracking_uri).rollback("fruit", to=1)
    assert retrain(request(promote_on="promote"), retrained).asked_for is Outcome.APPROVED


def test_a_policy_that_refuses_moves_nothing_and_the_next_run_goes_on(retrained: RegistryClient) -> None:
    """What fails in the comparison ends on record as failed; the version is there, and is judged by the next one."""
    with pytest.raises(InvalidInputError, match="shop"):
        retrain(request(promote_on="promote", policy=UNMEASURED), retrained)
    failed = Audit(retrained, "fruit").read()[-1]
    assert (failed.outcome, failed.step, failed.version) == ("failed", "registered", 12)
    assert retrained.client.get_run(failed.run_id).info.status == "FAILED"
    assert serving(retrained) == (1,)
    assert retrain(request(promote_on="promote"), retrained).audit.version == 12


def test_rows_that_are_gone_are_held_out_anew(retrained: RegistryClient) -> None:
    """Where the rows held out are no longer what they were there is nothing to go on with."""
    from dataclasses import replace

    from abtest.retraining import earlier

    (one,) = Audit(retrained, "fruit").read()
    asked = {name.removeprefix("abtest."): value for name, value in one.tags.items()}
    assert earlier.left([one], asked, retrained, None, request()) == one
    other = replace(one, tags={**one.tags, "abtest.holdout_digest": "another"})
    assert earlier.left([other], asked, retrained, None, request()) is None
    gone = replace(one, tags={**one.tags, "abtest.holdout": "nowhere.parquet"})
    assert earlier.left([gone], asked, retrained, None, request()) is None
    assert earlier.left([gone], asked, retrained, None, request(test_data="new.csv")) == gone


def test_an_estimator_that_raises_leaves_nothing_behind(retrained: RegistryClient) -> None:
    """What fails in training registers nothing and moves nothing."""
    with pytest.raises(AbtestError, match="cannot weigh it"):
        retrain(request(recipe=examples.recipe("Raises"), promote_on="promote"), retrained)
    failed = Audit(retrained, "fruit").read()[-1]
    assert (failed.outcome, failed.step, failed.version) == ("failed", "locked", None)
    assert (serving(retrained), len(retrained.versions("fruit"))) == ((1,), 12)


def test_rows_that_change_while_they_are_read_are_refused(retrained: RegistryClient) -> None:
    """Where a file is written anew after it was put on record, nothing that was trained on it is gone on with."""
    Audit(retrained, "fruit").open({})  # is told of once the rows are on record
    UNDER_WAY.clear()
    with pytest.raises(InvalidInputError, match=r"new\.csv was changed while it was read"):
        retrain(
            request(again=True, promote_on="promote"),
            retrained,
            tell=lambda _: zoo.fruit(390).to_csv("new.csv", index=False),
        )
    failed = Audit(retrained, "fruit").read()[-1]
    assert (failed.outcome, failed.version, serving(retrained)) == ("failed", None, (1,))


def test_a_registry_that_goes_away_holds_nobody_back(retrained: RegistryClient) -> None:
    """Where not even the failure can be put on record the next one sees that it was cut off, and says so."""
    with pytest.raises(AbtestError):
        retrain(request(recipe=examples.recipe("Unplugs"), promote_on="promote"), retrained)
    examples.plug("gone", "runs")
    assert Audit(retrained, "fruit").read()[-1].is_open
    told: list[str] = []
    with pytest.raises(AbtestError, match="cannot weigh it"):
        retrain(request(recipe=examples.recipe("Raises")), retrained, tell=told.append)
    assert "was cut off; this one takes its place." in told[0]
    assert (serving(retrained), len(retrained.versions("fruit"))) == ((1,), 12)


def test_one_that_is_killed_holds_nobody_back(retrained: RegistryClient) -> None:
    """After SIGKILL in the middle production is as it was, and the next one goes on at once."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["mlflow", "tests.mover.crashing"])  # as the tests of the mover start it
    process = processes.Process(target=examples.run, args=(retrained.tracking_uri, "Dies"))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    killed = Audit(retrained, "fruit").read()[-1]
    assert (killed.outcome, killed.step) == ("pending", "locked")
    told: list[str] = []
    retrain(request(promote_on="promote"), retrained, tell=told.append)
    assert killed.run_id in told[0]
    assert retrained.client.get_run(killed.run_id).info.status == "KILLED"
    assert serving(retrained) == (12,)


def test_a_first_deployment_and_the_next(registry: RegistryClient) -> None:
    """A first version challenges the baseline; the next is told which test rows its champion saw; none begins twice."""
    rows = zoo.fruit(300)
    rows[:200].to_csv("january.csv", index=False)
    rows.to_csv("february.csv", index=False)
    told: list[str] = []
    first = retrain(request("pears", "january.csv", promote_on="promote"), registry, tell=told.append)
    assert told[-1] == "'pears' has no champion: compared with the baseline, as its first deployment."
    assert (first.audit.champion, first.audit.step) == ("baseline", "promoted")
    assert Registry(registry.tracking_uri).serving("pears") == (1,)
    told.clear()
    second = retrain(request("pears", "february.csv", promote_on="promote"), registry, tell=told.append)
    assert told == []
    assert second.comparison is not None
    assert (second.audit.champion, second.audit.version) == ("1", 2)
    seen = second.comparison.record.data.train
    assert seen is not None
    assert seen.n == 120  # of 200: what was held out was not fitted
    fitted = counted(rows[:200]) - counted(pd.read_parquet(str(first.audit.holdout)))
    tested = counted(pd.read_parquet(str(second.audit.holdout)))
    assert seen.leaked == sum(times for row, times in tested.items() if row in fitted) > 0
    Registry(registry.tracking_uri).archive("pears", registry.versions("pears")[-1].version)
    for version in Registry(registry.tracking_uri).serving("pears"):
        Registry(registry.tracking_uri).archive("pears", version)
    with pytest.raises(ModelNotFoundError, match="has served: this is no first one"):
        champion_of(registry, request("pears"))
    named = Reference(kind="version", value=BASELINE)
    assert champion_of(registry, replace(request("pears"), champion=named)) is None


def test_a_name_that_may_be_misspelt_is_told(retrained: RegistryClient) -> None:
    """A model that is not there yet is new, and the one that may have been meant is named before any training."""
    told: list[str] = []
    with pytest.raises(AbtestError, match="cannot weigh it"):
        retrain(request("fruti", recipe=examples.recipe("Raises")), retrained, tell=told.append)
    assert told[0] == "There is no model 'fruti' yet, and this makes it. Hint: did you mean 'fruit'?"


def test_what_the_champion_saw_is_not_guessed(retrained: RegistryClient) -> None:
    """Where nobody knows what it was trained on, or the file was changed since, that is said."""
    audit = Audit(retrained, "fruit")
    champion = champion_of(retrained, request())
    holdout = str(audit.read()[0].holdout)
    source, notice = seen_by_champion(retrained, audit, request(), champion, holdout)
    assert source is None
    assert "flatter it: it has no run. Hint: --train-data names them." in str(notice)
    ours = retrained.versions("fruit")[11]
    source, notice = seen_by_champion(retrained, audit, request(), ours, holdout)
    assert (len(source) if source is not None else 0, notice) == (240, None)
    tracking.tag_run(retrained.client, audit.read()[0].run_id, {"abtest.data_digest": "another"})
    source, notice = seen_by_champion(retrained, audit, request(), ours, holdout)
    assert source is None
    assert "new.csv was changed since" in str(notice)
    own = request(test_data="own.csv")
    assert seen_by_champion(retrained, audit, own, ours, "own.csv") == ("new.csv", None)


def test_what_cannot_be_written_is_found_out_first(retrained: RegistryClient) -> None:
    """A folder that cannot be one is refused before anything is trained or put on record."""
    Path("reports").touch()
    with pytest.raises(InvalidInputError, match="reports"):
        retrain(request(again=True), retrained)
    assert len(Audit(retrained, "fruit").read()) == 1
