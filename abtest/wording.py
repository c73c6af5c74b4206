"""How numbers are written: one spelling in the terminal, the report, Markdown and reasons.

Example:
    >>> percent(0.1234), points(0.0211), pvalue(0.0031), pvalue(0.00001), whole(12345)
    ('12.3 %', '+2.1 points', 'p = 0.003', 'p < 0.001', '12,345')
"""

from __future__ import annotations

import math
import re
import shlex
from typing import Literal, TypeAlias

Unit: TypeAlias = Literal["share", "score", "number"]

MISSING = "–"
MINUS = "−"  # the typographic minus is as wide as a plus in a table
_LONGEST_QUOTE = 300  # characters
# Greedy to the last @: a password may hold slashes and at signs, and hiding too much of a path is no harm.
_CREDENTIALS = re.compile(r"(?<=://)[^\s'\"]+@")
_SECRET_VALUES = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|pwd|token|secret|api[_-]?key|access[_-]?key|sig|signature|credential))=[^&\s\"']+"
)


def percent(share: float | None) -> str:
    """Write a share of 1 as a percentage with one decimal."""
    return MISSING if share is None else f"{_round(100 * share, 1):.1f} %"


def points(effect: float | None, *, unit: str = " points") -> str:
    """Write a difference of shares in percentage points, signed; two decimals where one would show nothing."""
    if effect is None:
        return MISSING
    digits = 1 if abs(effect) >= 0.0005 or effect == 0 else 2
    return signed(100 * effect, digits) + unit


def value(number: float | None, unit: Unit) -> str:
    """Write a metric's value: a share as a percentage, a score with three decimals, a number with four digits.

    Example:
        >>> value(0.1234, "share"), value(1234.5678, "number"), value(-0.0123456, "number")
        ('12.3 %', '1,235', '−0.01235')
    """
    if unit == "share" or number is None:
        return percent(number)
    written = f"{_round(number, 3):.3f}" if unit == "score" else _plain(number)
    return written.replace("-", MINUS)


def effect(difference: float | None, unit: Unit, *, spell_unit: bool = True) -> str:
    """Write a difference of two values with its sign: of shares in points, of numbers in their own unit.

    Example:
        >>> effect(0.021, "share"), effect(-1.5, "number")
        ('+2.1 points', '−1.500')
    """
    if unit == "share" or difference is None:
        return points(difference, unit=" points" if spell_unit else "")
    if unit == "score":
        return signed(difference, 3 if abs(difference) >= 0.0005 or difference == 0 else 5)
    sign = "+" if difference > 0 else MINUS if difference < 0 else ""
    return sign + _plain(abs(difference))


def size(difference: float, unit: Unit) -> str:
    """Write how large a difference is, without its sign.

    Example:
        >>> size(-0.021, "share"), size(-1.5, "number")
        ('2.1 points', '1.500')
    """
    written = effect(abs(difference), unit).lstrip("+")
    return "1.0 point" if written == "1.0 points" else written


def interval(lower: float, upper: float, unit: Unit, *, spell_unit: bool = True) -> str:
    """Write an interval of effects; the unit stands once.

    Example:
        >>> interval(-0.01, 0.02, "share")
        '−1.0 to +2.0 points'
    """
    return f"{effect(lower, unit, spell_unit=False)} to {effect(upper, unit, spell_unit=spell_unit)}"


def duration(seconds: float) -> str:
    """Write a time of a row's prediction.

    Example:
        >>> duration(0.00000123), duration(0.0345)
        ('1.23 µs', '34.5 ms')
    """
    return f"{1e6 * seconds:.3g} µs" if seconds < 0.001 else f"{1000 * seconds:.3g} ms"


def span(seconds: float) -> str:
    """Write a length of time in the unit that suits it.

    Example:
        >>> [span(it) for it in (0, 90, 86400, 5400)]
        ['0 seconds', '1.5 minutes', '1 day', '1.5 hours']
    """
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and (seconds / size * 2).is_integer():
            return f"{seconds / size:g} {name}{'' if seconds == size else 's'}"
    return f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"


