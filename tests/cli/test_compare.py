"""`abtest demo` and `abtest compare` as a newcomer types them, on real models in a real registry."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from abtest.record import ComparisonRecord
from abtest.registry import RegistryClient
from abtest.transitions import into_production
from tests import trails
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cli, Told

    Typed = Callable[..., Told]
    from pathlib import Path

COMPARE = ["compare", "--champion-stage", "Production", "--challenger-stage", "Staging"]
BEFORE = {1: ("Production", ("champion",)), 2: ("Staging", ("challenger",))}
AFTER = {1: ("Archived", ()), 2: ("Production", ("champion",))}


def typed(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Type a command in a shell of its own."""
    return subprocess.run(  # noqa: S603 - the program under test
        [sys.executable, "-m", "abtest", *arguments], cwd=cwd, capture_output=True, text=True, check=True
    )


@pytest.fixture
def abtest(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """The command line, typed in a folder; it runs in this process, which has MLflow imported already."""

    def type_in(*arguments: str, cwd: Path, code: int = 0) -> Told:
        monkeypatch.chdir(cwd)
        told: Told = cli(*arguments, code=code)
        return told

    return type_in


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a newcomer has after `abtest demo`."""
    folder = tmp_path_factory.mktemp("newcomer")
    assert typed("demo", cwd=folder).stdout.startswith("PROMOTE")
    return folder / "abtest-demo"


@pytest.fixture
def fresh(demo: Path) -> Iterator[Path]:
    """The same folder, its registry put back afterwards."""
    shutil.copy(demo / "mlflow.db", demo.parent / "kept.db")
    yield demo
    shutil.copy(demo.parent / "kept.db", demo / "mlflow.db")


def state(folder: Path) -> dict[int, tuple[str | None, tuple[str, ...]]]:
    """Stage and aliases of each version in the folder's registry."""
    versions = RegistryClient(f"sqlite:///{folder / 'mlflow.db'}").versions("digits")
    return {v.version: (v.stage, v.aliases) for v in versions}


def reports(folder: Path) -> list[Path]:
    """Report folders, oldest first."""
    return sorted((folder / "reports").glob("*"), key=lambda path: path.stat().st_mtime_ns)


def test_works_as_typed_after_the_demo(fresh: Path) -> None:
    """In the demo's folder the README's command gives verdict, report and run."""
    told = typed(*COMPARE, cwd=fresh)
    assert told.stdout.startswith("PROMOTE  The challenger should replace the champion")
    report = reports(fresh)[-1]
    assert report.name.startswith("digits-v1-vs-v2-")
    assert f"Registry  sqlite:///{fresh / 'mlflow.db'}" in told.stderr
    assert f"Report    reports/{report.name}/report.html" in told.stderr
    data = json.loads((report / "comparison.json").read_text(encoding="utf-8"))
    record = ComparisonRecord.from_dict(data)
    assert (record.champion.version, record.challenger.version, record.data.n) == (1, 2, 899)
    run_id = told.stderr.split("run ")[1].split()[0]
    client = RegistryClient(f"sqlite:///{fresh / 'mlflow.db'}").client
    assert client.get_run(run_id).data.tags["abtest.verdict"] == "PROMOTE"
    assert state(fresh) == BEFORE


def test_agrees_with_scikit_learn(abtest: Typed, fresh: Path) -> None:
    """The metrics are those of scikit-learn on the models' own predictions."""
    import mlflow.sklearn
    import pandas as pd
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    told = abtest(*COMPARE, "--no-save-plot", "--no-log", "--format", "json", cwd=fresh)
    record = ComparisonRecord.from_dict(json.loads(told.out))
    rows = pd.read_csv(fresh / "digits-test.csv")
    registry = RegistryClient(f"sqlite:///{fresh / 'mlflow.db'}")
    for number, side in ((1, "champion"), (2, "challenger")):
        with registry.active():
            model = mlflow.sklearn.load_model(f"models:/digits/{number}")
        predicted = model.predict(rows.drop(columns="digit"))
        macro = precision_recall_fscore_support(rows["digit"], predicted, average="macro")[:3]
        expected = [accuracy_score(rows["digit"], predicted), *macro]
        assert [getattr(row, side) for row in record.metrics] == pytest.approx(expected, abs=1e-15)


def test_json_is_the_file_to_the_letter(abtest: Typed, fresh: Path) -> None:
    """`--format json` prints exactly comparison.json, and nothing else on stdout."""
    told = abtest(*COMPARE, "--no-save-plot", "--no-log", "--format", "json", cwd=fresh)
    assert told.out == (reports(fresh)[-1] / "comparison.json").read_text(encoding="utf-8")


def test_quiet_prints_the_verdict_alone(abtest: Typed, fresh: Path) -> None:
    """`--quiet` says one word on stdout and nothing on stderr."""
    told = abtest(*COMPARE, "--no-save-plot", "--no-log", "--quiet", cwd=fresh)
    assert (told.out, told.err) == ("PROMOTE\n", "")


def test_markdown_is_the_summary_file(abtest: Typed, fresh: Path) -> None:
    """`--format markdown` prints summary.md."""
    told = abtest(*COMPARE, "--no-save-plot", "--no-log", "--format", "markdown", cwd=fresh)
    assert told.out == (reports(fresh)[-1] / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "references",
    [
        [],
        ["--champion-alias", "champion", "--challenger-alias", "challenger"],
        ["--champion-version", "1", "--challenger-version", "2"],
        ["--champion-uri", "models:/digits@champion", "--challenger-uri", "models:/digits/2"],
        ["--champion-uri", "models:/digits/Production", "--challenger-version", "latest"],
    ],
    ids=["defaults", "aliases", "versions", "URIs", "mixed"],
)
def test_every_kind_of_reference_names_the_same_models(abtest: Typed, fresh: Path, references: list[str]) -> None:
    """However the two versions are named, the outcomes are the same table."""
    told = abtest("compare", *references, "--no-save-plot", "--no-log", "--format", "json", cwd=fresh)
    record = ComparisonRecord.from_dict(json.loads(told.out))
    assert (record.champion.version, record.challenger.version) == (1, 2)
    assert known(record.contingency).n == 899
    assert (known(record.contingency).champion_only, known(record.contingency).challenger_only) == (2, 28)


def test_auto_promote_with_stages_resolves_the_version(abtest: Typed, fresh: Path) -> None:
    """Named by stages, the challenger's version is promoted, the champion's archived, and it is on record."""
    told = abtest(*COMPARE, "--no-save-plot", "--auto-promote", cwd=fresh)
    assert "version 2: stage Staging → Production" in told.err
    assert "Promoted version 2; recorded in run " in told.err
    assert state(fresh) == AFTER
    again = abtest("compare", "--champion-version", "1", "--challenger-version", "2", "--auto-promote", cwd=fresh)
    assert "Nothing to promote" in again.err
    assert state(fresh) == AFTER


def test_a_dry_run_prints_the_plan_and_moves_nothing(abtest: Typed, fresh: Path) -> None:
    """`--dry-run` stops at the plan."""
    told = abtest(*COMPARE, "--no-save-plot", "--auto-promote", "--dry-run", cwd=fresh)
    assert "version 1: stage Production → Archived" in told.err
    assert state(fresh) == BEFORE


def test_nothing_else_promotes(abtest: Typed, fresh: Path) -> None:
    """With the sides exchanged the verdict keeps the champion, and --auto-promote moves nothing."""
    told = abtest(
        "compare", "--champion-version", "2", "--challenger-version", "1", "--no-save-plot", "--auto-promote", cwd=fresh
    )
    assert told.out.startswith("KEEP_CHAMPION")
    assert "Not promoted" in told.err
    assert state(fresh) == BEFORE


def test_the_first_deployment_beats_the_baseline(abtest: Typed, fresh: Path) -> None:
    """`--champion-version baseline` compares with the majority-class predictor, and can be promoted over it."""
    registry = RegistryClient(f"sqlite:///{fresh / 'mlflow.db'}")
    registry.set_stage("digits", 1, "Archived")
    registry.delete_alias("digits", "champion")
    sides = ["--champion-version", "baseline", "--challenger-stage", "Staging"]
    told = abtest("compare", *sides, "--no-save-plot", "--auto-promote", cwd=fresh)
    assert told.out.startswith("PROMOTE")
    assert "majority-class predictor" in told.out
    assert "predictions were cast" not in told.out
    assert state(fresh)[2][0] == "Production"


def test_an_unfinished_promotion_is_named_whatever_experiment_runs_go_to(abtest: Typed, fresh: Path) -> None:
    """Whoever keeps comparisons in an experiment of their own is told, too, of a promotion cut off half-way."""
    registry = RegistryClient(f"sqlite:///{fresh / 'mlflow.db'}")
    versions = registry.versions("digits")
    trails.cut_off(registry, "digits", 2, into_production(2, versions), versions)
    told = abtest(*COMPARE, "--no-save-plot", "--experiment", "mine", cwd=fresh)
    assert "Warning: A promotion of version 2 of 'digits'" in told.err
    assert "in experiment 'mine'" in told.err


@pytest.mark.parametrize(
    ("sides", "accept", "code"),
    [(("1", "2"), [], 0), (("2", "1"), [], 4), (("2", "1"), ["--accept", "conditional"], 4)],
    ids=["PROMOTE", "KEEP_CHAMPION", "KEEP_CHAMPION is never accepted"],
)
def test_the_gate_speaks_in_exit_codes(
    abtest: Typed, fresh: Path, sides: tuple[str, str], accept: list[str], code: int
) -> None:
    """With --gate the exit code is the verdict's."""
    champion, challenger = sides
    versions = ["--champion-version", champion, "--challenger-version", challenger]
    abtest("compare", *versions, "--gate", *accept, "--no-save-plot", "--no-log", cwd=fresh, code=code)


def test_the_gate_on_insufficient_evidence(abtest: Typed, tmp_path: Path) -> None:
    """Identical models give effect 0, p = 1 and exit code 5, or 0 where that verdict is accepted."""
    (tmp_path / "p.csv").write_text("y,a,b\n" + "0,0,0\n1,1,1\n" * 20, encoding="utf-8")
    command = ["compare-predictions", "p.csv", "--target", "y", "--champion", "a", "--challenger", "b", "--gate"]
    told = abtest(*command, "--format", "json", cwd=tmp_path, code=5)
    record = ComparisonRecord.from_dict(json.loads(told.out))
    assert {(row.effect, row.pvalue) for row in record.metrics} == {(0.0, 1.0)}
    abtest(*command, "--accept", "insufficient-evidence", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--champion-stage", "Production", "--champion-alias", "champion"], "name the champion twice"),
        (["--auto-promote", "--no-log"], "a promotion is recorded"),
        (["--auto-promote", "--challenger-uri", "some/folder"], "two versions of a registered model"),
        (["--dry-run"], "means nothing without --auto-promote"),
        (["--accept", "conditional"], "means nothing without --gate"),
        (["--gate", "--accept", "conditional,promote"], "must be among conditional, insufficient-evidence"),
        (["--average", "micro"], "micro"),
    ],
)
def test_usage_errors_come_before_any_work(abtest: Typed, fresh: Path, arguments: list[str], told: str) -> None:
    """What contradicts itself is a usage error, exit code 2, and nothing is done."""
    count = len(reports(fresh))
    said = abtest("compare", *arguments, cwd=fresh, code=2)
    assert told in " ".join(said.err.replace("│", " ").split())
    assert len(reports(fresh)) == count


