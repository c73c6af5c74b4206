"""`abtest power` as it is typed: before a test, and after one that lacked evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abtest.planning import plan
from abtest.stats.power import detectable_effect, discordance_limit
from tests.examples import identical, ten
from tests.known import known

if TYPE_CHECKING:
    from abtest.record import ComparisonRecord
    from tests.conftest import Cli


@pytest.fixture
def comparison() -> ComparisonRecord:
    """A comparison that showed no difference, in comparison.json."""
    record = ten()
    Path("comparison.json").write_text(record.to_json(), encoding="utf-8")
    return record


def test_before_a_test(cli: Cli) -> None:
    """Discordance and effect give the sentence, the table of half, asked and double, and what to do next."""
    told = cli("power", "--discordance", "0.1", "--effect", "0.01")
    lines = told.out.splitlines()
    sentence = (
        "To find a difference of 1.0 point with 80 % power when 10.0 % of the rows are discordant takes 7,839 rows."
    )
    assert lines[0] == sentence
    assert [line.split() for line in lines[3:6]] == [["0.5", "31,386"], ["1.0", "7,839"], ["2.0", "1,949"]]
    assert "McNemar's test (mid-p) at 95 % confidence" in told.out
    assert told.err.startswith("Next      label 7,839 rows, then compare once")
    assert "\x1b" not in told.out


def test_after_a_test(cli: Cli, comparison: ComparisonRecord) -> None:
    """A comparison's rows, discordance, confidence and method are taken from its record, and what it missed is told."""
    table = comparison.contingency
    told = cli("power", "--comparison", "comparison.json", "--effect", "0.01", "--format", "json")
    expected = plan(discordance=known(table).discordant / known(table).n, rows=known(table).n, effect=0.01)
    assert json.loads(told.out) == expected.to_dict()
    assert expected.rows_needed is not None
    assert f"label {expected.rows_needed - known(table).n:,} more rows" in told.err
    told = cli("power", "--comparison", "comparison.json")
    assert told.out.startswith(f"{known(table).n} rows find a difference of ")
    assert f"{known(table).discordant} of {known(table).n} rows were discordant; it may be up to " in told.out
    assert "--effect SHARE" in told.err


def test_options_win_over_the_comparison(cli: Cli, comparison: ComparisonRecord) -> None:
    """Rows, confidence and method given win over the comparison's; else its policy's hold."""
    policy = replace(comparison.settings.policy, confidence=0.9, method="exact")
    record = replace(comparison, settings=replace(comparison.settings, policy=policy))
    Path("comparison.json").write_text(record.to_json(), encoding="utf-8")

    def asked(*options: str) -> tuple[object, ...]:
        told = cli("power", "--comparison", "comparison.json", "--effect", "0.05", "--format", "json", *options)
        found = json.loads(told.out)
        return found["rows"], found["confidence"], found["method"]

    assert asked() == (known(comparison.contingency).n, 0.9, "exact")
    assert asked("--rows", "77", "--confidence", "0.99", "--method", "chi2") == (77, 0.99, "chi2")


def test_no_discordant_row(cli: Cli) -> None:
    """Where no row was discordant the most that the discordance may be is planned with, and it is said."""
    Path("c.json").write_text(identical().to_json(), encoding="utf-8")
    found = cli("power", "--comparison", "c.json", "--effect", "0.03", "--format", "json")
    assert json.loads(found.out)["discordance"] == discordance_limit(60, 0)
    assert (
        "None of 60 rows was discordant; 6.0 % is the most that it may be."
        in cli("power", "--comparison", "c.json").out
    )


def test_settings_are_read(cli: Cli) -> None:
    """The policy of abtest.toml gives confidence and method; the command line wins."""
    Path("abtest.toml").write_text('[policy]\nconfidence = 0.9\nmethod = "exact"\n', encoding="utf-8")
    command = ("power", "--discordance", "0.1", "--effect", "0.05", "--format", "json")
    found = json.loads(cli(*command).out)
    assert (found["confidence"], found["method"]) == (0.9, "exact")
    assert json.loads(cli(*command, "--method", "chi2").out)["method"] == "chi2"


def test_noninferiority(cli: Cli) -> None:
    """The other rule asks for rows to prove a margin."""
    told = cli("power", "--discordance", "0.1", "--rule", "non-inferior", "--margin", "0.02", "--rows", "5000")
    assert told.out.startswith("To prove that an equally accurate challenger is not worse by 2.0 points")
    assert "margin, points  rows needed  power with 5,000 rows" in told.out
    assert "Tango's interval at 95 % confidence" in told.out
    assert "the rows there are suffice" in told.err


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        (("--effect", "0.02"), "1949"),
        (("--rows", "900"), f"{detectable_effect(900, 0.1):.4g}"),
        (("--rows", "10"), "none"),
    ],
)
def test_quiet_prints_the_number_alone(cli: Cli, asked: tuple[str, str], number: str) -> None:
    """`--quiet` says one number on stdout and nothing on stderr."""
    told = cli("power", "--discordance", "0.1", *asked, "--quiet")
    assert (told.out, told.err) == (f"{number}\n", "")