def size_on_disk(count: float) -> str:
    """Write a number of bytes.

    Example:
        >>> size_on_disk(999), size_on_disk(1_500_000)
        ('999 bytes', '1.5 MB')
    """
    if count < 1000:
        return f"{count:.0f} bytes"
    power = min(3, int(math.log10(count)) // 3)
    return f"{count / 1000**power:.3g} {('', 'kB', 'MB', 'GB')[power]}"


def confidence(level: float) -> str:
    """Write a confidence level; however high, it is not 100 %.

    Example:
        >>> confidence(0.95), confidence(1 - 0.05 / 3), confidence(0.9998), confidence(0.625)
        ('95 %', '98.3 %', '99.98 %', '62.5 %')
    """
    left = 100 * (1 - level)
    return f"{100 - float(f'{left:.{2 if left < 10 else 3}g}'):g} %"


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign, its thousands separated; zero has no sign.

    Example:
        >>> signed(1.25, 2), signed(0.0), signed(-0.04, 1), signed(-1675, 0)
        ('+1.25', '0.0', '0.0', '−1,675')
    """
    rounded = _round(value, digits)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):,.{digits}f}"


def pvalue(p: float | None, *, name: str = "p") -> str:
    """Write a p-value with three decimals, or as smaller than 0.001."""
    if p is None:
        return MISSING
    return f"{name} < 0.001" if p < 0.001 else f"{name} = {p:.3f}"


def whole(count: int) -> str:
    """Write a count with its thousands separated."""
    return f"{count:,}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Write a count with its noun.

    Example:
        >>> plural(1, "row"), plural(2000, "row"), plural(2, "class", "classes")
        ('1 row', '2,000 rows', '2 classes')
    """
    return f"{whole(count)} {noun if count == 1 else many or noun + 's'}"


def capitalised(text: str) -> str:
    """Begin a sentence: the first letter is a capital, the others stay."""
    return text[:1].upper() + text[1:]


def command(*words: str) -> str:
    """Write a command of ours as it can be typed into a shell, whatever a model is called.

    Example:
        >>> command("models", "show", "iris"), command("models", "recover", "--undo", "-x $(y)")
        ('abtest models show iris', "abtest models recover --undo -- '-x $(y)'")
    """
    given = [*words[:-1], "--", words[-1]] if words[-1].startswith("-") else [*words]
    return shlex.join(["abtest", *given])


def redacted(text: str) -> str:
    """Hide credentials in a URI or a command line.

    Example:
        >>> redacted("postgresql://me:hunter2@db/mlflow?sslpassword=x&a=1")
        'postgresql://***@db/mlflow?sslpassword=***&a=1'
    """
    return _SECRET_VALUES.sub(r"\1=***", _CREDENTIALS.sub("***@", text))


def first_line(error: BaseException) -> str:
    r"""Quote a foreign error in a sentence of ours: its first line, never a whole array, credentials hidden.

    Example:
        >>> first_line(ValueError("could not convert 'x'.\nSee the manual.")), first_line(EOFError())
        ("could not convert 'x'", 'EOFError')
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # SQLAlchemy begins some messages with a remark on when they were raised.
    said = next((line for line in lines if not line.startswith("(raised as a result")), type(error).__name__)
    told = redacted(said.rstrip("."))
    return told if len(told) <= _LONGEST_QUOTE else told[:_LONGEST_QUOTE] + " …"


def _plain(number: float) -> str:
    """Four digits, as many of them decimals as it takes; 0 has none."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    decimals = max(0, 3 - math.floor(math.log10(abs(number))))
    return f"{number:,.{min(decimals, 12)}f}"


def _round(value: float, digits: int) -> float:
    if not math.isfinite(value):
        return value
    return round(value, digits) + 0.0  # -0.0 + 0.0 is 0.0: no "-0.0" is ever shown
