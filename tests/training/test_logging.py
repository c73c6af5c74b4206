"""What training leaves in MLflow, in the registry and in a folder, and what is left of it where that fails."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from abtest import tracking
from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data
from abtest.record import TrainingRecord
from abtest.registry import RegistryClient
from abtest.training import folder
from abtest.training.held_out import Predicted
from abtest.training.recipe import Recipe
from abtest.training.training import Trained, fit, train
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE = Recipe(target="kind", models=("LogisticRegression", "DecisionTree", "KNeighbors"), folds=3, seed=7)


def rows(n: int = 120) -> pd.DataFrame:
    """Rows of every type: numbers, whole numbers, some missing, and text."""
    rng = np.random.default_rng(0)
    width, colour = rng.normal(size=n), rng.choice(["red", "blue"], size=n)
    count = rng.integers(0, 9, size=n)
    kind = np.where(width + (colour == "red") + rng.normal(scale=0.5, size=n) > 0.4, "apple", "pear")
    gap = pd.Series(count).astype("Int64").mask(count == 3)
    return pd.DataFrame({"width": width, "colour": colour, "count": count, "gap": gap, "kind": kind})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those rows in a file."""
    path = tmp_path_factory.mktemp("rows") / "fruit.csv"
    rows().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def shared(templates: Path, tmp_path_factory: pytest.TempPathFactory, file: Path) -> tuple[RegistryClient, Trained]:
    """A registry in which candidates were trained and the best was registered, once for all who only look."""
    place = tmp_path_factory.mktemp("trained")
    registry = RegistryClient(zoo.copy(templates / "empty.db", place))
    trained = train(
        RECIPE, file, model_name="fruit", stage="Staging", tracking_uri=registry.tracking_uri, output=place / "reports"
    )
    return registry, trained


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of the user's own, to write estimators into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "own_estimators.py"
    sys.modules.pop("own_estimators", None)


OWN = """
from pathlib import Path
from sklearn.linear_model import LogisticRegression

class Unwritable(LogisticRegression):
    def fit(self, X, y):
        super().fit(X, y)
        self.rule_ = lambda row: row
        return self

class Interrupted(LogisticRegression):
    def __getstate__(self):
        raise KeyboardInterrupt

class Vandal(LogisticRegression):
    def fit(self, X, y):
        Path("registry.db").write_bytes(b"this is no database")
        return super().fit(X, y)
"""


def run_of(registry: RegistryClient, run_id: str | None) -> Any:
    """One run, as MLflow has it."""
    assert run_id is not None
    return registry.client.get_run(run_id)


def candidates_of(registry: RegistryClient, record: TrainingRecord) -> dict[str, Any]:
    """The runs within the training's run, by the candidate's name."""
    found = registry.client.get_experiment_by_name(str(record.experiment))
    within = f"tags.`mlflow.parentRunId` = '{record.run_id}'"
    runs = registry.client.search_runs([found.experiment_id], within)  # type: ignore[union-attr] # it is there
    return {run.info.run_name: run for run in runs}


def test_each_candidate_is_a_run_within_the_training(shared: tuple[RegistryClient, Trained]) -> None:
    """Parent and candidates say what they are of; each has parameters, metrics and the data with their whole digest."""
    registry, trained = shared
    record = trained.record
    parent, found = run_of(registry, record.run_id), candidates_of(registry, record)
    assert parent.data.tags["abtest.kind"] == "training"
    assert set(found) == {it.name for it in record.candidates}
    for it in record.candidates:
        run = found[it.name]
        assert run.info.run_id == it.run_id
        assert run.info.status == "FINISHED"
        tags = run.data.tags
        assert tags["abtest.kind"] == "candidate"
        assert tags["abtest.data_digest"] == record.rows.digest
        assert tags["abtest.holdout_digest"] == record.rows.holdout_digest
        assert tags["abtest.target"] == "kind"
        assert tags["abtest.recipe_digest"] == record.recipe_digest
        assert it.cross_validated is not None
        assert run.data.metrics["cv.accuracy"] == it.cross_validated.mean
        assert {name: run.data.metrics[f"holdout.{name}"] for name in it.holdout} == it.holdout
        (entry,) = run.inputs.dataset_inputs
        assert entry.dataset.digest == record.rows.digest
        assert entry.tags[0].value == "training"
        assert run.data.params["estimator"] == it.estimator


