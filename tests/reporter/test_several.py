"""Several challengers beside one champion: told the same everywhere, harmless, and readable by everyone."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import cache
from html import unescape
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from abtest import wording
from abtest.decision import Verdict, decide
from abtest.evaluator import Confirmation, Growth
from abtest.guardrail import Guardrail
from abtest.metrics.catalogue import unit
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.record import ComparisonsRecord, best_of
from abtest.reporter import figures, folder, html, markdown, sentences, several, terminal
from abtest.stats.mcnemar import mcnemar
from abtest.stats.multiplicity import holm_levels
from abtest.workflow import compare
from tests.examples import HOSTILE, IMAGE, SCRIPT, record
from tests.reporter.pages import Outline
from tests.reporter.test_html import browser, show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abtest.comparison import Comparisons
    from abtest.record import Adjustment
    from abtest.reporter.several import WrittenChallenger

__all__ = ["browser"]  # a fixture, found by its name


class Column:
    """A model that predicts what a column holds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def predict(self, rows: Any) -> Any:
        """Read it off."""
        return rows[self.name].to_numpy()


def made(
    champion: float,
    *challengers: float,
    rows: int = 1200,
    policy: Policy | None = None,
    names: Sequence[str] = (),
    adjustment: Adjustment = "holm",
    model: str | None = "iris",
    classes: Sequence[Any] = (0, 1, 2),
    refuted: bool = False,
    notices: Sequence[tuple[str, ...]] = (),
) -> ComparisonsRecord:
    """Challengers of about these accuracies, right on many of the same rows."""
    rng, policy, k = np.random.default_rng(4), policy or Policy(), len(classes)
    y, hard = rng.integers(0, k, rows), rng.random(rows)
    own = [np.where(rng.random(rows) < 0.8, hard, rng.random(rows)) for _ in challengers]
    right = [hard < champion, *(it < share for it, share in zip(own, challengers, strict=True))]
    truth, *said = ([classes[i] for i in column] for column in (y, *(np.where(it, y, (y + 1) % k) for it in right)))
    tables = [PairedOutcomes.from_predictions(truth, said[0], it).contingency() for it in said[1:]]
    levels = holm_levels([mcnemar(table).pvalue for table in tables], policy.alpha)
    if adjustment == "bonferroni":
        levels = [policy.alpha / len(challengers)] * len(challengers)
    found = []
    for i, (column, level) in enumerate(zip(said[1:], levels, strict=True)):
        own_notices = notices[i] if notices else ()
        one = record(truth, said[0], column, policy=replace(policy, confidence=1 - level), notices=own_notices)
        known = {"version": None, "ref": names[i]} if names else {"version": i + 2}
        found.append(replace(one, model_name=model, challenger=replace(one.challenger, **known)))
    best = best_of(found)
    if refuted and best is not None:
        held = Confirmation(path="locked.csv", digest=None, use=1, held=False)
        evaluation = replace(found[best].evaluation, confirmation=held)
        decision = decide(evaluation, found[best].settings.policy)
        found[best], best = replace(found[best], confirmation=held, decision=decision), None
    between = {
        (i, j): PairedOutcomes.from_predictions(truth, said[1 + i], said[1 + j]).contingency()
        for i, j in combinations(range(len(challengers)), 2)
    }
    return ComparisonsRecord.of(
        found, confidence=0.95, adjustment=adjustment, between=between, method="mid-p", best=best
    )


def regression() -> ComparisonsRecord:
    """Three regressions: one clearly better, one somewhat, one alike."""
    import pandas as pd

    rng = np.random.default_rng(3)
    y = rng.normal(100, 20, 800)
    columns = {name: y + rng.normal(0, sd, 800) for name, sd in (("a", 5), ("b", 4), ("c", 4.2), ("d", 5))}
    data = pd.DataFrame({**columns, "y": y})
    challengers: list[Any] = [Column("b"), Column("c"), Column("d")]
    found: Comparisons = compare(Column("a"), challengers, data=data, target="y", task="regression", resamples=200)
    return found.record


def conditional() -> ComparisonsRecord:
    """Better, though a guardrail warns."""
    rail = Guardrail(metric="recall", class_="*", margin=0.0001, severity="warn")
    return made(0.85, 0.89, 0.8, policy=Policy(guardrails=(rail,)))


