"""The sentence, in code: models and rows in, a comparison out.

``compare`` scores two models; ``compare_predictions`` starts from predictions that are already there. Both write and
log nothing unless told to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.comparison import Comparison
from abtest.decision import decide
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES, both_sides, evaluate
from abtest.loaders.datasets import BATCH_ROWS, Dataset, open_data
from abtest.loaders.references import BASELINE, Pinned, pin_sides
from abtest.loaders.segments import check_columns, columns_of
from abtest.metrics.catalogue import resolve
from abtest.policy import Policy
from abtest.provenance import provenance
from abtest.record import ComparedData, ComparedModel, ComparisonRecord, ComparisonSettings
from abtest.registry import Reference, Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from abtest.engines.local import Scored
    from abtest.labels import Label, LabelType, Side
    from abtest.loaders.models import Model, Predictor
    from abtest.metrics.classification import Average
    from abtest.outcomes import PairedOutcomes

    Given = str | Path | Reference | Predictor | None

Progress = Callable[[str, int, int | None], None]


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
    segments: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    batch_size: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    output: str | Path | None = None,
    save_plot: bool = True,
    log: bool = False,
    experiment: str | None = None,
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
        segments: Columns whose values tell segments apart, or columns crossed (``"region*device"``).
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        batch_size: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, and count them.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        log: Log the comparison to MLflow.
        experiment: Where it is logged; ``abtest/<model>`` by default.
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
    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=batch_size,
        drop_unlabelled=drop_unlabelled,
        policy=policy or Policy(),
        segments=_segments(segments, policy),
    )
    _prepare(output, settings.policy)
    dataset = open_data(data)
    sides: dict[Side, Given] = {"champion": champion, "challenger": challenger}
    references = {side: _reference(given) for side, given in sides.items()}
    if target is not None and target not in dataset.columns:
        raise dataset.missing(target, "target column")
    check_columns(dataset, settings.segments, target)
    named = bool(log or tracking_uri or registry_uri)
    registry = Registry(tracking_uri, registry_uri) if named or _needs_registry(sides, references) else None
    name, *pins = pin_sides(registry, model_name, references["champion"], references["challenger"])
    pinned: dict[Side, Pinned] = dict(zip(sides, pins, strict=True))
    models = {side: _load(side, given, pinned[side], registry) for side, given in sides.items()}
    target, notices = _target(target, models, dataset, settings.segments)
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody scored
    scored = _score(models, dataset, target, settings, progress)
    if scored.majority is not None:
        notices.append(f"The champion is the majority-class predictor: it always says {scored.majority!r}.")
    record = _record(
        scored.outcomes,
        settings,
        model_name=name,
        models={side: _compared(given, pinned[side], models[side], scored) for side, given in sides.items()},
        data=ComparedData(path=dataset.name, n=scored.outcomes.n, digest=digest, target=target),
        notices=(*notices, *scored.notices),
        registry=registry.registry_uri if registry else None,
        command=command,
        progress=progress,
    )
    versions = tuple(pin.version for pin in pins if pin.version)
    comparison = Comparison(record, registry, versions, experiment_name=experiment)
    return _delivered(comparison, output, log=log, figures=save_plot)


def compare_predictions(
    y_true: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    segments: Mapping[str, npt.ArrayLike] | None = None,
    crossings: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    output: str | Path | None = None,
    save_plot: bool = True,
    log: bool = False,
    experiment: str | None = None,
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
        segments: Columns whose values tell segments apart, by name; shape (rows,) each.
        crossings: Names of such columns crossed (``"region*device"``).
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        log: Log the comparison to MLflow, at MLflow's own default URI.
        experiment: Where it is logged.

    Raises:
        InvalidInputError: The columns differ in length, hold missing values, or share no type.

    Example:
        >>> compare_predictions([0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]).verdict
        <Verdict.INSUFFICIENT_EVIDENCE: 'INSUFFICIENT_EVIDENCE'>
    """
    from abtest.engines.local import tally_columns  # noqa: PLC0415 - Arrow is not needed to import this module

    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=None,
        drop_unlabelled=False,
        policy=policy or Policy(),
        segments=_segments([*(segments or {}), *crossings], policy),
    )
    _prepare(output, settings.policy)
    crossed = [name for name in settings.segments if name not in (segments or {})]
    outcomes, notices = tally_columns(
        y_true, champion, challenger, segments=segments, crossings=crossed, label_type=label_type
    )
    record = _record(
        outcomes,
        settings,
        model_name=None,
        models={
            side: ComparedModel(ref=side, version=None, run_id=None, uri=None) for side in ("champion", "challenger")
        },
        data=ComparedData(path="arrays", n=outcomes.n, digest=None, target=None),
        notices=notices,
        registry=None,
        command=None,
    )
    return _delivered(Comparison(record, experiment_name=experiment), output, log=log, figures=save_plot)


