"""Whether the champion was trained on rows that it is tested on now: then it looks better than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import tracking
from abtest.errors import AbtestError, InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data
from abtest.reuse import DATA_DIGEST
from abtest.training.data import read
from abtest.training.recipe import Recipe
from abtest.training.splitting import split

if TYPE_CHECKING:
    import pandas as pd

    from abtest.registry import ModelVersion, RegistryClient
    from abtest.retraining.audit import Audit
    from abtest.retraining.request import Request


def seen_by_champion(
    registry: RegistryClient, audit: Audit, request: Request, champion: ModelVersion | None, rows: str
) -> tuple[str | pd.DataFrame | None, str | None]:
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
        found: str | pd.DataFrame | None = _trained_here(registry, audit, champion)
        if found is None:
            found = _logged(registry, champion)
        if not set(open_data(rows, "holdout").columns) <= set(open_data(found, "train-data").columns):
            raise InvalidInputError("what it was trained on has other columns.")
    except AbtestError as error:
        return None, (
            f"The rows it is tested on may be among those that version {champion.version} was trained on, and flatter "
            f"it: {error.message} Hint: --train-data names them."
        )
    return found, None


def _trained_here(registry: RegistryClient, audit: Audit, champion: ModelVersion) -> pd.DataFrame | None:
    """The rows that an earlier retraining has fitted, and none that it held out: its recipe splits them as it did."""
    made = next((one for one in audit.read() if one.version == champion.version and one.data is not None), None)
    if made is None or champion.run_id is None:
        return None
    recipe = Recipe.from_toml(tracking.read_artifact(registry.client, champion.run_id, "recipe.toml"))
    rows = read(recipe, str(made.data))
    if rows.digest != made.data_digest:  # such as latest.csv, which holds the new rows by now
        raise InvalidInputError(f"{made.data} was changed since.")
    return rows.frame.iloc[split(rows, recipe).train]


def _logged(registry: RegistryClient, champion: ModelVersion) -> str:
    """The rows that its run logged, if they are still what they were."""
    if champion.run_id is None:
        raise NotFoundError("it has no run.")
    source = tracking.training_source(registry.client, champion.run_id)
    if source is None:
        raise NotFoundError(f"run {champion.run_id} logged none that can be read here.")
    logged = tracking.get_run(registry.client, champion.run_id).tags.get(DATA_DIGEST)
    if logged is not None and logged != open_data(source, "train-data").digest():
        raise InvalidInputError(f"{source} was changed since.")
    return source
