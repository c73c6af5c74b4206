"""``abtest predict --stream``: lines in on standard input, answers out, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.live.store import Store
from tests import zoo
from tests.cli import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from abtest.registry import RegistryClient

STREAM = ("predict", "--model-name", "fruit", "--stream")


@pytest.fixture
def rows(stocked: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[pd.DataFrame]:
    """Fruit on standard input, the last line cut, with the registry to predict them."""
    monkeypatch.setenv("ABTEST_TRACKING_URI", stocked.tracking_uri)
    frame = zoo.fruit().assign(id=range(60))
    text = frame.to_json(orient="records", lines=True)
    Path("fruit.jsonl").write_text(f'{text}{{"width": 4.', encoding="utf-8")
    with Path("fruit.jsonl").open(encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield frame


def test_lines_are_answered(cli: Any, rows: pd.DataFrame) -> None:
    """Answers alone go to standard output; what became of the lines is told, and a bad one is no failure."""
    told = cli(*STREAM, "--keep", "id", "--batch-size", "7", "--max-wait", "0")
    *answers, last = [json.loads(line) for line in told.out.splitlines()]
    expected = zip(rows["id"].tolist(), zoo.linear(rows).tolist(), strict=True)
    assert answers == [{"line": n, "id": id_, "prediction": it} for n, (id_, it) in enumerate(expected, start=1)]
    assert "is no JSON" in last["error"]
    assert told.err.startswith("fruit version 1 answered 61 lines in ")
    assert "60 predicted, 1 refused.\n  1 not JSON (first: line 61: The line is no JSON" in told.err


def test_what_is_predicted_is_tallied(cli: Any, rows: pd.DataFrame) -> None:
    """``--track`` needs nothing else; ``--quiet`` says nothing."""
    told = cli(*STREAM, "--track", "--store", "sqlite:///log.db", "--id", "id", "--target", "kind", "--quiet")
    assert (len(told.out.splitlines()), told.err) == (len(rows) + 1, "")
    with Store("sqlite:///log.db", create=False) as store:
        (batch,) = store.batches("fruit")
        assert (batch.n, store.waiting_rows("fruit")) == (60, 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*STREAM, "--input", "x.csv"), "--input: means nothing with --stream"),
        ((*STREAM, "--output", "x.jsonl"), "--output: means nothing with --stream"),
        ((*STREAM, "--format", "json"), "--format: means nothing with --stream"),
        ((*STREAM, "--demo"), "--demo, --stream: name one of them"),
        ((*STREAM, "--id", "id"), "--id: means nothing without --track"),
        ((*STREAM[:-1], "--input", "x.csv", "--max-wait", "0"), "--max-wait: means nothing without --stream"),
        ((*STREAM[:-1], "--input", "x.csv", "--track"), "--track: means nothing without --stream"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(cli: Any, arguments: tuple[str, ...], says: str) -> None:
    """It is said before a model is looked for."""
    assert says in " ".join(cli(*arguments, code=2).err.replace("│", " ").split())


def test_a_closed_output_is_a_usage_error(cli: Any, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``>&-`` closes it: it is said, and no row is asked about."""
    monkeypatch.setattr(sys, "stdout", None)
    assert "needs standard output" in " ".join(cli(*STREAM, code=2).err.split())
    assert len(rows) == 60


def talkative(frame: pd.DataFrame) -> Any:
    """Predict, and print, as Python and as C does."""
    os.write(1, b"written past Python\n")
    print("asked about", len(frame), "rows")  # noqa: T201 - models do
    return ["apple" if wide else "pear" for wide in frame["width"] > 7]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A stream in a process of its own, of a model that prints."""
    uri = zoo.save(talkative, tmp_path / "model", inputs=zoo.signature(width="double"))
    with subprocess.Popen(  # noqa: S603 - the program under test
        [sys.executable, "-m", "abtest", "predict", "--stream", "--model-uri", uri],
        env=shell.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as found:  # fmt: skip
        yield found


def test_an_interruption_answers_what_was_read(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM ends it with 130 after the answers, which came as they were asked; a model's prints are elsewhere."""
    assert process.stdin is not None
    assert process.stdout is not None
    for number, (width, kind) in enumerate(((8, "apple"), (5, "pear")), start=1):
        process.stdin.write(json.dumps({"width": width}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"line": number, "prediction": kind}
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130  # before its input ends
    out, err = process.communicate(timeout=60)
    assert out == b""
    assert b"answered 2 lines" in err
    assert b"Interrupted." in err
    assert b"asked about 1 rows" in err
    assert b"written past Python" in err
