"""Whatever is wrong with what a user gives is told in one clear line, and nothing is written or promoted."""

from __future__ import annotations

import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests import zoo
from tests.cli import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abtest.registry import RegistryClient
    from tests.conftest import Told

SIDES = ("champion", "challenger")
COMPARE = ("compare", "--model-name", "fruit", "--test-data", "fruit.csv")
QUICK = ("--resamples", "100", "--no-save-plot", "--no-log")


@pytest.fixture
def workplace(stocked: RegistryClient, tmp_path: Path) -> Iterator[RegistryClient]:
    """A folder with data and a registry; nothing in it has changed when a command was refused."""
    zoo.fruit().to_csv("fruit.csv", index=False)
    stages = [(v.version, v.stage, v.aliases) for v in stocked.versions("fruit")]
    yield stocked
    assert [(v.version, v.stage, v.aliases) for v in stocked.versions("fruit")] == stages
    assert not list((tmp_path / "reports").glob("*"))
    assert not list(tmp_path.glob("mlruns*"))
    assert [e.name for e in stocked.client.search_experiments()] == ["Default"]


@pytest.fixture
def refused(workplace: RegistryClient, cli: Callable[..., Told]) -> Callable[..., str]:
    """Type ``abtest compare`` with more options than the good ones, and get the one line it is refused with."""
    del workplace

    def type_in(*arguments: str) -> str:
        told = cli(*COMPARE, *arguments, "--auto-promote", code=1)
        assert told.out == ""
        lines = told.err.strip().splitlines()
        assert len(lines) == 1, lines
        assert len(lines[0]) < 500
        return told.error

    return type_in


REFERENCES = {
    "unknown model": (
        ("--model-name", "friut"),
        ["No registered model 'friut'", "did you mean 'fruit'?"],
    ),
    "unknown version": (
        ("--challenger-version", "99"),
        ["'fruit' has no version 99.", "there are versions …, 7 (None)", "11 (None)"],
    ),
    "version of letters": (
        ("--challenger-version", "champion"),
        ["challenger-version must be a number, got 'champion'.", "--challenger-alias champion names an alias."],
    ),
    "baseline as challenger": (("--challenger-version", "baseline"), ["only the champion can be the baseline"]),
    "unknown stage": (
        ("--champion-stage", "Prodction"),
        ["stage must be one of Production, Staging, Archived, None, got 'Prodction'.", "did you mean 'Production'?"],
    ),
    "unknown alias": (
        ("--champion-alias", "champoin"),
        ["No version of 'fruit' has the alias 'champoin'.", "did you mean 'champion'?"],
    ),
    "nothing in the stage": (
        ("--model-name", "bare", "--champion-stage", "Production"),
        ["No version of 'bare' is in stage Production.", "there are versions 1 (None), 2 (Archived) @canary."],
    ),
    "no default": (
        ("--model-name", "bare"),
        ["'bare' has no champion: no version is in stage Production or has the alias 'champion'.", "2 (Archived)"],
    ),
    "no versions": (("--model-name", "void"), ["'void' has no champion", "it has no versions"]),
    "two in the stage": (
        ("--model-name", "crowd", "--champion-stage", "Production"),
        ["Versions 1 and 2 of 'crowd' are all in stage Production", "archive all but one, or name a version."],
    ),
    "stage and alias differ": (
        ("--model-name", "torn"),
        ["Stage Production of 'torn' holds version 1 but alias 'champion' is on version 2.", "--champion-stage"],
    ),
    "same version twice": (
        ("--champion-version", "2"),
        ["Both sides are version 2 of 'fruit' (champion: version 2, challenger: stage Staging).", "another challenger"],
    ),
    "same version by alias": (
        ("--champion-version", "1", "--challenger-alias", "champion"),
        ["Both sides are version 1 of 'fruit'"],
    ),
    "model-name and URI differ": (
        ("--champion-uri", "models:/bare/1"),
        ["model-name is 'fruit' but a URI names bare."],
    ),
}


