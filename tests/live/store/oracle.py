"""What an analysis should read, counted by hand from everything that was written, in the order it was."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest.live.experiment import Experiment
from abtest.live.log import Logged

if TYPE_CHECKING:
    from collections.abc import Iterable


Id: TypeAlias = tuple[str, int]
Known: TypeAlias = tuple[float, Id, Any]  # when a prediction became known, which one, and what is counted of it


@dataclass
class Oracle:
    """Everything that was written.

    Attributes:
        rows: By server, sequence and arm.
        units: The first prediction of each unit, with its arm.
        labels: Of each prediction, in the order they were received, with when.
    """

    experiment: Experiment
    rows: dict[tuple[str, int, str], Logged] = field(default_factory=dict)
    units: dict[str, Logged] = field(default_factory=dict)
    labels: dict[Id, list[tuple[float, str]]] = field(default_factory=dict)

    def write(self, rows: Iterable[Logged]) -> None:
        """Take rows in."""
        for row in rows:
            self.rows.setdefault((row.server, row.sequence, row.arm), row)
            if row.experiment == self.experiment.name:
                self.units.setdefault(row.unit or row.prediction_id, row)

    def label(self, one: Id, truth: Any, received_at: float) -> None:
        """Take a label in, unless it was said before."""
        said = self.labels.setdefault(one, [])
        if json.dumps(truth) not in [text for _, text in said]:
            said.append((received_at, json.dumps(truth)))

    def pairs(self, until: float, buckets: int, most: int | None) -> Counter[Any]:
        """Pairs by bucket, label, champion and challenger, as JSON."""
        known = [
            (known_at, one, (label, _text(champion), _text(challenger)))
            for known_at, one, label, champion in self._known("champion", until)
            if (challenger := self.rows.get((*one, "challenger"))) is not None and _is_scored(challenger)
        ]
        return self._counted(known, until, buckets, most)

    def arms(self, until: float, buckets: int, most: int | None) -> Counter[Any]:
        """Units of a split by bucket, label, arm and prediction."""
        known = [
            (known_at, one, (label, row.arm, _text(row))) for known_at, one, label, row in self._known(None, until)
        ]
        return self._counted(known, until, buckets, most)

    def drops(self, until: float) -> Counter[Any]:
        """Units by whether there is no pair, label and champion."""
        found: Counter[Any] = Counter()
        for _, one, label, champion in self._known("champion", until):
            challenger = self.rows.get((*one, "challenger"))
            found[challenger is None or not _is_scored(challenger), label, _text(champion)] += 1
        return found

    def tries(self, until: float, arm: str) -> dict[str, int | float]:
        """First answers of units by an arm: rows of one server and moment are one."""
        together: dict[tuple[str, float], list[Logged]] = {}
        for first in self.units.values():
            row = self.rows.get((first.server, first.sequence, arm))
            if row is not None and row.at <= until and (arm == "champion" or _is_scored(row)):
                together.setdefault((row.server, row.at), []).append(row)
        times = [sum(row.seconds for row in rows) / len(rows) for rows in together.values()]
        failed = sum(any(row.error is not None for row in rows) for rows in together.values())
        return {"n": len(times), "failed": failed, "seconds": sum(times), "squares": sum(time * time for time in times)}

    def traffic(self, until: float, arm: str) -> dict[str, int | float]:
        """Every count of an arm's traffic, by its name."""
        is_shadow = self.experiment.mode == "shadow"
        of_arm = [row for row in self._rows(until) if row.arm == arm]
        never = [row for row in of_arm if is_shadow and arm == "challenger" and not _is_scored(row)]
        turns = [row for row in of_arm if row not in never]
        alone = [row for row in self._rows(until)
                 if row.arm == "champion" and (row.server, row.sequence, "challenger") not in self.rows]  # fmt: skip
        exposed = [row for row in self.units.values() if row.at <= until and (is_shadow or row.arm == arm)]
        mature = [
            one for first in self.units.values() if (one := self.rows.get((first.server, first.sequence, arm)))
            and one.at + self.experiment.horizon <= until
            and (is_shadow or first.arm == arm) and (_is_scored(one) or not is_shadow or arm == "champion")
        ]  # fmt: skip
        said = [[text for at, text in self.labels.get((one.server, one.sequence), []) if at <= until] for one in mature]
        return {
            "exposed": len(exposed),
            "predictions": len(turns),
            "failed": sum(row.error is not None for row in turns),
            "dropped": len(never) + len(alone) if is_shadow and arm == "challenger" else 0,
            "mature": len(mature),
            "labelled": sum(bool(texts) for texts in said),
            "corrected": sum(len(set(texts)) > 1 for texts in said),
            "seconds": sum(row.seconds for row in turns),
            "squares": sum(row.seconds**2 for row in turns),
        }

    def _rows(self, until: float) -> list[Logged]:
        return [row for row in self.rows.values() if row.experiment == self.experiment.name and row.at <= until]

    def _known(self, arm: str | None, until: float) -> Iterable[tuple[float, Id, str, Logged]]:
        """First predictions that are mature and labelled, with the label that counts and since when that is known."""
        for first in self.units.values():
            one = (first.server, first.sequence)
            row = self.rows.get((*one, arm or first.arm))
            if row is None:
                continue
            matured = row.at + self.experiment.horizon
            said = self.labels.get(one, [])
            in_time = [(at, text) for at, text in said if at < matured]
            known_at, label = in_time[-1] if in_time else said[0] if said else (float("inf"), "")
            known_at = max(known_at, matured)
            if known_at <= until:
                yield known_at, one, label, row

    def _counted(self, known: list[Known], until: float, buckets: int, most: int | None) -> Counter[Any]:
        start = min([until, *(row.at for row in self.units.values())])
        width = (until - start) / buckets or 1.0
        return Counter(
            (min(buckets - 1, int((known_at - start) / width)), *what) for known_at, _, what in sorted(known)[:most]
        )


def _is_scored(row: Logged) -> bool:
    return row.error != "dropped"


def _text(row: Logged) -> str:
    return json.dumps(row.prediction)
