"""A test planned before it is run: how many rows it takes, and what the rows there are can show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from abtest import wording
from abtest.errors import InvalidInputError, near
from abtest.stats import power as stats
from abtest.stats.mcnemar import McNemarMethod

Rule: TypeAlias = Literal["share", "non-inferior"]
RULES: tuple[Rule, ...] = get_args(Rule)

_POINTS = 64  # of a curve
_CERTAIN = 0.999  # where a curve ends
_FAR = 15  # times the curve's ends: rows beyond would leave it no room
_LEAST, _MOST = 1e-6, 0.999  # sizes that are drawn next to the one asked about
_NEAR = 0.005  # how far a written number may be off, of its own size


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCurve:
    """Power against rows for one size of difference.

    Attributes:
        size: The difference to find, or the margin to prove, as a share.
        rows_needed: Rows from which on it has the power asked for.
        exact_power: With the rows asked about; else with the rows needed.
        points: Rows and power, up to where it is nearly certain.
    """

    size: float
    rows_needed: int
    exact_power: float
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPlan:
    """What was asked about a test, and the answer.

    Attributes:
        rule: "share" finds a difference by McNemar's test; "non-inferior" proves by Tango's interval that the
            challenger is not worse by a margin, the sides being equally accurate.
        discordance: Share of rows on which exactly one side is right.
        effect: The difference in accuracy to find; None where only rows were given, or a margin.
        margin: The loss in accuracy tolerated; None under the rule "share".
        rows: The rows there are; None where their number is the question.
        power: The power asked for.
        confidence: Of the test or interval.
        method: Form of McNemar's test; None under the rule "non-inferior".
        rows_needed: Rows from which on the difference is found, or the margin proved, with the power asked for.
        exact_power: With ``rows`` where they were given, else with ``rows_needed``.
        detectable: The smallest difference that ``rows`` find, or margin that they prove, with the power asked for;
            None where they are too few for any, or were not given.
        curve: Power by rows for half the size asked about, for that size and for double it where that can be; empty
            where no size was given and the rows are too few for any.
    """

    rule: Rule
    discordance: float
    effect: float | None
    margin: float | None
    rows: int | None
    power: float
    confidence: float
    method: McNemarMethod | None
    rows_needed: int | None
    exact_power: float | None
    detectable: float | None
    curve: tuple[PowerCurve, ...]

    @property
    def size(self) -> float | None:
        """The difference or margin asked about; where none was, the smallest that the rows can show."""
        return next((size for size in (self.effect, self.margin) if size is not None), self.detectable)

    def to_dict(self) -> dict[str, Any]:
        """Spell the plan as plain data for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return plain

    def to_json(self) -> str:
        """Spell the plan as JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def plan(
    *,
    discordance: float,
    effect: float | None = None,
    margin: float | None = None,
    rows: int | None = None,
    rule: Rule = "share",
    power: float = 0.8,
    confidence: float = 0.95,
    method: McNemarMethod = "mid-p",
) -> PowerPlan:
    """Plan a test: rows for a difference, or the difference for rows.

    Args:
        discordance: Share of rows on which exactly one side is right: as observed, or a guess on the high side. It
            is never more than the two error rates together.
        effect: The difference in accuracy that matters, as a share. Its sign does not matter.
        margin: Under the rule "non-inferior", the loss in accuracy that is tolerated, as a share.
        rows: Rows there are.
        rule: What the test has to show.
        power: Probability to show it.
        confidence: Of the test or interval.
        method: Form of McNemar's test.

    Raises:
        InvalidInputError: A number is out of its range, or neither a difference nor rows were given.

    Example:
        >>> found = plan(discordance=0.1, effect=0.01)
        >>> found.rows_needed, [curve.rows_needed for curve in found.curve]
        (7839, [31386, 7839, 1949])
    """
    _check(rule, effect, margin, rows)
    if rule == "share":
        ask = _Asked(
            power=lambda n, size: stats.mcnemar_power(n, discordance, size, confidence_level=confidence, method=method),
            rows=lambda size: stats.rows_needed(
                discordance, size, power=power, confidence_level=confidence, method=method
            ),
            size=lambda n: stats.detectable_effect(
                n, discordance, power=power, confidence_level=confidence, method=method
            ),
            most=discordance,
        )
    else:
        ask = _Asked(
            power=lambda n, size: stats.noninferiority_power(n, discordance, size, confidence_level=confidence),
            rows=lambda size: stats.noninferiority_rows(discordance, size, power=power, confidence_level=confidence),
            size=lambda n: stats.provable_margin(n, discordance, power=power, confidence_level=confidence),
            most=_MOST,
        )
    detectable = None if rows is None else ask.size(rows)
    size = abs(effect) if effect is not None else margin if margin is not None else detectable
    curve = () if size is None else _curves(ask, size, rows)
    asked = next((line for line in curve if line.size == size), None)
    return PowerPlan(
        rule=rule,
        discordance=discordance,
        effect=None if effect is None else abs(effect),
        margin=margin,
        rows=rows,
        power=power,
        confidence=confidence,
        method=method if rule == "share" else None,
        rows_needed=asked.rows_needed if asked else None,
        exact_power=asked.exact_power if asked else None,
        detectable=detectable,
        curve=curve,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A rule's three questions, of everything but rows and sizes answered already."""

    power: Callable[[int, float], float]
    rows: Callable[[float], int]
    size: Callable[[int], float | None]
    most: float


