"""How often each value of a column of text or booleans occurs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import Any

from abtest.stats.sketches.spelled import expect_names, read_count

VALUES = 1000  # told apart, at most
LONGEST = 100  # characters of a value: a longer one is known by its begin and its hash
_KEPT = 80  # of a longer one's characters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """How often each value of a column of text or booleans occurs; merging is ``+``.

    Of more than ``VALUES`` distinct ones, those of the smallest hashes are told apart, and the others are counted
    together: a fixed random choice, the same in every sketch. So a value that a sum tells apart was told apart in
    every part that has it.

    Attributes:
        counts: How many rows have each value that is told apart, in the order of the values. One of more than
            ``LONGEST`` characters is known by its begin and its hash.
        rest: Rows with others.
        missing: Rows without a value.

    Example:
        >>> sketch = Values.of({"red": 3, "blue": 1}, missing=2) + Values.of({"red": 1})
        >>> dict(sketch.counts), sketch.n, sketch.missing
        ({'blue': 1, 'red': 4}, 5, 2)
    """

    counts: Mapping[str, int]
    rest: int = 0
    missing: int = 0

    @classmethod
    def of(cls, values: Mapping[str, int], *, missing: int = 0) -> Values:
        """Sketch values, given how often each occurs."""
        counts: dict[str, int] = {}
        for value, count in values.items():
            name = value if len(value) <= LONGEST else f"{value[:_KEPT]}…{_hash(value).hex()}"
            counts[name] = counts.get(name, 0) + count
        return _told_apart(counts, rest=0, missing=missing)

    @property
    def n(self) -> int:
        """Rows with a value."""
        return sum(self.counts.values()) + self.rest

    @property
    def rows(self) -> int:
        """All rows."""
        return self.n + self.missing

    def __add__(self, other: Values) -> Values:
        if not isinstance(other, Values):
            return NotImplemented
        counts = dict(self.counts)
        for value, count in other.counts.items():
            counts[value] = counts.get(value, 0) + count
        return _told_apart(counts, rest=self.rest + other.rest, missing=self.missing + other.missing)

    def to_dict(self) -> dict[str, Any]:
        """Spell the sketch as plain data, small."""
        return {"kind": "values", "counts": dict(self.counts), "rest": self.rest, "missing": self.missing}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Values:
        """Read what ``to_dict`` wrote.

        Raises:
            Exception: It is not that; ``sketches.from_dict`` says so in a sentence.
        """
        expect_names(data, {"kind", "counts", "rest", "missing"})
        counts = {value: read_count(count) for value, count in data["counts"].items()}
        rest = read_count(data["rest"])
        if not all(isinstance(value, str) for value in counts) or len(counts) > VALUES or 0 in counts.values():
            raise ValueError("values must be text, at most 1000 of them, and none without rows")
        if rest and len(counts) < VALUES:
            raise ValueError("values are counted together only where 1000 are told apart")
        return cls(
            counts={value: counts[value] for value in sorted(counts)}, rest=rest, missing=read_count(data["missing"])
        )


def _hash(value: str) -> bytes:
    return blake2b(value.encode(errors="surrogatepass"), digest_size=8).digest()


def _told_apart(counts: Mapping[str, int], *, rest: int, missing: int) -> Values:
    kept = counts if len(counts) <= VALUES else nsmallest(VALUES, counts, key=lambda value: (_hash(value), value))
    chosen = {value: counts[value] for value in sorted(kept)}
    return Values(counts=chosen, rest=rest + sum(counts.values()) - sum(chosen.values()), missing=missing)
