"""The life of a model in Python: every step moves what it says, keeps a record, and refuses what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import abtest
from abtest.errors import (
    AbtestError,
    InvalidInputError,
    ModelNotFoundError,
    NotFoundError,
    RefusedError,
    StaleChampionError,
    UnfinishedError,
)
from abtest.lifecycle import moving
from abtest.registry import RegistryClient
from abtest.transitions import Standing, into_production
from tests import trails, zoo

if TYPE_CHECKING:
    from pathlib import Path

    Trained = tuple[RegistryClient, tuple[str, ...]]


def serving(registry: abtest.Registry) -> tuple[int, ...]:
    """What is in production."""
    return registry.show("iris").standing.serving


def test_registers_with_what_the_run_says(trained: Trained) -> None:
    """Framework, dataset and metrics become tags; the user's own tags win; the version knows its run."""
    client, runs = trained
    registry = abtest.Registry(client.tracking_uri)
    done = registry.register("iris", run_id=runs[0], tags={"team": "fruit", "framework": "mine"}, description="first")
    assert (done.version, done.plan, done.movement) == (1, (), None)
    (version,) = registry.show("iris").versions
    tags = version.details.tags
    assert (tags["framework"], tags["team"], tags["metric.accuracy"]) == ("mine", "fruit", "0.9")
    assert tags["dataset"].startswith("fruit (")
    assert (version.details.description, version.details.version.run_id) == ("first", runs[0])
    assert version.metrics == zoo.TRAINED[0]


def test_registers_by_uri_too(trained: Trained, tmp_path: Path) -> None:
    """A run's URI, a logged model's, another version's and a path each register; a path knows no metrics."""
    client, runs = trained
    registry = abtest.Registry(client.tracking_uri)
    registry.register("iris", model_uri=f"runs:/{runs[0]}/model")
    source = registry.show("iris").versions[0].details.source
    registry.register("iris", model_uri=str(source))
    registry.register("iris", model_uri="models:/iris/1")
    path = zoo.save(zoo.better, tmp_path / "saved", inputs=zoo.signature(width="double", height="double"))
    told = registry.register("iris", model_uri=path)
    assert "knows no run here" in told.notices[0]
    versions = registry.show("iris").versions
    assert [v.details.version.run_id for v in versions] == [runs[0], runs[0], runs[0], None]
    assert [v.metrics for v in versions] == [zoo.TRAINED[0]] * 3 + [{}]
    with client.active():
        import mlflow.pyfunc

        for version in versions:
            model = mlflow.pyfunc.load_model(f"models:/iris/{version.details.version.version}")
            assert len(model.predict(zoo.fruit()[["width", "height"]])) == 60


def test_registers_where_it_is_told_and_nowhere_else(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that is not MLflow's default gets the version, and no database is made where the command is run."""
    client, runs = trained
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert abtest.Registry(client.tracking_uri).register("iris", run_id=runs[0], stage="Staging").version == 1
    assert list(elsewhere.iterdir()) == []


def test_a_registered_stage_is_on_record(iris: abtest.Registry) -> None:
    """Registering into a stage is a move like any other: planned, alone, on record."""
    past = iris.history("iris")
    assert [(e.kind, e.movement.kind if e.movement else None, e.standing.serving) for e in past.entries] == [
        ("moved", "registration", (1,)), ("moved", "registration", (1,)),
    ]  # fmt: skip
    iris.register("iris", model_uri="models:/iris/3", stage="Production", alias="champion")
    assert iris.show("iris").standing == Standing(production=(4,), staging=(2,), champion=4)


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        ({"run_id": "nope"}, NotFoundError, "There is no run nope"),
        ({"model_uri": "models:/m-123"}, NotFoundError, "There is no model at models:/m-123"),
        ({"model_uri": "/nowhere"}, NotFoundError, "There is no model at /nowhere"),
        ({"model_uri": "models:/iris/99"}, NotFoundError, "There is no model at models:/iris/99"),
        ({}, InvalidInputError, "Give one of run_id and model_uri"),
        ({"run_id": "a", "model_uri": "b"}, InvalidInputError, "Give one of run_id and model_uri"),
        ({"run_id": 3}, InvalidInputError, "logged several models: models:/m-.*name one with --model-uri"),
        ({"run_id": 0, "alias": "latest"}, InvalidInputError, "MLflow reserves 'latest'"),
        ({"run_id": 0, "alias": "V2"}, InvalidInputError, "MLflow reserves 'latest' and v<number>"),
        ({"run_id": 0, "alias": "a b"}, InvalidInputError, "alias must be of letters, digits, _ and -, got 'a b'"),
        ({"run_id": 0, "stage": "Prod"}, InvalidInputError, "stage must be one of .*got 'Prod'"),
    ],
)
def test_registers_nothing_of_what_is_wrong(
    trained: Trained, asked: dict[str, object], error: type[AbtestError], told: str
) -> None:
    """What is refused is refused before a model or a version is made."""
    client, runs = trained
    if isinstance(asked.get("run_id"), int):
        asked = {**asked, "run_id": runs[asked["run_id"]]}  # type: ignore[call-overload] # it is an index
    with pytest.raises(error, match=told):
        abtest.Registry(client.tracking_uri).register("iris", **asked)  # type: ignore[arg-type] # some are the point
    assert client.models() == ()