@pytest.mark.parametrize(("options", "told"), REFERENCES.values(), ids=REFERENCES)
def test_references_that_name_no_model(refused: Callable[..., str], options: tuple[str, ...], told: list[str]) -> None:
    """A reference that names nothing, or not one thing, is refused with what there is instead."""
    said = refused(*options)
    assert all(part in said for part in told), said


MODELS = {
    "raises": ("4", ["The challenger failed to predict rows 1 to 60: RuntimeError: cannot weigh it."]),
    "does not load": ("5", ["The challenger at ", " does not load: ", "does this environment have what"]),
    "probabilities": ("6", ["Challenger predictions are not class labels (0.", "predict, not predict_proba"]),
    "wrong length": ("7", ["The challenger returned predictions of shape (59,) for 60 rows from row 1.", "one predic"]),
    "two columns": ("8", ["The challenger predicts 2 values a row where one is expected.", "proba"]),
    "irreconcilable": ("9", ["Labels are str but challenger predictions are int ('", "map the labels."]),
    "nothing": ("11", ["The challenger predicts nothing for 10 rows (first: row 6)."]),
}  # fmt: skip


@pytest.mark.parametrize(("version", "told"), MODELS.values(), ids=MODELS)
def test_models_that_predict_no_labels(refused: Callable[..., str], version: str, told: list[str]) -> None:
    """A model that fails, or predicts what is no label, is named by its side, with rows and a way out."""
    said = refused("--challenger-version", version)
    assert all(part in said for part in told), said
    assert "Hint: " in said


def test_the_champion_is_named_as_well(refused: Callable[..., str]) -> None:
    """Where the champion fails, it is the champion that is named, and the rows of the batch."""
    assert "The champion failed to predict rows 1 to 7:" in refused("--champion-version", "4", "--batch-size", "7")


def _csv(**changes: Any) -> str:
    return zoo.fruit().assign(**changes).to_csv(index=False)


def _without(column: str) -> str:
    return zoo.fruit().drop(columns=column).to_csv(index=False)


def _holed(column: str, row: int, value: str | None = None) -> str:
    frame = zoo.fruit().astype(object)
    frame.loc[row - 1, column] = value
    return frame.to_csv(index=False)


DATA: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["fruit.csv is empty."]),
    "header only": ("width,height,kind\n", ["fruit.csv has nothing to compare on: it holds no rows."]),
    "header without a line end": ("width,height,kind", ["fruit.csv holds no rows."]),
    "one feature missing": (
        _without("width"),
        ["The data lack feature 'width', which the champion's signature names.", "columns are height, kind"],
    ),
    "both missing": ("kind\napple\n", ["The data lack feature 'width' and 1 more"]),
    "no target": (_without("kind"), ["fruit.csv has no column beside the models' features", "--target names"]),
    "missing label": (
        _holed("kind", 17),
        ["Target 'kind' is missing in 1 row (first: row 17).", "--drop-unlabelled leaves such rows out"],
    ),
    "unparsable": (
        _holed("height", 12, "tall"),
        ["Column 'height' of fruit.csv must be double, got 'tall' in row 12."],
    ),
    "two columns of a name": ("width,height,width,kind\n1,2,3,pear\n", ["fruit.csv has two columns named 'width'."]),
    "ragged": (
        "width,height,kind\n1,2,pear\n1,2\n",
        ["Row 2 of fruit.csv has 2 values where the header names 3 columns."],
    ),
    "too long a row": ("width,height,kind\n1,2,pear,x\n", ["Row 1 of fruit.csv has 4 values where the header names 3"]),
    "not UTF-8": ("width,height,kind\n1,2,péar\n".encode("latin-1"), ["fruit.csv"]),
    "other labels": (
        _csv(kind=np.where(np.arange(60) % 2, "PEAR", "APPLE")),
        ["The champion never predicts a class of the truth ('apple' vs 'APPLE')."],
    ),
}


