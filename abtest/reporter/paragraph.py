"""What a report's explanations are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One part of the method: what was done, why, and after whom."""

    term: str
    text: str
    references: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One entry of the provenance; ``code`` is to be copied rather than read."""

    term: str
    text: str
    code: bool = False
