"""A comparison says by what, where and from which code it was made, and tells no secret."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

from abtest.provenance import provenance, version

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]


def test_versions_are_those_installed() -> None:
    """Versions are those of the packages that are installed."""
    made = provenance(registry=None, policy_digest="abc")
    assert made.abtest_version == version() == metadata.version("mlflow-abtest")
    assert made.python_version == platform.python_version()
    assert made.libraries == {
        name: metadata.version(name) for name in ("mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
    }
    assert (made.registry, made.command, made.policy_digest) == (None, None, "abc")


def test_secrets_are_hidden() -> None:
    """Neither the registry's URI nor the command line keeps a password."""
    made = provenance(
        registry="postgresql://me:hunter2@db/mlflow",
        policy_digest="abc",
        command="abtest compare --tracking-uri https://me:hunter2@host",
    )
    assert made.registry == "postgresql://***@db/mlflow"
    assert made.command == "abtest compare --tracking-uri https://***@host"


def test_the_commit_of_this_folder(tmp_path: Path) -> None:
    """In a git repository the commit is named, and marked when the tree differs; elsewhere there is none."""

    def git(*arguments: str) -> str:
        told = subprocess.run([*GIT, *arguments], capture_output=True, text=True, check=True)  # noqa: S603 - git
        return told.stdout.strip()

    assert provenance(registry=None, policy_digest="abc").git_commit is None
    git("init", "-q")
    (tmp_path / "a.txt").write_text("1", encoding="utf-8")
    git("add", ".")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert provenance(registry=None, policy_digest="abc").git_commit == head
    (tmp_path / "a.txt").write_text("2", encoding="utf-8")
    assert provenance(registry=None, policy_digest="abc").git_commit == f"{head}-dirty"


def test_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where git is not installed, or fails, there is no commit and no error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance(registry=None, policy_digest="abc").git_commit is None
    (tmp_path / "git").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (tmp_path / "git").chmod(0o700)
    assert provenance(registry=None, policy_digest="abc").git_commit is None
