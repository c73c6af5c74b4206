"""``abtest serve``: what is wrong is said in one sentence before anything is started."""

from __future__ import annotations

import importlib.util
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from abtest.lifecycle import Registry

MODEL = ("--model-name", "iris")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model-name", "iri"), "did you mean 'iris'"),
        ((*MODEL, "--stage", "Archived"), "No version of 'iris' is in stage Archived"),
        ((*MODEL, "--version", "9"), "'iris' has no version 9"),
        ((*MODEL, "--alias", "none"), "No version of 'iris' has the alias 'none'"),
        (("--run-id", "0" * 32), "0" * 32),
        ((*MODEL, "--tracking-uri", "sqlite:///none.db"), "There is no MLflow registry"),
        ((*MODEL, "--store", "mysql://localhost/log"), "store must be in SQLite or PostgreSQL"),
        ((*MODEL, "--store", "sqlite:////nowhere/log.db"), "there is no folder /nowhere"),
        ((*MODEL, "--no-log", "--durable"), "durable needs a log"),
        ((*MODEL, "--log-features", "2"), "log-features must be in [0, 1], got 2"),
        ((*MODEL, "--workers", "0"), "workers must be at least 1, got 0"),
        ((*MODEL, "--max-rows", "0"), "max-rows must be at least 1, got 0"),
        ((*MODEL, "--deadline", "0"), "deadline must be above 0 seconds, got 0"),
        ((*MODEL, "--port", "70000"), "port must be in 0 to 65535, got 70000"),
        ((*MODEL, "--host", "192.0.2.1"), "192.0.2.1"),
        ((*MODEL, "--api-key-file", "none"), "api-key-file none cannot be read"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(
    cli: Any, iris: Registry, arguments: tuple[str, ...], says: str
) -> None:
    """A model, a log, an address or a limit that cannot be is told, and nothing is served."""
    if "--tracking-uri" not in arguments:
        arguments = (*arguments, "--tracking-uri", str(iris))
    told = cli("serve", *arguments, code=1)
    assert says in told.err
    assert len(told.error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name a registered model"),
        ((*MODEL, "--stage", "Production", "--version", "1"), "name one of them"),
        (("--run-id", "0", "--version", "1"), "names a model of its own"),
        ((*MODEL, "--no-log", "--store", "sqlite:///log.db"), "means nothing with --no-log"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(cli: Any, arguments: tuple[str, ...], says: str) -> None:
    """Options that name nothing, or two things, are a usage error."""
    assert says in " ".join(cli("serve", *arguments, code=2).err.replace("│", " ").split())


def test_a_port_that_is_taken_is_told(cli: Any, iris: Registry) -> None:
    """A port that somebody listens on is told, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = cli("serve", *MODEL, "--tracking-uri", str(iris), "--port", str(port), code=1)
    assert told.error.startswith(f"port {port} of 127.0.0.1 is taken. Hint: --port")


def test_sides_of_a_model_that_contradict_each_other_are_told_by_the_options_of_this_command(
    cli: Any, iris: Registry
) -> None:
    """Where stage and alias name different versions the hint names --stage and --alias, not another command's."""
    from abtest.registry import RegistryClient

    RegistryClient(str(iris)).set_alias("iris", "champion", 2)
    told = cli("serve", *MODEL, "--tracking-uri", str(iris), code=1)
    assert "say which with --stage Production or --alias champion" in told.error


def test_a_key_is_never_shown(cli: Any, iris: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is too short is told by its length."""
    monkeypatch.setenv("ABTEST_API_KEY", "sesame")
    told = cli("serve", *MODEL, "--tracking-uri", str(iris), code=1)
    assert "must have at least 16 characters, got 6" in told.error
    assert "sesame" not in told.err


def test_without_the_extra_it_is_said_what_to_install(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where FastAPI is not installed one sentence says what to type; nothing else needs it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, package=None: None if name == "fastapi" else find(name, package)
    )
    assert "pip install 'mlflow-abtest[serve]'" in cli("serve", *MODEL, code=1).error


def test_who_listens_to_other_machines_without_a_key_is_warned(
    cli: Any, iris: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that other machines reach, and that asks for no key, says so; no other does."""
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - so that none of them starts
        port = str(taken.getsockname()[1])
        arguments = ("serve", *MODEL, "--tracking-uri", str(iris), "--port", port)
        assert "Warning" in cli(*arguments, "--host", "0.0.0.0", code=1).err  # noqa: S104 - likewise
        assert "Warning" not in cli(*arguments, code=1).err
        monkeypatch.setenv("ABTEST_API_KEY", "the-only-key-of-2026")
        assert "Warning" not in cli(*arguments, "--host", "0.0.0.0", code=1).err  # noqa: S104 - likewise
