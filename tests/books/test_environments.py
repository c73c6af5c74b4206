"""Environments: read from where they are written, compared as packaging compares versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from abtest.books import environments
from abtest.books.environments import difference, installed, met, parsed
from abtest.errors import NotFoundError
from abtest.registry import RegistryClient
from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

RELEASES = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(RELEASES, RELEASES)
def test_how_versions_differ(one: str, other: str) -> None:
    """Equal versions do not differ, others do; either way round it is the same part, the first that differs."""
    how = difference(f"=={one}", f"=={other}")
    assert (how == "") == (Version(one) == Version(other))
    assert how == difference(f"=={other}", f"=={one}")
    a, b = Version(one), Version(other)
    if how == "major":
        assert a.major != b.major
    elif how:
        assert (a.major, how == "minor") == (b.major, a.minor != b.minor)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("numpy==2.4.6", {"numpy": "==2.4.6"}),
        ("Scikit_Learn >= 1.5 , < 2", {"scikit-learn": "<2,>=1.5"}),
        ("uvicorn[standard]==0.51 # serves", {"uvicorn": "==0.51"}),
        ("torch==2.5.1+cu121", {"torch": "==2.5.1+cu121"}),
        ("mlflow", {"mlflow": ""}),
        ("old==1; python_version < '3'", {}),
        ("mine @ git+https://me:secret@host/mine", {"mine": "@ git+https://***@host/mine"}),
        ("", {}),
    ],
)
def test_requirements_as_pip_reads_them(line: str, read: dict[str, str]) -> None:
    """Names come in their normal form, comments and what is not for this Python go, and passwords are hidden."""
    assert parsed(line) == (read, None, ())


def test_lines_that_name_no_library_are_told() -> None:
    """An option or a path is no library, and is told as it stands."""
    assert parsed("--index-url https://u:p@host/\n./mine.whl\n")[2] == ("--index-url https://***@host/", "./mine.whl")


def test_what_is_required_is_here_or_not() -> None:
    """A pin asks for that version alone, a bound for any within; a library that is not here meets nothing."""
    here = str(installed("numpy"))
    assert met(f"=={here}", here)
    assert not met(f"!={here}", here)
    assert not met("", installed("no-such-library-as-this"))


@pytest.mark.usefixtures("iris")
def test_what_training_wrote_down_goes_before_what_files_ask_for(training: tuple[Path, tuple[str, ...]]) -> None:
    """The run's environment.txt is read, else that of the training around it, else the model's files; it says which."""
    client = RegistryClient()
    first, second, _ = client.versions("iris")
    assert training[1][0] == first.run_id
    asked = environments.environment_of(client, first)
    assert asked is not None
    assert (asked.source, asked.whole) == ("requirements.txt and python_env.yaml of the model", False)
    assert asked.libraries == {"mlflow": ""}
    around = client.client.create_run("0").info.run_id
    client.client.log_text(around, "python==3.10.1\nmlflow==3.0.0\n", environments.WRITTEN)
    client.client.set_tag(str(second.run_id), "mlflow.parentRunId", around)
    found = environments.environment_of(client, second)
    assert found is not None
    assert (found.source, found.python) == (f"environment.txt of run {around}", "3.10.1")
    client.client.log_text(str(second.run_id), "python==3.11.1\nmlflow==2.9.0\ngone==1.0\n", environments.WRITTEN)
    beside = environments.compared(client, (first, second))
    rows = {row.library: row for row in beside.rows}
    assert beside.environments[1] is not None
    assert (beside.environments[1].source, beside.python.versions[1]) == (
        f"environment.txt of run {second.run_id}",
        "3.11.1",
    )
    assert (rows["mlflow"].versions, rows["mlflow"].between, rows["mlflow"].from_here) == (
        ("any", "2.9.0"),
        "",
        "major",
    )
    assert (rows["gone"].here, rows["gone"].from_here, rows["gone"].unmet) == (None, "missing", False)
    assert beside.unmet == ()


def test_a_version_of_which_nothing_is_known(registry: RegistryClient, tmp_path: Path) -> None:
    """Where nothing is written down that is an error, and nothing is made up."""
    (tmp_path / "empty").mkdir()
    zoo.register(registry.client, "bare", str(tmp_path / "empty"))
    with pytest.raises(NotFoundError, match="environment of 1 version of 'bare' is not on record"):
        environments.compared(registry, registry.versions("bare"))
