"""Policies on the command line, end to end: guardrails, rules, costs, metrics of one's own, gates and promotions."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abtest.registry import RegistryClient
    from tests.conftest import Told

    Typed = Callable[..., Told]

COLUMNS = ("compare-predictions", "rows.csv", "--target", "y", "--champion", "a", "--challenger", "b")
COMPARE = ("compare", "--model-name", "fruit", "--test-data", "fruit.csv")
QUICK = ("--resamples", "100", "--no-save-plot")
PROMOTE, CONDITIONAL, KEEP, INSUFFICIENT = 0, 3, 4, 5  # exit codes of --gate
VERDICTS = {
    PROMOTE: "PROMOTE",
    CONDITIONAL: "CONDITIONAL",
    KEEP: "KEEP_CHAMPION",
    INSUFFICIENT: "INSUFFICIENT_EVIDENCE",
}


def rows(cells: dict[tuple[str, str, str, str], int]) -> None:
    """Write rows of truth, champion, challenger and region, so many of each."""
    pd.DataFrame(
        [cell for cell, count in cells.items() for _ in range(count)], columns=["y", "a", "b", "region"]
    ).to_csv("rows.csv", index=False)


def better_but_not_in_us() -> None:
    """A thousand rows: 60 gained in the EU, 15 lost in the US; fraud is found as often as before."""
    rows(
        {
            ("ok", "fraud", "ok", "EU"): 60,
            ("ok", "ok", "ok", "EU"): 600,
            ("fraud", "fraud", "fraud", "EU"): 40,
            ("ok", "ok", "fraud", "US"): 15,
            ("ok", "ok", "ok", "US"): 245,
            ("fraud", "fraud", "fraud", "US"): 40,
        }
    )


def decided(cli: Typed, policy: str, code: int, *options: str) -> dict[str, Any]:
    """Compare under this policy through the gate; the decision of comparison.json."""
    Path("policy.toml").write_text(policy, encoding="utf-8")
    told = cli(*COLUMNS, *QUICK, "--policy", "policy.toml", "--gate", "--format", "json", *options, code=code)
    decision: dict[str, Any] = json.loads(told.out)["decision"]
    assert decision["verdict"] == VERDICTS[code]
    return decision


RAILS = {
    "none": ("", PROMOTE, []),
    "all hold": (
        'metric = "recall"\nclass = "fraud"\nmargin = 0.05', PROMOTE, [("recall", "fraud", None, "block", True)],
    ),
    "unproved": (
        'metric = "recall"\nclass = "fraud"\nmargin = 0.01', INSUFFICIENT, [("recall", "fraud", None, "block", False)],
    ),
    "proved worse": (
        'metric = "accuracy"\nsegment = "region=US"\nmargin = 0.02\nmode = "not-proved-worse"', KEEP,
        [("accuracy", None, "region=US", "block", False)],
    ),
    "warned": (
        'metric = "accuracy"\nsegment = "region"\nmargin = 0.02\nseverity = "warn"', CONDITIONAL,
        [("accuracy", None, "region=EU", "warn", True), ("accuracy", None, "region=US", "warn", False)],
    ),
    "too few": ('metric = "rows"\nclass = "*"\nminimum = 100', INSUFFICIENT,
                [("rows", "fraud", None, "block", False), ("rows", "ok", None, "block", True)]),
    "no such class": (
        'metric = "recall"\nclass = "fruad"\nmargin = 0.5', INSUFFICIENT, [("recall", "fruad", None, "block", False)],
    ),
    "no models": ('metric = "latency"\nmargin = 0.5', CONDITIONAL, [("latency", None, None, "warn", False)]),
    "no models, blocked": ('metric = "size"\nmargin = 0.5', INSUFFICIENT, [("size", None, None, "block", False)]),
}  # fmt: skip


@pytest.mark.parametrize(("rail", "code", "expected"), RAILS.values(), ids=RAILS)
def test_guardrails_decide_the_exit_code(cli: Typed, rail: str, code: int, expected: list[tuple[Any, ...]]) -> None:
    """PROMOTE is lowered to what the guardrail allows; the JSON has each reason's class, segment and severity."""
    better_but_not_in_us()
    decision = decided(cli, f"[[guardrails]]\n{rail}" if rail else "", code)
    assert decision["by_rule"] == "PROMOTE"
    found = [
        (r["metric"], r["class"], r["segment"], r["severity"], r["held"])
        for r in decision["reasons"]
        if r["rule"] == "guardrail"
    ]
    assert found == expected


