"""The words of live traffic: what was seen, whether it can be trusted, and what to do."""

from __future__ import annotations

import html as html_lib
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from abtest.decision import Verdict, decide
from abtest.live.analysis.analysing import analyse
from abtest.live.store import Store
from abtest.record import ComparisonRecord
from abtest.reporter import (
    confusions,
    explained,
    figures,
    github,
    html,
    junit,
    live,
    looks,
    markdown,
    plain,
    run,
    terminal,
)
from abtest.reporter.summary import summarise
from tests import dialect
from tests.examples import SITUATIONS as OFFLINE
from tests.known import known
from tests.live import traffic
from tests.live.examples import SITUATIONS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from abtest.labels import Side
    from abtest.live.experiment import Experiment

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


@every_situation
def test_it_says_which_experiment_and_when(situation: str) -> None:
    """Name, mode, epoch and period are told, and both arms with their versions, units and coverage."""
    record = SITUATIONS[situation]()
    told, reading = known(summarise(record).live), known(record.live)
    for part in (reading.experiment, f"{reading.mode} mode", f"epoch {reading.epoch}", "2026-01-02 09:30 UTC"):
        assert part in told.about
    for arm, counted in zip(told.arms, reading.arms, strict=True):
        assert arm.name == f"{counted.arm} v{counted.version}"
        assert arm.exposed == f"{counted.exposed:,}"
        assert arm.labelled.endswith(f"({100 * counted.labelled / counted.mature:.1f} %)")
    assert {check.held for check in told.alarms} <= {False}
    assert len(told.alarms) == sum(not check.held for check in reading.checks)


@pytest.mark.parametrize(
    ("situation", "verdict", "headline", "advice"),
    [
        (
            "shadow_better",
            "PROMOTE",
            "on the same 6,000 requests the challenger is right",
            "analyze spam-2 --auto-promote",
        ),
        (
            "shadow_unsure",
            "INSUFFICIENT_EVIDENCE",
            "chance alone",
            "Keep it running: about 10,000 more labelled pairs.",
        ),
        ("shadow_harm", "KEEP_CHAMPION", "The champion should stay", "the challenger was rolled back"),
        ("shadow_fresh", "INSUFFICIENT_EVIDENCE", "on the same 90 requests", "Keep it running."),
        ("shadow_measured", "PROMOTE", "on the same 3,000 requests the challenger's RMSE is", "--auto-promote"),
        (
            "split_better",
            "PROMOTE",
            r"of [\d,]+ units that the challenger served it is right .* that the champion",
            "spam-3",
        ),
        ("split_unsure", "INSUFFICIENT_EVIDENCE", "chance alone", "It is paused: abtest experiment resume spam-2"),
        ("split_worse", "KEEP_CHAMPION", "The champion should stay: of", "stop it: abtest experiment stop spam-2"),
        ("split_measured", "PROMOTE", "its RMSE is .*, of .* that the champion served", "--auto-promote"),
        (
            "split_mismatch",
            "INSUFFICIENT_EVIDENCE",
            "Nothing can be concluded from this experiment, as units are not split as planned.",
            "Find out why units are not split as planned before believing anything below.",
        ),
    ],
)
def test_each_situation_has_its_words(situation: str, verdict: str, headline: str, advice: str) -> None:
    """The headline fits how rows were paired or split, and the advice can be acted on."""
    words = summarise(SITUATIONS[situation]())
    assert words.verdict == verdict
    assert re.search(headline, words.headline)
    assert advice in words.advice


def test_harm_is_stopped_before_the_verdict_is_sure() -> None:
    """Where only the level of a rollback is reached, the advice is to stop."""
    record = SITUATIONS["shadow_unsure"]()
    harmed = replace(record, live=replace(known(record.live), pvalue_worse=0.04))
    assert "worse at the level of a rollback: abtest experiment stop spam-2" in summarise(harmed).advice


def test_what_an_interval_waits_for_is_said() -> None:
    """Before the burn-in is over a report says in a sentence what it takes, and what is there."""
    fresh = known(summarise(SITUATIONS["shadow_fresh"]()).live).evidence
    assert re.search(r"before 200 labelled pairs, 20 of which tell .* apart; there are 90, \d+ of which do\.", fresh)
    record = SITUATIONS["split_unsure"]()
    early = [replace(arm, analysed=n, value=0.95) for arm, n in zip(known(record.live).arms, (360, 40), strict=True)]
    looks = (replace(known(record.live).looks[-1], ci_lower=None, ci_upper=None),)
    reading = replace(known(record.live), pvalue=None, arms=(early[0], early[1]), looks=looks)
    rows = (replace(record.metrics[0], pvalue=None), *record.metrics[1:])
    untested = replace(record, live=reading, metrics=rows)
    assert "nothing can be tested so far" in summarise(untested).headline
    assert known(summarise(replace(record, live=reading)).live).evidence == (
        "There is no test or interval before each arm has 100 labelled units with 10 right and 10 wrong answers; "
        "champion and challenger have 360 (342 right, 18 wrong) and 40 (38 right, 2 wrong)."
    )
    assert "before" not in known(summarise(SITUATIONS["split_better"]()).live).evidence


