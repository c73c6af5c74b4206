"""What a server tells Prometheus: held against its traffic, the guide, the dashboard, the alerts, and Prometheus."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from abtest.live.experiment import State
from abtest.live.store import Store
from abtest.policy import Policy
from abtest.registry import RegistryClient
from tests import zoo
from tests.live import logs, moody, scraped
from tests.live.moody import Mood
from tests.live.servers import Server, serving
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "a-key-of-the-tests"
ROWS, FAILING = 240, 40
UNITS = [f"user-{number}" for number in range(ROWS)]
RULES = [rule for group in yaml.safe_load(scraped.RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
IN_PANELS = scraped.queries(monitoring=False)


@dataclass(frozen=True)
class Measured:
    """What was scraped while a shadow of classes went on, and while a split of numbers did; and what was sent."""

    shadow: str
    split: str
    ids: tuple[str, ...]
    silent: tuple[str, ...]
    firing: frozenset[str]
    rules: tuple[dict[str, Any], ...]

    @property
    def families(self) -> dict[str, scraped.Family]:
        """All metrics."""
        return scraped.families(self.shadow, self.split)


def fruit(made: Path, templates: Path) -> str:
    """A registry of "moody" in a folder."""
    uri = zoo.copy(templates / "empty.db", made)
    moody.register(RegistryClient(uri), made / "models")
    return uri


@pytest.fixture(scope="module")
def server(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server of version 1, which asks for a key."""
    folder = tmp_path_factory.mktemp("metered")
    uri = fruit(folder, templates)
    (folder / "keys").write_text(KEY, encoding="utf-8")
    arguments = ("--model-name", "moody", "--version", "1", "--tracking-uri", uri, "--api-key-file", "keys")
    with serving(*arguments, folder=folder) as server:
        server.client.headers["Authorization"] = f"Bearer {KEY}"
        yield server, folder


@pytest.fixture(scope="module")
def measured(server: tuple[Server, Path]) -> Measured:
    """Both experiments, one after the other, and a look by Prometheus at the first one where there is one."""
    asked, folder = server
    with Store(f"sqlite:///{folder / 'abtest-live.db'}") as store:
        begin(store, asked, mode="shadow", planned_n=None)
        ids = traffic(asked, failing=FAILING)
        until(lambda: labelled(asked, "accuracy_ratio"))
        silent, firing, rules = looked_at(asked, folder)
        shadow = text(asked)
        now = datetime.now(UTC)
        store.turn(logs.epoch(2, state=State.STOPPED, inclusion=0.0, began_at=now))
        until(lambda: "abtest_experiment" not in text(asked))
        begin(store, asked, name="exp-b", policy=Policy(metrics=("rmse",)))
        traffic(asked, failing=0)
        until(lambda: labelled(asked, "mean_squared_error"))
        split = text(asked)
    return Measured(shadow=shadow, split=split, ids=ids, silent=silent, firing=firing, rules=rules)


def begin(store: Store, server: Server, **plan: Any) -> None:
    """Start an experiment, and wait until the server takes part."""
    experiment = logs.experiment(model_name="moody", created_at=datetime.now(UTC), **plan)
    store.start(experiment, inclusion=1.0, why="test")
    row = {"features": {"number": 7, "mood": Mood.PREDICT}}
    until(lambda: ("challenger", "moody", "2") in scraped.values(text(server), "abtest_model_info"))
    until(lambda: server.post("/predict", row)["epoch"] == 1)


def traffic(server: Server, *, failing: int) -> tuple[str, ...]:
    """Ask for many rows, some of which the challenger fails, tell their labels, and ask what is not there."""
    moods = [Mood.RAISE if at < failing else Mood.PREDICT for at in range(ROWS)]
    rows = [{"number": 7 + at % 2, "mood": mood} for at, mood in enumerate(moods)]
    answers = server.post("/predict/batch", {"instances": rows, "units": UNITS})["predictions"]
    until(lambda: not sum(scraped.values(text(server), "abtest_shadow_rows_waiting").values()))
    ids = tuple(answer["prediction_id"] for answer in answers)
    until(lambda: not sum(scraped.values(text(server), "abtest_log_rows_queued").values()))
    labels = [{"prediction_id": named, "label": 7.0 + at % 2} for at, named in enumerate(ids)]
    server.post("/feedback", labels, status=207)
    for named in ("a", "b", ids[0]):
        assert server.client.get(f"/{named}").status_code == 404
    return ids


def text(server: Server) -> str:
    """What the server exposes."""
    answer = server.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def labelled(server: Server, name: str) -> bool:
    """Whether the server has looked at all labels."""
    now = text(server)
    units = scraped.values(now, "abtest_experiment_labelled_units")
    return bool(scraped.values(now, f"abtest_experiment_{name}")) and sum(units.values()) >= ROWS


def looked_at(server: Server, folder: Path) -> tuple[tuple[str, ...], frozenset[str], tuple[dict[str, Any], ...]]:
    """Have Prometheus scrape the server: the dashboard's queries without an answer, alerts that fire, all rules."""
    try:
        with scraped.prometheus(folder, server.client.base_url.netloc.decode(), KEY) as prometheus:
            until(lambda: prometheus.query("count_over_time(abtest_ready[1m]) >= 3"))
            until(lambda: firing(prometheus))
            silent = tuple(asked for asked in IN_PANELS if not prometheus.query(filled(asked)))
            rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
            return silent, firing(prometheus), tuple(rules)
    except pytest.skip.Exception:
        return (), frozenset(), ()


