"""Laws of tallies and windows: they are functions of the rows, however these were cut, and are read as written."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import NO_PREDICTION, Label, Task
from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes
from abtest.stats.moments import Moments
from abtest.stats.sketches import Numbers, Values
from abtest.windows import DAY, HOUR, Bucket, Sketched, Tallied, Window, sketched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START = datetime(2026, 5, 1, tzinfo=UTC)
REGIONS = ("EU", "US")


class Row(NamedTuple):
    """A prediction of a class; None failed, or waits for its label."""

    prediction: Label | None
    truth: Label | None
    region: str | None  # None where the rows were not told apart


def tallied(rows: Sequence[Row]) -> Tallied:
    """Tally rows one by one."""
    whole: dict[tuple[Label, Label, Label], int] = {}
    parts: dict[tuple[str, str], dict[tuple[Label, Label, Label], int]] = {}
    predicted: dict[Label, int] = {}
    unpredicted: dict[Label, int] = {}
    for row in rows:
        if row.prediction is not None:
            predicted[row.prediction] = predicted.get(row.prediction, 0) + 1
        if row.truth is None:
            continue
        if row.prediction is None:
            unpredicted[row.truth] = unpredicted.get(row.truth, 0) + 1
            continue
        key = (row.truth, row.prediction, row.prediction)
        for counts in (whole, parts.setdefault(("region", row.region), {}) if row.region else {}):
            counts[key] = counts.get(key, 0) + 1
    return Tallied(
        n=len(rows),
        failed=sum(row.prediction is None for row in rows),
        predictions=sketched(predicted, "classification"),
        outcomes=PairedOutcomes.from_counts(whole, dict(sorted(parts.items()))) if whole else None,
        unpredicted=unpredicted,
        lag=Moments.of([float(len(str(row))) for row in rows]) if rows else None,
    )


def plain(one: Tallied) -> str:
    """As text, which is the same of what is the same to the last bit."""
    return json.dumps(one.to_dict())


@st.composite
def row_lists(draw: st.DrawFn, parts: int = 3) -> list[list[Row]]:
    """Draw lists of rows over one vocabulary, of text or of numbers; rows of a list are told apart or not."""
    label = st.sampled_from(draw(st.sampled_from([("ant", "bee", "cat"), (-1, 0, 7, 12)])))
    maybe = st.none() | label
    found = []
    for _ in range(parts):
        region = st.sampled_from(REGIONS) if draw(st.booleans()) else st.none()
        found.append(draw(st.lists(st.builds(Row, maybe, maybe, region), max_size=12)))
    return found


@given(row_lists())
def test_the_sum_of_parts_is_the_tally_of_all_rows(parts: list[list[Row]]) -> None:
    """However rows are cut, in whatever order the parts are added, one by one or at once: it is the whole's tally."""
    a, b, c = (tallied(part) for part in parts)
    whole = plain(tallied([row for part in parts for row in part]))
    sums = [a + (b + c), (a + b) + c, c + b + a, Tallied.sum([b, a, c]), Tallied.sum([a, b, c, Tallied()])]
    found = {json.dumps({**one.to_dict(), "lag": None}) for one in sums}
    assert found == {json.dumps({**json.loads(whole), "lag": None})}
    for one in sums:
        lag = tallied([row for part in parts for row in part]).lag
        assert (one.lag is None) == (lag is None)
        if one.lag is not None and lag is not None:
            assert one.lag.n == lag.n
            assert one.lag.mean == pytest.approx(lag.mean, rel=1e-12)
            assert one.lag.squares == pytest.approx(lag.squares, rel=1e-12, abs=1e-9)


@given(row_lists())
def test_read_as_written(parts: list[list[Row]]) -> None:
    """A tally that was written as JSON and read again is the same, and adds up as it did."""
    a, b, _ = (tallied(part) for part in parts)
    read = [Tallied.from_dict(json.loads(plain(one))) for one in (a, b)]
    assert [plain(one) for one in read] == [plain(a), plain(b)]
    assert plain(read[0] + read[1]) == plain(a + b)
    assert (read[0].outcomes or PairedOutcomes.from_counts({})) == (a.outcomes or PairedOutcomes.from_counts({}))


