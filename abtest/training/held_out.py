"""Candidates on the rows held out: how good each is, and what is between it and the best, by our own evaluation."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest import wording
from abtest.engines.predicted import tally_columns
from abtest.errors import AbtestError, InvalidInputError, NotApplicableError
from abtest.evaluator import evaluate, evaluate_errors
from abtest.evaluator.rows import Evaluation, MetricRow, Skipped
from abtest.metrics.catalogue import DECISIVE, DEFAULTS, SCORES
from abtest.metrics.custom import told
from abtest.metrics.probability import brier_rows, log_loss_rows
from abtest.policy import Policy
from abtest.scores import Kind, PairedScores
from abtest.stats.moments import PairedMoments
from abtest.stats.multiplicity import holm
from abtest.training.scoring import Array, Floats, of_scores, scores_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.training.fitting import Fitted
    from abtest.training.splitting import Contest

RESAMPLES = 2_000  # of the rows held out: an interval's ends are then within a twentieth of its length
_FEWEST = 100  # where values are wanted and no interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """What a candidate says of the rows held out.

    Attributes:
        labels: Labels or numbers, shape (rows,).
        scores: What ranks rows for each class, where the ranking metric takes that; shape (rows, classes).
    """

    labels: Array
    scores: tuple[Kind, Floats] | None

    @property
    def digest(self) -> str:
        """Names what was predicted: equal for equal models."""
        if self.labels.dtype.kind == "f":
            return hashlib.sha256(self.labels.astype("<f8").tobytes()).hexdigest()
        return hashlib.sha256("\x1f".join(map(str, self.labels.tolist())).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A candidate on the rows held out.

    Attributes:
        metrics: The value of each.
        rows: Against the best, a row a metric; none of the best.
        skipped: What could not be computed, and why.
    """

    metrics: Mapping[str, float]
    rows: tuple[MetricRow, ...]
    skipped: tuple[Skipped, ...]


def policy_of(contest: Contest) -> Policy:
    """What is asked of the rows held out: the task's metrics, and the one that ranks."""
    task = contest.rows.task
    return Policy(metrics=tuple(dict.fromkeys([*DEFAULTS[task], contest.metric])), primary=DECISIVE[task])


def predicted(pipeline: Any, contest: Contest) -> Predicted:  # noqa: ANN401 - scikit-learn ships no types
    """Predict the rows held out, once; and score them, where the ranking metric takes that.

    Raises:
        InvalidInputError: It does not give every row a class, or a finite number; or only classes that are not there.
    """
    features = contest.features(contest.split.holdout)
    labels = np.asarray(pipeline.predict(features))
    if labels.size != len(features):
        raise InvalidInputError(
            f"{wording.plural(labels.size, 'prediction')} for {wording.plural(len(features), 'row')}."
        )
    if contest.rows.task == "regression":
        numbers = labels.astype(np.float64).reshape(len(features))
        if not np.isfinite(numbers).all():
            raise InvalidInputError("it predicts what is no finite number.")
        return Predicted(labels=numbers, scores=None)
    labels = labels.reshape(len(features))
    strange = labels[np.isin(labels, contest.classes, invert=True)].tolist()
    if strange:
        raise InvalidInputError(f"it predicts {strange[0]!r}, which is no class.")
    if not np.isin(labels, contest.rows.truth[contest.split.holdout]).any():
        raise InvalidInputError("it predicts no class that the rows held out have.")
    scores = scores_of(pipeline, features, contest.classes) if contest.metric in SCORES else None
    return Predicted(labels=labels, scores=scores)


def all_predicted(found: Mapping[str, Fitted], contest: Contest) -> tuple[dict[str, Fitted], dict[str, Predicted]]:
    """Let every candidate that was fitted predict the rows held out; one that cannot has failed, as in a fold."""
    told_of, said = {**found}, {}
    for name, it in found.items():
        if it.failed is None:
            try:
                said[name] = predicted(it.pipeline, contest)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - any library's estimator may fail in any way
                why = error.message if isinstance(error, AbtestError) else told(error)
                told_of[name] = replace(it, failed=f"on the hold-out: {why}")
    return told_of, said


def held_out(said: Mapping[str, Predicted], contest: Contest) -> dict[str, HeldOut]:
    """Hold each candidate against the best, which is the first; p-values are adjusted over the candidates (Holm).

    Args:
        said: By candidate, from the best.
        contest: What they share.
    """
    best, *others = said
    found = {name: _evaluated(said[best], said[name], contest) for name in said}
    against = _adjusted([found[name].metrics for name in others])
    return {
        name: HeldOut(
            metrics={
                **_ranking_score(said[name], contest),
                **{row.metric: row.challenger for row in found[name].metrics},
            },
            rows=rows,
            skipped=tuple(replace(each, what=f"{each.what} of {name} on the hold-out") for each in found[name].skipped),
        )
        for name, rows in zip(said, [(), *against], strict=True)
    }


def _evaluated(best: Predicted, other: Predicted, contest: Contest) -> Evaluation:
    rows, held, seed = contest.rows, contest.split.holdout, contest.recipe.seed
    units = None if rows.units is None else rows.units[held]
    scored = tally_columns(rows.truth[held], best.labels, other.labels, task=rows.task, unit=units, seed=seed)
    policy, resamples = policy_of(contest), _FEWEST if other is best else RESAMPLES
    if scored.errors is not None:
        return evaluate_errors(scored.errors, policy, resamples=resamples, seed=seed)
    scores = _paired(best, other, contest)
    return evaluate(scored.table, policy, resamples=resamples, seed=seed, units=scored.units, scores=scores)


def _ranking_score(said: Predicted, contest: Contest) -> dict[str, float]:
    """The metric that ranks, where it takes scores: it has a value where rows come in units too, and no test."""
    if said.scores is None:
        return {}
    truth = np.searchsorted(contest.classes, contest.rows.truth[contest.split.holdout])
    with contextlib.suppress(NotApplicableError):
        return {contest.metric: of_scores(contest.metric, *said.scores, truth)}
    return {}


def _paired(best: Predicted, other: Predicted, contest: Contest) -> PairedScores | None:
    if best.scores is None or other.scores is None:
        return None
    truth = np.searchsorted(contest.classes, contest.rows.truth[contest.split.holdout])
    sides = (best.scores[1], other.scores[1])
    both = {best.scores[0], other.scores[0]} == {"probability"}
    losses = {"log_loss": log_loss_rows, "brier": brier_rows} if both else {}
    return PairedScores(
        classes=contest.classes,
        kind="probability" if both else "score",
        n=len(truth),
        truth=truth,
        champion=sides[0],
        challenger=sides[1],
        losses={name: PairedMoments.of(of(truth, sides[0]), of(truth, sides[1])) for name, of in losses.items()},
    )


def _adjusted(candidates: Sequence[Sequence[MetricRow]]) -> list[tuple[MetricRow, ...]]:
    """Adjust each metric's p-values over the candidates."""
    tested: dict[str, dict[int, float]] = {}
    for i, rows in enumerate(candidates):
        for row in rows:
            if row.pvalue is not None:
                tested.setdefault(row.metric, {})[i] = row.pvalue
    adjusted = {name: dict(zip(own, holm([*own.values()]).tolist(), strict=True)) for name, own in tested.items()}
    return [
        tuple(replace(row, pvalue_adjusted=adjusted.get(row.metric, {}).get(i)) for row in rows)
        for i, rows in enumerate(candidates)
    ]
