"""A stream answers each line once, in order, as if it were alone, however its bytes and batches are cut."""

from __future__ import annotations

import codecs
import fcntl
import io
import json
import os
import resource
import select
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from abtest.bulk.choosing import Chosen, choose
from abtest.bulk.predicting import predict
from abtest.bulk.stream.apart import apart
from abtest.bulk.stream.lines import Cut
from abtest.bulk.stream.streaming import Streamed, stream
from abtest.errors import InvalidInputError
from tests import zoo
from tests.live import models
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

NAMES = ["width", "height", "depth"]
POISON = 13.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models."""
    return tmp_path_factory.mktemp("streamed")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Rows of three doubles, each with an id."""
    return models.doubles()[NAMES].assign(id=[f"row {i}" for i in range(120)])


@pytest.fixture(scope="module")
def logistic(folder: Path, rows: pd.DataFrame) -> Chosen:
    """A classifier, which is asked with arrays."""
    kinds = np.where(rows["width"] > 0, "wide", "narrow")
    return choose(model_uri=models.save(LogisticRegression().fit(rows[NAMES], kinds), folder / "plain", rows[NAMES]))


def delicate(frame: pd.DataFrame) -> Any:
    """Predict where all rows are well; one that is not takes its batch with it."""
    if (frame["width"] == POISON).any():
        raise ValueError("too wide")
    return np.where(frame["width"] > 0, "wide", "narrow")


@pytest.fixture(scope="module")
def touchy(folder: Path) -> Chosen:
    """A model of MLflow's own kind, which fails on some rows."""
    inputs = zoo.signature(width="double", height="double", depth="double")
    return choose(model_uri=zoo.save(delicate, folder / "touchy", inputs=inputs))


@contextmanager
def piped(chunks: Sequence[bytes]) -> Iterator[int]:
    """A pipe that somebody writes these to, one after the other, and closes."""
    ours, theirs = os.pipe()

    def write() -> None:
        for chunk in chunks:
            os.write(theirs, chunk)
        os.close(theirs)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield ours
    finally:
        os.close(ours)
        writer.join()


def streamed(chosen: Chosen, *chunks: bytes, **options: Any) -> tuple[list[dict[str, Any]], Streamed]:
    """The answers to what these chunks hold, and what is told of them."""
    output = io.BytesIO()
    with piped(chunks) as source:
        done = stream(chosen, source, output, **{"wait": 0.0, **options})
    return [json.loads(line) for line in output.getvalue().splitlines()], done


def spelled(rows: pd.DataFrame) -> list[bytes]:
    """Rows as lines, without their ends."""
    return [json.dumps(row).encode() for row in rows.to_dict("records")]


