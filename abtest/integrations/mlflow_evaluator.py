"""abtest as an evaluator of ``mlflow.models.evaluate``: the champion is scored on the same rows as the model.

```python
mlflow.models.evaluate(
    "models:/iris/2", rows, targets="species", model_type="classifier",
    evaluators="abtest", evaluator_config={"champion": "models:/iris@champion", "gate": True},
)
```

logs the comparison to the run that MLflow made. It fails closed: a champion that is not there, or an option that is
none, fails the evaluation. MLflow loads this file with itself, so nothing heavy is imported until there is something to
evaluate.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.models.evaluation import EvaluationResult, ModelEvaluator

from abtest.errors import InvalidInputError, ModelNotFoundError, RefusedError, near
from abtest.wording import first_line

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.data.evaluation_dataset import EvaluationDataset

    from abtest.comparison import Comparison
    from abtest.record import ComparedModel, ComparisonRecord

NAME = "abtest"
TASKS = {"classifier": "classification", "regressor": "regression"}
_OWN = ("champion", "accept", "gate")
_PASSED = (
    "model_name", "policy", "confidence", "method", "segments", "unit", "average", "pos_label", "label_type",
    "resamples", "seed", "train_data", "confirm_data", "batch_size", "save_plot",
)  # fmt: skip
_MLFLOWS = ("col_mapping",)  # which MLflow takes out of any evaluator's options


class AbtestEvaluator(ModelEvaluator):
    """Compares the model that MLflow evaluates, as the challenger, with a champion."""

    @classmethod
    def can_evaluate(cls, *, model_type: str, evaluator_config: Mapping[str, Any] | None, **_: object) -> bool:
        """Whether this evaluation is meant for abtest: it was named, or has options that are its own.

        Without ``evaluators=`` MLflow asks every evaluator there is, and who has never heard of abtest must not be
        failed by it. Named, it evaluates or raises: to step aside would be to pass.
        """
        frame = inspect.currentframe()
        caller = frame.f_back.f_code.co_name if frame is not None and frame.f_back is not None else ""
        named = caller == "_evaluate"  # MLflow asks once more then; of those named, for the first time
        return named or (model_type in TASKS and any(key in (evaluator_config or {}) for key in _OWN))

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: EvaluationDataset,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None,
        model: Any = None,  # noqa: ANN401 - whatever MLflow loaded
        model_id: str | None = None,
        **_: object,
    ) -> EvaluationResult:
        """Compare, log to the run, and raise with ``gate`` unless the verdict passes.

        Raises:
            InvalidInputError: An option is unknown, or no champion is named.
            RefusedError: ``gate`` was asked for, and the verdict does not pass it.
            AbtestError: The comparison cannot be made.
        """
        from abtest.decision import accepted, passes  # noqa: PLC0415 - see the module
        from abtest.reporter import plain  # noqa: PLC0415 - see the module

        config = _checked(evaluator_config or {}, model_type)
        accept = accepted(config.get("accept", ()))
        record = _compared(dataset, config, model, model_type, model_id).record
        passed = passes(record.decision.verdict, accept)
        result = _logged(record, run_id, passed=passed, figures=config.get("save_plot", True))
        if config.get("gate") and not passed:
            raise RefusedError(f"The gate is closed.\n{plain.render(record)}")
        return result


def _checked(config: Mapping[str, Any], model_type: str) -> Mapping[str, Any]:
    """Refuse what cannot be evaluated, before any work."""
    if model_type not in TASKS:
        raise InvalidInputError(
            f"model_type must be one of {', '.join(TASKS)} for abtest, got {model_type!r}.",
            hint=near(model_type, TASKS),
        )
    known = (*_OWN, *_PASSED, *_MLFLOWS)
    for key in config:
        if key not in known:
            raise InvalidInputError(
                f"evaluator_config: abtest has no option {key!r}.",
                hint=near(str(key), known) or f"known are {', '.join((*_OWN, *_PASSED))}.",
            )
    if config.get("champion") is None and config.get("model_name") is None:
        raise InvalidInputError(
            "evaluator_config names no champion, so there is nothing to compare with.",
            hint="{'champion': 'models:/NAME@champion'}, or {'model_name': 'NAME'} for what serves.",
        )
    if not isinstance(config.get("gate", False), bool):
        raise InvalidInputError(f"gate must be True or False, got {config['gate']!r}.")
    return config


def _compared(
    dataset: EvaluationDataset,
    config: Mapping[str, Any],
    model: Any,  # noqa: ANN401 - whatever MLflow loaded
    model_type: str,
    model_id: str | None,
) -> Comparison:
    from abtest import defaults, workflow  # noqa: PLC0415 - see the module
    from abtest.policy import Policy  # noqa: PLC0415 - see the module
    from abtest.settings import Settings  # noqa: PLC0415 - see the module

    given = {key: config[key] for key in _PASSED if config.get(key) is not None}
    if isinstance(given.get("policy"), Mapping):
        given["policy"] = Policy.from_mapping(given["policy"], source="evaluator_config policy")
    frame, target, predictions = _rows(dataset)
    if model is None:
        if predictions is None:
            raise InvalidInputError(
                "There is neither a model nor a column of predictions to evaluate.", hint="predictions='COLUMN'."
            )
        _refuse_without_columns(config.get("champion"))
        model = _Column(predictions)
    elif predictions is not None:
        frame = frame.drop(columns=predictions)
    compare: Any = workflow.compare  # whichever of its forms
    found: Comparison = compare(
        config.get("champion"),
        model,
        data=frame,
        target=target,
        task=TASKS[model_type],
        log="later",
        **defaults.options(given, Settings()),
    )
    data = replace(found.record.data, path=dataset.path or found.record.data.path)
    challenger = _named(found, model, model_id)
    return replace(found, record=replace(found.record, challenger=challenger, data=data))


def _named(found: Comparison, model: Any, model_id: str | None) -> ComparedModel:  # noqa: ANN401 - whatever MLflow loaded
    """Name the challenger: MLflow hands over a loaded model, and not what it was loaded from."""
    challenger = found.record.challenger
    if isinstance(model, _Column):
        return replace(challenger, ref=model.feature_names_in_[0])
    metadata, name = getattr(model, "metadata", None), found.record.model_name
    run_id, known = getattr(metadata, "run_id", None), model_id or getattr(metadata, "model_id", None)
    if not known:
        return replace(challenger, ref="evaluated model", run_id=run_id)
    uri, versions = f"models:/{known}", []
    if name is not None and found.registry is not None:
        versions = [it.version.version for it in found.registry.details(name) if it.source == uri]
    if len(versions) != 1:  # two of one source cannot be told apart
        return replace(challenger, ref=uri, uri=uri, run_id=run_id)
    uri = f"models:/{name}/{versions[0]}"
    return replace(challenger, ref=uri, uri=uri, run_id=run_id, version=versions[0])


def _rows(dataset: EvaluationDataset) -> tuple[pd.DataFrame, str, str | None]:
    """Features, truth and, where there are any, predictions as one frame; and what the latter two are called there."""
    import pandas as pd  # noqa: PLC0415 - see the module

    names = [str(name) for name in dataset.feature_names]
    frame = pd.DataFrame(dataset.features_data).set_axis(names, axis="columns")  # an array of features has no names
    if dataset.labels_data is None:
        raise InvalidInputError("The data have no targets, so nothing can be compared.", hint="targets='COLUMN'.")
    target = _free(dataset.targets_name or "target", names)
    frame = frame.assign(**{target: dataset.labels_data})
    if dataset.predictions_data is None:
        return frame, target, None
    predictions = _free(dataset.predictions_name or "prediction", [*names, target])
    return frame.assign(**{predictions: dataset.predictions_data}), target, predictions


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name


class _Column:
    """A model whose predictions are there already, in a column."""

    def __init__(self, name: str) -> None:
        self.feature_names_in_ = [name]

    def predict(self, rows: pd.DataFrame) -> Any:  # noqa: ANN401 - a column's values are of any kind
        """Read them off."""
        return rows[self.feature_names_in_[0]].to_numpy()


def _refuse_without_columns(champion: object) -> None:
    """A champion that takes whatever columns there are would take the challenger's predictions too."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see the module
    from mlflow.models import get_model_info  # noqa: PLC0415 - see the module

    if champion == "baseline":
        return
    if not isinstance(champion, str):
        raise InvalidInputError("champion must be a URI where the predictions are there already.")
    try:
        signature = get_model_info(champion).signature
    except (MlflowException, OSError) as error:
        raise ModelNotFoundError(f"There is no model for the champion at {champion}: {first_line(error)}.") from error
    if signature is None or signature.inputs is None or not signature.inputs.has_input_names():
        raise InvalidInputError(
            f"champion {champion} has no signature that names its columns, which predictions in a column need.",
            hint="log it with one, or evaluate the model and not its predictions.",
        )


