"""An experiment's life: started on two versions of one model, ramped, paused, resumed, stopped."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abtest import tracking
from abtest.errors import InvalidInputError, RefusedError
from abtest.guardrail import LATENCY, SIZE
from abtest.live.experiment import Epoch, Experiment, State
from abtest.loaders.models import from_uri
from abtest.loaders.references import pin_sides
from abtest.loaders.scores import behind
from abtest.loaders.tasks import task_of_model
from abtest.metrics.catalogue import DECISIVE, SCORES, in_text
from abtest.transitions import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label
    from abtest.live.store import Store
    from abtest.loaders.models import Model
    from abtest.loaders.references import Pinned
    from abtest.policy import Policy
    from abtest.registry import Reference, RegistryClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An experiment that was started, its first epoch, and what is to be said of it."""

    experiment: Experiment
    epoch: Epoch
    notices: tuple[str, ...]


def start(
    store: Store,
    registry: RegistryClient,
    name: str,
    *,
    model_name: str | None,
    champion: Reference | None,
    challenger: Reference | None,
    policy: Policy,
    inclusion: float,
    why: str,
    salt: str | None = None,
    **plan: Any,  # noqa: ANN401 - the other fields of Experiment
) -> Started:
    """Start an experiment: from now on its plan is frozen.

    Both models are loaded once, here, so that one that does not load, or that requests cannot feed, is found now.

    Args:
        store: Where it is put on record; servers that log there take it up.
        registry: Where the models are.
        name: Its name.
        model_name: The registered model; inferred if only one fits.
        champion: The version that serves; by default as ``compare`` finds it.
        challenger: The version that is tried; likewise.
        policy: What the challenger is held to.
        inclusion: Of all units, those that take part at first.
        why: For the record.
        salt: Sets its assignment apart; random unless told.
        **plan: The other fields of ``Experiment``.

    Raises:
        AbtestError: Nothing was started then.
    """
    found, first, second = pin_sides(registry, model_name, champion, challenger)
    sides = (_registered(first, "champion"), _registered(second, "challenger"))
    if found is None or first.version is None or second.version is None or first.version.name != second.version.name:
        raise InvalidInputError("An experiment needs two versions of one registered model.")
    models = (from_uri("champion", sides[0], registry), from_uri("challenger", sides[1], registry))
    _refuse_other_columns(*models)
    policy = _for_models(policy, models)
    check_policy(policy, mode=plan["mode"], looking=plan.get("looking", "anytime"))
    experiment = Experiment(
        name=name,
        model_name=found,
        champion_version=first.version.version,
        challenger_version=second.version.version,
        salt=secrets.token_hex(8) if salt is None else salt,
        policy=policy,
        classes=_classes(models),
        created_at=datetime.now(UTC),
        created_by=tracking.user(),
        **plan,
    )
    serving = Standing.of(registry.versions(found)).serving
    epoch = store.start(experiment, inclusion=inclusion, why=why)
    return Started(experiment=experiment, epoch=epoch, notices=tuple(_about(experiment, serving)))


def turn(
    store: Store,
    name: str,
    state: State,
    *,
    inclusion: float | None = None,
    why: str,
    evidence: Any = None,  # noqa: ANN401 - plain data
) -> Epoch:
    """Begin the next epoch of an experiment.

    Args:
        store: Where it is on record.
        name: Its name.
        state: What it is to do: run (on, or again), pause, or stop.
        inclusion: Of all units, those that take part, where it runs; by default as it last ran.
        why: For the record.
        evidence: What it rests on.

    Raises:
        NotFoundError: There is no such experiment.
        RefusedError: It is over, or is paused where it is to be ramped, or fewer units than before would take part.
        StaleChampionError: Somebody else began an epoch meanwhile.
    """
    store.experiment(name)
    epochs = store.epochs(name)
    last = epochs[-1]
    if last.state.is_over:
        raise RefusedError(f"Experiment '{name}' is {last.state}, for good.", hint="start another one.")
    share = 0.0
    if state is State.RUNNING:
        ran = next(epoch.inclusion for epoch in reversed(epochs) if epoch.state is State.RUNNING)
        share = ran if inclusion is None else inclusion
        if share < ran:
            raise RefusedError(
                f"inclusion must be at least {ran:g}, got {share:g}: units that take part would be sent away.",
                hint="pause the experiment, or stop it.",
            )
    return store.turn(
        Epoch(
            experiment=name,
            number=last.number + 1,
            state=state,
            inclusion=share,
            began_at=datetime.now(UTC),
            by=tracking.user(),
            why=why,
            evidence=evidence or {},
        )
    )


