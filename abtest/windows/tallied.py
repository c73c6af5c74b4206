"""What is known of some predictions of one model, as counts and sums that add up."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest.counting import merged
from abtest.errors import InvalidInputError
from abtest.labels import NO_PREDICTION, Label, Task, kind_of, label_order
from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes
from abtest.stats import sketches
from abtest.stats.moments import Moments
from abtest.stats.sketches import Numbers, Sketch, Values
from abtest.windows import adding, spelled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tallied:
    """What is known of some predictions of one model; merging is ``+``.

    Attributes:
        n: Predictions, failed ones too.
        failed: Of them, those that failed.
        predictions: What was predicted, labelled or not: of a classification by value, of a regression as numbers; None
            where nothing was.
        outcomes: Labelled rows of a classification: the table in which both sides are the model. Its segments are those
            that were told apart when the rows were tracked; added up, a segment has the rows that were told apart by
            it.
        errors: Labelled rows of a regression: its sums, in which both sides are the model.
        error_segments: The same of each segment, by (name, value).
        unpredicted: Labelled rows whose prediction failed, by their truth: of a classification they count as wrong.
        corrected: Labels that came again and said otherwise: the first counts.
        lag: Seconds from a prediction to its label, where both moments are known.
    """

    n: int = 0
    failed: int = 0
    predictions: Sketch | None = None
    outcomes: PairedOutcomes | None = None
    errors: RegressionOutcomes | None = None
    error_segments: Mapping[tuple[str, str], RegressionOutcomes] = field(default_factory=dict)
    unpredicted: Mapping[Label, int] = field(default_factory=dict)
    corrected: int = 0
    lag: Moments | None = None

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        told = sum(part.n for part in (self.outcomes, self.errors) if part is not None)
        return told + sum(self.unpredicted.values())

    @property
    def task(self) -> Task | None:
        """What labelled rows are of; None where there are none."""
        if self.errors is not None and self.errors.n:
            return "regression"
        if self.outcomes is not None and self.outcomes.n:
            return "classification"
        if not self.unpredicted:
            return None
        if self.predictions is not None and self.predictions.n:
            return "regression" if isinstance(self.predictions, Numbers) else "classification"
        return "regression" if kind_of([*self.unpredicted]) == "float" else "classification"

    def table(self) -> PairedOutcomes:
        """Labelled rows of a classification, with those whose prediction failed as ``NO_PREDICTION``, never right.

        Where there are such rows all labels are text.
        """
        whole = PairedOutcomes.from_counts({}) if self.outcomes is None else self.outcomes
        if not self.unpredicted:
            return whole
        counts = _as_text(whole)
        for label, count in self.unpredicted.items():
            counts[str(label), NO_PREDICTION, NO_PREDICTION] = count
        return PairedOutcomes.from_counts(counts, {part.key: _as_text(whole.of(part)) for part in whole.segments})

    def only(self, segments: Collection[tuple[str, str]]) -> Tallied:
        """The labelled rows of these segments, as if there were no others."""
        cells = [own.cells for own in self.outcomes.segments if own.key in segments] if self.outcomes else []
        sums = [own for key, own in self.error_segments.items() if key in segments and own.n]
        outcomes = None
        if self.outcomes is not None and cells:
            outcomes = PairedOutcomes(labels=self.outcomes.labels, cells=merged(np.concatenate(cells)))
        errors = functools.reduce(operator.add, sums) if sums else None
        n = (outcomes.n if outcomes else 0) + (errors.n if errors else 0)
        return Tallied(n=n, outcomes=outcomes, errors=errors)

    def __add__(self, other: Tallied) -> Tallied:
        return Tallied.sum((self, other))

    @classmethod
    def sum(cls, parts: Iterable[Tallied]) -> Tallied:
        """Add up any number at once, which is what ``+`` does two by two.

        Raises:
            LabelMismatchError: Their labels are of different types, or their tasks are.

        Example:
            >>> Tallied.sum([Tallied(n=3, failed=1), Tallied(n=4), Tallied()]).n
            7
        """
        given = tuple(parts)
        if len(given) == 1:
            return given[0]
        outcomes = [one.outcomes for one in given if one.outcomes is not None and one.outcomes.n]
        errors = [one.errors for one in given if one.errors is not None and one.errors.n]
        lags = [one.lag for one in given if one.lag is not None]
        unpredicted = adding.read_as(outcomes, [one.unpredicted for one in given if one.unpredicted])
        adding.check(outcomes, errors, unpredicted)
        return cls(
            n=sum(one.n for one in given),
            failed=sum(one.failed for one in given),
            predictions=adding.predictions([one.predictions for one in given if one.predictions is not None]),
            outcomes=adding.outcomes(outcomes) if outcomes else None,
            errors=adding.errors(errors) if errors else None,
            error_segments=adding.by_key(one.error_segments for one in given),
            unpredicted=adding.counts(unpredicted),
            corrected=sum(one.corrected for one in given),
            lag=Moments.sum(lags) if lags else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Spell it as plain data; what is empty is left out."""
        parts = {
            "n": self.n,
            "failed": self.failed,
            "predictions": self.predictions and self.predictions.to_dict(),
            "outcomes": self.outcomes and spelled.outcomes(self.outcomes),
            "errors": self.errors and spelled.errors(self.errors),
            "error_segments": [[*key, spelled.errors(own)] for key, own in sorted(self.error_segments.items())],
            "unpredicted": [[label, self.unpredicted[label]] for label in sorted(self.unpredicted, key=label_order)],
            "corrected": self.corrected,
            "lag": self.lag and spelled.moments(self.lag),
        }
        return {name: part for name, part in parts.items() if part}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tallied:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that.
        """
        known = cls.__dataclass_fields__
        if not isinstance(data, dict) or not data.keys() <= known.keys():
            raise InvalidInputError(f"A tally must hold some of {', '.join(known)}, and nothing else.")
        counts = {name: spelled.read_count(data[name], name) for name in ("n", "failed", "corrected") if name in data}
        segments = spelled.read_rows(data.get("error_segments", []), 3, "error_segments")
        return cls(
            **counts,
            predictions=sketches.from_dict(data["predictions"]) if "predictions" in data else None,
            outcomes=spelled.read_outcomes(data["outcomes"]) if "outcomes" in data else None,
            errors=spelled.read_errors(data["errors"]) if "errors" in data else None,
            error_segments={(str(name), str(value)): spelled.read_errors(own) for name, value, own in segments},
            unpredicted=spelled.read_labels(data.get("unpredicted", [])),
            lag=spelled.read_moments(data["lag"]) if "lag" in data else None,
        )


def sketched(counts: Mapping[Label, int], task: Task) -> Sketch | None:
    """Sketch predictions, given how often each occurs: classes by value, whatever their type, else as numbers.

    Classes 1 and 1.0 are one.

    Example:
        >>> found = sketched({3: 2, 7: 1}, "classification")
        >>> dict(found.counts)
        {'3': 2, '7': 1}
    """
    if not counts:
        return None
    if task == "regression":
        return Numbers.of(np.repeat(np.array([*counts], dtype=np.float64), [*counts.values()]))
    named: dict[str, int] = {}
    for label, count in counts.items():
        whole = isinstance(label, float) and label.is_integer()
        name = str(int(label)) if whole else str(label)
        named[name] = named.get(name, 0) + count
    return Values.of(named)


def _as_text(outcomes: PairedOutcomes) -> dict[tuple[Label, Label, Label], int]:
    found = outcomes.to_counts().items()
    return {(str(y), str(champion), str(challenger)): count for (y, champion, challenger), count in found}
