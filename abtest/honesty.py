"""Whether the test set can be trusted: how often it was used, whether it grew, what of it was trained on.

What is found here goes on record and into the notices; what it does to the verdict, the decision says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from abtest import reuse, wording
from abtest.errors import BackendError, InvalidInputError
from abtest.evaluator import Growth
from abtest.loaders import differences as told_apart
from abtest.loaders.datasets import open_data
from abtest.loaders.fingerprints import Fingerprinter
from abtest.policy import Policy
from abtest.record import Differences, TrainingData
from abtest.stats.priors import prior_shift
from abtest.stats.sequential import log_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from abtest.labels import Side
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.fingerprints import Fingerprints, Leak
    from abtest.registry import RegistryClient
    from abtest.reuse import Look

RUN = "run"  # the training data that the challenger's run has logged
_MOST_SHARED = 0.5
_SHIFT_THAT_MATTERS = 0.05  # of the classes' shares, as total variation


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What this use of a test set is, and the policy it is judged by.

    Attributes:
        number: How many challengers were compared on these rows, with this one; None where nobody counts.
        policy: The policy, at the level that is left to spend.
        notice: What to say about it, if anything.
    """

    number: int | None
    policy: Policy
    notice: str | None = None


def earlier_looks(registry: RegistryClient | None, model_name: str | None) -> tuple[Look, ...]:
    """List the earlier comparisons of a model whose rows could be the first of these."""
    return reuse.looks(registry.client, model_name) if registry is not None else ()


def counted_use(
    registry: RegistryClient | None,
    policy: Policy,
    digests: tuple[str, ...],
    *,
    model_name: str | None,
    challenger: str,
    logged: bool,
    alongside: tuple[str, ...] = (),
    together: tuple[str, ...] = (),
) -> Use:
    """Count this use of a test set, and find the level that is left for it.

    Args:
        registry: Whose tracking server keeps the comparisons.
        policy: What is to hold.
        digests: Of the test set, and of earlier ones that it extends.
        model_name: The registered model.
        challenger: Its version or reference.
        logged: Whether this comparison will be there to be counted.
        alongside: Challengers before it in this very comparison, each of which spends its own part of the level.
        together: All challengers of this comparison, where they are several: a level that allows for the others is then
            found for each, and what there is to say is of earlier ones.

    Raises:
        InvalidInputError: The policy counts uses, and there is nowhere to; or it refuses this one.
    """
    if policy.reuse != "warn" and (registry is None or not logged):
        why, how = ("is not logged", "log it (--log, log=True)")
        if registry is None:  # predictions without models, or models that no registry holds
            why, how = ("asks none", "compare registered models, or name one (--tracking-uri)")
        raise InvalidInputError(
            f"reuse = '{policy.reuse}' counts the uses of a test set in MLflow, and this comparison {why}.",
            hint=f"{how}; or set reuse = 'warn' in the policy.",
        )
    if registry is None:
        return Use(number=None, policy=policy)
    uses = reuse.uses(registry.client, *digests)
    number = uses.number(model_name, challenger, alongside=alongside if policy.reuse == "spend" else ())
    judgement = reuse.check(policy.reuse, number, policy.alpha)
    if policy.reuse == "spend":
        return Use(number=number, policy=replace(policy, confidence=1 - judgement.level), notice=judgement.sentence)
    level = uses.level(model_name, challenger)
    if level is not None and level < policy.alpha:
        # Tried again alone, a challenger would be held to less than it was beside the others.
        notice = f"Compared on these rows before, beside others, at the level {level:.3g}: it is held to that again."
        return Use(number=number, policy=replace(policy, confidence=1 - level), notice=None if together else notice)
    if together:
        others = uses.beside(model_name, together)
        notice = (
            f"These rows were used for {wording.plural(others, 'other challenger')} before; the level below allows for "
            "those of this comparison alone."
        )
        return Use(number=number, policy=policy, notice=notice if others else None)
    return Use(number=number, policy=policy, notice=None if number == 1 else judgement.sentence)


