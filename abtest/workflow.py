"""The sentence, in code: models and rows in, a comparison out.

``compare`` scores two models; ``compare_predictions`` starts from predictions that are already there. Both write and
log nothing unless told to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest.comparison import ComparedData, ComparedModel, ComparisonRecord, ComparisonSettings
from abtest.decision import Decision, Verdict, decide
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES, Evaluation, evaluate
from abtest.labels import LABEL_TYPES
from abtest.loaders.datasets import BATCH_ROWS, Dataset, open_data
from abtest.loaders.references import BASELINE, Pinned, pin_sides
from abtest.policy import Policy
from abtest.provenance import provenance
from abtest.registry import Reference, Registry

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from abtest.labels import Label, LabelType
    from abtest.loaders.models import Model, Predictor
    from abtest.metrics.classification import Average
    from abtest.outcomes import Contingency, PairedOutcomes, Side

    Given = str | Path | Reference | Predictor | None

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison: what was found, what was decided, and what can be done with it.

    Attributes:
        record: All of it as plain data.
        registry: Where the models are, if they are in a registry.
    """

    record: ComparisonRecord
    registry: Registry | None = None

    @property
    def verdict(self) -> Verdict:
        """Which model should serve."""
        return self.record.decision.verdict

    @property
    def decision(self) -> Decision:
        """The verdict with its reasons."""
        return self.record.decision

    @property
    def evaluation(self) -> Evaluation:
        """Every metric, test and interval."""
        return self.record.evaluation

    @property
    def outcomes(self) -> PairedOutcomes:
        """The table that everything was computed from."""
        return self.record.outcomes

    @property
    def contingency(self) -> Contingency:
        """Who was right where."""
        return self.record.contingency

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a metric, indexed by metric."""
        return _frame(self.record.to_dict()["metrics"], ["metric"])

    @property
    def per_class(self) -> pd.DataFrame:
        """One row a class and metric, indexed by (class, metric)."""
        return _frame(self.record.to_dict()["per_class"], ["class", "metric"])

    @property
    def segments(self) -> pd.DataFrame:
        """One row a segment, value and metric, indexed by them."""
        return _frame(self.record.to_dict()["segments"], ["segment", "value", "metric"])

    @property
    def confusion(self) -> dict[Side, pd.DataFrame]:
        """Both confusion matrices: truth by row, prediction by column."""
        import pandas as pd  # noqa: PLC0415 - only who looks at frames pays for pandas

        labels, outcomes = list(self.outcomes.labels), self.outcomes
        sides: tuple[Side, Side] = ("champion", "challenger")
        return {side: pd.DataFrame(outcomes.confusion(side), index=labels, columns=labels) for side in sides}

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return self.record.to_dict()

    def to_json(self) -> str:
        """Everything, as JSON text: what ``comparison.json`` holds."""
        return self.record.to_json()

    def to_markdown(self) -> str:
        """Verdict, reasons and metrics, fit for a pull-request comment."""
        from abtest.reporter import markdown, summary  # noqa: PLC0415 - only who asks for it pays

        return markdown.render(summary.summarise(self.record))

    def __str__(self) -> str:
        from abtest.reporter.summary import summarise  # noqa: PLC0415 - only who asks for it pays

        words = summarise(self.record)
        return f"{words.verdict}: {words.headline}"


def compare(
    champion: Given = None,
    challenger: Given = None,
    *,
    data: str | Path | pd.DataFrame,
    target: str | None = None,
    model_name: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    batch_size: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    command: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Score both models on the same rows and decide which one should serve.

    Args:
        champion: The serving model: a URI (``models:/iris@champion``, ``runs:/…``, a path), a ``Reference``, an object
            with ``predict``, "baseline" for the majority-class predictor, or None for whatever is in Production or has
            the alias ``champion``.
        challenger: The other one, likewise; by default what is in Staging or has the alias ``challenger``.
        data: Labelled rows: CSV, Parquet or JSON Lines; a file, a folder of Parquet, a glob, or a data frame.
        target: The column with the truth; by default the one column that neither model takes.
        model_name: The registered model; inferred when exactly one has both references.
        tracking_uri: As MLflow takes it; MLflow's own default if None.
        registry_uri: Where models are registered, if elsewhere.
        label_type: Cast truth and predictions to this type.
        average: How precision, recall and F1 are averaged: "macro", "weighted" or "binary".
        pos_label: The positive label for "binary".
        policy: What must hold; the share rule by default.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        batch_size: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, and count them.
        command: The command line this came from, for the record.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        AbtestError: See ``abtest.errors``; nothing has been written then.

    Example:
        >>> import pandas as pd
        >>> from sklearn.dummy import DummyClassifier
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> X = pd.DataFrame({"x": range(40)})
        >>> y = (X["x"] > 19).astype(int)
        >>> plain, better = DummyClassifier().fit(X, y), DecisionTreeClassifier().fit(X, y)
        >>> compare(plain, better, data=X.assign(y=y), target="y").verdict
        <Verdict.PROMOTE: 'PROMOTE'>
    """
    policy = policy or Policy()
    _check(label_type)
    dataset = open_data(data)
    sides: dict[Side, Given] = {"champion": champion, "challenger": challenger}
    references = {side: _reference(given) for side, given in sides.items()}
    registry = Registry(tracking_uri, registry_uri) if _needs_registry(sides, references) else None
    name, *pins = pin_sides(registry, model_name, references["champion"], references["challenger"])
    pinned: dict[Side, Pinned] = dict(zip(sides, pins, strict=True))
    models = {side: _load(side, given, pinned[side], registry) for side, given in sides.items()}
    target, notices = _target(target, models, dataset)
    scored = _score(models, dataset, target, label_type, batch_size, progress=progress, drop_unlabelled=drop_unlabelled)
    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=batch_size,
        drop_unlabelled=drop_unlabelled,
        policy=policy,
    )
    if scored.majority is not None:
        notices.append(f"The champion is the majority-class predictor: it always says {scored.majority!r}.")
    record = _record(
        scored.outcomes,
        settings,
        model_name=name,
        models={side: _compared(given, pinned[side]) for side, given in sides.items()},
        data=ComparedData(path=dataset.name, n=scored.outcomes.n, digest=dataset.digest(), target=target),
        notices=(*notices, *scored.notices),
        registry=registry.registry_uri if registry else None,
        command=command,
    )
    return Comparison(record, registry)


