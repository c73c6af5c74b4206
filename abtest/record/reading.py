"""A record that was written, of whichever kind, read again; also one that an earlier abtest wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest.errors import InvalidInputError
from abtest.record.monitored import MonitoringRecord
from abtest.record.several import ComparisonsRecord
from abtest.record.spelled import SCHEMA_VERSION
from abtest.record.trained import TrainingRecord
from abtest.record.whole import ComparisonRecord

if TYPE_CHECKING:
    from pathlib import Path

AnyRecord: TypeAlias = ComparisonRecord | ComparisonsRecord | MonitoringRecord | TrainingRecord

FILES: Mapping[type[Any], str] = {
    ComparisonRecord: "comparison.json",
    ComparisonsRecord: "comparison.json",
    MonitoringRecord: "monitoring.json",
    TrainingRecord: "training.json",
}
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}")
# What comparisons of schema 1.0 did not have from the first: nothing was known of it.
_CAME_LATER = ("power", "bayes", "growth", "confirmation", "differences", "scores", "errors", "live")


def read_file(path: Path) -> AnyRecord:
    """Read a file that holds a record.

    Raises:
        InvalidInputError: It cannot be read, or what it holds cannot, as ``read`` says.
    """
    try:
        if not path.is_file():  # to open a pipe would be to wait for its writer
            raise InvalidInputError("There is no such file.")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInputError(f"It cannot be read: {error.strerror}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:  # or nested without end
        raise InvalidInputError("It holds no JSON, or not all of it.") from error
    return read(data)


def read(data: object) -> AnyRecord:
    """Read what ``to_dict`` of a record wrote, in this abtest or an earlier one.

    Raises:
        InvalidInputError: It is no record, or one of a version that this abtest does not read.
    """
    if not isinstance(data, Mapping) or not {"schema_version", "created_at"} <= data.keys():
        raise InvalidInputError("It is no record of abtest's.")
    _check_version(data["schema_version"])
    if data.get("kind") == "monitoring":
        return MonitoringRecord.from_dict(data)
    if data.get("kind") == "training":
        return TrainingRecord.from_dict(data)
    if isinstance(data.get("comparisons"), list):
        return ComparisonsRecord.from_dict({**data, "comparisons": [completed(one) for one in data["comparisons"]]})
    return ComparisonRecord.from_dict(completed(data))


def completed(data: Any) -> Any:  # noqa: ANN401 - whatever a file holds; it is looked at afterwards
    """Fill in what a comparison of schema 1.0 lacks that was written before there was such a thing.

    Every comparison was of classes then, no guardrail could change what the rule said, and the rows of its confusion
    matrices were those of its table.
    """
    if not isinstance(data, Mapping):
        return data
    found = {"task": "classification", **dict.fromkeys(_CAME_LATER), **data}
    confusion, outcomes, decision = (data.get(name) for name in ("confusion", "outcomes", "decision"))
    if isinstance(confusion, Mapping) and isinstance(outcomes, Mapping):
        found["confusion"] = {"labels": outcomes.get("labels"), **confusion}
    if isinstance(decision, Mapping):
        found["decision"] = {"by_rule": decision.get("verdict"), **decision}
    return found


def _check_version(found: object) -> None:
    if found == SCHEMA_VERSION:
        return
    if not isinstance(found, str) or not _VERSION.fullmatch(found):
        raise InvalidInputError(f"It is no record of abtest's: its schema_version is {found!r:.40}.")
    told, known = ([int(it) for it in version.split(".")] for version in (found, SCHEMA_VERSION))
    reads = f"this abtest reads {SCHEMA_VERSION}"
    if told > known:
        raise InvalidInputError(f"Schema {found} was written by a newer abtest; {reads}.", hint="update abtest.")
    raise InvalidInputError(
        f"Schema {found} was written by an older abtest; {reads}.", hint="make the report again from models and data."
    )
