"""What can be asked of two windows: each metric over all rows and over each segment that both have, with estimates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import NotApplicableError
from abtest.evaluator.degradation.asked import Asked, errors_greater_is_better
from abtest.evaluator.degradation.estimates import LEAST_CLUSTERS, NAMES, Clusters, measured, measured_errors
from abtest.evaluator.degradation.rows import Key, Tables, error_hours
from abtest.evaluator.rows import Skipped
from abtest.metrics.catalogue import SCORES, unit
from abtest.metrics.costs import COST
from abtest.metrics.custom import is_custom
from abtest.stats.falls import Shift, fisher_fall, is_rare
from abtest.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.degradation.estimates import Marks
    from abtest.evaluator.degradation.rows import ErrorHours, Hours, LabelledHours
    from abtest.labels import Label
    from abtest.metrics.classification import Average
    from abtest.windows import Window

_SIDES = ("baseline", "recent window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A metric over all rows, or over a segment's.

    Attributes:
        metric: Its name.
        key: Of the segment.
        shift: Both windows' estimates.
        greater_is_better: Whether more of it is better.
        tolerated: The fall that matters.
        rows: Labelled rows of the baseline, and of the recent window.
        clusters: What is independent.
        exact: Fisher's p-value of right rows, where so few are right or wrong that no score is normal: that of another
            share is at least as great then.
    """

    metric: str
    key: Key
    shift: Shift
    greater_is_better: bool
    tolerated: float
    rows: tuple[int, int]
    clusters: Clusters
    exact: float | None = None


@dataclass(slots=True)
class Questions:
    """What can be asked, and what cannot, with why."""

    asked: list[Question] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, what: str, why: str) -> None:
        """Note what cannot be asked."""
        self.skipped.append(Skipped(what=what, why=why))

    def shared_keys(self, baseline: dict[tuple[str, str], None], recent: dict[tuple[str, str], None]) -> list[Key]:
        """All rows, and the segments that both windows have."""
        for only, missing in ((baseline, recent), (recent, baseline)):
            side = _SIDES[only is baseline]
            for key in only:
                if key not in missing:
                    self.skip(_named(key), f"The {side} has no labelled row of it.")
        return [None, *(key for key in recent if key in baseline)]


def of_tables(
    baseline: Window,
    recent: Window,
    metrics: Sequence[str],
    *,
    threshold: float,
    average: Average,
    pos_label: Label | None,
    confidence: float,
) -> Questions:
    """Those of a classification."""
    tables, found = Tables.of(baseline.buckets, recent.buckets, pos_label=pos_label), Questions()
    asked = Asked.of(metrics, tables.labels, average=average, pos_label=pos_label, confidence=confidence)
    for key in found.shared_keys(tables.keys(0), tables.keys(1)):
        windows = tables.hours(0, key), tables.hours(1, key)
        clusters = Clusters.of(windows)
        if key is None:
            _about_clusters(found, windows, clusters)
        among = windows[0].cells.is_class & windows[1].cells.is_class
        if any(metric.by_class for metric in asked.metrics):
            _about_classes(found, windows, among, asked, key)
        for metric in asked.metrics:
            if metric.is_accuracy or metric.whole is not None or _averaged(among, asked):
                sides = [measured(metric, window, asked, among) for window in windows]
                estimates = clusters.estimates((sides[0], sides[1]), windows)
                found.asked.append(
                    Question(
                        metric=metric.name,
                        key=key,
                        shift=Shift(baseline=estimates[0], recent=estimates[1]),
                        greater_is_better=metric.greater_is_better,
                        tolerated=threshold * (1.0 if unit(metric.name) == "share" else abs(sides[0].value)),
                        rows=(int(windows[0].rows.sum()), int(windows[1].rows.sum())),
                        clusters=clusters,
                        exact=_exact(windows) if unit(metric.name) == "share" else None,
                    )
                )
    return found


def of_errors(baseline: Window, recent: Window, metrics: Sequence[str], *, threshold: float) -> Questions:
    """Those of a regression."""
    found = Questions()
    keys = [
        {key: None for bucket in window.buckets for key, own in sorted(bucket.tallied.error_segments.items()) if own.n}
        for window in (baseline, recent)
    ]
    for key in found.shared_keys(*keys):
        if key is None:
            plain = [error_hours(window.buckets, [], key) for window in (baseline, recent)]
            if all(hours.rows.size for hours in plain):
                _about_clusters(found, (plain[0], plain[1]), Clusters.of((plain[0], plain[1])))
        for name in metrics:
            if name not in (*SCORES, COST):
                _ask_errors(found, name, key, (baseline, recent), threshold)
    return found


