"""Of several challengers beside one champion: how they are named and ranked, and what has to be said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision import Verdict
from abtest.metrics.catalogue import DECISIVE, in_text, unit
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.evaluator import MetricRow
    from abtest.policy import Policy
    from abtest.record import Between, ComparisonRecord, ComparisonsRecord

_MAY = (Verdict.PROMOTE, Verdict.CONDITIONAL)
_MOST_NAMED = 4
_LONGEST_NAME = 36  # letters, in a sentence


def names_of(record: ComparisonsRecord) -> tuple[str, ...]:
    """Name the challengers as a page can show them."""
    return tuple(shown(name) for name in record.names)


def ranking(record: ComparisonsRecord) -> list[int]:
    """Order the challengers: the recommended one, then by verdict, then by improvement."""

    def rank(i: int) -> tuple[bool, int, float]:
        one = record.comparisons[i]
        row = decisive_row(one)
        return i != record.best, list(Verdict).index(one.decision.verdict), -row.improvement if row else float("inf")

    return sorted(range(len(record.comparisons)), key=rank)


def decisive_row(one: ComparisonRecord) -> MetricRow | None:
    """The row of the metric that the verdict hangs on first; None where it could not be computed."""
    return one.evaluation.find(one.settings.policy.decisive)


def tested(one: ComparisonRecord) -> float | None:
    """The p-value of no difference on that metric: on rows that were looked at before, one valid at any look."""
    row = decisive_row(one)
    if row is None:
        return None
    by_growth = one.growth is not None and one.task == "classification" and row.metric == DECISIVE[one.task]
    return one.growth.pvalue if one.growth is not None and by_growth else row.pvalue


def is_sure(one: ComparisonRecord) -> bool:
    """Whether that test finds a difference, at the level left for this challenger."""
    pvalue = tested(one)
    return pvalue is not None and pvalue < one.settings.policy.alpha


def more_accurate(it: Between) -> int:
    """Which of two challengers is right more often; the second of equals."""
    return it.first if it.contingency.champion_only > it.contingency.challenger_only else it.second


def level(policy: Policy) -> str:
    """What a challenger is held against: a level, or an interval's confidence where that decides."""
    if policy.rule == "non-inferior" or (policy.rule == "primary" and policy.margin is not None):
        return f"{wording.confidence(policy.confidence)} interval"
    return f"p < {policy.alpha:.3g}"


def level_of_all(record: ComparisonsRecord) -> float:
    """The level of all challengers together."""
    return round(1 - record.confidence, 12)


def brief(name: str, most: int = _LONGEST_NAME) -> str:
    """Cut a long name to its end, which tells paths apart.

    Example:
        >>> brief("/models/2026/forest-of-trees", 16)
        '…forest-of-trees'
    """
    return name if len(name) <= most else "…" + name[1 - most :]


def listed(names: Sequence[str], last: str = "and") -> str:
    """List names in a sentence; of many, the first.

    Example:
        >>> listed(["v2", "v3"]), listed(["v2", "v3", "v4", "v5", "v6"])
        ('v2 and v3', 'v2, v3, v4 and 2 more')
    """
    told = [brief(name) for name in names]
    if len(told) > _MOST_NAMED:
        told = [*told[: _MOST_NAMED - 1], f"{len(told) - _MOST_NAMED + 1} more"]
    return f"{', '.join(told[:-1])} {last} {told[-1]}" if len(told) > 1 else told[0]


def headline(record: ComparisonsRecord, names: Sequence[str], first: int) -> str:
    """Say which challenger should serve, or that none should, with the numbers of the first in rank."""
    refuted = unconfirmed(record)
    at = first if refuted is None else refuted
    one, name = record.comparisons[at], brief(names[at])
    rates = _rates(decisive_row(one) or one.evaluation.tested, wording.plural(record.data.n, "row"))
    if refuted is not None:
        none = f"so {_no_challenger(record)} may replace the champion"
        return f"The locked test set does not confirm challenger {name}, {none}: {rates}."
    if record.best is None:
        return f"{_none(record)}. Challenger {name} comes nearest: {rates}."
    if one.decision.verdict is Verdict.CONDITIONAL:
        claim = f"Challenger {name} may replace the champion if somebody accepts what speaks against it"
    else:
        verb = "may" if one.settings.policy.rule == "non-inferior" else "should"
        claim = f"Challenger {name} {verb} replace the champion"
    alone = sum(other.decision.verdict in _MAY for other in record.comparisons) == 1
    return f"{claim}. Of {len(names)} challengers it is the {'only one' if alone else 'best'} that may: {rates}."


def advice(record: ComparisonsRecord, of_first: str) -> str:
    """What to do: what is advised of the first in rank, unless none may serve whatever its own verdict."""
    if unconfirmed(record) is not None:
        return "Keep the champion. The locked test set is open now, and cannot confirm another challenger."
    if record.best is None and record.verdict is Verdict.KEEP_CHAMPION:
        return "Keep the champion, and look below where the challengers are worse."
    return of_first


