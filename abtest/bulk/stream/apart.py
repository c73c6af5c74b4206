"""What is refused, apart from what is not: a bad row costs a few more questions, and no other row its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")


def apart(
    items: Sequence[T], ask: Callable[[Sequence[T]], R], *, most: int | None = None
) -> Iterator[tuple[Sequence[T], R | InvalidInputError]]:
    """Ask about all at once, and where that is refused about parts, until what is refused is one; in order.

    Args:
        items: What is asked about.
        ask: Gives an answer, or raises.
        most: Refusals after which a part is refused as a whole; None for no end.

    Yields:
        Some of the items, and the answer or why there is none.

    Example:
        >>> def odd(numbers):
        ...     if 4 in numbers:
        ...         raise InvalidInputError("No four.")
        ...     return sum(numbers)
        >>> [*apart([1, 2, 3, 4, 5], odd)]
        [([1, 2], 3), ([3], 3), ([4], InvalidInputError('No four.')), ([5], 5)]
    """
    waiting, refused = [items] if items else [], 0
    while waiting:
        some = waiting.pop()
        try:
            told = ask(some)
        except InvalidInputError as error:
            refused += 1
            if len(some) == 1 or (most is not None and refused > most):
                yield some, error
            else:
                waiting += [part for part in reversed(_parts(some, getattr(error, "row", None))) if part]
        else:
            yield some, told


def _parts(some: Sequence[T], row: int | None) -> list[Sequence[T]]:
    """Halves; or where it is known which one is refused, that one apart."""
    if row is None:
        return [some[: len(some) // 2], some[len(some) // 2 :]]
    return [some[: row - 1], some[row - 1 : row], some[row:]]