RULES = {
    "non-inferior": ('rule = "non-inferior"\nmargin = 0.01', PROMOTE),
    "primary": ('rule = "primary"', PROMOTE),
    "primary by more": ('rule = "primary"\nmargin = 0.04', INSUFFICIENT),  # 4.5 points gained
    "primary by too much": ('rule = "primary"\nmargin = 0.09', KEEP),
    "fraud misses": ('rule = "primary"\nprimary = "cost"\n[costs]\nok = {fraud = 1}\nfraud = {ok = 100}', PROMOTE),
    "costs and guardrail": (
        '[costs]\nok = {fraud = 1}\nfraud = {ok = 100}\n[[guardrails]]\nmetric = "cost"\nmargin = 0.01', PROMOTE,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "code"), RULES.values(), ids=RULES)
def test_rules_decide_the_exit_code(cli: Typed, policy: str, code: int) -> None:
    """Each rule, from the file to the gate."""
    better_but_not_in_us()
    decided(cli, policy, code)


def test_the_policy_of_the_settings_and_a_file_of_ones_own(cli: Typed) -> None:
    """[policy] of abtest.toml guards as a file does; a file named on the command line takes its place."""
    better_but_not_in_us()
    table = '[[{}guardrails]]\nmetric = "rows"\nminimum = 5000\n'
    Path("abtest.toml").write_text(table.format("policy."), encoding="utf-8")
    assert cli(*COLUMNS, *QUICK, "--quiet", "--gate", code=INSUFFICIENT).out == "INSUFFICIENT_EVIDENCE\n"
    decided(cli, "", PROMOTE)
    decided(cli, table.format("policy."), INSUFFICIENT)  # in a file the table may be called [policy], too


def test_accept_lets_a_warning_pass(cli: Typed) -> None:
    """--accept conditional passes what a warning lowered, and nothing that a guardrail blocked."""
    better_but_not_in_us()
    for severity, code in (("warn", 0), ("block", INSUFFICIENT)):
        Path("p.toml").write_text(f'[[guardrails]]\nmetric = "rows"\nminimum = 5000\nseverity = "{severity}"')
        cli(*COLUMNS, *QUICK, "--policy", "p.toml", "--quiet", "--gate", "--accept", "conditional", code=code)


@pytest.fixture
def own() -> Iterator[str]:
    """A module of metrics in the folder where the command is typed."""
    name = "cli_own_metrics"
    Path(f"{name}.py").write_text(
        "def let_through(confusion, labels):\n"
        "    return confusion[..., 1, 1] / confusion[..., 1, :].sum(axis=-1).clip(1)\n",
        encoding="utf-8",
    )
    importlib.invalidate_caches()
    yield name
    sys.modules.pop(name, None)


def test_a_metric_of_ones_own(cli: Typed, own: str) -> None:
    """module:function from this folder: computed, guarded, and written wherever metrics are."""
    better_but_not_in_us()
    policy = f"""
        metrics = ["accuracy", "{own}:let_through"]
        [[guardrails]]
        metric = "{own}:let_through"
        margin = 0.05
        mode = "not-proved-worse"
    """
    decision = decided(cli, policy, PROMOTE)
    assert [r["metric"] for r in decision["reasons"] if r["rule"] == "guardrail"] == [f"{own}:let_through"]
    (report,) = Path("reports").iterdir()
    for file in ("report.html", "summary.md"):
        assert "Let through" in (report / file).read_text(encoding="utf-8")
    assert "Let through" in cli(*COLUMNS, *QUICK, "--policy", "policy.toml").out


REFUSED = {
    "no module": ('metrics = ["accuracy", "nowhere:gain"]', "metrics: 'nowhere:gain' cannot be imported: ModuleNotFou"),
    "no cost": ("[costs]\nok = {fraud = 1}", "costs has no row for the class 'fraud'. Hint: list every mistake in"),
    "no such segment": ('[[guardrails]]\nmetric = "f1"\nsegment = "regions"\nmargin = 0.1', "'regions'"),
    "margin": ('rule = "non-inferior"\nmargin = 2', "policy.toml: margin must be below 1, got 2. Hint: 0.02 is 2 poin"),
    "guardrail": ('[[guardrails]]\nmetric = "f1"\nmargn = 1', "policy.toml: guardrails[0]: unknown key 'margn'; known"),
    "contradiction": ('rule = "share"\nprimary = "f1"', "policy.toml: primary means nothing under the rule share."),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "told"), REFUSED.values(), ids=REFUSED)
def test_policies_that_cannot_be_held_to(cli: Typed, policy: str, told: str) -> None:
    """One line, exit code 1, no report; a column that is not there is told with those that are."""
    better_but_not_in_us()
    Path("policy.toml").write_text(policy, encoding="utf-8")
    error = cli(*COLUMNS, *QUICK, "--policy", "policy.toml", "--gate", code=1).error
    assert told in error
    assert not list(Path("reports").glob("*"))


