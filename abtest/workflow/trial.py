"""One trial of several challengers on the same rows: each begun, judged at the level left for it, and confirmed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abtest import honesty, wording
from abtest.cache.store import Store
from abtest.decision import Verdict, decide
from abtest.engines.catalogue import Engine
from abtest.engines.pairs import Scored
from abtest.evaluator import Confirmation, Growth, decisive_pvalue
from abtest.labels import Side
from abtest.loaders.datasets import BATCH_ROWS, Dataset, open_data
from abtest.loaders.fingerprints import MOST_ROWS_KEPT
from abtest.loaders.segments import check_columns
from abtest.metrics.catalogue import SCORES
from abtest.record import (
    ComparedData,
    ComparedModel,
    ComparisonRecord,
    ComparisonSettings,
)
from abtest.stats.multiplicity import holm_levels
from abtest.workflow.judging import Progress, evaluated, favours, recorded, teller
from abtest.workflow.preparing import check_columns_of, training_source
from abtest.workflow.sides import Entrant, Models, Pair
from abtest.workflow.tasks import own_losses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.engines.local import Several
    from abtest.record import Adjustment, TrainingData
    from abtest.reuse import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """One challenger's rows, and all that is known of them before anything is tested."""

    pair: Pair
    scored: Scored
    models: Mapping[Side, ComparedModel]
    use: honesty.Use
    growth: Growth | None
    data: ComparedData
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What all challengers of a comparison share: the rows, and how they are judged."""

    engine: Engine
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
    store: Store | None = None

    def use(self, pair: Pair, *digests: str, alone: bool = False) -> honesty.Use:
        """Count a challenger's use of a test set; unless it is alone there, those before it here are counted too."""
        at = next(i for i, other in enumerate(self.models.pairs) if other is pair)
        tried = [other.tried_as(i) for i, other in enumerate(self.models.pairs)]
        return honesty.counted_use(
            self.models.registry,
            self.settings.policy,
            digests,
            model_name=pair.model_name,
            challenger=tried[at],
            logged=self.logged,
            alongside=() if alone else tuple(tried[:at]),
            together=() if alone or len(tried) == 1 else tuple(tried),
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
                # Refuses one that was opened too often, before anything is known.
                self.use(pair, self.locked[1], alone=True)
            sources.append(source)
        return sources

    def score(
        self, data: Dataset, looks: Sequence[Look] = (), *, pairs: Sequence[Pair] | None = None, keep: bool = False
    ) -> Several:
        """Let all models predict the rows of some data."""
        settings, policy = self.settings, self.settings.policy
        asked = [pair.challenger.model for pair in pairs or self.models.pairs]
        return self.engine.score_several(
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
            store=self.store if data is self.dataset else None,  # a locked set leaves nothing on disk
            seed=settings.seed,
            progress=teller(self.progress, "Scoring", data.row_count() if self.progress else None),
        )

    def begin(
        self, pair: Pair, scored: Scored, looks: tuple[Look, ...], train: str | Path | pd.DataFrame | None
    ) -> Beginning:
        """Look at one challenger's rows, before anything is tested."""
        rows = scored.fingerprints
        known = honesty.extended(looks, rows)
        # Counted again: meanwhile another comparison may have been logged, and now earlier test sets are known.
        use = self.use(pair, self.digest, *(look.data_digest for look in known))
        grown, told = honesty.growth(known, rows.n if rows else 0, pair.told, favours(scored))
        leaks: TrainingData | None = None
        found: tuple[str, ...] = ()
        if train is not None and rows is not None:
            by_class = self.settings.policy.task == "classification"
            leaks, found = honesty.training(rows, train, self.settings.policy.alpha, classes=by_class)
        return Beginning(
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

    def judge(self, begun: Beginning, level: float | None) -> ComparisonRecord:
        """Test one challenger, at the level that is left for it, and decide."""
        policy = begun.use.policy
        if level is not None and level < policy.alpha:
            policy = replace(policy, confidence=1 - level)
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

    def confirmed(self, record: ComparisonRecord, begun: Beginning) -> ComparisonRecord:
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


def levels_of(begun: Sequence[Beginning], alpha: float) -> tuple[Adjustment, list[float | None]]:
    """The level left for each challenger beside the others: Holm's where a test decides, else an equal part.

    Where the policy spends a level on each use of the test set, each challenger is a use, and has its own already.

    Args:
        begun: Each challenger.
        alpha: The level of all together.
    """
    policies = [it.use.policy for it in begun]
    if policies[0].reuse == "spend" or len(begun) == 1:
        return "spend" if policies[0].reuse == "spend" else "holm", [None for _ in begun]
    found = [
        decisive_pvalue(it.scored.outcomes, it.scored.errors, it.scored.units, policy)
        for it, policy in zip(begun, policies, strict=True)
    ]
    tested = [(it, pvalue) for it, pvalue in zip(begun, found, strict=True) if pvalue is not None]
    if len(tested) < len(begun):
        return "bonferroni", [alpha / len(begun) for _ in begun]
    pvalues = [it.growth.pvalue if it.growth and it.scored.outcomes else pvalue for it, pvalue in tested]
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
