"""From references and files to a comparison: the whole sentence, with real models in a real registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from abtest import workflow
from abtest.errors import InvalidInputError, NotFoundError
from abtest.outcomes import PairedOutcomes
from abtest.registry import Reference
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from abtest.comparison import Comparison
    from abtest.registry import RegistryClient
    from tests.conftest import Told

QUICK: dict[str, Any] = {"resamples": 100}


def compared(registry: RegistryClient, *sides: Any, **options: Any) -> Comparison:
    """Compare the fruit's models on the fruit."""
    given = {"data": zoo.fruit(), "model_name": "fruit", "tracking_uri": registry.tracking_uri, **QUICK, **options}
    found: Comparison = workflow.compare(*sides, **given)
    return found


def table() -> PairedOutcomes:
    """The outcomes of champion and challenger, straight from their rules."""
    frame = zoo.fruit()
    return PairedOutcomes.from_predictions(frame["kind"].to_numpy(), zoo.linear(frame), zoo.better(frame))


@pytest.mark.parametrize(
    ("champion", "challenger"),
    [
        (None, None),
        (Reference(kind="stage", value="Production"), Reference(kind="alias", value="challenger")),
        (Reference(kind="version", value="1"), Reference(kind="version", value="2")),
        ("models:/fruit@champion", "models:/fruit/2"),
        ("models:/fruit/Production", "models:/fruit/Staging"),
    ],
    ids=["defaults", "stage and alias", "versions", "URIs", "stages in URIs"],
)
def test_every_reference_gives_the_same_table(stocked: RegistryClient, champion: Any, challenger: Any) -> None:
    """However a side is named, the record holds its version and the outcomes are the rules' own."""
    comparison = compared(stocked, champion, challenger)
    assert comparison.outcomes == table()
    record = comparison.record
    assert (record.model_name, record.champion.version, record.challenger.version) == ("fruit", 1, 2)
    assert (record.champion.uri, record.challenger.uri) == ("models:/fruit/1", "models:/fruit/2")
    assert (record.data.target, record.data.n) == ("kind", 60)


def test_models_without_a_registry(tmp_path: Path) -> None:
    """Paths, and objects that predict, need no registry, and none is made."""
    inputs = zoo.signature(width="double", height="double")
    old = zoo.save(zoo.linear, tmp_path / "models" / "old", inputs=inputs)

    class Better:
        def predict(self, features: pd.DataFrame) -> Any:
            return zoo.better(features)

    comparison = workflow.compare(Path(old), Better(), data=zoo.fruit(), target="kind", **QUICK)
    assert comparison.outcomes == table()
    assert comparison.registry is None
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_logged_run(stocked: RegistryClient) -> None:
    """A runs:/ URI is loaded from its run, which is on record."""
    import mlflow.pyfunc

    with stocked.active():
        experiment = stocked.client.create_experiment(
            "training", artifact_location=Path("artifacts").resolve().as_uri()
        )
        with mlflow.start_run(experiment_id=experiment) as run:
            zoo.log(zoo.better, inputs=zoo.signature(width="double", height="double"))
    comparison = compared(stocked, None, f"runs:/{run.info.run_id}/model")
    assert comparison.outcomes == table()
    assert (comparison.record.challenger.run_id, comparison.record.challenger.version) == (run.info.run_id, None)


def test_the_baseline(stocked: RegistryClient) -> None:
    """The majority-class predictor can be the champion, and it is said what it predicts."""
    comparison = compared(stocked, "baseline", None)
    assert comparison.record.champion.version is None
    assert any("majority-class predictor: it always says" in notice for notice in comparison.record.notices)
    assert comparison.contingency.challenger_only > 20


def test_the_target_is_what_neither_model_takes(stocked: RegistryClient) -> None:
    """Without a target it is the one column no signature names; none or several of them are refused."""
    assert compared(stocked).record.data.target == "kind"
    with pytest.raises(InvalidInputError, match=r"no column beside the models' features.*--target names"):
        compared(stocked, data=zoo.fruit()[["width", "height"]])
    with pytest.raises(InvalidInputError, match="target is needed: neither model takes the columns kind, more"):
        compared(stocked, data=zoo.fruit().assign(more=1))
    assert compared(stocked, data=zoo.fruit().assign(more=1), target="kind").outcomes == table()


def test_without_a_signature_the_target_is_the_last_column(tmp_path: Path) -> None:
    """Where a model names no columns the last one is taken for the target, and it is said."""
    saved = [zoo.save(rule, tmp_path / rule.__name__) for rule in (zoo.linear, zoo.better)]
    comparison = workflow.compare(*saved, data=zoo.fruit(), **QUICK)
    assert comparison.outcomes == table()
    assert "The target is taken to be the last column, 'kind': a model has no column signature." in (
        comparison.record.notices
    )


