"""Who is best, whether that is sure, and how far the others are behind: in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.metrics.catalogue import in_text, unit
from abtest.reporter.summary import shown
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from abtest.record import Candidate, TrainingRecord

ALPHA = 0.05  # what intervals of training go with


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What the best is better by: positive where the candidate is worse.

    Attributes:
        behind: The gap, in the metric's unit.
        lower: Of its interval; None where it is not estimable.
        upper: Likewise.
        pvalue: Of no difference.
        sure: Whether that is significant.
    """

    behind: float
    lower: float | None
    upper: float | None
    pvalue: float | None
    sure: bool


def folds(record: TrainingRecord) -> int:
    """How many folds the candidates share."""
    found = record.best.cross_validated
    return 0 if found is None else len(found.by_fold)


def gap(it: Candidate) -> Gap | None:
    """How far a candidate is behind the best over the folds; None of the best, and of one that failed."""
    found = it.cross_validated
    if found is None or found.behind is None:
        return None
    sure = found.pvalue is not None and found.pvalue < ALPHA
    return Gap(behind=found.behind, lower=found.ci_lower, upper=found.ci_upper, pvalue=found.pvalue, sure=sure)


def holdout_gap(it: Candidate, metric: str) -> Gap | None:
    """How far a candidate is behind the best on the rows held out, in this metric; None where that is not known."""
    row = next((row for row in it.holdout_rows if row.metric == metric), None)
    if row is None:
        return None
    likely = row.likely_improvement
    return Gap(
        behind=-row.improvement + 0.0,
        lower=None if likely is None else -likely.upper,
        upper=None if likely is None else -likely.lower,
        pvalue=row.pvalue if row.pvalue_adjusted is None else row.pvalue_adjusted,
        sure=row.is_sure(ALPHA),
    )


def is_surely_behind(it: Candidate) -> bool:
    """Whether a candidate is surely worse than the best."""
    found = gap(it)
    return found is not None and found.sure and found.behind > 0


def others(record: TrainingRecord) -> list[Candidate]:
    """The candidates that were trained, without the best."""
    return [it for it in record.candidates[1:] if it.failed is None]


def is_surely_best(record: TrainingRecord) -> bool:
    """Whether the best is surely better than every other candidate that was trained."""
    found = others(record)
    return bool(found) and all(map(is_surely_behind, found))


def standing(record: TrainingRecord) -> str:
    """Say in a few words whether the first is surely the best."""
    if not others(record):
        return "The only candidate"
    return "Surely the best" if is_surely_best(record) else "First, but not surely the best"


def headline(record: TrainingRecord) -> str:
    """Say who is best, and whether that is sure."""
    best, found = record.best, best_value(record)
    rivals = [it for it in others(record) if not is_surely_behind(it)]
    begun = f"{shown(best.name)} ranks first: {found}"
    if not others(record):
        only = "the only candidate that could be trained" if record.candidates[1:] else "the only candidate"
        return f"{shown(best.name)} is {only}: {found}."
    if not rivals:
        every = "the other candidate" if len(others(record)) == 1 else "every other candidate"
        return f"{begun}, and surely better than {every}."
    named = _listed([f"{shown(it.name)}{_by(it, record.metric) if it is rivals[0] else ''}" for it in rivals])
    return f"{begun}; but it is not sure that it is better than {named}."


def best_value(record: TrainingRecord) -> str:
    """The best candidate's mean over the folds, in words."""
    found = record.best.cross_validated
    mean = wording.value(None if found is None else found.mean, unit(record.metric))
    return f"{in_text(record.metric)} {mean} over {wording.plural(folds(record), 'fold')}"


def advice(record: TrainingRecord) -> str:
    """Say how the best does on the rows held out, and who does better there."""
    value = record.best.holdout.get(record.metric)
    if value is None:
        return ""
    rows = f"the {wording.plural(record.rows.n_holdout, 'row')} held out, which no candidate has seen"
    told = f"On {rows}, its {in_text(record.metric)} is {wording.value(value, unit(record.metric))}."
    ahead = [
        (it, found) for it in others(record) if (found := holdout_gap(it, record.metric)) and found.behind < -NOISE
    ]
    if not ahead:
        return told
    it, found = min(ahead, key=lambda pair: pair[1].behind)
    size = wording.size(found.behind, unit(record.metric))
    return (
        f"{told} {shown(it.name)} is better there by {size} ({_chance(found)}); the rank stays as it is, "
        "since rows that choose the best cannot tell how good it is."
    )


def _chance(found: Gap) -> str:
    if found.pvalue is None:
        return "not tested"
    return wording.pvalue(found.pvalue)


def _by(it: Candidate, metric: str) -> str:
    """How far the first of those it may not be better than is behind."""
    found = gap(it)
    if found is None or found.lower is None or found.upper is None:
        return ""
    likely = wording.interval(found.lower, found.upper, unit(metric))
    return f" ({wording.size(found.behind, unit(metric))} behind, 95 % interval {likely})"


def _listed(names: list[str], most: int = 3) -> str:
    if len(names) == 1:
        return names[0]
    head, more = names[:most], len(names) - most
    return f"{', '.join(head)} and {more} more" if more > 0 else f"{', '.join(head[:-1])} and {head[-1]}"
