"""Entries are whole or not there, private, bounded, and safe under several processes."""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abtest.cache.store import Store, default_folder
from abtest.errors import InvalidInputError

BODY = bytes(range(256)) * 3
SIZE = 100_000
ONCE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the folder is shared, on purpose


def files(store: Store) -> list[Path]:
    """What lies in a store's folder."""
    return sorted(store.folder.iterdir()) if store.folder.exists() else []


def held(store: Store) -> int:
    """Bytes in a store's folder."""
    return sum(path.stat().st_size for path in files(store))


@ONCE
@given(key=st.text("0123456789abcdef", min_size=1, max_size=64), body=st.binary(max_size=5000))
def test_what_is_written_is_read(tmp_path: Path, key: str, body: bytes) -> None:
    """Whatever is written under a key is what this store and another one read, and under another key nothing."""
    store = Store(tmp_path)
    store.write(key, body)
    assert store.read(key) == Store(tmp_path).read(key) == body
    assert store.read(key + "x") is None


@ONCE
@given(at=st.integers(0, len(BODY) + 52), bits=st.integers(1, 255))
def test_a_changed_byte_is_noticed(tmp_path: Path, at: int, bits: int) -> None:
    """Whichever byte of a file is changed, the entry is not there and neither is its file."""
    store = Store(tmp_path)
    store.write("ab", BODY)
    (path,) = files(store)
    raw = bytearray(path.read_bytes())
    raw[at] ^= bits
    path.write_bytes(raw)
    assert Store(tmp_path).read("ab") is None
    assert not files(store)


@ONCE
@given(length=st.integers(0, len(BODY) + 52), more=st.binary(min_size=1, max_size=9))
def test_a_cut_or_a_longer_file_is_noticed(tmp_path: Path, length: int, more: bytes) -> None:
    """A file that is shorter or longer than what was written is no entry."""
    store = Store(tmp_path)
    for kept, added in ((length, b""), (None, more)):
        store.write("ab", BODY)
        (path,) = files(store)
        path.write_bytes(path.read_bytes()[:kept] + added)
        assert store.read("ab") is None
        assert not files(store)


def test_a_whole_file_of_another_key_is_noticed(tmp_path: Path) -> None:
    """An entry under another entry's name is not taken for it."""
    store = Store(tmp_path)
    store.write("ab", BODY)
    (path,) = files(store)
    path.rename(path.with_name(path.name.replace("ab", "cd")))
    assert store.read("cd") is None
    assert not files(store)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_entries_are_private(tmp_path: Path) -> None:
    """Nobody but their owner can read predictions, whatever the umask."""
    before = os.umask(0)
    try:
        store = Store(tmp_path / "new")
        store.write("ab", BODY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in files(store)] == [0o600]


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")
def test_another_users_entry_is_not_trusted(tmp_path: Path) -> None:
    """What somebody else put there is not read, however whole it is."""
    store = Store(tmp_path)
    store.write("ab", BODY)
    os.chown(files(store)[0], 12345, 12345)
    assert store.read("ab") is None


def test_what_was_used_longest_ago_makes_way(tmp_path: Path) -> None:
    """Beyond the limit the entries used longest ago go, and reading one is using it."""
    for number in range(8):
        Store(tmp_path).write(f"{number}", bytes(SIZE))
    for age, path in enumerate(reversed(files(Store(tmp_path)))):
        os.utime(path, (time.time() - 100 - age,) * 2)
    assert Store(tmp_path).read("0") is not None
    store = Store(tmp_path, limit=8.5 * SIZE)
    store.write("new", bytes(SIZE))
    there = {name for name in [*map(str, range(8)), "new"] if Store(tmp_path).read(name) is not None}
    assert {"0", "new"} <= there
    assert "1" not in there
    assert held(store) <= 8.5 * SIZE