def hostile() -> ComparisonsRecord:
    """Names and classes that would be markup."""
    return made(0.8, 0.9, 0.85, names=[f"{SCRIPT}{IMAGE}", "[link](javascript:alert(1)) | $x$"], classes=HOSTILE)


CASES: dict[str, Callable[[], ComparisonsRecord]] = {
    "best": cache(lambda: made(0.88, 0.9, 0.93, 0.8)),
    "two": cache(lambda: made(0.85, 0.86, 0.9)),
    "twelve": cache(lambda: made(0.85, *(0.8 + 0.01 * i for i in range(12)))),
    "none": cache(lambda: made(0.88, 0.885, 0.88, 0.87)),
    "keep": cache(lambda: made(0.92, 0.85, 0.8)),
    "conditional": cache(conditional),
    "non_inferior": cache(
        lambda: made(0.88, 0.885, 0.88, policy=Policy(rule="non-inferior", margin=0.04), adjustment="bonferroni")
    ),
    "alike": cache(lambda: made(0.85, 0.9, 0.93, names=["Forest", "Forest"], model=None)),
    "refuted": cache(lambda: made(0.85, 0.95, 0.8, refuted=True)),
    "hostile": cache(hostile),
    "regression": cache(regression),
}
every_case = pytest.mark.parametrize("case", CASES)


@cache
def page(case: str, *, drawn: bool = True) -> str:
    """The page of a case."""
    found = CASES[case]()
    return html.render_several(found, [figures.render(one) for one in found.comparisons] if drawn else ())


def printed(case: str, *, width: int = 140) -> str:
    """What a console shows."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=False, color_system=None, highlight=False)
    console.print(terminal.render_several(several.summarise(CASES[case]())))
    return file.getvalue()


def flat(text: str) -> str:
    """A text on one line, its spaces and Markdown's backslashes taken away."""
    return re.sub(r"\\(?=\W)", "", " ".join(text.replace("\u2007", "").split()))


def told_of(row: WrittenChallenger, case: str) -> dict[str, str]:
    """What each output writes in a challenger's row."""
    markdowns = [
        line for line in markdown.render_several(several.summarise(CASES[case]())).splitlines() if line[0:1] == "|"
    ]
    terminals = printed(case).splitlines()[3:]
    place = several.summarise(CASES[case]()).rows.index(row)
    found = {"Markdown": markdowns[2 + place], "terminal": next(it for it in terminals if it)}
    found["terminal"] = terminals[next(i for i, line in enumerate(terminals) if "held against" in line) + 1 + place]
    for name, text in (("page", page(case)), ("notebook", html.fragment_of_several(CASES[case]()))):
        table = text.partition('<table class="challengers">')[2].partition("</table>")[0]
        found[name] = unescape(re.sub("<[^>]+>", " ", re.findall("<tr.*?</tr>", table, flags=re.DOTALL)[1 + place]))
    return {name: flat(text) for name, text in found.items()}


@every_case
def test_every_output_has_the_records_numbers(case: str) -> None:
    """In each output a challenger's row has its verdict, both values, effect, interval and p-value as JSON has them."""
    found = CASES[case]()
    words, plain = several.summarise(found), json.loads(found.to_json())
    assert sorted(row.index for row in words.rows) == list(range(len(plain["comparisons"])))
    for row in words.rows:
        one = plain["comparisons"][row.index]
        metric = "rmse" if case == "regression" else "accuracy"
        read, kind = next(it for it in one["metrics"] if it["metric"] == metric), unit(metric)
        told = [wording.value(read[side], kind) for side in ("champion", "challenger")]
        told.append(wording.effect(read["effect"], kind, spell_unit=False))
        told.append(wording.interval(read["ci_lower"], read["ci_upper"], kind, spell_unit=False))
        told.append(wording.pvalue(read["pvalue"]).removeprefix("p = ").removeprefix("p "))
        told.append(row.level)
        for output, text in told_of(row, case).items():
            verdict = one["decision"]["verdict"] if output in {"Markdown", "terminal"} else row.part.verdict_title
            assert [it for it in (verdict, *told) if it not in text] == [], output
            assert ("recommended" in text or "←" in text) == (row.index == plain["best"])


