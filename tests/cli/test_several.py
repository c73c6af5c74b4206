"""Several challengers as they are typed: one pass, one report, one gate, and the best of them promoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q

from abtest.record import SCHEMA_FILE, ComparisonRecord, ComparisonsRecord
from tests import zoo
from tests.known import known
from tests.workflow import house_of_rents, rents

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.registry import RegistryClient
    from tests.conftest import Told

    Typed = Callable[..., Told]

QUICK = ("--resamples", "100", "--no-save-plot")
BEFORE = {1: ("Production", ("champion",)), 2: ("Staging", ("challenger",))}
AFTER = {1: ("Archived", ()), 2: ("Production", ("champion",))}


@pytest.fixture
def typed(stocked: RegistryClient, cli: Typed) -> Typed:
    """``abtest compare`` of the fruit's model in Production with whichever challengers are named."""
    zoo.fruit().to_csv("t.csv", index=False)
    del stocked

    def type_in(*options: str, **code: int) -> Told:
        told: Told = cli("compare", "--model-name", "fruit", "--test-data", "t.csv", *QUICK, *options, **code)
        return told

    return type_in


def record_of(told: Told) -> ComparisonsRecord:
    """What was printed as JSON, which fits the schema and is read back."""
    data = json.loads(told.out)
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    record = ComparisonsRecord.from_dict(data)
    assert record.to_dict() == data
    return record


def state(registry: RegistryClient, name: str = "fruit") -> dict[int, tuple[str | None, tuple[str, ...]]]:
    """Stage and aliases of the versions that have one."""
    return {v.version: (v.stage, v.aliases) for v in registry.versions(name) if v.stage or v.aliases}


def runs(registry: RegistryClient) -> list[Any]:
    """All runs of the fruit's experiment."""
    found = registry.client.get_experiment_by_name("abtest/fruit")
    return [] if found is None else [*registry.client.search_runs([found.experiment_id])]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--challenger-version", "2,3"), [2, 3]),
        (("--challenger-version", "3", "--challenger-version", "2"), [3, 2]),
        (("--challenger-version", "3, 10", "--challenger-version", "2"), [3, 10, 2]),
        (("--challenger-alias", "challenger", "--challenger-version", "3"), [3, 2]),
        (("--challenger-stage", "Staging", "--challenger-version", "3,10"), [2, 3, 10]),
        (("--challenger-uri", "models:/fruit/3", "--challenger-uri", "models:/fruit@challenger"), [3, 2]),
    ],
    ids=["commas", "repeated", "both", "alias and version", "stage and versions", "URIs"],
)
def test_challengers_are_listed_repeated_and_mixed(typed: Typed, options: tuple[str, ...], expected: list[int]) -> None:
    """However they are named, each is compared with the champion, in the order typed within a kind."""
    record = record_of(typed(*options, "--no-log", "--format", "json"))
    assert [one.challenger.version for one in record.comparisons] == expected
    assert {one.champion.version for one in record.comparisons} == {record.champion.version} == {1}
    frame = zoo.fruit()
    rules = (zoo.linear, *(zoo.FRUIT_RULES[number - 1] for number in expected))
    right = np.column_stack([np.asarray(rule(frame)) == frame["kind"] for rule in rules])
    assert known(record.cochran).statistic == pytest.approx(cochrans_q(right.astype(int)).statistic, rel=1e-9)
    for one, column in zip(record.comparisons, right.T[1:], strict=True):
        assert known(one.contingency).challenger_only == int((column & ~right[:, 0]).sum())


def test_one_challenger_is_one_comparison(typed: Typed) -> None:
    """A list of one is the ordinary comparison, in every output."""
    told = typed("--challenger-version", "2", "--no-log", "--format", "json")
    assert ComparisonRecord.from_dict(json.loads(told.out)).challenger.version == 2