def test_markdown(cli: Cli) -> None:
    """`--format markdown` has the answer, the table and how it was found."""
    told = cli("power", "--discordance", "0.1", "--effect", "0.01", "--rows", "900", "--format", "markdown")
    assert told.out.startswith("**To find a difference of 1.0 point")
    assert "| difference, points | rows needed | power with 900 rows |\n| --: | --: | --: |\n" in told.out
    assert "| 1.0 | 7,839 | 15.5 % |\n" in told.out
    assert told.out.endswith("> McNemar's test (mid-p) at 95 % confidence, two-sided.  \n")
    none = cli("power", "--discordance", "0.1", "--rows", "10", "--format", "markdown").out
    assert "|" not in none


def test_figure(cli: Cli) -> None:
    """`--output` writes the curve as SVG and PNG, and says where."""
    told = cli("power", "--discordance", "0.1", "--effect", "0.05", "--output", "a/plan")
    assert {path.name for path in Path("a/plan").iterdir()} == {"power.svg", "power.png"}
    assert Path("a/plan/power.png").read_bytes().startswith(b"\x89PNG")
    assert "Figure    a/plan/power.png and power.svg" in told.err


def test_output_that_cannot_be_written(cli: Cli) -> None:
    """A folder that is a file is refused before anything is computed or printed."""
    Path("plan").write_text("", encoding="utf-8")
    told = cli("power", "--discordance", "0.1", "--effect", "0.05", "--output", "plan", code=1)
    assert told.out == ""
    assert told.error.startswith("output plan cannot be written: ")


@pytest.mark.parametrize("options", [(), ("--discordance", "0.1", "--comparison", "c.json")])
def test_discordance_is_named_once(cli: Cli, options: tuple[str, ...]) -> None:
    """Without a discordance, or with two, the command is refused, and it is said what discordance is."""
    told = cli("power", "--effect", "0.01", *options, code=2)
    said = " ".join(told.err.replace("│", " ").split())
    explained = "exactly one side is right" in said and "the two error rates together" in said
    assert (explained, "has its own discordance" in said) == (not options, bool(options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--discordance", "10", "--effect", "0.01"), "discordance must be in (0, 1], got 10. Hint: 0.1 means 10 %."),
        (("--discordance", "0.1", "--effect", "2"), "got 2. Hint: 0.02 means 2 points."),
        (("--discordance", "0.1", "--effect", "0"), "effect must be at least 0.000001 in size, got 0."),
        (("--discordance", "0.1"), "effect and rows are both missing."),
        (("--discordance", "0.1", "--rows", "0"), "rows must be at least 1, got 0."),
        (("--discordance", "0.1", "--rows", "9", "--power", "80"), "power must be in [0.5, 1), got 80."),
        (("--discordance", "0.1", "--rows", "9", "--confidence", "95"), "Hint: 0.95 means 95 %."),
        (("--discordance", "0.1", "--margin", "0.1"), "margin means nothing under the rule share."),
        (("--comparison", "none.json"), "comparison none.json cannot be read: No such file or directory."),
        (("--comparison", "text.json"), "comparison text.json is no JSON. Hint: abtest compare writes"),
        (("--comparison", "other.json"), "comparison other.json: schema_version must be 1.0, got None. Hint: abtest"),
        (("--comparison", "comparison.json", "--rows", "0"), "rows must be at least 1, got 0."),
    ],
)
def test_bad_input(cli: Cli, comparison: ComparisonRecord, options: tuple[str, ...], told: str) -> None:
    """What cannot be planned is one line on stderr, with a hint."""
    del comparison
    Path("text.json").write_text("rows", encoding="utf-8")
    Path("other.json").write_text("{}", encoding="utf-8")
    said = cli("power", *options, code=1)
    assert told in said.error
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def test_discordance_is_at_most_the_two_error_rates() -> None:
    """What the help says of discordance holds of every comparison of the examples, and is reached by some table."""
    table = known(ten().contingency)
    errors = 2 * table.neither + table.champion_only + table.challenger_only
    assert table.discordant <= errors
    apart = replace(table, neither=0)
    assert apart.discordant == apart.champion_only + apart.challenger_only
    smaller = replace(table, champion_only=0, challenger_only=9, neither=0)
    assert smaller.discordant > 2 * min(smaller.champion_only, smaller.challenger_only), "twice the smaller is none"


def test_help_pays_for_no_numerics() -> None:
    """`abtest power --help` imports neither NumPy nor SciPy nor Matplotlib."""
    script = (
        "import sys; sys.argv = ['abtest', 'power', '--help']\n"
        "from abtest.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([n for n in ('numpy', 'scipy', 'matplotlib', 'mlflow') if n in sys.modules], file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
    assert told.stderr.strip() == "[]"
    assert "--discordance" in told.stdout
