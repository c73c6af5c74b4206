"""Both sides' probabilities on Spark: sums of losses and histograms of scores, added up where the rows are."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from abtest import wording
from abtest.engines.spark.models import sent
from abtest.engines.spark.session import told_as_ours
from abtest.engines.spark.tables import Column, Frame, column
from abtest.errors import InvalidInputError
from abtest.labels import SIDES, Label, Side, label_order
from abtest.loaders.rowhash import read_label
from abtest.metrics.probability import LEAST, tolerance
from abtest.scores import PairedScores
from abtest.stats.histograms import BINS, GROUPS, JointHistogram, ScoreHistogram, groups_of_bins
from abtest.stats.moments import Moments, PairedMoments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from abtest.engines.spark.models import Function
    from abtest.engines.spark.session import Session
    from abtest.loaders.scores import Scorer

Key: TypeAlias = tuple[str, str]

MOST_CLASSES = 200  # whose probabilities are added up
_LOSSES = ("log_loss", "brier")
_PARTS = ("champion", "challenger", "difference")
_FAILED = "A model failed on Spark"


def as_probabilities(scorer: Scorer, session: Session) -> Function:
    """Make what gives a model's scores a function of Spark: an array a row, a value a class.

    Raises:
        InvalidInputError: It cannot be sent to Spark's workers.
    """
    raw, is_probability = scorer.source, scorer.kind == "probability"

    def score(features: Any) -> Any:  # noqa: ANN401 - as the model takes and gives them
        import numpy  # noqa: ICN001, PLC0415 - on a worker, where this module may be missing

        values = numpy.asarray(raw(features), dtype=float)
        values = values.reshape(len(values), -1)
        if values.shape[1] > 1:
            return values
        return numpy.hstack([1 - values if is_probability else -values, values])

    return sent(scorer.model, score, "array<double>", session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A column of arrays of probabilities.

    Attributes:
        name: The column.
        classes: What each place in an array is the probability of.
    """

    name: str
    classes: tuple[Label, ...]


