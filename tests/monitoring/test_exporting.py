"""What Prometheus is told of a watched model: held against the report, the guide, the dashboard, and Prometheus."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError
from abtest.live.tracked import Act
from abtest.monitoring import exporting
from tests.live import scraped
from tests.monitoring import records
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACT = Act(
    model_name="fruit", what="rollback", at=records.END, status="DEGRADED", outcome="failed", text="It could not be."
)  # fmt: skip
ACTS = (ACT, replace(ACT, what="notify", outcome="done"), replace(ACT, at=records.END - records.DAY))
FULL = records.record(
    changes=(records.change("fallen"), records.change("unclear", metric="f1"),
             records.change("held", segment="region", value="EU \"east\"\n")),
    segments=(records.series("fallen"),),
    looked_often=True,
    sequential=(records.sequential(),),
    drift=(records.drift("prediction", 0.02, drifted=False, kind="prediction"), records.drift(),
           records.drift("hour", 0.01, drifted=False), records.drift("lost", drifted=False, distance=None)),
)  # fmt: skip


@pytest.fixture(scope="module")
def text() -> str:
    """All that can be told of a model."""
    return exporting.exposition(FULL, ACTS)


def labels_of(text: str) -> dict[str, frozenset[str]]:
    """The labels of each metric."""
    return {name: labels for it in scraped.families(text).values() for name, labels in it.samples.items()}


def test_names_are_as_prometheus_wants_them(text: str) -> None:
    """``promtool check metrics`` has nothing to say."""
    told = subprocess.run(  # noqa: S603 - Prometheus' own
        [scraped.promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_the_guide_tells_of_every_metric(text: str) -> None:
    """The guide has each metric of an export with its type and labels, and no other."""
    exposed = {
        name: (family.kind, frozenset().union(*family.samples.values()))
        for name, family in scraped.families(text).items()
    }
    assert scraped.guided(monitoring=True) == exposed


def test_queries_ask_for_what_there_is(text: str) -> None:
    """Every metric and label of monitoring in the dashboard and the alerts is one that is exported."""
    asked = scraped.expressions(monitoring=True)
    assert len(asked) >= 10
    for expression in asked:
        scraped.refuse_unknown(expression, labels_of(text))


def test_the_values_are_the_report_s(text: str) -> None:
    """Each number is the report's own; one of all rows has an empty segment; of acts the last is told."""

    def values(name: str) -> dict[tuple[str, ...], float]:
        return scraped.values(text, f"abtest_monitor_{name}")

    monitored = FULL.monitored
    assert {status for (_, status), held in values("status").items() if held} == {FULL.health.status}
    assert sum(values("action").values()) == 1
    for change in monitored.changes:
        of = (change.metric, "fruit", change.segment or "", change.value or "")
        assert values("fall")[of] == change.fall
        assert values("baseline")[of] == change.baseline
        assert values("fallen")[of] == (change.trend == "fallen")
    assert values("metric") == {("accuracy", "fruit"): 0.8}
    assert values("metric_lower") == {("accuracy", "fruit"): 0.7}
    assert values("drift_distance") == {
        ("prediction", "prediction", "fruit"): 0.02, ("wind", "number", "fruit"): 0.3, ("hour", "number", "fruit"): 0.01
    }  # fmt: skip
    assert values("drifted_features") == {("fruit",): 1}
    assert values("predictions") == {("fruit",): monitored.n}
    assert values("last_prediction_timestamp_seconds") == {("fruit",): (records.END - records.DAY).timestamp()}
    assert values("last_check_timestamp_seconds") == {("fruit",): FULL.created_at.timestamp()}
    assert values("last_act_timestamp_seconds") == {
        ("fruit", "failed", "rollback"): records.END.timestamp(), ("fruit", "done", "notify"): records.END.timestamp()
    }  # fmt: skip
    assert values("info") == {("first", "fruit", "2"): 1}


def test_what_is_not_known_is_not_told() -> None:
    """Of a model without a label, a baseline or a feature there is no number made up, and none that is not finite."""
    bare = records.record(
        baseline=None, points=(), n=0, failed=0, labelled=0, lag=None, coverage_recent=None, reigns=()
    )
    text = exporting.exposition(bare)
    assert "nan" not in text.lower()
    for name in ("metric", "fall", "label_coverage_ratio", "label_lag_seconds", "last_prediction_timestamp_seconds"):
        assert f"abtest_monitor_{name}" not in text
    assert scraped.values(text, "abtest_monitor_info") == {("", "fruit", ""): 1}


def test_there_are_so_many_series_and_no_more() -> None:
    """However many features and segments there are: those are told that drifted farthest, and fell most surely."""
    drift = [records.drift(f"x{at}", at / 1000, drifted=False) for at in range(900)]
    drift += [records.drift("here", 0.2), records.drift("prediction", 0.01, drifted=False, kind="prediction")]
    changes = [records.change("unclear", segment="shop", value=str(at), pvalue=at / 900) for at in range(900)]
    changes += [records.change("fallen", segment="shop", value="sick", pvalue=0.5), records.change("held")]
    text = exporting.exposition(records.record(drift=tuple(drift), changes=tuple(changes)))
    told = {feature for feature, _, _ in scraped.values(text, "abtest_monitor_drift_distance")}
    assert told == {"prediction", "here", *(f"x{at}" for at in range(881, 900))}
    segments = {value for *_, value in scraped.values(text, "abtest_monitor_fall")}
    assert segments == {"", "sick", *map(str, range(19))}
    assert sum(not line.startswith("#") for line in text.splitlines()) < 250


def test_a_file_is_there_as_a_whole(tmp_path: Path) -> None:
    """The collector finds the file before or the new one, and no part of one; it is read back as it was written."""
    path = tmp_path / "textfiles" / "fruit.prom"
    exporting.write(records.well(), path)
    exporting.write(FULL, path, ACTS)
    assert path.read_text(encoding="utf-8") == exporting.exposition(FULL, ACTS)
    assert [it.name for it in path.parent.iterdir()] == ["fruit.prom"]


def test_a_file_that_no_collector_reads_is_refused(tmp_path: Path) -> None:
    """Another suffix than .prom would be passed over in silence."""
    with pytest.raises(InvalidInputError, match=r"\.prom, got 'fruit\.txt'"):
        exporting.write(FULL, tmp_path / "fruit.txt")
    assert not (tmp_path / "fruit.txt").exists()


def test_without_prometheus_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the extra of the server; who lacks it is told how to get it."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InvalidInputError, match=r"mlflow-abtest\[serve\]"):
        exporting.exposition(FULL)


def test_prometheus_answers_every_query(text: str, tmp_path: Path) -> None:
    """A real Prometheus reads an export, and has an answer to each query of the dashboard about a watched model."""
    with collector(text) as target, scraped.prometheus(tmp_path, target, "no-key") as prometheus:
        until(lambda: prometheus.query("abtest_monitor_info"))
        silent = [asked for asked in scraped.queries(monitoring=True)
                  if not prometheus.query(asked.replace("$model", "fruit"))]  # fmt: skip
        until(lambda: prometheus.query('ALERTS{alertname="AbtestModelDegraded",alertstate="firing"}'))
    assert silent == []


@contextlib.contextmanager
def collector(text: str) -> Iterator[str]:
    """Tell a text as node exporter would, and give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
