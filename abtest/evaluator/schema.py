"""How recent rows are shaped otherwise than the baseline's: columns, types, what is missing, values and ranges."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from abtest import wording
from abtest.evaluator.monitored import SchemaChange
from abtest.stats.drift import binned
from abtest.stats.homogeneity import two_shares
from abtest.stats.sketches import Numbers, Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abtest.stats.sketches import Sketch

MISSING_FLOOR = 0.05  # of the change of the share of rows without a value: less does not matter
SHARE_FLOOR = 0.01  # of rows with new values, with gone ones, or out of range
_NAMED = 3  # values in a sentence

Named = tuple[str, "Sketch", "Sketch"]  # a column's name, what it held and what it holds


def schema_changes(
    baseline: Mapping[str, Sketch], recent: Mapping[str, Sketch], *, said: Sequence[Named] = (), alpha: float
) -> tuple[SchemaChange, ...]:
    """Name what changed in the shape of rows, by feature in the order of the baseline's, new ones last.

    What could be chance (a share that is missing, a value that was not seen before, a number beyond the range) is named
    where it is surely more than that, at a level of ``alpha`` for all of them together (Bonferroni), and where it is
    of enough rows to matter.

    Assumes:
        Rows are independent. Only values that are told apart in both windows are known to be new or gone.

    Args:
        baseline: What features held, by name; where there are none nobody knows which are new.
        recent: Likewise; where there are none nobody knows which are gone.
        said: Predictions, as one more column.
        alpha: The level.
    """
    both = [*said, *((name, baseline[name], recent[name]) for name in baseline if name in recent)]
    level = alpha / max(1, len(both))
    changes = [*chain.from_iterable(_changes(*named, level) for named in both)]
    if baseline and recent:
        gone = [
            SchemaChange(feature=name, what="gone", text="It is not among the recent columns.")
            for name in baseline
            if name not in recent
        ]
        new = [
            SchemaChange(feature=name, what="new", text="It was not among the columns of the baseline.")
            for name in recent
            if name not in baseline
        ]
        order = {name: at for at, name in enumerate(baseline)}
        changes = sorted([*changes, *gone], key=lambda it: order.get(it.feature, -1)) + new
    return tuple(changes)


def alike(baseline: Sketch, recent: Sketch) -> tuple[Numbers, Numbers] | tuple[Values, Values] | None:
    """Take two sketches as of one kind, where one without a value is of either; None where they are not."""
    if isinstance(baseline, Numbers) and isinstance(recent, Numbers):
        return baseline, recent
    if isinstance(baseline, Values) and isinstance(recent, Values):
        return baseline, recent
    if not _filled(baseline):
        return alike(_empty_as(recent, missing=baseline.missing), recent)
    if not _filled(recent):
        return alike(baseline, _empty_as(baseline, missing=recent.missing))
    return None


def _filled(sketch: Sketch) -> bool:
    return sketch.rows > sketch.missing


def _empty_as(sketch: Sketch, *, missing: int) -> Sketch:
    return Numbers.of([], missing=missing) if isinstance(sketch, Numbers) else Values.of({}, missing=missing)


def _changes(name: str, baseline: Sketch, recent: Sketch, level: float) -> Iterator[SchemaChange]:
    """Name what changed of one column that both windows have."""
    if not baseline.rows or not recent.rows:
        return
    pair = alike(baseline, recent)
    if pair is None:
        was, is_now = ("numbers" if isinstance(it, Numbers) else "text" for it in (baseline, recent))
        found = [("type", f"It held {was}, and holds {is_now} now.")]
    else:
        found = [*_missing(baseline, recent, level), *_held_otherwise(pair[0], pair[1], level)]
    for what, text in found:
        yield SchemaChange(feature=name, what=what, text=text)


def _held_otherwise(baseline: Sketch, recent: Sketch, level: float) -> Iterator[tuple[str, str]]:
    if isinstance(baseline, Numbers) and isinstance(recent, Numbers):
        yield from _infinite(baseline, recent)
        yield from _out_of_range(baseline, recent, level)
    elif isinstance(baseline, Values) and isinstance(recent, Values) and baseline.n and recent.n:
        yield from _new_and_gone(baseline, recent, level)


def _missing(baseline: Sketch, recent: Sketch, level: float) -> Iterator[tuple[str, str]]:
    before, now = baseline.missing / baseline.rows, recent.missing / recent.rows
    did = f"{wording.percent(before) if before else 'none'} of the baseline's did."
    none_left = _filled(baseline) and not _filled(recent)
    if not none_left and abs(now - before) < MISSING_FLOOR:
        return
    if two_shares(baseline.missing, baseline.rows, recent.missing, recent.rows) < level:
        if none_left:
            yield "all missing", f"All {wording.plural(recent.rows, 'recent row')} lack it; {did}"
        else:
            lack = f"{wording.percent(now)} of recent rows lack it" if now else "No recent row lacks it"
            yield "missing", f"{lack}; {did}"


def _infinite(baseline: Numbers, recent: Numbers) -> Iterator[tuple[str, str]]:
    if recent.infinite and not baseline.infinite:
        verb = "is" if recent.infinite == 1 else "are"
        yield "infinite", f"{wording.plural(recent.infinite, 'recent row')} {verb} infinite; none of the baseline was."


def _out_of_range(baseline: Numbers, recent: Numbers, level: float) -> Iterator[tuple[str, str]]:
    """Count recent numbers beyond the baseline's bins, and the least and the greatest where they share one of these.

    Chance puts each of k rows that are beyond one end into the recent window; they may be split between two ends in
    k + 1 ways.
    """
    if baseline.least is None or baseline.most is None or recent.least is None or recent.most is None:
        return
    samples = binned(baseline, recent)
    held = samples.baseline.nonzero()[0]
    below = max(int(samples.recent[: held[0]].sum()), int(recent.least < baseline.least))
    above = max(int(samples.recent[held[-1] + 1 :].sum()), int(recent.most > baseline.most))
    outside = below + above
    if outside < SHARE_FLOOR * recent.n or (outside + 1) * two_shares(0, baseline.n, outside, recent.n) >= level:
        return
    ends = [f"down to {_number(recent.least)}"] * (below > 0) + [f"up to {_number(recent.most)}"] * (above > 0)
    known = f"{_number(baseline.least)} to {_number(baseline.most)}, the range of the baseline"
    share = wording.percent(outside / recent.n)
    yield "range", f"{share} of recent rows are outside {known}: {' and '.join(ends)}."


def _new_and_gone(baseline: Values, recent: Values, level: float) -> Iterator[tuple[str, str]]:
    told_apart = (baseline + recent).counts
    level /= max(1, len(told_apart))
    for what, here, there, words in (
        ("new values", recent, baseline, "of recent rows have values that the baseline has not"),
        ("gone values", baseline, recent, "of the baseline's rows had values that recent rows have not"),
    ):
        only = {
            value: here.counts[value]
            for value in told_apart
            if value in here.counts
            and value not in there.counts
            and two_shares(0, there.n, here.counts[value], here.n) < level
        }
        rows = sum(only.values())
        if only and rows >= SHARE_FLOOR * here.n:
            yield what, f"{wording.percent(rows / here.n)} {words}: {_listed(only, here.n)}."


def _listed(values: Mapping[str, int], n: int) -> str:
    """List the most frequent values with their shares, and how many more there are."""
    often = sorted(values, key=lambda value: (-values[value], value))
    told = [f"'{value[:40]}' ({wording.percent(values[value] / n)})" for value in often[:_NAMED]]
    more = len(often) - len(told)
    return ", ".join(told) + (f" and {wording.plural(more, 'other', 'others')}" if more else "")


def _number(value: float) -> str:
    return wording.value(value, "number")