def compare_predictions(
    y_true: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    source: str = "predictions",
    target: str | None = None,
    names: tuple[str, str] = ("champion", "challenger"),
    digest: str | None = None,
    command: str | None = None,
) -> Comparison:
    """Compare predictions that are already there; no model and no registry is needed.

    Args:
        y_true: The truth, shape (rows,).
        champion: The champion's labels, shape (rows,).
        challenger: The challenger's labels, shape (rows,).
        label_type: Cast all three to this type.
        average: How precision, recall and F1 are averaged.
        pos_label: The positive label for ``average="binary"``.
        policy: What must hold; the share rule by default.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        source: Where the predictions come from, for the record.
        target: What the truth is called there.
        names: What the sides are called there.
        digest: Of the data, if known.
        command: The command line this came from, for the record.

    Raises:
        InvalidInputError: The columns differ in length, hold missing values, or share no type.

    Example:
        >>> compare_predictions([0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]).verdict
        <Verdict.INSUFFICIENT_EVIDENCE: 'INSUFFICIENT_EVIDENCE'>
    """
    from abtest.engines.local import tally_columns  # noqa: PLC0415 - Arrow is not needed to import this module

    _check(label_type)
    outcomes, notices = tally_columns(y_true, champion, challenger, label_type=label_type)
    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=None,
        drop_unlabelled=False,
        policy=policy or Policy(),
    )
    record = _record(
        outcomes,
        settings,
        model_name=None,
        models={
            side: ComparedModel(ref=ref, version=None, run_id=None, uri=None)
            for side, ref in zip(("champion", "challenger"), names, strict=True)
        },
        data=ComparedData(path=source, n=outcomes.n, digest=digest, target=target),
        notices=notices,
        registry=None,
        command=command,
    )
    return Comparison(record)


