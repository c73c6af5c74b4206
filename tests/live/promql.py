"""What a PromQL expression asks for, as far as tests need it: its metrics, and the labels it uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<number>\d+\.?\d*[a-z]*)|(?P<sign>[^\s\w])"""
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}


@dataclass(frozen=True)
class Asked:
    """What an expression asks for.

    Attributes:
        metrics: Each metric, with the labels that it is selected by.
        grouped: Labels that the expression groups or matches by.
    """

    metrics: tuple[tuple[str, frozenset[str]], ...]
    grouped: frozenset[str]


def asked(expression: str) -> Asked:
    """Read an expression."""
    tokens = [(match.lastgroup, match[0]) for match in _TOKEN.finditer(expression)]
    metrics: list[tuple[str, frozenset[str]]] = []
    grouped: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, token = tokens[at]
        follows = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if kind == "name" and token in _GROUPING and follows == "(":
            names, at = _until(tokens, at + 2, ")")
            grouped |= names
        elif kind == "name" and follows == "{":
            names, at = _until(tokens, at + 2, "}")
            metrics.append((token, frozenset(names)))
        elif kind == "name" and token.startswith("abtest_"):
            metrics.append((token, frozenset()))
        at += 1
    return Asked(metrics=tuple(metrics), grouped=frozenset(grouped))


def _until(tokens: list[tuple[str | None, str]], start: int, end: str) -> tuple[set[str], int]:
    at, names = start, set()
    while tokens[at][1] != end:
        if tokens[at][0] == "name":
            names.add(tokens[at][1])
        at += 1
    return names, at
