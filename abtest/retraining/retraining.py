"""The road of a retraining: lock, train, register, compare, and promote what the policy allows; all on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest import mover, promoter, workflow
from abtest.comparison import Comparison
from abtest.errors import InvalidInputError, NotFoundError, RefusedError
from abtest.loaders.datasets import open_data
from abtest.promoter import Promotion
from abtest.registry import Reference
from abtest.retraining import earlier
from abtest.retraining.audit import RUN, Audit, Retraining
from abtest.retraining.honest import seen_by_champion
from abtest.retraining.lock import locked
from abtest.retraining.request import champion_of, digests, told
from abtest.trail import Outcome, Trail
from abtest.training.training import train
from abtest.workflow.preparing import prepare

if TYPE_CHECKING:
    from abtest.registry import RegistryClient
    from abtest.retraining.lock import Kept
    from abtest.retraining.request import Request

Progress: TypeAlias = Callable[[str, int, int | None], None]
Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What came of a retraining.

    Attributes:
        audit: Its record.
        comparison: With the champion; None where it was done before and its evidence is no longer there.
        promotion: What was promoted, or asked for; None where nothing was.
        before: Whether it was done before, so that nothing was done now.
        serves: Whether its version serves by now, whoever promoted it.
        asked_for: What became of a promotion that was left to be approved; None where none was.
    """

    audit: Retraining
    comparison: Comparison | None = None
    promotion: Promotion | None = None
    before: bool = False
    serves: bool = False
    asked_for: Outcome | None = None


def retrain(
    request: Request,
    registry: RegistryClient,
    *,
    command: str | None = None,
    tell: Tell = lambda _: None,
    progress: Progress | None = None,
) -> Retrained:
    """Train a model again on new rows, and let the champion be challenged by what comes of it.

    What serves is moved last, by the verdict alone, and only where that is asked for: whatever fails before leaves it
    as it was. What was done already is told and not done again; what was cut off is taken up where it ended.

    Args:
        request: What is asked for.
        registry: Where the model is registered, or is to be.
        command: The command line this came from, for the record.
        tell: Is told what people should know on the way.
        progress: Called as ``progress(what, done, in all)``.

    Raises:
        UnfinishedError: Another retraining of the model goes on, or a move of it does or was cut off; or, where it is
            to be promoted, a request waits for approval.
        AbtestError: See ``abtest.errors``; nothing is promoted then.
    """
    prepare(request.output, request.policy)
    asked = digests(request)
    _refuse_unfinished(registry, request.model)
    champion = champion_of(registry, request)
    audit = Audit(registry, request.model)
    known = () if request.again else audit.read()
    done = next((one for one in reversed(known) if earlier.answers(one, asked, champion, request)), None)
    if done is not None:
        serves = champion is not None and champion.version == done.version
        done = _ended(registry, audit, done, request)
        return Retrained(
            audit=done, comparison=earlier.comparison(registry, done), before=True, serves=serves,
            asked_for=_asked_for(registry, done),
        )  # fmt: skip
    if request.promote_on:
        mover.refuse_waiting(Trail(registry, request.model))
    intent = {**asked, "champion_version": told(champion), **({"command": command} if command else {})}
    with locked(audit, intent, request.lease, tell) as kept:
        begun = earlier.left(known, asked, registry, champion, request)
        if begun is None:
            version, rows = _trained(registry, kept, request, command, progress)
        else:
            version, rows = _taken_up(kept, begun, request, tell)
        compared = _compared(registry, kept, request, version, rows, command=command, tell=tell, progress=progress)
        promotion = _promoted(kept, request, compared)
        ended = kept.done(_ending(kept, request))
    return Retrained(
        audit=ended, comparison=compared, promotion=promotion, serves=ended.step == "promoted",
        asked_for=Outcome.AWAITING if ended.awaits_approval else None,
    )  # fmt: skip


def _refuse_unfinished(registry: RegistryClient, model: str) -> None:
    """Find out before hours of training that a move was cut off, so that nobody can say what serves."""
    try:
        versions = registry.versions(model)
    except NotFoundError:
        return
    mover.cleared(Trail(registry, model), versions, ())


def _ended(registry: RegistryClient, audit: Audit, one: Retraining, request: Request) -> Retraining:
    """Put it on record that one was done whose process was killed when its version served already."""
    if not (one.is_open and one.has_ended(datetime.now(UTC), request.lease)):
        return one
    moves = Trail(registry, request.model).read()
    move = next((move for move in moves if move.evidence.get(RUN) == one.run_id), None)
    one = audit.reach(one, "promoted" if move else None, promotion_run_id=move.run_id if move else None)
    return audit.settle(one, "done", "It was cut off after its last step.")


