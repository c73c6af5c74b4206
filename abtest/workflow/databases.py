"""Comparisons of predictions that sit in a database, which counts them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.comparison import Comparison
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES
from abtest.labels import SIDES
from abtest.policy import Policy
from abtest.record import ComparedData, ComparisonSettings
from abtest.workflow.judging import evaluated, nameless, recorded, refuse_uncounted
from abtest.workflow.predictions import inferred
from abtest.workflow.preparing import asked_segments, delivered, prepare
from abtest.workflow.tasks import settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from abtest.engines.database import Source
    from abtest.labels import Label, LabelType, Task
    from abtest.metrics.classification import Average
    from abtest.workflow.judging import Progress


def compare_sql(
    database: Source,
    *,
    table: str | None = None,
    query: str | None = None,
    target: str,
    champion: str,
    challenger: str,
    task: Task | None = None,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    segments: Sequence[str] = (),
    unit: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    drop_unlabelled: bool = False,
    output: str | Path | None = None,
    save_plot: bool = True,
    command: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two columns of labels with the truth, in a database that counts them itself: only the counts travel.

    Args:
        database: SQLAlchemy's URL of a SQLite, PostgreSQL or DuckDB database, or its engine.
        table: ``name`` or ``schema.name``; a view will do.
        query: One SELECT instead of a table.
        target: The column with the truth.
        champion: The column with the champion's labels.
        challenger: The column with the challenger's labels.
        task: "classification", which is all that counts can tell; a continuous truth is refused.
        label_type: Cast all three to this type.
        average: Of precision, recall and F1.
        pos_label: For ``average="binary"``.
        policy: What must hold.
        segments: Columns whose values tell segments apart, or columns crossed.
        unit: The column that says which rows belong together.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        drop_unlabelled: Leave out rows without a label, and count them.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        command: The command line this came from.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        AbtestError: See ``abtest.errors``; nothing has been written then, and never in the database.

    Example:
        >>> from sqlalchemy import create_engine, text
        >>> engine = create_engine("sqlite://")
        >>> with engine.begin() as connection:
        ...     _ = connection.execute(text("CREATE TABLE predictions AS SELECT 1 AS y, 0 AS old, 1 AS new"))
        >>> compare_sql(engine, table="predictions", target="y", champion="old", challenger="new").record.data.n
        1
    """
    from abtest.engines import database as databases  # noqa: PLC0415 - SQLAlchemy is not needed to import this module
    from abtest.engines import sql  # noqa: PLC0415 - see above

    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=None,
        drop_unlabelled=drop_unlabelled,
        policy=policy or Policy(),
        segments=asked_segments(segments, policy),
    )
    with databases.opened(database, table=table, query=query) as relation:
        settings, said = settle(settings, task, lambda: inferred(sql.look_at_truth(relation, target)))
        _refuse_numbers(settings.policy.task, target, asked=task)
        prepare(output, settings.policy)
        scored = sql.tally_relation(
            relation,
            target=target,
            champion=champion,
            challenger=challenger,
            segments=settings.segments,
            unit=unit,
            label_type=label_type,
            drop_unlabelled=drop_unlabelled,
        )
    refuse_uncounted(settings.policy)
    models = nameless(SIDES, [champion, challenger])
    record = recorded(
        scored,
        settings,
        evaluated(scored, settings, models, progress),
        model_name=None,
        models=models,
        data=ComparedData(path=relation.path, n=scored.n, digest=None, target=target, unit=unit),
        notices=(*said, *scored.notices),
        registry=None,
        command=command,
    )
    return delivered(Comparison(record), output, log=False, figures=save_plot)


def _refuse_numbers(task: Task, target: str, *, asked: Task | None) -> None:
    if task == "regression":
        what = f"The target '{target}' holds" if asked is None else "A regression has"
        raise InvalidInputError(
            f"{what} numbers to compare, and a database's sums are not exact.",
            hint="export the three columns to Parquet, and compare the file.",
        )
