"""What a model's tracked rows say of the next ones: their task, the type of their labels, and what tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest import wording
from abtest.errors import LabelMismatchError
from abtest.labels import Label, LabelType, Task, kind_of
from abtest.stats.sketches import Numbers
from abtest.windows import Tallied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.store import Store
    from abtest.stats.sketches import Sketch
    from abtest.windows import Bucket, Sketched

Kind: TypeAlias = Literal["numbers", "text"]
_LOOKS = (1, 8, 64, 20_000)  # days back from the last: labels are late, but most are not that late


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model's tracked rows.

    Attributes:
        task: What they are of: as labels say, else as predictions were taken; None where there are neither.
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

    def label_type_of(self, asked: LabelType | None) -> LabelType | None:
        """The type of labels that is asked for, or known.

        Raises:
            LabelMismatchError: These are two.
        """
        if asked and self.label_type and asked != self.label_type:
            raise LabelMismatchError(
                f"label_type must be {self.label_type}, which labels of the model's tracked rows are, got {asked!r}.",
                hint="leave it out, or track under another name.",
            )
        return asked or self.label_type

    def check(self, buckets: Sequence[Bucket]) -> None:
        """Refuse predictions that would not add up with those before.

        Raises:
            LabelMismatchError: These are numbers, and those are classes, or the other way round.
        """
        for bucket in buckets:
            found = bucket.tallied.predictions
            if found is not None:
                self.task_of(_task(found))

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
    found = Known(features=features)
    for days in _LOOKS:
        buckets = store.buckets(model_name, end - timedelta(days=days), end)
        whole = Tallied.sum(bucket.tallied for bucket in buckets)
        if whole.predictions is not None:
            found = replace(found, task=_task(whole.predictions))
        if whole.task is None:
            continue
        table = whole.outcomes
        labels = table.labels if table else tuple(whole.unpredicted)
        own = {segment.name for segment in table.segments} if table else {name for name, _ in whole.error_segments}
        return replace(
            found,
            task=whole.task,
            label_type=kind_of(labels) if whole.task == "classification" else None,
            labels=labels,
            segments=frozenset(own),
        )
    return found


def kinds_of(sketches: Sequence[Sketched]) -> dict[str, Kind]:
    """What each feature held; what held nothing is left out."""
    return {name: _kind(sketch) for day in sketches for name, sketch in day.features.items() if sketch.n}


def _task(predictions: Sketch) -> Task:
    """What predictions were taken as: of a regression they are numbers."""
    return "regression" if isinstance(predictions, Numbers) else "classification"


def _kind(sketch: Sketch) -> Kind:
    return "numbers" if isinstance(sketch, Numbers) else "text"
