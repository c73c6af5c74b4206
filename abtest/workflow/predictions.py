"""Comparisons of predictions that are already there; no model and no registry is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abtest.comparison import Comparison
from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES
from abtest.labels import SIDES
from abtest.loaders.columns import as_array
from abtest.loaders.datasets import BATCH_ROWS, open_data
from abtest.loaders.tasks import kind_of_numbers, look_at_truth, said_of, taken_for_classes
from abtest.policy import Policy
from abtest.record import ComparedData, ComparisonSettings
from abtest.workflow.judging import evaluated, nameless, recorded, refuse_uncounted, teller
from abtest.workflow.preparing import asked_segments, delivered, prepare
from abtest.workflow.tasks import own_losses, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from abtest.labels import Label, LabelType, Task
    from abtest.loaders.tasks import Truths
    from abtest.metrics.classification import Average
    from abtest.workflow.judging import Progress


def compare_predictions(
    y_true: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    task: Task | None = None,
    label_type: LabelType | None = None,
    average: Average = "macro",
    pos_label: Label | None = None,
    policy: Policy | None = None,
    segments: Mapping[str, npt.ArrayLike] | None = None,
    crossings: Sequence[str] = (),
    unit: npt.ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    output: str | Path | None = None,
    save_plot: bool = True,
    log: bool = False,
    experiment: str | None = None,
) -> Comparison:
    """Compare predictions that are already there; no model and no registry is needed.

    Args:
        y_true: The truth, shape (rows,).
        champion: The champion's labels, shape (rows,).
        challenger: The challenger's labels, shape (rows,).
        task: "classification" or "regression"; by default a continuous truth makes it a regression, of numbers.
        label_type: Cast all three to this type.
        average: How precision, recall and F1 are averaged.
        pos_label: The positive label for ``average="binary"``.
        policy: What must hold; the share rule by default.
        segments: Columns whose values tell segments apart, by name; shape (rows,) each.
        crossings: Names of such columns crossed (``"region*device"``).
        unit: What each row belongs to (a user, a session), shape (rows,): units are independent, rows are not.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        log: Log the comparison to MLflow, at MLflow's own default URI.
        experiment: Where it is logged.

    Raises:
        InvalidInputError: The columns differ in length, hold missing values, or share no type.

    Example:
        >>> compare_predictions([0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]).verdict
        <Verdict.INSUFFICIENT_EVIDENCE: 'INSUFFICIENT_EVIDENCE'>
    """
    from abtest.engines.predicted import tally_columns  # noqa: PLC0415 - Arrow is not needed to import this module

    if isinstance(segments, str | list | tuple):
        raise InvalidInputError(
            f"segments must be columns by name, got {type(segments).__name__}.",
            hint="{'region': [...]}; crossings takes names.",
        )
    # A data frame has columns too, and no truth value.
    columns = {} if segments is None else {str(name): segments[name] for name in segments}
    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=None,
        drop_unlabelled=False,
        policy=policy or Policy(),
        segments=asked_segments([*columns, *crossings], policy),
    )
    settings, said = settle(settings, task, lambda: inferred(_truth(y_true)))
    prepare(output, settings.policy)
    crossed = [name for name in settings.segments if name not in columns]
    scored = tally_columns(
        y_true,
        champion,
        challenger,
        segments=columns,
        task=settings.policy.task,
        losses=own_losses(settings.policy),
        crossings=crossed,
        unit=unit,
        label_type=label_type,
        seed=seed,
    )
    refuse_uncounted(settings.policy)
    models = nameless(SIDES, SIDES)
    record = recorded(
        scored,
        settings,
        evaluated(scored, settings, models),
        model_name=None,
        models=models,
        data=ComparedData(path="arrays", n=scored.n, digest=None, target=None, unit=None if unit is None else "unit"),
        notices=(*said, *scored.notices),
        registry=None,
        command=None,
    )
    return delivered(Comparison(record, experiment_name=experiment), output, log=log, figures=save_plot)


def compare_columns(
    file: str | Path,
    *,
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
    batch_size: int = BATCH_ROWS,
    drop_unlabelled: bool = False,
    output: str | Path | None = None,
    save_plot: bool = True,
    command: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two columns of predictions with the truth, all in one file, read in batches.

    Args:
        file: CSV, Parquet or JSON Lines; a file, a folder of Parquet, or a glob.
        target: The column with the truth.
        champion: The column with the champion's labels.
        challenger: The column with the challenger's labels.
        task: As in ``compare_predictions``.
        label_type: As in ``compare``, like all that follow.
        average: Of precision, recall and F1.
        pos_label: For ``average="binary"``.
        policy: What must hold.
        segments: Columns whose values tell segments apart, or columns crossed.
        unit: The column that says which rows belong together.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws.
        batch_size: Rows in memory at a time.
        drop_unlabelled: Leave out rows without a label, and count them.
        output: Write the report to a new folder in here.
        save_plot: Draw figures for it.
        command: The command line this came from.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        AbtestError: See ``abtest.errors``; nothing has been written then.
    """
    from abtest.engines import predicted  # noqa: PLC0415 - Arrow is not needed to import this module

    settings = ComparisonSettings(
        average=average,
        pos_label=pos_label,
        label_type=label_type,
        resamples=resamples,
        seed=seed,
        batch_size=batch_size,
        drop_unlabelled=drop_unlabelled,
        policy=policy or Policy(),
        segments=asked_segments(segments, policy),
    )
    dataset = open_data(file)
    if target not in dataset.columns:
        raise dataset.missing(target, "target column")
    settings, said = settle(settings, task, lambda: inferred(look_at_truth(dataset, target)))
    prepare(output, settings.policy)
    digest = dataset.digest()  # before the rows are read, so that it never names rows that nobody counted
    scored = predicted.tally_file(
        dataset,
        target=target,
        champion=champion,
        challenger=challenger,
        task=settings.policy.task,
        losses=own_losses(settings.policy),
        segments=settings.segments,
        unit=unit,
        label_type=label_type,
        batch_rows=batch_size,
        drop_unlabelled=drop_unlabelled,
        seed=seed,
        progress=teller(progress, "Reading", dataset.row_count() if progress else None),
    )
    refuse_uncounted(settings.policy)
    models = nameless(SIDES, [champion, challenger])
    record = recorded(
        scored,
        settings,
        evaluated(scored, settings, models, progress),
        model_name=None,
        models=models,
        data=ComparedData(path=dataset.name, n=scored.n, digest=digest, target=target, unit=unit),
        notices=(*said, *scored.notices),
        registry=None,
        command=command,
    )
    return delivered(Comparison(record), output, log=False, figures=save_plot)


def inferred(truth: Truths) -> tuple[Task, str | None]:
    """Tell the task by the truth alone, and why."""
    if truth != "continuous":
        return "classification", taken_for_classes(truth)
    return "regression", said_of("the truth is continuous")


def _truth(y_true: npt.ArrayLike) -> Truths:
    column = as_array(y_true, "y_true")
    if column.dtype.kind == "O" and all(isinstance(value, float | np.floating | int) for value in column.flat):
        column = np.array([value for value in column.flat if isinstance(value, float | np.floating)], dtype=np.float64)
    return kind_of_numbers(column.astype(np.float64)) if column.dtype.kind in "iuf" else "names"