@given(row_lists(parts=1))
def test_the_table_has_every_labelled_row(parts: list[list[Row]]) -> None:
    """Rows whose prediction failed are there as wrong; segments have the rows that were told apart."""
    (rows,) = parts
    one = tallied(rows)
    labelled = [row for row in rows if row.truth is not None]
    right = sum(row.truth == row.prediction for row in labelled)
    assert one.labelled == one.table().n == len(labelled)
    assert one.table().contingency().both == right
    assert one.task == ("classification" if labelled else None)
    failed = sum(n for (_, said, _), n in one.table().to_counts().items() if said == NO_PREDICTION)
    assert failed == sum(row.prediction is None for row in labelled)
    for segment in one.table().segments:
        own = [row for row in labelled if row.region == segment.value and row.prediction is not None]
        assert one.table().of(segment).n == len(own)


def test_a_batch_that_was_not_told_apart_adds_to_the_whole_only() -> None:
    """A segment has the rows that were told apart by it, whatever else is added up."""
    whole = tallied([Row("a", "a", "EU"), Row("b", "a", "US")]) + tallied([Row("a", "a", None)])
    assert whole.outcomes is not None
    assert whole.outcomes.n == 3
    assert [(segment.key, segment.cells[:, 3].sum()) for segment in whole.outcomes.segments] == [
        (("region", "EU"), 1), (("region", "US"), 1)
    ]  # fmt: skip


def regression(rows: Sequence[tuple[float, float]], part: str | None = None) -> Tallied:
    """Tally predicted numbers."""
    truth, said = (np.array([row[at] for row in rows]) for at in (0, 1))
    errors = RegressionOutcomes.of(truth, said, said, {"log": (np.abs(said), np.abs(said))})
    return Tallied(
        n=len(rows),
        predictions=Numbers.of(said),
        errors=errors,
        error_segments={("part", part): errors} if part else {},
    )


NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), min_size=1, max_size=6), st.randoms())
def test_errors_add_up_to_those_of_all_rows(parts: list[list[tuple[float, float]]], draw: Any) -> None:
    """Sums of errors are those of all rows to rounding, and do not depend on the order of the parts at all."""
    tallies = [regression(rows, part="ab"[at % 2]) for at, rows in enumerate(parts)]
    shuffled = draw.sample(tallies, len(tallies))
    added = Tallied.sum(tallies)
    assert plain(added) == plain(Tallied.sum(shuffled))
    whole = regression([row for rows in parts for row in rows])
    assert added.errors is not None
    assert whole.errors is not None
    for name in ("truth", "errors", "absolute", "squared"):
        ours, theirs = (getattr(one, name) for one in (added.errors, whole.errors))
        ours, theirs = (one if isinstance(one, Moments) else one.champion for one in (ours, theirs))
        scale = theirs.squares + theirs.n * theirs.mean**2
        assert ours.n == theirs.n
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-12, abs=1e-12 * (scale + 1) ** 0.5)
        assert ours.squares == pytest.approx(theirs.squares, rel=1e-9, abs=1e-12 * scale)
    assert sum(own.n for own in added.error_segments.values()) == added.labelled == whole.labelled
    assert added.task == "regression"
    read = Tallied.from_dict(json.loads(plain(added)))
    assert plain(read) == plain(added)
    assert read.errors == added.errors


@given(st.lists(st.lists(NUMBERS, max_size=6), max_size=6))
def test_moments_added_at_once_are_those_added_two_by_two(parts: list[list[float]]) -> None:
    """Adding up any number at once is the same as one after the other, to rounding."""
    each = [Moments.of(part) for part in parts]
    at_once, one_by_one = Moments.sum(each), sum(each, Moments.of([]))
    scale = max((abs(x) for part in parts for x in part), default=0.0)
    assert at_once.n == one_by_one.n
    assert at_once.mean == pytest.approx(one_by_one.mean, rel=1e-14, abs=1e-15 * scale)
    assert at_once.squares == pytest.approx(one_by_one.squares, rel=1e-14, abs=1e-15 * scale * scale)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            tallied([Row(1, None, None)]),
            Tallied(n=1, predictions=sketched({1.0: 1}, "regression")),
            "that are numbers and predictions that are classes",
        ),
        (Tallied(unpredicted={1: 1}), Tallied(unpredicted={"1": 1}), "of int and str labels do not add up .1 vs '1'."),
        (Tallied(unpredicted={1: 1}), Tallied(unpredicted={True: 1}), "of int and bool labels"),
        (tallied([Row(1, 1, None)]), Tallied(unpredicted={1.0: 1}), "of int and float labels"),
        (tallied([Row(1, 1, None)]), regression([(1.0, 2.0)]), "of a classification and of a regression"),
    ],
)
def test_what_does_not_belong_together_does_not_add_up(one: Tallied, other: Tallied, said: str) -> None:
    """Labels of two types, and two tasks, are refused with a hint, in either order of adding."""
    with pytest.raises(LabelMismatchError, match=said) as caught:
        one + other
    assert str(caught.value.hint).startswith("track all rows with the same --")
    with pytest.raises(LabelMismatchError):
        other + one