def advice_on(record: ComparisonsRecord, index: int, own: str) -> str:
    """What to do about one challenger: its own advice, unless another is recommended or none may serve."""
    if index == record.best or record.comparisons[index].decision.verdict not in _MAY:
        return own
    if record.best is None:
        return "That is the verdict on it alone; no challenger may replace the champion."
    best = brief(names_of(record)[record.best])
    return f"That is the verdict on it alone; of those that may serve, challenger {best} is recommended."


def adjustment(record: ComparisonsRecord) -> str:
    """Say how each challenger's level allows for the others."""
    count, alpha = len(record.comparisons), level_of_all(record)
    beginning = f"With {count} challengers, each"
    if record.adjustment == "spend":
        return f"{beginning} is one more use of the test set, and is held to what the policy spends on that use."
    if record.adjustment == "bonferroni":
        return (
            f"{beginning} is held to an equal part of the level (Bonferroni), an interval of "
            f"{wording.confidence(1 - alpha / count)} confidence: the chance that any of these intervals misses stays "
            f"below {100 * alpha:g} %."
        )
    return (
        f"{beginning} is tested at a level that allows for the others (Holm): the chance of finding any difference "
        f"that is not there stays below {100 * alpha:g} %."
    )


def intervals(record: ComparisonsRecord) -> str:
    """Say what intervals do not promise whose levels were chosen by the data; nothing of other levels."""
    if record.adjustment != "holm":
        return ""
    return "Each interval goes with its challenger's own level; that any of them misses is likelier than that."


def cochran(record: ComparisonsRecord) -> str:
    """Say what Cochran's Q says; nothing where it was not computed."""
    test = record.cochran
    if test is None:
        return ""
    found = "some of them differ" if test.pvalue < level_of_all(record) else "no difference among them is shown"
    degrees = wording.plural(test.degrees_of_freedom, "degree")
    return (
        f"Cochran's Q over all {len(record.comparisons) + 1} models is {test.statistic:.2f} ({degrees} of freedom), "
        f"{wording.pvalue(test.pvalue)}: {found}. It is for information; each challenger's own test against the "
        "champion decides."
    )


def rivals(record: ComparisonsRecord, names: Sequence[str]) -> Iterator[str]:
    """Say of the others with the same verdict whether the recommended one is shown to be more accurate."""
    if record.best is None:
        return
    verdicts, best = [one.decision.verdict for one in record.comparisons], brief(names[record.best])
    others = [i for i, verdict in enumerate(verdicts) if verdict is verdicts[record.best] and i != record.best]
    between = {
        it.second if it.first == record.best else it.first: it
        for it in record.between
        if record.best in {it.first, it.second}
    }
    if others and not between:
        yield f"{listed([names[i] for i in others])} may serve too; challengers are not tested against each other here."
        return
    settled = [i for i in others if between[i].pvalue_adjusted < level_of_all(record)]
    better = [names[i] for i in settled if more_accurate(between[i]) == record.best]
    worse = [names[i] for i in settled if more_accurate(between[i]) == i]
    open_ = [names[i] for i in others if i not in settled]
    if worse:
        yield f"{best} improves most on what decides, and is less accurate than {listed(worse)}, which may serve too."
    if better:
        yield f"{best} is more accurate than {listed(better)}, which may serve too."
    if open_:
        yield f"{best} is not shown to be more accurate than {listed(open_, 'or')}, which may serve too."


def unconfirmed(record: ComparisonsRecord) -> int | None:
    """The challenger that a locked test set was opened for in vain."""
    found = [
        i for i, one in enumerate(record.comparisons) if one.confirmation is not None and not one.confirmation.held
    ]
    return found[0] if found and record.best is None else None


def _no_challenger(record: ComparisonsRecord) -> str:
    count = len(record.comparisons)
    return f"none of {count} challengers" if count > 2 else "neither challenger"


def _none(record: ComparisonsRecord) -> str:
    """Say that no challenger may serve, and why."""
    none, policy = _no_challenger(record), record.comparisons[0].settings.policy
    if record.verdict is Verdict.KEEP_CHAMPION:
        return f"The champion should stay: {none} may replace it"
    if any(one.decision.by_rule in _MAY for one in record.comparisons):
        return wording.capitalised(
            f"{none} may replace the champion"
        )  # what the rule found, something beside it holds back
    if not any(decisive_row(one) for one in record.comparisons):
        why = f"as {in_text(policy.decisive)} could not be computed"
        return wording.capitalised(f"{none} is shown to be better than the champion, {why}")
    if policy.rule == "non-inferior":
        return wording.capitalised(f"{none} is shown to be within the margin of the champion")
    margin = " by the margin" if policy.rule == "primary" and policy.margin is not None else ""
    return wording.capitalised(f"{none} is shown to be better than the champion{margin}")


def _rates(row: MetricRow, rows: str) -> str:
    champion, challenger = (wording.value(value, unit(row.metric)) for value in (row.champion, row.challenger))
    if row.metric == "accuracy":
        return f"on the same {rows} it is right {challenger} of the time, the champion {champion}"
    return f"on the same {rows} its {in_text(row.metric)} is {challenger}, the champion's {champion}"
