"""What tracked rows of a model say of the next ones: their task, the type of their labels, and what they are told by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest import wording
from abtest.errors import LabelMismatchError
from abtest.labels import kind_of
from abtest.stats.sketches import Numbers
from abtest.windows import Tallied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.labels import Label, LabelType, Task
    from abtest.live.store import Store
    from abtest.windows import Sketched

Kind: TypeAlias = Literal["numbers", "text"]
_LOOKS = (1, 8, 64, 20_000)  # days back from the last: labels are late, but most are not that late


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model's tracked rows.

    Attributes:
        task: What they are of; None where no row has a label yet.
        label_type: Of their labels, of a classification.
        labels: Classes that occurred lately.
        segments: By what rows were told apart lately; None where no row has a label yet.
        features: What each feature held lately.
    """

    task: Task | None = None
    label_type: LabelType | None = None
    labels: tuple[Label, ...] = ()
    segments: frozenset[str] | None = None
    features: Mapping[str, Kind] = field(default_factory=dict)

    def task_of(self, asked: Task | None) -> Task | None:
        """The task that is asked for, or known.

        Raises:
            LabelMismatchError: These are two.
        """
        if asked and self.task and asked != self.task:
            raise LabelMismatchError(
                f"task must be {self.task}, which the model's tracked rows are of, got {asked!r}.",
                hint="leave it out, or track under another name.",
            )
        return asked or self.task

    def notices(self, segments: Sequence[str], sketches: Sequence[Sketched]) -> tuple[str, ...]:
        """Say in what new rows differ from those before."""
        said = []
        if self.segments is not None and self.segments != set(segments):
            told = [", ".join(sorted(names)) or "nothing" for names in (self.segments, segments)]
            said.append(f"Rows were told apart by {told[0]} so far, and these are by {told[1]}.")
        kinds = kinds_of(sketches)
        changed = [name for name, kind in kinds.items() if self.features.get(name, kind) != kind]
        if changed:
            first = changed[0]
            many = f" and {wording.plural(len(changed) - 1, 'other')}" if changed[1:] else ""
            said.append(f"Feature '{first}'{many} held {self.features[first]} so far, and holds {kinds[first]} now.")
        return tuple(said)


def known_of(store: Store, model_name: str) -> Known:
    """Look at the latest rows of a model that have labels, and at its latest features."""
    last = store.last_tracked(model_name)
    if last is None:
        return Known()
    end = last + timedelta(hours=1)
    day = last.replace(hour=0, minute=0, second=0, microsecond=0)
    features = kinds_of(store.sketches(model_name, day, day + timedelta(days=1)))
    for days in _LOOKS:
        buckets = store.buckets(model_name, end - timedelta(days=days), end)
        whole = Tallied.sum(bucket.tallied for bucket in buckets)
        if whole.task is None:
            continue
        table = whole.outcomes
        labels = table.labels if table else tuple(whole.unpredicted)
        own = {segment.name for segment in table.segments} if table else {name for name, _ in whole.error_segments}
        return Known(
            task=whole.task,
            label_type=kind_of(labels) if whole.task == "classification" else None,
            labels=labels,
            segments=frozenset(own),
            features=features,
        )
    return Known(features=features)


def kinds_of(sketches: Sequence[Sketched]) -> dict[str, Kind]:
    """What each feature held; what held nothing is left out."""
    return {
        name: "numbers" if isinstance(sketch, Numbers) else "text"
        for day in sketches
        for name, sketch in day.features.items()
        if sketch.n
    }