def test_a_policy_on_the_command_line_wins(abtest: Typed, fresh: Path) -> None:
    """A stricter policy named on the command line is not relaxed by the settings; --confidence wins over both."""
    policy = fresh / "strict.toml"
    policy.write_text("confidence = 0.9999", encoding="utf-8")
    settings = (fresh / "abtest.toml").read_text(encoding="utf-8")
    quick = ["--no-save-plot", "--no-log", "--format", "json"]

    def confidence(*options: str) -> float:
        record = ComparisonRecord.from_dict(json.loads(abtest(*COMPARE, *quick, *options, cwd=fresh).out))
        return record.settings.policy.confidence

    try:
        (fresh / "abtest.toml").write_text(settings + "confidence = 0.9\n", encoding="utf-8")
        assert confidence() == 0.9
        assert confidence("--policy", "strict.toml") == 0.9999
        assert confidence("--policy", "strict.toml", "--confidence", "0.99") == 0.99
        both = settings + "confidence = 0.9\n[policy]\nconfidence = 0.99\n"
        (fresh / "abtest.toml").write_text(both, encoding="utf-8")
        assert "sets confidence twice" in abtest(*COMPARE, *quick, cwd=fresh, code=1).err
    finally:
        (fresh / "abtest.toml").write_text(settings, encoding="utf-8")