def ramp(store: Store, name: str, inclusion: float, *, why: str) -> Epoch:
    """Let more units take part; none that was assigned moves.

    Raises:
        RefusedError: The experiment does not run, or fewer units than before would take part.
    """
    last = store.epochs(store.experiment(name).name)[-1]
    if last.state is State.PAUSED:
        raise RefusedError(f"Experiment '{name}' is paused.", hint=f"abtest experiment resume {name} --inclusion …")
    return turn(store, name, State.RUNNING, inclusion=inclusion, why=why)


def check_policy(policy: Policy, *, mode: str, looking: str) -> None:
    """Refuse, before the start, what no live traffic could satisfy.

    Raises:
        InvalidInputError: The policy asks for something that live traffic does not tell.
    """
    scores = [name for name in policy.metrics if name in SCORES]
    if scores:
        raise InvalidInputError(
            f"metrics has {scores[0]}, which takes probabilities, and live traffic is logged by its labels.",
            hint="leave it out here, and guard it by 'abtest compare' before.",
        )
    if policy.reuse != "warn":
        raise InvalidInputError(f"reuse = '{policy.reuse}' is about test sets, and live traffic is none.")
    for i, rail in enumerate(policy.guardrails):
        if rail.segment is not None:
            raise InvalidInputError(
                f"guardrails[{i}]: segments are told apart by features, which live traffic does not log.",
                hint="leave it out here, and guard segments by 'abtest compare' before.",
            )
        if rail.metric == SIZE or (rail.metric == LATENCY and mode == "shadow"):
            why = "live traffic does not tell" if rail.metric == SIZE else "a shadow, which has no hurry, does not tell"
            raise InvalidInputError(
                f"guardrails[{i}]: it is about {rail.metric}, which {why}.",
                hint="leave it out here, and guard it by 'abtest compare' before.",
            )
    always = DECISIVE[policy.task]
    by_interval = policy.rule in {"non-inferior", "primary"}
    if looking == "anytime" and by_interval and policy.primary != always:
        raise InvalidInputError(
            f"The rule {policy.rule} reads {in_text(policy.primary)}, of which nothing stays valid while one looks.",
            hint=f"primary = '{always}', or one look: --looking fixed.",
        )


def _about(experiment: Experiment, serving: Sequence[int]) -> list[str]:
    told = []
    if experiment.champion_version not in serving:
        what = " and ".join(f"version {number}" for number in serving) or "nothing"
        told.append(
            f"In production is {what}, and the champion here is version {experiment.champion_version}: only servers of "
            "that version take part."
        )
    return told


def _registered(pinned: Pinned, side: str) -> str:
    if pinned.version is None or pinned.uri is None:
        raise InvalidInputError(f"The {side}, {pinned.reference}, is no registered version.", hint="register it first.")
    return pinned.uri


def _refuse_other_columns(champion: Model, challenger: Model) -> None:
    """Requests are checked by the champion's signature: a challenger that takes more would fail on each of them."""
    if champion.features is None or challenger.features is None:
        return
    more = [name for name in challenger.features if name not in (*champion.features, *challenger.optional)]
    if more:
        others = f" and {len(more) - 1} more" if more[1:] else ""
        raise InvalidInputError(
            f"The challenger takes column '{more[0]}'{others}, which requests to the champion do not have.",
            hint="serve a champion that takes it too, or compare the two offline.",
        )


def _for_models(policy: Policy, models: Sequence[Model]) -> Policy:
    tasks = {task for task in map(task_of_model, models) if task}
    if len(tasks) > 1:
        raise InvalidInputError("One side predicts classes and the other numbers.", hint="try models of one task.")
    return policy.for_task(tasks.pop()) if tasks else policy


def _classes(models: Sequence[Model]) -> tuple[Label, ...] | None:
    """Every class that the two know; None where one does not say."""
    found: dict[Label, None] = {}
    for model in models:
        raw: Any = behind(model.predictor) if hasattr(model.predictor, "unwrap_python_model") else model.predictor
        classes = getattr(raw, "classes_", None)
        if classes is None:
            return None
        labels = [label.item() if hasattr(label, "item") else label for label in classes]
        if not all(type(label) in {bool, int, float, str} for label in labels):
            return None
        found |= dict.fromkeys(labels)
    return tuple(found)
