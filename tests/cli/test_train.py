"""``abtest train``: what is typed, what is printed where, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.record import TrainingRecord
from abtest.training.recipe import Recipe
from tests.training.test_logging import rows

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

QUICK = ("--target", "kind", "--models", "NaiveBayes,Baseline", "--folds", "3", "--no-save-plot")


@pytest.fixture(autouse=True)
def _file() -> None:
    """Rows in a file of the test's folder."""
    rows(60).drop(columns="gap").to_csv("fruit.csv", index=False)


def test_from_a_file_to_a_version(cli: Any, registry: RegistryClient) -> None:
    """Candidates are ranked, logged and registered; it is told where everything is, and what is next works."""
    train = ("train", "--data", "fruit.csv", *QUICK, "--register", "fruit", "--tracking-uri", registry.tracking_uri)
    first = cli(*train, "--stage", "Production")
    lines = first.out.splitlines()
    ranked = [line.split()[:2] for line in lines[2:4]]
    assert ranked == [["1", "NaiveBayes"], ["2", "Baseline"]]
    assert "NaiveBayes ranks first" in first.out
    assert "Model     version 1 of 'fruit' in Production" in first.err
    second = cli(*train, "--stage", "Staging", "--alias", "challenger")
    assert "Model     version 2 of 'fruit' in Staging as challenger" in second.err
    for word in ("Registry  ", "Report    reports/fruit-training-", "MLflow    run "):
        assert word in second.err
    (following,) = [line for line in second.err.splitlines() if line.startswith("Next      abtest compare ")]
    typed = following.removeprefix("Next      abtest ").split()
    told = cli(*typed, "--tracking-uri", registry.tracking_uri, "--no-log", "--no-save-plot", "--format", "json")
    compared = json.loads(told.out)
    assert compared["champion"]["version"] == 1
    assert compared["challenger"]["version"] == 2
    assert compared["data"]["n"] == 12
    assert compared["contingency"]["champion_only"] == compared["contingency"]["challenger_only"] == 0  # the same model


@pytest.mark.parametrize("form", ["json", "markdown", "quiet"])
def test_as_it_is_asked_for(cli: Any, form: str) -> None:
    """JSON is the record of the folder, Markdown its summary; quiet is the best one's name alone."""
    asked = ("--quiet",) if form == "quiet" else ("--format", form)
    told = cli("train", "--data", "fruit.csv", *QUICK, "--no-log", *asked)
    (report,) = Path("reports").iterdir()
    if form == "quiet":
        assert (told.out, told.err) == ("NaiveBayes\n", "")
        return
    kept = {"json": "training.json", "markdown": "summary.md"}[form]
    assert told.out == (report / kept).read_text(encoding="utf-8")
    assert "Next      abtest predict --model-uri reports/" in told.err
    if form == "json":
        record = TrainingRecord.from_dict(json.loads(told.out))
        assert record.provenance.command == " ".join(
            ["abtest", "train", "--data", "fruit.csv", *QUICK, "--no-log", *asked]
        )


def test_a_recipe_repeats_it_and_options_win(cli: Any) -> None:
    """A saved recipe alone trains the same; an option that differs from it wins, and that is said."""
    Path("kept").mkdir()
    first = cli(
        "train", "--data", "fruit.csv", *QUICK, "--no-log", "--format", "json", "--save-recipe", "kept/fruit.toml"
    )
    assert Recipe.load("kept/fruit.toml").data == str(Path("kept") / "../fruit.csv")
    again = cli("train", "--recipe", "kept/fruit.toml", "--no-log", "--no-save-plot", "--format", "json")
    one, other = (TrainingRecord.from_dict(json.loads(it.out)) for it in (first, again))
    assert [it.prediction_digest for it in one.candidates] == [it.prediction_digest for it in other.candidates]
    assert one.recipe_digest == other.recipe_digest
    assert "wins over" not in again.err
    third = cli(
        "train", "--recipe", "kept/fruit.toml", "--models", "Baseline", "--folds", "4", "--no-log", "--no-save-plot"
    )
    assert "Note: --folds 4 wins over the recipe's 3." in third.err
    assert "Note: --models Baseline wins over the recipe's NaiveBayes,Baseline." in third.err
    assert "Baseline is the only candidate" in third.out


