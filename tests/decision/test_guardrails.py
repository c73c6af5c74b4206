"""Guardrails by hand: on published intervals, in every place, and in the words a reader meets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from abtest.decision import Decision, Verdict, decide
from abtest.evaluator import BothSides, evaluate
from abtest.guardrail import Guardrail
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.policy import Policy
from tests.decision import metric_row, rails, table_of
from tests.stats.worked import NEWCOMBE

if TYPE_CHECKING:
    from abtest.labels import Label

LOST = table_of(NEWCOMBE)  # Tango: the challenger's accuracy is −.34470875 to −.06111241 lower, mid-p p = .007385254
WON = LOST.swapped()


def rail_on(table: PairedOutcomes, rail: Guardrail, **policy: Any) -> Decision:
    """Decide under this one guardrail."""
    held_to = Policy(guardrails=(rail,), **policy)
    return decide(evaluate(table, held_to, resamples=100), held_to)


@pytest.mark.parametrize(
    ("table", "mode", "margin", "held", "at_best"),
    [
        (LOST, "proved-not-worse", 0.3448, True, Verdict.PROMOTE),
        (LOST, "proved-not-worse", 0.3447, False, Verdict.INSUFFICIENT_EVIDENCE),
        (LOST, "proved-not-worse", 0.0612, False, Verdict.INSUFFICIENT_EVIDENCE),
        (LOST, "proved-not-worse", 0.0611, False, Verdict.KEEP_CHAMPION),
        (LOST, "not-proved-worse", 0.0612, True, Verdict.PROMOTE),
        (LOST, "not-proved-worse", 0.0611, False, Verdict.KEEP_CHAMPION),
        (LOST, "not-proved-worse", 0.0, False, Verdict.KEEP_CHAMPION),
        (WON, "proved-not-worse", 0.001, True, Verdict.PROMOTE),
        (WON, "not-proved-worse", 0.0, True, Verdict.PROMOTE),
        (WON, "improved", 0.2, True, Verdict.PROMOTE),  # 10 of 50 rows gained
        (WON, "improved", 0.2001, False, Verdict.INSUFFICIENT_EVIDENCE),
        (WON, "improved", 0.3447, False, Verdict.INSUFFICIENT_EVIDENCE),
        (WON, "improved", 0.3448, False, Verdict.KEEP_CHAMPION),
    ],
)
def test_against_a_published_interval(
    table: PairedOutcomes, mode: Any, margin: float, at_best: Verdict, *, held: bool
) -> None:
    """On both sides of Newcombe's table's limits by Tango, each mode holds or fails as it says, warning or blocking."""
    rail = Guardrail(metric="accuracy", mode=mode, margin=margin)
    promoted = Policy(rule="non-inferior", margin=0.9)
    evaluation = evaluate(table, promoted, resamples=100)
    decision = decide(evaluation, replace(promoted, guardrails=(rail,)))
    (reason,) = rails(decision)
    assert decision.by_rule is Verdict.PROMOTE
    assert (reason.held, decision.verdict) == (held, at_best)
    warned = decide(evaluation, replace(promoted, guardrails=(replace(rail, severity="warn"),)))
    assert warned.verdict is (Verdict.PROMOTE if held else Verdict.CONDITIONAL)
    assert rails(warned)[0].severity == "warn"


def test_without_a_margin_the_test_decides_and_is_told() -> None:
    """Four rows lost in a hundred: Tango's interval excludes zero, mid-p is .0625; not proved, and p is the value."""
    table = table_of(Contingency(both=96, champion_only=4, challenger_only=0, neither=0))
    (reason,) = rails(rail_on(table, Guardrail(metric="accuracy", mode="not-proved-worse")))
    assert reason.held
    assert (reason.value, reason.operator, reason.bound) == (0.0625, ">=", 0.05)
    assert reason.text.endswith("interval −9.8 to −0.2 points, p = 0.062.")
    (reason,) = rails(rail_on(table.swapped(), Guardrail(metric="accuracy", mode="not-proved-worse")))
    assert (reason.operator, reason.bound, reason.held) == (">=", 0.0, True)
    assert reason.value == pytest.approx(0.04)