def test_sides_that_differ_are_no_tally() -> None:
    """A tally is written with the model on both sides, or not at all."""
    two = PairedOutcomes.from_counts({("a", "a", "b"): 1})
    errors = RegressionOutcomes.of([1.0], [1.0], [2.0])
    for one in (Tallied(outcomes=two), Tallied(errors=errors)):
        with pytest.raises(InvalidInputError, match="the model on both sides"):
            one.to_dict()


GOOD = (tallied([Row("a", "a", "EU"), Row("b", "a", "US"), Row(None, "b", None)]), regression([(1.0, 2.5)], part="x"))


def _set(*path: Any) -> Callable[[Any], None]:
    """Put the last of these where the others lead."""
    *way, last, value = path

    def change(data: Any) -> None:
        for step in way:
            data = data[step]
        data[last] = value

    return change


@pytest.mark.parametrize(
    ("one", "change"),
    [
        (0, _set("more", 1)),
        (0, _set("n", -1)),
        (0, _set("n", "3")),
        (0, _set("predictions", {"kind": "other"})),
        (0, _set("outcomes", [])),
        (0, _set("outcomes", "labels", ["a", 1])),
        (0, _set("outcomes", "labels", [None, None])),
        (0, _set("outcomes", "cells", 0, 9)),
        (0, _set("outcomes", "cells", 2, 0)),
        (0, _set("outcomes", "cells", 2, 1.5)),
        (0, _set("outcomes", "cells", 2, "x")),
        (0, _set("outcomes", "cells", [0, 0])),
        (0, _set("outcomes", "cells", 0, 1)),
        (0, _set("outcomes", "cells", -1, 5)),
        (0, _set("outcomes", "segments", 0, 2, 99)),
        (0, _set("outcomes", "segments", 0, ["region"])),
        (0, _set("unpredicted", [[None, 1]])),
        (0, _set("unpredicted", 0, 1, -1)),
        (0, _set("lag", [1, 2])),
        (0, _set("lag", 1, float("nan"))),
        (1, _set("errors", "truth", 0, 5)),
        (1, _set("errors", "truth", 2, -1.0)),
        (1, _set("errors", "losses", [])),
        (1, _set("errors", {})),
        (1, _set("error_segments", [["part", "x"]])),
    ],
)
def test_what_is_no_tally_is_refused(one: int, change: Callable[[Any], None]) -> None:
    """Data of another shape, or that contradicts itself, is no tally."""
    data = GOOD[one].to_dict()
    change(data)
    with pytest.raises(InvalidInputError):
        Tallied.from_dict(data)


def at(hours: float) -> datetime:
    """So many hours after the start."""
    return START + timedelta(hours=hours)


def bucket(hour: float, n: int = 1, version: int | None = 1) -> Bucket:
    """An hour."""
    return Bucket(start=at(hour), version=version, tallied=Tallied(n=n))


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 3)), unique=True, max_size=20),
    st.sampled_from([HOUR, 6 * HOUR, DAY, 7 * DAY]),
    st.integers(0, 30),
)
def test_periods_add_up_to_the_window(hours: list[tuple[int, int]], seconds: int, shift: int) -> None:
    """Periods follow one another from begin to end without gaps, and each hour is in the one it begins in."""
    buckets = tuple(bucket(hour + shift, version=version) for hour, version in sorted(hours))
    sketches = tuple(Sketched(day=at(24 * day), version=1, features={}) for day in range(2))
    window = Window(start=at(shift), end=at(shift + 100), buckets=buckets, sketches=sketches)
    periods = window.by(seconds)
    assert (periods[0].start, periods[-1].end) == (window.start, window.end)
    assert all(one.end == after.start for one, after in itertools.pairwise(periods))
    assert sum(len(one.buckets) for one in periods) == len(buckets)
    assert sum(len(one.sketches) for one in periods) == len(sketches)
    assert plain(Tallied.sum(one.whole() for one in periods)) == plain(window.whole())
    for one in periods:
        assert one.start is not None
        assert one.end is not None
        assert one.end - one.start <= timedelta(seconds=seconds)
        assert all(own.start is not None and one.start <= own.start < one.end for own in one.buckets)
    if seconds % DAY == 0:
        assert all(one.start is not None and one.start.hour == 0 for one in periods[1:])