def test_each_run_has_what_it_takes_to_repeat_it(shared: tuple[RegistryClient, Trained]) -> None:
    """The recipe, every installed distribution by version, and the columns are artifacts of each run."""
    registry, trained = shared
    record = trained.record
    for run_id in (record.run_id, *(it.run_id for it in record.candidates)):
        assert run_id is not None
        texts = {
            name: tracking.read_artifact(registry.client, run_id, name)
            for name in ("recipe.toml", "environment.txt", "features.json")
        }
        assert texts["recipe.toml"] == record.recipe
        first, *others = texts["environment.txt"].splitlines()
        assert first == "python=={}.{}.{}".format(*sys.version_info[:3])
        assert f"scikit-learn=={metadata.version('scikit-learn')}" in others
        assert others == sorted(others, key=str.casefold)
        columns = json.loads(texts["features.json"])
        assert columns == {"target": "kind", "unit": None, "features": ["width", "colour", "count", "gap"]}


def test_the_report_is_an_artifact_and_the_rows_are_not(shared: tuple[RegistryClient, Trained]) -> None:
    """The training's run holds page, record and figures, and none of the user's rows; the record knows its version."""
    registry, trained = shared
    assert trained.record.run_id is not None
    held = {it.path for it in registry.client.list_artifacts(trained.record.run_id)}
    assert {"report.html", "training.json", "summary.md", "figures"} <= held
    assert folder.HOLDOUT not in held
    logged = json.loads(tracking.read_artifact(registry.client, trained.record.run_id, "training.json"))
    assert TrainingRecord.from_dict(logged) == trained.record
    assert trained.record.version == 1