class ScoreSums:
    """Adds up both sides' probabilities of the same rows, frame by frame.

    Args:
        sides: Where they are.
        truths: The distinct labels of the truth.
        groups: The values of each segmentation by its name, in the order of their codes.
    """

    def __init__(
        self, sides: Mapping[Side, Scored], truths: Sequence[Label], groups: Mapping[str, Sequence[str]]
    ) -> None:
        names = [label for side in SIDES for label in sides[side].classes]
        # By what they read as: '0', 0 and 0.0 are one class.
        self._classes = tuple(dict.fromkeys(read_label(label) for label in (*names, *truths)))
        self._sides, self._truths, self._groups = sides, truths, groups
        self._losses: dict[tuple[Key | None, str], PairedMoments] = {}
        self._rows: dict[Key | None, int] = {}
        rows = (len(self._classes), 2)  # negative and positive ones of each class
        self._bins = np.zeros((len(SIDES), *rows, BINS), dtype=np.int64)
        self._joint = np.zeros((*rows, GROUPS * GROUPS), dtype=np.int64)

    def add(
        self,
        frame: Frame,
        truth: str,
        keys: Sequence[str],
        codes: Callable[[pa.Table], Mapping[str, npt.NDArray[np.int64]]],
    ) -> None:
        """Take in the rows of a frame.

        Args:
            frame: With both columns of arrays.
            truth: The column with the truth.
            keys: The columns that tell segments apart.
            codes: By segmentation, the index of each row's value, for rows with these columns.

        Raises:
            InvalidInputError: Probabilities are none, or do not add up to one.
        """
        with told_as_ours(_FAILED):
            table = frame.groupBy(*map(column, keys)).agg(*self._sums(truth)).toArrow()
        table = table.sort_by([(name, "ascending") for name in keys]) if keys else table
        found, own = table.to_pylist(), codes(table)
        for side in SIDES:
            self._refuse(side, sum(row[f"{side} outside"] for row in found), sum(row[f"{side} sums"] for row in found))
        for at, row in enumerate(found):
            where = [None, *((name, self._groups[name][codes[at]]) for name, codes in own.items())]
            for key in where:
                self._rows[key] = self._rows.get(key, 0) + row["rows"]
                for loss in _LOSSES:
                    moments, before = _moments(row, loss), self._losses.get((key, loss))
                    self._losses[key, loss] = moments if before is None else before + moments
        self._count(frame, truth)

    def scores(self, labels: Sequence[Label]) -> PairedScores:
        """What was taken in, with classes spelled and sorted as in the table of outcomes."""
        spelled = {read_label(label): label for label in labels}
        named = [spelled.get(known, known) for known in self._classes if known is not None]
        order = sorted(range(len(named)), key=lambda i: label_order(named[i]))
        nothing = np.zeros((0, len(named)))
        histograms = tuple(self._histogram(k) for k in order)

        def of(key: Key | None) -> PairedScores:
            return PairedScores(
                classes=tuple(named[i] for i in order),
                kind="probability",
                n=self._rows[key],
                truth=np.zeros(0, dtype=np.int64),
                champion=nothing,
                challenger=nothing,
                histograms=histograms if key is None else (),
                losses={loss: self._losses[key, loss] for loss in _LOSSES},
                segments={own: of(own) for own in sorted(self._rows, key=str) if own} if key is None else {},
            )

        return of(None)

    def _histogram(self, k: int) -> JointHistogram:
        champion, challenger = (ScoreHistogram(negatives=own[k, 0], positives=own[k, 1]) for own in self._bins)
        negatives, positives = self._joint[k].reshape(2, GROUPS, GROUPS)
        return JointHistogram(champion=champion, challenger=challenger, positives=positives, negatives=negatives)

    def _probabilities(self, side: Side) -> list[Column]:
        """A column a class; of a class that a model does not know it says nothing."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

        at = {read_label(label): i for i, label in enumerate(self._sides[side].classes)}
        whole = column(self._sides[side].name)
        return [F.get(whole, F.lit(at[label])) if label in at else F.lit(0.0) for label in self._classes]

    def _is_truth(self, truth: str) -> list[Column]:
        """Whether a row's truth is each class."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

        spelled: dict[Label | None, list[Label]] = {label: [] for label in self._classes}
        for label in self._truths:
            spelled[read_label(label)].append(label)
        return [column(truth).isin(own) if own else F.lit(False) for own in spelled.values()]  # noqa: FBT003 - a literal

    def _sums(self, truth: str) -> list[Column]:
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

        is_truth = self._is_truth(truth)
        asked, losses = [F.count(F.lit(1)).alias("rows")], dict[str, dict[str, Column]]()
        for side in SIDES:
            given = self._probabilities(side)
            outside = functools.reduce(operator.or_, [~F.coalesce(p.between(0, 1), F.lit(False)) for p in given])  # noqa: FBT003 - a literal
            apart = F.abs(_total(given) - 1) > tolerance(len(given))
            asked += [F.count(F.when(outside, 1)).alias(f"{side} outside")]
            asked += [F.count(F.when(apart, 1)).alias(f"{side} sums")]
            own = F.coalesce(*[F.when(is_it, p) for is_it, p in zip(is_truth, given, strict=True)])
            clipped = F.least(F.greatest(own, F.lit(LEAST)), F.lit(1 - LEAST))
            squares = [F.pow(p - is_it.cast("double"), 2) for is_it, p in zip(is_truth, given, strict=True)]
            halved = 2.0 if len(given) == 2 else 1.0  # of two classes, by convention
            losses[side] = {"log_loss": -F.log(clipped), "brier": _total(squares) / halved}
        for loss in _LOSSES:
            sides = [losses[side][loss] for side in SIDES]
            for part, value in zip(_PARTS, (*sides, sides[1] - sides[0]), strict=True):
                asked += [F.avg(value).alias(f"{loss} {part} mean"), F.var_pop(value).alias(f"{loss} {part} spread")]
        return asked

    def _refuse(self, side: Side, outside: int, sums: int) -> None:
        if outside:
            raise InvalidInputError(
                f"{side} probabilities must be in [0, 1], and are not in {wording.plural(outside, 'row')}.",
                hint="are these scores? A probability comes from predict_proba.",
            )
        if sums:
            raise InvalidInputError(
                f"{side} probabilities must sum to 1 in every row, and do not in {wording.plural(sums, 'row')}.",
                hint="is a class missing, or is each class predicted on its own?",
            )

    def _count(self, frame: Frame, truth: str) -> None:
        """Count rows by bin of each probability, and by groups of both sides' bins; each class against the rest."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

        # A constant that Spark's optimizer works out once: the group of each bin.
        groups = F.split(F.lit(",".join(map(str, groups_of_bins(BINS).tolist()))), ",").cast("array<int>")
        cells = []
        for k, (is_it, *both) in enumerate(
            zip(self._is_truth(truth), *(self._probabilities(side) for side in SIDES), strict=True)
        ):
            bins = [F.least(F.floor(p * BINS), F.lit(BINS - 1)).cast("int") for p in both]
            champion, challenger = (F.get(groups, own) for own in bins)
            for part, cell in enumerate([*bins, champion * GROUPS + challenger]):
                names = F.lit(part).alias("part"), F.lit(k).alias("class")
                cells.append(F.struct(*names, is_it.cast("int").alias("truth"), cell.alias("cell")))
        with told_as_ours(_FAILED):
            exploded = frame.select(F.explode(F.array(*cells)).alias("cell")).select("cell.*")
            counted = exploded.groupBy(*exploded.columns).count().toArrow()
        parts, *at, counts = (counted.column(i).to_numpy() for i in range(counted.num_columns))
        for part, table in enumerate([*self._bins, self._joint]):
            own = parts == part
            table[tuple(one[own] for one in at)] += counts[own]


def _total(columns: Sequence[Column]) -> Column:
    return functools.reduce(operator.add, columns)


def _moments(row: Mapping[str, Any], loss: str) -> PairedMoments:
    n = row["rows"]
    return PairedMoments(
        **{
            part: Moments(n=n, mean=row[f"{loss} {part} mean"], squares=row[f"{loss} {part} spread"] * n)
            for part in _PARTS
        }
    )