@pytest.mark.parametrize("n", range(2, 41))
def test_a_gain_of_exactly_the_margin_is_enough(n: int) -> None:
    """So many rows gained in n are an improvement of as many nths, however the difference is rounded."""
    for before in range(n):
        for gained in range(1, n - before + 1):
            row = metric_row("accuracy", (before + gained) / n - before / n, n=n)
            evaluation = replace(_EMPTY, metrics=(row,))
            rail = Guardrail(metric="accuracy", mode="improved", margin=min(gained / n, 0.999))
            (reason,) = rails(decide(evaluation, Policy(metrics=("accuracy",), guardrails=(rail,))))
            assert reason.held, (before, gained, n)


_EMPTY = evaluate(LOST, Policy(metrics=("accuracy",)))


@pytest.mark.parametrize("more", range(0, 200, 7))
def test_exactly_as_much_as_tolerated_is_tolerated(more: int) -> None:
    """A challenger of 100 + k bytes keeps a margin of k/100, and not of a millionth less."""
    evaluation = replace(_EMPTY, size=BothSides(champion=100, challenger=100 + more))
    for margin, held in ((more / 100, True), (more / 100 - 1e-6, False)):
        if margin >= 0:
            rail = Guardrail(metric="size", margin=margin)
            (reason,) = rails(decide(evaluation, Policy(metrics=("accuracy",), guardrails=(rail,))))
            assert reason.held == held


FOUR = PairedOutcomes.from_counts(
    {("fraud", "ok", "fraud"): 30, ("fraud", "ok", "ok"): 70, ("ok", "ok", "ok"): 880, ("ok", "ok", "fraud"): 20},
    {
        ("region", "EU"): {("fraud", "ok", "fraud"): 30, ("ok", "ok", "ok"): 470},
        ("region", "US"): {("fraud", "ok", "ok"): 70, ("ok", "ok", "ok"): 410, ("ok", "ok", "fraud"): 20},
    },
)


@pytest.mark.parametrize(
    ("place", "reasons"),
    [
        ({}, [(None, None, 1000)]),
        ({"class_": "*"}, [("fraud", None, 100), ("ok", None, 900)]),
        ({"class_": "ok"}, [("ok", None, 900)]),
        ({"segment": "region"}, [(None, "region=EU", 500), (None, "region=US", 500)]),
        ({"segment": "region = US"}, [(None, "region=US", 500)]),
        ({"class_": "fruad"}, [("fruad", None, 0)]),
        ({"segment": "region=UE"}, [(None, "region=UE", 0)]),
    ],
)
def test_a_place_is_a_reason(place: dict[str, Any], reasons: list[tuple[Any, ...]]) -> None:
    """A class or a segment gives one reason, "*" and a segmentation one for each; rows are those that are there."""
    decision = rail_on(FOUR, Guardrail(metric="rows", minimum=1, **place))
    assert [(r.class_, r.segment, r.value) for r in rails(decision)] == reasons
    assert [r.held for r in rails(decision)] == [bool(rows) for *_, rows in reasons]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (
            {"class_": "fruad"},
            "class 'fruad' could not be evaluated: no row is of class 'fruad' (did you mean 'fraud'?)",
        ),
        ({"class_": 7}, "class 7 could not be evaluated: no row is of class 7."),
        ({"segment": "region=UE"}, "region = UE could not be evaluated: no row has region = UE."),
        ({"segment": "region=EU "}, None),
        ({"segment": "region=USA"}, "no row has region = USA (did you mean 'US'?)."),
        (
            {"segment": "regions"},
            "regions could not be evaluated: regions was not told apart (did you mean 'region'?).",
        ),
        ({"segment": "device=phone"}, "device=phone could not be evaluated: device was not told apart."),
    ],
)
def test_what_is_not_there_fails_closed(place: dict[str, Any], told: str | None) -> None:
    """A class or segment that is not there is said, with the nearest there is; the verdict is insufficient evidence."""
    rail = Guardrail(metric="recall" if "class_" in place else "accuracy", margin=0.9, **place)
    decision = rail_on(FOUR, rail, rule="non-inferior", margin=0.9)
    (reason,) = rails(decision)
    assert decision.by_rule is Verdict.PROMOTE
    assert (told is None) == reason.held
    if told:
        assert told in reason.text
        assert reason.value is None
        assert decision.verdict is Verdict.INSUFFICIENT_EVIDENCE


