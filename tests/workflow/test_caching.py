"""No model is asked twice about the same rows, and nobody can tell from the numbers; where in doubt, it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from abtest.errors import AbtestError
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from abtest.registry import Reference, RegistryClient
from abtest.workflow import compare
from tests import zoo
from tests.workflow import QUICK, house_of_rents, rents

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from abtest.comparison import Comparison
    from tests.conftest import Told

ROWS = 60
BATCH = 16  # four batches
CACHED = "from the cache"


def counting(rule: Callable[[pd.DataFrame], Any], folder: Path) -> Callable[[pd.DataFrame], Any]:
    """A rule that writes down how many rows it is asked about, in whatever process."""
    folder.mkdir(exist_ok=True)
    log = str(folder / rule.__name__)

    def asked_rule(frame: pd.DataFrame) -> Any:
        with open(log, "a") as file:  # noqa: PTH123 - it is pickled by value, and so without imports
            file.write(f"{len(frame)}\n")
        return rule(frame)

    return asked_rule


def asked(rule: Callable[[pd.DataFrame], Any]) -> int:
    """Rows that a rule was asked about since this was last called."""
    log = Path("asked") / rule.__name__
    rows = sum(map(int, log.read_text().split())) if log.exists() else 0
    log.unlink(missing_ok=True)
    return rows


def both_asked() -> tuple[int, int]:
    """The same of champion and challenger."""
    return asked(zoo.linear), asked(zoo.better)


@pytest.fixture
def counted(registry: RegistryClient, tmp_path: Path) -> RegistryClient:
    """A registry with the champion and the challenger of fruit, which write down what they are asked."""
    inputs = zoo.signature(width="double", height="double")
    rules = [counting(rule, tmp_path / "asked") for rule in (zoo.linear, zoo.better)]
    paths = [zoo.save(rule, tmp_path / f"model-{n}", inputs=inputs) for n, rule in enumerate(rules, start=1)]
    zoo.register(registry.client, "fruit", *paths, stages={1: "Production", 2: "Staging"})
    return registry


def compared(registry: RegistryClient, **options: Any) -> Comparison:
    """Compare the two, with what they say kept."""
    given = {"data": zoo.fruit(), "model_name": "fruit", "batch_size": BATCH, "cache": True, **QUICK, **options}
    found: Comparison = compare(tracking_uri=registry.tracking_uri, **given)
    return found


def numbers(comparison: Comparison, *, timed: bool = True) -> dict[str, Any]:
    """All of a comparison but when it was made, and what is said of the cache; and maybe but how long it took."""
    found = comparison.to_dict()
    for key in ("created_at", "provenance"):
        del found[key]
    for side in () if timed else ("champion", "challenger"):
        del found[side]["latency"]
    found["notices"] = [notice for notice in found["notices"] if CACHED not in notice]
    return found


def told(comparison: Comparison) -> list[str]:
    """What is said of the cache."""
    return [notice for notice in comparison.record.notices if CACHED in notice]


def entries() -> list[Path]:
    """Entries of the test's own cache."""
    return sorted(Path(os.environ["ABTEST_CACHE_DIR"]).rglob("*.predictions"))


@pytest.mark.parametrize("ending", ["csv", "parquet", "frame"])
def test_a_warm_run_asks_nobody_and_says_the_same(counted: RegistryClient, ending: str) -> None:
    """From any kind of data the second run asks no model, has every number of the first to the bit, and says why."""
    frame: Any = zoo.fruit().astype({"width": "float32"})
    if ending != "frame":
        getattr(frame, f"to_{ending}")(f"fruit.{ending}", index=False)
        frame = f"fruit.{ending}"
    cold = compared(counted, data=frame)
    assert min(both_asked()) >= ROWS
    warm = compared(counted, data=frame)
    assert both_asked() == (0, 0)
    assert numbers(warm) == numbers(cold)
    assert told(cold) == []
    first, second = told(warm)
    assert first.startswith("The champion's predictions are those of 20")
    assert second.startswith("The challenger's predictions are those of 20")
    assert all(notice.endswith(" UTC, from the cache; its latency was measured then.") for notice in told(warm))


