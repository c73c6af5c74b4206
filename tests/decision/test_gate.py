"""What passes a gate: PROMOTE, what is accepted, and never KEEP_CHAMPION."""

from __future__ import annotations

import itertools

import pytest

from abtest.decision import ACCEPTABLE, Verdict, accepted, passes
from abtest.errors import InvalidInputError


def test_only_promote_and_what_is_accepted_pass() -> None:
    """Accepting more never closes a gate, and nothing opens it to KEEP_CHAMPION."""
    for size in range(len(ACCEPTABLE) + 1):
        for names in itertools.combinations(ACCEPTABLE, size):
            for verdict in Verdict:
                expected = verdict is Verdict.PROMOTE or verdict.lower().replace("_", "-") in names
                assert passes(verdict, accepted(names)) == expected
            assert not passes(Verdict.KEEP_CHAMPION, names)


def test_spelling_does_not_matter_and_meaning_does() -> None:
    """A verdict may be written as it is printed, or with commas; one that cannot be accepted is an error."""
    assert accepted("Conditional, INSUFFICIENT_EVIDENCE") == ACCEPTABLE
    assert accepted([Verdict.CONDITIONAL]) == ("conditional",)
    for name in ("keep_champion", "promote", "everything", ""):
        with pytest.raises(InvalidInputError, match="accept must be among conditional, insufficient-evidence, got"):
            accepted([name])
    with pytest.raises(InvalidInputError, match="did you mean 'conditional'"):
        accepted(["conditonal"])
