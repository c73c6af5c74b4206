"""Models and rows in, a comparison out: each challenger beside the champion, scored in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Required, TypedDict, TypeVar, Unpack, overload

from abtest import honesty
from abtest.comparison import Comparison, Comparisons
from abtest.decision import Verdict
from abtest.engines import catalogue
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES
from abtest.loaders.datasets import BATCH_ROWS
from abtest.loaders.segments import check_columns
from abtest.loaders.tasks import find_task
from abtest.policy import Policy
from abtest.record import (
    ComparisonSettings,
    ComparisonsRecord,
    best_of,
)
from abtest.workflow.preparing import asked_segments, delivered, kept_in, locked, prepare, refuse_unrecognised
from abtest.workflow.sides import find_target, gather
from abtest.workflow.tasks import settle
from abtest.workflow.trial import Trial, levels_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.cache.store import Store
    from abtest.labels import Label, LabelType, Task
    from abtest.metrics.classification import Average
    from abtest.workflow.judging import Progress
    from abtest.workflow.sides import Given

One = TypeVar("One", bound="Given")  # a list of references is a list of what may be given


class Options(TypedDict, total=False):
    """What ``compare`` takes beside the models."""

    data: Required[str | Path | pd.DataFrame]
    train_data: str | Path | pd.DataFrame | None
    confirm_data: str | Path | pd.DataFrame | None
    target: str | None
    task: Task | None
    model_name: str | None
    tracking_uri: str | None
    registry_uri: str | None
    label_type: LabelType | None
    average: Average
    pos_label: Label | None
    policy: Policy | None
    segments: Sequence[str]
    unit: str | None
    resamples: int
    seed: int
    batch_size: int
    drop_unlabelled: bool
    engine: str
    spark_master: str | None
    cache: bool | str | Path | Store
    output: str | Path | None
    save_plot: bool
    log: bool | Literal["later"]
    experiment: str | None
    command: str | None
    progress: Progress | None


@overload
def compare(champion: Given = ..., challenger: Given = ..., **options: Unpack[Options]) -> Comparison: ...


@overload
def compare(champion: Given, challenger: list[One] | tuple[One, ...], **options: Unpack[Options]) -> Comparisons: ...


@catalogue.ended()
def compare(
    champion: Given = None,
    challenger: Given | list[One] | tuple[One, ...] = None,
    *,
    data: str | Path | pd.DataFrame,
    train_data: str | Path | pd.DataFrame | None = None,
    confirm_data: str | Path | pd.DataFrame | None = None,
    target: str | None = None,
    task: Task | None = None,
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
    engine: str = catalogue.LOCAL,
    spark_master: str | None = None,
    cache: bool | str | Path | Store = False,
    output: str | Path | None = None,
    save_plot: bool = True,
    log: bool | Literal["later"] = False,
    experiment: str | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> Comparison | Comparisons:
    """Score all models on the same rows and decide which one should serve.

    Args:
        champion: The serving model: a URI (``models:/iris@champion``, ``runs:/…``, a path), a ``Reference``, an object
            with ``predict``, "baseline" for the majority-class predictor, or None for whatever is in Production or has
            the alias ``champion``.
        challenger: The other one, likewise; by default what is in Staging or has the alias ``challenger``. A list of
            several: each is compared with the champion, at a level that allows for the others, and the best of those
            that may serve is recommended.
        data: Labelled rows: CSV, Parquet or JSON Lines; a file, a folder of Parquet, a glob, or a data frame. With
            ``engine="spark"``: Parquet, a Delta table, a table by its name, or a Spark data frame.
        train_data: What the models were trained on, to find rows that are in both; "run" is what the challenger's run
            logged.
        confirm_data: A locked test set, opened only after PROMOTE: it tells whether it confirms that, and nothing else.
        target: The column with the truth; by default the one column that neither model takes.
        task: "classification" or "regression"; by default inferred from the models and the truth.
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
        engine: Where rows are scored: "local", in this process, or "spark".
        spark_master: Where Spark runs; an active session is used as it is.
        cache: Keep on disk what models with a URI predict, and do not ask them again about the same rows: a folder, or
            True for the user's own. A policy that guards the latency has all models asked: they are timed side by side.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        log: Log the comparison to MLflow; "later" promises that the caller will.
        experiment: Where it is logged; ``abtest/<model>`` by default.
        command: The command line this came from, for the record.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Returns:
        A ``Comparison``; of a list of challengers, ``Comparisons``.

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
        segments=asked_segments(segments, policy),
        engine=engine,
    )
    challengers = list(challenger) if isinstance(challenger, list | tuple) else [challenger]
    lacking = [i for i, one in enumerate(challengers) if one is None]
    if lacking and len(challengers) > 1:
        raise InvalidInputError(f"challenger[{lacking[0]}] must name a model, got None.")
    if not challengers:
        raise InvalidInputError("challenger must name at least one model, got an empty list.")
    prepare(output, settings.policy)
    scoring = catalogue.start(engine, spark_master=spark_master)
    refuse_unrecognised(scoring, engine, train_data)
    dataset = scoring.open_data(data)
    if target is not None and target not in dataset.columns:
        raise dataset.missing(target, "target column")
    check_columns(dataset, settings.segments, target)
    if unit is not None and unit not in dataset.columns:
        raise dataset.missing(unit, "unit column")
    models = gather(
        champion,
        challengers,
        model_name=model_name,
        tracking_uri=tracking_uri,
        registry_uri=registry_uri,
        log=log is True,
    )
    target, said = find_target(target, models, dataset, (*settings.segments, *([unit] if unit else [])))
    truth = target
    settings, why = settle(settings, task, lambda: find_task(models.loaded, dataset, truth), models.loaded)
    prepare(output, settings.policy)
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody scored
    trial = Trial(
        engine=scoring,
        models=models,
        dataset=dataset,
        digest=digest,
        target=target,
        unit=unit,
        settings=settings,
        locked=None if confirm_data is None else locked(scoring.open_data(confirm_data, "confirm-data"), digest),
        logged=bool(log),
        command=command,
        progress=progress,
        notices=(*said, *why),
        store=kept_in(cache, settings.policy),
    )
    sources = trial.checked(train_data)
    looks = honesty.earlier_looks(models.registry, models.pairs[0].model_name)
    several = trial.score(dataset, looks, keep=bool(train_data is not None or confirm_data is not None))
    beginnings = [
        trial.begin(pair, scored, looks, source)
        for pair, scored, source in zip(models.pairs, several.pairs, sources, strict=True)
    ]
    adjustment, levels = levels_of(beginnings, settings.policy.alpha)
    records = [trial.judge(it, level) for it, level in zip(beginnings, levels, strict=True)]
    best = best_of(records)
    if best is not None and trial.locked is not None and records[best].decision.verdict is Verdict.PROMOTE:
        records[best] = trial.confirmed(records[best], beginnings[best])
        best = best if records[best].decision.verdict is Verdict.PROMOTE else None  # the set is open now: no next one
    comparisons = tuple(
        Comparison(record, models.registry, pair.versions, experiment_name=experiment)
        for record, pair in zip(records, models.pairs, strict=True)
    )
    if not isinstance(challenger, list | tuple):
        return delivered(comparisons[0], output, log=log is True, figures=save_plot)
    record = ComparisonsRecord.of(
        records,
        confidence=settings.policy.confidence,
        adjustment=adjustment,
        between=several.between,
        method=settings.policy.method,
        best=best,
    )
    together = Comparisons(record, comparisons, models.registry, experiment_name=experiment)
    return delivered(together, output, log=log is True, figures=save_plot)