def _record(
    outcomes: PairedOutcomes,
    settings: ComparisonSettings,
    *,
    model_name: str | None,
    models: dict[Any, ComparedModel],
    data: ComparedData,
    notices: tuple[str, ...],
    registry: str | None,
    command: str | None,
) -> ComparisonRecord:
    """From the table on: evaluate, decide, and put it on record."""
    evaluation = evaluate(
        outcomes,
        settings.policy,
        average=settings.average,
        pos_label=settings.pos_label,
        resamples=settings.resamples,
        seed=settings.seed,
    )
    return ComparisonRecord.of(
        model_name=model_name,
        champion=models["champion"],
        challenger=models["challenger"],
        data=data,
        settings=settings,
        outcomes=outcomes,
        evaluation=evaluation,
        decision=decide(evaluation, settings.policy),
        provenance=provenance(registry=registry, policy_digest=settings.policy.digest, command=command),
        notices=notices,
    )


def _reference(given: Given) -> Reference | None:
    """Read what was given for a side; an object with ``predict`` is no reference, but stands where one would."""
    if given is None or isinstance(given, Reference):
        return given
    if given == BASELINE:
        return Reference(kind="version", value=BASELINE)
    if isinstance(given, str | Path):
        return Reference(kind="uri", value=str(given))
    return Reference(kind="uri", value=type(given).__name__)


def _is_object(given: Given) -> bool:
    return not (given is None or isinstance(given, str | Path | Reference))


def _needs_registry(sides: dict[Side, Given], references: dict[Side, Reference | None]) -> bool:
    """A path or an object needs no registry; everything else is looked up in one."""
    for side, given in sides.items():
        reference = references[side]
        if reference is None or (not _is_object(given) and reference.value.startswith(("models:/", "runs:/"))):
            return True
        if reference.kind != "uri" and reference.value != BASELINE:
            return True
    return False


def _load(side: Side, given: Given, pin: Pinned, registry: Registry | None) -> Model | None:
    from abtest.loaders import models  # noqa: PLC0415 - Arrow is not needed to import this module

    if _is_object(given):
        return models.from_object(side, given)  # type: ignore[arg-type] # _is_object has looked
    if pin.uri is None:
        return None
    return models.from_uri(side, pin.uri, registry)


def _compared(given: Given, pin: Pinned) -> ComparedModel:
    version = pin.version.version if pin.version else None
    uri = None if _is_object(given) else pin.shown_uri
    return ComparedModel(ref=str(pin.reference), version=version, run_id=pin.run_id, uri=uri)


def _target(target: str | None, models: dict[Side, Model | None], data: Dataset) -> tuple[str, list[str]]:
    """Find the column with the truth: the one neither model takes, else the last, said aloud."""
    if target is not None:
        return target, []
    features = [model.features for model in models.values() if model]
    if any(names is None for names in features):
        last = data.columns[-1]
        return last, [f"The target is taken to be the last column, '{last}': a model has no column signature."]
    taken = {name for names in features for name in names or ()}
    left = [column for column in data.columns if column not in taken]
    if len(left) == 1:
        return left[0], []
    if not left:
        raise InvalidInputError(
            f"{data.name} has no column beside the models' features, so none can be the target.",
            hint="--target names the column with the truth.",
        )
    raise InvalidInputError(
        f"target is needed: neither model takes the columns {', '.join(left)}.", hint=f"--target {left[-1]}"
    )


def _score(
    models: dict[Side, Model | None],
    data: Dataset,
    target: str,
    label_type: LabelType | None,
    batch_size: int,
    *,
    progress: Progress | None,
    drop_unlabelled: bool,
) -> Any:  # noqa: ANN401 - Scored, whose module is imported here
    from abtest.engines import local  # noqa: PLC0415 - Arrow is not needed to import this module

    challenger = models["challenger"]
    if challenger is None:
        raise InvalidInputError("challenger must be a model, got baseline.")
    total = data.row_count() if progress else None

    def tell(rows: int) -> None:
        if progress:
            progress("Scoring", rows, total)

    return local.score(
        models["champion"],
        challenger,
        data,
        target=target,
        label_type=label_type,
        batch_rows=batch_size,
        drop_unlabelled=drop_unlabelled,
        progress=tell,
    )


def _check(label_type: str | None) -> None:
    if label_type is not None and label_type not in LABEL_TYPES:
        raise InvalidInputError(f"label_type must be one of {', '.join(LABEL_TYPES)}, got {label_type!r}.")


def _frame(rows: list[dict[str, Any]], index: list[str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - only who looks at frames pays for pandas

    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=index)
    return frame.set_index(index)
