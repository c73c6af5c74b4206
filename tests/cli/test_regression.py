"""A regression as it is typed: registered scikit-learn regressors from command to report, run, gate and promotion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from abtest.decision import Verdict
from abtest.record import SCHEMA_FILE, ComparisonRecord
from tests.known import known
from tests.workflow import better, house_of_rents, plain, rents, said, written_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.registry import RegistryClient
    from tests.conftest import Told

    Typed = Callable[..., Told]

QUICK = ("--resamples", "100", "--no-save-plot")
BEFORE = {1: ("Production", ("champion",)), 2: ("Staging", ("challenger",)), 3: (None, ())}
AFTER = {1: ("Archived", ()), 2: ("Production", ("champion",)), 3: (None, ())}


@pytest.fixture
def house(registry: RegistryClient, tmp_path: Path) -> RegistryClient:
    """A folder with a registry of regressors, and rents to test them on."""
    rents().to_csv("rents.csv", index=False)
    return house_of_rents(registry, tmp_path / "models")


@pytest.fixture
def typed(house: RegistryClient, cli: Typed) -> Typed:
    """``abtest compare`` of two versions."""
    del house

    def type_in(
        *options: str, champion: str = "1", challenger: str = "2", data: str = "rents.csv", **code: int
    ) -> Told:
        sides = ("--model-name", "rents", "--champion-version", champion, "--challenger-version", challenger)
        return cli("compare", *sides, "--test-data", data, "--target", "rent", *QUICK, *options, **code)

    return type_in


def record_of(told: Told) -> ComparisonRecord:
    """What was printed as JSON, which fits the schema."""
    data = json.loads(told.out)
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    return ComparisonRecord.from_dict(data)


def state(registry: RegistryClient) -> dict[int, tuple[str | None, tuple[str, ...]]]:
    """Stage and aliases of each version."""
    return {version.version: (version.stage, version.aliases) for version in registry.versions("rents")}


def runs(registry: RegistryClient, kind: str = "comparison") -> list[Any]:
    """Runs of a kind, the latest first."""
    found = registry.client.get_experiment_by_name("abtest/rents")
    wanted = f"tags.`abtest.kind` = '{kind}'"
    return [] if found is None else [*registry.client.search_runs([found.experiment_id], filter_string=wanted)]


def test_from_command_to_promotion(house: RegistryClient, cli: Typed) -> None:
    """With hardly an option the report is whole, the run has scikit-learn's numbers, and promotion moves it."""
    rents().drop(columns="house").to_csv("rents.csv", index=False)
    told = cli("compare", "--test-data", "rents.csv", "--resamples", "100", "--segments", "region", "--auto-promote")
    assert told.out.startswith("PROMOTE")
    assert "as the target 'rent' is continuous" in " ".join(told.out.split())
    (report,) = Path("reports").iterdir()
    assert {path.name for path in report.iterdir()} == {"report.html", "comparison.json", "summary.md", "figures"}
    assert [path for path in (report / "figures").iterdir() if path.suffix == ".png"]
    record = ComparisonRecord.from_dict(json.loads((report / "comparison.json").read_text(encoding="utf-8")))
    assert (record.task, record.model_name, record.data.target) == ("regression", "rents", "rent")
    frame = rents()
    (run,) = runs(house)
    for side, model in (("champion", plain()), ("challenger", better())):
        expected = [
            score(frame["rent"], said(model, frame)) for score in (root_mean_squared_error, mean_absolute_error)
        ]
        assert [run.data.metrics[f"{side}.{name}"] for name in ("rmse", "mae")] == pytest.approx(expected, rel=1e-9)
    assert not [name for name in run.data.metrics if name.startswith("mcnemar")]
    page = (report / "report.html").read_text(encoding="utf-8")
    for word in ("RMSE", "MAE", "R²", "Bias", "north"):
        assert word in page
    assert "Promoted version 2" in told.err
    assert state(house) == AFTER
    assert len(runs(house, "promotion")) == 1


@pytest.mark.parametrize(
    ("sides", "verdict", "code"),
    [
        (("1", "2"), "PROMOTE", 0),
        (("2", "1"), "KEEP_CHAMPION", 4),
        (("1", "3"), "KEEP_CHAMPION", 4),
        (("baseline", "2"), "PROMOTE", 0),
    ],
)
def test_the_gate_speaks_in_exit_codes(
    typed: Typed, house: RegistryClient, sides: tuple[str, str], verdict: str, code: int
) -> None:
    """Better passes the gate; worse does not, and --auto-promote moves nothing then; the mean is no match."""
    champion, challenger = sides
    told = typed("--gate", "--quiet", "--no-log", champion=champion, challenger=challenger, code=code)
    assert told.out == f"{verdict}\n"
    if code:
        typed("--auto-promote", "--promote-on", "conditional", champion=champion, challenger=challenger)
    assert state(house) == BEFORE


def test_a_gate_without_evidence(typed: Typed) -> None:
    """Four rows show nothing: exit code 5, or 0 where that is accepted."""
    rents(4).to_csv("few.csv", index=False)
    told = typed("--gate", "--no-log", data="few.csv", code=5)
    assert told.out.startswith("INSUFFICIENT_EVIDENCE")
    typed("--gate", "--accept", "insufficient-evidence", "--no-log", data="few.csv")