def compare_columns(
    file: str | Path,
    *,
    target: str,
    champion: str,
    challenger: str,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    segments: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    batch_size: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    output: str | Path | None = None,
    save_plot: bool = True,
    command: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two columns of predictions with the truth, all in one file, read in batches.

    Args:
        file: CSV, Parquet or JSON Lines; a file, a folder of Parquet, or a glob.
        target: The column with the truth.
        champion: The column with the champion's labels.
        challenger: The column with the challenger's labels.
        label_type: As in ``compare``, like all that follow.
        average: Of precision, recall and F1.
        pos_label: For ``average="binary"``.
        policy: What must hold.
        segments: Columns whose values tell segments apart, or columns crossed.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        batch_size: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, and count them.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        command: The command line this came from.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        AbtestError: See ``abtest.errors``; nothing has been written then.
    """
    from abtest.engines import local  # noqa: PLC0415 - Arrow is not needed to import this module

    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=batch_size,
        drop_unlabelled=drop_unlabelled,
        policy=policy or Policy(),
        segments=_segments(segments, policy),
    )
    _prepare(output, settings.policy)
    dataset = open_data(file)
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody counted
    scored = local.tally_file(
        dataset,
        target=target,
        champion=champion,
        challenger=challenger,
        segments=settings.segments,
        label_type=label_type,
        batch_rows=batch_size,
        drop_unlabelled=drop_unlabelled,
        progress=_teller(progress, "Reading", dataset.row_count() if progress else None),
    )
    record = _record(
        scored.outcomes,
        settings,
        model_name=None,
        models={
            "champion": ComparedModel(ref=champion, version=None, run_id=None, uri=None),
            "challenger": ComparedModel(ref=challenger, version=None, run_id=None, uri=None),
        },
        data=ComparedData(path=dataset.name, n=scored.outcomes.n, digest=digest, target=target),
        notices=scored.notices,
        registry=None,
        command=command,
        progress=progress,
    )
    return _delivered(Comparison(record), output, log=False, figures=save_plot)


def _segments(asked: Sequence[str], policy: Policy | None) -> tuple[str, ...]:
    """The segmentations asked for, and those that guardrails need."""
    if isinstance(asked, str):
        raise InvalidInputError(f"segments must be a list of names, got {asked!r}.", hint=f"[{asked!r}]")
    return tuple(dict.fromkeys([*asked, *(policy.segments if policy else ())]))


def _teller(progress: Progress | None, what: str, total: int | None) -> Callable[[int], None]:
    """Tell how far one piece of work has come."""

    def tell(done: int) -> None:
        if progress:
            progress(what, done, total)

    return tell


def _prepare(output: str | Path | None, policy: Policy) -> None:
    """Find out before an hour of scoring, not after, that a metric is not there or a report cannot be written."""
    resolve(policy.metrics, policy.costs)
    if output is not None:
        if not str(output):
            raise InvalidInputError("output must name a folder, got ''.")
        from abtest.reporter import folder  # noqa: PLC0415 - only who asks for a report pays

        folder.prepare(Path(output))


def _delivered(comparison: Comparison, output: str | Path | None, *, log: bool, figures: bool) -> Comparison:
    """Write and log what was asked for."""
    if output is not None:
        comparison = comparison.save(output, figures=figures)
    return comparison.log(figures=figures) if log else comparison


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
    progress: Progress | None = None,
) -> ComparisonRecord:
    """From the table on: evaluate, decide, and put it on record."""
    evaluation = evaluate(
        outcomes,
        settings.policy,
        average=settings.average,
        pos_label=settings.pos_label,
        resamples=settings.resamples,
        seed=settings.seed,
        progress=_teller(progress, "Resampling", settings.resamples * (1 + len(outcomes.segments))),
    )
    evaluation = replace(
        evaluation,
        latency=both_sides(models["champion"].latency, models["challenger"].latency),
        size=both_sides(models["champion"].size, models["challenger"].size),
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


def _compared(given: Given, pin: Pinned, model: Model | None, scored: Scored) -> ComparedModel:
    version = pin.version.version if pin.version else None
    uri = None if _is_object(given) else pin.shown_uri
    return ComparedModel(
        ref=wording.redacted(str(pin.reference)),
        version=version,
        run_id=pin.run_id,
        uri=wording.redacted(uri) if uri else None,
        latency=scored.latency.get(model.side) if model else None,
        size=model.size if model else None,
    )


def _target(
    target: str | None, models: dict[Side, Model | None], data: Dataset, segments: Sequence[str]
) -> tuple[str, list[str]]:
    """Find the column with the truth: the one that is no segment and neither model takes, else the last, said aloud."""
    if target is not None:
        return target, []
    features = [model.features for model in models.values() if model]
    taken = {name for names in features for name in names or ()}
    aside = columns_of(segments, data.columns)
    left = [column for column in data.columns if column not in taken and column not in aside]
    if len(left) == 1:
        return left[0], []
    if left and any(names is None for names in features):
        last = left[-1]
        return last, [f"The target is taken to be the last column, '{last}': a model has no column signature."]
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
    settings: ComparisonSettings,
    progress: Progress | None,
) -> Scored:
    from abtest.engines import local  # noqa: PLC0415 - Arrow is not needed to import this module

    challenger = models["challenger"]
    if challenger is None:
        raise InvalidInputError("challenger must be a model, got baseline.")
    return local.score(
        models["champion"],
        challenger,
        data,
        target=target,
        segments=settings.segments,
        label_type=settings.label_type,
        batch_rows=settings.batch_size or BATCH_ROWS,
        drop_unlabelled=settings.drop_unlabelled,
        progress=_teller(progress, "Scoring", data.row_count() if progress else None),
    )