def test_the_logged_model_predicts_as_the_trained_one_did(
    shared: tuple[RegistryClient, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded again it takes the hold-out's file as it is, and says of it what was recorded, to the digest."""
    import mlflow.pyfunc

    registry, trained = shared
    assert trained.holdout_file is not None
    holdout = pd.read_parquet(trained.holdout_file)
    assert open_data(trained.holdout_file).digest() == trained.record.rows.holdout_digest
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.tracking_uri)
    with registry.active():
        for it in trained.record.candidates:
            model = mlflow.pyfunc.load_model(str(it.model_uri))
            inputs = model.metadata.get_input_schema()
            assert inputs.input_names() == list(trained.record.rows.features)
            assert inputs.input_types_dict()["gap"].name == "double"  # whole numbers of which some are missing
            said = model.predict(holdout[inputs.input_names()])
            assert Predicted(labels=np.asarray(said), scores=None).digest == it.prediction_digest


def test_requirements_are_those_of_its_classes_pinned(shared: tuple[RegistryClient, Trained]) -> None:
    """A model needs the libraries its classes come from in the versions that are installed here, and no test tool."""
    import mlflow.pyfunc

    registry, trained = shared
    with registry.active():
        path = mlflow.pyfunc.get_model_dependencies(str(trained.record.best.model_uri))
    wanted = dict(line.split("==") for line in Path(path).read_text(encoding="utf-8").split())
    assert set(wanted) == {"mlflow", "scikit-learn", "numpy", "pandas", "skops"}
    assert all(version == metadata.version(name) for name, version in wanted.items())


def test_the_recipe_of_a_run_gives_the_same_again(shared: tuple[RegistryClient, Trained], file: Path) -> None:
    """Trained again by the recipe that the run logged, every candidate predicts the same, and ranks the same."""
    registry, trained = shared
    assert trained.record.run_id is not None
    text = tracking.read_artifact(registry.client, trained.record.run_id, "recipe.toml")
    again = fit(Recipe.from_toml(text), file).record
    assert replace(again.rows, holdout_digest=trained.record.rows.holdout_digest) == trained.record.rows
    assert again.recipe_digest == trained.record.recipe_digest
    for one, other in zip(again.candidates, trained.record.candidates, strict=True):
        assert other.not_repeatable is None
        assert one.name == other.name
        assert one.prediction_digest == other.prediction_digest
        assert one.cross_validated == other.cross_validated


def test_the_best_is_registered_as_any_model_is(shared: tuple[RegistryClient, Trained]) -> None:
    """It is in its stage, by a move on record, with framework, dataset and metrics."""
    registry, trained = shared
    (version,) = registry.details("fruit")
    assert version.version.stage == "Staging"
    assert version.version.run_id == trained.record.best.run_id
    assert version.tags["framework"] == "sklearn"
    assert trained.record.rows.digest in version.tags["dataset"]
    assert "metric.cv.accuracy" in version.tags
    (move,) = tracking.find_runs(registry.client, "abtest/fruit", "tags.`abtest.kind` = 'registration'")
    assert move.tags["abtest.outcome"] == "done"
    assert move.tags["abtest.plan"] == "version 1: stage None → Staging"


def test_rows_held_out_are_no_training_data(shared: tuple[RegistryClient, Trained]) -> None:
    """The file that was logged holds the hold-out too, so that it does not pass for what was trained on."""
    registry, trained = shared
    assert tracking.training_source(registry.client, str(trained.record.best.run_id)) is None


def test_without_a_folder_nothing_is_left(registry: RegistryClient, file: Path, tmp_path: Path) -> None:
    """Where no folder is named the runs hold the report, and none stays on the disk."""
    before = set(tmp_path.iterdir())
    one = replace(RECIPE, models=("Baseline",))
    trained = train(one, file, tracking_uri=registry.tracking_uri, draw=False)
    assert trained.report is None
    assert trained.record.experiment == "abtest/training"
    assert {it.name for it in set(tmp_path.iterdir()) - before} <= {"mlruns"}
    held = {it.path for it in registry.client.list_artifacts(str(trained.record.run_id))}
    assert "report.html" in held
    assert "figures" not in held


def test_without_a_registry_models_are_in_the_folder(file: Path, tmp_path: Path) -> None:
    """Not logged, every candidate is a saved model beside the report, under a name that is fit for a folder."""
    import mlflow.pyfunc

    trained = train(replace(RECIPE, models=("Baseline", "NaiveBayes")), file, output=tmp_path, log=False, draw=False)
    paths = folder.models_of(trained)
    assert set(paths) == {"Baseline", "NaiveBayes"}
    for it in trained.record.candidates:
        said = mlflow.pyfunc.load_model(str(paths[it.name])).predict(
            trained.holdout[list(trained.record.rows.features)]
        )
        assert Predicted(labels=np.asarray(said), scores=None).digest == it.prediction_digest
    assert not (tmp_path / "mlflow.db").exists()


def test_what_skops_cannot_write_is_a_pickle_and_said_so(
    registry: RegistryClient, file: Path, tmp_path: Path, own_module: Path
) -> None:
    """Then the model is kept by cloudpickle, with a notice; and one about a class that no package installs."""
    own_module.write_text(OWN, encoding="utf-8")
    recipe = replace(RECIPE, models=("own_estimators:Unwritable",))
    trained = train(recipe, file, tracking_uri=registry.tracking_uri, output=tmp_path / "reports", draw=False)
    (pickled,) = [it for it in trained.record.notices if "pickle" in it]
    assert pickled.startswith("own_estimators:Unwritable")
    assert any("own_estimators, which no installed package holds" in it for it in trained.record.notices)
    assert trained.report is not None
    assert pickled in (trained.report / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    info = registry.model_info(str(trained.record.best.model_uri))
    assert info.flavors["sklearn"]["serialization_format"] == "cloudpickle"


REFUSED: dict[str, tuple[dict[str, Any], type[AbtestError], str]] = {
    "no registry": ({"tracking_uri": "sqlite:///nowhere.db"}, NotFoundError, "--no-log trains without"),
    "a stage of none": ({"model_name": "m", "stage": "Nowhere"}, InvalidInputError, "Nowhere"),
    "a stage of no model": ({"stage": "Staging"}, InvalidInputError, "stage means nothing without a model"),
    "an alias that MLflow keeps": ({"model_name": "m", "alias": "latest"}, InvalidInputError, "reserves"),
    "a name with a slash": ({"model_name": "a/b"}, InvalidInputError, "name cannot be 'a/b'"),
    "not logged": ({"model_name": "m", "log": False}, InvalidInputError, "cannot be registered"),
    "a folder that is a file": ({"output": Path("taken")}, InvalidInputError, "is a file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_fitted(registry: RegistryClient, case: str) -> None:
    """Options, names and places are looked at before the data are: here there are none, and nothing comes to be."""
    options, kind, said = REFUSED[case]
    Path("taken").touch()
    before = set(Path().iterdir())
    with pytest.raises(kind) as refusal:
        train(RECIPE, "no-such-file.csv", **{"tracking_uri": registry.tracking_uri, **options})
    assert said in str(refusal.value)
    assert set(Path().iterdir()) == before


def test_what_cannot_be_logged_is_kept(registry: RegistryClient, file: Path, tmp_path: Path) -> None:
    """Where MLflow takes no run the report and the models are in the folder, and the message says so."""
    import mlflow.pyfunc

    client = registry.client
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(
        NotFoundError, match=r"in .*reports/kind-training-.* with their models, but not logged"
    ) as error:
        train(
            replace(RECIPE, models=("Baseline",)), file, tracking_uri=registry.tracking_uri, experiment="gone",
            output=tmp_path / "reports", draw=False,
        )  # fmt: skip
    assert "restore" in str(error.value)
    (report,) = (tmp_path / "reports").iterdir()
    TrainingRecord.from_dict(json.loads((report / "training.json").read_text(encoding="utf-8")))
    assert mlflow.pyfunc.load_model(str(report / "models" / "Baseline")) is not None


def test_what_cannot_be_registered_is_logged(
    registry: RegistryClient, templates: Path, file: Path, tmp_path: Path, own_module: Path
) -> None:
    """A registry that breaks meanwhile leaves the runs finished, and the message says how to register later."""
    own_module.write_text(OWN, encoding="utf-8")
    shutil.copy(templates / "empty.db", "registry.db")
    with pytest.raises(BackendError, match="is not registered") as error:
        train(
            replace(RECIPE, models=("own_estimators:Vandal",)), file, tracking_uri=registry.tracking_uri,
            registry_uri=f"sqlite:///{tmp_path / 'registry.db'}", model_name="fruit", output=tmp_path / "reports",
            draw=False,
        )  # fmt: skip
    assert "abtest models register --run-id" in str(error.value)
    client = RegistryClient(registry.tracking_uri).client
    experiment = client.get_experiment_by_name("abtest/fruit")
    assert experiment is not None
    assert {run.info.status for run in client.search_runs([experiment.experiment_id])} == {"FINISHED"}


def test_an_interruption_leaves_runs_killed(
    registry: RegistryClient, file: Path, tmp_path: Path, own_module: Path
) -> None:
    """Ctrl-C while a model is logged leaves both runs KILLED, and the report, of which the interruption tells."""
    own_module.write_text(OWN, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt) as stop:
        train(
            replace(RECIPE, models=("own_estimators:Interrupted",)), file, tracking_uri=registry.tracking_uri,
            output=tmp_path / "reports", draw=False,
        )  # fmt: skip
    (report,) = (tmp_path / "reports").iterdir()
    assert str(report) in stop.value.__notes__[0]
    experiment = registry.client.get_experiment_by_name("abtest/training")
    assert experiment is not None
    runs = registry.client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["KILLED", "KILLED"]
