"""Settings come from the nearest file, then from variables; what is misspelt is an error with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from abtest.errors import InvalidInputError, NotFoundError
from abtest.settings import Settings, read_toml

ALL = """
[registry]
tracking_uri = "sqlite:///mlflow.db"
registry_uri = "http://registry:5000"
model_name = "iris"

[compare]
champion_version = 3
test_data = "data/test.csv"
output = "/abs/reports"
challenger_uri = "runs:/abc/model"
champion_uri = "models/old"
confidence = 1
resamples = 500
save_plot = false

[policy]
promote_share = 0.9
"""


def load(text: str, folder: Path, environ: dict[str, str] | None = None, name: str = "abtest.toml") -> Settings:
    """Read a settings file in a folder."""
    (folder / name).write_text(text, encoding="utf-8")
    return Settings.load(folder, environ or {})


def test_reads_every_table(tmp_path: Path) -> None:
    """Values come typed, relative paths relative to the file, and URIs as they are."""
    settings = load(ALL, tmp_path)
    assert settings.source == tmp_path / "abtest.toml"
    assert settings.registry == {
        "tracking_uri": f"sqlite:///{tmp_path}/mlflow.db",
        "registry_uri": "http://registry:5000",
        "model_name": "iris",
    }
    assert settings.compare == {
        "champion_version": "3",
        "test_data": str(tmp_path / "data/test.csv"),
        "output": "/abs/reports",
        "challenger_uri": "runs:/abc/model",
        "champion_uri": str(tmp_path / "models/old"),
        "confidence": 1.0,
        "resamples": 500,
        "save_plot": False,
    }
    assert settings.policy == {"promote_share": 0.9}


def test_tables_of_spark_are_no_files(tmp_path: Path) -> None:
    """A table stays a name, wherever it is read; a Delta folder is as relative as any other."""
    settings = load('[compare]\nengine = "spark"\ntest_data = "table:shop.rows"\nconfirm_data = "delta:rows"', tmp_path)
    assert settings.compare["test_data"] == "table:shop.rows"
    assert settings.compare["confirm_data"] == f"delta:{tmp_path / 'rows'}"


def test_means_the_same_from_every_folder_below(tmp_path: Path) -> None:
    """A command run in a folder below finds the same file, and the same paths."""
    load(ALL, tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert Settings.load(below, {}) == Settings.load(tmp_path, {})


def test_the_nearest_file_is_it(tmp_path: Path) -> None:
    """The nearest file is read and no other; abtest.toml comes before pyproject.toml beside it."""
    load("[compare]\nseed = 1", tmp_path)
    below = tmp_path / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")
    assert Settings.load(below, {}).compare == {"seed": 1}
    assert load("[tool.abtest.compare]\nseed = 2", below, name="pyproject.toml").compare == {"seed": 2}
    assert load("[compare]\nseed = 3", below).compare == {"seed": 3}


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    """No file, no settings."""
    assert Settings.load(tmp_path, {"PATH": "/bin"}) == Settings()


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    """ABTEST_ variables are typed, and win over the file."""
    environ = {
        "ABTEST_SEED": "7", "ABTEST_CONFIDENCE": "0.9", "ABTEST_LOG": "no", "ABTEST_SAVE_PLOT": "True",
        "ABTEST_TRACKING_URI": "http://elsewhere", "ABTEST_TARGET": "y",
    }  # fmt: skip
    settings = load('[registry]\ntracking_uri = "a"\n[compare]\nseed = 1\nresamples = 200', tmp_path, environ)
    assert settings.compare == {
        "seed": 7, "resamples": 200, "confidence": 0.9, "log": False, "save_plot": True, "target": "y",
    }  # fmt: skip
    assert settings.registry == {"tracking_uri": "http://elsewhere"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[compair]",
            r"abtest\.toml: unknown key 'compair'; known are the tables \[registry\].*did you mean 'compare'",
        ),
        ("seed = 1", r"abtest\.toml: unknown key 'seed'.*Hint: seed belongs in \[compare\]\."),
        ("compare = 3", r"abtest\.toml: compare must be a table, got 3\. Hint: write \[compare\]\."),
        ("[compare]\nsead = 1", r"abtest\.toml \[compare\]: unknown key 'sead'\. Hint: did you mean 'seed'"),
        (
            "[compare]\nmodel_name = 'x'",
            r"\[compare\]: unknown key 'model_name'\. Hint: model_name belongs in \[registry\]",
        ),
        (
            "[registry]\nzzz = 1",
            r"\[registry\]: unknown key 'zzz'\. Hint: known are tracking_uri, registry_uri, model_name",
        ),
        ("[compare]\nseed = 1.5", r"abtest\.toml \[compare\] seed must be a whole number, got 1\.5\."),
        ("[compare]\nseed = true", r"seed must be a whole number, got True\."),
        ("[compare]\nlog = 1", r"log must be true or false, got 1\."),
        ("[compare]\nconfidence = 'x'", r"confidence must be a number, got 'x'\."),
        ("[compare]\ntarget = true", r"target must be a string, got True\."),
        ("[compare\n", r"abtest\.toml is not TOML: .*line 1"),
        ("a = '\udce9'", r"abtest\.toml is not TOML: .*utf-8"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, told: str, tmp_path: Path) -> None:
    """A mistake is told with file, table and key, what was expected, and a near name."""
    (tmp_path / "abtest.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InvalidInputError, match=told):
        Settings.load(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool]\nabtest = 3", r"pyproject\.toml \[tool\.abtest\] must be a table, got 3\."),
        ("[tool.abtest]\nsead = 3", r"pyproject\.toml \[tool\.abtest\]: unknown key 'sead'"),
        ("[tool.abtest.compare]\nsead = 3", r"pyproject\.toml \[tool\.abtest\] \[compare\]: unknown key 'sead'"),
    ],
)
def test_mistakes_in_pyproject(text: str, told: str, tmp_path: Path) -> None:
    """The same goes for pyproject.toml, by its own name."""
    with pytest.raises(InvalidInputError, match=told):
        load(text, tmp_path, name="pyproject.toml")


def test_a_pyproject_of_other_tools(tmp_path: Path) -> None:
    """A pyproject.toml without a table of ours is nobody's business."""
    assert load("tool = 3", tmp_path, name="pyproject.toml") == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ABTEST_CONFIDANCE", "1", "ABTEST_CONFIDANCE is no setting. Hint: did you mean 'ABTEST_CONFIDENCE'"),
        ("ABTEST_SEED", "one", "ABTEST_SEED must be a whole number, got 'one'"),
        ("ABTEST_LOG", "perhaps", "ABTEST_LOG must be true or false, got 'perhaps'"),
        ("ABTEST_ZZZ", "1", "ABTEST_ZZZ is no setting. Hint: unset it"),
    ],
)
def test_mistakes_in_variables(variable: str, value: str, told: str, tmp_path: Path) -> None:
    """A variable that is no setting, or of the wrong type, is told by its name."""
    with pytest.raises(InvalidInputError, match=told):
        Settings.load(tmp_path, {variable: value})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, or is a folder, is told as such."""
    with pytest.raises(NotFoundError, match=r"nowhere.toml does not exist"):
        read_toml(Path("nowhere.toml"))
    with pytest.raises(InvalidInputError, match="cannot be read: Is a directory"):
        read_toml(tmp_path)
