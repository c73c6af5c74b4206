"""`--segments` as it is typed, set and called: the same segments, and one sentence on what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import abtest
from abtest.errors import InvalidInputError
from abtest.record import ComparisonRecord
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.registry import RegistryClient
    from tests.conftest import Told

    Typed = Callable[..., Told]

QUICK = ("--resamples", "100", "--no-save-plot")
COMPARE = ("compare", "--model-name", "fruit", "--test-data", "fruit.csv", "--target", "kind", "--no-log", *QUICK)
COLUMNS = ("compare-predictions", "p.csv", "--champion", "a", "--challenger", "b", "--target", "y", *QUICK)


def fruit() -> pd.DataFrame:
    """Fruit that has a region, a shelf, and the width that is a feature too."""
    frame = zoo.fruit()
    return frame.assign(region=pd.Series(["EU", "US", None] * 20), shelf=[1, 1, 2, 2, 3] * 12)[
        ["shelf", "width", "height", "region", "kind"]
    ]


def predictions() -> pd.DataFrame:
    """The same fruit with both rules' predictions."""
    frame = fruit()
    return frame.assign(y=frame["kind"], a=zoo.linear(frame), b=zoo.better(frame))


@pytest.fixture
def typed(stocked: RegistryClient, cli: Typed) -> Typed:
    """The command line in a folder with a registry, the fruit, and the predictions on it."""
    del stocked
    fruit().to_csv("fruit.csv", index=False)
    predictions().to_csv("p.csv", index=False)
    return cli


def record_of(told: Told) -> ComparisonRecord:
    """What `--format json` printed."""
    return ComparisonRecord.from_dict(json.loads(told.out))


def expected(*names: str) -> ComparisonRecord:
    """The comparison from the arrays themselves."""
    frame = predictions()
    whole = {name: frame[name] for name in names if "*" not in name}
    parts = {part: frame[part] for name in names if "*" in name for part in name.split("*")}
    extra = [name for name in names if "*" in name]
    comparison = abtest.compare_predictions(
        frame["y"], frame["a"], frame["b"], segments={**whole, **parts}, crossings=extra, resamples=100
    )
    return comparison.record


def keys(record: ComparisonRecord) -> list[tuple[str, str]]:
    """The segments, in their order."""
    return list(dict.fromkeys((row.segment, row.value) for row in record.segments))


@pytest.mark.parametrize(
    "options",
    [
        ("--segments", "region", "--segments", "shelf"),
        ("--segments", "region,shelf"),
        ("--segments", " region , shelf,"),
        ("--segments=region", "--segments=shelf,region"),
    ],
)
@pytest.mark.parametrize("command", [COMPARE, COLUMNS], ids=["compare", "compare-predictions"])
def test_segments_repeat_or_take_commas(typed: Typed, command: tuple[str, ...], options: tuple[str, ...]) -> None:
    """Repeated, with commas or both, on either command: the same segments, as from the arrays themselves."""
    record = record_of(typed(*command, *options, "--format", "json"))
    assert record.settings.segments == ("region", "shelf")
    arrays = expected("region", "shelf")
    assert record.outcomes == arrays.outcomes
    assert record.segments == arrays.segments
    assert keys(record) == [
        ("region", "EU"), ("region", "US"), ("region", "(missing)"), ("shelf", "1"), ("shelf", "2"), ("shelf", "3"),
    ]  # fmt: skip


@pytest.mark.parametrize("command", [COMPARE, COLUMNS], ids=["compare", "compare-predictions"])
def test_crossed_and_cut_segments(typed: Typed, command: tuple[str, ...]) -> None:
    """Columns cross, and a feature of many numbers is cut at its quartiles, on either command."""
    record = record_of(typed(*command, "--segments", "region*shelf,width", "--format", "json"))
    arrays = expected("region*shelf", "width")
    crossed = {(s.name, s.value): s.cells.tolist() for s in known(arrays.outcomes).segments}
    found = {(s.name, s.value): s.cells.tolist() for s in known(record.outcomes).segments}
    assert found == {key: cells for key, cells in crossed.items() if key[0] in ("region*shelf", "width")}
    assert len([key for key in found if key[0] == "region*shelf"]) == 9
    assert len([key for key in found if key[0] == "width"]) == 4


