"""Runs deleted and brought back: all of what was asked for or nothing, and never what is in use.

MLflow keeps what is deleted until ``mlflow gc`` removes it for good.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from abtest import wording
from abtest.books.runs import all_experiments
from abtest.books.used import used_by
from abtest.errors import InvalidInputError, RefusedError
from abtest.talking import told_as_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.books.runs import LoggedRun
    from abtest.registry import RegistryClient


def refuse_used(registry: RegistryClient, runs: Sequence[LoggedRun], *, what: str | None = None) -> None:
    """Refuse to delete any run where one is in use.

    Args:
        registry: Which knows what is in use.
        runs: What would be deleted.
        what: What holds them, where that is to be deleted, such as "experiment 'x'".

    Raises:
        RefusedError: One is in use; it says which, by what, and how many others are.
    """
    used = used_by(registry)
    held = [run for run in runs if run.run_id in used]
    if not held:
        return
    first, others = held[0], len(held) - 1
    why = "; ".join(used[first.run_id])
    if what is not None:
        told = f"{wording.capitalised(what)} cannot be deleted, since {first.title} in it is in use: {why}"
    else:
        told = f"{wording.capitalised(first.title)} cannot be deleted: {why}"
    also = f", and {wording.plural(others, 'other run')} {'is' if others == 1 else 'are'} in use too" if others else ""
    gone = "" if what is None and len(runs) == 1 else " Nothing was deleted."
    command = wording.command("runs", "show", first.run_id[:12])
    raise RefusedError(f"{told}{also}.{gone}", hint=f"'{command}' shows what uses it.")


def delete(registry: RegistryClient, runs: Sequence[LoggedRun]) -> None:
    """Delete runs; where one cannot be, those deleted before it are brought back.

    Raises:
        RefusedError: One is in use: looked at again, since time has passed since it was shown.
        BackendError: MLflow does not do it.
    """
    refuse_used(registry, runs)
    _each(runs, registry.client.delete_run, registry.client.restore_run, "deleted")


def restore(registry: RegistryClient, runs: Sequence[LoggedRun]) -> None:
    """Bring deleted runs back; where one cannot be, those brought back before it are deleted again.

    Raises:
        InvalidInputError: The experiment of one was deleted.
        BackendError: MLflow does not do it.
    """
    there = all_experiments(registry)
    for run in runs:
        if run.experiment_id not in there:
            command = wording.command("experiments", "restore", run.experiment)
            raise InvalidInputError(
                f"{wording.capitalised(run.title)} cannot be restored: its experiment '{run.experiment}' was deleted.",
                hint=f"'{command}' brings it back with all its runs.",
            )
    _each(runs, registry.client.restore_run, registry.client.delete_run, "restored")


def _each(runs: Sequence[LoggedRun], do: Callable[[str], None], undo: Callable[[str], None], done: str) -> None:
    for number, run in enumerate(runs):
        try:
            with told_as_ours(f"{wording.capitalised(run.title)} could not be {done}", typed=True):
                do(run.run_id)
        except BaseException:  # an interruption, too
            for before in runs[:number]:
                with contextlib.suppress(Exception):  # what went wrong first is what is told
                    undo(before.run_id)
            raise
