"""How often a test set has been used to choose a challenger, and what that does to the next choice.

Each comparison leaves a run in MLflow with the digest of all its rows, so the runs count the uses. Trying a challenger
again is free; trying another one is not, even if its run failed, was killed or was deleted: its numbers were seen.
Comparisons that were not logged are not known.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.talking import all_pages, quoted, told_as_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

Reuse: TypeAlias = Literal["warn", "spend", "refuse"]
DATA_DIGEST, CONFIRM_DIGEST = "abtest.data_digest", "abtest.confirm_digest"
ROWS, ROWS_DIGEST = "abtest.rows", "abtest.rows_digest"
LEVEL = "abtest.level"  # at which a challenger was held to the policy beside others
REUSES: tuple[Reuse, ...] = get_args(Reuse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A challenger that was compared on a test set.

    Attributes:
        model_name: The registered model; None where no registry was asked.
        challenger: Its version, or its reference where it has none.
        first_at: When it was first compared, in UTC.
        level: The strictest level it was held to beside other challengers; None where it was compared alone.
    """

    model_name: str | None
    challenger: str
    first_at: datetime
    level: float | None = None

    def __str__(self) -> str:
        if not self.challenger.isdecimal():
            return self.challenger
        return f"{self.model_name} v{self.challenger}" if self.model_name else f"v{self.challenger}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """The distinct challengers compared on a test set so far, in the order of their first comparison.

    Example:
        >>> first = Use(model_name="iris", challenger="2", first_at=datetime(2026, 1, 5, tzinfo=UTC))
        >>> uses = Uses(challengers=(first,))
        >>> uses.count, uses.names, uses.number("iris", "2"), uses.number("iris", "3")
        (1, ('iris v2',), 1, 2)
    """

    challengers: tuple[Use, ...]

    @property
    def count(self) -> int:
        """Distinct challengers."""
        return len(self.challengers)

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(str(use) for use in self.challengers)

    @property
    def earliest(self) -> datetime | None:
        """When the test set was first used; None where it never was."""
        return self.challengers[0].first_at if self.challengers else None

    def level(self, model_name: str | None, challenger: str) -> float | None:
        """The strictest level a challenger was held to here beside others: tried again alone, it keeps it."""
        return next(
            (it.level for it in self.challengers if (it.model_name, it.challenger) == (model_name, challenger)), None
        )

    def beside(self, model_name: str | None, challengers: Iterable[str]) -> int:
        """How many other challengers were compared here."""
        batch = {(model_name, challenger) for challenger in challengers}
        return sum((it.model_name, it.challenger) not in batch for it in self.challengers)

    def number(self, model_name: str | None, challenger: str, *, alongside: Iterable[str] = ()) -> int:
        """Say which use of the test set comparing this challenger is, from 1: a known one keeps its number.

        Args:
            model_name: The registered model.
            challenger: Its version or reference.
            alongside: Challengers of the same model that are compared before it now.
        """
        known = [(use.model_name, use.challenger) for use in self.challengers]
        known += [(model_name, other) for other in alongside if (model_name, other) not in known]
        key = (model_name, challenger)
        return known.index(key) + 1 if key in known else len(known) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a use of a test set means: the level to test at, and a sentence that says why."""

    level: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An earlier comparison, and what its rows can be recognised by.

    Attributes:
        run_id: Its run.
        rows: How many rows it read.
        rows_digest: Their digest in their order.
        data_digest: The digest of its data as a whole.
        champion: The champion's version, or its reference.
        challenger: Likewise.
        at: When, in milliseconds of the epoch.
    """

    run_id: str
    rows: int
    rows_digest: str
    data_digest: str
    champion: str
    challenger: str
    at: int = 0


def looks(client: MlflowClient, model_name: str | None) -> tuple[Look, ...]:
    """List the earlier comparisons of a registered model whose rows can be recognised, the latest first.

    Raises:
        BackendError: MLflow does not answer.
    """
    if model_name is None:
        return ()
    found = []
    for run in _comparisons(client, {"abtest.model_name": model_name}):
        tags = run.data.tags
        if tags.get(ROWS, "").isdecimal() and ROWS_DIGEST in tags:
            found.append(
                Look(
                    run_id=run.info.run_id,
                    rows=int(tags[ROWS]),
                    rows_digest=tags[ROWS_DIGEST],
                    data_digest=tags.get(DATA_DIGEST, ""),
                    champion=tags.get("abtest.champion_version", ""),
                    challenger=tags.get("abtest.challenger_version", ""),
                    at=run.info.start_time,
                )
            )
    return tuple(found)


def uses(client: MlflowClient, *digests: str) -> Uses:
    """Count the uses of a test set, over all experiments, in whatever state they and their runs are.

    Args:
        client: MLflow's, of the tracking server where comparisons are logged.
        digests: Of all rows, as comparisons record it; and those of earlier test sets that it extends.

    Raises:
        BackendError: MLflow does not answer.
    """
    first: dict[tuple[str | None, str], int] = {}
    levels: dict[tuple[str | None, str], float] = {}
    for digest in dict.fromkeys(digests):
        for tag in (DATA_DIGEST, CONFIRM_DIGEST):
            for run in _comparisons(client, {tag: digest}):
                key = _challenger(run)
                first[key] = min(run.info.start_time, first.get(key, run.info.start_time))
                with contextlib.suppress(KeyError, ValueError):  # most were compared alone
                    levels[key] = min(float(run.data.tags[LEVEL]), levels.get(key, 1.0))
    in_order = sorted(first.items(), key=lambda item: (item[1], str(item[0])))
    return Uses(
        challengers=tuple(
            Use(
                model_name=model,
                challenger=challenger,
                first_at=datetime.fromtimestamp(at / 1000, tz=UTC),
                level=levels.get((model, challenger)),
            )
            for (model, challenger), at in in_order
        )
    )


def spent_level(alpha: float, k: int) -> float:
    """Compute the level of the k-th use of a test set: α / (k·(k + 1)).

    Null:
        Each use's own. All levels add up to α, so the chance that any challenger of any number is falsely found better
        or worse stays within α.

    Assumes:
        The challengers were chosen before the first result was seen. Ones built from earlier results can still fit the
        test set.

    Raises:
        InvalidInputError: ``alpha`` is no level, or there is no k-th use.

    References:
        Foster & Stine (2008), Journal of the Royal Statistical Society B 70:429, for spending a level over tests.

    Example:
        >>> [round(spent_level(0.05, k), 5) for k in (1, 2, 7)]
        [0.025, 0.00833, 0.00089]
    """
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must be in (0, 1), got {alpha}.")
    if k < 1:
        raise InvalidInputError(f"k must be at least 1, got {k}.")
    return alpha / (k * (k + 1))


def check(policy_reuse: Reuse, use: int, alpha: float) -> Judgement:
    """Judge a use of a test set by the policy.

    Args:
        policy_reuse: ``warn`` tests at alpha and says how often chance would win; ``spend`` tests at a level that
            shrinks with each use; ``refuse`` allows one use.
        use: Which use it is, from 1.
        alpha: The level of a first use.

    Raises:
        InvalidInputError: The policy refuses, or is none.

    Example:
        >>> judgement = check("spend", 7, 0.05)
        >>> round(judgement.level, 6)
        0.000893
        >>> print(check("warn", 7, 0.05).sentence)
        Use 7 of this test set: if none of 7 challengers were better, chance alone would promote one in up to 17.5 % of
        such series.
    """
    spent = spent_level(alpha, use)  # refuses what is no level and no use
    if policy_reuse not in REUSES:
        raise InvalidInputError(f"reuse must be one of {', '.join(REUSES)}, got {policy_reuse!r}.")
    if policy_reuse == "refuse" and use > 1:
        raise InvalidInputError(
            f"reuse = 'refuse' allows one use of a test set, got use {use}.",
            hint="test on rows that no challenger has seen, or set reuse = 'spend' in the policy.",
        )
    if policy_reuse == "spend":
        sentence = (
            f"Use {use} of this test set: tested at {spent:.2g} ({alpha:g} / ({use}·{use + 1})), so that all uses "
            f"together keep {wording.percent(alpha)}, if the challengers were chosen before the first result was seen."
        )
        return Judgement(level=spent, sentence=sentence)
    if use == 1:
        return Judgement(level=alpha, sentence="First use of this test set.")
    # A test at α finds an equal challenger better with probability α/2; over several that adds up to this at most.
    sentence = (
        f"Use {use} of this test set: if none of {use} challengers were better, chance alone would promote one in up "
        f"to {wording.percent(min(1.0, use * alpha / 2))} of such series."
    )
    return Judgement(level=alpha, sentence=sentence)


def _comparisons(client: MlflowClient, tags: Mapping[str, str]) -> Iterator[Run]:
    """Find every comparison with these tags."""
    from mlflow.entities import ViewType  # noqa: PLC0415 - only who asks MLflow pays for it

    wanted = {"abtest.kind": "comparison", **tags}
    filters = " and ".join(f"tags.`{name}` = {quoted(value)}" for name, value in wanted.items())
    told = "Earlier comparisons could not be read"
    with told_as_ours(told, hint="is the MLflow server running?", anything=True):
        experiments = [found.experiment_id for found in all_pages(client.search_experiments, view_type=ViewType.ALL)]
        yield from all_pages(
            client.search_runs, experiment_ids=experiments, filter_string=filters, run_view_type=ViewType.ALL
        )


def _challenger(run: Run) -> tuple[str | None, str]:
    """Who was tried. What has neither a version nor an address counts as one of its own: better one use too many."""
    tags = run.data.tags
    named = tags.get("abtest.challenger_version", "")
    known = named.isdecimal() or "/" in named
    return tags.get("abtest.model_name"), named if known else f"run {run.info.run_id}"