def save_classifiers(registry: RegistryClient, folder: Path, frame: pd.DataFrame) -> None:
    """Register two classifiers that give probabilities."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    sources = []
    for number, columns in enumerate((["width"], ["width", "height"]), start=1):
        model = LogisticRegression().fit(frame[columns], frame["kind"])
        signature = infer_signature(frame[columns], model.predict(frame[columns]))
        mlflow.sklearn.save_model(model, folder / f"{number}", signature=signature, pip_requirements=["scikit-learn"])
        sources.append(str(folder / f"{number}"))
    zoo.register(registry.client, "scored", *sources, stages={1: "Production", 2: "Staging"})


def test_scores_are_the_same(registry: RegistryClient, tmp_path: Path) -> None:
    """Every metric of probabilities is the same from the cache, and labels kept without them are not taken for both."""
    frame = zoo.fruit(200)
    save_classifiers(registry, tmp_path, frame)
    scored = Policy(metrics=("accuracy", "roc_auc", "log_loss", "brier"))
    plain, cold, warm = (
        compared(registry, data=frame, model_name="scored", policy=policy)
        for policy in (Policy(metrics=("accuracy",)), scored, scored)
    )
    assert told(plain) == told(cold) == []
    assert len(told(warm)) == 2
    assert numbers(warm) == numbers(cold)
    assert {row["metric"] for row in numbers(warm)["metrics"]} >= {"roc_auc", "log_loss", "brier"}


def test_predicted_numbers_are_the_same(registry: RegistryClient, tmp_path: Path) -> None:
    """A regression from the cache is the same to the last bit."""
    house_of_rents(registry, tmp_path)
    options = {"data": rents(), "target": "rent", "model_name": "rents"}
    cold, warm = (compared(registry, **options) for _ in range(2))
    assert numbers(warm) == numbers(cold)
    assert len(told(warm)) == 2


def test_other_rows_are_asked_about(counted: RegistryClient) -> None:
    """One changed feature has its batch asked again, and no other; another truth alone has none; more rows those."""
    frame = zoo.fruit()
    compared(counted, data=frame)
    both_asked()
    frame.loc[20, "width"] = 7.77
    changed = compared(counted, data=frame)
    assert both_asked() == (BATCH, BATCH)
    assert told(changed)[0].startswith("The champion's predictions of 3 of 4 batches are those of ")
    frame["kind"] = frame["kind"].to_numpy()[::-1]
    compared(counted, data=frame)
    assert both_asked() == (0, 0)
    more = zoo.fruit(70)
    more.iloc[:ROWS] = frame
    compared(counted, data=more)
    assert both_asked() == (22, 22)  # all after the last batch that was whole


def test_other_batches_are_asked_about(counted: RegistryClient) -> None:
    """A model that looks at its batch as a whole is asked again where batches are cut elsewhere."""
    compared(counted)
    both_asked()
    compared(counted, batch_size=BATCH + 1)
    assert both_asked() == (ROWS, ROWS)


def test_unlabelled_rows_are_no_part_of_a_batch(counted: RegistryClient) -> None:
    """Where rows without a label are left out, the batch is another one."""
    frame = zoo.fruit()
    compared(counted, data=frame)
    both_asked()
    frame.loc[3, "kind"] = None
    cold = compared(counted, data=frame, drop_unlabelled=True)
    assert both_asked() == (BATCH - 1, BATCH - 1)
    assert numbers(compared(counted, data=frame, drop_unlabelled=True)) == numbers(cold)


def test_a_name_that_is_given_again_is_no_other(counted: RegistryClient, tmp_path: Path) -> None:
    """A model deleted and registered anew under its name is asked; the same files under another name are not."""
    before = compared(counted)
    both_asked()
    counted.client.delete_registered_model("fruit")
    inputs = zoo.signature(width="double", height="double")
    other = zoo.save(counting(zoo.stranger, tmp_path / "asked"), tmp_path / "other", inputs=inputs)
    zoo.register(counted.client, "fruit", other, str(tmp_path / "model-2"), stages={1: "Production", 2: "Staging"})
    after = compared(counted)
    assert (asked(zoo.stranger), asked(zoo.better)) == (ROWS, 0)
    assert after.outcomes != before.outcomes
    zoo.register(counted.client, "renamed", *(str(tmp_path / f"model-{n}") for n in (1, 2)), aliases={"champion": 1})
    again = compare("models:/renamed/1", "models:/renamed/2", data=zoo.fruit(), batch_size=BATCH, cache=True,
                    tracking_uri=counted.tracking_uri, **QUICK)  # fmt: skip
    assert both_asked() == (0, 0)
    assert again.outcomes == before.outcomes


def test_a_folder_that_is_trained_into_again_is_no_other(counted: RegistryClient, tmp_path: Path) -> None:
    """Files that change in place, under the same path and version, are another model; so is another signature."""
    compared(counted)
    both_asked()
    pickle = tmp_path / "model-1" / "python_model.pkl"
    pickle.write_bytes((tmp_path / "model-2" / "python_model.pkl").read_bytes())
    assert compared(counted).contingency.champion_only == 0
    assert both_asked() == (0, 2 * ROWS - ROWS)  # version 1 writes where version 2 does
    description = tmp_path / "model-2" / "MLmodel"
    description.write_text(description.read_text().replace('"double"', '"float"'))
    compared(counted)
    assert both_asked() == (0, ROWS)


def test_a_corrupt_entry_is_never_trusted(counted: RegistryClient) -> None:
    """Whatever is done to the files, the numbers are those that the models give, and damaged entries are replaced."""
    cold = compared(counted)
    both_asked()
    kept = entries()
    assert len(kept) == 8
    rng = np.random.default_rng(0)
    for number, path in enumerate(kept):
        raw = bytearray(path.read_bytes())
        if number % 3 == 0:
            raw[rng.integers(len(raw))] ^= 1
        elif number % 3 == 1:
            del raw[rng.integers(len(raw)) :]
        else:
            raw = bytearray(kept[number - 1].read_bytes())  # another entry, maybe a damaged one
        path.write_bytes(raw)
    again = compared(counted)
    assert both_asked() == (ROWS, ROWS)
    assert numbers(again, timed=False) == numbers(cold, timed=False)
    compared(counted)
    assert both_asked() == (0, 0)


def test_a_run_that_was_cut_off_is_taken_up(counted: RegistryClient, tmp_path: Path) -> None:
    """What was predicted before a failure is kept, and what failed is not."""
    inputs = zoo.signature(width="double", height="double")

    def fails(frame: pd.DataFrame) -> Any:
        if (frame["width"] > 9000).any():
            raise RuntimeError("too wide")
        return zoo.better(frame)

    path = zoo.save(fails, tmp_path / "failing", inputs=inputs)
    frame = zoo.fruit()
    frame.loc[40, "width"] = 9001.0
    for _ in range(2):
        with pytest.raises(AbtestError, match="failed to predict rows 33 to 48"):
            compared(counted, data=frame, challenger=path)
    rows = asked(zoo.linear)
    assert ROWS - BATCH <= rows < 2 * ROWS - BATCH


def test_python_keeps_nothing_unless_told(counted: RegistryClient) -> None:
    """By default `compare` writes no file; objects that somebody made are asked always; a folder can be named."""
    compared(counted, cache=False)
    assert not entries()
    frame = zoo.fruit()
    model = LogisticRegression().fit(frame[["width"]], frame["kind"])
    for _ in range(2):
        found = compare(model, str(Path("model-2")), data=frame, target="kind", cache=Path("here"), **QUICK)
        assert not [notice for notice in told(found) if "champion" in notice]
    assert len(list(Path("here/predictions").iterdir())) == 1
    assert len(told(found)) == 1


def test_a_locked_set_leaves_nothing(counted: RegistryClient) -> None:
    """Rows of --confirm-data are predicted each time, and what was predicted is not kept."""
    locked = zoo.fruit(200).iloc[100:]
    for _ in range(2):
        compared(counted, data=zoo.fruit(200).iloc[:100], confirm_data=locked, batch_size=100)
        assert min(both_asked()) >= 100
        assert len(entries()) == 2


def test_a_guarded_latency_is_measured(counted: RegistryClient) -> None:
    """Where the policy guards the latency both models are timed side by side, now and not then."""
    policy = Policy(guardrails=(Guardrail(metric="latency", margin=0.5),))
    compared(counted)
    both_asked()
    assert told(compared(counted, policy=policy)) == []
    assert min(both_asked()) >= ROWS


def typed(registry: RegistryClient, *options: str) -> list[str]:
    """The command that compares the two."""
    zoo.fruit().to_csv("fruit.csv", index=False)
    return ["compare", "--model-name", "fruit", "--tracking-uri", registry.tracking_uri, "--test-data", "fruit.csv",
            "--resamples", "100", "--no-log", "--no-save-plot", *options]  # fmt: skip


def test_no_cache(counted: RegistryClient, cli: Callable[..., Told]) -> None:
    """The command line keeps predictions; with --no-cache, typed or in the settings, it neither reads nor writes."""
    command = typed(counted)
    Path("abtest.toml").write_text("[compare]\ncache = false\n")
    cli(*command)
    Path("abtest.toml").unlink()
    cli(*command, "--no-cache")
    assert min(both_asked()) >= 2 * ROWS
    assert not entries()
    cli(*command)
    assert min(both_asked()) >= ROWS
    assert len(entries()) == 2
    cli(*command)
    assert both_asked() == (0, 0)
    cli(*command, "--no-cache")
    assert min(both_asked()) >= ROWS


def test_the_settings_say_where_and_how_much(
    counted: RegistryClient, cli: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions go into the folder that the settings name, up to the size that they name."""
    monkeypatch.delenv("ABTEST_CACHE_DIR")
    command = typed(counted)
    for size, kept in ((4.0, 2), (0.0, 0)):
        Path("abtest.toml").write_text(f'[compare]\ncache_dir = "up to {size}"\ncache_gib = {size}\n')
        cli(*command)
        assert len(list(Path(f"up to {size}/predictions").iterdir())) == kept
    Path("abtest.toml").write_text("[compare]\ncache_gib = -1\n")
    assert cli(*command, code=1).error == "cache_gib must not be negative, got -1."