@pytest.mark.parametrize("name", ["a/b", "a:b", "", "  "])
def test_names_that_mlflow_refuses(trained: Trained, name: str) -> None:
    """A name that MLflow does not take is refused in one sentence."""
    client, runs = trained
    with pytest.raises(InvalidInputError, match="name cannot be"):
        abtest.Registry(client.tracking_uri).register(name, run_id=runs[0])


@pytest.mark.parametrize("name", ["anna's model", 'a "quoted" one', 'l\'été "q" 模型', "größe 📈", "a.b-c_d", "-x"])
def test_names_that_mlflow_takes(trained: Trained, name: str) -> None:
    """Quotes, spaces and letters of any alphabet go all the way: registered, moved, shown, in history."""
    client, runs = trained
    registry = abtest.Registry(client.tracking_uri)
    registry.register(name, run_id=runs[0], stage="Production")
    registry.register(name, run_id=runs[1])
    registry.promote(name, 2)
    registry.rollback(name)
    assert registry.show(name).standing.serving == (1,)
    assert len(registry.history(name).entries) == 3
    assert [model.name for model in registry.list_models()] == [name]


def test_promotes_and_says_that_nothing_stands_behind_it(iris: abtest.Registry) -> None:
    """By hand: moved, archived, on record as without a comparison; again is nothing to do."""
    done = iris.promote("iris", "3", why="the boss said so")
    assert iris.show("iris").standing == Standing(production=(3,), staging=(2,))
    assert done.movement is not None
    last = iris.history("iris").entries[-1].movement
    assert last is not None
    assert (last.run_id, last.why) == (done.movement.run_id, "the boss said so")
    assert iris.promote("iris", 3).plan == ()
    assert "without a comparison" in (iris.promote("iris", 2).movement or done.movement).why


def test_promotes_from_a_stage_only(iris: abtest.Registry) -> None:
    """With from_stage, a version that is elsewhere is refused; one that is there is promoted."""
    with pytest.raises(RefusedError, match="Version 3 of 'iris' is in stage None, not in Staging"):
        iris.promote("iris", 3, from_stage="staging")
    assert serving(iris) == (1,)
    iris.promote("iris", 2, from_stage="Staging")
    assert serving(iris) == (2,)
    assert iris.promote("iris", 2, from_stage="Staging").plan == ()


def test_a_dry_run_moves_nothing(iris: abtest.Registry) -> None:
    """Every move can be planned alone: nothing moves, nothing is recorded."""
    before, past = iris.show("iris").standing, iris.history("iris")
    plans = [
        iris.promote("iris", 2, dry_run=True), iris.archive("iris", 1, dry_run=True),
        iris.rollback("iris", to=3, dry_run=True), iris.delete("iris", 3, dry_run=True),
        *iris.migrate_stages(dry_run=True),
        iris.auto_promote("iris", 2, metric="accuracy", threshold=0.9, to_stage="Production", dry_run=True),
    ]  # fmt: skip
    assert all(plan.plan and plan.movement is None for plan in plans)
    assert (iris.show("iris").standing, iris.history("iris")) == (before, past)