BAD = {
    b'{"width": 1': "not JSON",
    b"[1, 2, 3]": "not an object",
    b"": "empty",
    b" \r": "empty",
    b'{"width": NaN, "height": 1, "depth": 2}': "not JSON",
    b'{"width": -Infinity, "height": 1, "depth": 2}': "not JSON",
    b'{"width": 1, "width": 2, "height": 1, "depth": 2}': "not JSON",
    b'{"width": 1, "height": 1, "depth": 2, "id": "\\ud800"}': "not JSON",
    b"[" * 100_000: "not JSON",
    b"9" * 5_000: "not JSON",
    b'{"width": 1, "height": 1, "depth": 2, "id": -1e999}': "not JSON",
    b'{"width": 1, "height": 1, "depth": 2, "id": [%s.0e99]}' % (b"9" * 300): "not JSON",
    b'{"height": 1, "depth": 2}': "does not fit",
    b'{"width": "1", "height": 1, "depth": 2}': "does not fit",
    b'{"width": {}, "height": 1, "depth": 2}': "does not fit",
    b'{"width": 1, "height": 1, "depth": 2, "id": "\xff"}': "not UTF-8",
    b"x" * (1 << 20) + b"y": "too long",
    b'{"width": 13, "height": 1, "depth": 2}': "model failed",
}
LINES = st.lists(
    st.one_of(
        st.sampled_from([line for line in BAD if len(line) < 1_000]),
        st.builds(
            lambda *values: json.dumps(dict(zip([*NAMES, "id"], values, strict=True))).encode(),
            *[st.floats(-50, 50) | st.integers(-9, 9) | st.none()] * 3, st.text(max_size=3) | st.none(),
        ),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40)
@given(lines=LINES, ended=st.booleans(), size=st.integers(1, 200), batch_rows=st.integers(1, 13))
def test_each_line_is_answered_as_if_it_were_alone(
    touchy: Chosen, lines: list[bytes], *, ended: bool, size: int, batch_rows: int
) -> None:
    """For any good and bad lines, cut into any chunks and batches, answers are those to each line alone, in order."""
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    if not ended and lines and not lines[-1]:
        lines = lines[:-1]  # nothing after the last end is no line
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    told, done = streamed(touchy, *chunks, keep=["id"], batch_rows=batch_rows)
    alone = [streamed(touchy, line + b"\n", keep=["id"])[0] for line in lines]
    assert [{**answer, "line": number} for number, (answer,) in enumerate(alone, start=1)] == told
    assert (done.n, done.predicted) == (len(lines), sum("prediction" in answer for answer in told))
    assert sum(fault.n for fault in done.faults) == done.n - done.predicted


def test_a_bad_line_is_answered_with_what_is_wrong(touchy: Chosen, rows: pd.DataFrame) -> None:
    """Among good lines, which keep their predictions, each kind of bad one has its error, and is counted as that."""
    good = spelled(rows.head(len(BAD)))
    lines = [line for pair in zip(good, BAD, strict=True) for line in pair]
    told, done = streamed(touchy, b"\n".join(lines))
    assert [answer["line"] for answer in told] == [*range(1, len(lines) + 1)]
    assert [answer["prediction"] for answer in told[::2]] == delicate(rows.head(len(BAD))).tolist()
    assert all(answer["error"].endswith(".") and "prediction" not in answer for answer in told[1::2])
    first = {kind: 2 * [*BAD.values()].index(kind) + 2 for kind in BAD.values()}
    assert {fault.kind: (fault.n, fault.line) for fault in done.faults} == {
        kind: ([*BAD.values()].count(kind), line) for kind, line in first.items()
    }
    assert "ValueError: too wide" in told[-1]["error"]


@pytest.mark.parametrize(
    ("end", "key"), [(b'{"width": 1, "height": 2, "depth": 3}', "prediction"), (b'{"width": 1, "hei', "error")]
)
def test_an_input_may_end_in_the_middle_of_a_line(logistic: Chosen, end: bytes, key: str) -> None:
    """A last line without its end is answered: with a prediction where it is whole, else with an error."""
    told, done = streamed(logistic, b'{"width": 1, "height": 2, "depth": 3}\n' + end)
    assert [key in answer for answer in told][1:] == [True]
    assert (done.n, done.stopped) == (2, False)


def test_a_mark_of_utf_8_is_no_fault(logistic: Chosen) -> None:
    """A line that begins with a byte-order mark, as the first of a file may, is answered as without it."""
    (told, plain), _ = streamed(logistic, codecs.BOM_UTF8 + LINE + LINE)
    assert told == {**plain, "line": 1}


def test_no_line_is_no_answer(logistic: Chosen) -> None:
    """An input that ends at once is no error."""
    assert streamed(logistic)[0] == []


def test_a_descriptor_may_have_any_number(logistic: Chosen) -> None:
    """A process that holds a thousand files reads its lines as any other does."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, 2_000) if most == -1 else most, most))
    output = io.BytesIO()
    try:
        with piped([LINE]) as source:
            high = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, 1_500)
            try:
                assert stream(logistic, high, output).predicted == 1
            finally:
                os.close(high)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@settings(max_examples=200)
@given(text=st.binary(max_size=60).map(lambda it: it.replace(b"a", b"\n")), size=st.integers(1, 61))
def test_lines_are_cut_however_bytes_come(text: bytes, size: int) -> None:
    """Lines are those of ``split``, of any chunks; of one that is longer than it may be nothing is kept."""
    cut = Cut(longest=5)
    found = [line for at in range(0, len(text), size) for line in cut.feed(text[at : at + size])] + cut.end()
    expected = text.removesuffix(b"\n").split(b"\n") if text else []
    assert found == [(number, line if len(line) <= 5 else None) for number, line in enumerate(expected, start=1)]


@settings(max_examples=200)
@given(items=st.lists(st.integers(0, 9)), bad=st.sets(st.integers(0, 9)), named=st.booleans())
def test_what_is_refused_is_told_apart(items: list[int], bad: set[int], *, named: bool) -> None:
    """Each item is answered or refused as alone, in order, whether or not a refusal names the row."""

    def ask(some: Sequence[int]) -> list[int]:
        for row, item in enumerate(some, start=1):
            if item in bad:
                error = InvalidInputError("Bad.")
                error.row = row if named else None  # type: ignore[attr-defined] # as a FieldError has it
                raise error
        return [*some]

    found = [*apart(items, ask)]
    assert [item for some, _ in found for item in some] == items
    assert all(isinstance(told, InvalidInputError) == (some[0] in bad) for some, told in found)
    assert all(len(some) == 1 for some, told in found if isinstance(told, InvalidInputError))


def test_refusals_come_to_an_end() -> None:
    """After some refusals what is left is refused as a whole: a store that takes no row is not asked for each."""
    asked = 0

    def ask(some: Sequence[int]) -> None:
        nonlocal asked
        asked += 1
        raise InvalidInputError(f"Not {len(some)}.")

    found = [*apart(range(1000), ask, most=10)]
    assert [item for some, _ in found for item in some] == [*range(1000)]
    assert asked < 50


# What is answered


ESTIMATORS: dict[str, Any] = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(5, random_state=0),
    "linear": LinearRegression(),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_answers_are_what_a_file_is_given(folder: Path, tmp_path: Path, rows: pd.DataFrame, name: str) -> None:
    """But for the line's number, an answer is the line that the same row gets in a file, numbers to rounding."""
    truth = rows["width"] * 3 if name == "linear" else np.where(rows["height"] > 0, 7, 4)
    estimator = ESTIMATORS[name].fit(rows[NAMES], truth)
    chosen, proba = choose(model_uri=models.save(estimator, folder / name, rows[NAMES])), name != "linear"
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(spelled(rows)))
    predict(chosen, tmp_path / "in.jsonl", tmp_path / "out.jsonl", keep=["id", "height"], proba=proba)
    told, _ = streamed(chosen, (tmp_path / "in.jsonl").read_bytes(), keep=["id", "height"], proba=proba)
    expected = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for number, (answer, line) in enumerate(zip(told, expected, strict=True), start=1):
        assert [*answer] == ["line", *line]
        assert answer == pytest.approx({"line": number, **line})