def test_json_is_the_file_and_fits_the_schema(typed: Typed) -> None:
    """--format json prints comparison.json to the letter, and the p-values in it are SciPy's."""
    told = typed("--format", "json", "--no-log")
    (report,) = Path("reports").iterdir()
    assert told.out == (report / "comparison.json").read_text(encoding="utf-8")
    frame, record = rents(), record_of(told)
    squares = [np.square(said(model, frame) - frame["rent"]) for model in (better(), plain())]
    assert record.evaluation.metric("rmse").pvalue == pytest.approx(stats.ttest_rel(*squares).pvalue, rel=1e-8)
    markdown = typed("--format", "markdown", "--no-log").out
    assert "| RMSE |" in markdown


@pytest.mark.parametrize("source", ["models", "columns"])
def test_the_task_is_inferred_asked_or_set(typed: Typed, cli: Typed, source: str) -> None:
    """--task wins over what is inferred, and the settings over nothing typed; whole numbers in columns are classes."""
    frame = rents().round({"rent": 0})
    frame.assign(a=said(plain(), frame).round(), b=said(better(), frame).round()).to_csv("whole.csv", index=False)

    def task(*options: str, code: int = 0) -> Told:
        if source == "models":
            return typed(*options, "--no-log", "--format", "json", data="whole.csv", code=code)
        columns = ("--champion", "a", "--challenger", "b", "--target", "rent")
        return cli("compare-predictions", "whole.csv", *columns, *QUICK, "--format", "json", *options, code=code)

    if source == "models":
        assert record_of(task()).task == "regression"
        assert "predictions are not class labels" in task("--task", "classification", code=1).error
    else:
        assert record_of(task()).task == "classification"
    assert record_of(task("--task", "regression")).task == "regression"
    Path("abtest.toml").write_text('[compare]\ntask = "regression"\n', encoding="utf-8")
    assert record_of(task()).task == "regression"
    assert "'--task'" in task("--task", "clustering", code=2).err


def test_a_test_set_that_grew_shows_nothing(typed: Typed, house: RegistryClient) -> None:
    """Rows that extend those of an earlier look are at best INSUFFICIENT_EVIDENCE, under any rule; nothing moves."""
    rents()[:100].to_csv("first.csv", index=False)
    first = record_of(typed("--format", "json", data="first.csv"))
    assert first.decision.verdict is Verdict.PROMOTE
    rules: list[dict[str, Any]] = [
        {"rule": "share"},
        {"rule": "non-inferior", "primary": "mae", "margin": 50.0},
        {"rule": "primary", "primary": "rmse"},
    ]
    for rule in rules:
        told = typed(*written_policy(**rule), "--auto-promote", "--gate", code=5)
        assert "The first 100 of these rows were looked at before" in " ".join(told.out.split())
    assert record_of(typed("--format", "json", challenger="3")).growth is None
    assert state(house) == BEFORE


def test_training_and_locked_rows(typed: Typed) -> None:
    """--train-data finds rows trained on, --confirm-data is opened after PROMOTE, and both are in the report."""
    frame = rents()
    frame[20:50].to_csv("train.csv", index=False)
    rents(seed=3).to_csv("locked.csv", index=False)
    record = record_of(typed("--train-data", "train.csv", "--confirm-data", "locked.csv", "--format", "json"))
    assert (known(record.data.train).leaked, known(record.data.train).total_variation) == (30, None)
    assert known(record.confirmation).held
    (report,) = Path("reports").iterdir()
    page = " ".join((report / "report.html").read_text(encoding="utf-8").split())
    assert "30 test rows (15.0 %; first: row 21) are in the training data" in page
    assert "The locked test set confirms the verdict." in page


def test_units(typed: Typed) -> None:
    """--unit tests units, in JSON and in words."""
    told = typed("--unit", "house", "--no-log")
    assert "units, not rows, are taken to be independent" in " ".join(told.out.split())
    assert (
        record_of(typed("--unit", "house", "--no-log", "--format", "json")).evaluation.metric("mae").test == "by unit"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--label-type", "int"), "label_type means nothing in a regression, got 'int'. Hint: --task classification"),
        (("--average", "weighted"), "average means nothing in a regression, got 'weighted'."),
        (("--policy", "accuracy.toml"), "The policy's metrics (accuracy, f1) are of classification, and this is regr"),
        (("--policy", "own.toml"), "metrics: 'nowhere_at_all:loss' cannot be imported"),
        (("--policy", "regression.toml", "--task", "classification"), "are of regression, and this is classification."),
        (("--policy", "both.toml"), "metrics must be of one task, got rmse (regression) and f1 (classification)."),
        (("--test-data", "text.csv"), "Target 'rent' must be a number, got 'much' in row 3."),
        (("--test-data", "holes.csv"), "Target 'rent' is missing in 1 row (first: row 2)."),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_line(
    typed: Typed, house: RegistryClient, options: tuple[str, ...], told: str
) -> None:
    """What means nothing here, or is no number, is one line on stderr and exit 1; no report, no run, no move."""
    Path("accuracy.toml").write_text('metrics = ["accuracy", "f1"]', encoding="utf-8")
    Path("own.toml").write_text('metrics = ["rmse", "nowhere_at_all:loss"]', encoding="utf-8")
    Path("regression.toml").write_text('metrics = ["rmse"]', encoding="utf-8")
    Path("both.toml").write_text('metrics = ["rmse", "f1"]', encoding="utf-8")
    frame = rents(10)
    frame.astype({"rent": str}).assign(rent=lambda rows: rows["rent"].where(rows.index != 2, "much")).to_csv("text.csv")
    frame.assign(rent=frame["rent"].where(frame.index != 1)).to_csv("holes.csv", index=False)
    said_so = typed(*options, "--auto-promote", code=1)
    assert told in said_so.error
    assert said_so.out == ""
    assert not Path("reports").exists()
    assert (runs(house), state(house)) == ([], BEFORE)
