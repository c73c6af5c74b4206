"""`abtest experiment` and `abtest label` as they are typed: an experiment's life, its labels, and its verdict."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.cli import deciding
from abtest.live.experiment import State
from abtest.live.store import DEFAULT_URL, Store
from abtest.registry import RegistryClient
from tests.live.traffic import SERVER, pairs_of, shadow

if TYPE_CHECKING:
    from abtest.comparison import Comparison
    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("stocked")
BETTER = pairs_of(600, right=(0.7, 0.9), seed=1)


def start(cli: Cli, *options: str, name: str = "spring") -> None:
    """Start an experiment on the model "fruit", in the log of this folder."""
    cli("experiment", "start", name, "--model-name", "fruit", *(options or ("--mode", "shadow")))


def flow(rows: int = 600) -> None:
    """Let traffic come, whose labels a file of this folder has."""
    with Store(DEFAULT_URL) as log:
        shadow(log, log.experiment("spring"), BETTER[:rows], labelled=False)
    lines = [f"{SERVER}-{i},{truth}" for i, (truth, _, _) in enumerate(BETTER[:rows], start=1)]
    Path("labels.csv").write_text("\n".join(["prediction_id,label", *lines]), encoding="utf-8")


def test_an_experiment_lives(cli: Cli) -> None:
    """It is started, ramped, paused, resumed and stopped, each an epoch; then nothing moves it any more."""
    start(cli, "--mode", "split", "--planned-n", "1000", "--inclusion", "0.05")
    assert cli("experiment", "ramp", "spring", "--inclusion", "0.5").out == (
        "Experiment 'spring' is running, 50 % of the units take part (epoch 2).\n"
    )
    assert "paused (epoch 3)" in cli("experiment", "pause", "spring", "--reason", "a bug").out
    assert "is paused" in cli("experiment", "ramp", "spring", "--inclusion", "0.9", code=1).err
    assert "50 % of the units take part (epoch 4)" in cli("experiment", "resume", "spring").out
    told = cli("experiment", "ramp", "spring", "--inclusion", "0.1", code=1).err
    assert "inclusion must be at least 0.5, got 0.1" in told
    assert "stopped (epoch 5)" in cli("experiment", "stop", "spring").out
    for command in (
        ["ramp", "spring", "--inclusion", "1"],
        ["pause", "spring"],
        ["resume", "spring"],
        ["stop", "spring"],
    ):
        assert "is stopped, for good" in cli("experiment", *command, code=1).err
    shown = json.loads(cli("experiment", "status", "spring", "--format", "json").out)
    assert [epoch["state"] for epoch in shown["epochs"]] == ["running", "running", "paused", "running", "stopped"]
    assert shown["epochs"][2]["why"] == "a bug"
    assert [row["name"] for row in json.loads(cli("experiment", "list", "--format", "json").out)] == ["spring"]
    assert re.search(r"spring +fruit +split +1 +2 +stopped", cli("experiment", "list").out)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--mode", "split"], "a split needs planned-n"),
        (["--mode", "shadow", "--looking", "fixed"], "a fixed look needs planned-n"),
        (["--mode", "shadow", "--inclusion", "1.5"], "inclusion must be in [0, 1], got 1.5"),
        (
            ["--mode", "split", "--planned-n", "9", "--challenger-share", "50"],
            "challenger-share must be in [0, 1], got 50",
        ),
        (["--mode", "split", "--planned-n", "9", "--challenger-share", "0"], "challenger-share must be in (0, 1)"),
        (["--mode", "split", "--planned-n", "0"], "planned-n must be a whole number from 1 to 1,000,000,000, got 0"),
        (
            ["--mode", "shadow", "--planned-discordant", str(10**17)],
            "planned-discordant must be a whole number from 1",
        ),
        (["--mode", "shadow", "--rollback-alpha", "0.7"], "rollback-alpha must be in (0, 0.5), got 0.7"),
        (["--mode", "shadow", "--challenger-version", "1"], "Both sides are version 1"),
        (["--mode", "shadow", "--challenger-version", "99"], "version 99"),
        (["--mode", "shadow", "--metric", "accuracy,roc_auc"], "takes probabilities"),
        (["--mode", "shadow", "--metric", "acuracy"], "accuracy"),
        (["--mode", "shadow", "--confidence", "95"], "confidence must be in (0, 1), got 95"),
    ],
)
def test_what_cannot_be_started_is_said(cli: Cli, options: list[str], told: str) -> None:
    """A plan that makes no sense is one sentence, exit code 1, and nothing is on record."""
    assert told in cli("experiment", "start", "spring", "--model-name", "fruit", *options, code=1).err
    assert not Path("abtest-live.db").exists() or not json.loads(cli("experiment", "list", "--format", "json").out)


@pytest.mark.parametrize("span", ["soon", "-3d", "3 fortnights", ""])
def test_a_span_of_time_is_one(cli: Cli, span: str) -> None:
    """What is no span of time is a usage error."""
    told = cli("experiment", "start", "x", "--model-name", "fruit", "--mode", "shadow", f"--horizon={span}", code=2).err
    assert "must be a span of time" in told


def test_one_at_a_time(cli: Cli) -> None:
    """A name is taken once, and a model has one experiment that goes on."""
    start(cli)
    assert "spring" in cli("experiment", "start", "spring", "--model-name", "fruit", "--mode", "shadow", code=1).err
    assert "spring" in cli("experiment", "start", "summer", "--model-name", "fruit", "--mode", "shadow", code=1).err
    cli("experiment", "stop", "spring")
    start(cli, name="summer")


def test_what_is_not_there_is_said(cli: Cli) -> None:
    """Without a log, and with an unknown name, there is a sentence with what to do; no empty log is made."""
    assert cli("experiment", "list", code=1).err.startswith("Error: ")
    assert not Path("abtest-live.db").exists()
    start(cli)
    told = cli("experiment", "status", "sprung", code=1).err
    assert "There is no experiment 'sprung'" in told
    assert "did you mean 'spring'?" in told


def test_labels_come_later_and_give_a_verdict(cli: Cli) -> None:
    """The same file twice changes nothing, and the analysis reports, logs and promotes as a comparison does."""
    start(cli)
    flow()
    assert cli("label", "--input", "labels.csv").out == "600 labels: 600 recorded.\n"
    assert cli("label", "--input", "labels.csv").out == "600 labels: 600 unchanged.\n"
    told = cli("experiment", "analyze", "spring", "--auto-promote", "--no-save-plot")
    assert told.out.startswith("PROMOTE  The challenger should replace the champion: ")
    assert "Promoted version 2; recorded in run " in told.err
    serving = [it.version for it in RegistryClient().versions("fruit") if it.stage == "Production"]
    assert serving == [2]
    assert "nobody takes part" in cli("experiment", "status", "spring").err
    (report,) = Path("reports").iterdir()
    kept = json.loads((report / "comparison.json").read_text(encoding="utf-8"))
    assert kept["live"]["experiment"] == "spring"
    assert (
        json.loads(cli("experiment", "analyze", "spring", "--no-log", "--format", "json").out)["decision"]["verdict"]
        == "PROMOTE"
    )


def test_a_rollback_meanwhile_promotes_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A challenger that is rolled back while its report is drawn and logged is not promoted."""
    start(cli)
    flow()
    cli("label", "--input", "labels.csv")
    logged = deciding.logged

    def slow(comparison: Comparison, chosen: dict[str, Any]) -> Comparison:
        found = logged(comparison, chosen)
        with Store() as log:  # what a server does that sees harm
            last = log.epochs("spring")[-1]
            log.turn(replace(last, number=last.number + 1, state=State.ROLLED_BACK, inclusion=0.0, why="harm"))
        return found

    monkeypatch.setattr(deciding, "logged", slow)
    told = cli("experiment", "analyze", "spring", "--auto-promote", "--no-save-plot")
    assert told.out.startswith("PROMOTE")
    assert "Not promoted. It is rolled back (epoch 2): harm" in told.err
    assert [it.version for it in RegistryClient().versions("fruit") if it.stage == "Production"] == [1]


