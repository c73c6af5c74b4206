"""The machine something was measured on, and the libraries it was measured with."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_LIBRARIES = (
    "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "mlflow", "duckdb", "mlxtend", "confidenceinterval",
    "MLstatkit", "skore", "pyspark", "evidently", "fastapi", "uvicorn",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What seconds depend on."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    libraries: dict[str, str]

    @property
    def hardware(self) -> str:
        """Name it in one line."""
        cores = f"{self.cores} core{'s' * (self.cores != 1)}"
        return f"{self.processor}, {cores}, {self.memory_gib} GiB, {self.system}"

    @property
    def software(self) -> str:
        """Name the versions in one line."""
        return ", ".join([f"Python {self.python}", *(f"{name} {version}" for name, version in self.libraries.items())])


def this_machine() -> Machine:
    """Describe the machine and the environment that runs this."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        system=_system(),
        python=platform.python_version(),
        libraries={name: version for name in _LIBRARIES if (version := _version(name))},
    )


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    text = told.read_text(encoding="utf-8") if told.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
