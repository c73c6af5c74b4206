"""Groups of the log, tallied into what the evaluator reads: one table or two arms, and how they grew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.evaluator.traffic import Arms
from abtest.evaluator.traffic_errors import ArmErrors, by_look
from abtest.labels import NO_PREDICTION, SIDES, Label, label_order, reconcile
from abtest.metrics.custom import is_custom
from abtest.metrics.errors import custom_losses, loss_pairs
from abtest.metrics.regression import MOST_ERROR, RegressionOutcomes
from abtest.outcomes import Counts, PairedOutcomes
from abtest.stats.moments import Moments

if TYPE_CHECKING:
    from abtest.labels import Reconciled, Side
    from abtest.live.log import ArmGroup, DropGroup, PairGroup
    from abtest.metrics.errors import PairedErrors
    from abtest.policy import Policy

Floats: TypeAlias = npt.NDArray[np.float64]
_MOST = MOST_ERROR / 10
_Columns: TypeAlias = Mapping[str, Sequence["Label | None"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TalliedPairs:
    """Pairs of a classification.

    Attributes:
        outcomes: Their table.
        by_look: Counts as in ``Contingency`` by each look and label of the truth, shape (looks, labels, 4).
        pos_label: The greater label, where labels were made text for the sake of a prediction that failed.
        notices: What there is to say about the labels.
    """

    outcomes: PairedOutcomes
    by_look: Counts
    pos_label: Label | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TalliedArms:
    """Arms of a classification; attributes as of ``TalliedPairs``."""

    arms: Arms
    pos_label: Label | None
    notices: tuple[str, ...]


def looks_of(groups: Sequence[PairGroup | ArmGroup], buckets: int) -> list[int]:
    """Find the periods by whose ends something more was known, and the last one, which is now."""
    return sorted({*(group.bucket for group in groups), buckets - 1})


def tally_pairs(groups: Sequence[PairGroup], looks: Sequence[int]) -> TalliedPairs:
    """Tally pairs; a prediction that failed is none of the labels, and so is wrong.

    Raises:
        LabelMismatchError: Truth and predictions share no type.
        InvalidInputError: A label is none, or the truth is continuous.
    """
    columns: _Columns = {
        "truth": [group.label for group in groups],
        "champion": [group.champion for group in groups],
        "challenger": [group.challenger for group in groups],
    }
    cast, pos_label, notices = _reconciled(columns, [group.n for group in groups])
    counts: Counter[tuple[Label, Label, Label]] = Counter()
    rows = list(zip(groups, cast["truth"], cast["champion"], cast["challenger"], strict=True))
    for group, *labels in rows:
        counts[labels[0], labels[1], labels[2]] += group.n
    outcomes = PairedOutcomes.from_counts(counts)
    index, look = {label: i for i, label in enumerate(outcomes.labels)}, {bucket: i for i, bucket in enumerate(looks)}
    grown = np.zeros((len(looks), len(outcomes.labels), 4), dtype=np.int64)
    for group, truth, first, second in rows:
        grown[look[group.bucket], index[truth], 2 * (first != truth) + (second != truth)] += group.n
    return TalliedPairs(outcomes=outcomes, by_look=grown.cumsum(axis=0), pos_label=pos_label, notices=notices)


def tally_arms(groups: Sequence[ArmGroup], looks: Sequence[int]) -> TalliedArms:
    """Tally two arms; errors as of ``tally_pairs``."""
    of_arm: _Columns = {side: [group.prediction for group in groups if group.arm == side] for side in SIDES}
    columns: _Columns = {"truth": [group.label for group in groups], **of_arm}
    cast, pos_label, notices = _reconciled(columns, [group.n for group in groups], arms=[g.arm for g in groups])
    predicted = {side: iter(cast[side]) for side in SIDES}
    rows = [(g, truth, next(predicted[g.arm])) for g, truth in zip(groups, cast["truth"], strict=True)]
    labels = sorted({label for _, truth, said in rows for label in (truth, said)}, key=label_order)
    index, look = {label: i for i, label in enumerate(labels)}, {bucket: i for i, bucket in enumerate(looks)}
    counts: dict[Side, Counter[tuple[Label, Label, Label]]] = {side: Counter() for side in SIDES}
    grown = {side: np.zeros((len(looks), len(labels), 2), dtype=np.int64) for side in SIDES}
    for group, truth, said in rows:
        counts[group.arm][truth, said, said] += group.n
        grown[group.arm][look[group.bucket], index[truth]] += (group.n * (said == truth), group.n)
    champion, challenger = (PairedOutcomes.from_counts(counts[side], labels=labels) for side in SIDES)
    by = grown["champion"].cumsum(axis=0), grown["challenger"].cumsum(axis=0)
    arms = Arms(champion=champion, challenger=challenger, by_look=by)
    return TalliedArms(arms=arms, pos_label=pos_label, notices=notices)


def tally_paired_errors(
    groups: Sequence[PairGroup], looks: Sequence[int], policy: Policy
) -> tuple[PairedErrors, tuple[Moments, ...], tuple[str, ...]]:
    """Tally pairs of a regression, with the differences of their squared errors by each look.

    A prediction that failed has no error: such pairs are left out, and counted in a notice.

    Raises:
        InvalidInputError: A label or prediction is no number.
    """
    from abtest.engines.predicted import tally_columns  # noqa: PLC0415 - Arrow is not needed to roll back

    kept = [group for group in groups if group.champion is not None and group.challenger is not None]
    n = np.array([group.n for group in kept], dtype=np.int64)
    y, first, second = (
        np.repeat(_numbers([getattr(group, name) for group in kept], name), n)
        for name in ("label", "champion", "challenger")
    )
    losses = [name for name in policy.metrics if is_custom(name)]
    errors = tally_columns(y, first, second, task="regression", losses=losses).errors
    if errors is None:
        raise AssertionError("a regression has errors")
    left_out = sum(group.n for group in groups) - int(n.sum())
    return errors, squared_differences(kept, looks), _left_out(left_out)


def squared_differences(groups: Sequence[PairGroup], looks: Sequence[int]) -> tuple[Moments, ...]:
    """Sum the challenger's squared errors minus the champion's, by each look."""
    kept = [group for group in groups if group.champion is not None and group.challenger is not None]
    y, first, second = (
        _numbers([getattr(group, name) for group in kept], name) for name in ("label", "champion", "challenger")
    )
    n = np.array([group.n for group in kept], dtype=np.int64)
    differences = np.repeat(np.square(second - y) - np.square(first - y), n)
    return by_look(differences, _positions(kept, n, looks), len(looks))


def tally_arm_errors(
    groups: Sequence[ArmGroup], looks: Sequence[int], policy: Policy
) -> tuple[ArmErrors, ArmErrors, tuple[str, ...]]:
    """Tally two arms of a regression; failures and errors as of ``tally_paired_errors``."""
    losses, found = custom_losses(name for name in policy.metrics if is_custom(name)), []
    kept = [group for group in groups if group.prediction is not None]
    for side in SIDES:
        own = [group for group in kept if group.arm == side]
        n = np.array([group.n for group in own], dtype=np.int64)
        y, said = (np.repeat(_numbers([getattr(g, name) for g in own], name), n) for name in ("label", "prediction"))
        outcomes = RegressionOutcomes.of(y, said, said, loss_pairs(losses, y, said, said))
        squared = by_look(np.square(said - y), _positions(own, n, looks), len(looks))
        found.append(ArmErrors(outcomes=outcomes, squared=squared))
    left_out = sum(group.n for group in groups) - sum(group.n for group in kept)
    return found[0], found[1], _left_out(left_out)


def champion_right(groups: Sequence[DropGroup]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Count how often the champion is right, and of how many: where there is a pair, and where the shadow was dropped.

    Raises:
        LabelMismatchError: Truth and predictions share no type.
    """
    said = [group.champion for group in groups]
    columns: _Columns = {"truth": [group.label for group in groups], "champion": said, "challenger": said}
    cast = _reconciled(columns, [group.n for group in groups])[0]
    found = {False: [0, 0], True: [0, 0]}
    for group, truth, first in zip(groups, cast["truth"], cast["champion"], strict=True):
        found[group.dropped][0] += group.n * (first == truth)
        found[group.dropped][1] += group.n
    (right, n), (lost, m) = found[False], found[True]
    return (right, n), (lost, m)


