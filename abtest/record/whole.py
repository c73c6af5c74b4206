"""One comparison as one record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import GetPydanticSchema, PlainSerializer
from pydantic_core import core_schema

from abtest.decision import Decision
from abtest.evaluator import (
    ClassRow,
    Confirmation,
    Evaluation,
    Growth,
    MetricRow,
    PowerReading,
    SegmentRow,
    Skipped,
    both_sides,
)
from abtest.evaluator.live import LiveReading
from abtest.labels import Task
from abtest.metrics.residuals import ErrorReading
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.record.parts import (
    ComparedData,
    ComparedModel,
    ComparisonSettings,
    Confusion,
    Differences,
    OutcomesTable,
    Provenance,
)
from abtest.record.spelled import SCHEMA_VERSION, Spelled, slug
from abtest.scores import ScoreReading
from abtest.stats.bayes import Posterior
from abtest.stats.mcnemar import McNemar

_MOST_CLASSES_SHOWN = 500  # confusion matrices of more classes would outgrow the table they are made from


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord(Spelled):
    """A whole comparison as data. ``from_dict(to_dict(x)) == x``.

    Attributes:
        schema_version: Changes when a reader would have to.
        created_at: In UTC.
        task: What the models do.
        model_name: The registered model; null where no registry was asked.
        champion: The serving side.
        challenger: The other side.
        data: The rows compared on.
        settings: How it was computed.
        metrics: One row a metric, over all rows.
        per_class: One row a class and metric; a label that is only ever predicted has n = 0.
        segments: One row a segment and metric.
        contingency: Who was right where; null of a regression, and of a split of live traffic.
        mcnemar: The test of equal accuracy; null of a regression, and of live traffic that may be looked at any time.
        power: What these rows could have shown, and how many would settle the question.
        bayes: What to believe of the metric that the verdict hangs on, beside the test; null where that is not known.
        growth: Where the data extend those of an earlier look at the same two models.
        confirmation: Where a locked test set was opened.
        differences: What else differs between the two models; null where that is not known.
        scores: What both sides' scores look like; null where they were not asked for.
        errors: What both sides' errors look like, and their sums; null of a classification.
        live: What live traffic shows; null where the rows are not from there.
        confusion: Both confusion matrices; null where there are too many classes, and of a regression.
        outcomes: The table everything was computed from; null of a regression, and of a split of live traffic.
        decision: The verdict and its reasons.
        counted: The metrics that count towards the share improved.
        skipped: What was not computed, and why.
        notices: What a reader has to know about the numbers.
        provenance: Where, when and by what it was made.
    """

    schema_version: Literal["1.0"]
    created_at: datetime
    task: Task
    model_name: str | None
    champion: ComparedModel
    challenger: ComparedModel
    data: ComparedData
    settings: ComparisonSettings
    metrics: tuple[MetricRow, ...]
    per_class: tuple[ClassRow, ...]
    segments: tuple[SegmentRow, ...]
    contingency: Contingency | None
    mcnemar: McNemar | None
    power: PowerReading | None
    bayes: Posterior | None
    growth: Growth | None
    confirmation: Confirmation | None
    differences: Differences | None
    scores: ScoreReading | None
    errors: ErrorReading | None
    live: LiveReading | None
    confusion: Confusion | None
    outcomes: (
        Annotated[
            PairedOutcomes,
            GetPydanticSchema(
                lambda _, handler: core_schema.no_info_after_validator_function(
                    OutcomesTable.outcomes, handler(OutcomesTable)
                )
            ),
            PlainSerializer(OutcomesTable.of),
        ]
        | None
    )
    decision: Decision
    counted: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    notices: tuple[str, ...]
    provenance: Provenance

    @classmethod
    def of(
        cls,
        *,
        model_name: str | None,
        champion: ComparedModel,
        challenger: ComparedModel,
        data: ComparedData,
        settings: ComparisonSettings,
        outcomes: PairedOutcomes | None,
        evaluation: Evaluation,
        decision: Decision,
        provenance: Provenance,
        differences: Differences | None = None,
        arms: tuple[PairedOutcomes, PairedOutcomes] | None = None,
        notices: tuple[str, ...] = (),
        created_at: datetime | None = None,
    ) -> ComparisonRecord:
        """Put the parts together; ``notices`` come before the evaluation's own.

        ``arms`` are the tables of a split of live traffic, where no row has both sides.
        """
        skipped, confusion = evaluation.skipped, None
        tables = arms if outcomes is None else (outcomes, outcomes)
        labels = () if tables is None else tables[0].labels
        if tables is not None and len(labels) <= _MOST_CLASSES_SHOWN:
            confusion = Confusion.of(labels, tables[0].confusion("champion"), tables[1].confusion("challenger"))
        elif tables is not None:
            why = f"{len(labels):,} classes are more than {_MOST_CLASSES_SHOWN}."
            skipped = (*skipped, Skipped(what="confusion matrices", why=why))
        return cls(
            schema_version=SCHEMA_VERSION,
            created_at=(created_at or datetime.now(UTC)).replace(microsecond=0),
            task=settings.policy.task,
            model_name=model_name,
            champion=champion,
            challenger=challenger,
            data=data,
            settings=settings,
            metrics=evaluation.metrics,
            per_class=evaluation.per_class,
            segments=evaluation.segments,
            contingency=evaluation.contingency,
            mcnemar=evaluation.mcnemar,
            power=evaluation.power,
            bayes=evaluation.bayes,
            growth=evaluation.growth,
            confirmation=evaluation.confirmation,
            differences=differences,
            scores=evaluation.scores,
            errors=evaluation.errors,
            live=evaluation.live,
            confusion=confusion,
            outcomes=outcomes,
            decision=decision,
            counted=evaluation.counted,
            skipped=skipped,
            notices=(*notices, *evaluation.notices),
            provenance=provenance,
        )

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation within."""
        return Evaluation(
            metrics=self.metrics,
            per_class=self.per_class,
            segments=self.segments,
            contingency=self.contingency,
            mcnemar=self.mcnemar,
            power=self.power,
            bayes=self.bayes,
            growth=self.growth,
            scores=self.scores,
            errors=self.errors,
            live=self.live,
            confirmation=self.confirmation,
            counted=self.counted,
            skipped=self.skipped,
            notices=self.notices,
            latency=both_sides(self.champion.latency, self.challenger.latency),
            size=both_sides(self.champion.size, self.challenger.size),
        )

    @property
    def tags(self) -> dict[str, str]:
        """What MLflow runs about this comparison are found by."""
        tags = {
            "abtest.verdict": str(self.decision.verdict),
            "abtest.model_name": self.model_name,
            "abtest.champion_version": self.champion.told,
            "abtest.challenger_version": self.challenger.told,
            "abtest.experiment": self.live.experiment if self.live else None,
            "abtest.data_digest": self.data.digest,
            "abtest.policy_digest": self.provenance.policy_digest,
            "abtest.rows": None if self.data.rows_digest is None else str(self.data.rows),
            "abtest.rows_digest": self.data.rows_digest,
            "abtest.confirm_digest": self.confirmation.digest if self.confirmation else None,
        }
        return {key: value for key, value in tags.items() if value}

    @property
    def name(self) -> str:
        """What the comparison is called in file and run names."""
        return f"{slug(self.model_name or 'comparison')}-{slug(self.champion.short)}-vs-{slug(self.challenger.short)}"
