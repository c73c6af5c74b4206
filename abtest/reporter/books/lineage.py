"""A lineage in words: sections of terms and texts, which the terminal and the page share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter.summary import cleaned

if TYPE_CHECKING:
    from datetime import datetime

    from abtest.record.traced import (
        LineageRecord,
        Served,
        TracedComparison,
        TracedData,
        TracedMove,
        TracedRun,
    )

UNKNOWN = "unknown"
RUN = 12  # letters of a run's id that tell it from others
MOST_PARAMS = 12
_VERDICTS = {"PROMOTE": "promote", "CONDITIONAL": "conditional", "KEEP_CHAMPION": "keep champion",
             "INSUFFICIENT_EVIDENCE": "insufficient evidence"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A term and what is said of it."""

    term: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Lines under a title; ``empty`` is what is said where there is none."""

    name: str
    title: str
    lines: tuple[Line, ...]
    empty: str = ""


def sections(record: LineageRecord) -> tuple[Section, ...]:
    """Tell a lineage, what a version comes from first."""
    none = "none on record"
    comparisons, moves = tuple(map(compared, record.comparisons)), tuple(map(_moved, record.moves))
    served, never = tuple(map(_served, record.served)), "never, as far as is on record"
    return (
        Section(name="data", title="Data", lines=_data(record), empty=UNKNOWN),
        Section(name="code", title="Code", lines=_code(record)),
        Section(name="environment", title="Environment", lines=_environment(record), empty=UNKNOWN),
        Section(name="run", title="Run", lines=_runs(record), empty=UNKNOWN),
        Section(name="version", title="Version", lines=_version(record)),
        Section(name="comparisons", title="Comparisons", lines=comparisons, empty=none),
        Section(name="moves", title="Moves", lines=moves, empty=none),
        Section(name="production", title="In production", lines=served, empty=never),
        *_after(record),
    )


def standing(record: LineageRecord) -> str:
    """Say where a version stands: its stage and its aliases."""
    told = [record.stage] if record.stage else []
    told += [f"@{alias}" for alias in record.aliases]
    return cleaned(", ".join(told)) or "in no stage"


def headline(record: LineageRecord) -> str:
    """Say in a sentence what became of a version."""
    known = wording.plural(len(record.comparisons), "comparison")
    moved = wording.plural(len(record.moves), "move")
    if any(it.now for it in record.served):
        since = next(it.since for it in record.served if it.now)
        where = f"is in production{f' since {time(since)}' if since else ''}"
    elif record.served:
        where = f"was in production until {time(record.served[-1].until)}"
    else:
        where = "was never in production, as far as is on record"
    return cleaned(f"Version {record.version} of {record.model_name} {where}; {known} and {moved} are on record.")


def missing(record: LineageRecord) -> str:
    """Say what is not on record."""
    return cleaned(f"Not on record: {', '.join(record.unknown)}.") if record.unknown else "Nothing is missing."


def time(moment: datetime | None) -> str:
    """Write a time in UTC, to the second: moves may follow each other closely."""
    return UNKNOWN if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def verdict(told: str | None) -> str:
    """Write a verdict as a word."""
    return _VERDICTS.get(told or "", told or UNKNOWN)


def compared(it: TracedComparison) -> Line:
    """Tell a comparison."""
    against = f"version {it.other}" if it.other.isdecimal() else it.other
    live = f", live experiment {it.experiment}" if it.experiment else ""
    by = f", by {it.user}" if it.user else ""
    sides = f"{it.side} against {against}{live}{by}"
    told = f"{verdict(it.verdict)}: {sides} (run {_run(it.run_id, deleted=it.deleted)})"
    return Line(term=time(it.at), text=cleaned(told))


def _data(record: LineageRecord) -> tuple[Line, ...]:
    lines = [line for it in record.data for line in _rows(it)]
    if record.holdout_digest:
        lines.append(Line(term="hold-out digest", text=cleaned(record.holdout_digest)))
    return tuple(lines)


def _rows(it: TracedData) -> list[Line]:
    about = f"{it.name}" + (f" ({it.context})" if it.context else "")
    of = "of every row" if it.whole else "as it was logged: MLflow's own is of the first 10,000 rows"
    return [
        Line(term="name", text=cleaned(about)),
        Line(term="path", text=cleaned(it.path or UNKNOWN)),
        Line(term="digest", text=cleaned(f"{it.digest} ({of})") if it.digest else UNKNOWN),
    ]


def _code(record: LineageRecord) -> tuple[Line, ...]:
    it = record.code
    lines = [Line(term="git commit", text=cleaned(it.git_commit or UNKNOWN))]
    lines.append(Line(term="source", text=cleaned(it.source or UNKNOWN)))
    if it.recipe_digest:
        lines.append(Line(term="recipe digest", text=cleaned(it.recipe_digest)))
    return tuple(lines)


def _environment(record: LineageRecord) -> tuple[Line, ...]:
    it = record.environment
    if it is None:
        return ()
    kind = "installed" if it.whole else "asked for"
    names = ", ".join(f"{name}{asked}" for name, asked in sorted(it.required.items()))
    return (
        Line(term="Python", text=cleaned(it.python or UNKNOWN)),
        Line(term="libraries", text=f"{wording.whole(len(it.libraries))} {kind}"),
        Line(term="required", text=cleaned(names) or UNKNOWN),
        Line(term="from", text=cleaned(it.source)),
    )


def _runs(record: LineageRecord) -> tuple[Line, ...]:
    if record.run is None:
        return ()
    lines = [Line(term="run", text=_told(record.run))]
    if record.parent is not None:
        lines.append(Line(term="within", text=_told(record.parent)))
    for term, values in (("parameters", record.params), ("metrics", _written(record))):
        named = [f"{name}={wording.redacted(str(value))}" for name, value in sorted(values.items())]
        more = f", and {len(named) - MOST_PARAMS} more" if named[MOST_PARAMS:] else ""
        lines.append(Line(term=term, text=cleaned(", ".join(named[:MOST_PARAMS]) + more) or "none"))
    return tuple(lines)


def _written(record: LineageRecord) -> dict[str, str]:
    return {name: wording.MISSING if value is None else f"{value:.4g}" for name, value in record.metrics.items()}


def _told(it: TracedRun) -> str:
    what = " ".join(part for part in (it.kind, it.name, it.run_id) if part) + (", deleted" if it.deleted else "")
    by = f" by {it.user}" if it.user else ""
    found = f": {it.told}" if it.told else ""
    return cleaned(f"{what}, {it.status.lower()}{by}, {time(it.started_at)}, in {it.experiment or UNKNOWN}{found}")


def _version(record: LineageRecord) -> tuple[Line, ...]:
    return (
        Line(term="stands", text=standing(record)),
        Line(term="registered", text=cleaned(f"{time(record.registered_at)} by {record.registered_by or UNKNOWN}")),
        Line(term="files", text=cleaned(record.source or UNKNOWN)),
        *((Line(term="description", text=cleaned(record.description)),) if record.description else ()),
    )


def _moved(it: TracedMove) -> Line:
    approved = f", approved by {it.approved_by}" if it.approved_by else ""
    outcome = "" if it.outcome == "done" else f" ({it.outcome})"
    steps = f" [{'; '.join(it.steps)}]" if it.steps else ""
    rests = f" (comparison {it.comparison_run_id[:RUN]})" if it.comparison_run_id else ""
    return Line(term=time(it.at), text=cleaned(f"{it.what}{outcome} by {it.by}{approved}: {it.why}{rests}{steps}"))


def _served(it: Served) -> Line:
    until = "and still is" if it.now else f"until {time(it.until)}"
    return Line(term=f"since {time(it.since)}", text=until)


def _after(record: LineageRecord) -> list[Section]:
    found = []
    for name, title, runs in (
        ("monitoring", "Monitoring", record.monitoring),
        ("retraining", "Retraining", record.retraining),
    ):
        if runs:
            lines = tuple(Line(term=time(it.started_at), text=_told(it)) for it in runs)
            found.append(Section(name=name, title=title, lines=lines))
    return found


def _run(run_id: str, *, deleted: bool) -> str:
    return run_id[:RUN] + (", deleted" if deleted else "")
