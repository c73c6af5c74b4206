"""Training in words: the same in the terminal and in Markdown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from abtest.errors import InvalidInputError
from abtest.record import TrainingRecord
from abtest.reporter.training import folder, headline, markdown, terminal
from abtest.reporter.training.summary import summarise
from tests.training.records import SITUATIONS, candidate, failed, record, regression, sure, unsure

if TYPE_CHECKING:
    from pathlib import Path

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


def printed(found: TrainingRecord, width: int = 120) -> str:
    """What a console shows."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(terminal.render(summarise(found), width))
    return file.getvalue()


@every_situation
def test_the_terminal_tells_it_without_colour(situation: str) -> None:
    """Piped, there is no escape sequence; every candidate, its mean and what may not repeat are words."""
    found = SITUATIONS[situation]()
    text, summary = printed(found, 400), summarise(found)
    assert "\x1b" not in text
    assert summary.headline in text
    assert summary.advice in text
    for row in summary.candidates:
        assert row.mean in text
        assert all(it in text for it in row.holdout[:2])
        assert ("may not repeat" in text) == bool(summary.not_repeatable)


@pytest.mark.parametrize("width", [120, 80])
@pytest.mark.parametrize("situation", ["sure", "unsure", "alone", "regression"])
def test_the_table_fits_a_pipe_and_a_narrow_terminal(situation: str, width: int) -> None:
    """Eighty columns hold each candidate with every number whole, if maybe fewer of them than a pipe's 120 do."""
    found = SITUATIONS[situation]()
    lines = printed(found, width).splitlines()
    for row in summarise(found).candidates:
        cells = (row.name[:8], row.mean, row.behind, row.interval, *row.holdout[: 1 if width == 80 else 2], row.seconds)
        assert any(all(cell in line for cell in cells) for line in lines), row


@every_situation
def test_markdown_holds_every_candidate_in_a_line_of_its_table(situation: str) -> None:
    """Every line of the table has as many cells, whatever stands in them."""
    summary = summarise(SITUATIONS[situation]())
    table = [line for line in markdown.render(summary).splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(summary.candidates)
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1


def test_surely_the_best_is_said_where_every_other_is_surely_worse() -> None:
    """One rival that is not surely worse is enough for "not sure", and is named; one that failed is no rival."""
    assert headline.is_surely_best(sure())
    assert not headline.is_surely_best(unsure())
    assert "not sure that it is better than LogisticRegression" in headline.headline(unsure())
    assert "SVM_RBF" not in headline.headline(unsure())
    found = record(candidate(1, "A", 0.9), candidate(2, "B", 0.8, 0.1, pvalue=0.01), failed("C", "no"))
    assert headline.is_surely_best(found)
    assert "the other candidate" in headline.headline(found)
    assert "the only candidate that could be trained" in headline.headline(
        record(candidate(1, "A", 1), failed("C", ""))
    )


def test_less_is_better_of_an_error() -> None:
    """Of a regression too, who is behind is behind by a positive number, over the folds and on the hold-out."""
    for it in regression().candidates[1:]:
        over_folds, held_out = headline.gap(it), headline.holdout_gap(it, "rmse")
        assert over_folds is not None
        assert held_out is not None
        for gap in (over_folds, held_out):
            assert gap.lower is not None
            assert gap.upper is not None
            assert gap.behind > 0
            assert gap.lower <= gap.behind <= gap.upper


def test_who_is_better_on_the_hold_out_is_named() -> None:
    """Where another is better on the rows held out that is said, and that it changes no rank."""
    other = candidate(2, "B", 0.89, 0.01, pvalue=0.4)
    ahead = replace(other, holdout_rows=tuple(replace(it, improvement=0.02) for it in other.holdout_rows))
    told = headline.advice(record(candidate(1, "A", 0.9), ahead))
    assert "B is better there by 2.0 points (p = 0.210)" in told
    assert "B is better" not in headline.advice(record(candidate(1, "A", 0.9), other))


@pytest.mark.parametrize("figures", [True, False])
def test_the_folder_holds_everything(tmp_path: Path, figures: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Page, record, summary, recipe and figures; what else is written there is there with them."""
    found = unsure()
    report = folder.write(found, tmp_path, figures=figures, beside=lambda part: (part / "more").touch())
    expected = {"report.html", "training.json", "summary.md", "recipe.toml", "more"} | (
        {"figures"} if figures else set()
    )
    assert {it.name for it in report.iterdir()} == expected
    assert report.name == "churn-training-20260302T123000Z"
    assert TrainingRecord.from_dict(json.loads((report / "training.json").read_text(encoding="utf-8"))) == found
    assert (report / "recipe.toml").read_text(encoding="utf-8") == found.recipe
    folder.rewrite(replace(found, version=9), report, figures=figures)
    assert json.loads((report / "training.json").read_text(encoding="utf-8"))["version"] == 9
    assert "version 9" in (report / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_whole_is_not_there(tmp_path: Path) -> None:
    """What fails beside the report leaves nothing of it behind."""

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(InvalidInputError, match="No space left on device"):
        folder.write(sure(), tmp_path, figures=False, beside=full)
    assert not list(tmp_path.iterdir())