def test_models_logged_from_numpy(tmp_path: Path) -> None:
    """Models with tensor signatures, of whole numbers and of doubles, are compared on the same CSV."""

    def rule(array: Any) -> Any:
        return np.where(array[:, 1] > array[:, 0], "pear", "apple")

    whole = zoo.save(rule, tmp_path / "whole", inputs=zoo.tensors("int64", -1, 2))
    double = zoo.save(rule, tmp_path / "double", inputs=zoo.tensors("float64", -1, -1))
    zoo.fruit().round(0).astype({"width": int, "height": int}).to_csv("t.csv", index=False)
    comparison = workflow.compare(whole, double, data="t.csv", target="kind", **QUICK)
    assert comparison.contingency.discordant == 0
    with pytest.raises(InvalidInputError, match="takes 2 columns and the data have 3 beside the target 'kind'"):
        workflow.compare(whole, double, data=zoo.fruit().assign(more=1), target="kind", **QUICK)


def test_scikit_learn_models(registry: RegistryClient) -> None:
    """Real estimators in their own flavour, logged with inferred signatures, predict what scikit-learn predicts."""
    import mlflow.sklearn
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score

    frame = zoo.fruit(200)
    features, kind = frame[list(zoo.FEATURES)], frame["kind"]
    registry.client.create_experiment("training", artifact_location=Path("artifacts").resolve().as_uri())
    expected = []
    with registry.active():
        mlflow.set_experiment("training")
        for alias, columns in (("champion", ["width"]), ("challenger", list(zoo.FEATURES))):
            model = LogisticRegression().fit(features[columns], kind)
            signature = infer_signature(features[columns], model.predict(features[columns]))
            with mlflow.start_run():
                info = mlflow.sklearn.log_model(model, name="m", signature=signature, pip_requirements=["scikit-learn"])
            if alias == "champion":
                registry.client.create_registered_model("fruit")
            version = registry.client.create_model_version("fruit", info.model_uri)
            registry.client.set_registered_model_alias("fruit", alias, str(version.version))
            expected.append(accuracy_score(kind, model.predict(features[columns])))
    frame.to_csv("fruit.csv", index=False)
    comparison = compared(registry, data="fruit.csv")
    row = comparison.metrics.loc["accuracy"]
    assert [row["champion"], row["challenger"]] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("batch_size", [1, 17, 10_000])
def test_the_batch_size_does_not_matter(stocked: RegistryClient, batch_size: int) -> None:
    """Rows in memory at a time change nothing but memory."""
    seen: list[tuple[str, int, int | None]] = []

    def progress(what: str, rows: int, total: int | None) -> None:
        seen.append((what, rows, total))

    comparison = compared(stocked, batch_size=batch_size, progress=progress)
    assert comparison.outcomes == table()
    assert ("Scoring", 60, 60) in seen
    assert seen[-1] == ("Resampling", comparison.record.settings.resamples, comparison.record.settings.resamples)


def test_nothing_is_written_or_logged_unless_told(stocked: RegistryClient, tmp_path: Path) -> None:
    """A comparison in Python leaves nothing behind, here or in MLflow."""
    before = sorted(path.name for path in tmp_path.iterdir())
    compared(stocked)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert [experiment.name for experiment in stocked.client.search_experiments()] == ["Default"]


def test_mlflow_is_left_as_it_was(stocked: RegistryClient) -> None:
    """Comparing in another registry does not change which one MLflow uses."""
    import mlflow

    mlflow.set_tracking_uri("sqlite:////elsewhere.db")
    compared(stocked)
    assert mlflow.get_tracking_uri() == mlflow.get_registry_uri() == "sqlite:////elsewhere.db"


def test_mistakes_come_before_the_work(stocked: RegistryClient) -> None:
    """A data file that is not there is told before the registry is asked."""
    with pytest.raises(NotFoundError, match=r"test-data nowhere.csv does not exist"):
        compared(stocked, data="nowhere.csv", tracking_uri="http://127.0.0.1:1")
    with pytest.raises(InvalidInputError, match="label_type must be one of int, float, str, bool, got 'integer'"):
        compared(stocked, label_type="integer")


def test_columns_of_a_file(cli: Callable[..., Told]) -> None:
    """compare-predictions reads three columns of one file, and needs no registry."""
    frame = zoo.fruit()
    frame.assign(old=zoo.linear(frame), new=zoo.better(frame)).to_csv("t.csv", index=False)
    comparison = workflow.compare_columns("t.csv", target="kind", champion="old", challenger="new", **QUICK)
    assert comparison.outcomes == table()
    told = cli(
        "compare-predictions", "t.csv", "--target", "kind", "--champion", "old", "--challenger", "new",
        "--resamples", "100", "--no-save-plot", "--quiet",
    )  # fmt: skip
    assert told.out == f"{comparison.verdict}\n"
