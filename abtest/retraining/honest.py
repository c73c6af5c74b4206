"""Whether the champion was trained on rows that it is tested on now: then it looks better than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import tracking
from abtest.errors import AbtestError, InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data
from abtest.reuse import DATA_DIGEST

if TYPE_CHECKING:
    from abtest.registry import ModelVersion, RegistryClient
    from abtest.retraining.request import Request


def seen_by_champion(
    registry: RegistryClient, request: Request, champion: ModelVersion | None, rows: str
) -> tuple[str | None, str | None]:
    """Find the rows to look for the test rows in, or say why they are not known.

    With test rows of one's own these are the new rows, which the challenger was trained on. With rows held out of the
    new ones, the challenger has not seen them, and the champion may have.

    Returns:
        The training data for ``abtest.compare``, and a notice.
    """
    if request.test_data is not None:
        return request.data, None
    if champion is None:
        return None, None
    try:
        return _logged(registry, champion, rows), None
    except AbtestError as error:
        return None, (
            f"The rows it is tested on may be among those that version {champion.version} was trained on, and flatter "
            f"it: {error.message} Hint: --train-data names them."
        )


def _logged(registry: RegistryClient, champion: ModelVersion, rows: str) -> str:
    """Find the rows that the champion's run logged, if they are still what they were.

    Raises:
        AbtestError: They are not known, or not there any more.
    """
    if champion.run_id is None:
        raise NotFoundError("it has no run.")
    source = tracking.training_source(registry.client, champion.run_id)
    if source is None:
        raise NotFoundError(f"run {champion.run_id} logged none that can be read here.")
    data = open_data(source, "train-data")
    if not set(open_data(rows, "holdout").columns) <= set(data.columns):
        raise InvalidInputError(f"{source} has other columns.")
    logged = tracking.get_run(registry.client, champion.run_id).tags.get(DATA_DIGEST)
    if logged is not None and logged != data.digest():  # such as latest.csv, which holds the new rows by now
        raise InvalidInputError(f"{source} was changed since.")
    return source
