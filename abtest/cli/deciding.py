"""What follows from a verdict on the command line, offline and live: it is logged, and maybe carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import typer

from abtest.cli import common

if TYPE_CHECKING:
    from abtest.comparison import Comparison, Comparisons


def best(comparison: Comparison | Comparisons) -> Comparison | None:
    """The comparison that a promotion would carry out; of several, that with the best challenger."""
    from abtest.comparison import Comparisons  # noqa: PLC0415 - --help does not need it

    return comparison.best if isinstance(comparison, Comparisons) else comparison


@overload
def logged(comparison: Comparison, chosen: dict[str, Any]) -> Comparison: ...
@overload
def logged(comparison: Comparisons, chosen: dict[str, Any]) -> Comparisons: ...
def logged(comparison: Comparison | Comparisons, chosen: dict[str, Any]) -> Comparison | Comparisons:
    """Log where asked to, or where there is a registry and nobody said no."""
    if not chosen.get("log", comparison.registry is not None):
        return comparison
    for unfinished in comparison.unfinished_promotions():
        common.tell(f"Warning: {unfinished}")
    return comparison.log(experiment=chosen.get("experiment"), figures=chosen.get("save_plot", True))


def check_usage(given: dict[str, Any], chosen: dict[str, Any]) -> None:
    """Refuse, before any work, what could not be carried out after it."""
    if not chosen.get("auto_promote"):
        idle = [option for option in ("dry_run", "promote_on", "require_approval") if given.get(option)]
        if idle:
            raise typer.BadParameter(
                "means nothing without --auto-promote.", param_hint=f"--{idle[0].replace('_', '-')}"
            )
        return
    if chosen.get("log") is False:
        raise typer.BadParameter(
            "cannot be joined with --no-log: a promotion is recorded.", param_hint="--auto-promote"
        )


def promote(comparison: Comparison | Comparisons, chosen: dict[str, Any], *, quiet: bool) -> None:
    """Carry the verdict out, or say why it is not; a verdict that promotes nothing is no error."""
    found = best(comparison)
    if found is None:
        common.tell(f"Not promoted. The verdict is {comparison.verdict}, which promotes nothing.", quiet=quiet)
        return
    from abtest import promoter, wording  # noqa: PLC0415 - only a promotion needs it
    from abtest.errors import RefusedError  # noqa: PLC0415 - see above

    promote_on = chosen.get("promote_on", "promote")
    try:
        promoter.check_verdict(found.record, promote_on)
    except RefusedError as refusal:
        common.tell(f"Not promoted. {refusal}", quiet=quiet)
        return
    plan = found.promote(promote_on=promote_on, dry_run=True)
    common.tell("Plan:" if plan.transitions else "Nothing to promote: the registry already stands so.", quiet=quiet)
    for step in plan.transitions:
        common.tell(f"  {step}", quiet=quiet)
    if chosen["dry_run"] or not plan.transitions:
        return
    done = found.promote(promote_on=promote_on, require_approval=chosen.get("require_approval", False))
    if done.awaits_approval:
        name = found.record.model_name
        settles = wording.command("models", "approve", str(name))
        common.tell(f"Not promoted yet: run {done.run_id} waits for approval ({settles}).", quiet=quiet)
        return
    common.tell(f"Promoted version {found.record.challenger.version}; recorded in run {done.run_id}.", quiet=quiet)
