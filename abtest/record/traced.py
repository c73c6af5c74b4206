"""Where a version comes from and what became of it, as one record: the lineage that ``abtest lineage`` tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from abtest.record.spelled import SCHEMA_VERSION, Spelled

Side: TypeAlias = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedData:
    """Rows that a run read.

    Attributes:
        name: As MLflow lists them.
        context: What for, such as "training".
        path: Where they lay; without credentials.
        digest: As it was logged.
        whole: Whether the digest is known to be of every row; MLflow's own is of the first 10,000.
    """

    name: str
    context: str | None
    path: str | None
    digest: str | None
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCode:
    """The code a run ran.

    Attributes:
        git_commit: That was checked out.
        source: What was started: a script, a notebook, ``abtest``.
        recipe_digest: Of the recipe, where ``abtest train`` trained.
    """

    git_commit: str | None
    source: str | None
    recipe_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Python and libraries.

    Attributes:
        source: Where that is written.
        python: Its version; None where it is not written.
        libraries: By name in its normal form: ``==1.2`` where a version is pinned, else what is asked for.
        whole: Whether it names every library that was installed, or those alone that the model asks for.
        required: What the model asks for, likewise spelt.
        left_out: Lines that name no library of an index.
    """

    source: str
    python: str | None
    libraries: Mapping[str, str]
    whole: bool
    required: Mapping[str, str]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRun:
    """An MLflow run.

    Attributes:
        run_id: Its id.
        name: As MLflow lists it.
        kind: What it is to abtest, such as "candidate"; None of other programs'.
        experiment: Where it is.
        status: How it ended.
        user: Who ran it.
        started_at: In UTC.
        deleted: Whether it was deleted in MLflow, and can be restored.
        told: What it found, in a word: the status of a monitoring run, the verdict of a retraining.
    """

    run_id: str
    name: str | None
    kind: str | None
    experiment: str | None
    status: str
    user: str | None
    started_at: datetime
    deleted: bool
    told: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedComparison:
    """A comparison that the version took part in.

    Attributes:
        run_id: Its run.
        at: When, in UTC.
        side: Which side the version was.
        other: The other side: a version's number, or a reference.
        verdict: What was decided, of the challenger.
        experiment: Of a live experiment, its name.
        user: Who compared.
        deleted: Whether its run was deleted in MLflow.
    """

    run_id: str
    at: datetime
    side: Side
    other: str
    verdict: str | None
    experiment: str | None
    user: str | None
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMove:
    """A move on the model's trail that concerned the version.

    Attributes:
        run_id: The run that records it.
        at: When it was settled, or else begun; in UTC.
        kind: Promotion, rollback, registration, …
        what: The same with the version it was about, which may be another: "rollback to version 1".
        outcome: How it ended.
        by: Who asked for it.
        approved_by: Who let it pass, where it waited for somebody.
        why: The reason.
        steps: What it moved of this version.
        comparison_run_id: The comparison that it rests on.
    """

    run_id: str
    at: datetime
    kind: str
    what: str
    outcome: str
    by: str
    approved_by: str | None
    why: str
    steps: tuple[str, ...]
    comparison_run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A time in production.

    Attributes:
        since: From when, in UTC; None where that is not on record.
        until: To when; None where it serves still, or that is not on record.
        now: Whether it serves still.
    """

    since: datetime | None
    until: datetime | None
    now: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRecord(Spelled):
    """Where a version comes from and what became of it. What is None, or empty, is not on record.

    Attributes:
        schema_version: Of this record.
        kind: Always "lineage".
        model_name: The registered model.
        version: Which.
        stage: It holds.
        aliases: That are on it.
        registered_at: In UTC.
        registered_by: Where the server, or the trail, knows.
        description: As it was written.
        source: Where its files came from; without credentials.
        run: That logged it.
        parent: The training run around that.
        data: What they read.
        holdout_digest: Of the rows that were held out.
        code: What they ran.
        environment: Where it was trained, or what its files ask for.
        params: Of the run.
        metrics: The last values, of the run.
        comparisons: The oldest first.
        moves: Likewise.
        served: Likewise.
        monitoring: Reports of monitoring that were logged while it served.
        retraining: Retrainings that it came from, or stood against.
        unknown: What is not on record, in words.
        registry: Which registry said so; without credentials.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    kind: Literal["lineage"] = "lineage"
    model_name: str
    version: int
    stage: str | None
    aliases: tuple[str, ...]
    registered_at: datetime
    registered_by: str | None
    description: str | None
    source: str | None
    run: TracedRun | None
    parent: TracedRun | None
    data: tuple[TracedData, ...]
    holdout_digest: str | None
    code: TracedCode
    environment: Environment | None
    params: Mapping[str, str]
    metrics: Mapping[str, float | None]
    comparisons: tuple[TracedComparison, ...]
    moves: tuple[TracedMove, ...]
    served: tuple[Served, ...]
    monitoring: tuple[TracedRun, ...]
    retraining: tuple[TracedRun, ...]
    unknown: tuple[str, ...]
    registry: str

    @property
    def title(self) -> str:
        """What it is about."""
        return f"{self.model_name} version {self.version}"
