"""Several challengers of one registered model: uses, growth, the locked set, runs and promotion; and what fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from abtest.decision import Verdict
from abtest.errors import AbtestError, InvalidInputError, RefusedError, StaleChampionError
from abtest.policy import Policy
from abtest.registry import Reference
from abtest.reuse import uses
from abtest.workflow import compare
from tests import zoo
from tests.known import known
from tests.workflow import QUICK, house_of_rents, rents
from tests.workflow.test_several import Says, stripped

if TYPE_CHECKING:
    from abtest.comparison import Comparisons
    from abtest.registry import RegistryClient

BEFORE = {1: ("Production", ("champion",)), 2: ("Staging", ("challenger",))}


def versions(*numbers: int) -> list[Reference]:
    """References to versions."""
    return [Reference(kind="version", value=str(number)) for number in numbers]


def several(registry: RegistryClient, *numbers: int, data: Any = None, **options: Any) -> Comparisons:
    """Compare versions of the fruit's model with the one in Production."""
    frame = zoo.fruit() if data is None else data
    given = {"data": frame, "model_name": "fruit", "tracking_uri": registry.tracking_uri, **QUICK, **options}
    return compare(None, versions(*numbers), **given)


def folder_of(registry: RegistryClient) -> Path:
    """Where the test's registry lies."""
    return Path(registry.tracking_uri.removeprefix("sqlite:///")).parent


def state(registry: RegistryClient) -> dict[int, tuple[str | None, tuple[str, ...]]]:
    """Stage and aliases of the versions that have one."""
    return {v.version: (v.stage, v.aliases) for v in registry.versions("fruit") if v.stage or v.aliases}


