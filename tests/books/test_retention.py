"""How much is kept: a limit more never lets more go, and without a limit nothing may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.books.retention import Item, Retention, ranked
from abtest.errors import InvalidInputError

NOW = datetime(2026, 5, 1, tzinfo=UTC)
AGES = st.integers(0, 200).map(lambda days: NOW - timedelta(days=days))
KEPT = st.none() | st.integers(0, 12)
SPANS = st.none() | st.integers(0, 120).map(lambda days: timedelta(days=days))


def item(at: datetime, version: int) -> Item:
    """A version of some age."""
    return Item(kind="version", model="m", version=version, run_ids=(), what=f"version {version}", at=at)


@given(AGES, st.integers(1, 15), SPANS, KEPT)
def test_both_limits_have_to_let_go(at: datetime, rank: int, span: timedelta | None, keep: int | None) -> None:
    """What goes under two limits goes under each of them alone, and the other way round."""
    if span is None and keep is None:
        with pytest.raises(InvalidInputError, match="must be given"):
            Retention()
        return
    limits = [Retention(older_than=span)] if span is not None else []
    limits += [Retention(keep=keep)] if keep is not None else []
    both = Retention(older_than=span, keep=keep).spares(at, rank, NOW)
    assert (both is None) == all(one.spares(at, rank, NOW) is None for one in limits)


@given(st.lists(AGES, max_size=8))
def test_the_newest_are_kept(ages: list[datetime]) -> None:
    """Ranks are 1 to n, and no thing is ranked before a newer one."""
    items = [item(at, number) for number, at in enumerate(ages)]
    ranks = ranked(items)
    assert sorted(ranks) == list(range(1, len(items) + 1))
    in_order = [it for _, it in sorted(zip(ranks, items, strict=True), key=lambda pair: pair[0])]
    assert in_order == sorted(items, key=lambda it: (it.at, it.version or 0), reverse=True)


@pytest.mark.parametrize("wrong", [{"keep": -1}, {"older_than": timedelta(days=-1)}])
def test_refuses_what_is_no_limit(wrong: dict[str, object]) -> None:
    """A negative limit is refused."""
    with pytest.raises(InvalidInputError, match="must"):
        Retention(**wrong)  # type: ignore[arg-type] # wrong on purpose