@every_case
def test_every_output_begins_with_the_verdict(case: str) -> None:
    """Each output has the headline, and nothing but the title and the verdict before it."""
    words = several.summarise(CASES[case]())
    outputs = [printed(case), markdown.render_several(words), Outline(page(case)).text]
    for text in (*outputs, Outline(html.fragment_of_several(CASES[case]())).text):
        before, headline, _ = flat(text.replace("\u00a0", " ")).partition(words.headline)
        assert headline
        assert len(before) < 60 + 2 * len(words.title) + len(words.verdict_title)


@every_case
def test_the_best_comes_first(case: str) -> None:
    """The recommended challenger comes first, then the more favourable verdict, then the larger gain."""
    found = CASES[case]()
    rows = several.summarise(found).rows
    assert [row.index for row in rows if row.recommended] == ([] if found.best is None else [rows[0].index])
    ranks = []
    for row in rows:
        one = found.comparisons[row.index]
        gain = one.evaluation.find(one.settings.policy.decisive)
        assert gain is not None
        ranks.append((list(Verdict).index(one.decision.verdict), -gain.improvement))
    assert ranks == sorted(ranks)
    other = several.summarise(replace(found, best=rows[-1].index))
    assert [row.recommended for row in other.rows] == [True] + [False] * (len(rows) - 1)
    assert other.rows[0].index == rows[-1].index


@pytest.mark.parametrize(
    ("case", "verdict", "said"),
    [
        ("best", "PROMOTE", "Challenger v3 should replace the champion. Of 3 challengers it is the"),
        (
            "conditional",
            "CONDITIONAL",
            "Challenger v2 may replace the champion if somebody accepts what speaks against it.",
        ),
        (
            "none",
            "INSUFFICIENT_EVIDENCE",
            "None of 3 challengers is shown to be better than the champion. Challenger v2",
        ),
        ("keep", "KEEP_CHAMPION", "The champion should stay: neither challenger may replace it. Challenger v2 comes"),
        (
            "non_inferior",
            "PROMOTE",
            "Challenger v2 may replace the champion. Of 2 challengers it is the best that may:",
        ),
        (
            "refuted",
            "INSUFFICIENT_EVIDENCE",
            "The locked test set does not confirm challenger v2, so neither challenger",
        ),
        (
            "regression",
            "PROMOTE",
            "should replace the champion. Of 3 challengers it is the best that may: on the same 800",
        ),
    ],
)
def test_each_verdict_has_its_words(case: str, verdict: str, said: str) -> None:
    """Each verdict has a headline that names a challenger and both its values, and advice that fits."""
    words = several.summarise(CASES[case]())
    told = words.rows[0]
    assert words.verdict == verdict
    assert said in words.headline
    assert f"{told.challenger}" in words.headline
    assert f"{told.champion}." in words.headline
    assert (words.advice == "Promote it.") == (verdict == "PROMOTE")
    assert (words.recommended is None) == (verdict not in {"PROMOTE", "CONDITIONAL"})


def test_a_failed_confirmation_is_never_a_promotion() -> None:
    """Where the locked set refutes the best, the advice is to keep the champion, whatever the others' verdicts."""
    found = made(0.85, 0.93, 0.95, refuted=True)
    words = several.summarise(found)
    assert found.comparisons[0].decision.verdict is Verdict.PROMOTE
    assert words.recommended is None
    assert words.headline.startswith("The locked test set does not confirm challenger v3")
    assert words.advice.startswith("Keep the champion.")
    assert words.rivals == ()


@every_case
def test_one_challenger_at_most_is_to_be_promoted(case: str) -> None:
    """Of several that may serve the page says "Promote it." of the recommended alone; others point to that one."""
    found = CASES[case]()
    words = several.summarise(found)
    for row in words.rows:
        may = row.part.verdict in {Verdict.PROMOTE, Verdict.CONDITIONAL}
        alone = row.advice.startswith("That is the verdict on it alone")
        assert alone == (may and not row.recommended)
        assert not alone or words.recommended is None or sentences.brief(words.recommended.name) in row.advice
    promoted = found.best is not None and words.verdict is Verdict.PROMOTE
    assert Outline(page(case)).text.count("Promote it.") == 2 * promoted, "above, and in its own report"


