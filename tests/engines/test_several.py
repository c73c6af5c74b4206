"""Several challengers tallied in one pass: each as beside the champion alone, and any two beside each other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from abtest.engines.local import score, score_several
from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.loaders.datasets import open_data
from abtest.loaders.models import Model
from abtest.outcomes import PairedOutcomes
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.engines.pairs import Scored


class Rule:
    """A rule as an object that predicts, counting the rows it sees."""

    def __init__(self, rule: Callable[[pd.DataFrame], Any]) -> None:
        self.rule = rule
        self.rows = 0

    def predict(self, features: pd.DataFrame) -> Any:
        """Predict."""
        self.rows += len(features)
        return self.rule(features)


def challenger(rule: Callable[[pd.DataFrame], Any], *features: str, name: str = "", **types: pa.DataType) -> Model:
    """A challenger that takes these columns, with the types of its signature."""
    found = Model(side="challenger", predictor=Rule(rule), features=features or zoo.FEATURES, types=types)
    found.name = f"challenger {name}" if name else ""
    return found


def champion(rule: Callable[[pd.DataFrame], Any] = zoo.linear, *features: str, **types: pa.DataType) -> Model:
    """A champion, likewise."""
    return Model(side="champion", predictor=Rule(rule), features=features or zoo.FEATURES, types=types)


def column(name: str) -> Callable[[pd.DataFrame], Any]:
    """A rule that says what a column says."""
    return lambda rows: rows[name]


def facts(scored: Scored) -> dict[str, Any]:
    """What a pass gave, but for timings."""
    prints = known(scored.fingerprints)
    errors = scored.errors
    return {
        "outcomes": scored.outcomes,
        "majority": scored.majority,
        "dropped": (scored.unlabelled, scored.notices),
        "rows": (prints.end, prints.marks, prints.duplicates, prints.classes),
        "units": scored.units.whole.n_units if scored.units else None,
        "errors": errors and (errors.whole.outcomes, errors.whole.blocks.tolist(), errors.sample.tolist()),
    }


LABELS = st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=4, max_size=4), min_size=1, max_size=25)


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(rows=LABELS, batch_rows=st.integers(1, 30), count=st.integers(1, 3))
def test_each_pair_is_scored_as_alone(rows: list[list[str]], batch_rows: int, count: int) -> None:
    """Tables, majority and fingerprints are those of each challenger alone; two of them are tallied directly."""
    frame = pd.DataFrame(rows, columns=["y", "p1", "p2", "p3"]).assign(champion=[row[0] for row in rows][::-1])
    sides = [challenger(column(name), name) for name in ("p1", "p2", "p3")[:count]]
    data = open_data(frame)
    for ours in (champion(column("champion"), "champion"), None):
        found = score_several(ours, sides, data, target="y", batch_rows=batch_rows, label_type="str")
        for side, pair in zip(sides, found.pairs, strict=True):
            assert facts(pair) == facts(score(ours, side, data, target="y", label_type="str"))
        assert set(found.between) == set(itertools.combinations(range(count), 2))
        for (i, j), table in found.between.items():
            direct = PairedOutcomes.from_predictions(
                *(frame[name].tolist() for name in ("y", f"p{i + 1}", f"p{j + 1}"))
            )
            assert table == direct.contingency()


@pytest.mark.parametrize("unit", [None, "crate"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_each_is_fed_makes_its_rows(ending: str, unit: str | None) -> None:
    """Columns that other challengers take, and in other types, change nothing of what a pair's rows are."""
    frame = zoo.fruit(40).assign(shelf=np.arange(40) % 3, crate=np.arange(40) // 4, extra=np.arange(40))
    frame = pd.concat([frame, frame[:5].assign(extra=99)])  # five that repeat, but for a column
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    doubles = dict.fromkeys(zoo.FEATURES, pa.float64())
    sides = [
        challenger(zoo.better, **doubles),
        challenger(zoo.better, "width", "height", "shelf", **doubles, shelf=pa.int64()),
        challenger(zoo.better, "width", "height", "extra", **doubles, extra=pa.float64()),
        challenger(lambda rows: zoo.better(rows.astype(float)), **dict.fromkeys(zoo.FEATURES, pa.string())),
    ]
    sides = sides if ending == "csv" else sides[:3]
    options: dict[str, Any] = {"target": "kind", "unit": unit, "marks": [20, 40], "segments": ["shelf"]}
    data, ours = open_data(f"t.{ending}"), champion(**doubles)
    found = score_several(ours, sides, data, **options, batch_rows=7)
    for side, pair in zip(sides, found.pairs, strict=True):
        assert facts(pair) == facts(score(ours, side, data, **options))
    assert [known(pair.fingerprints).duplicates for pair in found.pairs[:3]] == [5, 5, 0]
    assert bool(found.between) is (unit is None)


def test_regressions_are_summed_as_alone() -> None:
    """Sums, blocks and samples of errors are those of each challenger alone; none is tallied beside another."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=50), "b": rng.normal(size=50), "c": rng.normal(size=50)})
    data = open_data(frame.assign(y=frame.sum(axis=1)))
    sides = [challenger(column(name), name) for name in ("b", "c")]
    for ours in (champion(column("a"), "a"), None):
        found = score_several(ours, sides, data, target="y", task="regression", batch_rows=9)
        assert found.between == {}
        for side, pair in zip(sides, found.pairs, strict=True):
            assert facts(pair) == facts(score(ours, side, data, target="y", task="regression", batch_rows=9))


@pytest.mark.parametrize("batch_rows", [1, 7, 100])
def test_each_model_sees_each_row_once(batch_rows: int) -> None:
    """Whatever the batches, a model is asked about each labelled row once."""
    sides = [champion(), *(challenger(rule) for rule in (zoo.better, zoo.stranger, zoo.linear))]
    frame = zoo.fruit(61)
    frame.loc[[3, 60], "kind"] = None
    found = score_several(
        sides[0], sides[1:], open_data(frame), target="kind", batch_rows=batch_rows, drop_unlabelled=True
    )
    assert [side.predictor.rows for side in sides] == [59] * 4  # type: ignore[attr-defined] # they are rules
    assert {pair.unlabelled for pair in found.pairs} == {2}


WRONG: list[tuple[Callable[[pd.DataFrame], Any], type[Exception], str]] = [
    (zoo.raises, InvalidInputError, r"^The challenger v3 failed to predict rows 1 to 60: RuntimeError: cannot weigh"),
    (zoo.too_few, InvalidInputError, r"^The challenger v3 returned predictions of shape \(59,\)"),
    (zoo.two_columns, InvalidInputError, r"^The challenger v3 predicts 2 values a row"),
    (zoo.silent, InvalidInputError, r"^The challenger v3 predicts nothing for "),
    (zoo.numbers, LabelMismatchError, r"^Labels are str but challenger v3 predictions are int \('\w+' vs \d\)\. "),
    (zoo.probabilities, InvalidInputError, r"^Challenger v3 predictions are not class labels \(0\.\d+\)\. Hint: "),
    (lambda rows: ["?"] * len(rows), LabelMismatchError, r"^The challenger v3 never predicts a class of the truth "),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "kind", "told"), WRONG)
def test_what_is_wrong_with_one_is_told_with_its_name(
    rule: Callable[[pd.DataFrame], Any], kind: type[Exception], told: str
) -> None:
    """Wherever in line it stands, the challenger that cannot be compared is named, and the kind of error is kept."""
    good = [challenger(zoo.better, name="v2"), challenger(zoo.stranger, name="v4")]
    for at in range(3):
        sides = [*good[:at], challenger(rule, name="v3"), *good[at:]]
        with pytest.raises(kind, match=told):
            score_several(champion(), sides, open_data(zoo.fruit()), target="kind")


def test_what_is_wrong_with_the_champion_is_told_of_it() -> None:
    """With several challengers the champion's mistakes stay the champion's; with one, nobody is renamed."""
    sides = [challenger(zoo.better, name="v2"), challenger(zoo.better, name="v3")]
    with pytest.raises(InvalidInputError, match=r"^Labels are str but champion predictions are int"):
        score_several(champion(zoo.numbers), sides, open_data(zoo.fruit()), target="kind")
    with pytest.raises(InvalidInputError, match=r"^Labels are str but challenger predictions are int"):
        score(champion(), challenger(zoo.numbers), open_data(zoo.fruit()), target="kind")


@pytest.mark.parametrize(
    ("value", "told"), [(np.inf, "inf in row 5; a regression needs a finite number"), ("?", r"'\?' in row 1;")]
)
def test_numbers_that_are_none_are_told_with_the_name(value: Any, told: str) -> None:
    """A challenger of a regression that predicts no number is named, with the value and its row."""
    frame = pd.DataFrame({"a": np.arange(8.0), "y": np.arange(8) + 0.5})

    def wrong(rows: pd.DataFrame) -> Any:
        return [value] * len(rows) if value == "?" else np.where(rows["a"] == 4, value, rows["a"])

    sides: Sequence[Model] = [challenger(column("a"), "a", name="v2"), challenger(wrong, "a", name="v3")]
    with pytest.raises(InvalidInputError, match=f"^The challenger v3 predicts {told}"):
        score_several(champion(column("a"), "a"), sides, open_data(frame), target="y", task="regression",
                      batch_rows=3)  # fmt: skip
