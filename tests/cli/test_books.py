"""``abtest lineage``, ``env`` and ``cleanup`` as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from abtest.registry import RegistryClient

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.lifecycle import Registry
    from tests.conftest import Cli


def test_lineage_in_every_form(iris: Registry, cli: Cli, tmp_path: Path) -> None:
    """A version is named by number, stage or alias; a file's ending says what is written to it."""
    RegistryClient().set_alias("iris", "canary", 3)
    said = cli("lineage", "iris", "production").out
    assert said.startswith("Version 1 of iris is in production since ")
    assert "Comparisons\n  none on record" in said
    assert json.loads(cli("lineage", "iris", "@canary", "--format", "json").out)["version"] == 3
    told = cli("lineage", "iris", "latest", "--output", "l.svg")
    assert (told.out, "l.svg" in told.err) == ("", True)
    assert (tmp_path / "l.svg").read_text(encoding="utf-8").startswith("<svg")
    cli("lineage", "iris", "2", "-o", "l.html")
    assert (tmp_path / "l.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(iris)


def test_lineage_of_what_is_not_there(iris: Registry, cli: Cli) -> None:
    """No such model, version, alias: one sentence; what can name none is a usage error."""
    assert "'iris' has no version 9" in cli("lineage", "iris", "9", code=1).error
    assert "has the alias 'nobody'" in cli("lineage", "iris", "@nobody", code=1).error
    assert "did you mean 'iris'?" in cli("lineage", "irys", "1", code=1).error
    assert "@ALIAS" in cli("lineage", "iris", "champion!", code=2).err
    assert str(iris)


def test_env_shows_what_differs(iris: Registry, cli: Cli) -> None:
    """Only what differs is shown unless all is asked for; --check fails where a requirement is not met here."""
    client = RegistryClient()
    run_id = str(client.versions("iris")[1].run_id)
    client.client.log_text(run_id, "python==2.7.18\nmlflow==1.0\nnumpy==0.1\n", "environment.txt")
    said = cli("env", "iris", "1", "2", "--check").out
    assert "numpy" in said
    assert "2.7.18" in said
    assert "mlflow" in cli("env", "iris", "1", "--all").out
    rows = json.loads(cli("env", "iris", "2", "--format", "json").out)
    assert rows["python"]["from_here"] == "major"
    assert str(iris)


def test_env_check_tells_by_its_exit_code(iris: Registry, cli: Cli, tmp_path: Path) -> None:
    """What a version's own files require and is not here is told, and the exit code is 3."""
    folder = tmp_path / "needs"
    folder.mkdir()
    (folder / "requirements.txt").write_text("mlflow\nno-such-library-as-this==1.2\n", encoding="utf-8")
    client = RegistryClient()
    client.client.create_registered_model("needs")
    client.client.create_model_version("needs", str(folder))
    told = cli("env", "needs", "1", "--check", code=3)
    assert "required" in told.out
    assert "Here is not what is required: no-such-library-as-this." in told.err
    assert str(iris)


def test_cleanup_shows_first_and_deletes_with_yes(iris: Registry, cli: Cli) -> None:
    """Without --yes nothing goes; with it what was shown does; a second time nothing is left to do."""
    said = cli("cleanup", "iris", "--keep", "0").out
    assert "Would go: 1 version." in said
    assert "version 3 of 'iris'" in said
    assert [it.details.version.version for it in iris.show("iris").versions] == [1, 2, 3]
    assert "Nothing would go." in cli("cleanup", "--older-than", "90d").out
    done = json.loads(cli("cleanup", "--keep", "0", "--yes", "--format", "json").out)
    assert [it["version"] for it in done["done"]["deleted"]] == [3]
    assert [it.details.version.version for it in iris.show("iris").versions] == [1, 2]
    assert "Deleted: nothing." in cli("cleanup", "--keep", "0", "--yes").out


def test_cleanup_needs_a_limit(iris: Registry, cli: Cli) -> None:
    """Without a limit everything would go, so one is asked for; a span that is none is a usage error."""
    assert "--older-than / --keep" in cli("cleanup", code=2).err
    assert "span of time" in cli("cleanup", "--older-than", "soon", code=2).err
    assert "at most 100 years" in cli("cleanup", "--older-than", "99999999999d", code=2).err
    assert "No registered model 'nobody'" in cli("cleanup", "nobody", "--keep", "1", code=1).error
    assert str(iris)
