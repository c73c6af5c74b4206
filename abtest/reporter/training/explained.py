"""How candidates were trained and ranked, why so, and where the report comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.metrics.catalogue import in_text
from abtest.reporter.paragraph import Fact, Paragraph
from abtest.reporter.training import headline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.record import TrainingRecord


def method(record: TrainingRecord) -> tuple[Paragraph, ...]:
    """Explain what was done."""
    return tuple(_method(record))


def provenance(record: TrainingRecord) -> tuple[Fact, ...]:
    """List where everything came from; what is not known is left out."""
    return tuple(_provenance(record))


def _method(record: TrainingRecord) -> Iterator[Paragraph]:
    rows, count = record.rows, headline.folds(record)
    whole = "units" if rows.unit is not None else "rows"
    yield Paragraph(
        term="The hold-out",
        text=(
            f"{wording.plural(rows.n_holdout, 'row')} were split off before anything else, "
            f"{'whole units at a time, ' if rows.unit is not None else ''}and no fit, search or ranking has seen "
            "them. They are in holdout.parquet, as test data for abtest compare."
        ),
    )
    yield Paragraph(
        term="The rank",
        text=(
            f"Every setting of every candidate was trained {wording.plural(count, 'time')}, each time without one of "
            f"{count} parts of the {whole}, and scored on that part; the parts are the same for all. A rank is that "
            f"of the mean {in_text(record.metric)}. What was searched was searched on the same parts, so that "
            "a mean after a search is a little too good; the hold-out is not."
        ),
    )
    if headline.others(record):
        yield Paragraph(
            term="How far behind the best",
            text=(
                "Differences to the best are taken fold by fold. Folds share most of their training rows, so that an "
                "ordinary t interval would be too short; the corrected one allows for that. The p-values allow for the "
                "number of candidates (Holm), not for the settings that were searched. The best was chosen by these "
                "same numbers, which makes its lead look a little larger than it is."
            ),
            references="Nadeau and Bengio (2003), Machine Learning 52:239; Holm (1979), Scandinavian Journal of "
            "Statistics 6:65.",
        )
        yield Paragraph(
            term="On the rows held out",
            text=(
                "Every candidate was trained once more on all other rows, and held against the best on the same rows "
                "held out, with the tests of abtest compare. Nothing was chosen by them."
            ),
        )


def _provenance(record: TrainingRecord) -> Iterator[Fact]:
    source, rows = record.provenance, record.rows
    if record.model_name:
        version = "" if record.version is None else f", version {record.version}"
        yield Fact(term="Model", text=f"{record.model_name}{version}")
    if source.registry:
        yield Fact(term="Registry", text=wording.redacted(source.registry), code=True)
    if record.run_id:
        yield Fact(term="MLflow run", text=f"{record.run_id} in experiment {record.experiment}", code=True)
    yield Fact(term="Trained", text=f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC")
    yield Fact(term="Data", text=wording.redacted(rows.path), code=True)
    yield Fact(term="Digest over all rows", text=rows.digest, code=True)
    if rows.holdout_digest:
        yield Fact(term="Digest of the hold-out", text=rows.holdout_digest, code=True)
    yield Fact(term="Digest of the recipe", text=record.recipe_digest, code=True)
    if source.git_commit:
        yield Fact(term="Git commit", text=source.git_commit, code=True)
    libraries = ", ".join(f"{name} {version}" for name, version in source.libraries.items())
    yield Fact(term="Versions", text=f"abtest {source.abtest_version}, Python {source.python_version}, {libraries}")
    if source.command:
        yield Fact(term="Command", text=wording.redacted(source.command), code=True)
