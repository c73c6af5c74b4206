"""Everything a comparison found, as one plain record: what ``comparison.json`` spells.

Reports are drawn from this record and promotions are planned from it; since it holds the table of outcomes itself, a
decision can be taken again, and a report drawn again, without scoring a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import GetPydanticSchema, NonNegativeInt, PlainSerializer, TypeAdapter, ValidationError
from pydantic_core import core_schema

from abtest.decision import Decision
from abtest.errors import InvalidInputError
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
    check_options,
)
from abtest.labels import LABEL_TYPES, Label, LabelType
from abtest.metrics.classification import Average
from abtest.outcomes import Contingency, Counts, PairedOutcomes
from abtest.policy import Policy
from abtest.scores import ScoreReading
from abtest.stats.bayes import Posterior
from abtest.stats.mcnemar import McNemar

SCHEMA_VERSION: Final = "1.0"
SCHEMA_FILE = Path(__file__).with_name("comparison.schema.json")
_MOST_CLASSES_SHOWN = 500  # confusion matrices of more classes would outgrow the table they are made from

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)  # of a Google-style docstring

Cells = tuple[tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt, NonNegativeInt], ...]
Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel:
    """One side: how it was named, what that was pinned to, and what it takes to run it.

    Attributes:
        ref: How it was named.
        version: Its version in the registry.
        run_id: The run that logged it.
        uri: What it was pinned to.
        latency: Seconds that the prediction of one row takes, in batches as they were scored.
        size: Bytes on disk.
    """

    ref: str
    version: int | None
    run_id: str | None
    uri: str | None
    latency: float | None = None
    size: int | None = None

    def is_version_of(self, model: str | None) -> bool:
        """Whether it is a version of this registered model, and not of another one."""
        return self.version is not None and self.uri == f"models:/{model}/{self.version}"

    @property
    def told(self) -> str:
        """What it is known by in MLflow's tags: its version, or its reference where it has none."""
        return str(self.version or self.ref)

    @property
    def short(self) -> str:
        """How a reader tells it from others: "v3", or its reference where it has no version."""
        return f"v{self.version}" if self.version is not None else self.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The training data, and what of them is in the test data.

    Attributes:
        path: Where they are.
        n: Rows read.
        leaked: Test rows whose features and label occur in them.
        conflicting: Test rows whose features occur in them, but only with other labels.
        first_rows: The first leaked rows' numbers in the test data, from 1.
        total_variation: Half the sum of the absolute differences between the classes' shares.
        pvalue: Of equal shares.
    """

    path: str
    n: int
    leaked: int
    conflicting: int
    first_rows: tuple[int, ...]
    total_variation: float
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What else differs between the two models; each is empty where nothing does.

    Attributes:
        columns: Columns that one side takes and the other does not, or in another type.
        packages: What they were made to run with, where that differs.
        notices: What could not be compared.
    """

    columns: tuple[str, ...]
    packages: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedData:
    """The labelled rows.

    Attributes:
        path: Where they are.
        n: Rows compared.
        digest: Names all the content.
        target: The column with the truth.
        unit: The column that says which rows belong together.
        uses: How many challengers were compared on these rows, with this one.
        rows: Rows read, labelled or not.
        rows_digest: Names them in their order, so that data which extend them are recognised.
        duplicates: Rows beyond the first of their kind; None where there were too many to look at.
        train: What the training data have in common with them, where they are known.
    """

    path: str
    n: int
    digest: str | None
    target: str | None
    unit: str | None = None
    uses: int | None = None
    rows: int | None = None
    rows_digest: str | None = None
    duplicates: int | None = None
    train: TrainingData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """How the comparison was made: with these, the data and the models, it can be made again.

    Raises:
        InvalidInputError: An option is outside its range.
    """

    average: Average
    pos_label: Label | None
    label_type: LabelType | None
    resamples: int
    seed: int
    batch_size: int | None
    drop_unlabelled: bool
    policy: Policy
    segments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("resamples", "seed", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int | None) or isinstance(value, bool):
                raise InvalidInputError(f"{name} must be a whole number, got {value!r}.")
        if not isinstance(self.policy, Policy):
            raise InvalidInputError(
                f"policy must be a Policy, got {self.policy!r}.", hint="Policy.from_mapping reads one."
            )
        segments: Any = self.segments  # of a caller it may be anything
        if not isinstance(segments, tuple) or not all(isinstance(name, str) and name.strip() for name in segments):
            raise InvalidInputError(f"segments must be names of columns, got {segments!r}.")
        check_options(average=self.average, pos_label=self.pos_label, resamples=self.resamples, seed=self.seed)
        if self.label_type is not None and self.label_type not in LABEL_TYPES:
            raise InvalidInputError(f"label_type must be one of {', '.join(LABEL_TYPES)}, got {self.label_type!r}.")
        if self.batch_size is not None and self.batch_size < 1:
            raise InvalidInputError(f"batch_size must be at least 1, got {self.batch_size}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Both confusion matrices over ``outcomes.labels``: truth by row, prediction by column."""

    champion: Matrix
    challenger: Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTable:
    """The table of one segment's rows; its cells are as those of the whole."""

    name: str
    value: str
    cells: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesTable:
    """The table of paired outcomes, from which everything else was computed.

    Attributes:
        labels: Every label that occurs as truth or prediction.
        cells: Indexes into ``labels`` of the truth, the champion's and the challenger's prediction, and a count.
        segments: The same of each segment's rows.
    """

    labels: tuple[Label, ...]
    cells: Cells
    segments: tuple[SegmentTable, ...] = ()

    @classmethod
    def of(cls, outcomes: PairedOutcomes) -> OutcomesTable:
        """Spell a table."""
        return cls(
            labels=outcomes.labels,
            cells=_spelled(outcomes.cells),
            segments=tuple(
                SegmentTable(name=segment.name, value=segment.value, cells=_spelled(segment.cells))
                for segment in outcomes.segments
            ),
        )

    def outcomes(self) -> PairedOutcomes:
        """Build the table again."""
        return PairedOutcomes.from_dict(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where and by what the comparison was made; credentials are redacted."""

    abtest_version: str
    python_version: str
    libraries: Mapping[str, str]
    registry: str | None
    git_commit: str | None
    command: str | None
    policy_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord:
    """A whole comparison as data. ``from_dict(to_dict(x)) == x``.

    Attributes:
        schema_version: Changes when a reader would have to.
        created_at: In UTC.
        model_name: The registered model; null where no registry was asked.
        champion: The serving side.
        challenger: The other side.
        data: The rows compared on.
        settings: How it was computed.
        metrics: One row a metric, over all rows.
        per_class: One row a class and metric; a label that is only ever predicted has n = 0.
        segments: One row a segment and metric.
        contingency: Who was right where.
        mcnemar: The test of equal accuracy.
        power: What these rows could have shown, and how many would settle the question.
        bayes: What to believe of the challenger's accuracy, beside the test.
        growth: Where the data extend those of an earlier look at the same two models.
        confirmation: Where a locked test set was opened.
        differences: What else differs between the two models; null where that is not known.
        scores: What both sides' scores look like; null where they were not asked for.
        confusion: Both confusion matrices; null where there are too many classes.
        outcomes: The table everything was computed from.
        decision: The verdict and its reasons.
        counted: The metrics that count towards the share improved.
        skipped: What was not computed, and why.
        notices: What a reader has to know about the numbers.
        provenance: Where, when and by what it was made.
    """

    # It holds for every record within, too.
    __pydantic_config__: ClassVar[Any] = {
        "alias_generator": lambda name: name.rstrip("_"),  # class_ is "class" in JSON
        "allow_inf_nan": False,
        "extra": "forbid",
    }

    schema_version: Literal["1.0"]
    created_at: datetime
    model_name: str | None
    champion: ComparedModel
    challenger: ComparedModel
    data: ComparedData
    settings: ComparisonSettings
    metrics: tuple[MetricRow, ...]
    per_class: tuple[ClassRow, ...]
    segments: tuple[SegmentRow, ...]
    contingency: Contingency
    mcnemar: McNemar
    power: PowerReading | None
    bayes: Posterior | None
    growth: Growth | None
    confirmation: Confirmation | None
    differences: Differences | None
    scores: ScoreReading | None
    confusion: Confusion | None
    outcomes: Annotated[
        PairedOutcomes,
        GetPydanticSchema(
            lambda _, handler: core_schema.no_info_after_validator_function(
                OutcomesTable.outcomes, handler(OutcomesTable)
            )
        ),
        PlainSerializer(OutcomesTable.of),
    ]
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
        outcomes: PairedOutcomes,
        evaluation: Evaluation,
        decision: Decision,
        provenance: Provenance,
        differences: Differences | None = None,
        notices: tuple[str, ...] = (),
        created_at: datetime | None = None,
    ) -> ComparisonRecord:
        """Put the parts together; ``notices`` come before the evaluation's own."""
        skipped, confusion = evaluation.skipped, None
        if len(outcomes.labels) <= _MOST_CLASSES_SHOWN:
            confusion = Confusion(champion=_matrix(outcomes, "champion"), challenger=_matrix(outcomes, "challenger"))
        else:
            why = f"{len(outcomes.labels):,} classes are more than {_MOST_CLASSES_SHOWN}."
            skipped = (*skipped, Skipped(what="confusion matrices", why=why))
        return cls(
            schema_version=SCHEMA_VERSION,
            created_at=(created_at or datetime.now(UTC)).replace(microsecond=0),
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
            confusion=confusion,
            outcomes=outcomes,
            decision=decision,
            counted=evaluation.counted,
            skipped=skipped,
            notices=(*notices, *evaluation.notices),
            provenance=provenance,
        )

    @classmethod
    def from_dict(cls, data: object) -> ComparisonRecord:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is no comparison, or one of another version; the message names the first field.
        """
        found = data.get("schema_version") if isinstance(data, Mapping) else None
        if found != SCHEMA_VERSION:
            raise InvalidInputError(f"schema_version must be {SCHEMA_VERSION}, got {found!r}.")
        try:
            return _adapter().validate_python(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            why = first["msg"].removeprefix("Value error, ").rstrip(".")
            raise InvalidInputError(f"The comparison's {where} cannot be read: {why}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Spell the record as plain data for JSON: None for what is missing, never NaN."""
        plain: dict[str, Any] = _adapter().dump_python(self, mode="json", by_alias=True)
        return plain

    def to_json(self) -> str:
        """Spell the record as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

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
        return (
            f"{_slug(self.model_name or 'comparison')}-{_slug(self.champion.short)}-vs-{_slug(self.challenger.short)}"
        )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``comparison.json``, as it is shipped in the package."""
    schema = _adapter().json_schema(by_alias=True, mode="serialization")
    for entry in (schema, *schema["$defs"].values()):
        _describe(entry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "abtest comparison"}


def schema_text() -> str:
    """The JSON Schema as ``SCHEMA_FILE`` holds it."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _describe(entry: dict[str, Any]) -> None:
    """Turn a docstring into descriptions: its summary of the record, its attributes of their properties."""
    paragraphs = entry.get("description", "").split("\n\n")
    attributes = "\n".join(part for part in paragraphs if part.startswith("Attributes:"))
    told = {name.rstrip("_"): " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}
    if paragraphs[0]:
        entry["description"] = " ".join(paragraphs[0].split())
    for name, field in entry.get("properties", {}).items():
        field.pop("title", None)  # "Ci Lower" says no more than ci_lower
        if name in told:
            field["description"] = told[name]


@cache
def _adapter() -> TypeAdapter[ComparisonRecord]:
    return TypeAdapter(ComparisonRecord)


def _matrix(outcomes: PairedOutcomes, side: Any) -> Matrix:  # noqa: ANN401 - a Side, spelled where it is used
    return tuple(tuple(row) for row in outcomes.confusion(side).tolist())


def _spelled(cells: Counts) -> Cells:
    return tuple(map(tuple, cells.tolist()))


def _slug(name: str) -> str:
    """Keep of a name what means nothing in a path; of a long one, its end."""
    return re.sub(r"[^\w.]+", "-", name)[-60:].strip("-.") or "model"