def _ask_errors(found: Questions, name: str, key: Key, given: tuple[Window, Window], threshold: float) -> None:
    first, second = (error_hours(window.buckets, [name] if is_custom(name) else [], key) for window in given)
    what = name if key is None else f"{name} of {_named(key)}"
    if not (first.rows.size and second.rows.size):
        found.skip(what, "A window has no labelled row with that loss.")
        return
    clusters = Clusters.of((first, second))
    try:
        sides = measured_errors(name, first), measured_errors(name, second)
        estimates = clusters.estimates(sides, (first, second))
    except NotApplicableError as error:
        found.skip(what, error.message)
        return
    found.asked.append(
        Question(
            metric=name,
            key=key,
            shift=Shift(baseline=estimates[0], recent=estimates[1]),
            greater_is_better=errors_greater_is_better(name),
            tolerated=threshold * _size(name, first),
            rows=(int(first.rows.sum()), int(second.rows.sum())),
            clusters=clusters,
        )
    )


def _size(name: str, baseline: ErrorHours) -> float:
    """What a threshold is a share of: R² is around 1, a bias small beside the errors, other losses what they are."""
    if name == "r2":
        return 1.0
    return abs(measured_errors("rmse" if name == "bias" else name, baseline).value)


def _exact(windows: tuple[LabelledHours, LabelledHours]) -> float | None:
    """Fisher's p-value of right rows, where few are right or wrong."""
    baseline, recent = (
        (int(window.count[(window.cells.truth == window.cells.said)[window.cell]].sum()), int(window.count.sum()))
        for window in windows
    )
    return fisher_fall(baseline, recent) if is_rare(baseline, recent) else None


def _averaged(among: Marks, asked: Asked) -> bool:
    """Whether there is a class to average over, in both windows."""
    return bool(among.any() if asked.positive is None else among[asked.positive])


def _about_classes(
    found: Questions, windows: tuple[LabelledHours, LabelledHours], among: Marks, asked: Asked, key: Key
) -> None:
    """Averages run over the classes of both windows' truth: else they differ for what is averaged alone."""
    labels, of = windows[0].cells.labels, "" if key is None else f" of {_named(key)}"
    either = windows[0].cells.is_class | windows[1].cells.is_class
    if not _averaged(among, asked):
        what = "class" if asked.positive is None else "positive label"
        found.skip(f"precision, recall and F1{of}", f"No {what} occurs in the truth of both windows.")
        return
    if asked.positive is not None:
        return
    for window, side in zip(windows, _SIDES, strict=True):
        gone = [label for label, missing in zip(labels, either & ~window.cells.is_class, strict=True) if missing]
        if gone:
            many = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
            found.skip(
                f"class {gone[0]!r}{many} in averages{of}",
                f"The {side} has no row of it: averages run over the classes that both windows have.",
            )


def _about_clusters(found: Questions, windows: tuple[Hours, Hours], clusters: Clusters) -> None:
    """Say where it is not days that are independent, and whose days tell what the other's rows share."""
    if clusters.seconds != DAY and windows[1].clusters(DAY) is not None:
        what = "rows" if clusters.seconds is None else "hours"
        found.skip(
            "spread by day",
            f"Neither window has {LEAST_CLUSTERS} days with labels: {what} are taken to be independent, and days' luck "
            "may pass for a fall.",
        )
    if clusters.seconds is None or not clusters.lent:
        return
    name = NAMES[clusters.seconds]
    for window, side, own in zip(windows, _SIDES, clusters.numbers, strict=True):
        if own is None:
            other = next(text for text in _SIDES if text != side)
            count = window.clusters(clusters.seconds)
            has = "no time" if count is None else f"labels on {wording.plural(int(count.max()) + 1, name)} only"
            found.skip(
                f"spread of the {side} by {name}",
                f"It has {has}: its rows are taken to be as like each other within a {name} as the {other}'s.",
            )


def _named(key: tuple[str, str]) -> str:
    return f"{key[0]} = {key[1]}"
