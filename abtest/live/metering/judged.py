"""What is told to Prometheus of the experiment that goes on: its plan's state, its arms, its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from abtest.live.routing import Routing
    from abtest.live.server.judging import Judge, Judged

    Values = Sequence[tuple[Mapping[str, str], float | None]]  # labels, value; None is not told


def told(routing: Routing, serving_version: int | None, judge: Judge | None) -> Iterator[Metric]:
    """Tell of the experiment that goes on; nothing where none does.

    Args:
        routing: Which one does.
        serving_version: The version that serves.
        judge: Knows how it stood at the last look.
    """
    plan, epoch = routing.experiment, routing.epoch
    if plan is None or epoch is None:
        return
    info = {
        "model": plan.model_name, "mode": plan.mode, "state": str(epoch.state),
        "champion_version": str(plan.champion_version), "challenger_version": str(plan.challenger_version),
    }  # fmt: skip
    families: dict[str, tuple[str, Values]] = {
        "info": ("The experiment that goes on.", [(info, 1)]),
        "epoch": ("Number of its epoch.", [({}, epoch.number)]),
        "inclusion_ratio": ("Of all units, those that take part.", [({}, epoch.inclusion)]),
        "horizon_seconds": ("Age at which a prediction's label is taken to be there.", [({}, plan.horizon)]),
        "stale": (
            "Whether its champion is no longer what serves: then nobody takes part.",
            [({}, routing.is_stale(serving_version))],
        ),
    }
    judged = judge.now if judge else None
    if judged is not None and judged.experiment == plan:
        families |= _traffic(judged) | _evidence(judged)
    for name, (text, values) in families.items():
        yield _family(f"abtest_experiment_{name}", text, plan.name, values)
    if judged is not None:
        yield GaugeMetricFamily("abtest_labels_waiting", "Labels of predictions that are unknown.", judged.waiting)


def _family(name: str, text: str, experiment: str, values: Values) -> Metric:
    labels = list(values[0][0]) if values else []
    family = GaugeMetricFamily(name, text, labels=("experiment", *labels))
    for of, value in values:
        if value is not None:
            family.add_metric((experiment, *of.values()), float(value))
    return family


def _traffic(judged: Judged) -> dict[str, tuple[str, Values]]:
    """What does not depend on any outcome."""

    def arms(attribute: str) -> Values:
        return [({"arm": arm.arm}, getattr(arm, attribute)) for arm in judged.traffic]

    return {
        "judged_timestamp_seconds": ("When it was looked at last.", [({}, judged.at.timestamp())]),
        "exposed_units": ("Units that an arm was shown to.", arms("exposed")),
        "mature_units": ("Of them, those older than the horizon.", arms("mature")),
        "labelled_units": ("Of those, the ones with a label.", arms("labelled")),
        "check_held": (
            "Whether a check of the experiment itself held; 0 stops every verdict.",
            [({"check": check.name}, check.held) for check in judged.checks],
        ),
        "check_log_evidence": (
            "log E against what a check asks, where it has one.",
            [({"check": check.name}, check.log_evidence) for check in judged.checks],
        ),
    }


def _evidence(judged: Judged) -> dict[str, tuple[str, Values]]:
    """What the outcomes say; nothing before a fixed look's time."""
    families: dict[str, tuple[str, Values]] = {}
    plan, reading = judged.experiment, judged.reading
    if judged.harmed is not None:
        text = "Whether the challenger does harm, at the level of a rollback."
        families["harmed"] = (text, [({}, judged.harmed)])
    if reading is None:
        return families
    is_regression = plan.policy.task == "regression"
    values = [({"arm": arm.arm}, arm.value) for arm in reading.arms]
    if is_regression:
        families["mean_squared_error"] = ("Of an arm's labelled units.", values)
    else:
        families["accuracy_ratio"] = ("Share of an arm's labelled units that it got right.", values)
    what = "mean squared error" if is_regression else "accuracy"
    before, after = (arm.value for arm in reading.arms)
    bounds = {"value": None if before is None or after is None else after - before}
    if reading.looks:  # a fixed look has no interval that holds at every look
        bounds |= {"lower": reading.looks[-1].ci_lower, "upper": reading.looks[-1].ci_upper}
    families["effect"] = (
        f"The challenger's {what} minus the champion's, and the ends of its interval.",
        [({"bound": bound}, value) for bound, value in bounds.items()],
    )
    logs = {"better": reading.log_better, "worse": reading.log_worse}
    families["log_evidence"] = (
        "log E that the challenger is better, or worse; at least -700.",
        [({"direction": direction}, log) for direction, log in logs.items()],
    )
    return families