@pytest.mark.parametrize(
    ("version", "options", "told"),
    [
        (2, {"threshold": 0.96}, "logged with accuracy 0.95, which is not at least 0.96"),
        (3, {"threshold": 0.8}, "accuracy 0.85, which is not better than 0.9 of version 1, which serves"),
        (2, {"threshold": 0.2, "metric": "loss", "lower_is_better": True}, "loss 0.3, which is not at most 0.2"),
        (2, {"threshold": 0.5, "metric": "acuracy"}, "'acuracy' was never logged for version 2.*did you mean 'accur"),
        (2, {"threshold": float("nan")}, "threshold must be a number"),
        (2, {"threshold": 0.9, "to_stage": "Archived"}, "to-stage must be Staging or Production"),
    ],
)
def test_the_gate_on_logged_metrics_fails_closed(
    iris: abtest.Registry, version: int, options: dict[str, object], told: str
) -> None:
    """Not good enough, not better than what serves, or never logged: refused, and nothing moves."""
    before = iris.show("iris").standing
    with pytest.raises(AbtestError, match=told):
        iris.auto_promote("iris", version, **{"metric": "accuracy", "to_stage": "Production", **options})  # type: ignore[arg-type] # as parametrised
    assert iris.show("iris").standing == before


def test_the_gate_on_logged_metrics_promotes(iris: abtest.Registry) -> None:
    """Good enough and better: promoted, on record with its numbers, and labelled as the weaker evidence."""
    done = iris.auto_promote("iris", 2, metric="loss", threshold=0.35, lower_is_better=True, to_stage="Production")
    assert serving(iris) == (2,)
    assert done.movement is not None
    assert "logged loss 0.3 is at most 0.35 and better than 0.4 of version 1; logged metrics are weaker" in (
        done.movement.why
    )
    assert done.movement.evidence["abtest.threshold"] == "0.35"
    iris.auto_promote("iris", 3, metric="accuracy", threshold=0.8, compare=False)
    assert iris.show("iris").standing == Standing(production=(2,), staging=(3,))


def test_the_gate_needs_the_metric_of_what_serves(iris: abtest.Registry, tmp_path: Path) -> None:
    """Where what serves never logged the metric, better cannot be said: refused, unless that is not asked."""
    path = zoo.save(zoo.linear, tmp_path / "saved")
    iris.register("iris", model_uri=path, stage="Production")
    with pytest.raises(InvalidInputError, match="'accuracy' was never logged for version 4"):
        iris.auto_promote("iris", 2, metric="accuracy", threshold=0.9, to_stage="Production")
    iris.auto_promote("iris", 2, metric="accuracy", threshold=0.9, to_stage="Production", compare=False)
    assert serving(iris) == (2,)


def test_rolls_back_by_the_history(iris: abtest.Registry) -> None:
    """Back to what was there before, and before that; then there is none, which is said."""
    iris.promote("iris", 2)
    iris.promote("iris", 3)
    done = iris.rollback("iris", why="it degraded")
    assert serving(iris) == (2,)
    assert done.movement is not None
    assert done.movement.why == "it degraded"
    iris.rollback("iris")
    assert serving(iris) == (1,)
    with pytest.raises(NotFoundError, match=r"No earlier version of 'iris' is on record.*--to VERSION"):
        iris.rollback("iris")
    iris.rollback("iris", to=3)
    assert serving(iris) == (3,)
    assert iris.rollback("iris", to=3).plan == ()


def test_rolls_back_past_what_was_deleted(iris: abtest.Registry) -> None:
    """A version that served and was deleted is passed over."""
    iris.promote("iris", 2)
    iris.promote("iris", 3)
    iris.delete("iris", 2)
    iris.rollback("iris")
    assert serving(iris) == (1,)


def test_rolls_back_what_was_moved_in_the_ui(iris: abtest.Registry) -> None:
    """A move made behind its back is in the history, and can be rolled back."""
    client = RegistryClient()
    client.set_stage("iris", 3, "Production")
    client.set_stage("iris", 1, "Archived")
    assert "moved outside abtest" in iris.show("iris").notices[0]
    iris.rollback("iris")
    assert serving(iris) == (1,)
    kinds = [entry.kind for entry in iris.history("iris").entries]
    assert kinds == ["moved", "moved", "unrecorded", "moved"]


def test_archives_and_deletes(iris: abtest.Registry) -> None:
    """Out of use, then gone; what serves or has an alias is not deleted; the record stays."""
    iris.archive("iris", 2)
    assert iris.archive("iris", 2).plan == ()
    assert iris.show("iris").standing == Standing(production=(1,))
    with pytest.raises(RefusedError, match="is in Production"):
        iris.delete("iris", 1)
    iris.delete("iris", 2, why="it leaked")
    assert [v.details.version.version for v in iris.show("iris").versions] == [1, 3]
    last = iris.history("iris").entries[-1].movement
    assert last is not None
    assert (last.kind, last.why, last.version) == ("deletion", "it leaked", 2)
    with pytest.raises(ModelNotFoundError, match="has no version 2"):
        iris.promote("iris", 2)


