"""The fixture ``abtest_gate`` in a project of its own, run by a pytest of its own on a real registry."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

SETTINGS = """
[registry]
tracking_uri = "sqlite:///mlflow.db"

[compare]
test_data = "fruit.csv"
target = "kind"
resamples = 100
"""


@pytest.fixture
def project(pytester: pytest.Pytester, templates: Path) -> pytest.Pytester:
    """A project with a registry, labelled rows and settings."""
    zoo.copy(templates / "zoo.db", pytester.path)
    zoo.fruit(400).to_csv(pytester.path / "fruit.csv", index=False)
    (pytester.path / "abtest.toml").write_text(SETTINGS, encoding="utf-8")
    return pytester


def told(project: pytest.Pytester, call: str, **outcomes: int) -> str:
    """What pytest says of one test that makes this call, in a process of its own."""
    project.makepyfile(
        f"def test_challenger(abtest_gate):\n    found = {call}\n    assert str(found.verdict) == 'PROMOTE'"
    )
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**outcomes)
    return str(result.stdout)


def test_a_challenger_that_may_serve_passes(project: pytest.Pytester) -> None:
    """With the defaults of abtest.toml a name is enough, and the comparison is returned; nothing is left behind."""
    told(project, "abtest_gate('fruit')", passed=1)
    assert not (project.path / "reports").exists()
    assert not list(project.path.glob("mlruns*"))


def test_one_that_may_not_fails_with_its_reasons(project: pytest.Pytester) -> None:
    """The failure is the verdict, the headline and the rules that do not hold, and no traceback."""
    text = told(project, "abtest_gate('fruit', champion='models:/fruit/2', challenger='models:/fruit/1')", failed=1)
    assert "fruit: v1 against v2: KEEP_CHAMPION" in text
    assert "The champion should stay" in text
    assert "✗ Accuracy fell by" in text
    assert "Traceback" not in text
    assert "abtest/" not in text.replace("abtest/integrations", "")


def test_what_is_accepted_passes(project: pytest.Pytester) -> None:
    """Too few rows fail, and pass where that verdict is accepted; KEEP_CHAMPION can not be."""
    zoo.fruit(8).to_csv(project.path / "few.csv", index=False)
    assert "INSUFFICIENT_EVIDENCE" in told(project, "abtest_gate('fruit', data='few.csv')", failed=1)
    project.makepyfile(
        test_challenger="""
        def test_challenger(abtest_gate):
            found = abtest_gate("fruit", data="few.csv", accept=["insufficient-evidence"])
            assert found.verdict == "INSUFFICIENT_EVIDENCE"
        """
    )
    project.runpytest_subprocess("test_challenger.py").assert_outcomes(passed=1)


ERRORS = {
    "abtest_gate('bare')": "'bare' has no champion",
    "abtest_gate('friut')": "did you mean 'fruit'?",
    "abtest_gate('fruit', challenger='models:/fruit/4')": "challenger failed to predict",
    "abtest_gate('fruit', data='nope.csv')": "nope.csv",
    "abtest_gate('fruit', target='nope')": "'nope'",
    "abtest_gate('fruit', policy='nope.toml')": "nope.toml does not exist",
    "abtest_gate('fruit', seeed=1)": "did you mean 'seed'?",
    "abtest_gate('fruit', accept='keep_champion')": "accept must be among",
    "abtest_gate('fruit', tracking_uri='sqlite:///nothing.db')": "There is no MLflow registry",
    "abtest_gate('fruit', challenger=Exits())": "challenger failed to predict rows 1 to 400: SystemExit",
}


def test_an_error_is_no_pass(project: pytest.Pytester) -> None:
    """What cannot be compared fails the test, in one sentence and a hint, and a model cannot end the run."""
    calls = [f"def test_{i}(abtest_gate):\n    {call}" for i, call in enumerate(ERRORS)]
    model = "import sys\n\nclass Exits:\n    def predict(self, rows):\n        sys.exit(0)\n"
    project.makepyfile("\n\n".join([model, *calls]))
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=len(ERRORS))
    text = str(result.stdout)
    failures = re.findall(r"^abtest could not compare: (.*)$", text, re.MULTILINE)
    assert len(failures) == len(ERRORS)
    for failure, expected in zip(failures, ERRORS.values(), strict=True):
        assert expected in failure
    assert "Traceback" not in text
    assert "During handling" not in text


def test_no_data_is_no_pass(project: pytest.Pytester) -> None:
    """Where neither the call nor the settings name rows, the test fails and says where to."""
    (project.path / "abtest.toml").write_text('[registry]\ntracking_uri = "sqlite:///mlflow.db"', encoding="utf-8")
    assert "test_data in abtest.toml" in told(project, "abtest_gate('fruit')", failed=1)


def test_variables_and_rootdir_count(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are those at the rootdir wherever pytest is called from, and ABTEST_* variables win over them."""
    folder = project.mkdir("below")
    (folder / "test_it.py").write_text(
        "def test_it(abtest_gate):\n    assert abtest_gate().record.champion.version == 3\n", encoding="utf-8"
    )
    project.makeini("[pytest]")
    monkeypatch.setenv("ABTEST_MODEL_NAME", "fruit")
    monkeypatch.setenv("ABTEST_CHAMPION_VERSION", "3")
    monkeypatch.setenv("ABTEST_CHALLENGER_VERSION", "2")
    monkeypatch.chdir(folder)
    text = str(project.runpytest_subprocess("--rootdir", str(project.path), str(folder)).stdout)
    assert "INSUFFICIENT_EVIDENCE" in text, text  # versions 2 and 3 are the same rule: it got as far as comparing them


def test_several_challengers_of_the_settings(project: pytest.Pytester) -> None:
    """A list of challengers gives them all, and passes where the best may serve."""
    told(project, "abtest_gate('fruit', challenger=['models:/fruit/2', 'models:/fruit/10'])", passed=1)
    (project.path / "abtest.toml").write_text(SETTINGS + 'challenger_version = "2,10"\n', encoding="utf-8")
    told(project, "abtest_gate('fruit')", passed=1)


def test_the_fixture_is_listed_with_what_it_does(project: pytest.Pytester) -> None:
    """``pytest --fixtures`` tells a newcomer of it."""
    result = project.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(["abtest_gate*", "*fail the test unless it may serve*"])


def test_every_other_run_of_pytest_pays_for_nothing() -> None:
    """Importing the plugin imports no library but pytest, and of abtest nothing that computes."""
    script = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport abtest.integrations.pytest_plugin\n"
        "print(sorted({name for name in set(sys.modules) - before if name.startswith('abtest')}))\n"
        "print([name for name in ('mlflow', 'pandas', 'numpy', 'scipy', 'pyarrow', 'pydantic') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
    assert said.stdout.splitlines() == ["['abtest', 'abtest.integrations', 'abtest.integrations.pytest_plugin']", "[]"]
