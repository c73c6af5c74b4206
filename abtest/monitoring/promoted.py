"""The baseline that a version was promoted under: the rows of that comparison, found by the trail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.errors import NotFoundError
from abtest.lifecycle import reading
from abtest.record import ComparisonRecord
from abtest.windows import Bucket, Tallied, Window, sketched

if TYPE_CHECKING:
    from abtest.labels import Label, Side
    from abtest.registry import RegistryClient


def of_promotion(registry: RegistryClient, model_name: str, version: int) -> tuple[Window, str]:
    """The rows of the comparison under which a version was promoted, and the run that holds it.

    Raises:
        NotFoundError: No promotion on record names a comparison, or its run holds none.
    """
    entry = next(
        (
            it
            for it in reversed(reading.history(registry, model_name).entries)
            if it.movement is not None
            and it.movement.version == version
            and it.movement.evidence.get("abtest.comparison_run_id")
        ),
        None,
    )
    if entry is None or entry.movement is None:
        raise NotFoundError(
            f"No promotion of version {version} of '{model_name}' was made under a comparison.",
            hint="'abtest monitor baseline' makes a baseline of a file.",
        )
    run_id = entry.movement.evidence["abtest.comparison_run_id"]
    record = ComparisonRecord.from_dict(json.loads(tracking.read_artifact(registry.client, run_id, "comparison.json")))
    side: Side = "challenger" if record.challenger.version == version else "champion"
    return Window(start=None, end=None, buckets=(_of_side(record, side, version, run_id),)), run_id


def _of_side(record: ComparisonRecord, side: Side, version: int, run_id: str) -> Bucket:
    """One side's rows of a comparison, as if it had been both."""
    if record.outcomes is not None:
        table = record.outcomes.alone(side)
        said: dict[Label, int] = {}
        for (_, label, _), count in table.to_counts().items():
            said[label] = said.get(label, 0) + count
        tallied = Tallied(n=table.n, predictions=sketched(said, "classification"), outcomes=table)
    elif record.errors is not None:
        tallied = Tallied(n=record.errors.sums.n, errors=record.errors.sums.alone(side))
    else:
        raise NotFoundError(f"The comparison of run {run_id} keeps no outcomes of its rows.")
    return Bucket(start=None, version=version, tallied=tallied)