def test_the_gate(cli: Cli) -> None:
    """Too few rows are no evidence: exit code 5, which --accept lets pass."""
    start(cli)
    flow(10)
    cli("label", "--input", "labels.csv")
    cli("experiment", "analyze", "spring", "--gate", "--quiet", "--no-log", "--no-save-plot", code=5)
    accepted = ["--gate", "--accept", "insufficient-evidence"]
    cli("experiment", "analyze", "spring", "--quiet", "--no-log", "--no-save-plot", *accepted, code=0)


def test_nothing_to_analyse(cli: Cli) -> None:
    """Without a label there is no verdict, and never a promotion."""
    start(cli)
    told = cli("experiment", "analyze", "spring", "--auto-promote", code=1)
    assert "no labelled row" in told.err
    assert not told.out


def test_a_file_with_half_its_ids_unknown(cli: Cli) -> None:
    """What is known is recorded, what is not is kept aside, and exit code 1 says which came first."""
    start(cli)
    flow(4)
    path = Path("labels.csv")
    path.write_text(path.read_text(encoding="utf-8") + "\nff-1,0\nff-2,1\nff-3,2\nff-4,0\n", encoding="utf-8")
    told = cli("label", "--input", "labels.csv", code=1)
    assert told.out == "8 labels: 4 recorded, 4 kept aside.\n"
    assert "Of 8 labels, 4 name predictions that are not in the log (first: row 5, 'ff-1')" in told.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prediction_id\naa-1\n", "no column 'label'"),
        ("prediction_id,label\n,1\n", "it names no prediction"),
        ("prediction_id,label\naaaaaaaaaaaaaaaa-1,\n", "it has no label"),
        ("prediction_id,label\nnobody,1\n", "prediction_id must be as the answer to the request has it"),
        (
            "prediction_id,label,observed_at\naaaaaaaaaaaaaaaa-1,1,yesterday\n",
            "observed_at must be a time, got 'yesterday'",
        ),
        ("prediction_id,label,observed_at\naaaaaaaaaaaaaaaa-1,1,2026-01-01\n", "observed_at must have a time zone"),
    ],
)
def test_a_file_that_cannot_be_taken(cli: Cli, text: str, told: str) -> None:
    """What a file lacks, or what a row is, is said; exit code 1."""
    start(cli)
    Path("labels.csv").write_text(text, encoding="utf-8")
    assert told in cli("label", "--input", "labels.csv", code=1).err


