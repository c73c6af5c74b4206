"""Python, libraries, and what optional parts lack; nothing is imported to find out."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.doctor.findings import Asked, Finding, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

OURS = "mlflow-abtest"
_SHOWN = ("mlflow", "numpy", "pandas", "scikit-learn")


def python(asked: Asked) -> Finding:
    """Whether this Python is one that we run on."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - MLflow brings it, which may be what is broken

    del asked
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = str(metadata.metadata(OURS)["Requires-Python"] or "")
    if version not in SpecifierSet(wanted):
        return Finding(State.PROBLEM, f"Python is {version}, and abtest needs {wanted}.", "make a newer environment.")
    return Finding(State.OK, f"Python {version} in {sys.prefix}.")


def libraries(asked: Asked) -> Finding:
    """Whether every library that we require is there, in a version that we take."""
    del asked
    wrong = [told for requirement in _required() if (told := _amiss(requirement))]
    if wrong:
        more = f" and {len(wrong) - 1} more" if wrong[1:] else ""
        return Finding(State.PROBLEM, f"{wrong[0]}{more}.", f"pip install --upgrade {OURS}")
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in _SHOWN)
    return Finding(State.OK, f"abtest {metadata.version(OURS)} with {shown}.")


def _required() -> Iterator[Requirement]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - see python

    for line in metadata.requires(OURS) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _amiss(requirement: Requirement) -> str | None:
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} is {found}, and abtest needs {requirement.specifier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the program that needs more than the rest.

    Attributes:
        name: Of the part.
        serves: What one does with it.
        modules: That it imports.
        programs: That it runs, each by any of several names.
        hint: How to get what it lacks.
    """

    name: str
    serves: str
    modules: tuple[str, ...] = ()
    programs: tuple[tuple[str, ...], ...] = ()
    hint: str

    def look(self, asked: Asked) -> Finding:
        """Whether it has what it needs; missing, it is a problem where the settings ask for it."""
        lacks = [name for name in self.modules if util.find_spec(name) is None]
        lacks += [names[0] for names in self.programs if not any(map(_is_program, names))]
        if not lacks:
            return Finding(State.OK, f"{self.serves} has what it needs.")
        told = f"{self.serves} needs {' and '.join(lacks)}, not found here."
        is_asked_for = self.name == "Spark" and asked.settings.compare.get("engine") == "spark"
        return Finding(State.PROBLEM if is_asked_for else State.OPTIONAL, told, self.hint)


PARTS = (
    Part(
        name="Spark", serves="--engine spark", modules=("pyspark",), programs=(("java",),),
        hint=f"pip install '{OURS}[spark]', and Java 17 or 21.",
    ),
    Part(
        name="serving", serves="abtest serve", modules=("fastapi", "uvicorn", "prometheus_client"),
        hint=f"pip install '{OURS}[serve]'",
    ),
    Part(
        name="DuckDB", serves="--sql-url duckdb://", modules=("duckdb", "duckdb_engine"),
        hint=f"pip install '{OURS}[duckdb]'",
    ),
    Part(name="XGBoost", serves="An estimator of XGBoost", modules=("xgboost",), hint="pip install xgboost"),
    Part(
        name="browser tests", serves="abtest's own test of its pages", modules=("playwright",),
        programs=(("chromium", "chromium-browser", "google-chrome"),),
        hint=f"pip install '{OURS}[test]', and your system's chromium; only who works on abtest needs it.",
    ),
)  # fmt: skip


def _is_program(name: str) -> bool:
    home = os.environ.get("JAVA_HOME", "") if name == "java" else ""
    return shutil.which(name) is not None or bool(home and (Path(home) / "bin" / "java").exists())