def firing(prometheus: scraped.Prometheus) -> frozenset[str]:
    """Alerts that fire."""
    series = prometheus.query('ALERTS{alertstate="firing"}')
    return frozenset(each["metric"]["alertname"] for each in series)


def filled(expression: str) -> str:
    """Fill in the dashboard's variables."""
    return expression.replace("$__rate_interval", "1m").replace("$experiment", "exp-a")


def test_names_are_as_prometheus_wants_them(measured: Measured) -> None:
    """``promtool check metrics`` has nothing to say of either exposition."""
    for exposed in (measured.shadow, measured.split):
        told = subprocess.run(  # noqa: S603 - Prometheus' own
            [scraped.promtool(), "check", "metrics"], input=exposed, capture_output=True, text=True, check=False
        )
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_the_guide_tells_of_every_metric(measured: Measured) -> None:
    """The guide has each metric that a server exposes with its type and labels, and no other."""
    exposed = {
        name: (family.kind, frozenset().union(*family.samples.values()) - {"le"})
        for name, family in measured.families.items()
    }
    assert scraped.guided(monitoring=False) == exposed


def test_queries_ask_for_what_there_is(measured: Measured) -> None:
    """Every metric and label in the dashboard and the alerts is one that a server exposes."""
    samples = {name: labels for family in measured.families.values() for name, labels in family.samples.items()}
    samples["up"] = frozenset()
    for expression in scraped.expressions(monitoring=False):
        scraped.refuse_unknown(expression, samples)


def test_prometheus_answers_every_query(measured: Measured) -> None:
    """A real Prometheus has an answer to each query of the dashboard; but those of a regression, of classes."""
    if not measured.rules:
        pytest.skip("needs prometheus, of Debian's package of that name")
    assert all("mean_squared_error" in asked for asked in measured.silent), measured.silent
    assert len(measured.silent) == 1


def test_prometheus_runs_every_alert(measured: Measured) -> None:
    """A real Prometheus evaluates each rule, and fires for the harm that the challenger does."""
    if not measured.rules:
        pytest.skip("needs prometheus, of Debian's package of that name")
    assert {rule["name"]: rule["health"] for rule in measured.rules} == {rule["alert"]: "ok" for rule in RULES}
    assert measured.firing == {"AbtestHarm"}


def test_the_counts_are_those_of_the_traffic(measured: Measured) -> None:
    """Rows, failures, labels and what the shadow did add up to what was sent."""
    now = measured.shadow
    served = scraped.values(now, "abtest_predictions_total")
    warm = scraped.values(now, "abtest_requests_total")["/predict", "200"]
    assert served["champion", "moody", "true", "1"] == ROWS + warm
    assert scraped.values(now, "abtest_prediction_failures_total") == {("challenger", "raised", "moody", "2"): FAILING}
    assert scraped.values(now, "abtest_labels_total") == {("recorded",): ROWS}
    assert scraped.values(now, "abtest_label_lag_seconds_count") == {(): ROWS}
    (offered,) = scraped.values(now, "abtest_shadow_rows_offered_total").values()
    (scored,) = scraped.values(now, "abtest_shadow_rows_scored_total").values()
    (written,) = scraped.values(now, "abtest_log_rows_written_total").values()
    assert scored == offered - FAILING == served["challenger", "moody", "false", "2"]
    assert written == ROWS + warm + offered
    assert scraped.values(now, "abtest_experiment_labelled_units") == {
        ("champion", "exp-a"): ROWS, ("challenger", "exp-a"): ROWS
    }  # fmt: skip
    right = scraped.values(now, "abtest_experiment_accuracy_ratio")
    assert right == {("champion", "exp-a"): 1.0, ("challenger", "exp-a"): pytest.approx(1 - FAILING / ROWS)}
    assert scraped.values(now, "abtest_experiment_effect")["value", "exp-a"] == pytest.approx(-FAILING / ROWS)


def test_nobody_from_outside_makes_series(measured: Measured) -> None:
    """No unit, no prediction and no unknown path is a label; all unknown paths are one."""
    for exposed in (measured.shadow, measured.split):
        assert not any(named in exposed for named in (*UNITS, *measured.ids))
    assert scraped.values(measured.shadow, "abtest_requests_total")["other", "404"] == 3


def test_who_has_no_key_is_told_nothing(server: tuple[Server, Path]) -> None:
    """A server that asks for a key asks Prometheus too, and counts who had none."""
    asked, _ = server
    assert asked.client.get("/metrics", headers={"Authorization": "Bearer none"}).status_code == 401
    assert scraped.values(text(asked), "abtest_requests_total")["/metrics", "401"] == 1


def test_a_registry_that_is_away_is_told(server: tuple[Server, Path]) -> None:
    """While the registry does not answer, that is told and counted, and the server stays ready."""
    asked, folder = server
    engine = logs.engine(f"sqlite:///{folder / 'mlflow.db'}")

    def is_up() -> float:
        return scraped.values(text(asked), "abtest_registry_up")[()]

    assert is_up()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE registered_models RENAME TO elsewhere")
    until(lambda: not is_up())
    now = text(asked)
    assert scraped.values(now, "abtest_registry_failures_total")[()] >= 1
    assert scraped.values(now, "abtest_serving_as_registered")[()] == 0
    assert scraped.values(now, "abtest_ready")[()] == 1
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO registered_models")
    until(is_up)