@pytest.mark.parametrize(
    "line", ['segments = ["region", "shelf"]', 'segments = "region,shelf"', 'segments = ["region, shelf"]']
)
@pytest.mark.parametrize("command", [COMPARE, COLUMNS], ids=["compare", "compare-predictions"])
def test_segments_may_be_settings(typed: Typed, command: tuple[str, ...], line: str) -> None:
    """A list or a text in abtest.toml is what the option would be; a variable wins over it, the option over both."""
    Path("abtest.toml").write_text(f"[compare]\n{line}\n", encoding="utf-8")
    assert record_of(typed(*command, "--format", "json")).settings.segments == ("region", "shelf")
    assert record_of(typed(*command, "--segments", "shelf", "--format", "json")).settings.segments == ("shelf",)


def test_a_variable_names_segments(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """ABTEST_SEGMENTS wins over the file, and the option over it."""
    Path("abtest.toml").write_text('[compare]\nsegments = ["region"]\n', encoding="utf-8")
    monkeypatch.setenv("ABTEST_SEGMENTS", "shelf,region*shelf")
    assert record_of(typed(*COLUMNS, "--format", "json")).settings.segments == ("shelf", "region*shelf")
    assert record_of(typed(*COLUMNS, "--segments", "width", "--format", "json")).settings.segments == ("width",)


def test_segments_are_in_every_output(typed: Typed) -> None:
    """Table, Markdown, JSON and report tell the segments, the few rows of a small one too."""
    frame = predictions()
    frame.loc[0, "region"] = "Mars"
    frame.to_csv("p.csv", index=False)
    told = typed(*COLUMNS, "--segments", "region")
    assert "Mars" in told.out
    assert "2 segments have fewer than 20 rows" in " ".join(told.out.split())
    [folder] = Path("reports").iterdir()
    for name in ("report.html", "summary.md", "comparison.json"):
        assert "Mars" in (folder / name).read_text(encoding="utf-8")
    assert "Mars" in typed(*COLUMNS, "--segments", "region", "--format", "markdown").out
    frame = abtest.compare_predictions(
        frame["y"], frame["a"], frame["b"], segments={"region": frame["region"]}, resamples=100
    ).segments
    assert frame.loc[("region", "Mars", "accuracy"), "n"] == 1
    assert frame.index.names == ["segment", "value", "metric"]


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown": (("--segments", "regoin"), "has no segment column 'regoin'. Hint: did you mean 'region'?"),
    "unknown, crossed": (("--segments", "region*shelv"), "no segment column 'shelv'. Hint: did you mean 'shelf'?"),
    "too many": (("--segments", "id"), "'id' has more than 200 values. Hint: name a column of fewer values"),
}


@pytest.mark.parametrize(("options", "says"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("command", [COMPARE, COLUMNS], ids=["compare", "compare-predictions"])
def test_what_is_no_segment_is_one_line(
    typed: Typed, command: tuple[str, ...], options: tuple[str, ...], says: str
) -> None:
    """A column that is not there, or of too many values, is refused in one line; no report is written."""
    for name in ("fruit.csv", "p.csv"):
        rows = pd.concat([pd.read_csv(name)] * 4)
        rows.assign(id=[f"row {i}" for i in range(len(rows))]).to_csv(name, index=False)
    told = typed(*command, *options, code=1)
    assert says in told.error
    assert told.out == ""
    assert not list(Path("reports").glob("*"))


@pytest.mark.parametrize(("command", "target"), [(COMPARE, "kind"), (COLUMNS, "y")], ids=["compare", "predictions"])
def test_the_target_is_no_segment(typed: Typed, command: tuple[str, ...], target: str) -> None:
    """The target as a segment is refused, with what to read instead."""
    told = typed(*command, "--target", target, "--segments", f"region,{target}", code=1)
    assert f"segments must not be the target '{target}'. Hint: the report has every class" in told.error


@pytest.mark.parametrize(
    ("segments", "says"),
    [
        ("region", "segments must be a list of names, got 'region'. Hint: ['region']"),
        ([""], "segments must be names of columns, got ('',)."),
        ([3], "segments must be names of columns, got (3,)."),
        (["regoin"], "the data frame has no segment column 'regoin'. Hint: did you mean 'region'?"),
    ],
)
def test_segments_of_a_call_are_names(segments: Any, says: str, tmp_path: Path) -> None:
    """In Python, segments are a list of columns' names; what else they are is said before a model is loaded."""
    with pytest.raises(InvalidInputError) as caught:
        abtest.compare(tmp_path / "no model", tmp_path / "no model", data=fruit(), target="kind", segments=segments)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"segments": {"region": ["EU"]}}, "segments: 'region' has 1 rows but y_true has 2."),
        ({"segments": {"region": ["EU", "US"]}, "crossings": ["region*devise"]}, "has no segment column 'devise'."),
        ({"crossings": ["region*device"]}, "segments: no column is given that tells 'region*device' apart."),
        ({"segments": "region"}, "segments must be columns by name, got str."),
        ({"segments": ["region"]}, "segments must be columns by name, got list."),
    ],
)
def test_segments_of_predictions_fit_them(options: dict[str, Any], says: str) -> None:
    """Columns of segments are as long as the predictions, and a crossing names columns that are given."""
    with pytest.raises(InvalidInputError) as caught:
        abtest.compare_predictions([0, 1], [0, 1], [1, 1], resamples=100, **options)
    assert caught.value.message.endswith(says)


