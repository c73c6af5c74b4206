"""Monitoring in words: the same in the terminal, in Markdown and in MLflow."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from abtest.decision.health import Action
from abtest.errors import InvalidInputError
from abtest.record import MonitoringRecord
from abtest.reporter.monitoring import folder, html, markdown, numbers, run, terminal
from abtest.reporter.monitoring.summary import summarise
from tests.monitored import SITUATIONS, change, degraded, hostile, insufficient

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.registry import RegistryClient

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


def printed(situation: str, width: int = 100) -> str:
    """What a console shows."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False)
    console.print(terminal.render(summarise(SITUATIONS[situation]())))
    return file.getvalue()


@every_situation
def test_the_terminal_tells_it_without_colour(situation: str) -> None:
    """Piped, there is no escape sequence; status, metrics, trends and what to type next are all words."""
    record, text = SITUATIONS[situation](), printed(situation, 300)
    summary = summarise(record)
    assert "\x1b" not in text
    assert text.startswith(str(record.health.status))
    assert summary.advice in text
    assert summary.following in text
    for row in summary.changes:
        assert f"{row.mark} {row.word}" in text
    for it in summary.metrics:
        assert it.value in text


@pytest.mark.parametrize("situation", ["healthy", "degraded", "six"])
def test_tables_fit_a_narrow_terminal(situation: str) -> None:
    """Eighty columns hold the tables with every number whole."""
    lines = printed(situation, 80).splitlines()
    for row in summarise(SITUATIONS[situation]()).changes:
        assert any(
            row.name in line and row.baseline in line and row.recent in line and row.word in line for line in lines
        )


def test_the_terminal_is_short() -> None:
    """However many signs there are, what is printed fits on a screen."""
    assert len(printed("drifted", 160).splitlines()) < 25


@every_situation
def test_markdown_tells_it(situation: str) -> None:
    """Status, metrics and changes are there, and every row of a table has as many cells as its header."""
    record = SITUATIONS[situation]()
    text = markdown.render(summarise(record))
    assert text.startswith("## ")
    assert str(record.health.status).replace("_", "\\_") in text.replace("INSUFFICIENT_DATA", "INSUFFICIENT\\_DATA")
    width = 0
    for before, line in zip(["", *text.splitlines()], text.splitlines(), strict=False):
        if line.startswith("|"):
            cells = line.replace("\\|", "").count("|")
            width = width if before.startswith("|") else cells
            assert cells == width, line


def test_markdown_escapes_names() -> None:
    """Names are neither markup nor cells."""
    text = markdown.render(summarise(hostile()))
    assert "<script" not in text.replace("\\<script", "")
    assert "\u202e" not in text


def test_the_worst_segment_is_named_first() -> None:
    """Segments that surely fell come before all others, by how much; those of few rows after those of many."""
    rows = [
        change("accuracy", 0.9, 0.86, segment=("region", "held")),
        change("accuracy", 0.9, 0.70, segment=("region", "bad")),
        change("accuracy", 0.9, 0.60, segment=("region", "worst")),
        change("accuracy", 0.9, 0.80, se=0.5, segment=("region", "few"), n=5),
    ]
    seen = replace(degraded().monitored, changes=(change("accuracy", 0.9, 0.89), *rows))
    assert [found[0].value for found in numbers.by_segment(seen)] == ["worst", "bad", "held", "few"]
    assert [text.split(" = ")[1].split(" ")[0] for text in numbers.fallen(seen)] == ["worst", "bad"]


def test_a_segment_that_lags_is_named() -> None:
    """Those surely behind the rest by what matters, the farthest first, with both numbers; no other."""
    rows = [change("accuracy", 0.9, recent, segment=("region", name)) for name, recent in
            (("near", 0.88), ("far", 0.7), ("middle", 0.8))]  # fmt: skip
    seen = degraded().monitored
    seen = replace(seen, segments=tuple(
        replace(seen.segments[0], segment="region", value=str(row.value), against_rest=row) for row in rows
    ))  # fmt: skip
    told = numbers.weakest(seen)
    assert [text.split(" = ")[1].split(" ")[0] for text in told] == ["far", "middle"]
    assert "is 70.0 % now, of all other rows 90.0 %: it lags by 20.0 points" in told[0]
    record = replace(degraded(), monitored=replace(seen, baseline=None, changes=()))  # nothing to hold it against
    summary = summarise(record)
    console = Console(file=io.StringIO(), width=200, highlight=False)
    with console.capture() as shown:
        console.print(terminal.render(summary))
    for text in (markdown.render(summary), html.render(record), shown.get()):
        assert "region = far" in text.replace("\u00a0", " ")


