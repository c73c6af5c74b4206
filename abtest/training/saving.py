"""A fitted pipeline as MLflow keeps it: signature, pinned requirements, and a format that needs no pickle."""

from __future__ import annotations

import contextlib
import logging
import warnings
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pandas as pd

from abtest import wording
from abtest.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


_ALWAYS = ("scikit-learn", "numpy", "pandas")  # what every such model is loaded and asked with
_SAMPLE = 100  # rows, whose predictions show what the model gives


def save(estimator: Any, features: pd.DataFrame, name: str, path: Path) -> list[str]:  # noqa: ANN401 - scikit-learn ships no types
    """Save a fitted pipeline to a folder, and tell what is to be known about it."""
    import mlflow.sklearn  # noqa: PLC0415 - only who saves pays for MLflow

    return _written(estimator, features, name, lambda given: mlflow.sklearn.save_model(estimator, path=path, **given))[
        1
    ]


def log(
    estimator: Any,  # noqa: ANN401 - see above
    features: pd.DataFrame,
    name: str,
    run_id: str,
) -> tuple[str, list[str]]:
    """Log a fitted pipeline as the model of a run, and tell its URI, and what is to be known about it."""
    import mlflow.sklearn  # noqa: PLC0415 - see above

    info, notices = _written(
        estimator,
        features,
        name,
        lambda given: mlflow.sklearn.log_model(estimator, name="model", run_id=run_id, **given),
    )
    return str(info.model_uri), notices


def _written(
    estimator: Any,  # noqa: ANN401 - see above
    features: pd.DataFrame,
    name: str,
    write: Callable[[Mapping[str, Any]], Any],
) -> tuple[Any, list[str]]:
    """Write it by skops, which runs no code of a pickle's; by cloudpickle where skops cannot."""
    needs, notices = requirements(estimator, name)
    with _quiet():
        given = {"signature": _signature(estimator, features)}
        types = _types(estimator)
        if types is not None:
            plain = {"serialization_format": "skops", "skops_trusted_types": types}
            return write({**given, **plain, "pip_requirements": [*needs, _pinned("skops")]}), notices
        notices.append(f"{name} is kept as a pickle: skops has no way to write it. Loading it runs what is in it.")
        given |= {"serialization_format": "cloudpickle", "pip_requirements": [*needs, _pinned("cloudpickle")]}
        return write(given), notices


def requirements(estimator: Any, name: str) -> tuple[list[str], list[str]]:  # noqa: ANN401 - see above
    """Pin the distributions that a pipeline's classes come from; tell of classes that come from none.

    Returns:
        ``name==version`` of each, and sentences about what has none.
    """
    known, loose = set(_ALWAYS), set()
    for module in sorted(_modules(estimator)):
        found = _distributions().get(module)
        known.update(found[:1] if found else ())
        if not found:
            loose.add(module)
    told = [
        f"{name} is of the module {module}, which no installed package holds: where the model is loaded, it has to be "
        "importable."
        for module in sorted(loose)
    ]
    return [_pinned(it) for it in sorted(known)], told


def _modules(part: Any) -> set[str]:  # noqa: ANN401 - see above
    """Top-level modules of the classes a pipeline is made of, at any depth."""
    parts = [part, *(part.get_params(deep=True).values() if hasattr(part, "get_params") else ())]
    found = {getattr(it if isinstance(it, type) or callable(it) else type(it), "__module__", None) for it in parts}
    found |= {type(it).__module__ for it in parts}
    return {str(it).partition(".")[0] for it in found if it} - {"builtins", "functools", "typing", "__main__"}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _pinned(name: str) -> str:
    return f"{name}=={metadata.version(name)}"


def _types(estimator: Any) -> list[str] | None:  # noqa: ANN401 - see above
    """The types that skops has to be told to trust; None where it cannot write, or read, the pipeline."""
    import skops.io  # type: ignore[import-untyped] # noqa: PLC0415 - it ships no types; see above

    try:
        written = skops.io.dumps(estimator)
        types: list[str] = skops.io.get_untrusted_types(data=written)
        skops.io.loads(written, trusted=types)
    except Exception:  # noqa: BLE001 - it raises what it likes about classes it does not know
        return None
    return types


def _signature(estimator: Any, features: pd.DataFrame) -> Any:  # noqa: ANN401 - see above
    """What columns go in, and what comes out: whole numbers of which some are missing go in as floats."""
    from mlflow.models import infer_signature  # noqa: PLC0415 - see above

    frame = features.astype({name: float for name in features if _is_whole_with_gaps(features[name])})
    return infer_signature(frame, pd.Series(estimator.predict(features.head(_SAMPLE))))


def _is_whole_with_gaps(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iu" and bool(column.isna().any())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's remarks to itself that whoever trains can do nothing about.

    Raises:
        BackendError: MLflow does not take the model.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see above

    remarks = logging.getLogger("mlflow.sklearn")  # on pickles, which is said by ourselves
    level = remarks.level
    remarks.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Whole numbers without gaps stay so: abtest casts a file's columns by the signature, and says so.
        warnings.filterwarnings("ignore", message=".*integer column.*", category=UserWarning)
        try:
            yield
        except MlflowException as error:
            raise BackendError(f"A model could not be logged: {wording.first_line(error)}.") from error
        finally:
            remarks.setLevel(level)
