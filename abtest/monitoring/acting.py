"""What is done about a degradation: the version before is brought back, or somebody is told; rarely, and on record.

It fails closed. Nothing is done without a claim in the log, which one of many processes gets; nothing on an error, and
nothing on drift alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest import wording
from abtest.decision.health import Action, Status
from abtest.errors import AbtestError, RefusedError
from abtest.lifecycle import moving
from abtest.live.tracked import Act
from abtest.monitoring import notifying
from abtest.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from abtest.live.store import Store
    from abtest.record.monitored import MonitoringRecord
    from abtest.registry import RegistryClient

OnDegradation: TypeAlias = Literal["rollback", "notify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who is told of a degradation.

    Attributes:
        webhook: A URL that takes JSON; it may hold a secret, so nothing shows it.
        command: A program and its arguments.
        link: Where a report is.

    Raises:
        InvalidInputError: ``webhook`` or ``command`` is none.
    """

    webhook: str | None = None
    command: str | None = None
    link: str | None = None

    def __post_init__(self) -> None:
        if self.webhook is not None:
            notifying.check_webhook(self.webhook)
        if self.command is not None:
            notifying.check_command(self.command)

    def __repr__(self) -> str:
        return f"Told({', '.join(self.names())})"

    @property
    def anybody(self) -> bool:
        """Whether anybody is."""
        return self.webhook is not None or self.command is not None

    def names(self) -> tuple[str, ...]:
        """Who, without what may be secret."""
        webhook = () if self.webhook is None else (notifying.shown(self.webhook),)
        return webhook if self.command is None else (*webhook, notifying.check_command(self.command)[0])

    def senders(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """How each is told."""
        if self.webhook is not None:
            yield partial(notifying.post, self.webhook)
        if self.command is not None:
            yield partial(notifying.run, notifying.check_command(self.command))


def act(
    store: Store,
    record: MonitoringRecord,
    on: OnDegradation,
    *,
    registry: RegistryClient | None,
    told: Told | None = None,
    every: float = DAY,
    now: datetime | None = None,
) -> tuple[Act, ...]:
    """Do something about a degradation; what fails is told and no error, as what a check found holds all the same.

    Args:
        store: The log, where acts are claimed and recorded.
        record: What the check found.
        on: "rollback": bring back what served before where that is recommended, and say so; else say why not. "notify":
            say what was found.
        registry: Where the model is registered; None where it is not, so that nothing can be rolled back.
        told: Who is told; nobody by default.
        every: Seconds in which each kind of act is done at most once. A rollback that was made is told all the same.
        now: By default now.

    Returns:
        What was done, failed, or was withheld; nothing where the model is not DEGRADED.
    """
    health, at = record.health, now or datetime.now(UTC)
    if health.status is not Status.DEGRADED:
        return ()
    told = told or Told()
    if on == "notify":
        return (_tell(store, record, told, None, at=at, every=every),)
    if health.action is not Action.ROLL_BACK:
        why = f"Nothing was rolled back: what is recommended is to {health.action}."
        held = Act(
            model_name=record.model_name, what="rollback", at=at, status=health.status, outcome="withheld", text=why
        )
    else:
        held = _once(store, record, "rollback", lambda: _roll_back(registry, record), at=at, every=every)
        if held.outcome == "withheld":  # whoever did it shortly before has told of it
            return (held,)
    if not told.anybody:
        return (held,)
    often = 0.0 if held.outcome == "done" else every
    return held, _tell(store, record, told, held.text, at=at, every=often)


def judged_version(record: MonitoringRecord) -> int | None:
    """The version that served at the end of the report, which a rollback would put out of use; None where unknown."""
    reigns = record.monitored.reigns
    return reigns[-1].version if reigns and reigns[-1].end is None else None


def _roll_back(registry: RegistryClient | None, record: MonitoringRecord) -> str:
    """Bring back the version before, if what serves is what was judged.

    Raises:
        StaleChampionError: Another version serves.
        AbtestError: It could not be.
    """
    judged, previous = judged_version(record), record.monitored.previous
    if judged is None:
        raise RefusedError("Nothing was rolled back: which version was judged is not known.")
    if registry is None:
        raise RefusedError("Nothing was rolled back: no registry is named.", hint="name it by --tracking-uri.")
    before = previous.versions if previous is not None else ()
    moved = moving.rollback(
        registry,
        record.model_name,
        to=before[0] if len(before) == 1 else None,  # what was found better; else what history says served before
        why=f"degraded: {record.health.why}",
        serving=(judged,),
    )
    if not moved.plan:
        return f"Version {moved.version} serves already."
    return f"Version {judged} was rolled back, and version {moved.version} serves again."


def _tell(store: Store, record: MonitoringRecord, told: Told, done: str | None, *, at: datetime, every: float) -> Act:
    def tell() -> str:
        message = notifying.message(record, done=done, link=told.link)
        reached, failed = [], []
        for name, send in zip(told.names(), told.senders(), strict=True):
            try:
                send(message)
                reached.append(name)
            except notifying.NotifyingError as error:  # the other is tried all the same
                failed.append(str(error))
        if failed and not reached:
            raise notifying.NotifyingError(" ".join(failed))
        if not reached:
            return "Put on record; nobody is named to be told."
        return " ".join([f"Told {' and '.join(reached)}.", *failed])  # somebody knows: nobody is told again for a while

    return _once(store, record, "notify", tell, at=at, every=every)


def _once(
    store: Store, record: MonitoringRecord, what: OnDegradation, do: Callable[[], str], *, at: datetime, every: float
) -> Act:
    """Do something if this process may, and put on record how it ended."""
    begun = Act(model_name=record.model_name, what=what, at=at, status=record.health.status, outcome="begun", text="")
    try:
        claimed = store.claim(begun, every)
    except AbtestError as error:
        return replace(begun, outcome="failed", text=f"Nothing was done, as it could not be put on record: {error}")
    if claimed is None:
        span = wording.span(every)
        return replace(begun, outcome="withheld", text=f"Another {what} was begun or done less than {span} before.")
    try:
        ended = replace(claimed, outcome="done", text=do())
    except AbtestError as error:
        ended = replace(claimed, outcome="failed", text=str(error))
    try:
        store.settle(ended)
    except AbtestError as error:
        return replace(ended, text=f"{ended.text} That is not on record: {error}")
    return ended