def test_json_is_the_file_to_the_letter(typed: Typed) -> None:
    """--format json prints comparison.json, --format markdown summary.md, --quiet the verdict; the folder is whole."""
    several = ("--challenger-version", "2,10", "--no-log", "--no-cache")
    told = typed(*several, "--format", "json")
    (report,) = Path("reports").iterdir()
    assert report.name.startswith("fruit-v1-vs-v2-and-1-more-")
    assert {path.name for path in report.iterdir()} == {"report.html", "comparison.json", "summary.md"}
    assert told.out == (report / "comparison.json").read_text(encoding="utf-8")
    markdown = typed(*several, "--format", "markdown").out
    assert markdown == (report / "summary.md").read_text(encoding="utf-8")
    page = (report / "report.html").read_text(encoding="utf-8")
    for version in ("v2", "v10"):
        assert version in page
        assert version in markdown
    quiet = typed(*several, "--quiet")
    assert (quiet.out, quiet.err) == ("PROMOTE\n", "")


def test_the_table_names_each(typed: Typed) -> None:
    """The terminal has the verdict first, then each challenger, and what to type next."""
    told = typed("--challenger-version", "2,10")
    assert told.out.startswith("PROMOTE")
    assert "v2" in told.out
    assert "v10" in told.out
    assert "--auto-promote --dry-run" in told.err


@pytest.mark.parametrize(
    ("challengers", "verdict", "code"),
    [
        ("2,10", "PROMOTE", 0),
        ("10,2", "PROMOTE", 0),
        ("10,12", "KEEP_CHAMPION", 4),
        ("13,14", "INSUFFICIENT_EVIDENCE", 5),
        ("10,13", "INSUFFICIENT_EVIDENCE", 5),
    ],
)
def test_the_gate_is_of_the_overall_verdict(
    typed: Typed, stocked: RegistryClient, challengers: str, verdict: str, code: int
) -> None:
    """PROMOTE where any may serve, the most favourable of the rest where none may; --accept opens it to that."""
    inputs = zoo.signature(width="double", height="double")
    for number, rule in enumerate((zoo.stranger, zoo.linear, zoo.linear), start=12):
        stocked.client.create_model_version("fruit", zoo.save(rule, Path(f"more-{number}").resolve(), inputs=inputs))
    command = ("--challenger-version", challengers, "--gate", "--no-log", "--quiet")
    assert typed(*command, code=code).out == f"{verdict}\n"
    typed(*command, "--accept", "insufficient-evidence", code=0 if code == 5 else code)


def test_a_dry_run_then_the_promotion(typed: Typed, stocked: RegistryClient) -> None:
    """--dry-run prints the plan for the best and moves nothing; without it that version alone is moved."""
    told = typed("--challenger-version", "10,2,3", "--auto-promote", "--dry-run")
    assert "version 2: stage Staging → Production" in told.err
    assert state(stocked) == BEFORE
    told = typed("--challenger-version", "10,2,3", "--auto-promote")
    assert "Promoted version 2; recorded in run " in told.err
    assert state(stocked) == AFTER


def test_no_promotion_where_none_may_serve(typed: Typed, stocked: RegistryClient) -> None:
    """A verdict that admits none moves nothing, and is no error."""
    told = typed(
        "--champion-version", "2", "--challenger-version", "1,10", "--auto-promote", "--promote-on", "conditional"
    )
    assert "Not promoted. The verdict is KEEP_CHAMPION" in told.err
    assert state(stocked) == BEFORE


def test_a_locked_set_that_does_not_hold_shuts_the_gate(typed: Typed, stocked: RegistryClient) -> None:
    """Where it does not confirm the best, neither that nor another is promoted, and the gate is shut."""
    zoo.fruit(300)[100:120].to_csv("locked.csv", index=False)
    options = ("--challenger-version", "2,3", "--confirm-data", "locked.csv", "--auto-promote", "--gate")
    told = typed(*options, "--promote-on", "conditional", code=5)
    assert told.out.startswith("INSUFFICIENT_EVIDENCE")
    assert "Not promoted" in told.err
    assert state(stocked) == BEFORE