class Rule:
    """A rule without a signature, which remembers its columns."""

    def __init__(self) -> None:
        self.columns: list[str] = []

    def predict(self, features: pd.DataFrame) -> Any:
        """Tell an apple from a pear."""
        self.columns = list(features.columns)
        return zoo.better(features)


def test_the_target_is_found_beside_the_segments(stocked: RegistryClient, typed: Typed) -> None:
    """What tells segments apart is not taken for the target; without a signature it is no feature either."""
    with pytest.raises(
        InvalidInputError, match="target is needed: neither model takes the columns shelf, region, kind"
    ):
        abtest.compare(model_name="fruit", data=fruit(), resamples=100, tracking_uri=stocked.tracking_uri)
    command = [option for option in COMPARE if option not in ("--target", "kind")]
    record = record_of(typed(*command, "--segments", "region*shelf", "--format", "json"))
    assert (record.data.target, len(keys(record))) == ("kind", 9)
    rules = Rule(), Rule()
    frame = fruit()[["width", "height", "kind", "region", "shelf"]]
    comparison = abtest.compare(*rules, data=frame, segments=["shelf", "region"], resamples=100)
    assert comparison.record.data.target == "kind"
    assert [rule.columns for rule in rules] == [["width", "height"]] * 2


def test_segments_of_guardrails_are_evaluated(typed: Typed) -> None:
    """A guardrail's segmentation is evaluated without being asked for, after those that were, and once."""
    Path("abtest.toml").write_text(
        '[[policy.guardrails]]\nmetric = "accuracy"\nsegment = "shelf"\nmargin = 0.5\n', encoding="utf-8"
    )
    record = record_of(typed(*COLUMNS, "--segments", "region", "--format", "json"))
    assert record.settings.segments == ("region", "shelf")
    assert record_of(typed(*COLUMNS, "--segments", "shelf", "--format", "json")).settings.segments == ("shelf",)


def test_a_contradiction_is_in_the_notices(typed: Typed) -> None:
    """Where accuracy rises over all rows and falls in a region, table and record say so."""
    rows = 200
    frame = pd.DataFrame({"y": np.arange(rows) % 2, "region": ["EU"] * 150 + ["US"] * 50})
    right = np.arange(rows) < 150
    frame["a"] = np.where(right & (np.arange(rows) % 3 == 0), 1 - frame["y"], frame["y"])
    frame["b"] = np.where(~right & (np.arange(rows) % 3 == 0), 1 - frame["y"], frame["y"])
    frame.to_csv("p.csv", index=False)
    told = typed(*COLUMNS, "--segments", "region")
    sentence = (
        "Accuracy improves over all rows (+16.5 points), and gets significantly worse in region = US (−34.0 points)"
    )
    assert sentence in " ".join(told.out.split())
    assert any(
        notice.startswith(sentence)
        for notice in record_of(typed(*COLUMNS, "--segments", "region", "--format", "json")).notices
    )
