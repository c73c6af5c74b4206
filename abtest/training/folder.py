"""What training leaves in a folder: the report, the rows held out, and models that are logged nowhere."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.loaders.datasets import open_data
from abtest.record.spelled import slug
from abtest.reporter.training import folder
from abtest.training import saving

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abtest.training.training import Trained

HOLDOUT, MODELS = "holdout.parquet", "models"


def write(trained: Trained, parent: Path, *, draw: bool, models: bool) -> Trained:
    """Write the report into a new folder, with the rows held out, and the models where they are asked for.

    From here on the digest of the hold-out is that of its file, which is what a comparison on it records.

    Raises:
        InvalidInputError: It cannot be written; nothing is left behind.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / HOLDOUT
        trained.holdout.to_parquet(file, index=False)
        rows = replace(trained.record.rows, holdout_digest=open_data(file).digest())
        trained = replace(trained, record=replace(trained.record, rows=rows))

        def beside(part: Path) -> None:
            shutil.move(file, part / HOLDOUT)
            if models:
                save_models(trained, part)

        report = folder.write(trained.record, parent, figures=draw, beside=beside)
    return replace(trained, report=report, holdout_file=report / HOLDOUT)


def save_models(trained: Trained, report: Path) -> tuple[str, ...]:
    """Save every fitted pipeline below the report as MLflow does, and tell what is to be known about it."""
    features = trained.train[list(trained.record.rows.features)]
    found: list[str] = []
    for name, path in models_of(trained, report).items():
        found += saving.save(trained.estimators[name], features, name, path)
    return tuple(found)


def models_of(trained: Trained, report: Path | None = None) -> dict[str, Path]:
    """Where each candidate's model is saved, where it is not logged."""
    parent = report or trained.report
    assert parent is not None  # noqa: S101 - who asks has written it
    return {name: parent / MODELS / file_name(name, trained.estimators) for name in trained.estimators}


def file_name(name: str, names: Iterable[str]) -> str:
    """Name a candidate's folder after it: of a name, what means nothing in a path; each another, in any case.

    Example:
        >>> [file_name(it, ("a:B", "A/b", "SVM")) for it in ("a:B", "A/b", "SVM")]
        ['a-B', 'A-b-2', 'SVM']
    """
    taken: list[str] = []
    for other in names:
        plain = slug(other)
        taken.append(plain.casefold())
        if other == name:
            number = taken.count(plain.casefold())
            return plain if number == 1 else f"{plain}-{number}"
    return slug(name)
