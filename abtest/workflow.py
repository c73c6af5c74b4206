"""The sentence, in code: models and rows in, a comparison out.

``compare`` scores two models; ``compare_predictions`` starts from predictions that are already there. Both write and
log nothing unless told to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from abtest import honesty, wording
from abtest.comparison import Comparison
from abtest.decision import Verdict, decide
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES, Confirmation, both_sides, evaluate
from abtest.labels import SIDES, Side
from abtest.loaders.datasets import BATCH_ROWS, Dataset, open_data
from abtest.loaders.fingerprints import MOST_ROWS_KEPT
from abtest.loaders.references import BASELINE, Pinned, pin_sides
from abtest.loaders.segments import check_columns, columns_of
from abtest.metrics.catalogue import SCORES, resolve
from abtest.policy import Policy
from abtest.provenance import provenance
from abtest.record import ComparedData, ComparedModel, ComparisonRecord, ComparisonSettings
from abtest.registry import Reference, Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from abtest.engines.local import Scored
    from abtest.evaluator import Evaluation
    from abtest.labels import Label, LabelType
    from abtest.loaders.fingerprints import Fingerprints
    from abtest.loaders.models import Model, Predictor
    from abtest.metrics.classification import Average
    from abtest.outcomes import PairedOutcomes
    from abtest.record import Differences

    Given = str | Path | Reference | Predictor | None

Progress = Callable[[str, int, int | None], None]


def compare(
    champion: Given = None,
    challenger: Given = None,
    *,
    data: str | Path | pd.DataFrame,
    train_data: str | Path | pd.DataFrame | None = None,
    confirm_data: str | Path | pd.DataFrame | None = None,
    target: str | None = None,
    model_name: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    segments: Sequence[str] = (),
    unit: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    batch_size: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    output: str | Path | None = None,
    save_plot: bool = True,
    log: bool | Literal["later"] = False,
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
        train_data: What the models were trained on, to find rows that are in both; "run" is what the challenger's run
            logged.
        confirm_data: A locked test set, opened only after PROMOTE: it tells whether it confirms that, and nothing else.
        target: The column with the truth; by default the one column that neither model takes.
        model_name: The registered model; inferred when exactly one has both references.
        tracking_uri: As MLflow takes it; MLflow's own default if None.
        registry_uri: Where models are registered, if elsewhere.
        label_type: Cast truth and predictions to this type.
        average: How precision, recall and F1 are averaged: "macro", "weighted" or "binary".
        pos_label: The positive label for "binary".
        policy: What must hold; the share rule by default.
        segments: Columns whose values tell segments apart, or columns crossed (``"region*device"``).
        unit: The column that says which rows belong together (a user, a session): units are independent, rows are not.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        batch_size: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, and count them.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        log: Log the comparison to MLflow; "later" promises that the caller will.
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
    if unit is not None and unit not in dataset.columns:
        raise dataset.missing(unit, "unit column")
    named = bool(log is True or tracking_uri or registry_uri)
    registry = Registry(tracking_uri, registry_uri) if named or _needs_registry(sides, references) else None
    name, *pins = pin_sides(registry, model_name, references["champion"], references["challenger"])
    pinned: dict[Side, Pinned] = dict(zip(sides, pins, strict=True))
    models = {side: _load(side, given, pinned[side], registry) for side, given in sides.items()}
    target, notices = _target(target, models, dataset, (*settings.segments, *([unit] if unit else [])))
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody scored
    locked = None if confirm_data is None else _locked(confirm_data, digest)
    compared = {side: _compared(given, pinned[side]) for side, given in sides.items()}
    book = _Book(
        registry=registry, model_name=name, sides={side: m.told for side, m in compared.items()}, logged=bool(log)
    )
    use = book.use(settings.policy, digest)
    train = _training_source(train_data, registry, compared["challenger"].run_id)
    if train is not None:
        _check_columns(open_data(train, "train-data"), models, target, settings.segments, unit)
    if locked is not None:
        check_columns(locked[0], settings.segments, target)
        _check_columns(locked[0], models, target, settings.segments, unit)
        book.use(settings.policy, locked[1])  # refuses one that was opened too often, before anything is known
    looks = honesty.earlier_looks(registry, name)
    scored = _score(
        models,
        dataset,
        target,
        settings,
        progress,
        unit=unit,
        marks=[look.rows for look in looks],
        keep=bool(train is not None or locked),
    )
    if scored.majority is not None:
        notices.append(f"The champion is the majority-class predictor: it always says {scored.majority!r}.")
    known = honesty.extended(looks, scored.fingerprints)
    if known:
        use = book.use(settings.policy, digest, *(look.data_digest for look in known))
    asked, settings = settings, replace(settings, policy=use.policy)
    compared = {side: _with_footprint(model, models[side], scored) for side, model in compared.items()}
    evaluation = _evaluated(scored, settings, compared, progress)
    rows = scored.fingerprints
    grown, told = honesty.growth(known, rows.n if rows else 0, book.sides, *_pairs(scored))
    evaluation = replace(evaluation, growth=grown)
    notices += [*([use.notice] if use.notice else []), *told, *honesty.repeated(rows)]
    leaks, told = (None, ()) if train is None or rows is None else honesty.training(rows, train, settings.policy.alpha)
    if locked is not None and decide(evaluation, settings.policy).verdict is Verdict.PROMOTE:
        evaluation = replace(
            evaluation,
            confirmation=_confirmed(
                *locked, models, target, asked, seen=rows, dataset=dataset, unit=unit, book=book, progress=progress
            ),
        )
    record = _record(
        scored.outcomes,
        settings,
        evaluation,
        model_name=name,
        models=compared,
        data=ComparedData(
            path=dataset.name,
            n=scored.outcomes.n,
            digest=digest,
            target=target,
            unit=unit,
            uses=use.number,
            rows=rows.n if rows else None,
            rows_digest=rows.end.digest if rows else None,
            duplicates=rows.duplicates if rows else None,
            train=leaks,
        ),
        notices=(*notices, *told, *scored.notices),
        registry=registry.registry_uri if registry else None,
        command=command,
        policy=policy,
        differences=honesty.differences({side: pin.uri for side, pin in pinned.items() if pin.uri}, registry),
    )
    versions = tuple(pin.version for pin in pins if pin.version)
    comparison = Comparison(record, registry, versions, experiment_name=experiment)
    return _delivered(comparison, output, log=log is True, figures=save_plot)


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
    unit: npt.ArrayLike | None = None,
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
        unit: What each row belongs to (a user, a session), shape (rows,): units are independent, rows are not.
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

    if isinstance(segments, str | list | tuple):
        raise InvalidInputError(
            f"segments must be columns by name, got {type(segments).__name__}.",
            hint="{'region': [...]}; crossings takes names.",
        )
    # A data frame has columns too, and no truth value.
    columns = {} if segments is None else {str(name): segments[name] for name in segments}
    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=None,
        drop_unlabelled=False,
        policy=policy or Policy(),
        segments=_segments([*columns, *crossings], policy),
    )
    _prepare(output, settings.policy)
    crossed = [name for name in settings.segments if name not in columns]
    scored = tally_columns(
        y_true, champion, challenger, segments=columns, crossings=crossed, unit=unit, label_type=label_type
    )
    outcomes = scored.outcomes
    _refuse_uncounted(settings.policy)
    models: dict[Side, ComparedModel] = {
        side: ComparedModel(ref=side, version=None, run_id=None, uri=None) for side in SIDES
    }
    record = _record(
        outcomes,
        settings,
        _evaluated(scored, settings, models),
        model_name=None,
        models=models,
        data=ComparedData(path="arrays", n=outcomes.n, digest=None, target=None, unit=None if unit is None else "unit"),
        notices=scored.notices,
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
    unit: str | None = None,
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
        unit: The column that says which rows belong together.
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
        unit=unit,
        label_type=label_type,
        batch_rows=batch_size,
        drop_unlabelled=drop_unlabelled,
        progress=_teller(progress, "Reading", dataset.row_count() if progress else None),
    )
    _refuse_uncounted(settings.policy)
    names: dict[Side, str] = {"champion": champion, "challenger": challenger}
    models = {side: ComparedModel(ref=name, version=None, run_id=None, uri=None) for side, name in names.items()}
    record = _record(
        scored.outcomes,
        settings,
        _evaluated(scored, settings, models, progress),
        model_name=None,
        models=models,
        data=ComparedData(path=dataset.name, n=scored.outcomes.n, digest=digest, target=target, unit=unit),
        notices=scored.notices,
        registry=None,
        command=command,
    )
    return _delivered(Comparison(record), output, log=False, figures=save_plot)


def _segments(asked: Sequence[str], policy: Policy | None) -> tuple[str, ...]:
    """The segmentations asked for, and those that guardrails need."""
    if isinstance(asked, str):
        raise InvalidInputError(f"segments must be a list of names, got {asked!r}.", hint=f"[{asked!r}]")
    return tuple(dict.fromkeys([*asked, *(policy.segments if isinstance(policy, Policy) else ())]))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """Where uses of a test set are counted, and of which models."""

    registry: Registry | None
    model_name: str | None
    sides: Mapping[Side, str]
    logged: bool

    def use(self, policy: Policy, *digests: str) -> honesty.Use:
        return honesty.counted_use(
            self.registry,
            policy,
            digests,
            model_name=self.model_name,
            challenger=self.sides["challenger"],
            logged=self.logged,
        )


def _pairs(scored: Scored) -> tuple[int, int]:
    """Rows, or units where rows come in them, that favour the champion, and those that favour the challenger."""
    if scored.units is None:
        table = scored.outcomes.contingency()
        return table.champion_only, table.challenger_only
    differences = scored.units.whole.differences
    return int((differences < 0).sum()), int((differences > 0).sum())


def _refuse_uncounted(policy: Policy) -> None:
    """Predictions that come without models leave no trace by which their use of a test set could be counted."""
    honesty.counted_use(None, policy, (), model_name=None, challenger="", logged=False)


def _training_source(
    given: str | Path | pd.DataFrame | None, registry: Registry | None, run_id: str | None
) -> str | Path | pd.DataFrame | None:
    """Find the training data, before an hour of scoring."""
    if isinstance(given, str) and given == honesty.RUN:
        return honesty.logged_training(registry, run_id)
    if given is not None:
        open_data(given, "train-data")
    return given


def _check_columns(
    data: Dataset, models: Mapping[Side, Model | None], target: str, segments: Sequence[str], unit: str | None
) -> None:
    """Find out that other data lack a column before an hour of scoring, and before PROMOTE is known."""
    if target not in data.columns:
        raise data.missing(target, "target column")
    aside = (*columns_of(segments, data.columns), *([unit] if unit else []))
    for model in models.values():
        if model is not None:
            model.columns(data.columns, target, aside)


def _locked(source: str | Path | pd.DataFrame, digest: str) -> tuple[Dataset, str]:
    """Find the locked test set, before an hour of scoring, and take its digest; its rows stay unread."""
    data = open_data(source, "confirm-data")
    locked = data.digest()
    if locked == digest:
        raise InvalidInputError("confirm-data is the test data again.", hint="keep a set apart that nobody looks at.")
    return data, locked


def _confirmed(
    data: Dataset,
    locked: str,
    models: dict[Side, Model | None],
    target: str,
    settings: ComparisonSettings,
    *,
    seen: Fingerprints | None,
    dataset: Dataset,
    unit: str | None,
    book: _Book,
    progress: Progress | None,
) -> Confirmation:
    """Open the locked test set: the same models, the same policy, and of all numbers only whether it holds."""
    honesty.refuse_overlap(seen, dataset, data)
    use = book.use(settings.policy, locked)
    settings = replace(settings, policy=use.policy)
    scored = _score(models, data, target, settings, progress, unit=unit)
    nameless = ComparedModel(ref="", version=None, run_id=None, uri=None)
    sides = {side: _with_footprint(nameless, model, scored) for side, model in models.items()}
    held = decide(_evaluated(scored, settings, sides), settings.policy).verdict is Verdict.PROMOTE
    return Confirmation(path=wording.redacted(data.name), digest=locked, use=use.number, held=held)


def _evaluated(
    scored: Scored,
    settings: ComparisonSettings,
    models: Mapping[Side, ComparedModel],
    progress: Progress | None = None,
) -> Evaluation:
    """Compute everything that the table and the models' footprints say."""
    outcomes = scored.outcomes
    evaluation = evaluate(
        outcomes,
        settings.policy,
        average=settings.average,
        pos_label=settings.pos_label,
        resamples=settings.resamples,
        seed=settings.seed,
        units=scored.units,
        scores=scored.scores,
        unscored=scored.unscored,
        progress=_teller(progress, "Resampling", settings.resamples * (1 + len(outcomes.segments))),
    )
    champion, challenger = models["champion"], models["challenger"]
    return replace(
        evaluation,
        latency=both_sides(champion.latency, challenger.latency),
        size=both_sides(champion.size, challenger.size),
    )