def test_the_only_one_is_not_the_best_of_several() -> None:
    """Of several that may serve one is the best; one alone is the only one."""
    assert "it is the only one that may" in several.summarise(made(0.85, 0.95, 0.8)).headline
    assert "it is the best that may" in several.summarise(made(0.85, 0.95, 0.93)).headline


def test_names_tell_challengers_apart() -> None:
    """Challengers of one name are numbered; a title with many names is cut, and says by how many."""
    assert sentences.names_of(CASES["alike"]()) == ("Forest (1)", "Forest (2)")
    assert several.summarise(CASES["best"]()).title == "iris: v2, v3 and v4 against v1"
    assert several.summarise(CASES["twelve"]()).title == "iris: v2, v3, v4 and 9 more against v1"


def test_levels_are_those_of_the_record() -> None:
    """Each row names the level its challenger was held to: of a test, or of the interval where that decides."""
    words = several.summarise(CASES["keep"]())
    assert sorted(row.level for row in words.rows) == ["p < 0.025", "p < 0.05"]
    assert {row.level for row in several.summarise(CASES["non_inferior"]()).rows} == {"97.5 % interval"}
    twelve = CASES["twelve"]()
    assert f"p < {0.05 / 12:.3g}" in {row.level for row in several.summarise(twelve).rows}
    assert sentences.level_of_all(twelve) == pytest.approx(0.05)


def test_how_levels_allow_for_each_other_is_said() -> None:
    """Holm, Bonferroni and spending each have a sentence; only Holm's intervals need a caution."""
    holm, parts = several.summarise(CASES["best"]()), several.summarise(CASES["non_inferior"]())
    assert "3 challengers" in holm.adjustment
    assert "(Holm)" in holm.adjustment
    assert "below 5 %" in holm.adjustment
    assert "likelier" in holm.intervals
    assert "(Bonferroni)" in parts.adjustment
    assert "97.5 % confidence" in parts.adjustment
    assert parts.intervals == ""
    spent = several.summarise(replace(CASES["best"](), adjustment="spend"))
    assert "one more use of the test set" in spent.adjustment
    assert spent.intervals == ""


def test_cochrans_q_is_told_as_computed() -> None:
    """Q, its degrees and its p are those of statsmodels on the same rows; of a regression there is nothing to tell."""
    from statsmodels.stats.contingency_tables import cochrans_q

    rng = np.random.default_rng(4)
    y, hard = rng.integers(0, 3, 1200), rng.random(1200)
    own = [np.where(rng.random(1200) < 0.8, hard, rng.random(1200)) for _ in range(3)]
    right = np.array([hard < 0.88, *(it < share for it, share in zip(own, (0.885, 0.88, 0.87), strict=True))]).T
    assert len(y) == len(right)
    test = cochrans_q(right.astype(int))
    said = several.summarise(CASES["none"]()).cochran
    assert f"all 4 models is {test.statistic:.2f} (3 degrees of freedom), p = {test.pvalue:.3f}:" in said
    assert "no difference among them is shown" in said
    assert "some of them differ" in several.summarise(CASES["best"]()).cochran
    assert several.summarise(CASES["regression"]()).cochran == ""


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (made(0.8, 0.95, 0.88), "v2 is more accurate than v3, which may serve too."),
        (made(0.8, 0.93, 0.93), "is not shown to be more accurate than"),
        (made(0.8, 0.95, 0.79), None),
        (CASES["regression"](), "may serve too; challengers are not tested against each other here."),
    ],
    ids=["better", "open", "alone", "not tested"],
)
def test_rivals_are_told(found: ComparisonsRecord, said: str | None) -> None:
    """Whether the best is shown to beat others that may serve too is said; nothing where there are none."""
    rivals = several.summarise(found).rivals
    assert len(rivals) == (said is not None)
    assert said is None or said in rivals[0]


def test_a_less_accurate_best_is_owned_up_to() -> None:
    """Where what decides is not accuracy, and another is more accurate, that is said."""
    found = made(0.8, 0.95, 0.88)
    told = several.summarise(replace(found, best=1)).rivals
    assert told == ("v3 improves most on what decides, and is less accurate than v2, which may serve too.",)


