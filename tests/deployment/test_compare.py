"""`abtest compare` on a real deployment: MLflow over HTTP, PostgreSQL behind it, files in S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abtest.record import ComparisonRecord
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from tests.deployment.conftest import Compare
    from tests.deployment.servers import Deployed

BEFORE = [("Production", ("champion",)), ("Staging", ("challenger",))]
AFTER = [("Archived", ()), ("Production", ("champion",))]


def test_logs_over_http(compare: Compare, deployed: Deployed) -> None:
    """The verdict and the report are here, the run is on the server, and its artifacts are in S3, byte for byte."""
    name = deployed.register(zoo.linear, zoo.better)
    told = compare(name, deployed.uri, "--output", "reports")
    assert told.out.startswith("PROMOTE")
    (report,) = Path("reports").iterdir()
    record = ComparisonRecord.from_dict(json.loads((report / "comparison.json").read_text(encoding="utf-8")))
    assert (record.champion.version, record.challenger.version, record.data.n) == (1, 2, 300)
    assert (known(record.contingency).champion_only, known(record.contingency).challenger_only) == (0, 30)

    run = deployed.registry.client.get_run(told.err.split("MLflow    run ")[1].split()[0])
    assert (run.info.status, run.data.tags["abtest.verdict"]) == ("FINISHED", "PROMOTE")
    here = {str(path.relative_to(report)): path.read_bytes() for path in report.rglob("*") if path.is_file()}
    assert deployed.store.of_run(run) == here
    assert {"report.html", "figures/metrics.png"} < set(here)
    assert deployed.state(name) == BEFORE


def test_promotes_over_http(compare: Compare, deployed: Deployed) -> None:
    """Stages and aliases move on the server, the run that says so is there with its plan, and once is enough."""
    name = deployed.register(zoo.linear, zoo.better)
    told = compare(name, deployed.uri, "--no-save-plot", "--auto-promote")
    run = deployed.registry.client.get_run(told.err.split("recorded in run ")[1].split(".")[0])
    assert (run.data.tags["abtest.kind"], run.data.tags["abtest.outcome"]) == ("promotion", "done")
    assert json.loads(deployed.store.of_run(run)["promotion.json"])["challenger_version"] == 2
    assert deployed.state(name) == AFTER
    versions = ["--champion-version", "1", "--challenger-version", "2"]
    again = compare(name, deployed.uri, "--no-save-plot", "--auto-promote", *versions)
    assert "Nothing to promote" in again.err
    assert deployed.state(name) == AFTER


@pytest.mark.parametrize(
    ("rules", "code"),
    [((zoo.linear, zoo.better), 0), ((zoo.better, zoo.linear), 4), ((zoo.linear, zoo.linear), 5)],
    ids=["PROMOTE", "KEEP_CHAMPION", "INSUFFICIENT_EVIDENCE"],
)
def test_the_gate_over_http(compare: Compare, deployed: Deployed, rules: tuple[zoo.Rule, zoo.Rule], code: int) -> None:
    """With --gate the exit code is the verdict's, and what may not be promoted stays where it is."""
    name = deployed.register(*rules)
    compare(name, deployed.uri, "--no-save-plot", "--gate", "--auto-promote", code=code)
    assert deployed.state(name) == (BEFORE if code else AFTER)


def test_stdout_is_ours_and_passwords_stay_hidden(compare: Compare, deployed: Deployed) -> None:
    """With a server, --format json prints one JSON document and nothing prints the password in its address."""
    name = deployed.register(zoo.linear, zoo.better)
    address = deployed.uri.replace("http://", "http://me:hunter2@")
    told = compare(name, address, "--no-save-plot", "--format", "json")
    assert json.loads(told.out)["model_name"] == name
    assert "hunter2" not in told.out + told.err
    assert f"in experiment 'abtest/{name}'" in told.err


def test_models_named_by_uri(compare: Compare, deployed: Deployed) -> None:
    """Versions, and models of a run, named by their URIs are fetched through the server too."""
    name = deployed.register(zoo.linear, zoo.better)
    run_id = deployed.registry.versions(name)[1].run_id
    sides = ["--champion-uri", f"models:/{name}@champion", "--challenger-uri", f"runs:/{run_id}/model"]
    told = compare(name, deployed.uri, "--no-save-plot", "--no-log", *sides)
    assert told.out.startswith("PROMOTE")
