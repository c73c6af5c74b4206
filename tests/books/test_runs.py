"""Runs are found by MLflow's own filters, by letters of an id, by name; none twice, none missed, none confused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abtest.books import columns, runs
from abtest.errors import InvalidInputError, NotFoundError
from abtest.registry import RegistryClient
from tests import zoo
from tests.books.ledger import log

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = """O'Neill's "runs" [red]"""


@pytest.fixture(scope="module")
def ledger(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RegistryClient, list[str]]:
    """Forty runs in two experiments, the values of which tell their number; the last is deleted."""
    registry = RegistryClient(zoo.copy(templates / "empty.db", tmp_path_factory.mktemp("ledger")))
    client = registry.client
    ids = [client.create_experiment(EXPERIMENT), client.create_experiment("other")]
    made = [
        log(
            client, ids[number % 2], name=f"run {number}",
            metrics={"accuracy": number / 100, "same": 1.0} | ({"odd": math.nan} if number % 2 else {"odd": math.inf}),
            params={"C": str(number), "kind": "it's [b]bold[/b]"},
        )
        for number in range(40)
    ]  # fmt: skip
    client.delete_run(made[-1])
    return registry, made


Ledger = tuple[RegistryClient, list[str]]


def _ids(found: runs.Found) -> list[str]:
    return [run.run_id for run in found.runs]


def test_every_page_is_read(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a page, each run is found once, and progress is told."""
    registry, made = ledger
    monkeypatch.setattr(runs, "_A_PAGE", 7)
    told: list[int] = []
    found = runs.search(registry, progress=lambda _what, done, _total: told.append(done))
    assert sorted(_ids(found)) == sorted(made[:-1])
    assert not found.more
    assert told == [7, 14, 21, 28, 35, 39]
    some = runs.search(registry, limit=10)
    assert len(some.runs) == 10
    assert some.more
    assert not runs.search(registry, limit=39).more


def test_filters_are_mlflows(ledger: Ledger) -> None:
    """A filter, an order and an experiment choose what MLflow's own search chooses."""
    registry, made = ledger
    wanted = "metrics.accuracy > 0.3 and params.kind LIKE '%bold%'"
    found = runs.search(registry, wanted=wanted, order_by=["metrics.accuracy ASC"], experiments=[EXPERIMENT])
    assert _ids(found) == [made[number] for number in (32, 34, 36, 38)]
    assert {run.experiment for run in found.runs} == {EXPERIMENT}
    number = found.runs[0].experiment_id
    by_id = runs.search(registry, wanted=wanted, experiments=[number], order_by=["metrics.accuracy"])
    assert _ids(by_id) == _ids(found)
    assert _ids(runs.search(registry, deleted=True)) == [made[-1]]


@pytest.mark.parametrize(
    "wanted",
    ["accuracy > 0.9", "metrics.a > x", "'", "metrics.a > 1 or metrics.b > 1", "params.kind = 3", "foo.bar = 1", "  ",
     "attributes.start_time > yesterday", "attributes.run_id IN ()", "()", "\x00"],
)  # fmt: skip
def test_a_filter_that_mlflow_does_not_take(ledger: Ledger, wanted: str) -> None:
    """It is the user's to mend: a sentence that quotes it, in one line, with an example that MLflow does take."""
    with pytest.raises(InvalidInputError, match=r"filter .* is not one that MLflow takes") as told:
        runs.search(ledger[0], wanted=wanted, order_by=["metrics.accuracy DESC"])
    assert "\n" not in str(told.value)
    assert "Valid" not in str(told.value)
    runs.search(ledger[0], wanted=runs.EXAMPLE)


def test_an_order_that_mlflow_does_not_take(ledger: Ledger) -> None:
    """The order is to blame where the filter alone would do."""
    with pytest.raises(InvalidInputError, match=r"order-by cannot be 'foo': Invalid attribute key 'foo' specified\."):
        runs.search(ledger[0], wanted=runs.EXAMPLE, order_by=["foo"])
    with pytest.raises(InvalidInputError, match="order-by"):
        runs.search(ledger[0], order_by=["metrics.accuracy SIDEWAYS"])


def test_first_letters_of_an_id(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough letters name a run, deleted or not; too few are refused, and so is what no id or name is."""
    registry, made = ledger
    assert [run.run_id for run in runs.find(registry, [made[3][:20], made[-1], made[3].upper()])] == [made[3], made[-1]]
    assert runs.find(registry, ["run 7"])[0].run_id == made[7]
    with pytest.raises(NotFoundError, match="There is no run 'zz'"):
        runs.find(registry, ["zz"])
    with pytest.raises(NotFoundError):
        runs.find(registry, [made[3] + "0"])
    common = max("0123456789abcdef", key=lambda letter: sum(run_id.startswith(letter) for run_id in made))
    with pytest.raises(NotFoundError, match=r"of an id 4 letters are needed"):
        runs.find(registry, [made[3][:3]])  # the number of a version, perhaps
    monkeypatch.setattr(runs, "_FEWEST", 1)
    with pytest.raises(InvalidInputError, match=f"run '{common}' may be any of {common}"):
        runs.find(registry, [common])
    with pytest.raises(NotFoundError):
        runs.find(registry, ["%"])  # a wildcard is no letter


@pytest.mark.parametrize("named", ["""a "b's" c""", "' OR '1'='1", "[red]", ""])
def test_names_are_no_filters(ledger: Ledger, named: str) -> None:
    """Whatever is typed for a run is compared, and never carried out."""
    with pytest.raises(NotFoundError):
        runs.find(ledger[0], [named])


def test_an_experiment_that_is_not_there(ledger: Ledger) -> None:
    """A near name is suggested."""
    with pytest.raises(NotFoundError, match="did you mean 'other'"):
        runs.search(ledger[0], experiments=["othre"])


def test_values_that_are_no_numbers(ledger: Ledger) -> None:
    """NaN and infinity are read as they were logged, and are null in JSON."""
    registry, made = ledger
    even, odd = runs.find(registry, [made[0], made[1]])
    assert even.metrics["odd"] == math.inf
    assert math.isnan(odd.metrics["odd"])
    assert odd.to_dict()["metrics"] == {"accuracy": 0.01, "odd": None, "same": 1.0}


def test_columns_are_what_varies(ledger: Ledger) -> None:
    """What is the same in all runs, or only one has, is no column unless it is asked for."""
    found = runs.search(ledger[0], experiments=["other"]).runs
    assert [str(column) for column in columns.varying(found)] == ["metrics.accuracy", "params.C"]
    assert "metrics.odd" in map(str, columns.varying(runs.search(ledger[0]).runs))
    assert [column.of(found[0]) for column in columns.asked_for(["metrics.same", "tags.none"])] == [1.0, None]
    with pytest.raises(InvalidInputError, match="got 'accuracy'"):
        columns.asked_for(["accuracy"])
    with pytest.raises(InvalidInputError, match="did you mean 'metrics'"):
        columns.asked_for(["metric.accuracy"])


def test_short_ids_tell_apart(ledger: Ledger) -> None:
    """However alike two ids, what is shown of them differs, and begins them."""
    one = runs.find(ledger[0], [ledger[1][0]])[0]
    alike = [replace(one, run_id="a" * 30 + end) for end in ("01", "02")]
    short = runs.short_ids(alike)
    assert len(set(short.values())) == 2
    assert all(run_id.startswith(shown) for run_id, shown in short.items())
