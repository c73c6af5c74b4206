"""Models and rows in, a comparison out: each challenger beside the champion, scored in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Required, TypedDict, TypeVar, Unpack, overload

from abtest import honesty, wording
from abtest.comparison import Comparison, Comparisons
from abtest.decision import Verdict, decide
from abtest.engines.pairs import Scored
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES, Confirmation, Growth, decisive_pvalue
from abtest.labels import Side
from abtest.loaders.datasets import BATCH_ROWS, Dataset, open_data
from abtest.loaders.fingerprints import MOST_ROWS_KEPT
from abtest.loaders.segments import check_columns
from abtest.loaders.tasks import find_task
from abtest.metrics.catalogue import SCORES
from abtest.policy import Policy
from abtest.record import (
    ComparedData,
    ComparedModel,
    ComparisonRecord,
    ComparisonSettings,
    ComparisonsRecord,
    best_of,
)
from abtest.stats.multiplicity import holm_levels
from abtest.workflow.judging import Progress, evaluated, favours, recorded, teller
from abtest.workflow.preparing import asked_segments, check_columns_of, delivered, locked, prepare, training_source
from abtest.workflow.sides import Entrant, Models, Pair, find_target, gather
from abtest.workflow.tasks import own_losses, settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.engines.local import Several
    from abtest.labels import Label, LabelType, Task
    from abtest.metrics.classification import Average
    from abtest.record import Adjustment, TrainingData
    from abtest.reuse import Look
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
        data: Labelled rows: CSV, Parquet or JSON Lines; a file, a folder of Parquet, a glob, or a data frame.
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
    )
    challengers = list(challenger) if isinstance(challenger, list | tuple) else [challenger]
    if not challengers:
        raise InvalidInputError("challenger must name at least one model, got an empty list.")
    prepare(output, settings.policy)
    dataset = open_data(data)
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
    settings, why = settle(settings, task, lambda: find_task(models.loaded, dataset, truth))
    prepare(output, settings.policy)
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody scored
    trial = _Trial(
        models=models,
        dataset=dataset,
        digest=digest,
        target=target,
        unit=unit,
        settings=settings,
        locked=None if confirm_data is None else locked(confirm_data, digest),
        logged=bool(log),
        command=command,
        progress=progress,
        notices=(*said, *why),
    )
    sources = trial.checked(train_data)
    looks = honesty.earlier_looks(models.registry, models.pairs[0].model_name)
    several = trial.score(dataset, looks, keep=bool(train_data is not None or confirm_data is not None))
    beginnings = [
        trial.begin(pair, scored, looks, source)
        for pair, scored, source in zip(models.pairs, several.pairs, sources, strict=True)
    ]
    adjustment, levels = _levels(beginnings)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    """One challenger's rows, and all that is known of them before anything is tested."""

    pair: Pair
    scored: Scored
    models: Mapping[Side, ComparedModel]
    use: honesty.Use
    growth: Growth | None
    data: ComparedData
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What all challengers of a comparison share: the rows, and how they are judged."""

    models: Models
    dataset: Dataset
    digest: str
    target: str
    unit: str | None
    settings: ComparisonSettings
    locked: tuple[Dataset, str] | None
    logged: bool
    command: str | None
    progress: Progress | None
    notices: tuple[str, ...]

    def use(self, pair: Pair, *digests: str, alone: bool = False) -> honesty.Use:
        """Count a challenger's use of a test set; unless it is alone there, those before it here are counted too."""
        at = next(i for i, other in enumerate(self.models.pairs) if other is pair)
        tried = [other.tried_as(i) for i, other in enumerate(self.models.pairs[: at + 1])]
        return honesty.counted_use(
            self.models.registry,
            self.settings.policy,
            digests,
            model_name=pair.model_name,
            challenger=tried[at],
            logged=self.logged,
            alongside=() if alone else tuple(tried[:at]),
        )

    def checked(self, train: str | Path | pd.DataFrame | None) -> list[str | Path | pd.DataFrame | None]:
        """Find out, before an hour of scoring, what would stop it after; and each challenger's training data."""
        sources = []
        for pair in self.models.pairs:
            self.use(pair, self.digest)
            source = training_source(train, self.models.registry, pair.challenger.compared.run_id)
            if source is not None:
                self._check(open_data(source, "train-data"))
            if self.locked is not None:
                check_columns(self.locked[0], self.settings.segments, self.target)
                self._check(self.locked[0])
                self.use(
                    pair, self.locked[1], alone=True
                )  # refuses one that was opened too often, before anything is known
            sources.append(source)
        return sources

    def score(
        self, data: Dataset, looks: Sequence[Look] = (), *, pairs: Sequence[Pair] | None = None, keep: bool = False
    ) -> Several:
        """Let all models predict the rows of some data."""
        from abtest.engines import local  # noqa: PLC0415 - Arrow is not needed to import this module

        settings, policy = self.settings, self.settings.policy
        asked = [pair.challenger.model for pair in pairs or self.models.pairs]
        return local.score_several(
            self.models.champion,
            [model for model in asked if model is not None],
            data,
            target=self.target,
            task=policy.task,
            losses=own_losses(policy),
            segments=settings.segments,
            unit=self.unit,
            scores=any(name in SCORES for name in policy.metrics),
            label_type=settings.label_type,
            batch_rows=settings.batch_size or BATCH_ROWS,
            drop_unlabelled=settings.drop_unlabelled,
            marks=[look.rows for look in looks],
            keep_rows=math.inf if keep else MOST_ROWS_KEPT,
            seed=settings.seed,
            progress=teller(self.progress, "Scoring", data.row_count() if self.progress else None),
        )

    def begin(
        self, pair: Pair, scored: Scored, looks: tuple[Look, ...], train: str | Path | pd.DataFrame | None
    ) -> _Beginning:
        """Look at one challenger's rows, before anything is tested."""
        rows = scored.fingerprints
        known = honesty.extended(looks, rows)
        use = self.use(pair, self.digest, *(look.data_digest for look in known))
        grown, told = honesty.growth(known, rows.n if rows else 0, pair.told, favours(scored))
        leaks: TrainingData | None = None
        found: tuple[str, ...] = ()
        if train is not None and rows is not None:
            by_class = self.settings.policy.task == "classification"
            leaks, found = honesty.training(rows, train, self.settings.policy.alpha, classes=by_class)
        return _Beginning(
            pair=pair,
            scored=scored,
            models=_with_footprints(pair, scored),
            use=use,
            growth=grown,
            data=ComparedData(
                path=self.dataset.name,
                n=scored.n,
                digest=self.digest,
                target=self.target,
                unit=self.unit,
                uses=use.number,
                rows=rows.n if rows else None,
                rows_digest=rows.end.digest if rows else None,
                duplicates=rows.duplicates if rows else None,
                train=leaks,
            ),
            notices=(
                *self.notices,
                *_about_baseline(scored),
                *([use.notice] if use.notice else []),
                *told,
                *honesty.repeated(rows),
                *found,
                *scored.notices,
            ),
        )

    def judge(self, begun: _Beginning, level: float | None) -> ComparisonRecord:
        """Test one challenger, at the level that is left for it, and decide."""
        policy = begun.use.policy if level is None else replace(begun.use.policy, confidence=1 - level)
        settings = replace(self.settings, policy=policy)
        evaluation = evaluated(begun.scored, settings, begun.models, self.progress)
        return recorded(
            begun.scored,
            settings,
            replace(evaluation, growth=begun.growth),
            model_name=begun.pair.model_name,
            models=begun.models,
            data=begun.data,
            notices=begun.notices,
            registry=self.models.registry.registry_uri if self.models.registry else None,
            command=self.command,
            policy=self.settings.policy,
            differences=honesty.differences(begun.pair.uris, self.models.registry),
        )

    def confirmed(self, record: ComparisonRecord, begun: _Beginning) -> ComparisonRecord:
        """Open the locked test set: the same models, the same policy, and of all numbers only whether it holds."""
        if self.locked is None:
            return record
        data, digest = self.locked
        honesty.refuse_overlap(begun.scored.fingerprints, self.dataset, data)
        use = self.use(begun.pair, digest, alone=True)
        settings = replace(self.settings, policy=use.policy)
        scored = self.score(data, pairs=[begun.pair]).pairs[0]
        evaluation = evaluated(scored, settings, _with_footprints(begun.pair, scored))
        held = decide(evaluation, settings.policy).verdict is Verdict.PROMOTE
        found = Confirmation(path=wording.redacted(data.name), digest=digest, use=use.number, held=held)
        whole = replace(record.evaluation, confirmation=found)
        return replace(record, confirmation=found, decision=decide(whole, record.settings.policy))

    def _check(self, data: Dataset) -> None:
        check_columns_of(data, self.models.loaded, self.target, self.settings.segments, self.unit)


