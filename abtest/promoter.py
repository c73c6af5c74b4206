"""Decision in, a plan of transitions out; then the plan applied once, and recorded.

Planning is pure; applying reads the registry again first. The challenger comes in before the champion goes out, so at
no moment is nothing in Production. The intent is on record before anything moves, the outcome after.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest import tracking
from abtest.decision import Verdict
from abtest.errors import BackendError, InvalidInputError, RefusedError, StaleChampionError, near
from abtest.loaders.references import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.record import ComparisonRecord
    from abtest.registry import ModelVersion, Registry

PRODUCTION, ARCHIVED = "Production", "Archived"
CHAMPION, CHALLENGER = "champion", "challenger"
PromoteOn: TypeAlias = Literal["promote", "conditional"]
PROMOTE_ON: tuple[PromoteOn, ...] = ("promote", "conditional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a stage or an alias.

    Attributes:
        kind: What moves.
        name: The stage a version enters, or the alias.
        version: The version that enters the stage or gets the alias; None where an alias is removed.
        before: What the version was in, or the version the alias was on.
    """

    kind: Literal["stage", "alias"]
    name: str
    version: int | None
    before: str | None

    def __str__(self) -> str:
        if self.kind == "stage":
            return f"version {self.version}: stage {self.before or 'None'} → {self.name}"
        if self.version is None:
            return f"alias {self.name}: removed from version {self.before}"
        return f"alias {self.name}: version {self.before or 'none'} → {self.version}"

    def holds_in(self, versions: Sequence[ModelVersion]) -> bool:
        """Whether the registry already stands as after the move."""
        if self.kind == "stage":
            return any(v.version == self.version and (v.stage or "None") == self.name for v in versions)
        return _alias_version(versions, self.name) == self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A promotion carried out, or planned where ``run_id`` is None."""

    transitions: tuple[Transition, ...]
    run_id: str | None = None


def check_verdict(record: ComparisonRecord, promote_on: PromoteOn = "promote") -> None:
    """Refuse what the verdict does not allow.

    Raises:
        RefusedError: The verdict is not PROMOTE; or not CONDITIONAL with accuracy up, where that is allowed.
    """
    if promote_on not in PROMOTE_ON:
        raise InvalidInputError(
            f"promote_on must be one of {', '.join(PROMOTE_ON)}, got {promote_on!r}.", hint=near(promote_on, PROMOTE_ON)
        )
    verdict = record.decision.verdict
    if verdict is Verdict.PROMOTE:
        return
    if verdict is not Verdict.CONDITIONAL or promote_on != "conditional":
        raise RefusedError(f"The verdict is {verdict}, which promotes nothing.")
    if not record.evaluation.tested.improved:
        what = "accuracy did not rise" if record.task == "classification" else "the squared errors did not fall"
        raise RefusedError(f"The verdict is CONDITIONAL and {what}, which is never promoted automatically.")


def plan(challenger: int, champion: int | None, versions: Sequence[ModelVersion]) -> tuple[Transition, ...]:
    """Plan what takes the challenger into production, moving only what the model uses.

    Args:
        challenger: The version to promote.
        champion: The version it was compared with; None where that was the baseline.
        versions: All versions of the model, as the registry holds them.

    Returns:
        Transitions in the order in which they are safe; those that already hold are left out.

    Raises:
        RefusedError: Production holds another version than the one that was compared.

    Example:
        >>> from abtest.registry import ModelVersion
        >>> one = ModelVersion(name="m", version=1, run_id=None, stage="Production", aliases=("champion",))
        >>> two = ModelVersion(name="m", version=2, run_id=None, stage="Staging", aliases=("challenger",))
        >>> for step in plan(2, 1, [one, two]):
        ...     print(step)
        version 2: stage Staging → Production
        alias champion: version 1 → 2
        alias challenger: removed from version 2
        version 1: stage Production → Archived
    """
    stages = {version.version: version.stage for version in versions}
    on_champion, on_challenger = (_alias_version(versions, alias) for alias in (CHAMPION, CHALLENGER))
    uses_stages = any(stages.values())
    _refuse_others(challenger, champion, versions)
    steps: list[Transition] = []
    if uses_stages:
        steps.append(Transition(kind="stage", name=PRODUCTION, version=challenger, before=stages[challenger]))
    if on_champion is not None or not uses_stages:
        steps.append(Transition(kind="alias", name=CHAMPION, version=challenger, before=_text(on_champion)))
    if on_challenger == challenger:
        steps.append(Transition(kind="alias", name=CHALLENGER, version=None, before=_text(on_challenger)))
    if champion is not None and stages.get(champion) == PRODUCTION:
        steps.append(Transition(kind="stage", name=ARCHIVED, version=champion, before=PRODUCTION))
    return tuple(step for step in steps if not step.holds_in(versions))


def _refuse_others(challenger: int, champion: int | None, versions: Sequence[ModelVersion]) -> None:
    compared = {challenger, champion}
    in_production = {version.version for version in versions if version.stage == PRODUCTION}
    serving = in_production | {on for on in [_alias_version(versions, CHAMPION)] if on is not None}
    others = sorted(serving - compared)
    if others:
        against = "the baseline" if champion is None else f"version {champion}"
        raise RefusedError(
            f"The challenger was compared with {against}, but version {others[0]} is in production.",
            hint="compare with the version that serves.",
        )


def prepare(
    record: ComparisonRecord, registry: Registry, seen: Sequence[ModelVersion], *, promote_on: PromoteOn = "promote"
) -> tuple[Transition, ...]:
    """Look at the verdict and at the registry as it stands now, and plan; nothing moves.

    Args:
        record: The comparison.
        registry: Where the model is.
        seen: The sides as they stood when they were compared.
        promote_on: What the verdict must be.

    Raises:
        RefusedError: The verdict does not allow it, or the sides are not two versions of one registered model.
        StaleChampionError: A side moved since it was compared.
    """
    check_verdict(record, promote_on)
    challenger = record.challenger.version
    if challenger is None or record.model_name is None:
        raise RefusedError("The challenger is no version of a registered model, so there is nothing to promote.")
    if record.champion.ref != BASELINE and not record.champion.is_version_of(record.model_name):
        raise RefusedError(f"The champion, {record.champion.ref}, is no version of '{record.model_name}'.")
    versions = registry.versions(record.model_name)
    if not _already_serves(challenger, record.champion.version, versions):
        _refuse_stale(seen, versions)
    return plan(challenger, record.champion.version, versions)


def promote(
    record: ComparisonRecord,
    registry: Registry,
    seen: Sequence[ModelVersion],
    *,
    comparison_run_id: str | None,
    experiment: str,
    promote_on: PromoteOn = "promote",
) -> Promotion:
    """Carry the decision out, once, and record that it was.

    Args:
        record: The comparison.
        registry: Where the model is.
        seen: The sides as they stood when they were compared.
        comparison_run_id: The run that holds the evidence.
        experiment: Where the audit run goes.
        promote_on: What the verdict must be.

    Raises:
        RefusedError, StaleChampionError: As ``prepare``, which looks once more.
        BackendError: The registry failed on the way; the message says how far it came.
    """
    transitions = prepare(record, registry, seen, promote_on=promote_on)
    if not transitions:
        return Promotion(transitions=transitions)
    model = str(record.model_name)
    tags = _audit_tags(record, transitions, comparison_run_id)
    name = f"promote {model} v{record.challenger.version}"
    with tracking.open_run(registry.client, experiment, name, tags) as run:
        run.text(json.dumps(_audit(record, transitions), indent=2) + "\n", "promotion.json")
        done: list[Transition] = []
        try:
            for step in transitions:
                _apply(registry, model, step)
                done.append(step)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the registry may be gone: then the intent alone is on record
                run.tags({tracking.OUTCOME: "failed", "abtest.done": _lines(done), "abtest.error": str(error)[:500]})
            if isinstance(error, BackendError):
                raise BackendError(
                    f"The promotion stopped after {len(done)} of {len(transitions)} moves: {error.message}",
                    hint=f"done: {'; '.join(map(str, done)) or 'nothing'}. Run {run.run_id} has the plan.",
                ) from error
            raise
        run.tags({tracking.OUTCOME: "done", "abtest.done": _lines(done)})
    return Promotion(transitions=transitions, run_id=run.run_id)


def _already_serves(challenger: int, champion: int | None, versions: Sequence[ModelVersion]) -> bool:
    """Whether an earlier promotion has already done all of it."""
    by_number = {version.version: version for version in versions}
    own = by_number.get(challenger)
    serves = own is not None and (own.stage == PRODUCTION or CHAMPION in own.aliases)
    return serves and not plan(challenger, champion, versions)


def _refuse_stale(seen: Sequence[ModelVersion], versions: Sequence[ModelVersion]) -> None:
    now = {version.version: version for version in versions}
    for before in seen:
        after = now.get(before.version)
        if after != before:
            stood = f"in {before.stage or 'no stage'} @{', @'.join(before.aliases) or '–'}"
            stands = f"in {after.stage or 'no stage'} @{', @'.join(after.aliases) or '–'}" if after else "gone"
            raise StaleChampionError(
                f"Version {before.version} of '{before.name}' moved since it was compared: "
                f"it was {stood}, it is {stands}.",
                hint="compare again.",
            )


def _apply(registry: Registry, model: str, step: Transition) -> None:
    if step.kind == "stage" and step.version is not None:
        registry.set_stage(model, step.version, step.name)
    elif step.version is None:
        registry.delete_alias(model, step.name)
    else:
        registry.set_alias(model, step.name, step.version)


def _audit_tags(
    record: ComparisonRecord, transitions: Sequence[Transition], comparison_run_id: str | None
) -> dict[str, str]:
    return {
        "abtest.kind": "promotion",
        tracking.OUTCOME: tracking.PENDING,
        "abtest.plan": _lines(transitions),
        "abtest.reason": record.decision.verdict + ": " + " ".join(r.text for r in record.decision.reasons)[:900],
        "abtest.by": tracking.user(),
        **record.tags,
        **({"abtest.comparison_run_id": comparison_run_id} if comparison_run_id else {}),
    }


def _audit(record: ComparisonRecord, transitions: Sequence[Transition]) -> Mapping[str, object]:
    return {
        "model_name": record.model_name,
        "champion_version": record.champion.version,
        "challenger_version": record.challenger.version,
        "verdict": record.decision.verdict,
        "reasons": [reason.text for reason in record.decision.reasons],
        "by": tracking.user(),
        "plan": [str(step) for step in transitions],
    }


def _alias_version(versions: Sequence[ModelVersion], alias: str) -> int | None:
    return next((version.version for version in versions if alias in version.aliases), None)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _lines(transitions: Sequence[Transition]) -> str:
    return "\n".join(str(step) for step in transitions)