def test_all_columns_of_a_line_are_kept(logistic: Chosen) -> None:
    """``--keep all`` writes the line again, with its own columns, and refuses a line whose column would hide ours."""
    row = {"width": 1, "note": {"deep": [1]}, "height": 2.5, "depth": 3, "id": "å"}
    told, _ = streamed(
        logistic, *(json.dumps(it).encode() + b"\n" for it in (row, {**row, "error": "x"})), keep=["all"]
    )
    assert told[0] == {"line": 1, **row, "prediction": "wide"}
    assert "Column 'error'" in told[1]["error"]
    assert told[1]["id"] == "å"


def test_a_model_without_column_names_takes_what_is_not_kept(folder: Path, rows: pd.DataFrame) -> None:
    """Of a tensor signature, values are fed in the order of the line, but for columns that are kept by name."""
    estimator = LinearRegression().fit(rows[NAMES].to_numpy(), rows["width"] + 2 * rows["depth"])
    chosen = choose(model_uri=models.save(estimator, folder / "tensor", rows[NAMES].to_numpy()))
    told, _ = streamed(chosen, b"\n".join(spelled(rows[["id", *NAMES]])), keep=["id"])
    assert [it["prediction"] for it in told] == pytest.approx(estimator.predict(rows[NAMES].to_numpy()).tolist())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"keep": ["prediction"]}, "Column 'prediction' of the data cannot be kept"),
        ({"proba": True}, "has no probabilities"),
        ({"batch_rows": 0}, "batch_size must be at least 1, got 0"),
        ({"wait": -1.0}, "max_wait must be from 0 to 60,000 milliseconds, got -1000"),
        ({"wait": float("nan")}, "max_wait must be from 0 to 60,000 milliseconds, got nan"),
    ],
)
def test_what_cannot_be_is_refused_before_a_line_is_read(touchy: Chosen, options: dict[str, Any], told: str) -> None:
    """One sentence says so, and nothing is answered."""
    with pytest.raises(InvalidInputError, match=told):
        streamed(touchy, b"", **options)