def runs(registry: RegistryClient, kind: str, experiment: str = "abtest/fruit") -> list[Any]:
    """Runs of a kind, in the order in which they began."""
    found = registry.client.get_experiment_by_name(experiment)
    if found is None:
        return []
    wanted = f"tags.`abtest.kind` = '{kind}'"
    return sorted(
        registry.client.search_runs([found.experiment_id], filter_string=wanted), key=lambda run: run.info.start_time
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_each_pair_is_as_if_compared_alone(registry: RegistryClient, tmp_path: Path, ending: str) -> None:
    """Told apart by a column that only one challenger takes, and from a file, the pair's record is the same."""
    house_of_rents(registry, tmp_path / "models")
    frame, name = rents(), f"rents.{ending}"
    frame.to_csv(name, index=False) if ending == "csv" else frame.to_parquet(name)
    options: dict[str, Any] = {
        "data": name, "target": "rent", "model_name": "rents", "tracking_uri": registry.tracking_uri,
        "segments": ["rooms", "rooms*region"], **QUICK,
    }  # fmt: skip
    together = compare(None, versions(2, 3), **options)
    for number, found in zip((2, 3), together.record.comparisons, strict=True):
        policy = Policy(confidence=found.settings.policy.confidence)
        alone = compare(None, versions(number)[0], **options, policy=policy)
        assert stripped(found) == stripped(alone.record)


def test_runs_nest_and_each_version_has_its_own_verdict(stocked: RegistryClient) -> None:
    """One run with the report holds one for each challenger; each version is tagged with its own verdict and run."""
    logged = several(stocked, 2, 10, log=True, save_plot=False)
    (outer,), inner = runs(stocked, "comparisons"), runs(stocked, "comparison")
    assert (outer.info.run_id, outer.info.status) == (logged.run_id, "FINISHED")
    assert outer.data.tags["abtest.verdict"] == "PROMOTE"
    assert {artifact.path for artifact in stocked.client.list_artifacts(outer.info.run_id)} == {
        "report.html", "comparison.json", "summary.md",
    }  # fmt: skip
    assert [run.data.tags["mlflow.parentRunId"] for run in inner] == [outer.info.run_id] * 2
    assert [run.info.run_id for run in inner] == [one.run_id for one in logged.comparisons]
    for run, number, one in zip(inner, ("2", "10"), logged.comparisons, strict=True):
        assert run.data.tags["abtest.challenger_version"] == number
        assert run.data.tags["abtest.verdict"] == one.verdict
        assert run.data.metrics["effect.accuracy"] == one.evaluation.metric("accuracy").effect
        told = stocked.client.get_model_version("fruit", number).tags
        assert told == {
            "abtest.verdict": str(one.verdict),
            "abtest.role": "challenger",
            "abtest.comparison_run_id": run.info.run_id,
            "abtest.recommended": "true" if number == "2" else "false",
        }
        assert float(run.data.tags["abtest.level"]) == one.record.settings.policy.alpha
    assert [one.verdict for one in logged.comparisons] == [Verdict.PROMOTE, Verdict.KEEP_CHAMPION]
    assert uses(stocked.client, known(logged.record.data.digest)).names == ("fruit v2", "fruit v10")
    assert state(stocked) == BEFORE


def test_spending_gives_each_its_own_use(stocked: RegistryClient) -> None:
    """Under spend use k has alpha/(k(k+1)); another challenger later goes on counting, and a re-run keeps both."""
    spend = Policy(reuse="spend")

    def spent(*numbers: int) -> list[tuple[int | None, float]]:
        record = several(stocked, *numbers, policy=spend, log=True, save_plot=False).record
        assert record.adjustment == "spend"
        return [(one.data.uses, round(one.settings.policy.alpha, 9)) for one in record.comparisons]

    levels = {k: (k, round(0.05 / (k * (k + 1)), 9)) for k in (1, 2, 3)}
    assert spent(2, 3) == [levels[1], levels[2]]
    assert spent(3, 2) == [levels[2], levels[1]]
    assert spent(2, 3) == [levels[1], levels[2]]
    assert spent(2, 10) == [levels[1], levels[3]]
    assert spent(10, 2, 3) == [levels[3], levels[1], levels[2]]


def test_challengers_without_a_name_spend_too(stocked: RegistryClient) -> None:
    """Two objects of one kind are two uses, each with a level of its own, though they are called the same."""
    record = compare(
        None, [Says(zoo.better), Says(zoo.stranger)], data=zoo.fruit(), target="kind", model_name="fruit",
        tracking_uri=stocked.tracking_uri, policy=Policy(reuse="spend"), log="later", **QUICK,
    ).record  # fmt: skip
    assert [one.data.uses for one in record.comparisons] == [1, 2]
    assert [one.settings.policy.alpha for one in record.comparisons] == pytest.approx([0.05 / 2, 0.05 / 6])


def test_a_test_set_that_grew_beside_other_challengers(stocked: RegistryClient) -> None:
    """Rows once shown to several challengers, of other columns too, are recognised when one of them is shown more."""
    inputs = zoo.signature(width="double", height="double", shelf="double")
    stocked.client.create_model_version("fruit", zoo.save(zoo.better, folder_of(stocked) / "wide", inputs=inputs))
    frame = zoo.fruit(100).assign(shelf=np.arange(100.0))
    frame[:40].to_csv("first.csv", index=False)
    frame.to_csv("more.csv", index=False)
    first = several(stocked, 2, 12, data="first.csv", target="kind", log=True, save_plot=False)
    own = {one.record.challenger.version: one.run_id for one in first.comparisons}
    alone = compare(
        None, versions(2)[0], data="more.csv", target="kind", model_name="fruit", tracking_uri=stocked.tracking_uri,
        **QUICK,
    )  # fmt: skip
    again = several(stocked, 12, 3, data="more.csv", target="kind").record.comparisons
    assert (known(alone.record.growth).rows, known(alone.record.growth).run_id) == (40, own[2])
    assert (known(again[0].growth).rows, known(again[0].growth).run_id) == (40, own[12])
    assert again[1].growth is None
    assert known(alone.record.growth).pvalue == pytest.approx(11 / 1024, rel=1e-9)


def test_growth_does_not_loosen_an_interval(stocked: RegistryClient) -> None:
    """Where intervals decide, rows that grew leave each challenger its equal part, and can promote none."""
    zoo.fruit(300)[:200].to_csv("first.csv", index=False)
    zoo.fruit(300).to_csv("more.csv", index=False)
    rule = Policy(rule="non-inferior", margin=0.05)
    several(stocked, 2, 3, data="first.csv", policy=rule, log=True, save_plot=False)
    record = several(stocked, 2, 3, data="more.csv", policy=rule).record
    assert all(one.growth is not None for one in record.comparisons)
    assert record.adjustment == "bonferroni"
    assert [one.settings.policy.alpha for one in record.comparisons] == pytest.approx([0.025, 0.025])
    assert (record.verdict, record.best) == (Verdict.INSUFFICIENT_EVIDENCE, None)


def test_a_locked_set_is_opened_for_the_best_alone(stocked: RegistryClient) -> None:
    """Of two that may serve, only the first of equals is shown the locked rows; that is its first use, spent or not."""
    zoo.fruit(300)[100:200].to_csv("locked.csv", index=False)
    for reuse in ("warn", "spend"):
        policy = Policy(reuse=reuse, confidence=0.9)
        found = several(stocked, 10, 2, 3, policy=policy, confirm_data="locked.csv", log="later").record
        assert [one.confirmation is not None for one in found.comparisons] == [False, True, False]
        confirmation = known(found.comparisons[1].confirmation)
        assert (confirmation.held, confirmation.use) == (True, 1)
        assert (found.verdict, found.best) == (Verdict.PROMOTE, 1)

    locked = set(pd.read_csv("locked.csv")["width"])
    asked: list[str] = []

    def spying(name: str, rule: Any) -> Says:
        def predict(rows: pd.DataFrame) -> Any:
            asked.extend([name] * len(locked & set(rows["width"]) - set(zoo.fruit()["width"])))
            return rule(rows[["width", "height"]])

        return Says(predict)

    challengers = [spying("worse", zoo.stranger), spying("best", zoo.better)]
    compare(Says(zoo.linear), challengers, data=zoo.fruit(), target="kind", confirm_data="locked.csv", **QUICK)
    assert set(asked) == {"best"}


def test_where_the_locked_set_does_not_hold_nothing_is_recommended(stocked: RegistryClient) -> None:
    """The set is open then: another that the rule would promote is not recommended either, and passes no gate."""
    zoo.fruit(300)[100:120].to_csv("locked.csv", index=False)  # two rows tell the models apart
    found = several(stocked, 2, 3, confirm_data="locked.csv", log=True, save_plot=False)
    assert known(found.record.comparisons[0].confirmation).held is False
    assert [one.verdict for one in found.comparisons] == [Verdict.INSUFFICIENT_EVIDENCE, Verdict.PROMOTE]
    assert (found.best, found.verdict) == (None, Verdict.INSUFFICIENT_EVIDENCE)
    assert runs(stocked, "comparisons")[0].data.tags["abtest.verdict"] == "INSUFFICIENT_EVIDENCE"
    with pytest.raises(RefusedError, match="no challenger may replace the champion"):
        found.promote(promote_on="conditional")
    assert state(stocked) == BEFORE


def test_the_best_alone_is_promoted(stocked: RegistryClient) -> None:
    """promote() logs all, moves the best and nothing else, once; a dry run moves and logs nothing."""
    found = several(stocked, 10, 2, 3)
    plan = found.promote(dry_run=True)
    assert {step.version for step in plan.transitions if step.version} == {1, 2}
    assert (runs(stocked, "comparisons"), state(stocked)) == ([], BEFORE)
    done = found.promote()
    assert state(stocked) == {1: ("Archived", ()), 2: ("Production", ("champion",))}
    (audit,), inner = runs(stocked, "promotion"), runs(stocked, "comparison")
    assert audit.info.run_id == done.run_id
    assert audit.data.tags["abtest.comparison_run_id"] == inner[1].info.run_id
    assert [run.data.tags["abtest.challenger_version"] for run in inner] == ["10", "2", "3"]


def test_a_champion_that_moved_stops_the_promotion(stocked: RegistryClient) -> None:
    """Where the registry moved since the comparison, nothing is promoted."""
    found = several(stocked, 3, 10)
    assert known(found.best).record.challenger.version == 3
    stocked.set_alias("fruit", "champion", 11)
    before = state(stocked)
    with pytest.raises(StaleChampionError):
        found.promote()
    assert state(stocked) == before
    assert runs(stocked, "promotion") == []


def test_none_that_may_serve_promotes_none(stocked: RegistryClient) -> None:
    """Where no challenger may serve, promote() is refused, and neither a run nor a move is left."""
    worse = zoo.save(zoo.stranger, folder_of(stocked) / "worse", inputs=zoo.signature(width="double", height="double"))
    stocked.client.create_model_version("fruit", worse)
    found = several(stocked, 10, 12)
    assert found.best is None
    for allowed in ("promote", "conditional"):
        with pytest.raises(RefusedError, match="no challenger may replace the champion"):
            found.promote(promote_on=allowed)
    assert (runs(stocked, "comparisons"), state(stocked)) == ([], BEFORE)


FAILING = {
    4: r"^The challenger v4 failed to predict rows 1 to 60: RuntimeError: cannot weigh it\.",
    5: r"^The challenger at .*fruit-5 does not load: ",
    6: r"^Challenger v6 predictions are not class labels \(0\.\d+\)\.",
    7: r"^The challenger v7 returned predictions of shape \(59,\) for 60 rows",
    8: r"^The challenger v8 predicts 2 values a row where one is expected\.",
    9: r"^Labels are str but challenger v9 predictions are int ",
    11: r"^The challenger v11 predicts nothing for ",
}


@pytest.mark.parametrize("broken", FAILING)
def test_one_that_fails_fails_all(stocked: RegistryClient, broken: int) -> None:
    """Whatever is wrong with one challenger ends the comparison with its name; nothing is written, logged or moved."""
    for numbers in ((2, broken), (broken, 2)):
        with pytest.raises(AbtestError, match=FAILING[broken]):
            several(stocked, *numbers, log=True, output="reports")
        assert not (folder_of(stocked) / "reports").exists()
        assert runs(stocked, "comparisons") == runs(stocked, "comparison") == []
        assert state(stocked) == BEFORE


def test_numbers_that_are_none_are_told_with_the_name(registry: RegistryClient, tmp_path: Path) -> None:
    """Of regressors too: the challenger that predicts an infinite number is named, with the row."""
    house_of_rents(registry, tmp_path / "models")
    endless = zoo.save(lambda rows: np.where(rows["area"] > 0, np.inf, 0.0), tmp_path / "endless",
                       inputs=zoo.signature(area="double"))  # fmt: skip
    registry.client.create_model_version("rents", endless)
    with pytest.raises(
        InvalidInputError, match=r"^The challenger v4 predicts inf in row 1; a regression needs a finite"
    ):
        compare(
            None, versions(2, 4), data=rents(30), target="rent", model_name="rents",
            tracking_uri=registry.tracking_uri, **QUICK,
        )  # fmt: skip


def test_challengers_named_twice(stocked: RegistryClient) -> None:
    """One version under two names, and the champion among the challengers, are refused."""
    with pytest.raises(InvalidInputError, match=r"^The challengers name version 2 of 'fruit' twice\. Hint: name each"):
        compare(
            None, [*versions(2, 3), Reference(kind="alias", value="challenger")], data=zoo.fruit(), model_name="fruit",
            tracking_uri=stocked.tracking_uri, **QUICK,
        )  # fmt: skip
    with pytest.raises(InvalidInputError, match=r"^Both sides are version 1 of 'fruit'"):
        several(stocked, 2, 1)