def test_deletes_a_model_that_nothing_uses(iris: abtest.Registry) -> None:
    """A whole model goes only when no version of it is used, and leaves its trail."""
    client = RegistryClient()
    with pytest.raises(RefusedError, match="Version 1 of 'iris' is in Production"):
        iris.delete("iris")
    iris.archive("iris", 1)
    iris.delete("iris", why="retired")
    assert iris.list_models() == ()
    experiment = client.client.get_experiment_by_name("abtest/iris")
    assert experiment is not None
    assert len(client.client.search_runs([experiment.experiment_id])) == 4


def test_a_model_made_again_has_no_past(iris: abtest.Registry) -> None:
    """After a model was deleted its numbers begin anew: what served under them before is nothing to roll back to."""
    iris.promote("iris", 2)
    iris.archive("iris", 2)
    iris.delete("iris")
    client = RegistryClient()
    zoo.register(client.client, "iris", "/nowhere/1", "/nowhere/2")
    iris.promote("iris", 2)
    with pytest.raises(NotFoundError, match="No earlier version of 'iris' is on record"):
        iris.rollback("iris")


def test_a_model_is_not_deleted_while_a_request_waits(iris: abtest.Registry) -> None:
    """What was asked for would else be approved of the model that takes its name."""
    iris.archive("iris", 1)
    iris.promote("iris", 3, require_approval=True)
    with pytest.raises(UnfinishedError, match="waits for approval since"):
        iris.delete("iris")
    assert len(iris.show("iris").versions) == 3


def test_the_deletion_of_a_model_is_on_record_before_it(iris: abtest.Registry) -> None:
    """The intent is written first, so that nobody moves the model meanwhile and a crash leaves a trace."""
    iris.archive("iris", 1)
    client = RegistryClient()
    trails.meddle(
        client,
        "CREATE TABLE seen (kind TEXT)",
        "CREATE TRIGGER looks AFTER UPDATE ON model_versions WHEN NEW.current_stage = 'Deleted_Internal' BEGIN "
        "INSERT INTO seen SELECT value FROM tags WHERE key = 'abtest.kind' AND value = 'deletion'; END",
    )
    iris.delete("iris")
    assert trails.meddle(client, "SELECT DISTINCT kind FROM seen") == [("deletion",)]


def test_emptying_production_is_refused_wherever_it_goes(iris: abtest.Registry) -> None:
    """Promoting what serves to Staging, Archived or no stage would leave nothing: archive says so, and asks."""
    for stage in ("Staging", "Archived", "None"):
        with pytest.raises(RefusedError, match="nothing would be there"):
            iris.promote("iris", 1, to_stage=stage)
    assert serving(iris) == (1,)


def test_what_was_shown_is_what_is_done(iris: abtest.Registry) -> None:
    """A plan that was shown and is no longer the plan is refused: what serves by now was not what was agreed to."""
    iris.promote("iris", 2)
    shown = iris.rollback("iris", dry_run=True)
    iris.promote("iris", 3)
    with pytest.raises(StaleChampionError, match="was moved since this was shown"):
        iris.rollback("iris", to=shown.version, shown=shown.plan)
    assert serving(iris) == (3,)


def test_migrates_stages_to_aliases(iris: abtest.Registry) -> None:
    """Each staged version gets its alias, stages stay, and a second time there is nothing to do."""
    (moved,) = iris.migrate_stages()
    assert [str(step) for step in moved.plan] == [
        "alias champion: version none → 1",
        "alias challenger: version none → 2",
    ]
    assert iris.show("iris").standing == Standing(production=(1,), staging=(2,), champion=1, challenger=2)
    (again,) = iris.migrate_stages("iris")
    assert (again.plan, again.notices) == ((), ())


def test_lists_without_asking_for_versions(iris: abtest.Registry) -> None:
    """A model's line has its roles, its aliases and its latest version."""
    (line,) = iris.list_models()
    assert (line.name, line.production, line.staging, line.latest, dict(line.aliases)) == ("iris", 1, 2, 3, {})


