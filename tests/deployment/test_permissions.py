"""MLflow's server with passwords: who may do what, as docs/deploying.md says, and what those are told who may not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import zoo
from tests.deployment.servers import EDITOR, MANAGER, READER, STRANGER

if TYPE_CHECKING:
    from tests.conftest import Cli, Told
    from tests.deployment.conftest import Become, Compare
    from tests.deployment.servers import Secured

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "deploying.md").read_text(encoding="utf-8")
# | `command`, and what of the model matters | READ | EDIT | MANAGE |
ROW = re.compile(r"^\| `abtest ([a-z -]+)`(.*?) \| (yes|no)\b.*? \| (yes|no)\b.*? \| (yes|no)\b.*? \|$", re.MULTILINE)
MAY = [
    pytest.param(command, aliased, user, allowed, id=f"{user} {command}{' with aliases' if aliased else ''}")
    for command, model, *cells in ROW.findall(GUIDE)
    for aliased in ["alias" in model]
    for user, allowed in zip((READER, EDITOR, MANAGER), (cell == "yes" for cell in cells), strict=True)
]


@pytest.mark.parametrize(("command", "aliased", "user", "allowed"), MAY)
def test_who_may_do_what(
    compare: Compare, become: Become, secured: Secured, command: str, user: str, *, aliased: bool, allowed: bool
) -> None:
    """What the guide's table allows is done, and what it does not ends with exit code 1 and one line."""
    name = secured.register(zoo.linear, zoo.better, aliases=None if aliased else {})
    become(user)
    _, *options = command.split()
    told = compare(name, secured.uri, "--no-save-plot", *options, code=0 if allowed else 1)
    assert told.out.startswith("PROMOTE")  # said before what may fail
    if not allowed:
        assert_one_line(told, secured)


def test_the_guide_has_the_table() -> None:
    """The table that is tried is the whole one."""
    assert len(MAY) == 4 * 3
    assert len(re.findall(r"^\| `abtest ", GUIDE, re.MULTILINE)) == 4


def test_somebody_elses_experiment(compare: Compare, become: Become, secured: Secured) -> None:
    """Whoever logs first owns the experiment; another needs EDIT on it, whatever they may do with the model."""
    name = secured.register(zoo.linear, zoo.better)
    become(EDITOR)
    compare(name, secured.uri, "--no-save-plot")
    become(MANAGER)
    assert_one_line(compare(name, secured.uri, "--no-save-plot", code=1), secured)
    experiment = secured.deployed.registry.client.get_experiment_by_name(f"abtest/{name}")
    assert experiment is not None
    secured.grant(MANAGER, "EDIT", experiment.experiment_id, "experiment")
    compare(name, secured.uri, "--no-save-plot")


@pytest.mark.parametrize("in_address", [False, True], ids=["variables", "address"])
def test_a_wrong_password(compare: Compare, become: Become, secured: Secured, *, in_address: bool) -> None:
    """A wrong password is told in one line, which does not hold it; and nothing was done."""
    name = secured.register(zoo.linear, zoo.better)
    uri = secured.uri
    if in_address:
        uri = uri.replace("http://", f"http://{EDITOR}:hunter2@")
    else:
        become(EDITOR, "hunter2")
    told = compare(name, uri, "--no-save-plot", code=1)
    assert told.out == ""
    assert_one_line(told, secured)


def test_a_model_that_is_denied_and_one_that_is_not_there(compare: Compare, become: Become, secured: Secured) -> None:
    """Whoever may not see a model is told so in one line; whoever may is told of a name that is wrong."""
    name = secured.register(zoo.linear, zoo.better)
    become(STRANGER)
    assert_one_line(compare(name, secured.uri, "--no-save-plot", code=1), secured)
    become(READER)
    told = compare(f"{name}x", secured.uri, "--no-save-plot", code=1)
    assert f"No registered model '{name}x'" in told.error


def test_the_right_password_in_the_address(compare: Compare, secured: Secured) -> None:
    """A user named in the address is that user, and their password is neither printed nor logged."""
    name = secured.register(zoo.linear, zoo.better)
    address = secured.uri.replace("http://", f"http://{EDITOR}:{secured.passwords[EDITOR]}@")
    told = compare(name, address, "--no-save-plot")
    assert_hidden(told, secured)
    run = secured.deployed.registry.client.get_run(told.err.split("MLflow    run ")[1].split()[0])
    files = secured.deployed.store.of_run(run)
    assert "comparison.json" in files
    for logged in (*files.values(), repr(run.to_dictionary()).encode()):
        assert secured.passwords[EDITOR].encode() not in logged


def assert_one_line(told: Told, secured: Secured) -> None:
    """One line says what went wrong, without a password."""
    assert told.error
    assert_hidden(told, secured)


def assert_hidden(told: Told, secured: Secured) -> None:
    """No password is printed."""
    for password in ("hunter2", *secured.passwords.values()):
        assert password not in told.out + told.err


@pytest.mark.parametrize(("user", "state"), [(READER, "problem"), (EDITOR, "ok")])
def test_doctor_tells_who_may_not_write(become: Become, secured: Secured, cli: Cli, user: str, state: str) -> None:
    """Who may only read a model is told so without anything being written, and who may write it that they may."""
    name = secured.register(zoo.linear, zoo.better)
    Path("abtest.toml").write_text(f'[registry]\nmodel_name = "{name}"\n', encoding="utf-8")
    become(user)
    told = cli("doctor", "--tracking-uri", secured.uri, "--format", "json", code=1 if state == "problem" else 0)
    found = {one["check"]: one for one in json.loads(told.out)}
    assert found["write access"]["state"] == state, found
    assert found["registry"]["state"] == found["schema"]["state"] == "ok"
    assert all(not version.tags.get("abtest.doctor") for version in secured.deployed.registry.details(name))