def test_a_cache_that_cannot_be_written(
    counted: RegistryClient, cli: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be kept the comparison is the same, and one line says so."""
    command = typed(counted, "--format", "json")
    expected = json.loads(cli(*command, "--no-cache").out)
    Path("file").write_text("no folder")
    monkeypatch.setenv("ABTEST_CACHE_DIR", str(Path("file").resolve() / "below"))
    found = cli(*command)
    assert json.loads(found.out)["metrics"] == expected["metrics"]
    assert len([line for line in found.err.splitlines() if "Predictions are not kept" in line]) == 1


def test_two_processes_at_once(counted: RegistryClient) -> None:
    """Two commands that score the same rows at once both end with the right numbers, and a third asks nobody."""
    command = [sys.executable, "-m", "abtest", *typed(counted, "--format", "json", "--batch-size", "7", "--output")]

    def tables(*outputs: str) -> list[Any]:
        working = [
            subprocess.Popen([*command, output], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - the program under test
            for output in outputs
        ]
        ended = [process.communicate(timeout=120) for process in working]
        assert {process.returncode for process in working} == {0}, ended
        return [json.loads(out)["outcomes"] for out, _ in ended]

    at_once = tables("out0", "out1")
    both_asked()
    assert at_once == tables("out2") * 2
    assert both_asked() == (0, 0)
    assert at_once == [compared(counted, data="fruit.csv", batch_size=7).to_dict()["outcomes"]] * 2


def test_versions_are_told_apart(counted: RegistryClient) -> None:
    """What the champion said is found again for the same version in another place, and for no other version."""
    compared(counted)
    both_asked()
    swapped = [Reference(kind="version", value=value) for value in ("2", "1")]
    found = compare(*swapped, data=zoo.fruit(), model_name="fruit", batch_size=BATCH, cache=True,
                    tracking_uri=counted.tracking_uri, **QUICK)  # fmt: skip
    assert both_asked() == (0, 0)
    assert found.contingency.champion_only == compared(counted).contingency.challenger_only


@pytest.mark.usefixtures("registry")
def test_code_that_a_model_is_unpickled_with() -> None:
    """A model whose class lies in a project that is worked on is asked again when that has changed."""
    code = "class Rule:\n    def predict(self, features):\n        return ['{}'] * len(features)\n"
    saving = """
import mlflow, of_ours, of_theirs
for module in (of_ours, of_theirs):
    mlflow.sklearn.save_model(
        module.Rule(), f"rule_{module.__name__}", pip_requirements=["mlflow"], serialization_format="cloudpickle"
    )
"""
    for module in ("of_ours", "of_theirs"):
        Path(f"{module}.py").write_text(code.format("apple"))
    zoo.fruit().to_csv("fruit.csv", index=False)
    there = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])}

    def run(*command: str) -> bytes:
        return subprocess.run([sys.executable, *command], check=True, capture_output=True, env=there).stdout  # noqa: S603 - the program under test

    def outcomes() -> Any:
        return json.loads(
            run("-m", "abtest", "compare", "--champion-uri", "rule_of_ours", "--challenger-uri", "rule_of_theirs",
                "--test-data", "fruit.csv", "--target", "kind", "--format", "json")
        )["outcomes"]  # fmt: skip

    run("-c", saving)
    before = outcomes()
    Path("of_theirs.py").write_text(code.format("pear"))
    assert outcomes() != before