@pytest.mark.parametrize(
    ("labels", "written", "found"),
    [
        ((0, 1), 1, 1),
        ((0, 1), "1", 1),
        ((0, 1), True, 1),
        ((0.0, 1.0), 1, 1.0),
        ((False, True), True, True),
        ((False, True), "true", True),
        (("0", "1"), 1, "1"),
        (("nein", "größer ✓"), "größer ✓", "größer ✓"),
    ],
)
def test_a_class_may_be_written_as_in_toml(labels: tuple[Label, Label], written: Label, found: Label) -> None:
    """A class is found by what it means; the reason has it as the data spell it."""
    table = PairedOutcomes.from_predictions([*labels] * 50, [*labels] * 50, [*labels] * 50)
    (reason,) = rails(rail_on(table, Guardrail(metric="recall", class_=written, margin=0.2)))
    assert (reason.class_, type(reason.class_), reason.held) == (found, type(found), True)
    assert f"class {found!r}" in reason.text


def test_nothing_by_class_is_not_no_row() -> None:
    """Where nothing is computed by class, that is what is said; never that a class has no rows."""
    policy = Policy(guardrails=(Guardrail(metric="rows", minimum=1, class_="fraud"),))
    evaluation = replace(evaluate(FOUR, policy, resamples=100), per_class=())
    (reason,) = rails(decide(evaluation, policy))
    assert (reason.held, reason.value) == (False, None)
    told = "Guardrail: the labelled rows of class 'fraud' could not be counted: nothing is computed by class."
    assert reason.text == told


def test_the_recall_of_a_class_is_tangos_on_its_rows() -> None:
    """The published table as rows of one class, beside ten thousand of another: its interval alone decides."""
    counts = {**LOST.to_counts(), (0, 0, 0): 10_000}
    table = PairedOutcomes.from_counts(counts)
    for margin, held in ((0.3448, True), (0.3447, False)):
        (reason,) = rails(rail_on(table, Guardrail(metric="recall", class_=1, margin=margin)))
        assert reason.held == held
        assert reason.value == pytest.approx(-0.34470875, abs=5e-9)


def test_a_metric_of_which_less_is_better_is_turned_round() -> None:
    """A cost that rises by .2 to .4 is proved worse by .19, and its fall is proved no worse."""
    policy = Policy(costs={"1": {"0": 1.0}, "0": {"1": 1.0}}, guardrails=(Guardrail(metric="cost", margin=0.19),))
    evaluation = evaluate(LOST, policy, resamples=100)
    for effect, low, high, verdict in ((0.3, 0.2, 0.4, Verdict.KEEP_CHAMPION), (-0.3, -0.4, -0.2, None)):
        rows = (*evaluation.metrics[:-1], metric_row("cost", effect, ci_lower=low, ci_upper=high))
        decision = decide(replace(evaluation, metrics=rows), policy)
        (reason,) = rails(decision)
        assert reason.held == (verdict is None)
        assert reason.value == -high
        assert verdict is None or decision.verdict is verdict