def _logged(record: ComparisonRecord, run_id: str, *, passed: bool, figures: bool) -> EvaluationResult:
    """Log metrics, tags and the report to the run, and give MLflow what it hands on."""
    from mlflow import MlflowClient  # noqa: PLC0415 - see the module
    from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact, TextEvaluationArtifact  # noqa: PLC0415 - see the module

    from abtest import tracking  # noqa: PLC0415 - see the module
    from abtest.reporter import folder, run  # noqa: PLC0415 - see the module

    client, verdict = MlflowClient(), str(record.decision.verdict)
    metrics = {**run.metrics(record), "abtest.passed": float(passed)}
    log = tracking.OpenRun(client, run_id)
    log.metrics(metrics)
    log.tags({"abtest.kind": "comparison", **record.tags})
    with tempfile.TemporaryDirectory() as scratch:
        report = folder.write(record, Path(scratch), figures=figures).rename(Path(scratch) / NAME)
        (report / "verdict.txt").write_text(verdict, encoding="utf-8")
        log.artifacts(Path(scratch))
    root = f"{client.get_run(run_id).info.artifact_uri}/{NAME}"
    text, whole = f"{root}/verdict.txt", f"{root}/comparison.json"
    artifacts = {
        "abtest.verdict": TextEvaluationArtifact(text, verdict),  # type: ignore[no-untyped-call] # MLflow gives it no types
        "abtest.comparison": JsonEvaluationArtifact(whole, record.to_dict()),  # type: ignore[no-untyped-call] # see above
    }
    return EvaluationResult(metrics, artifacts, run_id)  # type: ignore[no-untyped-call] # see above
