"""What went wrong with lines of a stream, kept in the memory of a few: how many of each kind, and the first."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Lines that one thing is wrong with.

    Attributes:
        kind: What is wrong, in two words.
        n: How many there are.
        line: The first one's number.
        why: What was said of that.
    """

    kind: str
    n: int
    line: int
    why: str


class Faults:
    """Counts them.

    Example:
        >>> faults = Faults()
        >>> faults.add("empty", 7, "The line is empty.")
        >>> faults.add("empty", 9, "The line is empty.")
        >>> faults.found()
        (Fault(kind='empty', n=2, line=7, why='The line is empty.'),)
    """

    def __init__(self) -> None:
        self._found: dict[str, Fault] = {}

    def add(self, kind: str, line: int, why: str, *, n: int = 1) -> None:
        """Count ``n`` lines, of which ``line`` is the first."""
        known = self._found.get(kind)
        self._found[kind] = replace(known, n=known.n + n) if known else Fault(kind=kind, n=n, line=line, why=why)

    def found(self) -> tuple[Fault, ...]:
        """Give each kind, in the order of their first lines."""
        return tuple(sorted(self._found.values(), key=lambda fault: fault.line))
