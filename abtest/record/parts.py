"""What a comparison's record is made of: the two models, the rows, how it was made, and the table it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import NonNegativeInt

from abtest.engines.catalogue import LOCAL, check_engine
from abtest.errors import InvalidInputError
from abtest.evaluator import check_options
from abtest.labels import LABEL_TYPES, Label, LabelType
from abtest.metrics.classification import Average
from abtest.outcomes import Counts, PairedOutcomes
from abtest.policy import Policy

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
        total_variation: Half the sum of the absolute differences between the classes' shares; None of a regression.
        pvalue: Of equal shares, likewise.
    """

    path: str
    n: int
    leaked: int
    conflicting: int
    first_rows: tuple[int, ...]
    total_variation: float | None
    pvalue: float | None


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
    engine: str = LOCAL

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
        check_engine(self.engine)
        if self.batch_size is not None and self.batch_size < 1:
            raise InvalidInputError(f"batch_size must be at least 1, got {self.batch_size}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Both confusion matrices: truth by row, prediction by column.

    Attributes:
        champion: The champion's; of a split it counts the rows of its own arm.
        challenger: The challenger's, likewise.
        labels: What their rows and columns are of.
    """

    champion: Matrix
    challenger: Matrix
    labels: tuple[Label, ...]

    @classmethod
    def of(cls, labels: tuple[Label, ...], champion: Counts, challenger: Counts) -> Confusion:
        """Spell two matrices, shape (labels, labels)."""
        return cls(champion=_matrix(champion), challenger=_matrix(challenger), labels=labels)


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


def _matrix(counts: Counts) -> Matrix:
    return tuple(map(tuple, counts.tolist()))


def _spelled(cells: Counts) -> Cells:
    return tuple(map(tuple, cells.tolist()))
