"""Where things go in a figure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.reporter.layout import apart

places = st.lists(st.floats(0, 300), min_size=1, max_size=8)


@given(places)
def test_labels_are_apart_and_in_order(found: list[float]) -> None:
    """Labels that have room keep it, stay within the ends, and are in the order of what they name."""
    moved = apart(found, 17, 0, 300)
    assert all(-1e-9 <= place <= 300 + 1e-9 for place in moved)
    order = sorted(range(len(found)), key=lambda i: (found[i], moved[i]))
    ranked = [moved[i] for i in order]
    assert all(below - above >= 17 - 1e-9 for above, below in pairwise(ranked))


@given(places)
def test_labels_with_room_stay_where_they_are(found: list[float]) -> None:
    """What is apart already is not moved."""
    once = apart(found, 17, 0, 300)
    assert apart(once, 17, 0, 300) == pytest.approx(once)