def test_labels_for_another_experiment(cli: Cli) -> None:
    """With --experiment, labels of predictions of another one are refused."""
    start(cli)
    flow(4)
    cli("experiment", "stop", "spring")
    start(cli, name="summer")
    told = cli("label", "--input", "labels.csv", "--experiment", "summer", code=1)
    assert told.out == "4 labels: 4 refused.\n"
    assert "prediction_id must be of experiment 'summer', got one of experiment 'spring'" in told.err
    assert (
        "There is no experiment 'autumn'" in cli("label", "--input", "labels.csv", "--experiment", "autumn", code=1).err
    )


@pytest.mark.parametrize(
    ("mode", "policy", "told"),
    [
        ("shadow", '[[guardrails]]\nmetric = "latency"\nmargin = 0.5', "a shadow, which has no hurry, does not tell"),
        ("split", '[[guardrails]]\nmetric = "size"\nmargin = 0.5', "live traffic does not tell"),
        (
            "shadow",
            '[[guardrails]]\nmetric = "recall"\nsegment = "x"\nmargin = 0.1',
            "segments are told apart by features",
        ),
        ("shadow", 'rule = "non-inferior"\nprimary = "f1"\nmargin = 0.01', "of which nothing stays valid"),
        ("shadow", 'reuse = "refuse"', "is about test sets"),
    ],
)
def test_a_policy_that_live_traffic_cannot_satisfy(cli: Cli, mode: str, policy: str, told: str) -> None:
    """What traffic will never tell is refused at the start, and not found out after weeks."""
    Path("policy.toml").write_text(policy, encoding="utf-8")
    options = ["--mode", mode, "--planned-n", "100", "--policy", "policy.toml"]
    assert told in cli("experiment", "start", "x", "--model-name", "fruit", *options, code=1).err