@every_case
def test_pairs_are_those_of_the_record(case: str) -> None:
    """Every two challengers have a row, which calls one better where the adjusted p-value is below the level."""
    found = CASES[case]()
    words, names = several.summarise(found), sentences.names_of(found)
    assert len(words.pairs) == len(found.between)
    for pair, it in zip(words.pairs, found.between, strict=True):
        assert (pair.first, pair.second) == (names[it.first], names[it.second])
        table, sure = it.contingency, it.pvalue_adjusted < sentences.level_of_all(found)
        assert pair.only_first == wording.whole(table.champion_only)
        assert pair.only_second == wording.whole(table.challenger_only)
        better = pair.first if table.champion_only > table.challenger_only else pair.second
        told = f"{sentences.brief(better)} is more accurate" if sure else "no difference is shown"
        assert pair.found == told


def test_notices_are_said_once() -> None:
    """What holds for every challenger is said once for all of them, what holds for some with those."""
    found = made(0.8, 0.9, 0.95, notices=[("Rows repeat.", "First use."), ("Rows repeat.", "Second use.")])
    words = several.summarise(found)
    own = {row.name: row.notices for row in words.rows}
    assert "Rows repeat." in words.notices
    assert "First use." in own["v2"]
    assert "Second use." in own["v3"]
    assert not any("Rows repeat." in notices for notices in own.values())
    assert markdown.render_several(words).count("Rows repeat.") == 1
    file = io.StringIO()
    Console(file=file, width=140).print(terminal.render_several(words))
    assert file.getvalue().count("Rows repeat.") == 1
    assert file.getvalue().count("Second use.") == 1, "v3 is recommended"
    assert "First use." not in file.getvalue()
    assert "… and 1 note on one challenger or another, in the report" in file.getvalue()
    assert markdown.render_several(words).count("First use.") == 1


def test_a_grown_test_set_shows_the_p_value_that_decides() -> None:
    """Where rows were looked at before, the p-value shown is the one that stays valid, and decides what is sure."""
    found = CASES["best"]()
    growth = Growth(rows=100, run_id="r", log_evidence=0.0, pvalue=0.321)
    grown = replace(found, comparisons=tuple(replace(one, growth=growth) for one in found.comparisons))
    assert {(row.pvalue, row.sure) for row in several.summarise(grown).rows} == {("0.321", False)}
    assert {row.sure for row in several.summarise(found).rows} == {True}


def test_what_could_not_be_computed_is_told() -> None:
    """A challenger without the metric that decides has a row that says so, and nothing is drawn of it."""
    found = CASES["none"]()
    without = tuple(
        replace(one, settings=replace(one.settings, policy=replace(one.settings.policy, rule="primary", primary="f1")),
                metrics=tuple(row for row in one.metrics if row.metric != "f1"))
        for one in found.comparisons
    )  # fmt: skip
    bare = replace(found, comparisons=without)
    words = several.summarise(bare)
    assert {(row.effect, row.interval, row.known, row.sure) for row in words.rows} == {
        ("–", "not computed", False, False)
    }
    assert "as F1 could not be computed" in words.headline
    assert "figure-challengers" not in html.render_several(bare, [figures.render(one) for one in without])