def test_versions_come_by_when_they_first_predicted() -> None:
    """In whatever order buckets are given."""
    window = Window(
        start=at(0), end=at(9), buckets=(bucket(5, version=1), bucket(2, version=3), bucket(4, version=None))
    )
    assert window.versions() == (3, None, 1)


def test_a_window_without_time_is_one_period() -> None:
    """A baseline of a file has no time: it is not cut, and adds up all the same."""
    buckets = tuple(Bucket(start=None, version=version, tallied=Tallied(n=2)) for version in (1, 2))
    sketches = tuple(Sketched(day=None, version=1, features={"x": Numbers.of([k])}) for k in (1, 2))
    window = Window(start=None, end=None, buckets=buckets, sketches=sketches)
    assert window.by(DAY) == (window,)
    assert (window.whole().n, window.versions(), window.features()["x"].n) == (4, (1, 2), 2)


def test_an_empty_window_has_nothing() -> None:
    """A period without predictions is a window too."""
    window = Window(start=at(0), end=at(5), buckets=())
    assert (window.whole().to_dict(), window.features(), window.versions(), len(window.by(HOUR))) == ({}, {}, (), 5)
    assert window.whole().table().n == 0


def test_features_add_up_over_days_and_versions() -> None:
    """Each feature is sketched as all rows would be; one that some days lack has the others'."""
    days = (
        Sketched(day=at(24), version=1, features={"x": Numbers.of([2.0]), "c": Values.of({"red": 1})}),
        Sketched(day=at(0), version=1, features={"x": Numbers.of([1.0, 3.0])}),
        Sketched(day=at(0), version=2, features={"x": Numbers.of([], missing=4)}),
    )
    found = Window(start=at(0), end=at(48), buckets=(), sketches=days).features()
    assert found["x"].to_dict() == Numbers.of([1.0, 2.0, 3.0], missing=4).to_dict()
    assert found["c"].to_dict() == Values.of({"red": 1}).to_dict()


def test_a_feature_that_changed_its_type_is_as_of_the_later_days() -> None:
    """Numbers before the change do not count; a day without a value changes no type, and its rows are missing."""
    told: list[Numbers | Values] = [
        Numbers.of([1.0]),
        Values.of({"a": 2}),
        Numbers.of([], missing=3),
        Values.of({"b": 1}),
        Values.of({}, missing=1),
    ]
    days = tuple(Sketched(day=at(24 * i), version=1, features={"x": one}) for i, one in enumerate(told))
    found = Window(start=at(0), end=at(240), buckets=(), sketches=days).features()
    assert found["x"].to_dict() == Values.of({"a": 2, "b": 1}, missing=4).to_dict()


@pytest.mark.parametrize(
    ("counts", "task", "expected"),
    [
        ({1.0: 2, 3.0: 1}, "regression", Numbers.of([1, 1, 3])),
        ({1: 2, 3: 1}, "classification", Values.of({"1": 2, "3": 1})),
        ({1.0: 2, -0.0: 1, 2.5: 1}, "classification", Values.of({"1": 2, "0": 1, "2.5": 1})),
        ({True: 2, False: 1}, "classification", Values.of({"True": 2, "False": 1})),
        ({"a": 2}, "classification", Values.of({"a": 2})),
    ],
)
def test_predictions_are_sketched_as_what_they_are(
    counts: dict[Label, int], task: Task, expected: Numbers | Values
) -> None:
    """Classes are values, whatever their type; 1 and 1.0 are one class; numbers are those of a regression."""
    found = sketched(counts, task)
    assert found is not None
    assert found.to_dict() == expected.to_dict()
