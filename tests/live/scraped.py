"""What a server exposed, read as Prometheus' own client reads it; and a real Prometheus to ask about it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping  # a field's annotation
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deployment.servers import free_port
from tests.live import promql
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/abtest.json").read_text(encoding="utf-8"))
RULES = ROOT / "deploy/prometheus/rules.yaml"
CONFIG = ROOT / "deploy/prometheus/prometheus.yaml"
MONITORING = "abtest_monitor_"  # what begins so is told by an export, and all else by a server
OF_SCRAPES = {"job", "instance", "le"}  # labels that Prometheus, and histograms, add
_ROW = re.compile(r"^\| `(abtest_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


@dataclass(frozen=True)
class Family:
    """A metric: its type, and the labels of its samples by their names."""

    kind: str
    samples: Mapping[str, frozenset[str]]


def families(*texts: str) -> dict[str, Family]:
    """Read expositions together."""
    found: dict[str, Family] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            samples = dict(found[name].samples) if name in found else {}
            samples |= {sample.name: frozenset(sample.labels) for sample in family.samples}
            found[name] = Family(kind=family.type, samples=samples)
    return found


def guided(*, monitoring: bool) -> dict[str, tuple[str, frozenset[str]]]:
    """The metrics of the guide: by name, type and labels."""
    guide = (ROOT / "docs/live-metrics.md").read_text(encoding="utf-8")
    return {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in _ROW.findall(guide)
        if name.startswith(MONITORING) == monitoring
    }


def queries(*, monitoring: bool) -> list[str]:
    """What the dashboard's panels ask for."""
    panels = (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    return [asked for asked in found if (MONITORING in asked) == monitoring]


def expressions(*, monitoring: bool) -> list[str]:
    """What the dashboard and the alerts ask for."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    found = [each["expr"] for each in DASHBOARD["annotations"]["list"]]
    found += [rule["expr"] for group in groups for rule in group["rules"]]
    return queries(monitoring=monitoring) + [asked for asked in found if (MONITORING in asked) == monitoring]


def refuse_unknown(expression: str, samples: Mapping[str, frozenset[str]]) -> None:
    """Fail where an expression asks for a metric or a label that is not there."""
    found = promql.asked(expression)
    assert found.metrics
    assert found.grouped <= OF_SCRAPES.union(*(samples[name] for name, _ in found.metrics)), expression
    for name, chosen in found.metrics:
        assert chosen <= samples[name] | OF_SCRAPES, expression


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by their labels' values in the order of the labels' names."""
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def promtool() -> str:
    """Prometheus' own checker; skips where there is none."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    return found


class Prometheus:
    """A real one, asked over HTTP."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask, and give the series that answer."""
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        return list(answer["data"]["result"])

    def get(self, path: str) -> Any:
        """Ask its API for something else."""
        return self._client.get(f"/api/v1/{path}").json()["data"]

    def answers(self) -> bool:
        """Whether it is up."""
        with contextlib.suppress(httpx.TransportError):
            return self._client.get("/-/ready").status_code == 200
        return False


@contextlib.contextmanager
def prometheus(folder: Path, target: str, key: str) -> Iterator[Prometheus]:
    """Run the shipped configuration on a server, once a second, until the test is done; skip where there is none."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs prometheus, of Debian's package of that name")
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    shutil.copy(RULES, folder / "rules.yaml")
    (folder / "api-key").write_text(key, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
                 f"--web.listen-address={address}", "--log.level=warn"]  # fmt: skip
    with (folder / "prometheus.txt").open("wb") as stream:
        process = subprocess.Popen([program, *arguments], stdout=stream, stderr=stream)  # noqa: S603 - Debian's own
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
            running = Prometheus(client)
            until(running.answers)
            yield running
    finally:
        process.terminate()
        process.wait(30)
