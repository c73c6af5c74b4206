"""The log of ``abtest serve`` → tallies by the hour: hours with something new are counted again, by the database.

An hour is counted as a whole, and put in the place of what was known of it: so that it does no harm to count it once
more, and nothing is counted twice. New rows of the last week are found by their number, however late they come to the
log; new labels by when they were received, but for a quarter of an hour, by which clocks and transactions may be late.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from abtest import wording
from abtest.labels import cast_label, kind_of
from abtest.metrics.regression import MOST_ERROR, RegressionOutcomes
from abtest.monitoring.kept import sketch_day
from abtest.monitoring.known import known_of
from abtest.outcomes import PairedOutcomes
from abtest.stats.moments import Moments
from abtest.windows import DAY, Bucket, Tallied, sketched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from abtest.labels import Label, LabelType, Task
    from abtest.live.store import Store
    from abtest.live.store.served import Group

_ROWS_LATE = 7 * DAY  # seconds that a row may reach the log after its prediction
_LABELS_LATE = 900.0  # seconds that a label may be committed after it was received, by our clock
_MOST = MOST_ERROR / 2  # of a number whose errors can be squared
_logger = logging.getLogger(__name__)


def take_in(store: Store, model_name: str, *, now: datetime | None = None) -> int:
    """Bring the tallies of a model's served predictions up to date, and say how many hours were counted again.

    What was served counts, whichever arm of an experiment it was; a shadow's predictions do not. It is a regression
    where a prediction or a label has ever had a fraction, or where rows that were tracked before are of one.

    Args:
        store: The log.
        model_name: The model.
        now: Up to when the log is read; by the clock when None.

    Raises:
        InvalidInputError: The log was made before monitoring, and opened to be read.
    """
    mark = (now or datetime.now(UTC)).timestamp()
    known, before = store.live_mark(model_name), store.live_task(model_name)
    since = known or 0.0
    changed, has_fractions = store.served_hours(
        model_name, rows_since=since - _ROWS_LATE, labels_since=since - _LABELS_LATE
    )
    of_numbers = before == "regression" or (before is None and known_of(store, model_name).task == "regression")
    task: Task = "regression" if has_fractions or of_numbers else "classification"
    if known is not None and task != before:  # classes turn out to be numbers
        changed = store.served_hours(model_name, rows_since=0.0, labels_since=0.0)[0] | changed
    if not changed and known is None:
        return 0
    for day, some in itertools.groupby(sorted(changed), key=lambda hour: hour // DAY * DAY):
        hours = [*some]
        buckets = _buckets(store.served_groups(model_name, hours), task)
        sketches = sketch_day(store, model_name, day) if any(changed[hour] for hour in hours) else ()
        # Only at the end is it known up to now: else what one that was cut off has not counted would never be.
        store.put_live(
            model_name, buckets, sketches, hours=[_moment(hour) for hour in hours], mark=since, task=before or task
        )
    store.put_live(model_name, (), (), hours=(), mark=mark, task=task)
    return len(changed)


def _buckets(groups: Sequence[Group], task: Task) -> list[Bucket]:
    """Tally groups by hour and version."""
    by_bucket: dict[tuple[int, int | None], list[Group]] = defaultdict(list)
    for group in groups:
        by_bucket[group.hour, group.version].append(group)
    return [
        Bucket(start=_moment(hour), version=version, tallied=_tallied(some, task))
        for (hour, version), some in by_bucket.items()
    ]


def _tallied(groups: Sequence[Group], task: Task) -> Tallied:
    predicted = _summed((group.prediction, group.n) for group in groups)
    labelled = [group for group in groups if group.label is not None]
    kind: LabelType = (
        "float" if task == "regression" else kind_of([*map(json.loads, predicted or _summed_labels(labelled))])
    )
    labels = _cast({text for group in groups for text in (group.prediction, group.label) if text is not None}, kind)
    readable = {*labels, None}
    said = [group for group in labelled if {group.label, group.prediction} <= readable]
    _tell([group for group in labelled if not {group.label, group.prediction} <= readable], kind)
    unpredicted = _summed((group.label, group.n) for group in said if group.prediction is None)
    rows = [
        (labels[str(group.label)], labels[group.prediction], group.n) for group in said if group.prediction is not None
    ]
    return Tallied(
        n=sum(group.n for group in groups),
        failed=sum(group.n for group in groups if group.prediction is None),
        predictions=sketched(_counted((labels[text], n) for text, n in predicted.items() if text in labels), task),
        outcomes=_outcomes(rows) if rows and task == "classification" else None,
        errors=_errors(rows) if rows and task == "regression" else None,
        unpredicted=_counted((labels[text], n) for text, n in unpredicted.items()),
        corrected=sum(group.corrected for group in groups),
        lag=_lag(labelled) if labelled else None,
    )


def _summed(pairs: Iterable[tuple[str | None, int]]) -> dict[str, int]:
    """Add up counts by JSON text, in which 1, 1.0 and true are three."""
    found: dict[str, int] = {}
    for text, n in pairs:
        if text is not None:
            found[text] = found.get(text, 0) + n
    return found


def _summed_labels(groups: Sequence[Group]) -> dict[str, int]:
    return _summed((group.label, group.n) for group in groups)


def _counted(pairs: Iterable[tuple[Label, int]]) -> dict[Label, int]:
    """Add up counts of labels of one type: '1' and 1 may have come to the same."""
    found: dict[Label, int] = {}
    for label, n in pairs:
        found[label] = found.get(label, 0) + n
    return found


def _cast(texts: Iterable[str], kind: LabelType) -> dict[str, Label]:
    """Read labels as one type, those that can be."""
    found: dict[str, Label] = {}
    for text in texts:
        try:
            label = _number(text) if kind == "float" else cast_label(json.loads(text), kind)
        except ValueError:
            continue
        found[text] = label
    return found


def _number(text: str) -> float:
    """Read a number, or text that spells one, whose errors can be squared."""
    try:
        number = float(text)  # as nearly all are, and much faster
    except ValueError:
        number = float(cast_label(json.loads(text), "float"))
    if not abs(number) <= _MOST:  # nor is NaN
        raise ValueError(text)
    return number


def _outcomes(rows: Sequence[tuple[Label, Label, int]]) -> PairedOutcomes:
    counts = _counted_rows(rows)
    return PairedOutcomes.from_counts({(truth, said, said): n for (truth, said), n in counts.items()})


def _counted_rows(rows: Iterable[tuple[Label, Label, int]]) -> Mapping[tuple[Label, Label], int]:
    found: dict[tuple[Label, Label], int] = {}
    for truth, said, n in rows:
        found[truth, said] = found.get((truth, said), 0) + n
    return found


def _errors(rows: Sequence[tuple[Label, Label, int]]) -> RegressionOutcomes:
    counts = [n for _, _, n in rows]
    truth, said = (np.repeat(np.array([row[at] for row in rows], dtype=np.float64), counts) for at in (0, 1))
    return RegressionOutcomes.of(truth, said, said)


def _lag(groups: Sequence[Group]) -> Moments:
    n = sum(group.n for group in groups)
    total, squares = (math.fsum(getattr(group, name) for group in groups) for name in ("lag", "squares"))
    return Moments(n=n, mean=total / n, squares=max(squares - total * total / n, 0.0))


def _tell(unread: Sequence[Group], kind: LabelType) -> None:
    if unread:
        rows = wording.plural(sum(group.n for group in unread), "label")
        _logger.warning("Left out: %s that cannot be read as %s (first: %s).", rows, kind, unread[0].label)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
