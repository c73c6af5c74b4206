"""Which metrics, parameters and tags a table of runs shows: those that were asked for, else those that vary. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from abtest.errors import InvalidInputError, near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.books.runs import LoggedRun

Source: TypeAlias = Literal["metrics", "params", "tags"]
_SOURCES: tuple[Source, ...] = get_args(Source)
_MOST = 4  # of each that a table shows unasked


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a column shows.

    Attributes:
        source: Where it comes from.
        name: The metric's, parameter's or tag's.
    """

    source: Source
    name: str

    def __str__(self) -> str:
        return f"{self.source}.{self.name}"

    def of(self, run: LoggedRun) -> float | str | None:
        """Its value in a run; None where it was not logged."""
        values: Mapping[str, float | str] = getattr(run, self.source)
        return values.get(self.name)


def asked_for(columns: Sequence[str]) -> tuple[Column, ...]:
    """Read columns as they are typed.

    Raises:
        InvalidInputError: One is of no known source.

    Example:
        >>> [str(it) for it in asked_for(["metrics.accuracy", "params.C"])]
        ['metrics.accuracy', 'params.C']
    """
    found = []
    for column in columns:
        source, dot, name = column.partition(".")
        if source not in _SOURCES or not dot or not name:
            hint = near(source, _SOURCES) if dot else "write metrics.accuracy, params.C or tags.team."
            raise InvalidInputError(f"columns must be metrics.…, params.… or tags.…, got {column!r}.", hint=hint)
        found.append(Column(source=source, name=name))
    return tuple(dict.fromkeys(found))


def varying(runs: Sequence[LoggedRun]) -> tuple[Column, ...]:
    """The metrics and parameters of several runs that are not the same in all, those that most have first."""
    chosen: list[Column] = []
    for source in ("metrics", "params"):
        counts = Counter(name for run in runs for name in getattr(run, source))
        shared = [name for name, count in counts.items() if count > 1 or len(runs) == 1]
        columns = [Column(source=source, name=name) for name in sorted(shared, key=lambda name: (-counts[name], name))]
        # As text, since NaN is no number and unlike itself.
        differing = (it for it in columns if len(runs) == 1 or len({str(it.of(run)) for run in runs}) > 1)
        chosen += [it for it, _ in zip(differing, range(_MOST), strict=False)]
    return tuple(chosen)