def test_compares_what_was_logged(iris: abtest.Registry) -> None:
    """Metrics and parameters side by side, what differs first; asked for by name, or not there."""
    found = iris.compare_logged("iris", 1, 2)
    assert [(row.kind, row.name, row.first, row.second, row.differs) for row in found.rows] == [
        ("metric", "accuracy", 0.9, 0.95, True),
        ("metric", "loss", 0.4, 0.3, True),
        ("parameter", "depth", "1", "2", True),
        ("parameter", "seed", "0", "0", False),
    ]
    assert [row.name for row in iris.compare_logged("iris", 1, 2, ["loss"]).rows] == ["loss"]
    with pytest.raises(InvalidInputError, match="'f1' was logged for neither version; logged: accuracy, loss"):
        iris.compare_logged("iris", 1, 2, ["f1"])
    with pytest.raises(InvalidInputError, match="Both are version 1"):
        iris.compare_logged("iris", 1, "1")


def test_downloads_whole_or_not_at_all(iris: abtest.Registry, tmp_path: Path) -> None:
    """The files of a version, in a folder that was not there; a folder that is there is left alone."""
    folder = iris.download("iris", 2, tmp_path / "deep" / "model")
    assert (folder / "MLmodel").is_file()
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    with pytest.raises(InvalidInputError, match="is there already"):
        iris.download("iris", 2, folder)