def _record(
    outcomes: PairedOutcomes,
    settings: ComparisonSettings,
    evaluation: Evaluation,
    *,
    model_name: str | None,
    models: Mapping[Side, ComparedModel],
    data: ComparedData,
    notices: tuple[str, ...],
    registry: str | None,
    command: str | None,
    policy: Policy | None = None,
    differences: Differences | None = None,
) -> ComparisonRecord:
    """Decide, and put it on record; ``policy`` is the one that was asked for, whatever level was left of it."""
    digest = (policy or settings.policy).digest
    return ComparisonRecord.of(
        model_name=model_name,
        champion=models["champion"],
        challenger=models["challenger"],
        data=data,
        settings=settings,
        outcomes=outcomes,
        evaluation=evaluation,
        decision=decide(evaluation, settings.policy),
        provenance=provenance(registry=registry, policy_digest=digest, command=command),
        differences=differences,
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
    return ComparedModel(
        ref=wording.redacted(str(pin.reference)),
        version=version,
        run_id=pin.run_id,
        uri=wording.redacted(uri) if uri else None,
    )


def _with_footprint(compared: ComparedModel, model: Model | None, scored: Scored) -> ComparedModel:
    if model is None:
        return compared
    return replace(compared, latency=scored.latency.get(model.side), size=model.size)


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
    *,
    unit: str | None = None,
    marks: Sequence[int] = (),
    keep: bool = False,
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
        unit=unit,
        scores=any(name in SCORES for name in settings.policy.metrics),
        label_type=settings.label_type,
        batch_rows=settings.batch_size or BATCH_ROWS,
        drop_unlabelled=settings.drop_unlabelled,
        marks=marks,
        keep_rows=math.inf if keep else MOST_ROWS_KEPT,
        progress=_teller(progress, "Scoring", data.row_count() if progress else None),
    )