def test_what_is_planned_is_what_is_left() -> None:
    """With discordant pairs planned these are counted; with enough of them it may be stopped; paused it says so."""
    record = SITUATIONS["shadow_unsure"]()
    reading, discordant = replace(known(record.live), planned_n=None), known(record.contingency).discordant
    more = replace(record, live=replace(reading, planned_discordant=discordant + 7))
    assert "about 7 more pairs that tell the two apart" in summarise(more).advice
    done = replace(record, live=replace(reading, planned_discordant=discordant))
    assert "or stop it: it has what was planned" in summarise(done).advice
    once = replace(record, live=replace(reading, looking="fixed"))
    assert "The one look that was planned is over" in summarise(once).advice


@every_situation
def test_a_failed_check_is_seen_first(situation: str) -> None:
    """On every output a failed check comes right after the verdict, in words; where all hold, no alarm is raised."""
    record = SITUATIONS[situation]()
    words = summarise(record)
    page, note = html.render(record), markdown.render(words)
    assert ('<ul class="alarms">' in page) == bool(words.alarms)
    for check in words.alarms:
        assert page.index('class="alarms"') < page.index("<nav")
        assert f"{check.name}: failed." in note
        assert note.index(check.name) < note.index("Experiment ")
        assert "failed, which stops every verdict" in page
    cases = {case.name: case for case in dialect.read(junit.render(record))}
    for read in known(record.live).checks:
        case = cases[read.name.replace(" ", "-")]
        assert case.outcome == ("passed" if read.held else "failure")
        if not read.held:
            assert read.text in plain.render(record)
            assert any(read.text.split(":")[0] in line for line in github.annotated(record, passed=False, gate=True))


@every_situation
def test_nothing_says_mcnemar_where_there_is_none(situation: str) -> None:
    """Where McNemar's test was not used no output names it, and a split says nothing of pairs of the same rows."""
    record = SITUATIONS[situation]()
    page = html.render(record)
    assert ("McNemar" in page) == (record.mcnemar is not None)
    if known(record.live).mode == "split":
        assert "same rows" not in page.replace("on the same rows they rise and fall together", "")
        assert "Row by row" not in page


@every_situation
def test_the_method_fits(situation: str) -> None:
    """How it was done names the e-process, the sequence, or the one look, whichever decided, with its source."""
    record = SITUATIONS[situation]()
    told, reading = {part.term: part for part in explained.method(record)}, known(record.live)
    assert ("Evidence at any time" in told) == (reading.log_better is not None)
    assert ("An interval at every look" in told) == (reading.looking == "anytime")
    assert ("One look" in told) == (reading.looking == "fixed")
    assert ("Two arms" in told) == (reading.mode == "split")
    assert "Can it be trusted?" in told
    assert "1 day" in told["Labels that come late"].text
    if reading.log_better is not None:
        assert "Ville (1939)" in told["Evidence at any time"].references
    if reading.looking == "anytime":
        assert "Waudby-Smith" in told["An interval at every look"].references
    terms = [part.term for part in explained.method(record)]
    assert len(terms) == len(set(terms))
    facts = [fact.term for fact in explained.provenance(record)]
    assert {"Experiment", "Traffic", "Plan", "Horizon of labels"} <= set(facts)


@every_situation
def test_a_run_gets_finite_metrics(situation: str) -> None:
    """MLflow gets the evidence and both arms, every one a finite number, and McNemar's only where it was used."""
    record = SITUATIONS[situation]()
    found, reading = run.metrics(record), known(record.live)
    assert found["live.pvalue"] == reading.pvalue
    assert found["challenger.units"] == reading.arms[1].exposed
    assert ("mcnemar.pvalue" in found) == (record.mcnemar is not None)
    assert ("live.log_evidence_better" in found) == (reading.log_better is not None)
    assert all(abs(value) < float("inf") for value in found.values())