@pytest.mark.parametrize(("content", "told"), DATA.values(), ids=DATA)
def test_rows_that_cannot_be_compared_on(refused: Callable[..., str], content: str | bytes, told: list[str]) -> None:
    """Rows that are damaged, unlabelled or not the models' are refused with column and row."""
    Path("fruit.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refused()
    assert all(part in said for part in told), said


OPTIONS = {
    "no such file": (("--test-data", "friut.csv"), ["test-data friut.csv does not exist.", "did you mean 'fruit.csv'"]),
    "no such folder": (("--test-data", "nowhere/at/all.csv"), ["test-data nowhere/at/all.csv does not exist."]),
    "no format": (("--test-data", "mlflow.db"), ["test-data mlflow.db is of no known format.", ".parquet"]),
    "no Parquet in it": (("--test-data", "."), ["test-data . is a folder without Parquet files."]),
    "unknown target": (("--target", "knid"), ["fruit.csv has no target column 'knid'.", "did you mean 'kind'?"]),
    "a feature as target": (("--target", "width"), ["Target 'width' is a feature of the champion"]),
    "confidence of 95": (("--confidence", "95"), ["confidence must be in (0, 1), got 95.", "0.95 means 95 %."]),
    "confidence of 0": (("--confidence", "0"), ["confidence must be in (0, 1), got 0."]),
    "confidence of 1": (("--confidence", "1"), ["confidence must be in (0, 1), got 1."]),
    "no rows at a time": (("--batch-size", "0"), ["must be at least 1, got 0."]),
    "no such policy": (("--policy", "policy.toml"), ["policy.toml does not exist."]),
    "label type": (("--label-type", "int"), ["Labels cannot be read as int: '", "choose another --label-type."]),
    "no scheme": (("--tracking-uri", "htp://nowhere"), ["tracking-uri htp://nowhere cannot be used"]),
}  # fmt: skip


@pytest.mark.parametrize(("options", "told"), OPTIONS.values(), ids=OPTIONS)
def test_options_out_of_range(refused: Callable[..., str], options: tuple[str, ...], told: list[str]) -> None:
    """An option that names nothing, or is out of its range, is told with the rule and what was got."""
    said = refused(*options)
    assert all(part in said for part in told), said


@pytest.mark.parametrize("uri", ["runs:/0123/model", "models:/m-0123", "nowhere", ".", "file:///nowhere"])
def test_places_without_a_model(workplace: RegistryClient, cli: Callable[..., Told], uri: str) -> None:
    """A run, a logged model or a folder that is not there, or holds no model, is said, with the side."""
    del workplace
    told = cli(*COMPARE, "--champion-uri", uri, "--no-log", code=1)
    assert told.error.startswith(f"There is no model for the champion at {uri}: ")


def test_a_continuous_target(workplace: RegistryClient, cli: Callable[..., Told], tmp_path: Path) -> None:
    """A target of measurements that is to be taken for classes is told to be none, and what compares it."""
    del workplace
    zoo.fruit().assign(kind=np.linspace(0, 1, 60)).to_csv("fruit.csv", index=False)
    inputs = zoo.signature(width="double", height="double")
    sides = [f"--{side}-uri={zoo.save(zoo.numbers, tmp_path / side, inputs=inputs)}" for side in SIDES]
    told = cli(*COMPARE, *sides, "--no-log", "--task", "classification", code=1)
    assert "The target is continuous (0.01" in told.error
    assert "--task regression compares predicted numbers" in told.error


POLICIES = {
    "unknown key": ("promote_shere = 1", ["policy.toml: unknown key 'promote_shere'", "did you mean 'promote_share'?"]),
    "out of range": ("promote_share = 2", ["policy.toml: promote_share must be in (0, 1], got 2."]),
    "not a number": ("confidence = 'high'", ["policy.toml: confidence must be a number, got 'high'."]),
    "unknown metric": ("metrics = ['acuracy']", ["policy.toml: ", "did you mean 'accuracy'?"]),
    "no list": ("metrics = 3", ["policy.toml: metrics must be a list of names, got 3."]),
    "without accuracy": ("metrics = ['f1']", ["policy.toml: metrics must contain accuracy"]),
    "contradiction": ("promote_share = 0.6\nconditional_share = 0.7", ["conditional_share must be in (0, promote"]),
    "no table": ("policy = 3", ["policy.toml must be a table, got 3."]),
    "not TOML": ("confidence = = 1", ["policy.toml is not TOML: ", "line 1"]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), POLICIES.values(), ids=POLICIES)
def test_malformed_policies(refused: Callable[..., str], content: str, told: list[str]) -> None:
    """A malformed policy is told with its file, the key, what was expected, and a near name."""
    Path("policy.toml").write_text(content, encoding="utf-8")
    said = refused("--policy", "policy.toml")
    assert all(part in said for part in told), said


SETTINGS = {
    "unknown table": ("[compair]", ["abtest.toml: unknown key 'compair'", "did you mean 'compare'?"]),
    "unknown key": ("[compare]\nconfidance = 1", ["abtest.toml [compare]: unknown key 'confidance'.", "'confidence'?"]),
    "elsewhere": ("[compare]\ntracking_uri = 'x'", ["unknown key 'tracking_uri'.", "belongs in [registry]."]),
    "type": ("[compare]\nresamples = 'many'", ["abtest.toml [compare] resamples must be a whole number, got 'many'."]),
    "policy": ("[policy]\npromote_shere = 1", ["abtest.toml [policy]: unknown key 'promote_shere'", "'promote_share'"]),
    "choice": ("[compare]\naverage = 'micro'", ["average must be one of macro, weighted, binary, got 'micro'"]),
    "label type": ("[compare]\nlabel_type = 'integer'", ["label_type must be one of int, float, str, bool"]),
    "method": ("[policy]\nmethod = 'midp'", ["method must be one of mid-p, exact, chi2, got 'midp'.", "'mid-p'?"]),
    "not TOML": ("[compare", ["abtest.toml is not TOML: "]),
    "twice": (
        "[compare]\nchampion_stage = 'Staging'\nchampion_alias = 'champion'",
        ["The settings name the champion twice, by champion_stage and champion_alias."],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), SETTINGS.values(), ids=SETTINGS)
def test_malformed_settings(refused: Callable[..., str], content: str, told: list[str]) -> None:
    """A malformed setting is told with its file, table and key, what was expected, and a near name."""
    Path("abtest.toml").write_text(content, encoding="utf-8")
    said = refused()
    assert all(part in said for part in told), said


def test_a_misspelt_variable(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An ABTEST_ variable that is no setting is an error: a misspelt guard guards nothing."""
    monkeypatch.setenv("ABTEST_CONFIDANCE", "0.9")
    assert refused() == "ABTEST_CONFIDANCE is no setting. Hint: did you mean 'ABTEST_CONFIDENCE'?"


@pytest.mark.parametrize("cut", [3, 200, -4], ids=["the start", "the middle", "the end"])
def test_a_truncated_parquet_file(refused: Callable[..., str], cut: int) -> None:
    """A Parquet file that was not written to its end is named as such."""
    zoo.fruit().to_parquet("fruit.parquet")
    whole = Path("fruit.parquet").read_bytes()
    Path("fruit.parquet").write_bytes(whole[:cut])
    said = refused("--test-data", "fruit.parquet")
    assert said.startswith("fruit.parquet cannot be read as Parquet: ")
    assert "was it written completely" in said


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _as_text(path: Path) -> None:
    frame = pd.read_parquet(path)
    frame.assign(width=frame["width"].astype(str)).to_parquet(path)


def _less(path: Path) -> None:
    pd.read_parquet(path).drop(columns="height").to_parquet(path)


FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a truncated file": (_cut, "parts/2.parquet cannot be read as Parquet: "),
    "another type": (
        _as_text,
        "Column 'width' of parts/2.parquet is of type large_string, and of type double in 1.parquet",
    ),
    "a column less": (_less, "parts/2.parquet has no column 'height', which 1.parquet has."),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_with_one_bad_file(refused: Callable[..., str], case: str) -> None:
    """One bad file in the middle of a folder is named, and nothing is reported, logged or moved on the others."""
    Path("parts").mkdir()
    for name in "123":
        zoo.fruit().to_parquet(f"parts/{name}.parquet")
    spoil, told = FOLDERS[case]
    spoil(Path("parts/2.parquet"))
    assert refused("--test-data", "parts", "--target", "kind").startswith(told)


def test_a_database_that_is_not_there(refused: Callable[..., str]) -> None:
    """A registry that does not exist is said, and none is made."""
    said = refused("--tracking-uri", "sqlite:///mlfow.db")
    assert "There is no MLflow registry at sqlite:///mlfow.db: no such file in " in said
    assert not Path("mlfow.db").exists()


def test_the_default_database_is_not_made(cli: Callable[..., Told], tmp_path: Path) -> None:
    """In a folder without a registry MLflow's default is refused, for runs as for models, and none is made."""
    zoo.fruit().to_csv("fruit.csv", index=False)
    for sides in ([], ["--champion-uri", "runs:/1/model", "--challenger-uri", "runs:/2/model", "--target", "kind"]):
        told = cli("compare", "--test-data", "fruit.csv", *sides, "--no-log", code=1)
        assert "There is no MLflow registry at sqlite:///" in told.error
        assert "abtest demo" in told.error
    assert [path.name for path in tmp_path.iterdir() if path.name != "reports"] == ["fruit.csv"]


@pytest.mark.parametrize("uri", ["mlrunz", "file:///mlrunz"])
def test_a_folder_that_is_not_there(refused: Callable[..., str], uri: str) -> None:
    """A file store that does not exist is said, and none is made."""
    assert "no such folder" in refused("--tracking-uri", uri)
    assert not Path("mlrunz").exists()


def test_nobody_listens(refused: Callable[..., str]) -> None:
    """A server that is not up is told at once, not after MLflow's minutes of retries."""
    start = time.monotonic()
    said = refused("--tracking-uri", "http://127.0.0.1:1")
    assert "The registry http://127.0.0.1:1 does not answer (ConnectionError)." in said
    assert "is the MLflow server running there?" in said
    assert time.monotonic() - start < 10


def test_a_server_that_never_answers(refused: Callable[..., str]) -> None:
    """A server that takes the call and says nothing is given up within ten seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        said = refused("--tracking-uri", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert "does not answer (ReadTimeout)" in said
        assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("--champion-stage", "Production", "--champion-alias", "champion"), "name the champion twice"),
        (("--confidence", "high"), "number"),
        (("--average", "micro"), "micro"),
        (("--nonsense",), "No such option"),
    ],
)
def test_usage_errors(workplace: RegistryClient, cli: Callable[..., Told], command: tuple[str, ...], told: str) -> None:
    """What contradicts itself, or is no option, is a usage error: exit code 2."""
    del workplace
    said = cli(*COMPARE, *command, code=2)
    assert told in " ".join(said.err.replace("│", " ").split())


def test_errors_as_a_shell_sees_them(workplace: RegistryClient) -> None:
    """In a process of its own an error is exit code 1 and one line on stderr, with nothing on stdout."""
    del workplace
    for options, expected in (
        (
            ("--challenger-version", "4"),
            "The challenger failed to predict rows 1 to 60: RuntimeError: cannot weigh it.",
        ),
        (("--model-name", "friut"), "No registered model 'friut' in sqlite:///"),
    ):
        told = shell.run(*COMPARE, *options)
        assert (told.returncode, told.stdout) == (1, "")
        (line,) = told.stderr.strip().splitlines()
        assert expected in line


def test_debug_shows_where(workplace: RegistryClient) -> None:
    """With --debug the same error comes with its traceback."""
    del workplace
    told = shell.run(*COMPARE, "--challenger-version", "4", "--debug")
    assert told.returncode == 1
    assert "Traceback" in told.stderr
    assert "RuntimeError: cannot weigh it" in told.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption(workplace: RegistryClient, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C while scoring, or a job that is cancelled, ends with exit code 130, a word and no traceback."""
    del workplace
    sign = tmp_path / "scoring"
    zoo.save(shell.waits_at(sign), tmp_path / "slow", inputs=zoo.signature(width="double", height="double"))
    process = shell.begin(*COMPARE, "--challenger-uri", "slow", "--no-log")
    killer = threading.Thread(target=shell.when_asked, args=(process, sign, lambda: process.send_signal(number)))
    killer.start()
    out, err = process.communicate(timeout=60)
    killer.join()
    assert process.returncode == 130, err
    assert out == ""
    assert err == "Interrupted.\n"


def test_an_interruption_that_a_finalizer_swallows(workplace: RegistryClient, tmp_path: Path) -> None:
    """A job that is cancelled just when Python cannot raise it ends with exit code 130 too, and decides nothing."""
    del workplace
    zoo.save(cancelled_in_a_finalizer, tmp_path / "slow", inputs=zoo.signature(width="double", height="double"))
    process = shell.begin(*COMPARE, "--challenger-uri", "slow", "--no-log")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "Interrupted.\n")


def cancelled_in_a_finalizer(frame: pd.DataFrame) -> Any:
    """A rule in whose finalizer the process is cancelled, and that then takes its time."""
    import os
    import time
    import weakref

    class Released:
        """What goes."""

    released = Released()
    finalizer = weakref.ref(released, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del released
    for _ in range(600):
        time.sleep(0.1)  # taking its time, as a model does
    return [finalizer] * len(frame)


def test_a_few_rows_and_one_class_are_no_errors(stocked: RegistryClient, cli: Callable[..., Told]) -> None:
    """One row, rows of one class, and models that never differ are valid, and evidence of nothing."""
    del stocked
    fruit = zoo.fruit()
    for rows in (fruit[:1], fruit[fruit["kind"] == "apple"][:9], fruit[fruit["kind"] == "apple"]):
        rows.to_csv("fruit.csv", index=False)
        told = cli(*COMPARE, *QUICK, "--gate", code=5)
        assert told.out.startswith("INSUFFICIENT_EVIDENCE")
    fruit.to_csv("fruit.csv", index=False)
    told = cli(*COMPARE, *QUICK, "--champion-version", "3", "--gate", code=5)
    assert told.out.startswith("INSUFFICIENT_EVIDENCE")


def test_a_class_of_its_own_is_wrong_and_told(stocked: RegistryClient, cli: Callable[..., Told]) -> None:
    """A class never seen in the truth counts as wrong, and is reported."""
    del stocked
    zoo.fruit().to_csv("fruit.csv", index=False)
    told = cli(*COMPARE, *QUICK, "--challenger-version", "10")
    assert "The challenger predicts 'quince', never seen in the truth: counted as wrong." in " ".join(told.out.split())


def test_unlabelled_rows_are_left_out_when_asked(stocked: RegistryClient, cli: Callable[..., Told]) -> None:
    """--drop-unlabelled leaves rows without a label out, and says how many."""
    del stocked
    frame = zoo.fruit()
    frame.loc[[3, 30, 31], "kind"] = None
    frame.to_csv("fruit.csv", index=False)
    told = cli(*COMPARE, *QUICK, "--drop-unlabelled")
    assert "same 57 rows" in told.out
    assert "3 rows without a label were dropped." in told.out