def _levels(begun: Sequence[_Beginning]) -> tuple[Adjustment, list[float | None]]:
    """The level left for each challenger beside the others: Holm's where a test decides, else an equal part.

    Where the policy spends a level on each use of the test set, each challenger is a use, and has its own already.
    """
    policies = [it.use.policy for it in begun]
    if policies[0].reuse == "spend" or len(begun) == 1:
        return "spend" if policies[0].reuse == "spend" else "holm", [None for _ in begun]
    alpha = policies[0].alpha
    found = [
        decisive_pvalue(it.scored.outcomes, it.scored.errors, it.scored.units, policy)
        for it, policy in zip(begun, policies, strict=True)
    ]
    tested = [(it, pvalue) for it, pvalue in zip(begun, found, strict=True) if pvalue is not None]
    if len(tested) < len(begun):
        return "bonferroni", [alpha / len(begun) for _ in begun]
    pvalues = [it.growth.pvalue if it.growth else pvalue for it, pvalue in tested]
    return "holm", [*holm_levels(pvalues, alpha)]


def _about_baseline(scored: Scored) -> tuple[str, ...]:
    if scored.majority is None:
        return ()
    if scored.errors is not None:
        return (
            f"The champion is the mean predictor: it always says {wording.value(float(scored.majority), 'number')}.",
        )
    return (f"The champion is the majority-class predictor: it always says {scored.majority!r}.",)


def _with_footprints(pair: Pair, scored: Scored) -> dict[Side, ComparedModel]:
    sides: dict[Side, Entrant] = {"champion": pair.champion, "challenger": pair.challenger}
    return {
        side: it.compared
        if it.model is None
        else replace(it.compared, latency=scored.latency.get(side), size=it.model.size)
        for side, it in sides.items()
    }
