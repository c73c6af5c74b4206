"""Several challengers beside one champion, on the same rows, as one record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from abtest.decision import Verdict
from abtest.decision.reasons import least_favourable
from abtest.labels import Task
from abtest.outcomes import Contingency
from abtest.record.parts import ComparedData, ComparedModel
from abtest.record.spelled import SCHEMA_VERSION, Spelled
from abtest.record.whole import ComparisonRecord
from abtest.stats.cochran import CochranQ, cochran_q
from abtest.stats.mcnemar import McNemarMethod, mcnemar
from abtest.stats.multiplicity import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Adjustment = Literal["holm", "bonferroni", "spend"]
_PREFERENCE = (Verdict.PROMOTE, Verdict.CONDITIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Two challengers on the same rows; for information.

    Attributes:
        first: The one, as an index into ``comparisons``.
        second: The other.
        contingency: Who is right where, the first as champion.
        pvalue: McNemar's, two-sided, of equal accuracy.
        pvalue_adjusted: For the number of such pairs (Holm).
    """

    first: int
    second: int
    contingency: Contingency
    pvalue: float
    pvalue_adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonsRecord(Spelled):
    """Several challengers beside one champion, as data. ``from_dict(to_dict(x)) == x``.

    Attributes:
        schema_version: Changes when a reader would have to.
        created_at: In UTC.
        task: What the models do.
        model_name: The registered model; null where no registry was asked.
        champion: The serving side.
        data: The rows that all were compared on.
        verdict: On the best challenger; where none may serve, the most favourable of all that admits none.
        best: The best admissible challenger, as an index into ``comparisons``; null where none is.
        confidence: Of all challengers together, as the policy asks for it.
        adjustment: How each pair's level allows for the others: "holm" on the tests of equal accuracy, "bonferroni"
            where intervals decide, "spend" where the policy spends a level on each use of the test set.
        cochran: Cochran's Q over all models, for information; null of a regression, and where rows come in units.
        between: Any two challengers.
        comparisons: Each challenger with the champion, in the order given; its policy has the level that was left.
    """

    schema_version: Literal["1.0"]
    created_at: datetime
    task: Task
    model_name: str | None
    champion: ComparedModel
    data: ComparedData
    verdict: Verdict
    best: int | None
    confidence: float
    adjustment: Adjustment
    cochran: CochranQ | None
    between: tuple[Between, ...]
    comparisons: tuple[ComparisonRecord, ...]

    @classmethod
    def of(
        cls,
        comparisons: Sequence[ComparisonRecord],
        *,
        confidence: float,
        adjustment: Adjustment,
        between: Mapping[tuple[int, int], Contingency],
        method: McNemarMethod,
        best: int | None,
        created_at: datetime | None = None,
    ) -> ComparisonsRecord:
        """Put comparisons with one champion together.

        Args:
            comparisons: All of the same rows.
            confidence: Of all together.
            adjustment: How their levels allow for each other.
            between: Who is right where of any two challengers; none of a regression.
            method: McNemar's, between challengers.
            best: The one recommended, if any.
            created_at: Now, unless told.
        """
        first = comparisons[0]
        pairs = {(0, 1 + i): record.contingency for i, record in enumerate(comparisons)}
        known = {key: table for key, table in pairs.items() if table is not None}
        whole = {**known, **{(1 + i, 1 + j): table for (i, j), table in between.items()}}
        pvalues = [mcnemar(table, method=method).pvalue for table in between.values()]
        return cls(
            schema_version=SCHEMA_VERSION,
            created_at=(created_at or datetime.now(UTC)).replace(microsecond=0),
            task=first.task,
            model_name=first.model_name,
            champion=first.champion,
            data=first.data,
            verdict=_overall([record.decision.verdict for record in comparisons], best),
            best=best,
            confidence=confidence,
            adjustment=adjustment,
            cochran=cochran_q(whole) if between else None,
            between=tuple(
                Between(first=i, second=j, contingency=table, pvalue=raw, pvalue_adjusted=float(fixed))
                for ((i, j), table), raw, fixed in zip(between.items(), pvalues, holm(pvalues), strict=True)
            ),
            comparisons=tuple(comparisons),
        )

    @property
    def recommended(self) -> ComparisonRecord | None:
        """The comparison with the best admissible challenger."""
        return None if self.best is None else self.comparisons[self.best]

    @property
    def names(self) -> tuple[str, ...]:
        """What tells the challengers apart: those of one name are numbered."""
        known = [one.challenger.short for one in self.comparisons]
        return tuple(
            f"{name} ({known[: i + 1].count(name)})" if known.count(name) > 1 else name for i, name in enumerate(known)
        )

    @property
    def name(self) -> str:
        """What the comparisons are called in file and run names."""
        first, more = self.comparisons[0].name, len(self.comparisons) - 1
        return f"{first}-and-{more}-more" if more else first


def best_of(comparisons: Sequence[ComparisonRecord]) -> int | None:
    """Find the best admissible challenger: of those that may serve, the one that improves most; the first of equals.

    Those of PROMOTE come before those of CONDITIONAL; no other verdict admits one.
    """
    for verdict in _PREFERENCE:
        found = [i for i, record in enumerate(comparisons) if record.decision.verdict is verdict]
        if found:
            return max(found, key=lambda i: (_improvement(comparisons[i]), -i))
    return None


def _improvement(record: ComparisonRecord) -> float:
    row = record.evaluation.find(record.settings.policy.decisive)
    return row.improvement if row is not None else float("-inf")


def _overall(verdicts: Sequence[Verdict], best: int | None) -> Verdict:
    """Where none may serve, no verdict that would let one pass a gate: a locked set may have failed the best."""
    if best is not None:
        return verdicts[best]
    return least_favourable(Verdict.INSUFFICIENT_EVIDENCE, min(verdicts, key=list(Verdict).index))