def extended(looks: tuple[Look, ...], rows: Fingerprints | None) -> tuple[Look, ...]:
    """The earlier looks whose rows are the first of these."""
    if rows is None:
        return ()
    marks = {(mark.n, mark.digest) for mark in (*rows.marks, rows.end)}
    return tuple(look for look in looks if (look.rows, look.rows_digest) in marks)


def growth(
    looks: tuple[Look, ...], rows: int, sides: Mapping[Side, str], favours: tuple[int, int] | None
) -> tuple[Growth | None, tuple[str, ...]]:
    """Judge rows that extend an earlier look at the same two models by evidence that stays valid.

    Args:
        looks: Those that these rows extend.
        rows: How many there are now.
        sides: Version or reference of each side.
        favours: Independent pairs, all there are now, that favour the champion, and those that favour the challenger;
            None of a regression, whose errors have no such test.
    """
    pair = [look for look in looks if (look.champion, look.challenger) == (sides["champion"], sides["challenger"])]
    # Rows that were looked at whole before a part of them was are no test set that grew.
    whole = min((look.at for look in pair if look.rows == rows), default=math.inf)
    same = [look for look in pair if look.rows < rows and look.at <= whole]
    if not same:
        return None, ()
    last = max(same, key=lambda look: look.rows)
    evidence = log_evidence(*favours) if favours else 0.0
    found = Growth(
        rows=last.rows, run_id=last.run_id, log_evidence=evidence, pvalue=min(1.0, math.exp(-max(evidence, 0.0)))
    )
    before = (
        f"The first {wording.whole(last.rows)} of these rows were looked at before with the same two models (run "
        f"{last.run_id})."
    )
    if favours is None:
        return found, (f"{before} Errors have no test here that stays valid while a test set grows.",)
    notice = (
        f"{before} A test set that grows until it convinces needs a test that stays valid at every look: "
        f"{wording.pvalue(found.pvalue)}, with evidence E = {_written(evidence)}. It takes the rows to "
        "have come in an order that has nothing to do with their class."
    )
    return found, (notice,)


def _written(log_evidence: float) -> str:
    return (
        wording.value(math.exp(log_evidence), "number")
        if log_evidence < 20
        else f"10^{log_evidence / math.log(10):.0f}"
    )


def repeated(rows: Fingerprints | None) -> tuple[str, ...]:
    """Say that rows occur more than once, which makes the evidence look larger than it is."""
    duplicates = rows.duplicates if rows is not None else None
    if not duplicates or rows is None:
        return ()
    share = wording.percent(duplicates / rows.n)
    verb = "repeats" if duplicates == 1 else "repeat"
    notice = (
        f"{wording.plural(duplicates, 'row')} ({share}) {verb} an earlier one, label and all: as evidence they count "
        "once, and are counted each time."
    )
    return (notice,)


def training(
    rows: Fingerprints, source: str | Path | pd.DataFrame, alpha: float, *, classes: bool = True
) -> tuple[TrainingData, tuple[str, ...]]:
    """Look for the test rows in the training data, in one pass over these; compare the shares of classes, if any.

    Raises:
        InvalidInputError: The training data lack a column, or hold a value that the models' types do not.
    """
    data = open_data(source, "train-data")
    leak = _shared(rows, data)
    shift = prior_shift(leak.train_classes, rows.classes) if classes else None
    found = TrainingData(
        path=wording.redacted(data.name),
        n=leak.n_train,
        leaked=leak.leaked,
        conflicting=leak.conflicting,
        first_rows=leak.first_rows,
        total_variation=shift.total_variation if shift else None,
        pvalue=shift.pvalue if shift else None,
    )
    return found, tuple(_about_training(found, rows.n, alpha))


