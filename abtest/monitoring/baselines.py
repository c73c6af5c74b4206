"""What a window is held against, as a small file, made of rows such as a model's test data."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.errors import InvalidInputError, NotFoundError, near
from abtest.loaders.datasets import BATCH_ROWS, open_data
from abtest.monitoring.columns import Given, columns_of
from abtest.monitoring.known import Known
from abtest.monitoring.reading import Reading, tallied
from abtest.monitoring.tallying import Tallying
from abtest.reporter.files import write_whole
from abtest.stats import sketches
from abtest.windows import HOUR, Bucket, Sketched, Tallied, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.labels import LabelType, Task
    from abtest.loaders.models import Model

KIND, VERSION = "abtest baseline", 1
_HINT = "'abtest monitor baseline' makes one."
_FIELDS = {"kind", "version", "name", "created_at", "start", "end", "buckets", "sketches"}


def from_data(
    data: str | Path | pd.DataFrame,
    *,
    model: Model | None = None,
    version: int | None = None,
    prediction: str | None = None,
    target: str | None = None,
    time_column: str | None = None,
    segments: Sequence[str] = (),
    features: Sequence[str] | None = None,
    task: Task | None = None,
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Window:
    """Make a window of a file as ``track`` does, without a store.

    Args:
        data: As of ``track``, like all that follow.
        model: Scores the rows.
        version: The version that predicted.
        prediction: The column that has predictions already.
        target: The column that has the truth.
        time_column: When each row was predicted; without one the window has no time, and its rows are one period.
        segments: Columns whose values tell segments apart.
        features: Columns that are sketched.
        task: "classification" or "regression".
        label_type: Cast all labels to this type.
        batch_rows: Rows in memory at a time.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        InvalidInputError: A column, a value, a time or a label is not as it must be.
        NotFoundError: There is no such file.
    """
    given = Given(
        model=model, prediction=prediction, target=target, time_column=time_column, segments=segments,
        features=features, task=task, label_type=label_type,
    )  # fmt: skip
    columns = columns_of(open_data(data, "input"), given, Known())
    reading = Reading(columns, at=None, now=time.time(), batch_rows=batch_rows)
    tallying = Tallying(columns.task, reading.apart.groups, columns.features)
    total = columns.data.row_count() if progress else None
    for rows in reading:
        tallied(tallying, rows, version)
        if progress:
            progress("Reading", int(rows.numbers[-1]), total)
    found = tallying.found(label_type=columns.label_type, truth_is_text=columns.truth_is_text)
    hours = [bucket.start for bucket in found.buckets if bucket.start is not None]
    end = max(hours) + timedelta(seconds=HOUR) if hours else None
    return Window(start=min(hours, default=None), end=end, buckets=found.buckets, sketches=found.sketches)


def write(window: Window, path: Path, *, name: str, force: bool = False) -> None:
    """Write a baseline to a file, whole or not at all.

    Args:
        window: What it holds.
        path: Where it goes.
        name: For people.
        force: Replace a file that is there.

    Raises:
        InvalidInputError: The window holds nothing, or a file is there, or it cannot be written.
    """
    if not window.buckets:
        raise InvalidInputError("A baseline must hold predictions, got none.")
    if not force and path.exists():
        raise InvalidInputError(f"{path} is there already.", hint="--force replaces it.")
    text = json.dumps(
        {
            "kind": KIND,
            "version": VERSION,
            "name": name,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "start": _spelled(window.start),
            "end": _spelled(window.end),
            "buckets": [
                {"start": _spelled(it.start), "version": it.version, "tallied": it.tallied.to_dict()}
                for it in window.buckets
            ],
            "sketches": [
                {
                    "day": _spelled(it.day),
                    "version": it.version,
                    "features": {name: sketch.to_dict() for name, sketch in it.features.items()},
                }
                for it in window.sketches
            ],
        },
        allow_nan=False,
        separators=(",", ":"),
    )
    write_whole(path, text + "\n")


def read(path: Path) -> Window:
    """Read a baseline that ``write`` wrote.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is none; the hint says how one is made.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFoundError(f"Baseline {path} does not exist.", hint=near(path.name, beside) or _HINT) from None
    except (OSError, ValueError) as error:
        raise _wrong(path, wording.first_line(error)) from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise _wrong(path, "its kind is another")
    if data.get("version") != VERSION:
        raise _wrong(path, f"its version is {data.get('version')!r}, and {VERSION} is the one that is known")
    if data.keys() != _FIELDS:
        raise _wrong(path, f"it must hold {', '.join(sorted(_FIELDS))}")
    try:
        return Window(
            start=_moment(data["start"]),
            end=_moment(data["end"]),
            buckets=tuple(
                Bucket(
                    start=_moment(it["start"]),
                    version=_version(it["version"]),
                    tallied=Tallied.from_dict(it["tallied"]),
                )
                for it in data["buckets"]
            ),
            sketches=tuple(
                Sketched(
                    day=_moment(it["day"]),
                    version=_version(it["version"]),
                    features={str(name): sketches.from_dict(own) for name, own in it["features"].items()},
                )
                for it in data["sketches"]
            ),
        )
    except InvalidInputError as error:
        raise _wrong(path, error.message) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _wrong(path, "its hours and days are not as they must be") from error


def _spelled(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: Any) -> datetime | None:  # noqa: ANN401 - whatever a file holds
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(UTC)


def _version(number: Any) -> int | None:  # noqa: ANN401 - whatever a file holds
    if number is not None and type(number) is not int:
        raise ValueError(number)
    return number


def _wrong(path: Path, why: str) -> InvalidInputError:
    return InvalidInputError(f"{path} is no baseline: {why.rstrip('.')}.", hint=_HINT)
