"""What the sample reports show: real data and real models, compared, tried on live traffic, and watched for a month."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

import abtest
from abtest.guardrail import Guardrail
from abtest.live.analysis import analyse
from abtest.live.experiment import Experiment
from abtest.live.log import Feedback, Logged
from abtest.live.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.record import ComparedModel, ComparisonRecord, ComparisonsRecord, MonitoringRecord, Provenance

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))
flights: Any = importlib.import_module("flights")

MADE = datetime(2026, 3, 2, 9, tzinfo=UTC)
SERVER = "5a4d3c2b1a090807"  # any name


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Versions of a model, and the rows they learn from and are compared on.

    Attributes:
        name: The model's, in the registry.
        target: The column with the truth.
        versions: The champion, then its challengers.
        learnt: Rows to learn from.
        rows: Rows to compare on; columns that the former lack are no features.
    """

    name: str
    target: str
    versions: Sequence[Any]
    learnt: pd.DataFrame
    rows: pd.DataFrame

    def compared(self, folder: Path, **options: Any) -> Any:
        """Compare the later versions with the first."""
        uri, path = self.registered(folder), folder / f"{self.name}-test.csv"
        self.rows.to_csv(path, index=False)
        first, *others = [f"models:/{self.name}/{i}" for i, _ in enumerate(self.versions, start=1)]
        return abtest.compare(
            first, others if len(others) > 1 else others[0], data=path, target=self.target, model_name=self.name,
            tracking_uri=uri, **options,
        ).record  # fmt: skip

    def registered(self, folder: Path) -> str:
        """Train, log and register every version."""
        import mlflow
        from mlflow.models import infer_signature

        flights.quiet()
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        mlflow.set_tracking_uri(uri)
        mlflow.create_experiment(self.name, artifact_location=(folder / "models").as_uri())
        mlflow.set_experiment(self.name)
        features = self.learnt.drop(columns=self.target).astype(float)
        for model in self.versions:
            model.fit(features, self.learnt[self.target])
            with mlflow.start_run() as run:
                mlflow.sklearn.log_model(
                    model, name="model", signature=infer_signature(features.head(99), model.predict(features.head(99))),
                    pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
                )  # fmt: skip
            abtest.Registry(uri).register(self.name, run_id=run.info.run_id)
        return uri


def halves(frame: pd.DataFrame, classes: pd.Series | None) -> dict[str, pd.DataFrame]:
    """Split rows in two, with as many of each class in both."""
    learnt, rows = train_test_split(frame, test_size=0.5, random_state=0, stratify=classes)
    return {"learnt": learnt, "rows": rows}


def binary(folder: Path) -> ComparisonRecord:
    """Tumours, malignant or benign (Wolberg, Street and Mangasarian, 1995), with probabilities."""
    found = datasets.load_breast_cancer(as_frame=True)
    frame = found.data.assign(tumour=np.where(found.target == 0, "malignant", "benign"))
    sides = [GaussianNB(), make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))]
    policy = abtest.Policy(metrics=("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"))
    trial = Trial(name="tumours", target="tumour", versions=sides, **halves(frame, frame["tumour"]))
    return trial.compared(folder, policy=policy, average="binary", pos_label="malignant")  # type: ignore[no-any-return] # one


def digits() -> pd.DataFrame:
    """Handwritten digits (Alpaydin and Kaynak, 1998)."""
    frame: pd.DataFrame = datasets.load_digits(as_frame=True).frame.rename(columns={"target": "digit"})
    return frame


def multiclass(folder: Path) -> ComparisonRecord:
    """Digits, some of which were read by a scanner with a grey veil: simulated, a fifteenth of black.

    The support vector machine is better over all rows, and worse on those.
    """
    frame = digits()
    split = halves(frame, frame["digit"])
    rows, pixels = split["rows"].copy(), frame.columns.drop("digit")
    veiled = np.random.default_rng(0).random(len(rows)) < 0.06
    rows.loc[veiled, pixels] = (rows.loc[veiled, pixels] + 1.08).clip(upper=16)
    rows["scanner"] = np.where(veiled, "old", "new")
    sides = [
        make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)),
        make_pipeline(MinMaxScaler(), SVC(C=10, gamma=0.1)),
    ]
    guardrail = Guardrail(metric="accuracy", segment="scanner", margin=0.02, mode="not-proved-worse")
    trial = Trial(name="digits", target="digit", versions=sides, learnt=split["learnt"], rows=rows)
    policy = abtest.Policy(guardrails=(guardrail,))
    return trial.compared(folder, policy=policy, segments=["scanner"])  # type: ignore[no-any-return] # one


def several(folder: Path) -> ComparisonsRecord:
    """Three challengers to naive Bayes on digits."""
    frame = digits()
    sides = [
        GaussianNB(),
        make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)),
        KNeighborsClassifier(3),
        make_pipeline(MinMaxScaler(), SVC(C=10, gamma=0.1)),
    ]
    trial = Trial(name="digits", target="digit", versions=sides, **halves(frame, frame["digit"]))
    return trial.compared(folder, policy=abtest.Policy(metrics=("accuracy", "f1")))  # type: ignore[no-any-return] # several


