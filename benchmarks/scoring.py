"""What does asking a model cost, beside the estimator itself?

A logged model is asked about one decoded batch as scoring asks it: for labels and scores, beside one call of the
estimator's own ``predict_proba``, and beside what MLflow's ``predict`` and that take; and for labels alone. Each call
is given a frame that no call has seen, as every batch is.
"""

from __future__ import annotations

import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from abtest.engines.asking import Asked
from abtest.engines.pairs import plain
from abtest.loaders.datasets import BATCH_ROWS
from abtest.loaders.feeding import Fed
from abtest.loaders.models import from_uri
from abtest.loaders.scores import Scorer, scorer
from abtest.loaders.unwrapped import unwrapped
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.loaders.models import Model

NAMES = [f"x{i}" for i in range(20)]
_BARE, _BOTH = "the estimator, one call", "MLflow's predict, then predict_proba"


def main(*, quick: bool = False) -> None:
    """Measure one batch of each estimator; the dearer in fewer rounds."""
    rows = 1_000 if quick else BATCH_ROWS
    with tempfile.TemporaryDirectory() as scratch:
        for name, estimator, rounds in (
            ("logistic regression", LogisticRegression(), 101),
            ("the same, scaled", make_pipeline(StandardScaler(), LogisticRegression()), 101),
            ("random forest", RandomForestClassifier(50, max_depth=10, random_state=0), 7),
            ("gradient boosting", HistGradientBoostingClassifier(max_iter=50), 7),
        ):
            model = logged(estimator, Path(scratch) / name)
            _measure(name, model, estimator, rows, rounds=3 if quick else rounds)


def _measure(name: str, model: Model, estimator: Any, rows: int, *, rounds: int) -> None:  # noqa: ANN401 - scikit-learn ships no types
    fed = Fed(pa.RecordBatch.from_pandas(frame(rows, seed=1)), np.arange(1, rows + 1))
    features = fed.features(model, NAMES).give()
    found, bare, wrapped = scorer(model), unwrapped(model), model.predictor
    asked = {
        "labels and scores": Asked(model, NAMES, found if isinstance(found, Scorer) else None, unwrapped=bare),
        "labels": Asked(model, NAMES, None, unwrapped=bare),
    }
    for what, source in asked.items():
        must_agree(plain(source.answer(fed).labels), estimator.predict(features), within=0)
        scored = what != "labels"
        calls: dict[str, Callable[[], object]] = {
            "abtest": partial(source.answer, fed),
            _BARE: lambda call=estimator.predict_proba if scored else estimator.predict: call(
                features.copy(deep=False)
            ),  # type: ignore[misc] # mypy cannot type defaults
        }
        if scored:
            calls[_BOTH] = lambda: [
                ask(features.copy(deep=False)) for ask in (wrapped.predict, estimator.predict_proba)
            ]
        times = interleaved(calls, rounds=rounds)
        compare(f"{name}, {what} of {rows_text(rows)}", times, aims=(Aim(at_most=1.05, of=_BARE),))


def logged(estimator: Any, path: Path) -> Model:  # noqa: ANN401 - scikit-learn ships no types
    """Train an estimator and save it as MLflow does, and load it."""
    import mlflow.sklearn  # noqa: PLC0415 - takes seconds

    train = frame(20_000, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on integer columns, and on how a model is saved
        mlflow.sklearn.save_model(
            estimator.fit(train[NAMES], train["y"]),
            path,
            signature=mlflow.models.infer_signature(train[NAMES], train["y"]),
            pip_requirements=["mlflow"],
            serialization_format="cloudpickle",
        )
    return from_uri("champion", str(path), None)


def frame(rows: int, *, seed: int) -> pd.DataFrame:
    """Draw rows of features, and two classes that hang on some of them."""
    rng = np.random.default_rng(seed)
    drawn = pd.DataFrame(rng.normal(size=(rows, len(NAMES))), columns=NAMES)
    return drawn.assign(y=(drawn[NAMES[:5]].sum(axis=1) + rng.normal(0, 2, rows) > 0).astype(int))
