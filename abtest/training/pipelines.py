"""Raw columns in, predictions out: one scikit-learn pipeline an estimator, of scikit-learn's own classes alone.

Numbers are completed by their medians, unless the estimator takes missing ones, and scaled where it wants that. Texts
become a column of 0 and 1 each; rare ones share a column, which is also what a text is taken for that was never seen.
A missing text is a text of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abtest.training.catalogue import entry_of
from abtest.training.estimators import made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.labels import Task
    from abtest.training.data import Kind

ESTIMATOR = "estimator"  # the step; parameters of it are estimator__name
_MOST_TEXTS = 30  # columns that a column of texts becomes


def pipeline(name: str, task: Task, features: Mapping[str, Kind], parameters: Mapping[str, Any], seed: int) -> Any:  # noqa: ANN401 - scikit-learn ships no types
    """Make a pipeline that is not fitted yet.

    Raises:
        AbtestError: The estimator does not do this task, is not installed, or has no such parameter.
    """
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - slow to import

    estimator = made(name, task, parameters, seed)
    return Pipeline([("columns", _columns(name, features)), (ESTIMATOR, estimator)])


def _columns(name: str, features: Mapping[str, Kind]) -> Any:  # noqa: ANN401 - scikit-learn ships no types
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415 - slow to import
    from sklearn.impute import SimpleImputer  # noqa: PLC0415 - see above
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - see above
    from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415 - see above

    entry = entry_of(name)
    numbers = [
        *([] if entry.takes_missing else [SimpleImputer(strategy="median", keep_empty_features=True)]),
        *([StandardScaler()] if entry.scaled else []),
    ]
    # None and NaN are both missing: which of them stands for a missing text hangs on who reads the rows.
    nothing = {"strategy": "constant", "fill_value": ""}
    missing = [SimpleImputer(missing_values=none, **nothing) for none in (float("nan"), None)]
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_TEXTS, sparse_output=False)
    by_kind = {
        "number": make_pipeline(*numbers) if numbers else "passthrough",
        "text": make_pipeline(*missing, one_hot),
    }
    columns = {kind: [column for column, own in features.items() if own == kind] for kind in by_kind}
    return ColumnTransformer([(kind, how, columns[kind]) for kind, how in by_kind.items() if columns[kind]])