@pytest.mark.parametrize("metric", ["latency", "size"])
def test_what_a_model_takes_is_held_to_the_champions(metric: str) -> None:
    """A tenth more is kept at a margin of .1; beyond it latency warns and size blocks; unknown, neither holds."""
    promoted = Policy(rule="non-inferior", margin=0.9, guardrails=(Guardrail(metric=metric, margin=0.1),))
    evaluation = evaluate(LOST, promoted, resamples=100)
    worse = Verdict.CONDITIONAL if metric == "latency" else Verdict.KEEP_CHAMPION
    unknown = Verdict.CONDITIONAL if metric == "latency" else Verdict.INSUFFICIENT_EVIDENCE
    for pair, verdict, told in (
        (BothSides(champion=100e-6, challenger=110e-6), Verdict.PROMOTE, "1.1 times"),
        (BothSides(champion=100e-6, challenger=90e-6), Verdict.PROMOTE, "0.9 times"),
        (BothSides(champion=100e-6, challenger=111e-6), worse, "1.11 times"),
        (BothSides(champion=0, challenger=0), unknown, "could not be evaluated: it is not known of both models."),
        (None, unknown, "could not be evaluated: it is not known of both models."),
    ):
        latency, size = (pair, None) if metric == "latency" else (None, pair)
        decision = decide(replace(evaluation, latency=latency, size=size), promoted)
        (reason,) = rails(decision)
        assert decision.verdict is verdict
        assert told in reason.text


def test_an_interval_that_cannot_be_estimated_proves_nothing() -> None:
    """One row on which precision falls: no resample differs, so it is neither proved worse nor proved not worse."""
    table = PairedOutcomes.from_predictions([1], [1], [0])
    for mode in ("proved-not-worse", "not-proved-worse"):
        decision = rail_on(table, Guardrail(metric="precision", margin=0.5, mode=mode))
        (reason,) = rails(decision)
        assert (reason.held, reason.value, decision.verdict) == (False, None, Verdict.INSUFFICIENT_EVIDENCE)
        assert reason.text == "Guardrail: Precision could not be evaluated: its interval is not estimable."


def test_the_same_model_twice_is_not_proved_worse_anywhere() -> None:
    """Identical sides: no loss is proved in any place, by any metric, with any margin."""
    table = PairedOutcomes.from_counts({(y, said, said): 5 + y + said for y in range(3) for said in range(3)})
    for metric in ("accuracy", "precision", "recall", "f1"):
        for class_ in (None, "*"):
            if metric != "accuracy" or class_ is None:
                rail = Guardrail(metric=metric, mode="not-proved-worse", margin=0.0, class_=class_)
                assert all(reason.held for reason in rails(rail_on(table, rail)))


def test_reasons_read_as_sentences() -> None:
    """The words, once, as a reader meets them."""
    rails_ = (
        Guardrail(metric="recall", class_="fraud", margin=0.02),
        Guardrail(metric="accuracy", segment="region", margin=0.01, mode="not-proved-worse"),
        Guardrail(metric="accuracy", margin=0.05, mode="improved"),
        Guardrail(metric="rows", class_="*", minimum=500),
        Guardrail(metric="size", margin=0.5),
    )
    policy = Policy(guardrails=rails_)
    evaluation = replace(evaluate(FOUR, policy, resamples=100), size=BothSides(champion=2e6, challenger=4e6))
    assert [reason.text for reason in rails(decide(evaluation, policy))] == [
        f"Guardrail: {text}"
        for text in (
            (
                "Recall of class 'fraud' is proved not worse by more than 2.0 points: "
                "improvement +30.0 points, 95 % interval +21.9 to +39.6 points."
            ),
            (
                "Accuracy of region = EU is not proved worse by more than 1.0 point: "
                "improvement +6.0 points, 95 % interval +4.2 to +8.4 points."
            ),
            (
                "Accuracy of region = US is proved worse by more than 1.0 point: "
                "improvement −4.0 points, 95 % interval −6.1 to −2.6 points."
            ),
            (
                "Accuracy did not improve by at least the 5.0 points worth having: "
                "improvement +1.0 points, 95 % interval −0.4 to +2.5 points."
            ),
            "100 labelled rows of class 'fraud', short of the 500 asked for.",
            "900 labelled rows of class 'ok', at least the 500 asked for.",
            "the challenger's size on disk is 4 MB, 2 times the champion's 2 MB, more than the 1.5 times tolerated.",
        )
    ]
