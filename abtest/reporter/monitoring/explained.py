"""How a report of monitoring was made, why so, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.metrics.catalogue import title, unit
from abtest.reporter.paragraph import Fact, Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.record.monitored import MonitoringRecord


def method(record: MonitoringRecord) -> tuple[Paragraph, ...]:
    """Explain what was done."""
    return tuple(_method(record))


def provenance(record: MonitoringRecord) -> tuple[Fact, ...]:
    """List where everything came from; what is not known is left out."""
    return tuple(_provenance(record))


def _method(record: MonitoringRecord) -> Iterator[Paragraph]:
    seen, settings = record.monitored, record.settings
    yield Paragraph(
        term="Windows",
        text=(
            "Predictions and labels were tallied by the hour and by version when they came in; every number here is of "
            "sums of those tallies. Times are in UTC. A prediction counts "
            f"{f'once it is {wording.span(settings.horizon)} old, so that its label can come' if settings.horizon else 'at once'}."  # noqa: E501 - one sentence
        ),
    )
    if seen.changes:
        yield Paragraph(
            term="Has it fallen?",
            text=(
                "Each metric in the recent window was held against the baseline, over all rows and by segment, by a "
                f"one-sided test at the level {1 - settings.confidence:.3g}{_clusters(record)}. A metric has fallen "
                f"where that test is significant after allowing for all metrics and segments, and the fall is at least "
                f"{_threshold(record)}. It has held where the fall is surely less than that; else it is unclear."
            ),
            references="Holm (1979), Scandinavian Journal of Statistics 6:65.",
        )
    if seen.sequential:
        yield Paragraph(
            term="At every look",
            text=(
                "For each day on which it may have begun, there is a bet that rows are wrong more often from then on "
                "than in the baseline. What these bets are worth together can be looked at any time without its level "
                "being spent, which a test of one look cannot; so it alone says here whether the model has fallen."
            ),
            references="Ville (1939), Étude critique de la notion de collectif; Robbins (1970), Annals of "
            "Mathematical Statistics 41:1397.",
        )
    if seen.drift:
        yield Paragraph(
            term="Drift",
            text=(
                "Numbers were compared by the greatest difference of their distribution functions (Kolmogorov and "
                "Smirnov), texts by their shares (χ², and total variation for the distance), each from sketches of all "
                "rows. A feature drifted where that is significant, at a false discovery rate over all features, and "
                f"the distance at least {settings.drift_floor:g}: of many rows every difference is significant."
            ),
            references="Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289.",
        )


def _clusters(record: MonitoringRecord) -> str:
    clusters = max((it.clusters or 0 for it in record.monitored.changes), default=0)
    hint = ", since rows of one moment share their luck"
    return f", in which {wording.whole(clusters)} days or hours are taken as independent, and not rows{hint}" * (
        clusters > 0
    )


def _threshold(record: MonitoringRecord) -> str:
    """The fall that matters, as it is counted."""
    threshold = record.settings.threshold
    of_value = f"{wording.percent(threshold)} of the baseline's value"
    names = {it.metric for it in record.monitored.changes}
    told = [
        text
        for text, asked in (
            (wording.size(threshold, "share"), any(unit(name) == "share" for name in names)),
            (f"{threshold:g} of R²", "r2" in names),
            (f"{wording.percent(threshold)} of the baseline's RMSE of the bias", "bias" in names),
            (of_value, any(unit(name) != "share" and name not in ("r2", "bias") for name in names)),
        )
        if asked
    ]
    return ", or ".join(told)


def _provenance(record: MonitoringRecord) -> Iterator[Fact]:
    source, settings, seen = record.provenance, record.settings, record.monitored
    yield Fact(term="Model", text=record.model_name)
    yield Fact(term="Tracked in", text=wording.redacted(record.store), code=True)
    if source.registry:
        yield Fact(term="Registry", text=wording.redacted(source.registry), code=True)
    yield Fact(term="Reported", text=f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC")
    metrics = ", ".join(title(name) for name in settings.metrics)
    averages = "" if seen.task == "regression" else f"; {settings.average} averages"
    yield Fact(term="Metrics", text=f"{metrics}{averages}")
    yield Fact(
        term="Settings",
        text=(
            f"confidence {wording.confidence(settings.confidence)}; threshold {settings.threshold:g}; drift from "
            f"{settings.drift_floor:g}; horizon {wording.span(settings.horizon)}"
        ),
    )
    if source.git_commit:
        yield Fact(term="Git commit", text=source.git_commit, code=True)
    libraries = ", ".join(f"{name} {version}" for name, version in source.libraries.items())
    yield Fact(term="Versions", text=f"abtest {source.abtest_version}, Python {source.python_version}, {libraries}")
    if source.command:
        yield Fact(term="Command", text=wording.redacted(source.command), code=True)