@given(sizes=st.lists(st.integers(0, 3 * SIZE), max_size=30), limit=st.integers(0, 4 * SIZE))
@ONCE
def test_never_more_than_the_limit(tmp_path: Path, sizes: list[int], limit: int) -> None:
    """However entries come, by one store or by many, the limit holds at any time; what is too large is not kept."""
    one = Store(tmp_path, limit)
    for path in files(one):
        path.unlink()
    for number, size in enumerate(sizes):
        store = one if number % 3 else Store(tmp_path, limit)
        store.write(f"{number}", bytes(size))
        assert held(store) <= limit
        if size + 100 > limit:
            assert store.read(f"{number}") is None


def test_a_store_keeps_the_first_of_what_does_not_fit(tmp_path: Path) -> None:
    """Entries of one run do not push each other out: data larger than the limit find their first part again."""
    store = Store(tmp_path, limit=4.5 * SIZE)
    for number in range(10):
        store.write(f"{number}", bytes(SIZE))
    again = Store(tmp_path, limit=4.5 * SIZE)
    assert [number for number in range(10) if again.read(f"{number}") is not None] == [0, 1, 2, 3]


def test_what_was_left_unfinished_is_removed(tmp_path: Path) -> None:
    """Leftovers of a process that was killed go when they are a day old; a younger one is somebody's work."""
    store = Store(tmp_path)
    store.write("ab", BODY)
    for name, age in (("old.unfinished", 25 * 3600), ("young.unfinished", 60)):
        (store.folder / name).write_bytes(BODY)
        os.utime(store.folder / name, (time.time() - age,) * 2)
    Store(tmp_path).write("cd", BODY)
    assert [path.name for path in files(store)] == ["ab.predictions", "cd.predictions", "young.unfinished"]


def test_a_folder_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    """Where nothing can be written, nothing is read, nothing is raised, and it is told once."""
    (tmp_path / "file").write_text("no folder")
    store = Store(tmp_path / "file")
    for _ in range(2):
        store.write("ab", BODY)
        assert store.read("ab") is None
    assert store.trouble is not None
    assert store.trouble.startswith(f"Predictions are not kept: {store.folder} cannot be written (")


def test_a_full_disk_fails_nothing(tmp_path: Path) -> None:
    """Where the disk is full nothing is kept, half-written or whole, and it is told."""
    resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")
    import signal

    store = Store(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        store.write("ab", bytes(SIZE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.trouble is not None
    assert not files(store)


def work(folder: Path, seed: int, limit: float, failures: multiprocessing.SimpleQueue[str]) -> None:
    """Write and read the same keys as other processes do, and report whatever is not as written."""
    for turn in range(150):
        key = str((turn * 7 + seed) % 10)
        store = Store(folder, limit)
        store.write(key, key.encode() * 20_000)
        found = store.read(str(turn % 10))
        if store.trouble or found not in {None, str(turn % 10).encode() * 20_000}:
            failures.put(f"{turn}: {store.trouble} {found!r:.40}")


def test_processes_share_a_folder(tmp_path: Path) -> None:
    """Processes that write, read and push out the same entries at once see each of them whole or not at all."""
    context = multiprocessing.get_context("spawn")
    failures = context.SimpleQueue()
    workers = [context.Process(target=work, args=(tmp_path, seed, 120_000.0, failures)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert failures.empty()


def test_the_folder_is_the_platforms() -> None:
    """The variable comes first, then what the platform says; a relative XDG_CACHE_HOME is void, its standard says."""
    home = Path.home()
    assert default_folder({"ABTEST_CACHE_DIR": "~/here", "XDG_CACHE_HOME": "/x"}, "linux") == home / "here"
    assert default_folder({"XDG_CACHE_HOME": "/x"}, "linux") == Path("/x/abtest")
    assert default_folder({"XDG_CACHE_HOME": "x"}, "linux") == home / ".cache/abtest"
    assert default_folder({}, "darwin") == home / "Library/Caches/abtest"
    assert default_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/abtest/Cache")


def test_a_negative_limit_is_refused(tmp_path: Path) -> None:
    """A limit below nothing is an error with the key it came from."""
    with pytest.raises(InvalidInputError, match=r"cache_gib must not be negative, got -1\."):
        Store(tmp_path, -(2.0**30))