def test_shares_of_arms_are_compared_and_never_counts() -> None:
    """Of arms of unlike sizes, a mistake's change is in points of its row, with the tone of the shares."""
    record = SITUATIONS["split_unsure"]()
    matrices = confusions.matrices(record)
    for it in confusions.mistakes(record):
        i, j = matrices.labels.index(it.truth), matrices.labels.index(it.predicted)
        expected = matrices.challenger_shares[i, j] - matrices.champion_shares[i, j]
        assert it.rates[1] - it.rates[0] == pytest.approx(expected)
        assert it.tone == ("worse" if expected > 0 else "better" if expected < 0 else "same")
        assert it.change.endswith(" points")
    assert matrices.difference == pytest.approx(100 * (matrices.challenger_shares - matrices.champion_shares))
    assert matrices.champion.sum() > 5 * matrices.challenger.sum()


def test_offline_comparisons_have_no_experiment() -> None:
    """A comparison on labelled rows says nothing of an experiment."""
    assert summarise(OFFLINE["two"]()).live is None
    assert summarise(OFFLINE["two"]()).alarms == ()
    assert "experiment" not in html.render(OFFLINE["two"]())


def test_numbers_of_any_size_are_written() -> None:
    """E is written with two digits, as a power of ten where it is long, and never as nothing."""
    assert [live.odds(log) for log in (0, 3.6888795, 13.81, 13.82, 700, -0.5, -4.7, -1e9)] == [
        "1", "40", "990,000", "10⁶", "10³⁰⁴", "0.61", "below 0.01", "below 0.01",
    ]  # fmt: skip


def test_a_rollback_keeps_the_champion() -> None:
    """An experiment that was rolled back says so before anything else, whatever its numbers."""
    record = SITUATIONS["shadow_better"]()
    back = replace(record, live=replace(known(record.live), state="rolled back"))
    back = replace(back, decision=decide(back.evaluation, back.settings.policy))
    words = summarise(back)
    assert words.verdict is Verdict.KEEP_CHAMPION
    assert words.headline.startswith("The champion stays, as the challenger was rolled back")
    assert words.reasons[0].rule == "rollback"


def _told(store: Store, experiment: Experiment, at: datetime) -> ComparisonRecord:
    """A real analysis, told in every output."""
    record = analyse(store, experiment.name, until=at, keep=False).record
    assert ComparisonRecord.from_dict(record.to_dict()) == record
    words = summarise(record)
    page = html.render(record, figures.render(record))
    assert words.headline in html_lib.unescape(page).replace("\u00a0", " ")
    assert markdown.render(words)
    assert terminal.render(words)
    assert junit.render(record)
    assert run.metrics(record)
    return record


def test_a_real_log_is_told(tmp_path: Path) -> None:
    """Pairs with failures, drops and a ramp, out of a real log: every output is there, and the ramp is marked."""
    with Store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        experiment = traffic.plan()
        store.start(experiment, inclusion=0.1, why="try")
        rows: list[traffic.Triple] = list(traffic.pairs_of(600, right=(0.7, 0.8), seed=1))
        rows[7] = (rows[7][0], rows[7][1], None)
        traffic.shadow(store, experiment, rows, dropped=[11, 12])
        last = store.epochs(experiment.name)[-1]
        store.turn(replace(last, number=2, inclusion=0.5, began_at=traffic.START + timedelta(seconds=200)))
        record = _told(store, experiment, traffic.until(660))
    assert [turn.text for turn in looks.turns(record)] == ["10.0 %", "50.0 %"]
    assert {figure.name for figure in figures.render(record)} >= {"evidence", "effect-over-time", "contingency"}
    assert "(no prediction)" in html.render(record)


def test_a_real_split_is_told(tmp_path: Path) -> None:
    """Two arms out of a real log, one with a failure: shares are compared, and nothing of pairs is said."""
    with Store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        experiment = traffic.plan(mode="split", planned_n=800)
        store.start(experiment, inclusion=1.0, why="try")
        arms: tuple[Side, ...] = ("champion", "challenger")
        pairs = traffic.pairs_of(600, right=(0.7, 0.8), seed=2)
        served: list[traffic.Served] = [(arms[i % 2], row[0], row[1 + i % 2]) for i, row in enumerate(pairs)]
        served[9] = (served[9][0], served[9][1], None)
        traffic.split(store, experiment, served)
        record = _told(store, experiment, traffic.until(660))
    assert "of 300 units that the challenger served" in summarise(record).headline
    assert {figure.name for figure in figures.render(record)} >= {"effect-over-time", "confusion-difference"}
    assert "Row by row" not in html.render(record)