def test_an_error_that_grows_is_not_called_fallen() -> None:
    """Of a metric of which less is better, what is bad is that it grew."""
    assert numbers.write_change(change("rmse", 20.0, 30.0)).word == "grown"
    assert numbers.write_change(change("accuracy", 0.9, 0.7)).word == "fallen"


@pytest.mark.parametrize(
    ("metric", "better"), [("accuracy", True), ("rmse", False), ("r2", True), ("log_loss", False), ("roc_auc", True)]
)
def test_what_is_better_is_known_without_a_change(metric: str, better: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Whether more of a metric is better is known where nothing changed; one's own metric shows it by what did."""
    assert numbers.greater_is_better(metric, ()) is better
    own = replace(change("accuracy", 0.5, 0.4), metric="shop:profit")
    assert numbers.greater_is_better("shop:profit", [own])
    assert not numbers.greater_is_better("shop:loss", [replace(own, metric="shop:loss", fall=-0.1)])


def test_every_action_has_its_words() -> None:
    """Each status and action is written by a reader's words."""
    told = {it: summarise(SITUATIONS[it]()) for it in SITUATIONS}
    actions = {summary.action: summary.advice for summary in told.values()}
    assert set(actions) == set(Action)
    assert actions[Action.ROLL_BACK].startswith("Roll back. ")
    assert not told["healthy"].following


def test_what_is_missing_is_what_to_type() -> None:
    """Where nobody can say, what comes next brings what is missing: labels, a baseline, or neither but time."""
    without = insufficient()
    seen = without.monitored
    assert (
        summarise(without).following
        == "When labels come: abtest monitor track --model-name=churn --labels FILE --id COLUMN"
    )
    labelled = replace(without, monitored=replace(seen, labelled=seen.n))
    assert summarise(labelled).following.startswith("To have a baseline at once: abtest monitor baseline ")
    held = replace(labelled, monitored=replace(labelled.monitored, baseline=degraded().monitored.baseline))
    assert summarise(held).following == ""


def test_a_folder_has_it_all(tmp_path: Path) -> None:
    """The folder holds page, record, summary and figures; the record reads back; a second is numbered."""
    record = degraded()
    written = folder.write(record, tmp_path)
    assert written.name == "churn-monitoring-20260401T010000Z"
    assert {str(it.relative_to(written)) for it in written.rglob("*") if it.is_file()} == {
        "report.html",
        "monitoring.json",
        "summary.md",
        *(f"figures/{name}.png" for name in ("over-time", "changes", "segments-over-time", "inputs", "labels")),
    }
    plain = json.loads((written / "monitoring.json").read_text(encoding="utf-8"))
    assert MonitoringRecord.from_dict(plain) == record
    assert folder.write(record, tmp_path, figures=False).name == f"{written.name}-2"


def test_a_hostile_name_stays_within(tmp_path: Path) -> None:
    """A model's name makes no path of its own, and what fails leaves nothing behind."""
    record = replace(hostile(), model_name="../../x/\x00y")
    assert folder.write(record, tmp_path, figures=False).parent == tmp_path
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="is a file"):
        folder.write(record, tmp_path / "file")
    assert len(list(tmp_path.iterdir())) == 2


def test_it_is_logged(registry: RegistryClient, tmp_path: Path) -> None:
    """A run has the status and the action as tags, the metrics, and the report as it was written."""
    record = degraded()
    report = folder.write(record, tmp_path, figures=False)
    found = registry.client.get_run(run.log(record, registry, report=report))
    tags, values = found.data.tags, found.data.metrics
    assert found.info.status == "FINISHED"
    assert registry.client.get_experiment(found.info.experiment_id).name == "abtest/churn"
    told = {tag: tags[f"abtest.{tag}"] for tag in ("kind", "status", "action", "model_name")}
    assert told == {"kind": "monitoring", "status": "DEGRADED", "action": "retrain", "model_name": "churn"}
    assert tags["mlflow.note.content"].startswith("## churn")
    for it in record.monitored.changes:
        if it.segment is None:
            assert values[f"monitor.{it.metric}"] == it.recent
            assert values[f"monitor.baseline.{it.metric}"] == it.baseline
            assert values[f"monitor.effect.{it.metric}"] == it.effect
    assert values["monitor.predictions"] == record.monitored.n
    names = {it.path for it in registry.client.list_artifacts(found.info.run_id)}
    assert names == {"report.html", "monitoring.json", "summary.md"}
