"""A process that acts on a degradation as soon as a file says so: for the law that of several one does."""

from __future__ import annotations

import sys
from pathlib import Path

from abtest.live.store import Store
from abtest.monitoring import acting
from abtest.registry import RegistryClient
from tests.monitoring import records
from tests.waiting import until


def main(url: str, tracking_uri: str, webhook: str, folder: str, name: str) -> None:
    """Wait for the sign, act, and print how each act ended."""
    record = records.worse_than_before()
    registry = RegistryClient(tracking_uri)
    registry.versions("fruit")  # what has to be imported is
    with Store(url) as store:
        (Path(folder) / f"{name}.ready").touch()
        until((Path(folder) / "go").exists, seconds=60)
        acts = acting.act(store, record, "rollback", registry=registry, told=acting.Told(webhook=webhook))
    for act in acts:
        sys.stdout.write(f"{act.what} {act.outcome}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