def test_what_a_recipe_sets_of_others_is_left_out(cli: Any) -> None:
    """Parameters of estimators that --models leaves out are no error."""
    Path("r.toml").write_text(
        'data = "fruit.csv"\ntarget = "kind"\nmodels = ["KNeighbors", "Baseline"]\nfolds = 3\n'
        "[parameters.KNeighbors]\nn_neighbors = 3\n",
        encoding="utf-8",
    )
    told = cli("train", "--recipe", "r.toml", "--models", "baseline", "--no-log", "--no-save-plot", "--quiet")
    assert told.out == "Baseline\n"


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no rows": (QUICK, 2, "--data"),
    "no target": (("--data", "fruit.csv", "--models", "Baseline"), 2, "--target"),
    "no models": (("--data", "fruit.csv", "--target", "kind"), 2, "--models"),
    "empty models": (("--data", "fruit.csv", "--target", "kind", "--models", ","), 2, "must name one"),
    "a stage of nothing": (("--data", "fruit.csv", *QUICK, "--stage", "Staging"), 2, "--register NAME"),
    "registered and not logged": (("--data", "fruit.csv", *QUICK, "--register", "m", "--no-log"), 2, "--no-log"),
    "an unknown estimator": (
        ("--data", "fruit.csv", "--target", "kind", "--models", "RandomForrest", "--no-log"), 1, "RandomForest",
    ),
    "no registry": (("--data", "fruit.csv", *QUICK), 1, "There is no MLflow registry at sqlite:///"),
    "no recipe": (("--recipe", "none.toml", "--no-log"), 1, "none.toml"),
    "a recipe with an unknown key": (("--recipe", "wrong.toml", "--no-log"), 1, "did you mean 'folds'?"),
    "a recipe without rows": (("--recipe", "rowless.toml", "--no-log"), 2, "--data"),
    "one class": (("--data", "one.csv", *QUICK, "--no-log"), 1, "must have two classes"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_a_sentence(cli: Any, case: str) -> None:
    """One sentence says what is wrong, and nothing is written: no report, and no database."""
    rows(60).assign(kind="apple").to_csv("one.csv", index=False)
    Path("wrong.toml").write_text('target = "kind"\nmodels = ["Baseline"]\nfoldz = 3\n', encoding="utf-8")
    Path("rowless.toml").write_text('target = "kind"\nmodels = ["Baseline"]\n', encoding="utf-8")
    before = set(Path().iterdir())
    arguments, code, said = REFUSED[case]
    told = cli("train", *arguments, code=code)
    shown = " ".join(told.err.replace("│", " ").split())
    assert said in shown
    assert set(Path().iterdir()) == before


def test_a_newcomer_is_told_the_way(cli: Any) -> None:
    """Without a registry the hint names all ways on: a server, the demo, and none at all."""
    told = cli("train", "--data", "fruit.csv", *QUICK, code=1)
    for way in ("--no-log", "mlflow db upgrade", "--tracking-uri"):
        assert way in told.error


def test_settings_and_code_are_those_of_the_folder(cli: Any, registry: RegistryClient) -> None:
    """The table [registry] of abtest.toml is heard, as by every command; and each run names the commit here."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git here")
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for words in (("init", "-q"), (*who, "commit", "-q", "--allow-empty", "-m", "Begin"), ("rev-parse", "HEAD")):
        told = subprocess.run([git, *words], capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    commit = told.stdout.strip()
    Path("abtest.toml").write_text(f'[registry]\ntracking_uri = "{registry.tracking_uri}"\n', encoding="utf-8")
    told = cli("train", "--data", "fruit.csv", *QUICK[:2], "--models", "Baseline", "--no-save-plot", "--quiet")
    assert told.out == "Baseline\n"
    experiment = registry.client.get_experiment_by_name("abtest/training")
    assert experiment is not None
    runs = registry.client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    assert {run.data.tags["mlflow.source.git.commit"] for run in runs} == {commit}
