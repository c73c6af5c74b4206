"""The life of a model over HTTP, on PostgreSQL and S3, with passwords and without: every command of `abtest models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.cli import app
from tests import zoo
from tests.deployment.servers import EDITOR, MANAGER, READER, STRANGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli, Told
    from tests.deployment.conftest import Become
    from tests.deployment.servers import Deployed, Secured


@pytest.fixture(params=["open", "with passwords"])
def models(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, cli: Cli, become: Become,
    *, deployed: Deployed, secured: Secured,
) -> Callable[..., Told]:  # fmt: skip
    """Type a command of ``abtest models`` to either server; to the one with passwords as somebody who may."""
    if request.param == "open":
        monkeypatch.setenv("ABTEST_TRACKING_URI", deployed.uri)
    else:
        become(MANAGER)
        monkeypatch.setenv("ABTEST_TRACKING_URI", secured.uri)
    return lambda *arguments, code=0: cli("models", *arguments, code=code)


def test_every_command(models: Callable[..., Told], deployed: Deployed) -> None:
    """Register, look, gate, promote, ask, approve, reject, roll back, archive, migrate, delete: as on SQLite."""
    typed = set()

    def type_in(command: str, *arguments: str, code: int = 0) -> Any:
        typed.add(command)
        told = models(command, *arguments, code=code)
        return json.loads(told.out) if "json" in arguments else told

    source = deployed.register(zoo.linear, zoo.better)
    run_id = str(deployed.registry.versions(source)[1].run_id)
    deployed.registry.client.log_metric(run_id, "accuracy", 0.9)
    name = f"{source} größer"  # a space, and a letter beyond ASCII
    for arguments in (("--run-id", run_id, "--stage", "Production"), ("--model-uri", f"models:/{source}/1"),
                      ("--model-uri", f"models:/{source}/2", "--alias", "canary", "--tag", "a=b")):  # fmt: skip
        type_in("register", name, *arguments)
    (line,) = [model for model in type_in("list", "--format", "json") if model["name"] == name]
    assert (line["production"], line["latest"], line["aliases"]) == (1, 3, {"canary": 3})
    shown = type_in("show", name, "--format", "json")
    assert shown["versions"][0]["metrics"]["accuracy"] == 0.9
    assert shown["versions"][2]["tags"]["a"] == "b"
    assert shown["versions"][2]["tags"]["framework"]
    gate = ("--metric", "accuracy", "--threshold", "0.95", "--to-stage", "Production")
    assert "is not at least 0.95" in type_in("auto-promote", name, "3", *gate, code=1).error
    type_in("promote", name, "2", "--reason", "why not")
    type_in("promote", name, "3", "--require-approval")
    type_in("approve", name, "--reason", "seen")
    type_in("promote", name, "1", "--require-approval")
    type_in("reject", name, "--reason", "no")
    assert type_in("rollback", name, "--yes", "--format", "json")["version"] == 2
    assert "Nothing of" in type_in("recover", name).out
    type_in("compare", name, "1", "2")
    past = type_in("history", name, "--format", "json")
    assert [entry["serving"] for entry in past["entries"] if entry["kind"] != "found"][-4:] == [[1], [2], [3], [2]]
    assert past["missing"] == []
    assert not [entry for entry in past["entries"] if entry["kind"] == "unrecorded"]
    assert "alias champion: version none → 2" in type_in("migrate-stages", name).out
    type_in("archive", name, "3")
    type_in("describe", name, "2", "--text", "the second")
    type_in("tag", name, "2", "--tag", "team=fruit")
    type_in("download", name, "2", "--output", "files")
    assert Path("files/MLmodel").is_file()
    assert "has the alias 'canary'" in type_in("delete", name, "3", "--yes", code=1).error
    type_in("delete", name, "1", "--yes")
    group = next(it for it in app.registered_groups if it.name == "models")
    assert typed == {command.name for command in group.typer_instance.registered_commands}  # type: ignore[union-attr] # it is one


@pytest.mark.parametrize(
    ("user", "command", "told"),
    [
        (READER, ("promote", "{}", "3"), "the user 'reader' may not (403)"),
        (READER, ("tag", "{}", "1", "--tag", "a=b"), "the user 'reader' may not (403)"),
        (EDITOR, ("delete", "{}", "3", "--yes"), "the user 'editor' may not (403)"),
        (STRANGER, ("show", "{}"), "the user 'stranger' may not (403)"),
        (READER, ("show", "{}x"), "No registered model '{}x'"),
        (READER, ("promote", "{}", "9"), "has no version 9"),
    ],
)
def test_what_may_not_be_is_told_from_what_is_not(
    cli: Cli, become: Become, secured: Secured, *, user: str, command: tuple[str, ...], told: str
) -> None:
    """No permission is one answer, not there is another; nothing moved, and no password is shown."""
    name = secured.register(zoo.linear, zoo.better, zoo.linear)
    before = secured.deployed.state(name)
    become(user)
    command = tuple(part.format(name) for part in command)
    said = cli("models", *command, "--tracking-uri", secured.uri, code=1)
    assert told.format(name) in said.error
    assert secured.passwords[user] not in said.out + said.err
    assert secured.deployed.state(name) == before


def test_a_wrong_password_is_told(cli: Cli, become: Become, secured: Secured) -> None:
    """Not known is told from not allowed, with what to set; the password is not shown."""
    become(EDITOR, "hunter2")
    said = cli("models", "list", "--tracking-uri", secured.uri, code=1)
    assert "does not accept the user 'editor' with this password (401)" in said.error
    assert "MLFLOW_TRACKING_PASSWORD" in said.error
    assert "hunter2" not in said.out + said.err


def test_a_promotion_that_lacks_the_last_permission(cli: Cli, become: Become, secured: Secured) -> None:
    """EDIT moves everything but the alias that has to be removed: that is said, and whoever may finishes it."""
    name = secured.register(zoo.linear, zoo.better)
    become(EDITOR)
    said = cli("models", "promote", name, "2", "--tracking-uri", secured.uri, code=1)
    assert "It stopped after 3 of 4 moves." in said.error
    assert "the user 'editor' may not (403)" in said.error
    assert secured.deployed.state(name) == [("Archived", ()), ("Production", ("challenger", "champion"))]
    experiment = secured.deployed.registry.client.get_experiment_by_name(f"abtest/{name}")
    assert experiment is not None
    secured.grant(MANAGER, "EDIT", experiment.experiment_id, "experiment")
    become(MANAGER)
    cli("models", "recover", name, "--yes", "--tracking-uri", secured.uri)
    assert secured.deployed.state(name) == [("Archived", ()), ("Production", ("champion",))]
    told = cli("models", "history", name, "--tracking-uri", secured.uri)
    assert EDITOR in told.out.splitlines()[1]