@every_case
@pytest.mark.parametrize("drawn", [True, False], ids=["figures", "tables"])
def test_the_page_is_sound(case: str, drawn: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """All is closed, ids are unique, references lead somewhere, headings skip no level, one challenger is open."""
    outline = Outline(page(case, drawn=drawn))
    tags = [tag for tag, _ in outline.elements]
    ids = outline.all("id")
    assert len(ids) == len(set(ids))
    assert {ref.removeprefix("#") for ref in outline.all("href") if ref.startswith("#")} <= set(ids)
    assert {name for names in outline.all("aria-labelledby") for name in names.split()} <= set(ids)
    for landmark in ("h1", "main", "header", "footer", "nav", "title"):
        assert tags.count(landmark) == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    parts = [
        attributes
        for tag, attributes in outline.elements
        if tag == "details" and attributes.get("class") == "one every"
    ]
    found = CASES[case]()
    assert len(parts) == len(found.comparisons)
    assert ["open" in attributes for attributes in parts].count(True) == (found.best is not None)
    labels = [
        name for tag, attributes in outline.elements if tag == "section" and (name := attributes["aria-labelledby"])
    ]
    assert len(labels) == len(set(labels))
    nested = [label.split() for label in labels if label.startswith("challenger-")]
    assert nested
    assert all(part[1].startswith(part[0].removesuffix("name")) for part in nested), "each names its challenger too"


@every_case
def test_nothing_runs_and_nothing_is_fetched(case: str) -> None:
    """No script, no handler, no address to fetch from; and the page's own policy forbids them."""
    for text in (page(case), html.fragment_of_several(CASES[case]())):
        outline = Outline(text)
        tags = {tag for tag, _ in outline.elements}
        assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
        assert not [name for _, attributes in outline.elements for name in attributes if name.startswith("on")]
        assert not outline.all("src")
        assert all(ref == "data:," or ref.startswith("#") for ref in outline.all("href"))
        assert "url(" not in text
    (policy,) = [it["content"] for tag, it in Outline(page(case)).elements if "http-equiv" in it]
    assert policy is not None
    assert policy.startswith("default-src 'none';")


def test_users_texts_are_text() -> None:
    """Names that would be markup are shown as they were written, in every output."""
    text, words = page("hostile"), several.summarise(CASES["hostile"]())
    assert "<script" not in text
    assert "<img" not in text
    assert f"{SCRIPT}{IMAGE}" in Outline(text).text
    assert "[link](javascript:alert(1)) | $x$" in Outline(text).text
    unescaped = re.sub(r"\\.", "", markdown.render_several(words))
    assert "<" not in unescaped.replace("p < ", "").replace("| < ", "")
    assert "[" not in unescaped
    assert "(javascript:alert(1)) | $x$" in printed("hostile")
    assert "[/]" in _printed_name("[/] [bold]x")


def _printed_name(name: str) -> str:
    file = io.StringIO()
    words = several.summarise(made(0.8, 0.9, 0.95, rows=100, names=["plain", name]))
    Console(file=file, width=140).print(terminal.render_several(words))
    return file.getvalue()


@every_case
def test_without_figures_there_are_tables(case: str) -> None:
    """Asked for no figures, the page has none, and still the challengers' table."""
    text = page(case, drawn=False)
    assert "<svg" not in text
    assert "<figure" not in text
    assert 'id="challengers-table"' in text
    assert page(case).count('<h3 class="question" id="figure-challengers"') == 1


@pytest.mark.parametrize("case", ["best", "regression", "hostile"])
def test_each_challenger_has_its_ordinary_report(case: str) -> None:
    """What the page says of a challenger is its own report, ids and levels of headings apart."""
    found, text = CASES[case](), page(case)
    for i, one in enumerate(found.comparisons, start=1):
        alone = (
            html.render(one, figures.render(one))
            .partition('<main id="report" tabindex="-1">')[2]
            .partition("</main>")[0]
        )
        moved = text.replace(f"challenger-{i}-name ", "").replace(f"challenger-{i}-", "")
        moved = moved.replace("<h3", "<h2").replace("</h3>", "</h2>").replace("<h4", "<h3").replace("</h4>", "</h3>")
        assert alone.strip() in moved


@every_case
def test_markdown_tables_are_whole(case: str) -> None:
    """The verdict comes first, each row of the table has the cells of its head, and each challenger a heading."""
    words = several.summarise(CASES[case]())
    text = markdown.render_several(words)
    assert text.splitlines()[0].endswith(words.verdict)
    (table,) = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in table} == {9}
    assert len(table) == 2 + len(words.rows)
    assert len(re.findall("^### ", text, flags=re.MULTILINE)) == len(words.rows)
    assert "NaN" not in text


@every_case
def test_the_terminal_tells_it_in_words(case: str) -> None:
    """Verdict, one line a challenger with its verdict, and reasons: of the recommended, or one of each; no escapes."""
    words, text = several.summarise(CASES[case]()), printed(case)
    assert text.startswith(words.verdict)
    assert "\x1b" not in text
    for row in words.rows:
        assert re.search(
            rf"{re.escape(sentences.brief(row.name, 26))}( ←)? +{row.part.verdict_mark} {row.part.verdict} ", text
        )
    assert text.count("←") == (words.recommended is not None)
    if words.recommended:
        unmet = [reason for reason in words.recommended.part.reasons if not reason.held]
        assert text.count("✗") == len(unmet)
    else:
        assert text.count("✗") == len(words.rows)


