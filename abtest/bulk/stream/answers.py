"""Lines of JSON → an answer each, in order: a prediction, or why there is none."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest.bulk.answers import named
from abtest.bulk.columns import ALL, PREDICTION, collides
from abtest.bulk.stream.apart import apart
from abtest.errors import InvalidInputError
from abtest.labels import Label, label_order
from abtest.live.serving.fields import FieldError
from abtest.live.serving.handing import taken
from abtest.live.serving.values import shown
from abtest.live.serving.wire import unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.bulk.interactive import Answer, Teller
    from abtest.bulk.stream.lines import Line

Kind: TypeAlias = Literal["empty", "too long", "not UTF-8", "not JSON", "not an object", "does not fit", "model failed"]
_LINE, _ERROR, _HINT = "line", "error", "hint"
_HUGE = re.compile(rb"\d[eE]\+?\d{3}|\d{200}")  # may be a number beyond all floats, which would be read as infinity
_OURS = frozenset((_LINE, PREDICTION, _ERROR, _HINT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A line, and what is said to it.

    Attributes:
        number: The line's, from 1.
        row: What it holds; None where it is no object.
        prediction: A label or a number; None where there is none.
        kind: What is wrong; None where nothing is.
        told: The answer, as JSON has it.
    """

    number: int
    row: dict[str, Any] | None
    prediction: Label | None
    kind: Kind | None
    told: dict[str, Any]


class BadLineError(InvalidInputError):
    """A line that is no row.

    Attributes:
        kind: What is wrong with it.
    """

    def __init__(self, kind: Kind, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Answerer:
    """Answers lines.

    Args:
        teller: The model.
        keep: Columns that are written beside the answer; "all" for all of the line's.
        proba: Write the probability of each class too.
        aside: Columns that a model without column names is not fed.

    Raises:
        InvalidInputError: A column that is kept has a name of ours.
    """

    def __init__(
        self, teller: Teller, *, keep: Sequence[str] = (), proba: bool = False, aside: Sequence[str] = ()
    ) -> None:
        self._teller, self._proba = teller, proba
        self._keep = None if tuple(keep) == (ALL,) else tuple(dict.fromkeys(keep))
        self._aside = frozenset((*aside, *(self._keep or ())))
        if twice := _OURS.intersection(self._keep or ()):
            raise collides(min(twice))

    def __call__(self, lines: Sequence[Line]) -> list[Answered]:
        """Answer lines, one each, in order."""
        read = [self._read(line) for line in lines]
        rows = [one for one in read if not isinstance(one, Answered)]
        asked = iter([it for some, told in apart(rows, self._ask) for it in self._answers(some, told)])
        return [one if isinstance(one, Answered) else next(asked) for one in read]

    def _read(self, line: Line) -> tuple[int, dict[str, Any]] | Answered:
        number, text = line
        try:
            return number, row_of(text)
        except BadLineError as error:
            return self._refused(number, None, error)

    def _ask(self, rows: Sequence[tuple[int, dict[str, Any]]]) -> list[Answer]:
        given = [row for _, row in rows]
        served = self._teller.served
        if served.columns is None and self._aside:
            given = [{name: value for name, value in row.items() if name not in self._aside} for row in given]
        return self._teller(taken(given, served))

    def _answers(
        self, rows: Sequence[tuple[int, dict[str, Any]]], told: list[Answer] | InvalidInputError
    ) -> list[Answered]:
        if isinstance(told, InvalidInputError):
            return [self._refused(number, row, told) for number, row in rows]
        return [self._answered(number, row, one) for (number, row), one in zip(rows, told, strict=True)]

    def _answered(self, number: int, row: dict[str, Any], one: Answer) -> Answered:
        own: dict[str, Any] = {PREDICTION: one.prediction}
        if self._proba and one.probabilities is not None:
            own |= {named(label): share for label, share in sorted(one.probabilities, key=_by_label)}
        kept = self._kept(row)
        if twice := kept.keys() & (_OURS | own.keys()):
            error = collides(min(twice))
            return self._refused(number, row, BadLineError("does not fit", error.message, hint=error.hint))
        told = {_LINE: number, **kept, **own}
        return Answered(number=number, row=row, prediction=one.prediction, kind=None, told=told)

    def _refused(self, number: int, row: dict[str, Any] | None, error: InvalidInputError) -> Answered:
        """Answer with the reason, and with what is kept: it may say which row that is."""
        kept = {} if row is None else {name: value for name, value in self._kept(row).items() if name not in _OURS}
        told = {_LINE: number, **kept, _ERROR: error.message} | ({_HINT: error.hint} if error.hint else {})
        return Answered(number=number, row=row, prediction=None, kind=_kind(error), told=told)

    def _kept(self, row: dict[str, Any]) -> dict[str, Any]:
        """What is written again: null for what is not there, as in a file."""
        return row if self._keep is None else {name: row.get(name) for name in self._keep}


def row_of(text: bytes | None) -> dict[str, Any]:
    r"""Read a line.

    Raises:
        BadLineError: It holds no object of JSON.

    Example:
        >>> row_of(b'{"width": 1.5}\r')
        {'width': 1.5}
    """
    if text is None:
        raise BadLineError("too long", "The line is longer than 1 MiB.", hint="is each row a line of its own?")
    if not text.strip():
        raise BadLineError("empty", "The line is empty.")
    try:
        row = _JSON.decode(text.removeprefix(codecs.BOM_UTF8).decode())
        if b"\\u" in text or _HUGE.search(text):  # half a surrogate pair, or infinity, could not be answered with
            json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise _told(error) from None
    if not isinstance(row, dict):
        raise BadLineError("not an object", f"The line must be an object of columns, got {shown(row)}.")
    return row


def _told(error: Exception) -> BadLineError:
    """Say what is wrong with a line that cannot be decoded."""
    if isinstance(error, BadLineError):
        return error
    if isinstance(error, UnicodeDecodeError):
        return BadLineError("not UTF-8", f"The line must be UTF-8, and is not at byte {error.start + 1}.")
    if isinstance(error, UnicodeEncodeError):
        return BadLineError("not JSON", "The line holds half a surrogate pair, which is no text.")
    if isinstance(error, json.JSONDecodeError):
        return BadLineError("not JSON", f"The line is no JSON: {error.msg} (column {error.colno}).")
    if isinstance(error, FieldError):
        return BadLineError("not JSON", error.message, hint="a name may be there once.")
    # Python reads no integer of more than 4,300 digits, nor a float beyond 1.8e308.
    said = "is nested too deeply" if isinstance(error, RecursionError) else "holds a number that is too large"
    return BadLineError("not JSON", f"The line {said}.")


def _constant(name: str) -> Any:  # noqa: ANN401 - it never returns
    raise BadLineError("not JSON", f"The line holds {name}, which is no number of JSON.",
                       hint="null is a missing value.")  # fmt: skip


def _by_label(one: tuple[Label, float]) -> tuple[bool, Any]:
    return label_order(one[0])


def _kind(error: InvalidInputError) -> Kind:
    if isinstance(error, BadLineError):
        return error.kind
    return "does not fit" if isinstance(error, FieldError) else "model failed"


_JSON = json.JSONDecoder(object_pairs_hook=unique, parse_constant=_constant)
