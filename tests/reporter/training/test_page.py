"""The page of training: whole, harmless, and with the record's numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from abtest import wording
from abtest.metrics.catalogue import unit
from abtest.reporter.training import drawing, folder, html
from tests.reporter.pages import Outline, harmless, sound
from tests.training.records import HOSTILE, SITUATIONS

if TYPE_CHECKING:
    from pathlib import Path

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


@cache
def page(situation: str, *, drawn: bool = True) -> str:
    """The page of one situation."""
    record = SITUATIONS[situation]()
    return html.render(record, drawing.render(record) if drawn else ())


@every_situation
@pytest.mark.parametrize("drawn", [True, False], ids=["figures", "tables"])
def test_the_page_is_sound(situation: str, drawn: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Every element is closed, ids are unique, references lead somewhere, and every table has a caption."""
    outline = sound(page(situation, drawn=drawn))
    assert ("svg" in {tag for tag, _ in outline.elements}) == drawn


@every_situation
def test_nothing_runs_and_nothing_is_fetched(situation: str) -> None:
    """No script, no handler, no address to fetch from."""
    harmless(page(situation))


def test_users_texts_are_text() -> None:
    """Names of columns and candidates that would be markup are shown as they were written, reordering nothing."""
    text = page("hostile")
    assert "<script" not in text
    assert "\u202e" not in text
    assert Outline(text).text.count(HOSTILE.replace("\u202e", "\ufffd")) > 8


@every_situation
def test_numbers_are_those_of_the_record(situation: str) -> None:
    """Every mean, gap and metric of the hold-out stands on the page, as numbers are written."""
    record, shown = SITUATIONS[situation](), Outline(page(situation)).text
    kind = unit(record.metric)
    for it in record.candidates:
        if it.cross_validated is not None:
            assert wording.value(it.cross_validated.mean, kind) in shown
            if it.cross_validated.behind is not None:
                assert wording.effect(it.cross_validated.behind, kind, spell_unit=False) in shown
        for name, value in it.holdout.items():
            assert wording.value(value, unit(name)) in shown
    assert wording.whole(record.rows.n_train) in shown
    assert record.rows.digest in shown
    assert record.recipe_digest in shown


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        ("sure", ["Surely the best", "surely better than every other candidate", "no candidate has seen"]),
        ("unsure", ["First, but not surely the best", "may not repeat", "could not be trained. ValueError: not today",
                    "without a seed", "not known", "Left out: roc_auc"]),
        ("alone", ["The only candidate"]),
        ("regression", ["RMSE", "surely better"]),
    ],
)  # fmt: skip
def test_the_page_says_it_in_words(situation: str, said: list[str]) -> None:
    """What a colour or a shape shows is also a word."""
    shown = " ".join(Outline(page(situation)).text.replace("\u00a0", " ").split())
    for words in said:
        assert words in shown


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    """What is given back is what was written; without figures there is none."""
    text = folder.page(SITUATIONS["sure"](), tmp_path / "page.html", figures=False)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == text
    assert "<svg" not in text
