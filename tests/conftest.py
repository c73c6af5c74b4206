"""What the tests share: a real registry with real models, and the real command line; no test sees another's state."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from abtest.lifecycle import Registry
from abtest.registry import RegistryClient
from tests import zoo
from tests.databases import duckdb, mariadb, postgres, postgresql, sqlite, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["duckdb", "mariadb", "postgres", "postgresql", "sqlite", "store"]  # fixtures of real databases

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # it looks up a host; read when MLflow is first imported
TOGETHER = (
    "tests/deployment/",
    "tests/engines/test_spark",
    "tests/live/metering/test_exposition",
    "tests/cli/test_compare",
)
hypothesis.settings.register_profile("untimed", deadline=None)  # how fast this machine is decides no test
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``, which CI gives, and ``--year``, which it does not."""
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes too")
    parser.addoption("--year", action="store_true", help="run the whole year of flights too, which --slow does not")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes long unless asked for."""
    for marker, what in {"slow": "slow", "year": "the whole year"}.items():
        for item in items:
            if item.get_closest_marker(marker) and not config.getoption(f"--{marker}"):
                item.add_marker(pytest.mark.skip(reason=f"{what}: run with --{marker}"))


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run: looking through it took a minute of some laws' time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # it is there where pytest-xdist is
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Under ``pytest -n``, send tests that share what takes long to start to one worker: it starts once."""
    if config.getvalue("dist") != "load":  # somebody asked for another way
        return None
    from xdist.scheduler import LoadScopeScheduling

    # Not --dist=loadgroup: under pytest 9.2, pytest-xdist 3.8 forgets the groups.
    class OneDeployment(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
        def _split_scope(self, nodeid: str) -> str:
            return next((start for start in TOGETHER if nodeid.startswith(start)), nodeid)

    return OneDeployment(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep predictions of what is made for several tests out of this machine's cache."""
    os.environ["ABTEST_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run each test in a folder of its own, without this machine's settings, and put MLflow's state back."""
    for variable in list(os.environ):
        if variable.startswith(("ABTEST_", "GITHUB_")) or variable in {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}:
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABTEST_CACHE_DIR", str(tmp_path / "cache"))
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
    zoo.fill(RegistryClient(f"sqlite:///{folder / 'zoo.db'}").client, folder / "models")
    return folder


@pytest.fixture
def registry(templates: Path, tmp_path: Path) -> RegistryClient:
    """A registry without models, of the test's own."""
    return RegistryClient(zoo.copy(templates / "empty.db", tmp_path))


@pytest.fixture
def stocked(templates: Path, tmp_path: Path) -> RegistryClient:
    """A registry with the models of ``tests/zoo.py``, of the test's own; MLflow's default in the test's folder."""
    return RegistryClient(zoo.copy(templates / "zoo.db", tmp_path))


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """A database with runs that trained models, as ``zoo.train`` makes them, and the runs' ids."""
    folder = tmp_path_factory.mktemp("training")
    for name in ("mlflow.store.db.utils", "alembic", "mlflow.pyfunc", "mlflow.tracking.fluent"):
        logging.getLogger(name).setLevel(logging.ERROR)  # remarks on a database, and on models, made on purpose
    uri = zoo.create_database(folder / "trained.db")
    return folder / "trained.db", zoo.train(RegistryClient(uri), folder / "artifacts")


@pytest.fixture
def trained(training: tuple[Path, tuple[str, ...]], tmp_path: Path) -> tuple[RegistryClient, tuple[str, ...]]:
    """A registry without models, of the test's own, and the runs in it that trained some."""
    return RegistryClient(zoo.copy(training[0], tmp_path)), training[1]


@pytest.fixture(scope="session")
def registered(training: tuple[Path, tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same database with "iris" in it: version 1 of the first run in Production, 2 in Staging, 3 in no stage."""
    uri = zoo.copy(training[0], tmp_path_factory.mktemp("registered"))
    for run_id, stage in zip(training[1], ("Production", "Staging", None), strict=False):
        Registry(uri).register("iris", run_id=run_id, stage=stage)
    return Path(uri.removeprefix("sqlite:///"))


@pytest.fixture
def iris(registered: Path, tmp_path: Path) -> Registry:
    """A registry of the test's own with model "iris", as ``registered`` says; MLflow's default in the test's folder."""
    return Registry(zoo.copy(registered, tmp_path))


@pytest.fixture(scope="session")
def judged(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``tests/retraining/examples.py`` says: "fruit" was trained again, and may serve, and does not."""
    from tests.retraining import examples

    return examples.build(templates / "zoo.db", tmp_path_factory.mktemp("judged"))


@pytest.fixture
def retrained(judged: Path, tmp_path: Path) -> RegistryClient:
    """The same, of the test's own; MLflow's default in the test's folder."""
    for name in ("new.csv", "recipe.toml"):
        shutil.copy(judged / name, tmp_path)
    return RegistryClient(zoo.copy(judged / "mlflow.db", tmp_path))


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
