"""Where, by what and from which code a comparison was made."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib import metadata

from abtest import wording
from abtest.record import Provenance

_LIBRARIES = ("mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
_GIT_SECONDS = 5


def provenance(*, registry: str | None, policy_digest: str, command: str | None = None) -> Provenance:
    """Collect versions and the git commit of the current folder; credentials are redacted."""
    return Provenance(
        abtest_version=version(),
        python_version=platform.python_version(),
        libraries={name: found for name in _LIBRARIES if (found := _installed(name))},
        registry=wording.redacted(registry) if registry else None,
        git_commit=_git_commit(),
        command=wording.redacted(command) if command else None,
        policy_digest=policy_digest,
    )


def environment() -> str:
    """Every distribution that is installed, as text: Python first, then ``name==version`` a line, sorted by name."""
    found = {it.metadata["Name"]: it.version for it in metadata.distributions() if it.metadata["Name"]}
    lines = sorted((f"{name}=={number}" for name, number in found.items()), key=str.casefold)
    return "\n".join([f"python=={platform.python_version()}", *lines]) + "\n"


def version() -> str:
    """This package's version."""
    return _installed("mlflow-abtest") or "unknown"


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit checked out here, marked when the tree differs from it; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        told = subprocess.run(  # noqa: S603 - a fixed command, found on the PATH
            [git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
            encoding=sys.getfilesystemencoding(),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None
