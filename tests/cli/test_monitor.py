"""`abtest monitor` as it is typed: what is said, what it ends with, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from abtest.cli import common
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.registry import RegistryClient
    from tests.conftest import Cli

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
OF = ("--model-name", "fruit")
FILE = ("--prediction", "said", "--target", "kind", "--time", "at", "--version", "1")


@pytest.fixture
def fruit() -> Callable[..., str]:
    """Writes rows of some days before now, of which every ``wrong``-th is predicted wrong, to a file."""

    def write(name: str, first: int, last: int, wrong: int) -> str:
        frame = zoo.fruit((first - last) * 40)
        other = frame["kind"].map({"apple": "pear", "pear": "apple"})
        frame["said"] = frame["kind"].where(frame.index % wrong > 0, other)
        frame["at"] = [NOW - timedelta(days=first) + timedelta(minutes=36 * i) for i in range(len(frame))]
        frame.to_csv(name, index=False)
        return name

    return write


def test_a_model_is_watched_without_a_registry(cli: Cli, fruit: Callable[..., str]) -> None:
    """Predictions that are there already need no registry; a check ends as it finds, and says so in any form."""
    told = cli("monitor", "track", "--input", fruit("good.csv", 28, 7, 20), *OF, *FILE)
    assert told.out.startswith("840 rows: 840 tracked, 840 labelled. From ")
    cli("monitor", "track", "--input", fruit("bad.csv", 7, 0, 4), *OF, *FILE)
    assert cli("monitor", "check", *OF, "--quiet", code=4).out == "DEGRADED\n"
    found = json.loads(cli("monitor", "check", *OF, "--format", "json", "--metrics", "accuracy", code=4).out)
    (row,) = found["monitored"]["changes"]
    assert (row["metric"], row["trend"]) == ("accuracy", "fallen")
    assert (row["baseline"], row["recent"]) == pytest.approx((0.95, 0.75), abs=0.01)
    assert "▼ fallen" in cli("monitor", "check", *OF, code=4).out
    assert "| Accuracy |" in cli("monitor", "check", *OF, "--format", "markdown", code=4).out
    bold = ("--threshold", "0.5", "--metrics", "accuracy")
    assert cli("monitor", "check", *OF, *bold, "--quiet", code=3).out == "SUSPECT\n"  # it says "pear" more often
    assert cli("monitor", "check", *OF, *bold, "--drift-floor", "0.5", "--quiet").out == "STABLE\n"
    assert cli("monitor", "check", *OF, "--recent", "28d", "--quiet", code=5).out == "INSUFFICIENT_DATA\n"
    cli("monitor", "report", *OF, "--quiet", "--no-save-plot")
    assert not Path("mlflow.db").exists()
    cli("monitor", "plot", *OF, "--output", "weeks.svg")
    assert Path("weeks.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_report_is_logged_and_a_version_scored(cli: Cli, stocked: RegistryClient) -> None:
    """Rows are scored with the version that serves; the report is a run beside the model's comparisons."""
    frame = zoo.fruit(60)
    frame.to_csv("fruit.csv", index=False)
    told = cli("monitor", "track", "--input", "fruit.csv", "--target", "kind", *OF)
    assert "60 tracked, 60 labelled" in told.out
    told = cli("monitor", "report", *OF, "--days", "7", "--format", "json", "--no-save-plot")
    right = (pd.Series(zoo.linear(frame)) == frame["kind"]).mean()
    assert json.loads(told.out)["monitored"]["summaries"][0]["value"] == right
    run = next(it for it in stocked.client.search_runs(experiments_of(stocked)) if it.info.run_id in told.err)
    assert run.data.tags["abtest.kind"] == "monitoring"


def experiments_of(registry: RegistryClient) -> list[str]:
    """The ids of all experiments."""
    return [str(it.experiment_id) for it in registry.client.search_experiments()]


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (["track"], 2, "name rows, or labels of rows"),
        (["track", "--labels", "labels.csv", *OF], 2, "needs --id"),
        (["track", "--input", "none.csv", *OF, *FILE], 1, "none.csv"),
        (["check", *OF], 1, "abtest-live.db does not exist. Hint: 'abtest serve' and 'abtest monitor track' make it"),
        (["check"], 2, "Invalid value for --model-name"),
        (["check", *OF, "--recent", "a week"], 2, "Invalid value for --recent: must be a span of time"),
        (["check", *OF, "--until", "yesterday"], 2, "must be a moment"),
        (["check", *OF, "--metrics", ","], 2, "must name a metric"),
        (["check", *OF, "--command", "true"], 2, "means nothing without --on-degradation"),
        (["check", *OF, "--webhook", "http://localhost"], 2, "means nothing without --on-degradation"),
        (["check", *OF, "--log"], 2, "needs an MLflow server"),
        (["check", *OF, "--on-degradation", "notify"], 2, "needs --webhook or --command"),
        (["check", *OF, "--on-degradation", "notify", "--webhook", "ftp://x"], 1, "webhook"),
        (["check", *OF, "--threshold", "5"], 1, "threshold must be in [0, 1), got 5"),
        (["plot", *OF, "--output", "plot.pdf"], 1, "output must end in .png or .svg"),
        (["report", *OF, "--log"], 2, "needs an MLflow server"),
    ],
)
def test_what_is_typed_wrongly_is_told(cli: Cli, typed: list[str], code: int, said: str) -> None:
    """Usage ends with 2, all else with 1; one clear sentence; and what only looks leaves no log behind."""
    told = " ".join(cli("monitor", *typed, code=code).err.replace("│", " ").split())
    assert said in told
    assert typed[0] == "track" or not Path("abtest-live.db").exists()


def test_what_is_secret_is_on_no_record(cli: Cli, fruit: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The command on record has neither the webhook, nor a command's arguments, nor a password of any URL."""
    cli("monitor", "track", "--input", fruit("good.csv", 8, 0, 20), *OF, *FILE)
    notify = ("--on-degradation", "notify", "--webhook", "http://localhost:9/s3cret", "--command", "mail s3cret")
    found = cli("monitor", "check", *OF, *notify, "--format", "json", code=5).out
    assert "s3cret" not in found
    assert json.loads(found)["provenance"]["command"].endswith("--webhook '***' --command '***' --format json")
    monkeypatch.setattr("sys.argv", ["abtest", "--store=postgresql://me:s3cret@host/db", "--user", "me@host"])
    assert common.command_line() == "abtest '--store=postgresql://***@host/db' --user me@host"


def test_a_server_that_takes_no_run_holds_up_no_notice(
    cli: Cli, stocked: RegistryClient, fruit: Callable[..., str], tmp_path: Path
) -> None:
    """Who is to be told of a degradation is told, even where the check cannot be logged."""
    cli("monitor", "track", "--input", fruit("good.csv", 28, 7, 20), *OF, *FILE)
    cli("monitor", "track", "--input", fruit("bad.csv", 7, 0, 4), *OF, *FILE)
    stocked.client.delete_experiment(stocked.client.create_experiment("gone"))
    told = cli(
        "monitor", "check", *OF, "--on-degradation", "notify", "--command", f"tee {tmp_path / 'told.json'}", "--log",
        "--experiment", "gone", "--quiet", code=1,
    )  # fmt: skip
    assert "Notify    done" in told.err
    assert json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))["status"] == "DEGRADED"