FAILING = {
    "4": "The challenger v4 failed to predict rows 1 to 60: RuntimeError: cannot weigh it.",
    "5": "does not load",
    "7": "The challenger v7 returned predictions of shape (59,)",
}


@pytest.mark.parametrize("broken", FAILING)
def test_one_that_fails_fails_all(typed: Typed, stocked: RegistryClient, broken: str) -> None:
    """An error in any challenger is one line with its name and exit 1: no verdict, no report, no run, no move."""
    for challengers in (f"2,{broken}", f"{broken},3,2"):
        told = typed("--challenger-version", challengers, "--auto-promote", "--gate", code=1)
        assert FAILING[broken] in told.error
        assert told.out == ""
        assert not Path("reports").exists()
        assert (runs(stocked), state(stocked)) == ([], BEFORE)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--challenger-version", "2,2"), 1, "The challengers name version 2 of 'fruit' twice."),
        (("--challenger-version", "2", "--challenger-alias", "challenger"), 1, "name version 2 of 'fruit' twice"),
        (("--challenger-version", "2,1"), 1, "Both sides are version 1 of 'fruit'"),
        (("--challenger-version", "2,99"), 1, "99"),
        (("--challenger-version", "2,two"), 1, "challenger-version must be a number, got 'two'."),
        (("--challenger-version", ","), 2, "must name a model"),
        (("--challenger-version", "2,3", "--dry-run"), 2, "means nothing without --auto-promote"),
        (("--challenger-version", "2,3", "--auto-promote", "--no-log"), 2, "a promotion is recorded"),
        (("--challenger-version", "2", "--challenger-uri", "a/path", "--auto-promote"), 2, "two versions of a regist"),
    ],
    ids=str,
)
def test_challengers_that_do_not_fit(
    typed: Typed, stocked: RegistryClient, options: tuple[str, ...], code: int, told: str
) -> None:
    """What is named twice, not there, or contradicts itself is told before anything is scored or written."""
    said = typed(*options, code=code)
    assert told in " ".join(said.err.replace("│", " ").split())
    assert said.out == ""
    assert not Path("reports").exists()
    assert (runs(stocked), state(stocked)) == ([], BEFORE)


def test_a_run_that_cannot_be_logged_promotes_nothing(typed: Typed, stocked: RegistryClient) -> None:
    """Where MLflow does not take the runs the verdict is told, the exit code is 1, and nothing moves."""
    import sqlite3

    with sqlite3.connect(stocked.tracking_uri.removeprefix("sqlite:///")) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    told = typed("--challenger-version", "2,3", "--auto-promote", code=1)
    assert told.out.startswith("PROMOTE")
    assert "could not be logged" in told.err
    assert state(stocked) == BEFORE


def test_regressors(registry: RegistryClient, cli: Typed, tmp_path: Path) -> None:
    """Several regressors, with figures: the better is recommended and promoted, and there is no Cochran's Q."""
    house_of_rents(registry, tmp_path / "models")
    rents().to_csv("rents.csv", index=False)
    several = ("--challenger-version", "3,2", "--test-data", "rents.csv", "--target", "rent", "--resamples", "100")
    told = cli("compare", "--model-name", "rents", *several, "--auto-promote", "--format", "json")
    record = record_of(told)
    assert (record.task, record.best, record.cochran, record.between) == ("regression", 1, None, ())
    assert [one.decision.verdict for one in record.comparisons] == ["KEEP_CHAMPION", "PROMOTE"]
    assert state(registry, "rents") == AFTER
    (report,) = Path("reports").iterdir()
    assert {path.name for path in report.iterdir()} == {"report.html", "comparison.json", "summary.md", "figures"}
    assert {path.parent.name for path in (report / "figures").rglob("*.png")} >= {"v2", "v3"}