@pytest.mark.parametrize("case", ["best", "none", "keep", "regression"])
def test_the_terminal_is_short(case: str) -> None:
    """Of two or three challengers it takes fifteen lines at most, wrapped ones counted once."""
    assert len(printed(case, width=1000).splitlines()) <= 15


@pytest.mark.parametrize("case", ["best", "alike", "regression"])
def test_the_folder_has_a_place_for_each(case: str, tmp_path: Path) -> None:
    """A report has page, data and summary, the figure of all, and a folder of figures for each challenger."""
    found = CASES[case]()
    path = folder.write(found, tmp_path / "out")
    assert [it.name for it in (tmp_path / "out").iterdir()] == [path.name]
    assert path.name.startswith(found.name)
    assert ComparisonsRecord.from_dict(json.loads((path / "comparison.json").read_text("utf-8"))) == found
    assert (path / "report.html").read_text("utf-8") == folder.page(found, None)
    assert (path / "summary.md").read_text("utf-8") == markdown.render_several(several.summarise(found))
    folders = sorted(it.name for it in (path / "figures").iterdir() if it.is_dir())
    assert folders == {"best": ["v2", "v3", "v4"], "alike": ["Forest-1", "Forest-2"]}.get(case, folders)
    assert len(folders) == len(found.comparisons)
    pictures = list((path / "figures").rglob("*.png"))
    assert path / "figures" / "challengers.png" in pictures
    assert len(pictures) == 1 + sum(len(figures.render(one)) for one in found.comparisons)
    assert all(it.read_bytes().startswith(b"\x89PNG") for it in pictures)


def test_without_plots_the_folder_has_no_figures(tmp_path: Path) -> None:
    """Asked for no figures, none are made."""
    path = folder.write(CASES["two"](), tmp_path, figures=False)
    assert sorted(it.name for it in path.iterdir()) == ["comparison.json", "report.html", "summary.md"]


def test_folders_never_clash(tmp_path: Path) -> None:
    """Names that differ in case or signs alone, and one like a figure's, have a folder each, within the report."""
    names = ["V2", "v2", "../v2", "a/b", "a b", "challengers.png", "…"]
    found = made(0.8, *[0.85] * len(names), rows=60, names=names, policy=Policy(metrics=("accuracy",)))
    path = folder.write(found, tmp_path / "out")
    folders = [it.name for it in (path / "figures").iterdir() if it.is_dir()]
    assert len({name.casefold() for name in folders}) == len(names)
    assert [it.name for it in tmp_path.iterdir()] == ["out"]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", ["best", "hostile", "regression", "none"])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, case: str, scheme: str) -> None:
    """Axe finds no violation, on light and on dark, with everything unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    tab = show(browser, tmp_path, page(case), scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    tab.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("case", ["best", "twelve", "hostile", "regression"])
def test_the_page_fits_its_screen(browser: Any, tmp_path: Path, case: str, width: int) -> None:
    """A phone scrolls down and never sideways; the page is silent and fetches nothing."""
    tab = show(browser, tmp_path, page(case), width=width)
    tab.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.said == []
    assert len(tab.asked) == 1 + sum(url.startswith("data:") for url in tab.asked)
    tab.context.close()


@pytest.mark.browser
def test_the_page_prints(browser: Any, tmp_path: Path) -> None:
    """On paper nothing is cut, and every challenger's report is there, folded or not."""
    tab = show(browser, tmp_path, page("best"), scheme="dark", width=690)
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 690
    heights = tab.evaluate("[...document.querySelectorAll('.inside')].map(it => it.getBoundingClientRect().height)")
    assert len(heights) == 3
    assert min(heights) > 1000
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.context.close()


@pytest.mark.browser
def test_a_link_opens_its_challenger(browser: Any, tmp_path: Path) -> None:
    """Whoever follows a challenger's link finds its report unfolded."""
    tab = show(browser, tmp_path, page("best"))
    last = "document.querySelector('#challenger-3').parentElement.open"
    assert not tab.evaluate(last)
    tab.click("nav a[href='#challenger-3']")
    tab.wait_for_function(last)
    assert tab.evaluate("document.querySelector('#challenger-3-name').getBoundingClientRect().top") >= 0
    tab.context.close()