def _asked_for(registry: RegistryClient, one: Retraining) -> Outcome | None:
    """What became of its request: approved or rejected meanwhile, or waiting still."""
    if not one.awaits_approval:
        return None
    moves = Trail(registry, one.model).read()
    return next((move.outcome for move in moves if move.run_id == one.promotion_run_id), None)


def _taken_up(kept: Kept, begun: Retraining, request: Request, tell: Tell) -> tuple[int, str]:
    """Go on with the version that an earlier attempt has left."""
    kept.reach(
        "registered", version=str(begun.version), training_run_id=begun.training_run_id, holdout=begun.holdout,
        holdout_digest=begun.holdout_digest, taken_up_run_id=begun.run_id,
    )  # fmt: skip
    tell(f"Version {begun.version} was trained before, by the same recipe on the same rows (run {begun.run_id}).")
    return int(begun.version or 0), str(request.test_data or begun.holdout)


def _trained(
    registry: RegistryClient, kept: Kept, request: Request, command: str | None, progress: Progress | None
) -> tuple[int, str]:
    """Train, and register the best as a version in no stage: who is in Staging stays there."""
    found = train(
        request.recipe, request.data, model_name=request.model, tracking_uri=registry.tracking_uri,
        registry_uri=registry.registry_uri, output=Path(request.output),
        draw=bool(request.options.get("save_plot", True)), command=command, progress=progress,
    )  # fmt: skip
    version, rows = found.record.version, found.holdout_file
    assert version is not None and rows is not None  # noqa: S101, PT018 - a model is named, and an output
    if found.record.rows.digest != kept.mine.data_digest:  # then the record would name rows that it was not fitted on
        raise InvalidInputError(f"{request.data} was changed while it was read.", hint="try again when it is whole.")
    holdout = str(rows.resolve())
    kept.reach(
        "registered", version=str(version), training_run_id=found.record.run_id, holdout=holdout,
        holdout_digest=open_data(holdout, "holdout").digest(),
    )  # fmt: skip
    return version, request.test_data or holdout


def _compared(
    registry: RegistryClient,
    kept: Kept,
    request: Request,
    version: int,
    rows: str,
    *,
    command: str | None,
    tell: Tell,
    progress: Progress | None,
) -> Comparison:
    """Compare with what serves now: it may have been moved while the training went on."""
    champion = champion_of(registry, request)
    if champion is None:
        tell(f"'{request.model}' has no champion: compared with the baseline, as its first deployment.")
    options: dict[str, Any] = {**request.options}
    if options.get("train_data") is None:
        options["train_data"], notice = seen_by_champion(registry, kept.audit, request, champion, rows)
        if notice:
            tell(notice)
    compared = workflow.compare(
        Reference(kind="version", value=told(champion)),
        Reference(kind="version", value=str(version)),
        **options, data=rows, target=request.recipe.target, unit=request.recipe.unit, policy=request.policy,
        model_name=request.model, tracking_uri=registry.tracking_uri, registry_uri=registry.registry_uri,
        output=request.output, log=True, command=command, progress=progress,
    )  # fmt: skip
    kept.reach(
        "compared", champion_version=told(champion), challenger_version=str(version),
        comparison_run_id=compared.run_id, verdict=str(compared.verdict),
    )  # fmt: skip
    return compared


def _promoted(kept: Kept, request: Request, compared: Comparison) -> Promotion | None:
    """Promote what the verdict allows, where that is asked for."""
    if request.promote_on is None:
        return None
    try:
        promoter.check_verdict(compared.record, request.promote_on)
    except RefusedError:  # a verdict that promotes nothing is no error
        return None
    kept.reach()  # refuses where another took this one's place
    promotion = compared.promote(
        promote_on=request.promote_on,
        require_approval=request.require_approval,
        evidence={RUN: kept.mine.run_id},
    )
    kept.reach(None if promotion.awaits_approval else "promoted", promotion_run_id=promotion.run_id)
    return promotion


def _ending(kept: Kept, request: Request) -> str:
    mine = kept.mine
    told = f"Version {mine.version} of '{request.model}' against {mine.champion}: {mine.verdict}."
    if mine.step == "promoted":
        return f"{told} It was promoted."
    return f"{told} {'It waits for approval.' if mine.awaits_approval else 'Nothing was promoted.'}"