def refuse_overlap(rows: Fingerprints | None, data: Dataset, locked: Dataset) -> None:
    """Refuse a locked test set that is part of the one that was looked at.

    Where rows are few values, rows that were never looked at equal some that were: as many of them as repeat an earlier
    one within the test set are taken for that.

    Raises:
        InvalidInputError: At least half of the locked rows, beyond those, are rows of the test set.
    """
    if rows is None:
        return
    reader = Fingerprinter(rows.hasher, keep=math.inf)
    for batch in locked.batches(*_columns(rows, locked)):
        reader.add(batch)
    found = reader.fingerprints()
    shared = _shared(found, data).leaked
    if shared / found.n - (rows.duplicates or 0) / rows.n >= _MOST_SHARED:
        raise InvalidInputError(
            f"confirm-data {locked.name} shares {wording.plural(shared, 'row')} of its {wording.whole(found.n)} with "
            "the test data.",
            hint="keep rows apart that nobody looks at.",
        )


def _shared(rows: Fingerprints, data: Dataset) -> Leak:
    """Find which of the rows occur in other data."""
    return rows.leaked(data.batches(*_columns(rows, data)))


def _columns(rows: Fingerprints, data: Dataset) -> tuple[list[str], dict[str, pa.DataType]]:
    columns = [*rows.hasher.columns, rows.hasher.target]
    types = {name: rows.hasher.types.get(name, pa.string()) for name in columns} if data.is_text else {}
    return columns, types


def logged_training(registry: RegistryClient | None, run_id: str | None) -> str:
    """Find the training data that a run has logged.

    Raises:
        InvalidInputError: There is no run, or it logged none that can be read from here.
    """
    from abtest import tracking  # noqa: PLC0415 - only who asks for it pays

    hint = "name the file: --train-data FILE"
    if registry is None or run_id is None:
        raise InvalidInputError("train-data 'run' needs a challenger that was logged by a run.", hint=hint)
    source = tracking.training_source(registry.client, run_id)
    if source is None:
        raise InvalidInputError(f"train-data: run {run_id} logged no training data that can be read here.", hint=hint)
    return source


def differences(uris: Mapping[Side, str], registry: RegistryClient | None) -> Differences | None:
    """List what else differs between two logged models: their columns, and what they run with."""
    if set(uris) != {"champion", "challenger"}:
        return None
    try:
        champion, challenger = (told_apart.describe(side, uris[side], registry) for side in ("champion", "challenger"))
    except (InvalidInputError, BackendError) as error:  # they were loaded and compared: this is beside the point
        return Differences(columns=(), packages=(), notices=(error.message,))
    found = told_apart.differences(champion, challenger)
    return Differences(
        columns=(
            *(f"{name}: challenger only" for name in found.added),
            *(f"{name}: champion only" for name in found.removed),
            *found.retyped,
            *(f"output {change}" for change in found.outputs),
        ),
        packages=found.packages,
        notices=found.notices,
    )


def _about_training(found: TrainingData, rows: int, alpha: float) -> Iterator[str]:
    if found.leaked:
        share = wording.percent(found.leaked / rows)
        first = f"row {wording.whole(found.first_rows[0])}"
        yield (
            f"{wording.plural(found.leaked, 'test row')} ({share}; first: {first}) "
            f"{'is' if found.leaked == 1 else 'are'} in the training data: a model may have learnt "
            f"{'it' if found.leaked == 1 else 'them'} by heart."
        )
    if found.conflicting:
        yield (
            f"{wording.plural(found.conflicting, 'test row')} {'is' if found.conflicting == 1 else 'are'} in the "
            "training data with another label."
        )
    shifted = found.total_variation is not None and found.total_variation >= _SHIFT_THAT_MATTERS
    if shifted and found.pvalue is not None and found.pvalue < alpha:
        yield (
            f"Training and test data mix the classes differently: {wording.percent(found.total_variation)} of the rows "
            "would have to change class."
        )
