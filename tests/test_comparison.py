"""A finished comparison is saved whole, logged once, and promoted safely."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abtest import tracking, workflow
from abtest.comparison import Comparison
from abtest.errors import BackendError, InvalidInputError, RefusedError, StaleChampionError
from abtest.record import ComparedData, ComparedModel, ComparisonRecord
from abtest.transitions import into_production
from tests import trails

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.registry import RegistryClient

Y, WRONG = [0, 1] * 40, [0, 0] * 40


def compared(registry: RegistryClient, *, better: bool = True) -> Comparison:
    """Versions 1 and 2 of model "m", in Production and Staging and on the aliases, compared."""
    record = workflow.compare_predictions(Y, WRONG, Y if better else WRONG).record
    sides = [ComparedModel(ref=f"version {n}", version=n, run_id=None, uri=f"models:/m/{n}") for n in (1, 2)]
    data = ComparedData(path="rows.csv", n=len(Y), digest="d" * 32, target="y")
    record = replace(record, model_name="m", champion=sides[0], challenger=sides[1], data=data)
    return Comparison(record, registry, registry.versions("m"))


@pytest.fixture
def staged(registry: RegistryClient) -> RegistryClient:
    """A registry with model "m": version 1 in Production and @champion, 2 in Staging and @challenger."""
    registry.client.create_registered_model("m")
    for number, stage, alias in ((1, "Production", "champion"), (2, "Staging", "challenger")):
        registry.client.create_model_version("m", source=f"/nowhere/{number}")
        registry.set_stage("m", number, stage)
        registry.set_alias("m", alias, number)
    return registry


def state(registry: RegistryClient) -> dict[int, tuple[str | None, tuple[str, ...]]]:
    """Stage and aliases of each version."""
    return {v.version: (v.stage, v.aliases) for v in registry.versions("m")}


BEFORE = {1: ("Production", ("champion",)), 2: ("Staging", ("challenger",))}
AFTER = {1: ("Archived", ()), 2: ("Production", ("champion",))}


def test_saves_a_whole_folder(tmp_path: Path) -> None:
    """The folder holds the page, the data, the summary and the figures, and nothing is left beside it."""
    saved = workflow.compare_predictions(Y, WRONG, Y, output=tmp_path)
    assert saved.report is not None
    assert {p.name for p in saved.report.iterdir()} == {"report.html", "comparison.json", "summary.md", "figures"}
    assert [p.name for p in tmp_path.iterdir()] == [saved.report.name]
    data = json.loads((saved.report / "comparison.json").read_text(encoding="utf-8"))
    assert ComparisonRecord.from_dict(data) == saved.record
    assert saved.to_json() + "\n" == (saved.report / "comparison.json").read_text(encoding="utf-8")


def test_without_plots_no_figure_is_made(tmp_path: Path) -> None:
    """With figures off there is no figure anywhere, in the folder or in the page."""
    saved = workflow.compare_predictions(Y, WRONG, Y, output=tmp_path, save_plot=False)
    assert saved.report is not None
    assert not (saved.report / "figures").exists()
    assert "<svg" not in (saved.report / "report.html").read_text(encoding="utf-8")


def test_two_reports_of_one_second_stand_side_by_side(tmp_path: Path) -> None:
    """No report replaces another."""
    one = workflow.compare_predictions(Y, WRONG, Y)
    reports = {one.save(tmp_path, figures=False).report for _ in range(3)}
    assert len(reports) == 3


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the way of the output folder is one clear sentence, before anything is computed."""
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"output .*taken cannot be written"):
        workflow.compare_predictions(Y, WRONG, Y, output=tmp_path / "taken")
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_logs_one_run_and_tags_both_versions(staged: RegistryClient) -> None:
    """The run has tags, metrics, the data it read and the report; both versions carry verdict and run id."""
    logged = compared(staged).log(figures=False)
    run = staged.client.get_run(logged.run_id or "")
    assert run.info.status == "FINISHED"
    tags = {key: value for key, value in run.data.tags.items() if key.startswith("abtest.")}
    assert tags == {
        "abtest.kind": "comparison",
        "abtest.verdict": "PROMOTE",
        "abtest.model_name": "m",
        "abtest.champion_version": "1",
        "abtest.challenger_version": "2",
        "abtest.data_digest": "d" * 32,
        "abtest.policy_digest": logged.record.provenance.policy_digest,
    }
    assert run.data.metrics["effect.accuracy"] == 0.5
    assert {"champion.f1", "challenger.f1", "mcnemar.pvalue"} <= set(run.data.metrics)
    assert run.inputs is not None
    assert [(i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs] == [("rows.csv", "d" * 32)]
    assert {a.path for a in staged.client.list_artifacts(run.info.run_id)} == {
        "report.html",
        "comparison.json",
        "summary.md",
    }
    for number, role in (("1", "champion"), ("2", "challenger")):
        told = staged.client.get_model_version("m", number).tags
        assert told == {
            "abtest.verdict": "PROMOTE",
            "abtest.role": role,
            "abtest.comparison_run_id": run.info.run_id,
            **({"abtest.recommended": "true"} if role == "challenger" else {}),
        }


def test_the_dataset_logged_can_be_found_again(staged: RegistryClient) -> None:
    """MLflow reads the source of the run's dataset back."""
    import mlflow.data

    logged = compared(staged).log(figures=False)
    inputs = staged.client.get_run(logged.run_id or "").inputs
    assert inputs is not None
    source = mlflow.data.get_source(inputs.dataset_inputs[0])
    assert source.to_dict()["uri"] == "rows.csv"


def test_logging_prints_nothing(staged: RegistryClient, capsys: pytest.CaptureFixture[str]) -> None:
    """MLflow's own remarks about a run do not reach stdout."""
    compared(staged).log(figures=False)
    assert capsys.readouterr().out == ""


def test_a_refused_promotion_logs_nothing(staged: RegistryClient) -> None:
    """What would be refused is refused before anything is logged."""
    comparison = compared(staged)
    staged.set_stage("m", 2, "None")
    with pytest.raises(StaleChampionError):
        comparison.promote()
    assert staged.client.get_experiment_by_name("abtest/m") is None


def test_a_misspelt_promote_on_is_refused(staged: RegistryClient) -> None:
    """A misspelt guard guards nothing, so it is an error."""
    with pytest.raises(InvalidInputError, match=r"promote_on must be one of .*did you mean 'conditional'"):
        compared(staged).promote(promote_on="conditonal")  # type: ignore[arg-type] # the error is the point


def test_promotes_stages_and_aliases_once(staged: RegistryClient) -> None:
    """Stages and aliases move together; promoting again changes nothing; both are on record."""
    comparison = compared(staged)
    assert state(staged) == BEFORE
    promotion = comparison.promote()
    assert state(staged) == AFTER
    audit = staged.client.get_run(promotion.run_id or "")
    assert audit.info.status == "FINISHED"
    assert audit.data.tags["abtest.outcome"] == "done"
    assert audit.data.tags["abtest.plan"].splitlines() == [str(step) for step in promotion.transitions]
    assert audit.data.tags["abtest.by"] == tracking.user()
    evidence = staged.client.get_run(audit.data.tags["abtest.comparison_run_id"])
    assert evidence.data.tags["abtest.kind"] == "comparison"
    again = comparison.promote()
    assert again.transitions == ()
    assert state(staged) == AFTER


def test_a_dry_run_moves_and_logs_nothing(staged: RegistryClient) -> None:
    """Planning leaves registry and runs as they were."""
    plan = compared(staged).promote(dry_run=True)
    assert len(plan.transitions) == 4
    assert plan.run_id is None
    assert state(staged) == BEFORE
    assert staged.client.get_experiment_by_name("abtest/m") is None


def test_a_verdict_that_does_not_promote_moves_nothing(staged: RegistryClient) -> None:
    """Insufficient evidence is refused before anything is logged."""
    with pytest.raises(RefusedError, match="INSUFFICIENT_EVIDENCE"):
        compared(staged, better=False).promote()
    assert state(staged) == BEFORE


@pytest.mark.parametrize("moved", ["champion's stage", "challenger's stage", "alias"])
def test_a_side_that_moved_is_refused(staged: RegistryClient, moved: str) -> None:
    """If either side's stage or alias changed since the comparison, nothing is promoted."""
    comparison = compared(staged)
    if moved == "alias":
        staged.set_alias("m", "champion", 2)
    else:
        staged.set_stage("m", 1 if moved.startswith("champion") else 2, "None")
    before = state(staged)
    with pytest.raises(StaleChampionError, match="moved since it was compared"):
        comparison.promote()
    assert state(staged) == before


def test_a_promotion_that_breaks_off_says_how_far_it_came(staged: RegistryClient) -> None:
    """When the registry fails half-way the audit run lists what was done, and nothing is undone in silence."""
    comparison = compared(staged).log(figures=False)
    with sqlite3.connect(staged.tracking_uri.removeprefix("sqlite:///")) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE DELETE ON registered_model_aliases "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    with pytest.raises(BackendError, match="stopped after 3 of 4 moves"):
        comparison.promote()
    (audit,) = staged.client.search_runs(
        [staged.client.get_experiment_by_name("abtest/m").experiment_id],  # type: ignore[union-attr] # it was just made
        filter_string="tags.`abtest.kind` = 'promotion'",
    )
    assert audit.info.status == "FAILED"
    assert audit.data.tags["abtest.outcome"] == "stopped"
    assert "Missing:\nalias challenger: removed from version 2" in audit.data.tags["abtest.note"]
    assert state(staged) == {1: ("Archived", ()), 2: ("Production", ("challenger", "champion"))}


def test_an_interrupted_promotion_is_seen_by_the_next_comparison(staged: RegistryClient) -> None:
    """A promotion whose outcome was never written is named to whoever compares next."""
    comparison = compared(staged)
    assert comparison.unfinished_promotions() == ()
    versions = staged.versions("m")
    trails.cut_off(staged, "m", 2, into_production(2, versions), versions)
    (told,) = comparison.unfinished_promotions()
    assert "promotion of version 2 of 'm'" in told
    assert "abtest models recover" in told


def test_a_version_of_another_model_is_no_champion_here(staged: RegistryClient) -> None:
    """A champion from another registered model is compared, and neither tagged nor archived as if it were ours."""
    comparison = compared(staged)
    other = replace(comparison.record.champion, ref="models:/other/1", uri="models:/other/1")
    foreign = replace(comparison, record=replace(comparison.record, champion=other))
    foreign.log(figures=False)
    assert staged.client.get_model_version("m", "1").tags == {}
    with pytest.raises(RefusedError, match="no version of 'm'"):
        foreign.promote()
    assert state(staged) == BEFORE


def test_models_outside_a_registry_are_never_promoted() -> None:
    """There is nothing to move for models in no registry."""
    with pytest.raises(RefusedError, match="no registry"):
        workflow.compare_predictions(Y, WRONG, Y).promote()
