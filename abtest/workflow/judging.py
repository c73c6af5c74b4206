"""From what one pass over the rows gave to a record: evaluated, held to the policy, decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from abtest import honesty
from abtest.decision import decide
from abtest.evaluator import both_sides, evaluate, evaluate_errors
from abtest.provenance import provenance
from abtest.record import ComparedModel, ComparisonRecord, ComparisonSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.engines.pairs import Scored
    from abtest.evaluator import Evaluation
    from abtest.labels import Side
    from abtest.policy import Policy
    from abtest.record import ComparedData, Differences

Progress: TypeAlias = Callable[[str, int, int | None], None]


def evaluated(
    scored: Scored,
    settings: ComparisonSettings,
    models: Mapping[Side, ComparedModel],
    progress: Progress | None = None,
) -> Evaluation:
    """Compute everything that the outcomes and the models' footprints say."""
    if scored.errors is not None:
        evaluation = evaluate_errors(
            scored.errors,
            settings.policy,
            resamples=settings.resamples,
            seed=settings.seed,
            progress=teller(progress, "Resampling", settings.resamples * (1 + len(scored.errors.segments))),
        )
    else:
        evaluation = evaluate(
            scored.table,
            settings.policy,
            average=settings.average,
            pos_label=settings.pos_label,
            resamples=settings.resamples,
            seed=settings.seed,
            units=scored.units,
            scores=scored.scores,
            unscored=scored.unscored,
            progress=teller(progress, "Resampling", settings.resamples * (1 + len(scored.table.segments))),
        )
    champion, challenger = models["champion"], models["challenger"]
    return replace(
        evaluation,
        latency=both_sides(champion.latency, challenger.latency),
        size=both_sides(champion.size, challenger.size),
    )


def recorded(
    scored: Scored,
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
        outcomes=scored.outcomes,
        evaluation=evaluation,
        decision=decide(evaluation, settings.policy),
        provenance=provenance(registry=registry, policy_digest=digest, command=command),
        differences=differences,
        notices=notices,
    )


def favours(scored: Scored) -> tuple[int, int] | None:
    """Rows, or units where rows come in them, that favour the champion, and those that favour the challenger."""
    if scored.outcomes is None:
        return None
    if scored.units is None:
        table = scored.outcomes.contingency()
        return table.champion_only, table.challenger_only
    differences = scored.units.whole.differences
    return int((differences < 0).sum()), int((differences > 0).sum())


def refuse_uncounted(policy: Policy) -> None:
    """Predictions that come without models leave no trace by which their use of a test set could be counted."""
    honesty.counted_use(None, policy, (), model_name=None, challenger="", logged=False)


def nameless(sides: Sequence[Side], names: Sequence[str]) -> dict[Side, ComparedModel]:
    """Sides of which nothing is known but a name."""
    return {
        side: ComparedModel(ref=name, version=None, run_id=None, uri=None)
        for side, name in zip(sides, names, strict=True)
    }


def teller(progress: Progress | None, what: str, total: int | None) -> Callable[[int], None]:
    """Tell how far one piece of work has come."""

    def tell(done: int) -> None:
        if progress:
            progress(what, done, total)

    return tell
