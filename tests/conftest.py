"""What the tests share: a real registry with real models, and the real command line; no test sees another's state."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from abtest.registry import Registry
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # it looks up a host; read when MLflow is first imported
hypothesis.settings.register_profile("untimed", deadline=None)  # how fast this machine is decides no test
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``, which CI gives."""
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is slow unless asked for."""
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run each test in a folder of its own, without this machine's settings, and put MLflow's state back."""
    for variable in list(os.environ):
        if variable.startswith(("ABTEST_", "GITHUB_")) or variable in {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}:
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    yield
    if "mlflow" in sys.modules:
        import mlflow
        from mlflow.tracking import fluent

        fluent._active_experiment_id = None  # noqa: SLF001 - there is no public way to forget an experiment
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # None is how MLflow forgets one
        mlflow.set_registry_uri("")
        for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID"):
            os.environ.pop(variable, None)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``empty.db``, a registry without models, and ``zoo.db``, one with those of ``tests/zoo.py``."""
    folder = tmp_path_factory.mktemp("templates")
    for name in ("mlflow.store.db.utils", "alembic", "mlflow.pyfunc", "mlflow.sklearn"):
        logging.getLogger(name).setLevel(logging.ERROR)  # remarks on a database, and on models, made on purpose
    zoo.create_database(folder / "empty.db")
    shutil.copy(folder / "empty.db", folder / "zoo.db")
    zoo.fill(Registry(f"sqlite:///{folder / 'zoo.db'}").client, folder / "models")
    return folder


@pytest.fixture
def registry(templates: Path, tmp_path: Path) -> Registry:
    """A registry without models, of the test's own."""
    return Registry(zoo.copy(templates / "empty.db", tmp_path))


@pytest.fixture
def stocked(templates: Path, tmp_path: Path) -> Registry:
    """A registry with the models of ``tests/zoo.py``, of the test's own; MLflow's default in the test's folder."""
    return Registry(zoo.copy(templates / "zoo.db", tmp_path))


@dataclass(frozen=True)
class Told:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        return line.removeprefix("Error: ")


Cli = Any  # a callable: (*arguments, code=0) -> Told


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """The real command line, in this process: ``cli("compare", …, code=1)`` types it and expects its exit code."""
    import typer.rich_utils  # noqa: F401 - it reads GITHUB_ACTIONS once, when first needed: not in a test that sets it

    from abtest.cli import main

    def type_in(*arguments: str, code: int = 0) -> Told:
        monkeypatch.setattr(sys, "argv", ["abtest", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        told = Told(int(end.value.code or 0), *capsys.readouterr())
        assert told.code == code, told
        assert "Traceback" not in told.err
        return told

    return type_in