def test_a_failed_download_leaves_nothing(iris: abtest.Registry, tmp_path: Path) -> None:
    """Files that are gone are told, and no half folder stays."""
    client = RegistryClient()
    client.create_version("iris", "/gone/for/good", run_id=None, model_id=None, tags={}, description=None)
    with pytest.raises(AbtestError, match="files of version 4 of 'iris' could not be read"):
        iris.download("iris", 4, tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


def test_tags_and_descriptions(iris: abtest.Registry) -> None:
    """Of a version, and of the model; set, and removed."""
    iris.tag("iris", 1, tags={"a": "1", "b": "2"})
    iris.tag("iris", "1", remove=["a"])
    iris.tag("iris", tags={"team": "fruit"})
    iris.describe("iris", 1, description="the first")
    iris.describe("iris", description="all of them")
    model = iris.show("iris")
    assert (model.description, dict(model.tags)) == ("all of them", {"team": "fruit"})
    assert model.versions[0].details.description == "the first"
    assert "a" not in model.versions[0].details.tags
    assert model.versions[0].details.tags["b"] == "2"


@pytest.mark.parametrize(
    "act",
    [
        lambda it: it.show("nope"), lambda it: it.history("nope"), lambda it: it.promote("nope", 1),
        lambda it: it.rollback("nope"), lambda it: it.archive("nope", 1), lambda it: it.delete("nope", 1),
        lambda it: it.delete("nope"), lambda it: it.migrate_stages("nope"), lambda it: it.download("nope", 1, "x"),
        lambda it: it.tag("nope", tags={"a": "b"}), lambda it: it.describe("nope", description=""),
        lambda it: it.compare_logged("nope", 1, 2), lambda it: it.recover("nope"),
        lambda it: it.auto_promote("nope", 1, metric="a", threshold=1),
    ],
)  # fmt: skip
def test_a_model_that_is_not_there(iris: abtest.Registry, act: object) -> None:
    """Every step names the model that is not there, and nothing is made."""
    with pytest.raises(ModelNotFoundError, match=r"No registered model 'nope'"):
        act(iris)  # type: ignore[operator] # it is one
    assert [model.name for model in iris.list_models()] == ["iris"]


def test_the_gate_on_logged_metrics_holds_against_what_serves(iris: abtest.Registry) -> None:
    """Where another version came to serve after the metrics were compared, nothing moves."""
    with pytest.raises(StaleChampionError, match="version 3 served, and version 1 does"):
        moving.promote(RegistryClient(), "iris", 2, serving=(3,))
    assert serving(iris) == (1,)


@pytest.mark.parametrize("key", ["abtest.verdict", "mlflow.user"])
def test_no_tag_passes_for_a_verdict(iris: abtest.Registry, key: str) -> None:
    """Tags that abtest keeps its record in are not set, nor removed, by hand."""
    for act in (
        lambda: iris.tag("iris", 1, tags={key: "PROMOTE"}),
        lambda: iris.tag("iris", 1, remove=[key]),
        lambda: iris.register("iris", model_uri="models:/iris/1", tags={key: "PROMOTE"}),
    ):
        with pytest.raises(InvalidInputError, match="is reserved"):
            act()
    assert len(iris.show("iris").versions) == 3


def test_what_is_in_the_way_is_told_before_a_version_is_made(iris: abtest.Registry) -> None:
    """Where a move was cut off, registering into a stage makes no version that it could not move."""
    client = RegistryClient()
    versions = client.versions("iris")
    trails.cut_off(client, "iris", 2, into_production(2, versions), versions, made=1)
    with pytest.raises(UnfinishedError, match="was cut off"):
        iris.register("iris", model_uri="models:/iris/1", stage="Staging")
    assert len(iris.show("iris").versions) == 3
    moved = {one.model: one for one in iris.migrate_stages()}
    assert "was cut off" in moved["iris"].notices[0]


def test_what_served_together_is_not_chosen_from(iris: abtest.Registry) -> None:
    """Where two versions were in production before, none of them is taken to be the one."""
    iris.promote("iris", 2, archive=False)
    iris.promote("iris", 3)
    with pytest.raises(
        InvalidInputError, match=r"Versions 1 and 2 of 'iris' were in production together.*--to VERSION"
    ):
        iris.rollback("iris")
    iris.rollback("iris", to=1)
    assert serving(iris) == (1,)


def test_a_diverged_model_passes_no_gate(trained: Trained) -> None:
    """NaN and infinity, which MLflow keeps of a logged model as 0 and as the largest number, are no good values."""
    client, runs = trained
    registry = abtest.Registry(client.tracking_uri)
    registry.register("iris", run_id=runs[0], stage="Production")
    registry.register("iris", run_id=runs[1])
    model_id = str(registry.show("iris").versions[1].details.source).removeprefix("models:/")
    for name, value in (("nan", float("nan")), ("inf", float("inf")), ("zero", 0.0), ("loss", float("nan"))):
        client.client.log_metric(runs[1], name, value, model_id=model_id)
    for metric in ("nan", "inf", "loss"):
        with pytest.raises(InvalidInputError, match=rf"'{metric}' of version 2 was logged as (nan|inf)"):
            registry.auto_promote("iris", 2, metric=metric, threshold=0, compare=False)
    assert registry.auto_promote("iris", 2, metric="zero", threshold=0, compare=False, dry_run=True).plan
    metrics = registry.show("iris").to_dict()["versions"][1]["metrics"]
    assert (metrics["nan"], metrics["inf"], metrics["zero"]) == (None, None, 0.0)
    assert registry.compare_logged("iris", 1, 2, ["loss"]).to_dict()["rows"][0]["second"] is None


def test_another_model_of_the_same_name_has_no_past(
    iris: abtest.Registry, training: tuple[Path, tuple[str, ...]]
) -> None:
    """Deleted in MLflow's UI and made again: the numbers that served are other versions now, and not brought back."""
    iris.promote("iris", 2)
    client = RegistryClient()
    client.delete_model("iris")
    assert [entry.standing.serving for entry in iris.history("iris").entries][-1] == ()
    for run_id in training[1][:3]:
        iris.register("iris", run_id=run_id)
    with pytest.raises(NotFoundError, match="No earlier version of 'iris' is on record"):
        iris.rollback("iris")
    assert iris.show("iris").standing == Standing()


def test_an_empty_stage_is_none(iris: abtest.Registry) -> None:
    """A variable that was not set, as in --to-stage "$STAGE", does not mean production."""
    for asked in ({"to_stage": ""}, {"from_stage": ""}):
        with pytest.raises(InvalidInputError, match=r"stage must be one of .*got ''"):
            iris.promote("iris", 2, **asked)  # type: ignore[arg-type] # as given
    assert serving(iris) == (1,)


def test_a_request_that_waits_is_mentioned(iris: abtest.Registry) -> None:
    """Whoever moves the model while a request waits is told of it."""
    iris.promote("iris", 2, require_approval=True)
    assert "still waits" in iris.promote("iris", 3).notices[0]


def test_archived_where_there_are_no_stages(trained: Trained) -> None:
    """A model of aliases alone has no stage to be archived into, and that is said."""
    client, runs = trained
    registry = abtest.Registry(client.tracking_uri)
    registry.register("iris", run_id=runs[0], alias="champion")
    registry.register("iris", run_id=runs[1], alias="challenger")
    moved = registry.archive("iris", 2)
    assert [str(step) for step in moved.plan] == ["alias challenger: removed from version 2"]
    assert "uses aliases and no stages" in moved.notices[0]