def regression(folder: Path) -> ComparisonRecord:
    """How diabetes went on after a year (Efron, Hastie, Johnstone and Tibshirani, 2004), told apart by sex."""
    frame = datasets.load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    sides = [make_pipeline(StandardScaler(), LinearRegression()), RandomForestRegressor(random_state=0)]
    trial = Trial(name="progression", target="progression", versions=sides, **halves(frame, None))
    return trial.compared(folder, segments=["sex"], task="regression")  # type: ignore[no-any-return] # one


def live(folder: Path) -> ComparisonRecord:
    """Flights out of New York in July 2013, in the order they left: will one be late? A shadow behind the champion.

    Both sides are real, and so are the times; that a label comes six hours later, and what a prediction takes, is made
    up.
    """
    rows = flights.read()
    begin, end = flights.months(7, 7)
    sides = [_trained(rows, 1, 2), _trained(rows, 3, 6)]
    asked = flights.labelled(flights.between(rows, begin, end))
    told = [model.predict(asked[flights.FEATURES]).tolist() for model in sides]
    at, truth = [it.timestamp() for it in asked["at"]], asked[flights.TRUTH].tolist()
    plan = Experiment(
        name="summer", model_name=flights.NAME, mode="shadow", champion_version=1, challenger_version=2, salt="summer",
        horizon=21_600, planned_n=3_000, created_at=begin, created_by="ada", classes=("late", "on time"),
    )  # fmt: skip
    with Store(f"sqlite:///{folder / 'live.db'}") as store:
        store.start(plan, inclusion=1.0, why="is a model of spring better in summer?")
        store.write([_logged(i, at[i], arm, told[k][i]) for i in range(len(at)) for k, arm in enumerate(_ARMS)])
        for day in np.arange(begin.timestamp(), end.timestamp() + 86_400, 86_400).tolist():
            known = [i for i, moment in enumerate(at) if day - 86_400 <= moment + 21_600 < day]
            labels = [Feedback(prediction_id=f"{SERVER}-{i + 1}", label=truth[i]) for i in known]
            store.record(labels, received_at=day)
        return analyse(store, plan.name, until=end + timedelta(days=1)).record


_ARMS = ("champion", "challenger")


def _trained(rows: pd.DataFrame, first: int, last: int) -> Any:
    """Boosted trees of some months, with classes as frequent as they are."""
    begin = flights.months(first, first)[0]
    known = flights.labelled(flights.between(rows, begin, flights.months(last, last)[1]))
    model = HistGradientBoostingClassifier(max_leaf_nodes=8, max_iter=80, random_state=0)
    return make_pipeline(flights.coded(), model).fit(known[flights.FEATURES], known[flights.TRUTH])


def _logged(i: int, at: float, arm: Any, prediction: str) -> Logged:
    return Logged(
        server=SERVER, sequence=i + 1, at=at, arm=arm, served=arm == "champion", model_version=1 + _ARMS.index(arm),
        prediction=prediction, seconds=0.0021 if arm == "champion" else 0.0024, experiment="summer", epoch=1,
        unit=f"{i:032x}",
    )  # fmt: skip


def monitoring(folder: Path) -> MonitoringRecord:
    """A model of winter in April 2013, held against its first four weeks."""
    service = flights.Service(flights=flights.read(), folder=folder)
    begin = flights.IN_SERVICE
    service.register(flights.months(1, 1)[0], begin - flights.LABELS_TAKE, "champion")
    for month in (3, 4):
        record = service.go_on(flights.months(month, month)[1] + flights.LABELS_TAKE)
    return replace(record, created_at=record.monitored.end)  # type: ignore[no-any-return] # of a module without types


SAMPLES: dict[str, Callable[[Path], Any]] = {
    it.__name__: it for it in (binary, multiclass, regression, several, live, monitoring)
}


def lean(record: Any, name: str) -> Any:
    """A record without what differs from one making to the next: times, places, runs; nested ones too."""
    at = MADE + timedelta(days=list(SAMPLES).index(name))
    if name == "several":
        parts = tuple(_lean(it, at) for it in record.comparisons)
        return replace(record, created_at=at, champion=parts[0].champion, data=parts[0].data, comparisons=parts)
    if name == "monitoring":
        return replace(record, store="sqlite:///abtest-live.db", provenance=_from(record.provenance))
    return _lean(record, record.created_at if name == "live" else at)


def _lean(record: ComparisonRecord, at: datetime) -> ComparisonRecord:
    return replace(
        record, created_at=at, champion=_side(record.champion), challenger=_side(record.challenger),
        data=replace(record.data, path=Path(record.data.path).name), provenance=_from(record.provenance),
    )  # fmt: skip


def _side(model: ComparedModel) -> ComparedModel:
    return replace(model, run_id=None, latency=None, size=None)


def _from(found: Provenance) -> Provenance:
    return replace(found, git_commit=None, registry=found.registry and "sqlite:///mlflow.db")