# When it is answered


class Running:
    """A stream on a thread of its own, between two pipes.

    Args:
        chosen: The model.
        options: Of the stream.
    """

    def __init__(self, chosen: Chosen, **options: Any) -> None:
        self.source, self.into = os.pipe()
        self.answers, output = os.pipe()
        self.stop, self.stopper = os.pipe()
        self.done: Streamed | None = None

        def run() -> None:
            with open(output, "wb") as out:  # noqa: PTH123 - a descriptor
                self.done = stream(chosen, self.source, out, stop=self.stop, **options)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def read(self) -> list[dict[str, Any]]:
        """Read what comes next, whole lines."""
        until(lambda: select.select([self.answers], [], [], 0)[0])
        text = os.read(self.answers, 1 << 20)
        return [json.loads(line) for line in text.splitlines()]

    def end(self) -> Streamed:
        """End the input, and wait for the rest."""
        os.close(self.into)
        rest = b""
        while chunk := os.read(self.answers, 1 << 16):
            rest += chunk
        self.thread.join()
        for descriptor in (self.source, self.answers, self.stop, self.stopper):
            os.close(descriptor)
        assert self.done is not None
        return self.done


LINE = b'{"width": 1, "height": 2, "depth": 3}\n'


@pytest.mark.parametrize("options", [{"wait": 0.0}, {"wait": 60.0, "batch_rows": 1}])
def test_a_line_is_answered_before_the_next_comes(logistic: Chosen, options: dict[str, Any]) -> None:
    """Who waits for an answer before asking on gets it, and of a full batch however long others might be waited for."""
    running = Running(logistic, **options)
    os.write(running.into, LINE + LINE[:9])  # a line that has begun holds up none
    assert [answer["line"] for answer in running.read()] == [1]
    os.write(running.into, LINE[9:])
    assert [answer["line"] for answer in running.read()] == [2]
    assert running.end().predicted == 2


def test_a_reader_who_does_not_read_holds_the_writer_back(logistic: Chosen) -> None:
    """Lines are read no faster than answers are: with all pipes full a writer waits, and no line is lost."""
    running = Running(logistic, wait=0.0)
    os.set_blocking(running.into, False)
    written, text = 0, LINE * 200_000
    while select.select([], [running.into], [], 0.3)[1] and written < len(text):
        written += os.write(running.into, text[written : written + 4096])
    assert written < 1_000_000 < len(text)
    assert running.end().n == -(-written // len(LINE))


def test_a_reader_who_goes_away_ends_it(logistic: Chosen) -> None:
    """No more lines are read: the command line says so, and ends with 1."""
    answers, output = os.pipe()
    os.close(answers)
    with piped([LINE]) as source, pytest.raises(BrokenPipeError), open(output, "wb", buffering=0) as out:  # noqa: PTH123 - a descriptor
        stream(logistic, source, out, wait=0.0)


def test_what_was_read_is_answered_when_it_is_stopped(logistic: Chosen) -> None:
    """Whole lines that wait for others are answered, and what has no end is not."""
    running = Running(logistic, wait=60.0)
    os.write(running.into, LINE * 3 + LINE[:-1])
    until(lambda: not select.select([running.source], [], [], 0)[0])
    os.write(running.stopper, b"x")
    assert len(running.read()) == 3
    done = running.end()
    assert (done.n, done.stopped) == (3, True)