def _curves(ask: _Asked, size: float, rows: int | None) -> tuple[PowerCurve, ...]:
    """Half the size, the size and double it, over the same rows."""
    sizes = [s for s in (size / 2, size, size * 2) if s == size or _LEAST <= s <= ask.most]
    needed = [ask.rows(s) for s in sizes]
    low, high = min(needed) / 16, float(max(needed))
    while ask.power(round(high), sizes[0]) <= _CERTAIN:
        high *= 1.2
    shown = [] if rows is None or not low / _FAR < rows < high * _FAR else [rows]
    ends = min([low, *(0.7 * n for n in shown)]), max([high, *(1.4 * n for n in shown)])
    grid = {max(1, round(n)) for n in np.geomspace(*ends, _POINTS)}
    return tuple(_curve(ask, s, n, rows, sorted(grid.union(needed, shown))) for s, n in zip(sizes, needed, strict=True))


def _curve(ask: _Asked, size: float, needed: int, rows: int | None, grid: list[int]) -> PowerCurve:
    points = []
    for n in grid:
        points.append((n, ask.power(n, size)))
        if points[-1][1] > _CERTAIN and n > needed:
            break
    exact = ask.power(needed if rows is None else rows, size)
    return PowerCurve(size=size, rows_needed=needed, exact_power=exact, points=tuple(points))


def _check(rule: Rule, effect: float | None, margin: float | None, rows: int | None) -> None:
    if rule not in RULES:
        raise InvalidInputError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.", hint=near(str(rule), RULES))
    if rule == "non-inferior":
        if effect is not None:
            raise InvalidInputError("effect means nothing under the rule non-inferior.", hint="give a margin instead.")
        if margin is None:
            raise InvalidInputError(
                "margin is missing: the rule non-inferior needs one.", hint="0.01 tolerates a loss of 1 point."
            )
    elif margin is not None:
        raise InvalidInputError(
            "margin means nothing under the rule share.", hint="give an effect instead, or the rule non-inferior."
        )
    elif effect is None and rows is None:
        raise InvalidInputError(
            "effect and rows are both missing.",
            hint="give the smallest difference that matters, 0.01 for 1 point, or the rows there are.",
        )
    if rows is not None and rows < 1:
        raise InvalidInputError(f"rows must be at least 1, got {rows}.")


def answer(plan: PowerPlan) -> str:
    """Answer what was asked, in a sentence or two.

    Example:
        >>> answer(plan(discordance=0.1, rows=900))
        '900 rows find a difference of 2.93 points or more with 80 % power when 10.0 % of the rows are discordant.'
    """
    when = f"with {100 * plan.power:g} % power when {percent(plan.discordance)} of the rows are discordant"
    if plan.margin is not None:
        said = f"To prove that an equally accurate challenger is not worse by {points(plan.margin)} {when}"
    elif plan.effect is not None:
        said = f"To find a difference of {points(plan.effect)} {when}"
    elif plan.detectable is not None:
        return f"{_rows(plan.rows)} find a difference of {points(plan.detectable)} or more {when}."
    else:
        return f"{_rows(plan.rows)} are too few to find any difference {when}."
    said += f" takes {_rows(plan.rows_needed)}."
    if plan.rows is None:
        return said
    verb = "find" if plan.margin is None else "prove"
    able = "nothing" if plan.detectable is None else f"{points(plan.detectable)} or more"
    return (
        f"{said} {_rows(plan.rows)} {verb} it with {wording.percent(plan.exact_power)} power; with "
        f"{100 * plan.power:g} % power they {verb} {able}."
    )


def points(size: float) -> str:
    """Write a size in percentage points, without a sign and to half a percent of it.

    Example:
        >>> points(0.01), points(0.0025), points(0.03018)
        ('1.0 point', '0.25 points', '3.02 points')
    """
    (text,) = numbers([size])
    return f"{text} {'point' if text == '1.0' else 'points'}"


def percent(share: float) -> str:
    """Write a share as a percentage, to half a percent of it.

    Example:
        >>> percent(0.1), percent(0.00383)
        ('10.0 %', '0.383 %')
    """
    return f"{numbers([share])[0]} %"


def numbers(shares: list[float]) -> list[str]:
    """Write shares in hundredths, with as many decimals as the one that needs most of them.

    Example:
        >>> numbers([0.0025, 0.005, 0.01])
        ['0.25', '0.50', '1.00']
    """
    written = [100 * share for share in shares]
    digits = next((d for d in range(1, 6) if all(abs(round(v, d) - v) <= _NEAR * v for v in written)), 6)
    return [f"{value:.{digits}f}" for value in written]


def _rows(count: int | None) -> str:
    return wording.MISSING if count is None else wording.plural(count, "row")
