"""A model, ready to answer requests: rows of JSON in, predictions out, without a data frame where that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.labels import Label


class ServedModel(Protocol):
    """What ``app`` and ``shadow`` know of a model.

    Attributes:
        name: The registered model; None of a run.
        version: Its version; None of a run.
        run_id: The run that logged it.
        uri: Where it was loaded from.
        flavor: How it was logged.
        columns: The columns that it takes, in order; None without a signature.
    """

    name: str | None
    version: int | None
    run_id: str | None
    uri: str
    flavor: str
    columns: tuple[str, ...] | None

    def parse(self, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> Any:  # noqa: ANN401 - what its predict takes
        """Validate rows of JSON by the signature and give what ``predict`` takes.

        Raises:
            InvalidInputError: A field is missing, unknown, of another type, or not finite; the message names it and
                the row.
        """

    def predict(self, features: Any) -> list[Label]:  # noqa: ANN401 - what parse gave
        """Predict one label or number a row.

        Raises:
            InvalidInputError: The model raises, or does not return one prediction a row.
        """
