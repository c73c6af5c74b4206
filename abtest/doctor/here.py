"""What lies in this folder, or on this machine: settings, the log of live traffic, the cache."""

from __future__ import annotations

import os
from pathlib import Path

from abtest import wording
from abtest.cache.store import LIMIT_GIB, default_folder
from abtest.doctor.findings import Asked, Finding, State
from abtest.errors import NotFoundError


def settings(asked: Asked) -> Finding:
    """Whether settings can be read, and where they are from."""
    found, variables = asked.settings, sorted(name for name in asked.environ if name.startswith("ABTEST_"))
    told = "There is no abtest.toml here or above" if found.source is None else f"Settings are from {found.source}"
    beside = f", and from {', '.join(variables)}" if variables else ""
    return Finding(State.OK, f"{told}{beside}.")


def live_log(asked: Asked) -> Finding:
    """Whether the log of live traffic is there, and one of ours."""
    from abtest.live.store import DEFAULT_URL, Store  # noqa: PLC0415 - SQLAlchemy, which may be what is broken

    named = asked.store
    try:
        with Store(named or DEFAULT_URL, create=False) as log:
            going = sum(not epoch.state.is_over for _, epoch in log.experiments(None))
            return Finding(State.OK, f"{log}: {wording.plural(going, 'experiment is', 'experiments are')} going on.")
    except NotFoundError as error:
        if named is None:
            return Finding(State.OK, "There is none in this folder; 'abtest serve' makes it.")
        return Finding(State.WARNING, error.message, "'abtest serve' makes it, and 'abtest monitor track'.")


def cache(asked: Asked) -> Finding:
    """Where predictions are kept, how much that takes, and whether more can be."""
    chosen = asked.settings.compare
    folder = Path(chosen["cache_dir"]) if "cache_dir" in chosen else default_folder(asked.environ)
    limit = chosen.get("cache_gib", LIMIT_GIB) * 2**30
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding(State.WARNING, f"Predictions cannot be kept in {folder}.", "--no-cache, or ABTEST_CACHE_DIR.")
    taken = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    of = f"{wording.size_on_disk(taken)} of {wording.size_on_disk(limit)}"
    return Finding(State.OK, f"Predictions are kept in {folder}: {of}.")