# On models, in a real registry


def stages(registry: RegistryClient) -> dict[int, str | None]:
    """Stage of the first two versions."""
    return {v.version: v.stage for v in registry.versions("fruit") if v.version <= 2}


BEFORE, AFTER = {1: "Production", 2: "Staging"}, {1: "Archived", 2: "Production"}
LOWERED = {
    "rows": ('metric = "rows"\nminimum = 10000', INSUFFICIENT),
    "rows, warned": ('metric = "rows"\nminimum = 10000\nseverity = "warn"', CONDITIONAL),
    "no such class": ('metric = "recall"\nclass = "paer"\nmargin = 0.5', INSUFFICIENT),
    "a gain too small": ('metric = "accuracy"\nmode = "improved"\nmargin = 0.5', KEEP),
}


@pytest.mark.parametrize(("rail", "code"), LOWERED.values(), ids=LOWERED)
def test_what_a_guardrail_lowers_is_never_promoted(stocked: RegistryClient, cli: Typed, rail: str, code: int) -> None:
    """The rule says PROMOTE, a guardrail does not: --auto-promote moves nothing, and the gate tells the verdict."""
    zoo.fruit(200).to_csv("fruit.csv", index=False)
    Path("policy.toml").write_text(f"[[guardrails]]\n{rail}", encoding="utf-8")
    told = cli(*COMPARE, *QUICK, "--policy", "policy.toml", "--auto-promote", "--gate", "--format", "json", code=code)
    decision = json.loads(told.out)["decision"]
    assert (decision["by_rule"], decision["verdict"]) == ("PROMOTE", VERDICTS[code])
    assert f"Not promoted. The verdict is {VERDICTS[code]}, which promotes nothing." in told.err
    assert stages(stocked) == BEFORE


def test_what_all_guardrails_let_pass_is_promoted(stocked: RegistryClient, cli: Typed) -> None:
    """With the same models and guardrails that hold, latency and size among them, the challenger moves."""
    zoo.fruit(200).to_csv("fruit.csv", index=False)
    Path("policy.toml").write_text(
        """
        [[guardrails]]
        metric = "rows"
        class = "*"
        minimum = 50
        [[guardrails]]
        metric = "recall"
        class = "pear"
        margin = 0.02
        [[guardrails]]
        metric = "latency"
        margin = 1000
        [[guardrails]]
        metric = "size"
        margin = 1
        """,
        encoding="utf-8",
    )
    told = cli(*COMPARE, *QUICK, "--policy", "policy.toml", "--auto-promote", "--gate", "--format", "json")
    reasons = [r for r in json.loads(told.out)["decision"]["reasons"] if r["rule"] == "guardrail"]
    assert [(r["metric"], r["class"], r["severity"]) for r in reasons] == [
        ("rows", "apple", "block"), ("rows", "pear", "block"), ("recall", "pear", "block"), ("latency", None, "warn"),
        ("size", None, "block"),
    ]  # fmt: skip
    assert all(r["held"] and r["value"] is not None for r in reasons)
    assert stages(stocked) == AFTER


def test_a_warning_is_promoted_only_where_conditional_is(stocked: RegistryClient, cli: Typed) -> None:
    """--promote-on conditional carries out what only a warning lowered, accuracy having risen."""
    zoo.fruit(200).to_csv("fruit.csv", index=False)
    rail = '[[guardrails]]\nmetric = "rows"\nminimum = 10000\nseverity = "warn"'
    Path("policy.toml").write_text(rail, encoding="utf-8")
    options = ("--policy", "policy.toml", "--auto-promote", "--quiet")
    assert cli(*COMPARE, *QUICK, *options).out == "CONDITIONAL\n"
    assert stages(stocked) == BEFORE
    assert cli(*COMPARE, *QUICK, *options, "--promote-on", "conditional").out == "CONDITIONAL\n"
    assert stages(stocked) == AFTER


def test_the_baseline_has_neither_size_nor_latency(stocked: RegistryClient, cli: Typed) -> None:
    """Against the majority-class predictor a guardrail on size cannot be evaluated, and fails closed."""
    del stocked
    zoo.fruit(200).to_csv("fruit.csv", index=False)
    Path("policy.toml").write_text('[[guardrails]]\nmetric = "size"\nmargin = 9', encoding="utf-8")
    options = ("--champion-version", "baseline", "--policy", "policy.toml", "--no-log", "--gate")
    told = cli(*COMPARE, *QUICK, *options, code=INSUFFICIENT)
    assert "size on disk could not be evaluated: it is not known of both models" in " ".join(told.out.split())
