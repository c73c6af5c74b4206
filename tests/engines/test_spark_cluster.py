"""On a real cluster of two workers the numbers are those of one machine, whatever becomes of a worker."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import zoo
from tests.cli import shell
from tests.engines import clusters
from tests.engines.test_spark import DOUBLES, pytestmark  # noqa: F401 - pytest reads the marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    """A master with two workers."""
    with clusters.cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def waits(signs: Path) -> Callable[[pd.DataFrame], Any]:
    """Make a rule that shows by a file that it is asked on a worker, and waits there for another."""
    path = str(signs)

    def rule(frame: pd.DataFrame) -> Any:
        import os
        import pathlib
        import time

        from pyspark import TaskContext

        signs, deadline = pathlib.Path(path), time.monotonic() + 120
        if TaskContext.get() is not None:
            (signs / f"asked-{os.getpid()}").touch()
            while not (signs / "go").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        return np.where(frame["height"] > frame["width"], "pear", "apple")

    return rule


def test_a_killed_worker_changes_nothing(cluster: clusters.Cluster, tmp_path: Path) -> None:
    """Two workers are asked; one is killed, its executor with it, before it answers: every count is the same."""
    inputs = zoo.signature(**DOUBLES)
    signs, rows = tmp_path / "signs", tmp_path / "rows"
    signs.mkdir()
    rows.mkdir()
    for at, part in enumerate(np.array_split(np.arange(4000), 4)):
        zoo.fruit(4000).iloc[part].to_parquet(rows / f"{at}.parquet")
    sides = [
        "--champion-uri", zoo.save(zoo.linear, tmp_path / "a", inputs=inputs),
        "--challenger-uri", zoo.save(waits(signs), tmp_path / "b", inputs=inputs),
    ]  # fmt: skip
    told = ["compare", *sides, "--test-data", str(rows), "--no-log", "--no-save-plot", "--format", "json"]
    here = shell.run(*told, "--output", "here")
    running = shell.begin(*told, "--output", "there", "--engine", "spark", "--spark-master", cluster.master)
    clusters.wait_for(lambda: running.poll() is not None or len(list(signs.glob("asked-*"))) == 2)
    clusters.kill(cluster.workers[0])
    (signs / "go").touch()
    out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err
    assert len(list(signs.glob("asked-*"))) > 1
    one, other = json.loads(here.stdout), json.loads(out)
    assert one["outcomes"] == other["outcomes"]
    assert one["decision"] == other["decision"]


def test_a_cluster_without_workers(cluster: clusters.Cluster) -> None:
    """A master that has no worker to give is told, instead of a job that waits for ever."""
    for worker in cluster.workers:
        clusters.kill(worker)
    asked = f"""
from abtest.engines.spark.session import Spark
try:
    Spark({cluster.master!r}, patience=1.0).session
except Exception as error:
    print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=240)  # noqa: S603 - our own words
    assert told.stdout.startswith(f"BackendError spark_master {cluster.master} gave no worker within 1 seconds.")
