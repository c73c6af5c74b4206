"""The folder in which the examples of ``--help`` are typed: that of ``abtest demo``, some months on."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL, TARGET, EXPERIMENT = "digits", "digit", "spring"
RECIPE = f'target = "{TARGET}"\nmodels = ["NaiveBayes"]\nholdout = 0.5\nfolds = 3\n'


def build(folder: Path) -> Path:
    """Type ``abtest demo`` in a folder, and go on from there; it gives the folder that the demo made.

    It has the demo's data, registry, settings and report; a version 3, which nothing uses; ``said.csv``, predictions of
    two models; the log of experiment "spring", whose latest labels are in ``labels.csv``; a month tracked; and
    ``recipe.toml``, by which a model is trained.
    """
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        _type(here, "demo")
        here.chdir(folder / "abtest-demo")
        _type(here, "models", "register", MODEL, "--model-uri", f"models:/{MODEL}/2")
        _type(here, "experiment", "start", EXPERIMENT, "--mode", "shadow", "--inclusion", "0.1", "--model-name", MODEL)
        _traffic()
        _month().to_csv("month.csv", index=False)
        Path("recipe.toml").write_text(RECIPE, encoding="utf-8")
        _type(here, "monitor", "track", "--input", "month.csv", "--prediction", "said", "--target", TARGET,
              "--time", "at", "--version", "1")  # fmt: skip
        return Path.cwd()


def _type(here: pytest.MonkeyPatch, *arguments: str) -> None:
    from abtest.cli import main

    here.setattr(sys, "argv", ["abtest", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, arguments


def _traffic() -> None:
    """Let traffic come to the experiment; labels of its last third wait in a file, and both sides are in another."""
    from abtest.live.store import DEFAULT_URL, Store
    from tests.live.traffic import SERVER, pairs_of, shadow

    rows = pairs_of(600, right=(0.9, 0.96), seed=1, classes=10)
    with Store(DEFAULT_URL) as log:
        plan = log.experiment(EXPERIMENT)
        shadow(log, plan, rows[:400])
        shadow(log, plan, rows[400:], first=401, labelled=False)
    labels = [(f"{SERVER}-{i}", truth) for i, (truth, _, _) in enumerate(rows[400:], start=401)]
    pd.DataFrame(labels, columns=["prediction_id", "label"]).to_csv("labels.csv", index=False)
    pd.DataFrame(rows, columns=["y", "a", "b"]).to_csv("said.csv", index=False)


def _month() -> pd.DataFrame:
    """Predictions of four weeks, of which every tenth is wrong."""
    test = pd.read_csv("digits-test.csv")[[TARGET]]
    frame = pd.concat([test] * 2, ignore_index=True)
    frame["said"] = frame[TARGET].where(frame.index % 10 > 0, (frame[TARGET] + 1) % 10)
    start = datetime.now(UTC) - timedelta(days=28)
    frame["at"] = [start + timedelta(days=28) * i / len(frame) for i in range(len(frame))]
    return frame


def commands(group: object = None, *names: str) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Every command there is, by the words that name it, and its epilog."""
    from abtest.cli import app
    from abtest.cli.examples import App

    here = group or app
    assert isinstance(here, App), f"{names}: make it of abtest.cli.examples.App"
    for command in here.registered_commands:
        assert command.name is not None
        yield (*names, command.name), command.epilog
    for below in here.registered_groups:
        yield from commands(below.typer_instance, *names, str(below.name))
