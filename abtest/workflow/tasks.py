"""Which task a comparison is of: as asked, as the policy's metrics say, or as models and truth tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError, near
from abtest.labels import TASKS
from abtest.loaders.tasks import refuse_classifiers
from abtest.metrics.custom import is_custom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.labels import Task
    from abtest.loaders.models import Model
    from abtest.policy import Policy
    from abtest.record import ComparisonSettings


def settle(
    settings: ComparisonSettings,
    asked: Task | None,
    infer: Callable[[], tuple[Task, str | None]],
    models: Sequence[Model] = (),
) -> tuple[ComparisonSettings, tuple[str, ...]]:
    """Fit the settings to the task, and say so where it was inferred to be a regression.

    Args:
        settings: As they were given.
        asked: The task, where it was.
        infer: Finds it out, and why.
        models: None of which may be a classifier in a regression, asked for or not.

    Raises:
        InvalidInputError: There is no such task, or an option means nothing for it.
    """
    if asked is not None and asked not in TASKS:
        raise InvalidInputError(f"task must be one of {', '.join(TASKS)}, got {asked!r}.", hint=near(str(asked), TASKS))
    task, told = asked or settings.policy.task, None
    if asked is None and task == "classification":
        task, told = infer()
    if task == "regression":
        refuse_classifiers(models)
        _refuse_idle(settings)
    return replace(settings, policy=settings.policy.for_task(task)), (told,) if told else ()


def own_losses(policy: Policy) -> tuple[str, ...]:
    """The user's own losses by row, of a regression."""
    return tuple(name for name in policy.metrics if is_custom(name)) if policy.task == "regression" else ()


def _refuse_idle(settings: ComparisonSettings) -> None:
    """Refuse what is about classes."""
    for name, idle in (("label_type", None), ("pos_label", None), ("average", "macro")):
        given = getattr(settings, name)
        if given != idle:
            raise InvalidInputError(
                f"{name} means nothing in a regression, got {given!r}.", hint="--task classification compares classes."
            )