def test_a_failed_command_leaves_no_folder(abtest: Typed, tmp_path: Path) -> None:
    """Nothing is written where nothing was found."""
    columns = ["--target", "y", "--champion", "a", "--challenger", "b"]
    abtest("compare-predictions", "nope.csv", *columns, cwd=tmp_path, code=1)
    assert list(tmp_path.iterdir()) == []


def test_the_verdict_is_told_before_logging_fails(abtest: Typed, fresh: Path) -> None:
    """Where MLflow does not take the run, the verdict and the report are there, and the exit code is 1."""
    with sqlite3.connect(fresh / "mlflow.db") as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    told = abtest(*COMPARE, "--no-save-plot", cwd=fresh, code=1)
    assert told.out.startswith("PROMOTE")
    assert "could not be logged" in told.err


def test_models_in_no_registry_are_logged_where_told(abtest: Typed, fresh: Path) -> None:
    """For two models named by path the run goes to the tracking server that was named, under no model's name."""
    registry = RegistryClient(f"sqlite:///{fresh / 'mlflow.db'}")
    paths = [registry.location(version) for version in registry.versions("digits")]
    with registry.active():
        import mlflow.artifacts

        paths = [mlflow.artifacts.download_artifacts(path) for path in paths]
    told = abtest("compare", "--champion-uri", paths[0], "--challenger-uri", paths[1], "--no-save-plot", cwd=fresh)
    assert "in experiment 'abtest/comparisons'" in told.err
    assert registry.client.get_experiment_by_name("abtest/comparisons") is not None


def test_a_second_demo_touches_nothing_else(fresh: Path) -> None:
    """A second demo rebuilds its own files; what somebody else put beside them stays."""
    (fresh / "notes.txt").write_text("mine", encoding="utf-8")
    before = reports(fresh)
    typed("demo", cwd=fresh.parent)
    assert (fresh / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert set(before) < set(reports(fresh))
    assert state(fresh) == BEFORE


def test_the_demo_clears_nothing_it_did_not_make(abtest: Typed, tmp_path: Path) -> None:
    """A folder of the same name with a registry of its own is left alone."""
    (tmp_path / "abtest-demo").mkdir()
    (tmp_path / "abtest-demo" / "mlflow.db").write_text("precious", encoding="utf-8")
    told = abtest("demo", cwd=tmp_path, code=1)
    assert "did not make it" in told.err
    assert (tmp_path / "abtest-demo" / "mlflow.db").read_text(encoding="utf-8") == "precious"