def squared_errors(groups: Sequence[DropGroup]) -> Moments:
    """Sum the champion's squared errors."""
    kept = [group for group in groups if group.champion is not None]
    y, said = (_numbers([getattr(group, name) for group in kept], name) for name in ("label", "champion"))
    return Moments.of(np.repeat(np.square(said - y), [group.n for group in kept]))


def _positions(groups: Sequence[PairGroup | ArmGroup], n: Counts, looks: Sequence[int]) -> Counts:
    """The look by which each row became known."""
    return np.repeat(np.searchsorted(looks, [group.bucket for group in groups]), n).astype(np.int64)


def _left_out(n: int) -> tuple[str, ...]:
    if not n:
        return ()
    return (f"{wording.plural(n, 'row')} whose prediction failed {'is' if n == 1 else 'are'} left out of the errors.",)


def _numbers(values: Iterable[Any], what: str) -> Floats:
    """Read numbers, of text too; one beyond ``_MOST``, whose square no double holds, is as far off as can be told."""
    found = []
    for value in values:
        try:
            found.append(float(value))
        except ValueError:
            raise InvalidInputError(f"{what} must be a number in a regression, got {value!r}.") from None
    return np.clip(np.array(found, dtype=np.float64), -_MOST, _MOST)


def _reconciled(
    columns: _Columns, n: Sequence[int], arms: Sequence[Side] | None = None
) -> tuple[dict[str, list[Label]], Label | None, tuple[str, ...]]:
    """Bring labels to one type; where a prediction failed to text, for it stands for none of them."""
    distinct = {
        name: list({(type(value), value): value for value in values if value is not None}.values())
        for name, values in columns.items()
    }
    found = reconcile(distinct["truth"], distinct["champion"], distinct["challenger"])
    meant = {
        name: {(type(raw), raw): label for raw, label in zip(distinct[name], getattr(found, name), strict=True)}
        for name in columns
    }
    cast = {
        name: [None if value is None else meant[name][type(value), value] for value in values]
        for name, values in columns.items()
    }
    failed = {side: _rows(columns[side], n, side, arms) for side in SIDES}
    notices = (*found.notices, *_strangers(found))
    if not any(failed.values()):
        return cast, None, notices  # type: ignore[return-value] # none is None
    labels = {label for values in cast.values() for label in values if label is not None}
    told = f"{failed['champion']:,} predictions of the champion and {failed['challenger']:,} of the challenger failed"
    notice = f"{told}: they count as wrong, and labels are shown as text beside {NO_PREDICTION}."
    as_text = {
        name: [NO_PREDICTION if value is None else str(value) for value in values] for name, values in cast.items()
    }
    return as_text, str(max(labels, key=label_order)), (*notices, notice)  # type: ignore[return-value] # as above


def _strangers(found: Reconciled) -> Iterator[str]:
    """Name a side that never predicts a class of the truth: it may well spell them in another way."""
    for side in SIDES:
        predicted = getattr(found, side)
        if predicted and not set(predicted) & set(found.truth):
            yield f"The {side} never predicts a class of the truth ({predicted[0]!r} vs {found.truth[0]!r})."


def _rows(values: Sequence[Label | None], n: Sequence[int], side: Side, arms: Sequence[Side] | None) -> int:
    """Rows whose prediction failed."""
    own = n if arms is None else [count for count, arm in zip(n, arms, strict=True) if arm == side]
    return sum(count for count, value in zip(own, values, strict=True) if value is None)
