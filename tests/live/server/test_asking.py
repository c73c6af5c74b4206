"""Where a challenger is asked: on the event loop where it cannot hold it up, else in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from abtest.live.server.asking import Asker
from abtest.live.server.watching import Loaded
from abtest.live.serving.served import load
from abtest.loaders.references import Pinned
from abtest.registry import Reference
from tests.live import models

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FRAME = models.doubles()
ROWS: list[Any] = FRAME.head(3).to_dict("records")


def loaded(estimator: Any, folder: Path, *, pace: float | None) -> Loaded:
    """A model that took so many seconds for a row lately."""
    uri = models.save(estimator.fit(FRAME, np.where(FRAME["width"] > 0, "wide", "narrow")), folder / "model", FRAME)
    served = load(uri, None, name=None, version=None, run_id=None)
    found = Loaded(model=served, pinned=Pinned(reference=Reference(kind="uri", value=uri), version=None, uri=uri))
    if pace is not None:
        found.pace.note(pace)
    return found


@pytest.mark.parametrize(
    ("own", "pace", "aside"), [(True, 1e-4, False), (True, 0.1, True), (True, None, True), (False, 1e-4, True)]
)
def test_only_a_quick_challenger_of_scikit_learns_own_is_asked_on_the_loop(
    tmp_path: Path, *, own: bool, pace: float | None, aside: bool
) -> None:
    """Another one, a slow one, or one whose pace is not known has a thread; either way it answers the same."""
    model = LogisticRegression()
    challenger = loaded(model if own else make_pipeline(FunctionTransformer(), model), tmp_path, pace=pace)
    before = set(threading.enumerate())
    outcome = asyncio.run(Asker(deadline=30.0).challenger(challenger, ROWS, None))
    started = {thread.name for thread in set(threading.enumerate()) - before}
    assert any(name.startswith("abtest-challenger") for name in started) == aside
    assert outcome.labels == np.where(FRAME["width"].head(3) > 0, "wide", "narrow").tolist()


def test_rows_that_do_not_fit_a_challenger_are_its_failure_on_the_loop_too(tmp_path: Path) -> None:
    """A quick challenger that takes other columns than the champion has raised, and the champion answers for it."""
    challenger = loaded(LogisticRegression(), tmp_path, pace=1e-4)
    outcome = asyncio.run(Asker(deadline=30.0).challenger(challenger, [{"width": 1.0}], None))
    assert (outcome.labels, outcome.error) == (None, "raised")
