"""A report of monitoring as Prometheus reads it: a file for node exporter's textfile collector, named as a server's.

Prometheus' own client spells it. A model has at most so many series, however many features and segments it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.decision.health import Action, Status
from abtest.errors import InvalidInputError
from abtest.reporter.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from abtest.evaluator.monitored import Change, Drift, Monitored, Point
    from abtest.live.tracked import Act
    from abtest.record.monitored import MonitoringRecord

    Values = Iterable[tuple[Mapping[str, object], float | None]]  # labels, value; None is not told
    Family = tuple[str, str, Sequence[str], Values]  # name, text, names of labels, values

MOST_FEATURES, MOST_SEGMENTS = 20, 20  # those that are told: what drifted farthest, and what fell most surely


def write(record: MonitoringRecord, path: Path, acts: Sequence[Act] = ()) -> None:
    """Write a file that the textfile collector finds whole or not at all.

    Args:
        record: What the last check found.
        path: It must end in .prom: the collector reads no other.
        acts: What was done about degradations of the model.

    Raises:
        InvalidInputError: The file has another suffix, or cannot be written, or Prometheus' client is not installed.
    """
    if path.suffix != ".prom":
        raise InvalidInputError(
            f"output must end in .prom, got '{path.name}'.", hint="node exporter's textfile collector reads no other."
        )
    write_whole(path, exposition(record, acts), "output")


def exposition(record: MonitoringRecord, acts: Sequence[Act] = ()) -> str:
    """Spell a report in Prometheus' text format.

    Args:
        record: What the last check found.
        acts: What was done about degradations of the model.

    Raises:
        InvalidInputError: Prometheus' client is not installed.
    """
    try:
        import prometheus_client as prometheus  # noqa: PLC0415 - it is in an extra, and only an export needs it
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see above
    except ImportError:
        raise InvalidInputError(
            "abtest monitor export needs Prometheus' client, which is not installed.",
            hint="pip install 'mlflow-abtest[serve]'",
        ) from None

    class Told:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            for name, text, labels, values in _families(record, acts):
                family = GaugeMetricFamily(f"abtest_monitor_{name}", text, labels=("model", *labels))
                for of, value in values:
                    if value is not None:
                        family.add_metric((record.model_name, *(str(of[label]) for label in labels)), float(value))
                if family.samples:
                    yield family

    registry = prometheus.CollectorRegistry()
    registry.register(Told())
    return prometheus.generate_latest(registry).decode()


def _families(record: MonitoringRecord, acts: Sequence[Act]) -> Iterator[Family]:
    monitored, health = record.monitored, record.health
    yield from _standing(record)
    yield from _volume(monitored, record.created_at.timestamp())
    latest = next((point for point in reversed(monitored.points) if point.metrics), None)
    if latest is not None:
        yield from _metrics(latest)
    yield from _changes(_bounded(monitored.changes))
    yield (
        "log_evidence", "log E, valid at every look, that the share of right predictions has fallen.",
        ("segment", "value"), [(_of(it.segment, it.value), it.log_evidence) for it in monitored.sequential
                               if it.segment is None or len(monitored.sequential) <= MOST_SEGMENTS],
    )  # fmt: skip
    yield (
        "segment_gap", "How much worse a segment does than the rest of its rows in the recent window.",
        ("metric", "segment", "value"),
        [({"metric": it.against_rest.metric, **_of(it.segment, it.value)}, it.against_rest.fall)
         for it in monitored.segments[:MOST_SEGMENTS] if it.against_rest is not None],
    )  # fmt: skip
    yield from _drift(monitored.drift)
    yield "signs", "Things that are not well.", (), [({}, sum(sign.held is False for sign in health.signs))]
    last = {(act.what, act.outcome): act.at.timestamp() for act in sorted(acts, key=lambda act: act.at)}
    yield (
        "last_act_timestamp_seconds", "When something was last done about a degradation, and how it ended.",
        ("what", "outcome"), [({"what": what, "outcome": outcome}, at) for (what, outcome), at in last.items()],
    )  # fmt: skip


def _standing(record: MonitoringRecord) -> Iterator[Family]:
    health, reigns = record.health, record.monitored.reigns
    baseline = record.monitored.baseline
    version = reigns[-1].version if reigns and reigns[-1].version is not None else ""
    info = {"version": version, "baseline": "" if baseline is None else baseline.kind}
    yield "info", "The model that is watched.", ("version", "baseline"), [(info, 1)]
    yield (
        "status", "How the model does: 1 for what it is.", ("status",),
        [({"status": status}, status == health.status) for status in Status],
    )  # fmt: skip
    yield (
        "action", "What is recommended: 1 for what it is.", ("action",),
        [({"action": action}, action == health.action) for action in Action],
    )  # fmt: skip
    yield "last_check_timestamp_seconds", "When it was looked at last.", (), [({}, record.created_at.timestamp())]


def _volume(monitored: Monitored, now: float) -> Iterator[Family]:
    yield "predictions", "Predictions in the report's period.", (), [({}, monitored.n)]
    yield "failed_predictions", "Of them, those that failed.", (), [({}, monitored.failed)]
    yield "labelled_predictions", "Of them, those with a label.", (), [({}, monitored.labelled)]
    yield "label_coverage_ratio", "Of recent predictions, those with a label.", (), [({}, monitored.coverage_recent)]
    yield "label_lag_seconds", "Mean time from a prediction to its label.", (), [({}, monitored.lag)]
    ends = [point.end.timestamp() for point in monitored.points if point.n]
    yield (
        "last_prediction_timestamp_seconds", "End of the last period that has a prediction.", (),
        [({}, min(ends[-1], now))] if ends else [],
    )  # fmt: skip


def _metrics(latest: Point) -> Iterator[Family]:
    label = ("metric",)
    found = latest.metrics
    yield "metric", "Of the last period with labels.", label, [({"metric": it.metric}, it.value) for it in found]
    yield "metric_lower", "Of its interval.", label, [({"metric": it.metric}, it.ci_lower) for it in found]
    yield "metric_upper", "Of its interval.", label, [({"metric": it.metric}, it.ci_upper) for it in found]


def _changes(changes: Sequence[Change]) -> Iterator[Family]:
    labels = ("metric", "segment", "value")
    of = [({"metric": it.metric, **_of(it.segment, it.value)}, it) for it in changes]
    yield "baseline", "A metric in the baseline.", labels, [(key, it.baseline) for key, it in of]
    yield "recent", "A metric in the recent window.", labels, [(key, it.recent) for key, it in of]
    yield "fall", "How much worse it is than the baseline.", labels, [(key, it.fall) for key, it in of]
    yield "fall_lower", "Lower limit of the fall.", labels, [(key, it.fall_lower) for key, it in of]
    yield "fall_tolerated", "The fall that matters.", labels, [(key, it.tolerated) for key, it in of]
    yield (
        "fall_pvalue", "One-sided, of no fall, adjusted for all metrics and segments.", labels,
        [(key, it.pvalue_adjusted) for key, it in of],
    )  # fmt: skip
    yield "fallen", "Whether it has fallen, surely and enough.", labels, [(key, it.trend == "fallen") for key, it in of]


def _drift(drift: Sequence[Drift]) -> Iterator[Family]:
    ranked = sorted(drift, key=lambda it: (it.kind != "prediction", not it.drifted, -(it.distance or 0.0)))
    told = ranked[: MOST_FEATURES + 1]
    of = [({"feature": it.feature, "kind": it.kind}, it) for it in told]
    labels = ("feature", "kind")
    yield (
        "drift_distance", "How far a feature is from the baseline, from 0 to 1.", labels,
        [(key, it.distance) for key, it in of],
    )  # fmt: skip
    yield "drifted", "Whether it drifted.", labels, [(key, it.drifted) for key, it in of]
    yield (
        "drifted_features",
        "Features that drifted, of all.",
        (),
        [({}, sum(it.drifted for it in drift if it.kind != "prediction"))] if drift else [],
    )


def _bounded(changes: Sequence[Change]) -> list[Change]:
    """Of all rows all, and of segments those that fell, by how sure that is."""
    cells = dict.fromkeys(
        (it.segment, it.value)
        for it in sorted(changes, key=lambda it: (it.trend != "fallen", 1.0 if it.pvalue is None else it.pvalue))
        if it.segment is not None
    )
    told = {(None, None), *[*cells][:MOST_SEGMENTS]}
    return [it for it in changes if (it.segment, it.value) in told]


def _of(segment: str | None, value: str | None) -> Mapping[str, str]:
    return {"segment": segment or "", "value": value or ""}
